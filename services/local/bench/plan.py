"""How long does it take to decide a page, in process, on one core?

A cascade policy plans large pages of one blueprint, half of whose slots take half of the modules alone, and
draws choices by the served distribution; the floor is `uniform-0`, which values nothing, on the same pages.
Times are of the thread, so that other work on the machine counts less; what it does to caches still counts.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.common import artifacts, memory
from services.common.tensors import to_tensor
from services.local.bench import harness
from services.local.bench.harness import Row
from services.policy import registry, servicer, space
from services.policy.exploration import Exploration, Mode
from services.policy.registry import Policy
from services.policy.training import export
from services.policy.training.slateq import CascadeNetwork

Array = np.ndarray[Any, Any]

PAGE_MS, MEAN_MS = 5.0, 2.0
"""At the 99th percentile, and on average."""
SERVED = Exploration(Mode.SOFTMAX, 0.02, 0.2)
_ITEM_COUNT, _ROW_COUNT = 300, 24
_TEMPLATES = (("carousel", 4, 12), ("grid", 3, 8))
_FAMILIES = ("promotion", "discovery", "deep")
_SIGNAL_COUNT = 3


def run(
    page_count: int, module_count: int, slot_count: int, models: Path | None, seed: int, command: str
) -> list[Row]:
    """Measures and reports.

    Args:
        models: store whose current policy plans; None takes an untrained cascade network, whose values are
            as uneven as a trained one's.
    """
    policy = _untrained(seed) if models is None else _current(models)
    random = np.random.default_rng(seed)
    blueprint = request(module_count, slot_count, random).slots
    requests = [request(module_count, slot_count, random, blueprint) for _ in range(page_count)]
    memory.settle()  # as the server does
    own_ms: list[float] = []
    floor_ms: list[float] = []
    for number, each in enumerate(requests):
        turns = [(policy, own_ms), (registry.UNIFORM, floor_ms)]
        for who, into in turns if number % 2 else reversed(turns):
            into.append(_milliseconds(each, who))
    rows = rows_of(own_ms, floor_ms, module_count, slot_count, policy.version, seed)
    harness.report("plan", rows, command)
    return rows


def rows_of(
    own_ms: list[float], floor_ms: list[float], module_count: int, slot_count: int, version: str, seed: int
) -> list[Row]:
    """The figures of all pages."""
    what = f"PlanPage of {module_count} modules x {slot_count} slots, {version}"
    own, floor = np.percentile(own_ms, [50, 99]), np.percentile(floor_ms, [50, 99])
    n, mean = len(own_ms), float(np.mean(own_ms))
    return [
        Row(f"{what}, p50 over uniform-0's", float(own[0]), "ms", n, floor=float(floor[0]), seed=seed),
        Row(f"{what}, p99", float(own[1]), "ms", n, reach=PAGE_MS, is_more_better=False, seed=seed),
        Row(f"{what}, mean", mean, "ms", n, reach=MEAN_MS, is_more_better=False, seed=seed),
    ]


def request(
    module_count: int,
    slot_count: int,
    random: np.random.Generator,
    slots: Sequence[policy_pb2.Slot] = (),
) -> policy_pb2.PlanPageRequest:
    """A page whose modules share items.

    Args:
        slots: of the page; drawn where empty.
    """
    made = policy_pb2.PlanPageRequest(seed=int(random.integers(2**62)))
    made.context.page_type = context_pb2.PAGE_TYPE_HOME
    made.session.page_index = int(random.integers(5))
    for name, largest in (
        ("click_probability", 0.3),
        ("purchase_probability", 0.03),
        ("margin", 30.0),
        ("freshness", 1.0),
    ):
        column = random.uniform(0.0, largest, _ITEM_COUNT).astype(np.float32)
        getattr(made.items, name).CopyFrom(to_tensor(column))
    for index in range(module_count):
        module = made.modules.add(
            module_id=f"m{index}",
            family=_FAMILIES[index % len(_FAMILIES)],
            source=space.SOURCES[index % len(space.SOURCES)],
            category=f"c{index % 6}",
            rows=random.choice(_ITEM_COUNT, _ROW_COUNT, replace=False).tolist(),
            is_filler=index == 0,
        )
        for template_id, least, most in _TEMPLATES:
            module.templates.add(template_id=template_id, min_item_count=least, max_item_count=most)
    made.slots.extend(slots)
    names = [module.module_id for module in made.modules]
    for index in range(len(made.slots), slot_count):
        taken = [names[0], *random.choice(names[1:], len(names) // 2, replace=False)] if index % 2 else []
        made.slots.add(slot_id=f"s{index}", allowed_module_ids=taken)
    return made


def _milliseconds(page: policy_pb2.PlanPageRequest, policy: Policy) -> float:
    began_s = time.thread_time()
    servicer.answer(page, policy, SERVED)
    return 1e3 * (time.thread_time() - began_s)


def _current(models: Path) -> Policy:
    policies = registry.open_registry(models)
    return policies.current


def _untrained(seed: int) -> Policy:
    torch.manual_seed(seed)
    network = CascadeNetwork(len(space.STATE), len(space.ACTION), _SIGNAL_COUNT)
    with tempfile.TemporaryDirectory() as folder, tempfile.TemporaryDirectory() as store:
        export.export_cascade(network, Path(folder) / registry.MODEL_FILE)
        manifest = {
            "values": registry.CASCADE,
            "space_fingerprint": space.FINGERPRINT,
            "trained": "2026-01-01T00:00:00+00:00",
            "metrics": {},
        }
        return registry.open_policy(artifacts.publish(Path(store), "untrained", Path(folder), manifest))
