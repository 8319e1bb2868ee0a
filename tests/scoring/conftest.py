"""Requests to score, and small logs of pages that were scored."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
import torch

from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.scoring.v1 import scoring_pb2
from services.common.tensors import N, to_tensor
from services.scoring.signature import CURRENT, SPECS
from services.scoring.training import train as training
from services.scoring.training.recipe import Recipe

# Threads of small networks wait for each other longer than they work.
torch.set_num_threads(1)


def inputs(count: int, generator: np.random.Generator) -> dict[str, np.ndarray]:
    """Plausible inputs of N = count items."""
    arrays = {}
    for spec in SPECS:
        shape = [count if length == N else length for length in spec.shape]
        if spec.cardinality:
            limits = np.array([spec.cardinality[column] for column in spec.columns])
            arrays[spec.name] = generator.integers(0, limits, shape)
        else:
            arrays[spec.name] = generator.normal(0, 0.5, shape).astype(np.float32)
    rates = generator.uniform(0.01, 0.2, (count, 1)).astype(np.float32)
    arrays["item_numbers"][:, 6:8] = np.concatenate([rates, 0.1 * rates], axis=1)
    for name in ("item_vector", "shopper_vector"):
        arrays[name] /= np.linalg.norm(arrays[name], axis=-1, keepdims=True) + 1e-9
    arrays["category_affinity"] = np.abs(arrays["category_affinity"])
    arrays["category_affinity"] /= arrays["category_affinity"].sum()
    length = int(generator.integers(0, len(arrays["history_ids"])))
    arrays["history_ids"][length:] = 0
    arrays["history_numbers"][length:] = 0
    return arrays


def request(arrays: dict[str, np.ndarray], **fields: object) -> scoring_pb2.ScoreItemsRequest:
    """The request that carries these inputs."""
    message = scoring_pb2.ScoreItemsRequest(schema_fingerprint=CURRENT.fingerprint, **fields)
    for spec in SPECS:
        tensors = message.item_tensors if spec.is_per_item else message.shopper_tensors
        tensors[spec.name].CopyFrom(to_tensor(arrays[spec.name]))
    return message


@dataclass(frozen=True)
class Log:
    """Writes logs of a shop whose shoppers like items near their vector, and notice less further down."""

    slot_count: int = 3
    row_count: int = 5
    item_count: int = 300

    def chance(self, arrays: dict[str, np.ndarray]) -> np.ndarray:
        """(N,) P(click | noticed)."""
        likeness = arrays["item_vector"] @ arrays["shopper_vector"]
        quality = arrays["item_numbers"][:, 3]
        return 1 / (1 + np.exp(2.5 - 4.0 * likeness - quality))

    def write(self, folder: Path, page_count: int, seed: int = 0) -> Path:
        generator = np.random.default_rng(seed)
        shelf = inputs(self.item_count, generator)
        exposures, events = [], []
        for index in range(page_count):
            arrays = inputs(self.slot_count * self.row_count, generator)
            items = generator.choice(self.item_count, self.slot_count * self.row_count, replace=False)
            for spec in SPECS:
                if spec.is_per_item:
                    arrays[spec.name] = shelf[spec.name][items]
            exposure = events_pb2.Exposure(page_id=f"p{index}", session_key=f"s{index // 3}")
            exposure.time.FromMicroseconds(1_700_000_000_000_000 + index * 30_000_000)
            exposure.context.device = 1 + index % 3
            logged = exposure.scoring_inputs
            logged.schema_fingerprint = CURRENT.fingerprint
            for spec in SPECS:
                tensors = logged.item_tensors if spec.is_per_item else logged.shopper_tensors
                tensors[spec.name].CopyFrom(to_tensor(arrays[spec.name]))
            chance = self.chance(arrays)
            lowest = int(generator.integers(0, self.slot_count))
            for slot_index in range(self.slot_count):
                slot = exposure.slots.add(slot_id=f"slot{slot_index}", module_id=f"m{slot_index}")
                if slot_index <= lowest:
                    events.append(_event(exposure, slot.slot_id, "", "IMPRESSION", len(events)))
                for place in range(self.row_count):
                    row = slot_index * self.row_count + place
                    slot.items.add(item_id=f"i{items[row]}", scoring_row=row)
                    noticed = 0.8**place
                    if slot_index <= lowest and generator.random() < noticed * chance[row]:
                        item_id = f"i{items[row]}"
                        events.append(_event(exposure, slot.slot_id, item_id, "CLICK", len(events)))
                        if generator.random() < 0.3:
                            events.append(_event(exposure, slot.slot_id, item_id, "PURCHASE", len(events)))
            exposures.append(files.exposure_row(exposure))
        files.write(folder, "exposures", exposures, "test")
        files.write(folder, "events", events, "test")
        return folder


def _event(exposure, slot_id: str, item_id: str, kind: str, number: int) -> dict[str, object]:
    event = events_pb2.Event(
        event_id=f"e{number}",
        time=exposure.time,
        session_key=exposure.session_key,
        page_id=exposure.page_id,
        slot_id=slot_id,
        item_id=item_id,
        type=events_pb2.EventType.Value(f"EVENT_TYPE_{kind}"),
    )
    return files.event_row(event)


@dataclass(frozen=True)
class Make:
    """The words that tests use."""

    inputs = staticmethod(inputs)
    request = staticmethod(request)
    log: Log = Log()


@pytest.fixture(scope="session")
def make() -> Make:
    return Make()


@pytest.fixture(scope="session")
def log_folder(make: Make, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make.log.write(tmp_path_factory.mktemp("log"), 2_000)


@pytest.fixture(scope="session")
def outcome(log_folder: Path, tmp_path_factory: pytest.TempPathFactory) -> training.Outcome:
    """A published model, trained once for all tests."""
    return training.train(log_folder, tmp_path_factory.mktemp("models"), Recipe(epoch_count=6))
