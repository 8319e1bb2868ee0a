"""How are shares of what is shown kept? A controller raises what the items are worth that fall behind.

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
from collections.abc import Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path

from services.common import log
from services.layout import event_log, metrics, replay, shares
from services.layout.configuration import LiveConfiguration
from services.layout.rules.document import Rule
from services.layout.shares import ShownPage

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
    """How much more items that were promised, or fall behind, are worth now."""

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
        """By rule, or by rule and member; without those of 1, of rules that are gone, or not measured yet."""
        watching = {rule.name for rule in self._configuration.current.rules.watching}
        return {
            key: controller.factor
            for key, controller in self._state.controllers.items()
            if controller.factor > 1.0 and key.partition(":")[0] in watching
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
        rules = self._configuration.current.rules.watching
        if not rules:
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


def _measure(state: State, segments: Path, rules: Sequence[Rule]) -> bool:
    """Moves the controllers by what was shown since they last moved; False where that is too little."""
    watched, total = shares.watched(rules), 0
    read = dict(state.read)
    for exposure, segment in event_log.exposures_after(segments, read, MOST_PAGES):
        read[segment] = exposure.sequence
        inputs = replay.inflate(exposure.ranking_inputs)
        if inputs is None:
            continue
        page = ShownPage.of(exposure, inputs)
        total += len(page.rows)
        for share in watched:
            share.add(page)
    if total < LEAST_ITEM_COUNT:
        return False
    state.read = read
    earlier, state.controllers = state.controllers, {}
    farthest: dict[str, float] = {}
    for key, wanted, found in (each for share in watched for each in share.found()):
        state.controllers[key] = earlier.get(key, Controller())  # whoever is not watched any more is let go
        state.controllers[key].observe(wanted, found)
        rule = key.partition(":")[0]
        farthest[rule] = min(found / wanted, farthest.get(rule, math.inf))
    for rule, kept in farthest.items():
        metrics.KEPT_SHARES.labels(rule).set(kept)
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
