"""Which items did shoppers examine, what did the model see of them, and what came of it?

An item counts as examined where its slot was in view, or one below it was: shoppers look top-down. The
inputs are the tensors that were logged with the page, as they were; nothing is joined again.
"""

from __future__ import annotations

import zlib
from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from planogram.common.v1 import tensor_pb2
from planogram.events.v1 import events_pb2
from planogram.files import log as files
from services.common.tensors import TensorSpec
from services.scoring.signature import CURRENT

Array = np.ndarray[Any, Any]

SLOT_COUNT = 40
PLACE_COUNT = 50
DEVICE_COUNT = 4
MODULE_COUNT = 256
TEMPLATE_COUNT = 64
SHELF_SIZE_COUNT = PLACE_COUNT + 1

_DESKTOP = 1


@dataclass(frozen=True, slots=True)
class Examined:
    """P pages in order of time, and the R items on them that were examined, page by page."""

    shopper: Mapping[str, Array]
    """(P, ...) by input name."""
    item: Mapping[str, Array]
    """(R, ...) by input name."""
    offsets: Array
    """(P + 1,) first item of each page."""
    slot: Array
    """(R,) slot from the top, at most SLOT_COUNT - 1."""
    place: Array
    """(R,) place within the slot, at most PLACE_COUNT - 1."""
    device: Array
    """(R,) number of the Device."""
    module: Array
    """(R,) hashed module of the slot, below MODULE_COUNT."""
    template: Array
    """(R,) hashed template of the slot, below TEMPLATE_COUNT."""
    shelf_size: Array
    """(R,) items in the slot, 1 to SHELF_SIZE_COUNT - 1."""
    click: Array
    """(R,) 1 where it was clicked."""
    purchase: Array
    """(R,) 1 where it was bought after that click."""
    times: Array
    """(P,) microseconds since 1970."""
    who: Array
    """(P,) number of the shopper, of the session where no more is known, or of the page where nothing is."""
    skipped: Mapping[str, int]
    """Pages left out, by reason."""

    @property
    def page_count(self) -> int:
        return len(self.times)

    def pages(self, first: int, last: int) -> Examined:
        """Pages first to last - 1."""
        rows = slice(int(self.offsets[first]), int(self.offsets[last]))
        return Examined(
            shopper={name: array[first:last] for name, array in self.shopper.items()},
            item={name: array[rows] for name, array in self.item.items()},
            offsets=self.offsets[first : last + 1] - self.offsets[first],
            **{name: getattr(self, name)[rows] for name in PER_ROW},
            times=self.times[first:last],
            who=self.who[first:last],
            skipped=self.skipped,
        )


PLACE_NAMES = ("slot", "place", "device", "module", "template", "shelf_size")
"""Where an item stood: what decides whether it is noticed, and says nothing of the item itself."""
PER_ROW = (*PLACE_NAMES, "click", "purchase")


def read(folder: Path, progress: Callable[[int, int], None] | None = None) -> Examined:
    """The examined items of a log.

    Args:
        progress: called with pages read and pages in all.

    Raises:
        planogram.files.log.LogFileError: for what cannot be read, or where nothing was examined.
    """
    acts = _acts(folder)
    set_aside = files.read_set_aside(folder)
    table = files.read_exposure_table(folder).select(["page_id", "session_key", "payload"])
    reader = _Reader(folder)
    names = (table.column(name).to_pylist() for name in ("page_id", "session_key"))
    for index, (page_id, session_key, payload) in enumerate(
        zip(*names, table.column("payload"), strict=True)
    ):
        if progress is not None and index % 500 == 0:
            progress(index, table.num_rows)
        if session_key in set_aside.session_keys:
            reader.skipped["set aside by the feature pipeline"] += 1
            continue
        if page_id not in acts:
            reader.skipped["nothing in view"] += 1
            continue
        try:
            exposure = events_pb2.Exposure.FromString(payload.as_py())
        except Exception as error:  # protobuf's DecodeError is no public name in every runtime
            raise files.LogFileError(f"{folder}: exposure of page {page_id}: payload: {error}") from None
        reader.add(exposure, acts[page_id])
    if not reader.times:
        raise files.LogFileError(
            f"{folder}: none of {table.num_rows} pages holds an examined item with scoring inputs of schema "
            f"{CURRENT.fingerprint[:12]}; left out: {dict(reader.skipped)}"
        )
    return reader.finish()


@dataclass(frozen=True, slots=True)
class _Act:
    """What a shopper did, of what concerns the labels."""

    kind: str
    slot_id: str
    item_id: str


