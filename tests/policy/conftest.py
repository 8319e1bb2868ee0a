"""Plan requests, and small logs of pages that were planned."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.common.tensors import to_tensor
from services.policy import servicer
from services.policy.exploration import Exploration, Mode
from services.policy.registry import UNIFORM
from services.policy.training import train as training

# Threads of small networks wait for each other longer than they work.
torch.set_num_threads(1)


@dataclass(frozen=True)
class M:
    """A module of a test's request."""

    name: str
    rows: Sequence[int]
    templates: Sequence[tuple[str, int, int]] = (("grid", 1, 2),)
    family: str = "discovery"
    source: str = "bestsellers"
    category: str = ""
    is_filler: bool = False


@dataclass(frozen=True)
class S:
    """A slot of a test's request."""

    name: str
    modules: Sequence[str] = ()
    templates: Sequence[str] = ()
    pin: str = ""


@dataclass(frozen=True)
class Build:
    """Makes requests, and gives tests the words for them."""

    module: type[M] = M
    slot: type[S] = S

    def __call__(
        self,
        modules: Sequence[M],
        slots: Sequence[S],
        item_count: int | None = None,
        groups: Sequence[int] | Sequence[Sequence[int]] | None = None,
        limits: dict[int, int] | None = None,
        few: Sequence[tuple[Sequence[str], int, int, int]] = (),
        click: Sequence[float] | None = None,
        seed: int = 0,
    ) -> policy_pb2.PlanPageRequest:
        count = item_count or 1 + max((row for module in modules for row in module.rows), default=0)
        request = policy_pb2.PlanPageRequest(seed=seed)
        chances = np.linspace(0.01, 0.3, count) if click is None else np.array(click)
        request.items.click_probability.CopyFrom(to_tensor(chances.astype(np.float32)))
        request.items.purchase_probability.CopyFrom(to_tensor((0.1 * chances).astype(np.float32)))
        request.items.margin.CopyFrom(to_tensor(np.full(count, 5, np.float32)))
        request.items.freshness.CopyFrom(to_tensor(np.full(count, 0.5, np.float32)))
        if groups is not None:
            request.items.group_id.CopyFrom(to_tensor(np.array(groups, np.int32)))
        for group_id, most in (limits or {}).items():
            request.group_limits.add(group_id=group_id, max_item_count=most)
        for module_ids, most, gap, first_slot in few:
            request.module_limits.add(
                module_ids=module_ids, max_module_count=most, min_gap=gap, first_slot=first_slot
            )
        for module in modules:
            message = request.modules.add(
                module_id=module.name,
                family=module.family,
                source=module.source,
                category=module.category,
                rows=module.rows,
                is_filler=module.is_filler,
            )
            for template_id, least, most in module.templates:
                message.templates.add(template_id=template_id, min_item_count=least, max_item_count=most)
        for slot in slots:
            request.slots.add(
                slot_id=slot.name,
                allowed_module_ids=slot.modules,
                allowed_template_ids=slot.templates,
                pinned_module_id=slot.pin,
            )
        return request


@pytest.fixture(scope="session")
def build() -> Callable[..., policy_pb2.PlanPageRequest]:
    return Build()


