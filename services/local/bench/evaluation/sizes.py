"""How much is played and drawn to prove the evaluation?"""

from __future__ import annotations

from dataclasses import dataclass, field, replace

from services.local.bench.policy import sizes
from simulator.front import sessions

POOL_SEED, TRUTH_SEED, HELD_OUT_SEED = 1_000, 3_000_000, 5_000_000
"""Of shoppers; parts of the pool count up from the first."""


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played and drawn.

    Attributes:
        shop: of the world, of the first log, and of learning from it.
        pool_sessions: served by the incumbent and stored; part_sessions: of each file.
        draw_count, draw_sessions: logs that are drawn from the pool, and sessions of each.
        truth_sessions: played to know what a blend earns.
        power_sessions: sizes of logs at which the gate's power is found; power_draws: logs of each.
        colder_pool_sessions, colder_sessions, colder_truth_sessions: the same of an incumbent that explores
            more, against itself exploring less.
        worse_count, worse_sessions: candidates that are worse, and the log by which each is judged.
        worse_truth_sessions: played to know that they are.
        warranted_sessions: of the log that is asked whether learning whole sessions pays.
        held_out_sessions: whose clicks are foretold.
    """

    shop: sizes.Size = field(default_factory=sizes.Size)
    pool_sessions: int = 1_000_000
    part_sessions: int = 10 * sessions.BATCH
    draw_count: int = 400
    draw_sessions: int = 20_000
    truth_sessions: int = 300_000
    power_sessions: tuple[int, ...] = (50_000, 200_000)
    colder_pool_sessions: int = 80 * sessions.BATCH
    colder_sessions: tuple[int, ...] = (5_000, 20_000, 50_000, 100_000)
    colder_truth_sessions: int = 15 * sessions.BATCH
    power_draws: int = 100
    worse_count: int = 200
    worse_sessions: int = 5_000
    worse_truth_sessions: int = sessions.BATCH
    warranted_sessions: int = 60_000
    held_out_sessions: int = 5_000


QUICK = Size(
    shop=replace(sizes.QUICK, log_sessions=1_000),
    pool_sessions=3_000,
    part_sessions=1_000,
    draw_count=8,
    draw_sessions=1_000,
    truth_sessions=2_000,
    power_sessions=(500, 1_000),
    colder_pool_sessions=1_000,
    colder_sessions=(500,),
    colder_truth_sessions=500,
    power_draws=4,
    worse_count=6,
    worse_sessions=500,
    worse_truth_sessions=1_000,
    warranted_sessions=2_000,
    held_out_sessions=200,
)
