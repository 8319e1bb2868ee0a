"""Who earns most on the same shops, with the same log to learn from and the same shoppers to serve?

One result per law, world, entrant and seed is kept on disk, so that a run that was stopped goes on.
"""

from __future__ import annotations

import json
import os
import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path

from services.common.errors import ConfigurationError
from services.local.bench import entering, harness
from services.local.bench.policy import log, standings
from services.local.bench.policy.entrants import ENTRANTS, OWN, Entrant
from services.local.bench.policy.sizes import DAY, TEST_SEED, Size
from simulator import catalogue, front, world
from simulator.front import Part

FOLDER = Path("reports/bench-policy/contest")


@dataclass(frozen=True, slots=True)
class Result:
    """What an entrant earned in one world.

    Attributes:
        size: how much was played and learned, in words; results of other sizes are played again.
        value: expected margin per session; standard_error: of it, over shoppers.
        pages, clicks: mean number per session.
        fit_s, fit_cpu_s, play_s: seconds by the clock, and of the processor, that learning and playing took.
    """

    regime: str
    world: int
    entrant: str
    seed: int
    size: str
    value: float
    standard_error: float
    pages: float
    clicks: float
    fit_s: float
    fit_cpu_s: float
    play_s: float


@dataclass(frozen=True, slots=True)
class Match:
    """One world and seed, and who has no result there yet."""

    regime: str
    world: int
    seed: int
    names: tuple[str, ...]


def run(
    worlds: Sequence[int],
    seed_count: int,
    regime: str,
    size: Size,
    names: Sequence[str],
    worker_count: int,
    command: str,
    folder: Path = FOLDER,
    say: Callable[[str], None] = print,
) -> list[harness.Row]:
    """Plays what has no result yet, and reports all of these worlds and seeds.

    Args:
        names: of entrants; all where empty. Our own always takes part.
        worker_count: processes; 1 plays in this one.
    """
    chosen = entering.named(ENTRANTS, OWN, names)
    matches = list(_missing(worlds, range(seed_count), regime, size, chosen, folder))
    playing = [entrant for entrant in chosen if any(entrant.name in match.names for match in matches)]
    entering.check_installed(playing, "bench-policy")
    for line in _played(matches, size, folder.resolve(), worker_count):
        say(line)
    results = [
        _read(_path(folder, regime, one, entrant.name, seed))
        for one in worlds
        for entrant in chosen
        for seed in _seeds(entrant, range(seed_count))
    ]
    return standings.report(results, OWN, f"policy-peers-{regime}", command)


def play(match: Match, size: Size, folder: Path) -> Iterator[str]:
    """Plays one world and seed, keeps each result, and says it in a line."""
    items = world.read_items(catalogue.make(0, DAY), DAY)
    shop = log.build_shop(items, match.world, match.regime, size)
    gathered = log.gather(shop, size)
    for entrant in ENTRANTS:
        if entrant.name in match.names:
            result = _play_one(entrant, match, gathered)
            path = _path(folder, match.regime, match.world, entrant.name, match.seed)
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(asdict(result), indent=2) + "\n")
            yield (
                f"{match.regime}, world {match.world}, seed {match.seed}, {entrant.name}: {result.value:.4f} "
                f"(learned in {result.fit_s:.0f} s, played in {result.play_s:.0f} s)"
            )


def _played_by_worker(match: Match, size: Size, folder: Path) -> list[str]:
    return list(play(match, size, folder))


def _play_one(entrant: Entrant, match: Match, gathered: log.Log) -> Result:
    begun, busy = time.perf_counter(), time.process_time()
    policy = entrant.fit(gathered, match.seed)
    fitted, fit_cpu_s = time.perf_counter(), time.process_time() - busy
    sessions = gathered.size.test_sessions
    outcome = front.play(gathered.shop, policy, sessions, TEST_SEED, part=Part.AFTER)
    return Result(
        regime=match.regime,
        world=match.world,
        entrant=entrant.name,
        seed=match.seed,
        size=repr(gathered.size),
        value=float(outcome.value.mean()),
        standard_error=float(outcome.value.std() / len(outcome.value) ** 0.5),
        pages=float(outcome.pages.mean()),
        clicks=float(outcome.clicks.mean()),
        fit_s=fitted - begun,
        fit_cpu_s=fit_cpu_s,
        play_s=time.perf_counter() - fitted,
    )


def _missing(
    worlds: Sequence[int],
    seeds: Sequence[int],
    regime: str,
    size: Size,
    chosen: Sequence[Entrant],
    folder: Path,
) -> Iterator[Match]:
    for one in worlds:
        for seed in seeds:
            names = tuple(
                entrant.name
                for entrant in chosen
                if seed in _seeds(entrant, seeds)
                and not _is_played(_path(folder, regime, one, entrant.name, seed), size)
            )
            if names:
                yield Match(regime, one, seed, names)


def _played(matches: Sequence[Match], size: Size, folder: Path, worker_count: int) -> Iterator[str]:
    """Lines of the matches as they end."""
    if worker_count == 1 or not matches:
        for match in matches:
            yield from play(match, size, folder)
        return
    os.environ.setdefault("RAY_USAGE_STATS_ENABLED", "0")
    try:
        import ray
    except ModuleNotFoundError:
        raise ConfigurationError(
            f"--workers: got {worker_count}, but ray is not installed; pip install '.[peers]', or --workers 1"
        ) from None
    ray.init(num_cpus=worker_count, include_dashboard=False, log_to_driver=False, logging_level="ERROR")
    try:
        playing = [ray.remote(num_cpus=1)(_played_by_worker).remote(match, size, folder) for match in matches]
        while playing:
            done, playing = ray.wait(playing)
            yield from ray.get(done[0])
    finally:
        ray.shutdown()


def _seeds(entrant: Entrant, seeds: Sequence[int]) -> Sequence[int]:
    return seeds if entrant.is_seeded else seeds[:1]


def _path(folder: Path, regime: str, one: int, name: str, seed: int) -> Path:
    slug = re.sub(r"[^a-z0-9]+", "-", name.lower()).strip("-")
    return folder / f"{regime}-{one}-{slug}-{seed}.json"


def _is_played(path: Path, size: Size) -> bool:
    return path.exists() and _read(path).size == repr(size)


def _read(path: Path) -> Result:
    return Result(**json.loads(path.read_text()))
