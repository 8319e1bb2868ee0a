"""How much is played and learned?"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import UTC, datetime

from services.policy.training.slateq import Recipe

DAY = datetime(2026, 6, 1, tzinfo=UTC)
"""Of every world: results do not depend on when they are made."""
LOG_SEED, TEST_SEED = 1, 5


@dataclass(frozen=True, slots=True)
class Size:
    """How much is played and learned.

    Attributes:
        log_sessions: of each log; the first is laid out uniformly, the others by what was learned so far.
        round_count: logs after the first.
        test_sessions, reference_sessions: played to value policies, and the reference.
        season_count, daypart_count: contexts of each world.
    """

    log_sessions: int = 40_000
    round_count: int = 3
    test_sessions: int = 30_000
    reference_sessions: int = 15_000
    season_count: int = 1
    daypart_count: int = 2
    recipe: Recipe = field(default_factory=Recipe)


QUICK = Size(
    log_sessions=2_000,
    round_count=1,
    test_sessions=2_000,
    reference_sessions=300,
    daypart_count=1,
    recipe=Recipe(step_count=300),
)