@dataclass(frozen=True)
class Shop:
    """A shop of a few modules whose shoppers prefer grids and deep modules, and buy after clicks."""

    module_count: int = 6
    slot_count: int = 3
    item_count: int = 40
    row_count: int = 8

    def request(self, generator: np.random.Generator, session: dict[str, int]) -> policy_pb2.PlanPageRequest:
        modules = [
            M(
                f"m{index}",
                generator.choice(self.item_count, self.row_count, replace=False).tolist(),
                [("grid", 2, 4), ("list", 2, 4)],
                family=("promotion", "discovery", "deep")[index % 3],
                category=("kitchen", "garden")[index % 2],
                is_filler=index == 0,
            )
            for index in range(self.module_count)
        ]
        request = Build()(
            modules,
            [S(f"s{index}") for index in range(self.slot_count)],
            self.item_count,
            click=generator.uniform(0.02, 0.2, self.item_count),
            seed=int(generator.integers(2**62)),
        )
        request.context.page_type = context_pb2.PAGE_TYPE_HOME
        request.session.page_index = session["pages"]
        request.session.click_count = session["clicks"]
        return request

    def write(self, folder: Path, page_count: int, seed: int = 0) -> Path:
        """Writes a log of pages planned uniformly, and what shoppers did on them."""
        generator = np.random.default_rng(seed)
        exposures, events = [], []
        moment, session_index, session = 1_700_000_000.0, 0, {"pages": 0, "clicks": 0}
        for index in range(page_count):
            request = self.request(generator, session)
            answer = servicer.answer(request, UNIFORM, Exploration(Mode.EPSILON_GREEDY, 1.0, 1.0))
            moment += 30.0
            exposure = _exposure(f"p{index}", f"session-{session_index}", moment, request, answer)
            exposures.append(files.exposure_row(exposure))
            is_clicked = False
            for slot_index, slot in enumerate(exposure.slots):
                events.append(_event(exposure, slot, "IMPRESSION", len(events), moment + slot_index))
                is_clicked = generator.random() < self.click_chance(slot)
                if is_clicked:
                    events.append(_event(exposure, slot, "CLICK", len(events), moment + slot_index))
                    if generator.random() < 0.3:
                        events.append(_event(exposure, slot, "PURCHASE", len(events), moment + slot_index))
                if is_clicked or generator.random() < 0.2:
                    break
            session["pages"] += 1
            session["clicks"] += is_clicked
            if generator.random() < 0.3:
                session_index, session = session_index + 1, {"pages": 0, "clicks": 0}
        files.write(folder, "exposures", exposures, "test")
        files.write(folder, "events", events, "test")
        return folder

    @staticmethod
    def click_chance(slot: events_pb2.ExposedSlot) -> float:
        return (0.45 if slot.template_id == "grid" else 0.1) * (1.0 if slot.family == "deep" else 0.4)


def _exposure(page_id, session_key, moment, request, answer) -> events_pb2.Exposure:
    exposure = events_pb2.Exposure(
        page_id=page_id,
        session_key=session_key,
        context=request.context,
        plan_request=request.SerializeToString(),
        policy_version=answer.policy_version,
    )
    exposure.time.FromMicroseconds(int(moment * 1e6))
    places = {
        (module.module_id, template.template_id): (index, position)
        for index, module in enumerate(request.modules)
        for position, template in enumerate(module.templates)
    }
    for decision in answer.slots:
        module_index, template_index = places[decision.module_id, decision.template_id]
        slot = exposure.slots.add(
            slot_id=decision.slot_id,
            module_id=decision.module_id,
            template_id=decision.template_id,
            family=request.modules[module_index].family,
            propensity=decision.propensity,
            module_index=module_index,
            template_index=template_index,
            feasible=decision.feasible,
        )
        for row in decision.rows:
            slot.items.add(item_id=f"i{row}", plan_row=row, scoring_row=-1)
    return exposure


def _event(exposure, slot, kind: str, number: int, moment: float) -> dict[str, object]:
    event = events_pb2.Event(
        event_id=f"e{number}",
        session_key=exposure.session_key,
        page_id=exposure.page_id,
        slot_id=slot.slot_id,
        module_id=slot.module_id,
        family=slot.family,
        type=events_pb2.EventType.Value(f"EVENT_TYPE_{kind}"),
    )
    event.time.FromMicroseconds(int(moment * 1e6))
    if kind != "IMPRESSION" and slot.items:
        event.item_id = slot.items[0].item_id
    if kind == "PURCHASE":
        event.quantity, event.margin_micros, event.price_micros = 1, 4_000_000, 20_000_000
    return files.event_row(event)


@pytest.fixture(scope="session")
def shop() -> Shop:
    return Shop()


@pytest.fixture(scope="session")
def log_folder(shop: Shop, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return shop.write(tmp_path_factory.mktemp("log"), 1_500)


@pytest.fixture(scope="session")
def outcome(log_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> training.Outcome:
    """A published slot-wise policy, trained once for all tests."""
    return training.train(log_folder, tmp_path_factory.mktemp("models"), training.Learner.DDQN)


@pytest.fixture(scope="session")
def cascade_outcome(log_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> training.Outcome:
    """A published policy that thinks in pages, trained once for all tests."""
    return training.train(log_folder, tmp_path_factory.mktemp("models"), training.Learner.SLATEQ)
