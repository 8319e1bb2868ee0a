"""Does a policy that reads what shoppers said of answers order them better than their match does?"""

from __future__ import annotations

import numpy as np
import pytest

from planogram.common.v1 import context_pb2
from planogram.files import log as files
from services.policy import servicer
from services.policy.exploration import Exploration, Mode
from services.policy.registry import UNIFORM, open_policy
from services.policy.training import rewards, train
from tests.policy.conftest import Build, M, S, _event, _exposure

TOPICS = ("payment", "delivery", "products", "returns")
TEMPLATES = (("answer", 0, 4), ("folded", 0, 4))
AFTER_BUYING = ("delivery", "returns")
SLOT_COUNT = 3
PAGE_COUNT = 1_500
UNIFORMLY = Exploration(Mode.EPSILON_GREEDY, 1.0, 1.0)
GREEDILY = Exploration(Mode.GREEDY, 0.0, 1.0)


def request_of(random):
    """A help page of somebody who just bought something, or nothing; answers match about equally, best first."""
    relevance = np.sort(random.uniform(0.5, 0.6, len(TOPICS)))[::-1]
    modules = [
        M(f"answer-{topic}", (), TEMPLATES, "deep", "answers", f"answer-{topic}")
        for topic in random.permutation(TOPICS)
    ]
    filler = M("popular", range(4), [("grid", 1, 4), ("carousel", 1, 4)], is_filler=True)
    names = [module.name for module in modules]
    slots = [S(f"s{index}", names) for index in range(SLOT_COUNT)]
    request = Build()([*modules, filler], slots, 4, seed=int(random.integers(2**62)))
    for module, own in zip(request.modules, relevance, strict=False):
        module.relevance = own
    request.context.page_type = context_pb2.PAGE_TYPE_HELP
    request.session.purchase_count = int(random.integers(2))
    return request


def chance_of(slot, request):
    """That an answer helps somebody who looks at it: by its topic, as far as somebody is."""
    is_wanted = (slot.module_id.removeprefix("answer-") in AFTER_BUYING) == bool(
        request.session.purchase_count
    )
    return 0.7 if is_wanted else 0.1


def write(folder, random):
    exposures, events = [], []
    for index in range(PAGE_COUNT):
        request = request_of(random)
        moment = 1_700_000_000.0 + 30 * index
        answer = servicer.answer(request, UNIFORM, UNIFORMLY)
        exposure = _exposure(f"p{index}", f"session-{index}", moment, request, answer)
        exposures.append(files.exposure_row(exposure))
        for slot in exposure.slots:
            events.append(_event(exposure, slot, "IMPRESSION", len(events), moment))
            is_helped = random.random() < chance_of(slot, request)
            if is_helped or random.random() < 0.3:
                kind = "HELPFUL" if is_helped else "DISMISSAL"
                events.append(_event(exposure, slot, kind, len(events), moment))
            if is_helped or random.random() < 0.2:
                break
    files.write(folder, "exposures", exposures, "test")
    files.write(folder, "events", events, "test")
    return folder


def value_of(answer, request, weights):
    """What a page is expected to bring, by the law that the log was written by."""
    value, reached = 0.0, 1.0
    for slot in answer.slots:
        helps = chance_of(slot, request)
        value += reached * (weights.helpful * helps + weights.dismissal * 0.3 * (1 - helps))
        reached *= 0.8 * (1 - helps)
    return value


def test_on_new_help_pages_what_is_learned_beats_the_order_of_the_match(tmp_path):
    log = write(tmp_path / "log", np.random.default_rng(0))
    trained = train.train(log, tmp_path / "models", settings=train.Settings(step_count=400)).artifact
    policy, weights = open_policy(trained), rewards.load().on(context_pb2.PAGE_TYPE_HELP)
    random = np.random.default_rng(1)
    requests = [request_of(random) for _ in range(300)]
    learned, matched, drawn = (
        np.array([value_of(servicer.answer(one, by, how), one, weights) for one in requests])
        for by, how in ((policy, GREEDILY), (UNIFORM, GREEDILY), (UNIFORM, UNIFORMLY))
    )
    for one in requests[:20]:
        best = servicer.answer(one, UNIFORM, GREEDILY).slots
        assert [slot.module_id for slot in best] == [module.module_id for module in one.modules[:SLOT_COUNT]]
    gain = learned - matched
    assert gain.mean() > 3 * gain.std() / len(gain) ** 0.5 and gain.mean() > 0.05
    assert matched.mean() == pytest.approx(drawn.mean(), abs=0.05)  # here the match says nothing
    # Both of those who bought and of those who did not: it reads who is asking.
    has_bought = np.array([bool(one.session.purchase_count) for one in requests])
    assert gain[has_bought].mean() > 0.05 and gain[~has_bought].mean() > 0.05
