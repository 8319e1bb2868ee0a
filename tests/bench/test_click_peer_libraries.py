"""Do other libraries' click models learn, as the comparison uses them? Run by `make test-peers`."""

from __future__ import annotations

import numpy as np
import pytest

from services.local.bench.click.case import Case
from services.local.bench.click.entrants import ENTRANTS
from services.scoring.training import data, metrics, train
from tests.scoring.conftest import Log

FOREIGN = [entrant for entrant in ENTRANTS if entrant.package]

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs, about each other


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    return Case(*train.split(data.read(Log().write(tmp_path_factory.mktemp("log"), 600))))


@pytest.mark.parametrize("entrant", FOREIGN, ids=lambda entrant: entrant.name)
def test_a_library_s_model_learns_and_is_calibrated(case, entrant):
    answer = entrant.fit(case, 0)
    assert answer.test.shape == case.test.click.shape and answer.parameter_count > 0
    assert metrics.auc(answer.test, case.test.click) > 0.55
    assert np.isfinite(answer.test).all()
    assert answer.valid.sum() == pytest.approx(case.valid.click.sum(), rel=0.05)
