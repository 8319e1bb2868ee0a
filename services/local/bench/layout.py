"""What does layout's own part of a page cost: admit, arrange under rules, answer and record?

Ten slots of twelve items out of 300 candidates, under twenty rules, in process. CPU time of the thread; the
floor is the same page under no rules. A second figure is the time until a page with every other service gone,
by the clock, from a client beside a server.
"""

from __future__ import annotations

import asyncio
import os
import socket
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import yaml

from planogram.client import AsyncLayoutClient, home
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2
from services.common import log, memory, pseudonyms
from services.common.callers import Caller, Role
from services.common.server import serving
from services.common.settings import load
from services.layout import conditions, configuration, page, planning, ranking, replay
from services.layout import fallback as shops_order
from services.layout.__main__ import SERVICE
from services.layout.admission import Admission
from services.layout.configuration import Configuration
from services.layout.settings import LayoutSettings
from services.layout.tokens import Signer
from services.local.bench import harness
from services.local.bench.harness import Row

MEAN_MS = 2.0
ALONE_MS = 5.0
STAGES = ("admit", "arrange", "answer")
"""What counts; recording the exposure comes after the answer was sent."""
_ITEM_COUNT, _MODULE_COUNT, _SLOT_COUNT, _ROW_COUNT = 300, 24, 10, 48
_KINDS = (("brand", 40), ("seller", 25), ("category", 8))
RULES: Sequence[dict[str, Any]] = (
    {"name": "sold-out", "exclude": {"what": "sold_out"}},
    {"name": "in-cart", "exclude": {"what": "in_cart"}},
    {"name": "shown-item", "exclude": {"what": "current_item"}},
    {"name": "adults-only", "hide": {"least_age_rating": 18}},
    {"name": "recall", "hide": {"items": ["i7", "i70"]}},
    {"name": "discreet", "hide": {"categories": ["category-3"], "in_modules": ["m1", "m2"]}},
    {"name": "no-loss", "hide": {"below_price": 2}},
    {"name": "own-brand", "boost": {"brands": ["brand-1"], "factor": 1.5}},
    {"name": "reduced", "boost": {"least_discount": 0.2, "factor": 1.2}},
    {"name": "slow-seller", "bury": {"sellers": ["seller-3"]}},
    {"name": "campaign", "pin": {"slot": "s2", "module": "m5"}},
    {"name": "launch", "lead": {"module": "m4", "items": ["i4", "i104"]}},
    {"name": "brands-in-module", "cap": {"of": "brand", "most": 4}},
    {"name": "brand-neighbours", "cap": {"of": "brand", "most": 1, "within": 3}},
    {"name": "brands-on-page", "cap": {"of": "brand", "most": 12, "within": "page"}},
    {"name": "sellers-on-page", "cap": {"of": "seller", "most": 20, "within": "page"}},
    {"name": "new", "fresh": {"share": 0.1, "newer_than_days": 14}},
    {"name": "mixed", "diversify": {"method": "mmr", "strength": 0.3}},
    {"name": "ads", "ads": {"most_share": 0.2, "least_gap": 2, "first_slot": 2, "floor": 0.01}},
    {"name": "promotions", "kinds": {"families": ["promotion"], "most": 5, "least_gap": 1}},
)


def run(page_count: int, seed: int, command: str) -> list[Row]:
    """Measures and reports."""
    random = np.random.default_rng(seed)
    pages = [_gathered(random) for _ in range(page_count)]
    with tempfile.TemporaryDirectory() as root:
        ruled, plain = (_configuration(Path(root) / name, rules) for name, rules in _SIDES.items())
        signer = Signer(os.urandom(32))
        admission = Admission(signer, pseudonyms.load(Path(root) / "shopper.key"), 86_400.0)
        _decided(admission, ruled, pages[0], "warm")
        memory.settle()  # as the server does
        own: list[list[float]] = []
        floor: list[list[float]] = []
        for number, gathered in enumerate(pages):
            turns = [(ruled, own), (plain, floor)]
            for in_force, into in turns if number % 2 else reversed(turns):
                into.append(_decided(admission, in_force, gathered, f"page-{number}"))
        alone = asyncio.run(_pages_alone(Path(root), page_count))
    rows = [*rows_of(np.array(own), np.array(floor), seed), *rows_of_alone(np.array(alone))]
    harness.report("layout", rows, command)
    return rows