class _Reader:
    """Collects pages."""

    def __init__(self, folder: Path) -> None:
        self.times: list[int] = []
        self.skipped: dict[str, int] = defaultdict(int)
        self._folder = folder
        self._shopper: dict[str, list[bytes]] = {spec.name: [] for spec in CURRENT.shopper_specs}
        self._item: dict[str, list[Array]] = {spec.name: [] for spec in CURRENT.item_specs}
        self._lengths: list[int] = []
        self._rows: list[tuple[int, ...]] = []  # in the order of PER_ROW
        self._who: dict[str, int] = {}
        self._who_of_page: list[int] = []

    def add(self, exposure: events_pb2.Exposure, acts: list[_Act]) -> None:
        if exposure.scoring_inputs.schema_fingerprint != CURRENT.fingerprint:
            self.skipped["other schema or not scored"] += 1
            return
        slot_ids = [slot.slot_id for slot in exposure.slots]
        lowest = max((slot_ids.index(act.slot_id) for act in acts if act.slot_id in slot_ids), default=-1)
        clicked = {(act.slot_id, act.item_id) for act in acts if act.kind != "IMPRESSION"}
        bought = {(act.slot_id, act.item_id) for act in acts if act.kind == "PURCHASE"}
        named = int(exposure.context.device)
        device = named if 0 < named < DEVICE_COUNT else _DESKTOP
        scored, rows = [], []
        for index, slot in enumerate(exposure.slots[: lowest + 1]):
            shelf = (
                device,
                zlib.crc32(slot.module_id.encode()) % MODULE_COUNT,
                zlib.crc32(slot.template_id.encode()) % TEMPLATE_COUNT,
                min(len(slot.items), SHELF_SIZE_COUNT - 1),
            )
            for place, item in enumerate(slot.items):
                if item.scoring_row >= 0:
                    key = (slot.slot_id, item.item_id)
                    stood = (min(index, SLOT_COUNT - 1), min(place, PLACE_COUNT - 1), *shelf)
                    scored.append(item.scoring_row)
                    rows.append((*stood, key in clicked, key in bought))
        if not scored:
            self.skipped["nothing examined"] += 1
            return
        where = f"{self._folder}: page {exposure.page_id}: scoring_inputs"
        self._read_tensors(exposure.scoring_inputs, scored, where)
        self._rows += rows
        self._lengths.append(len(rows))
        who = exposure.shopper_key or exposure.session_key or exposure.page_id
        self._who_of_page.append(self._who.setdefault(who, len(self._who)))
        self.times.append(files.micros(exposure.time))

    def finish(self) -> Examined:
        columns = dict(zip(PER_ROW, np.array(self._rows, np.int64).T, strict=True))
        labels = {name: columns.pop(name).astype(np.float32) for name in ("click", "purchase")}
        shopper = {}
        for spec in CURRENT.shopper_specs:
            joined = np.frombuffer(b"".join(self._shopper[spec.name]), _wire(spec))
            shopper[spec.name] = _narrow(joined.reshape(-1, *spec.shape))
        return Examined(
            shopper=shopper,
            item={name: np.concatenate(parts) for name, parts in self._item.items()},
            offsets=np.concatenate([[0], np.cumsum(self._lengths)]),
            **columns,
            **labels,
            times=np.array(self.times),
            who=np.array(self._who_of_page),
            skipped=dict(self.skipped),
        )

    def _read_tensors(self, inputs: events_pb2.ScoringInputs, rows: list[int], where: str) -> None:
        for spec in CURRENT.shopper_specs:
            data = _data(inputs.shopper_tensors, spec, where)
            if len(data) != _width(spec):
                raise files.LogFileError(f"{where}: {spec.name}: {len(data)} bytes, want {_width(spec)}")
            self._shopper[spec.name].append(data)
        for spec in CURRENT.item_specs:
            data = _data(inputs.item_tensors, spec, where)
            if len(data) % _width(spec) or max(rows) >= len(data) // _width(spec):
                raise files.LogFileError(
                    f"{where}: {spec.name}: {len(data)} bytes do not hold row {max(rows)} of "
                    f"{_width(spec)} bytes"
                )
            array = np.frombuffer(data, _wire(spec)).reshape(-1, *spec.shape[1:])
            self._item[spec.name].append(_narrow(array[rows]))


def _acts(folder: Path) -> dict[str, list[_Act]]:
    """Impressions, clicks and purchases by page."""
    events = files.read_counted_events(folder).select(["page_id", "type", "slot_id", "item_id"])
    acts: dict[str, list[_Act]] = defaultdict(list)
    for page_id, kind, slot_id, item_id in zip(*events.to_pydict().values(), strict=True):
        if page_id and slot_id and kind in ("IMPRESSION", "CLICK", "PURCHASE"):
            acts[page_id].append(_Act(kind, slot_id, item_id))
    return acts


def _data(tensors: Mapping[str, tensor_pb2.Tensor], spec: TensorSpec, where: str) -> bytes:
    if spec.name not in tensors:
        raise files.LogFileError(f"{where}: {spec.name} is missing")
    return bytes(tensors[spec.name].data)


def _wire(spec: TensorSpec) -> np.dtype[Any]:
    return np.dtype(spec.dtype).newbyteorder("<")


def _width(spec: TensorSpec) -> int:
    """Bytes of one item, or of the whole where there is no item axis."""
    lengths = spec.shape[1:] if spec.is_per_item else spec.shape
    return int(np.prod(lengths, dtype=np.int64)) * np.dtype(spec.dtype).itemsize


def _narrow(array: Array) -> Array:
    """Ids in half the memory."""
    return array.astype(np.int32) if array.dtype.kind == "i" else array
