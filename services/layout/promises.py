"""How are promised shares of what is shown kept? A controller raises what promised items are worth.

One worker at a time, whoever holds the lock, reads what all of them showed since it last looked, and writes
how much more promised items are worth from now on; all workers follow that file.
"""

from __future__ import annotations

import asyncio
import contextlib
import fcntl
import json
import math
import os
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.common import log
from services.layout import event_log, metrics, replay
from services.layout.configuration import LiveConfiguration
from services.layout.rules.document import Rules
from services.layout.rules.items import Items

PERIOD_S = 5.0
LEAST_ITEM_COUNT = 300
"""Items shown that a share is measured by; until there are so many, nothing is changed."""
MOST_PAGES = 1_000
PROPORTIONAL, INTEGRAL, DERIVATIVE = 0.1, 0.4, 0.05
"""Of the error: the logarithm of promised over shown, so that half as much weighs like twice as much."""
LARGEST_ERROR = 1.5
LARGEST_FACTOR = 1_000.0
_FILE, _LOCK = "factors.json", "lock"


@dataclass(slots=True)
class Controller:
    """PID in its velocity form, on the logarithm of the factor, so that limits do not wind it up."""

    log_factor: float = 0.0
    error: float = 0.0
    earlier_error: float = 0.0
    share: float = 0.0
    """Of the latest items shown."""

    @property
    def factor(self) -> float:
        return math.exp(self.log_factor)

    def observe(self, wanted: float, share: float) -> None:
        """Moves the factor by what share was shown under it; it never falls below 1."""
        error = math.log(wanted / max(share, 1e-6))
        error = min(max(error, -LARGEST_ERROR), LARGEST_ERROR)
        step = (
            PROPORTIONAL * (error - self.error)
            + INTEGRAL * error
            + DERIVATIVE * (error - 2 * self.error + self.earlier_error)
        )
        self.log_factor = min(max(self.log_factor + step, 0.0), math.log(LARGEST_FACTOR))
        self.earlier_error, self.error, self.share = self.error, error, share


@dataclass(slots=True)
class State:
    """What the file holds.

    read: the last sequence number that was read of each segment.
    """

    controllers: dict[str, Controller] = field(default_factory=dict)
    read: dict[str, int] = field(default_factory=dict)


class Promises:
    """How much more promised items are worth now."""

    def __init__(self, folder: Path, segments: Path, configuration: LiveConfiguration) -> None:
        """
        Args:
            folder: where the factors lie; shared by all workers, like the log's segments.
        """
        self._folder = folder
        self._segments = segments
        self._configuration = configuration
        self._state = _load(folder)
        self._task: asyncio.Task[None] | None = None

    @property
    def factors(self) -> dict[str, float]:
        """By rule; what is not promised any more, or not measured yet, is left out."""
        controllers = self._state.controllers
        return {
            rule.name: controllers[rule.name].factor
            for rule in self._configuration.current.rules.promised
            if rule.name in controllers
        }

    def follow(self) -> None:
        """Begins to keep the promises, on the running loop."""
        self._task = asyncio.create_task(self._run(), name="promises")

    async def close(self) -> None:
        if self._task is not None:
            self._task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._task

    def update(self) -> None:
        """Measures and moves the factors, unless another worker does; then takes what the file holds."""
        rules = self._configuration.current.rules
        if not rules.promised:
            return
        self._folder.mkdir(parents=True, exist_ok=True)
        with (self._folder / _LOCK).open("wb") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._state = _load(self._folder)
                return
            state = _load(self._folder)
            if _measure(state, self._segments, rules):
                _save(self._folder, state)
            self._state = state

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await asyncio.to_thread(self.update)
            except Exception:  # the next round tries again; pages are made with the factors there are
                log.logger("layout").exception("promises_not_measured")


def _measure(state: State, segments: Path, rules: Rules) -> bool:
    """Moves the controllers by what was shown since they last moved; False where that is too little."""
    shown = dict.fromkeys((rule.name for rule in rules.promised), 0)
    total = 0
    read = dict(state.read)
    for exposure, segment in event_log.exposures_after(segments, read, MOST_PAGES):
        read[segment] = exposure.sequence
        inputs = replay.inflate(exposure.ranking_inputs)
        if inputs is None:
            continue
        rows = [item.plan_row for slot in exposure.slots for item in slot.items if item.plan_row >= 0]
        total += len(rows)
        items = Items(inputs.item_ids, inputs.item_facts, exposure.context, exposure.context.time.seconds)
        for rule in rules.promised:
            assert rule.promise is not None
            shown[rule.name] += int(items.matching(rule.promise)[rows].sum())
    if total < LEAST_ITEM_COUNT:
        return False
    state.read = read
    for rule in rules.promised:
        assert rule.promise is not None
        controller = state.controllers.setdefault(rule.name, Controller())
        controller.observe(rule.promise.share, shown[rule.name] / total)
        metrics.PROMISED_SHARES.labels(rule.name).set(controller.share)
    return True


def _load(folder: Path) -> State:
    """What the file holds; nothing where there is none that can be read."""
    try:
        content = json.loads((folder / _FILE).read_text())
        controllers = {name: Controller(**values) for name, values in content["controllers"].items()}
        return State(controllers, dict(content["read"]))
    except FileNotFoundError:
        return State()
    except (OSError, ValueError, TypeError, KeyError) as error:
        log.logger("layout").warning("promises_not_read", file=str(folder / _FILE), problem=str(error))
        return State()


def _save(folder: Path, state: State) -> None:
    staging = folder / f".{_FILE}.{os.getpid()}"
    staging.write_text(json.dumps(asdict(state), indent=2) + "\n")
    staging.replace(folder / _FILE)