def rows_of(own: Any, floor: Any, seed: int) -> list[Row]:
    """The figures of all pages: (pages, stages, recording last) milliseconds with rules and without."""
    what = f"{_SLOT_COUNT} slots from {_ITEM_COUNT} items, {len(RULES)} rules"
    n, total, floor_ms = len(own), own[:, :-1].sum(axis=1), float(np.median(floor[:, :-1].sum(axis=1)))
    mean = float(total.mean())
    return [
        Row(f"{what}: mean", mean, "ms of CPU", n, reach=MEAN_MS, is_more_better=False, seed=seed),
        Row(f"{what}: p50 over no rules", float(np.median(total)), "ms of CPU", n, floor=floor_ms, seed=seed),
        *(
            Row(f"of it, {stage}", float(own[:, place].mean()), "ms of CPU", n, seed=seed)
            for place, stage in enumerate(STAGES)
        ),
        Row("beside it, record", float(own[:, -1].mean()), "ms of CPU", n, seed=seed),
    ]


def rows_of_alone(taken_ms: Any) -> list[Row]:
    """The figures of pages with every other service gone: (pages,) milliseconds by the clock."""
    what, n = "every other service gone", len(taken_ms)
    low, high = np.quantile(taken_ms, (0.5, 0.99))
    return [
        Row(f"{what}: p50", float(low), "ms", n, reach=ALONE_MS, is_more_better=False),
        Row(f"{what}: p99", float(high), "ms", n),
    ]


_SIDES: dict[str, Sequence[dict[str, Any]]] = {"ruled": RULES, "plain": ()}


_DOOR = {"id": "door", "family": "discovery", "source": "list", "title": {"en": "x"}, "templates": ["tile"]}


