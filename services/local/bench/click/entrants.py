"""Who predicts clicks on the same log? Our own network in its variants, and others' models."""

from __future__ import annotations

import tempfile
from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path

import numpy as np

from services.common import inference
from services.local.bench.click.case import PAGE_ITEM_COUNT, Answer, Case
from services.local.bench.click.peers import deep, linear, trees
from services.local.bench.click.peers.reading import milliseconds
from services.scoring.scorer import POPULARITY
from services.scoring.signature import SPECS
from services.scoring.training import judging
from services.scoring.training.architecture import DEFAULT, Architecture, Encoder, Heads
from services.scoring.training.calibrate import calibrate
from services.scoring.training.export import export
from services.scoring.training.learn import learn
from services.scoring.training.recipe import Recipe


@dataclass(frozen=True, slots=True)
class Entrant:
    """A way from a log to predictions.

    Attributes:
        fit: from a case and a seed.
        package: what has to be installed beside planogram; empty for nothing.
        is_seeded: False where all seeds give the same predictions, so that one is enough.
    """

    name: str
    fit: Callable[[Case, int], Answer]
    package: str = ""
    is_seeded: bool = True


def fit_own(case: Case, seed: int, architecture: Architecture) -> Answer:
    """Our own network, trained and calibrated as it would be for serving."""
    recipe = replace(Recipe(), architecture=architecture, seed=seed)
    trained = learn(case.learned, case.valid, recipe)
    calibrate(trained.network, trained.tower, case.valid)
    valid, test = (judging.predict(trained.network, trained.tower, part) for part in (case.valid, case.test))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "model.onnx"
        export(trained.network, path)
        session = inference.open_session(path, "cpu")
    page = _page(case)
    return Answer(
        valid=valid.click,
        test=test.click,
        parameter_count=sum(parameter.numel() for parameter in trained.network.parameters()),
        page_ms=milliseconds(lambda: session.run(None, page)),
        purchase=test.purchase,
    )


def _page(case: Case) -> dict[str, np.ndarray]:
    """The first shopper of the test pages with the longest history, before PAGE_ITEM_COUNT items."""
    page = int((case.test.shopper["history_ids"][:, :, 3] > 0).sum(1).argmax())
    rows = np.arange(PAGE_ITEM_COUNT) % len(case.test.click)
    return {
        spec.name: (
            case.test.item[spec.name][rows] if spec.is_per_item else case.test.shopper[spec.name][page]
        ).astype(spec.dtype)
        for spec in SPECS
    }


def _popularity(case: Case, seed: int) -> Answer:
    valid, test = (POPULARITY.predict(part.item) for part in (case.valid, case.test))
    page = _page(case)
    return Answer(
        valid=valid.click_probability,
        test=test.click_probability,
        parameter_count=0,
        page_ms=milliseconds(lambda: POPULARITY.predict(page)),
        purchase=test.purchase_probability,
    )


def _own(name: str, architecture: Architecture) -> Entrant:
    return Entrant(name, partial(fit_own, architecture=architecture))


OWN = "planogram"
"""What the others are compared with: the default recipe."""

ENTRANTS = (
    _own(OWN, DEFAULT),
    *(
        _own(f"planogram, {encoder}", replace(DEFAULT, encoder=encoder))
        for encoder in Encoder
        if encoder is not DEFAULT.encoder
    ),
    *(
        _own(f"planogram, {heads}", replace(DEFAULT, heads=heads))
        for heads in Heads
        if heads is not DEFAULT.heads
    ),
    _own("planogram, no matches", replace(DEFAULT, has_matches=False)),
    _own("planogram, no text", replace(DEFAULT, has_text=False)),
    _own("planogram, no cross layers", replace(DEFAULT, cross_count=0)),
    Entrant("logistic regression (scikit-learn)", linear.fit, "sklearn", is_seeded=False),
    Entrant("trees (LightGBM)", trees.fit, "lightgbm"),
    Entrant("DIN (deepctr-torch)", deep.fit_deepctr_din, "deepctr_torch"),
    Entrant("DCN-v2 (deepctr-torch)", deep.fit_deepctr_dcn, "deepctr_torch"),
    Entrant("DIN (torch-rechub)", deep.fit_rechub_din, "torch_rechub"),
    Entrant("DCN-v2 (torch-rechub)", deep.fit_rechub_dcn, "torch_rechub"),
    Entrant("popularity", _popularity, is_seeded=False),
)
