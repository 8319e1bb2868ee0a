"""What do all who meet on a world's front pages learn from?"""

from __future__ import annotations

from dataclasses import dataclass

from services.local.bench.policy.front_pages import Encoder, pages_of
from services.local.bench.policy.sizes import DAY, LOG_SEED, Size
from services.policy.training.pages import Pages
from simulator import front, world
from simulator.front import Front, Part, Trace
from simulator.regimes import FRONT, REGIMES
from simulator.world import Items

RICH = "rich"
"""The base regime in shops that have modules about a shopper's past as well."""
SHOPS = (*REGIMES, RICH)


@dataclass(frozen=True, slots=True, eq=False)
class Log:
    """Pages of one world that were laid out uniformly, as they happened and as learners read them.

    A log is equal to itself alone.
    """

    shop: Front
    encoder: Encoder
    trace: Trace
    pages: Pages
    size: Size


def build_shop(items: Items, seed: int, regime: str, size: Size) -> Front:
    """The front pages of a world."""
    hidden = world.draw(items, seed, DAY, REGIMES.get(regime, FRONT))
    return front.build(hidden, size.season_count, size.daypart_count, is_rich=regime == RICH)


def gather(shop: Front, size: Size) -> Log:
    """The same log of a world every time: playing it again takes less than reading it from a disk would."""
    uniform = front.Uniform(shop.catalogue)
    played = front.play(shop, uniform, size.log_sessions, LOG_SEED, is_traced=True, part=Part.ACROSS)
    assert played.trace is not None
    encoder = Encoder(shop)
    return Log(shop, encoder, played.trace, pages_of(encoder, played.trace), size)