async def _pages_alone(folder: Path, count: int) -> list[float]:
    """Milliseconds until each page of a layout service that reaches no other."""
    log.configure("error")
    with socket.socket() as nobody:  # bound and not listening: whoever connects is refused
        nobody.bind(("127.0.0.1", 0))
        gone = f"127.0.0.1:{nobody.getsockname()[1]}"
        own = {
            "listen": "127.0.0.1:0",
            **dict.fromkeys(("feature_target", "scoring_target", "policy_target"), gone),
            "log_path": folder / "log",
            "last_good_path": folder / "last-good",
            "shopper_key_path": folder / "shopper.key",
            "signing_key_path": folder / "signing.key",
        }
        settings = load(LayoutSettings).model_copy(update=own)
        taken_ms = []
        async with (
            serving(SERVICE, settings) as port,
            AsyncLayoutClient(f"127.0.0.1:{port}") as client,
        ):
            for number in range(count):
                begun_s = time.perf_counter()
                await client.compose(home(f"shopper-{number}", "visit"), deadline_s=1.0)
                taken_ms.append(1e3 * (time.perf_counter() - begun_s))
    return taken_ms[count // 10 :]  # the first connect


def _configuration(folder: Path, rules: Sequence[dict[str, Any]]) -> Configuration:
    folder.mkdir()
    documents = {
        "categories": {"categories": {}},
        "modules": {
            "templates": {
                "carousel": {"min_items": 4, "max_items": 12},
                "tile": {"min_items": 0, "max_items": 1},
            },
            "modules": [
                {
                    "id": f"m{index}",
                    "family": ("promotion", "discovery", "deep")[index % 3],
                    "source": "sponsored" if index == 3 else "bestsellers",
                    "order": "bid" if index == 3 else "value",
                    "candidates": _ROW_COUNT,
                    "title": {"en": f"Shelf {index}"},
                    "templates": ["carousel"],
                }
                for index in range(_MODULE_COUNT)
            ]
            + [_DOOR],
        },
        "blueprints": {
            "blueprints": {
                kind: {
                    "page_type": kind,
                    "modules": ["m*"],
                    "filler": "m0",
                    "static": ["door"],
                    "slots": [{"id": f"s{index}"} for index in range(_SLOT_COUNT)],
                }
                for kind in conditions.PAGE_TYPES
            }
        },
        "rules": {"value": {"click": 0.05, "purchase": 1.0}, "rules": list(rules)},
        "experiments": {"experiments": []},
    }
    for name, content in documents.items():
        (folder / f"{name}.yaml").write_text(yaml.safe_dump(content))
    return configuration.load(folder)


def _gathered(random: np.random.Generator) -> feature_pb2.GatherPageResponse:
    """Candidates of one page: modules share items, items differ in all that rules know."""
    count = _ITEM_COUNT
    response = feature_pb2.GatherPageResponse(
        item_ids=[f"i{row}" for row in random.permutation(count)],
        modules=[
            feature_pb2.ModuleCandidates(
                module_id=f"m{index}", rows=random.choice(count, _ROW_COUNT, replace=False).tolist()
            )
            for index in range(_MODULE_COUNT)
        ],
    )
    facts = response.item_facts
    for kind, kinds in _KINDS:
        getattr(facts, kind).extend(f"{kind}-{number}" for number in random.integers(kinds, size=count))
    facts.price_micros.extend(random.integers(10**6, 10**8, count).tolist())
    facts.margin_micros.extend(random.integers(10**5, 10**7, count).tolist())
    facts.stock.extend(random.integers(0, 50, count).tolist())
    facts.age_rating.extend((18 * (random.random(count) < 0.02)).astype(int).tolist())
    facts.bid_micros.extend(random.integers(0, 10**6, count).tolist())
    facts.first_seen_unix_s.extend((time.time() - random.uniform(0, 1e7, count)).astype(int).tolist())
    facts.popularity.extend(random.uniform(0, 0.2, count).tolist())
    facts.discount.extend(random.uniform(0, 0.4, count).tolist())
    return response


def _decided(
    admission: Admission, in_force: Configuration, gathered: feature_pb2.GatherPageResponse, request_id: str
) -> list[float]:
    """Milliseconds of each stage; what other services do in between is not counted."""
    spent: list[float] = []
    asked = home(f"shopper-{request_id}", "visit", slot_count=_SLOT_COUNT)

    def timed(work: Callable[[], Any]) -> Any:
        begun_s = time.thread_time()
        result = work()
        spent.append(1e3 * (time.thread_time() - begun_s))
        return result

    request = timed(lambda: admission.admit(asked, request_id, Caller("bench", Role.PUBLIC), in_force))
    count = len(gathered.item_ids)
    click = np.linspace(0.01, 0.3, count, dtype=np.float32)
    purchase = (0.1 * click).astype(np.float32)
    expected = ranking.predictions(gathered.item_facts, request.time_s, click, purchase)

    def arrange() -> tuple[ranking.Ranked, policy_pb2.PlanPageRequest]:
        ranked = ranking.rank(request, gathered, expected, {}, is_hurried=False)
        return ranked, planning.request(request, gathered.session, ranked)

    ranked, question = timed(arrange)
    decisions = shops_order.editorial_plan(question)
    for decision in decisions:
        decision.propensity = 0.5
    versions = layout_pb2.Versions(policy="bench", scoring="bench", blueprint=in_force.version)
    decided = page.Decided(
        request=request,
        decisions=decisions,
        ranked=ranked,
        predictions=expected,
        session=gathered.session,
        plan_request=question,
        exploration=policy_pb2.Exploration(),
        features=None,
        versions=versions,
        degraded=(),
        key_epoch=admission.pseudonyms.epoch,
    )

    def answer() -> layout_pb2.Page:
        answered = page.head(decided)
        answered.MergeFromString(page.slots(decided, admission.signer))
        return answered

    timed(answer)

    def record() -> None:
        page.exposure(decided).SerializeToString()
        replay.deflate(replay.pack(request, gathered, expected, {}, is_hurried=False))

    timed(record)
    return spent
