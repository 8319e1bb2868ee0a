"""How does a world's shop come to be browsed through the real four services, in this process?

Shoppers and laws are those of the vectorised face: everybody consents, nobody is a robot, every sale earns
the same but for what promotions cost. What is different is what the composer makes different: items are
found, scored, ranked and deduplicated, and the session is what the profile says of it.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import time
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pyarrow as pa

from planogram.files import catalogue as files
from services.common.errors import ConfigurationError
from services.local import in_process
from services.local.bench.policy.sizes import DAY
from services.local.state import State
from simulator import catalogue, shopper, world
from simulator.browsing import browse
from simulator.regimes import Regime
from simulator.shopper import Population
from simulator.traffic import Report, Traffic
from simulator.world import World

MARGIN = 15.0
"""Of every item, in units of the currency: the median of the catalogue."""
DAYS = 7.0
"""Length of each stretch of traffic."""
_CONCURRENCY = 8
_PATIENCE_S = 60.0
"""What a page may take: a busy machine must not decide which pages are degraded."""
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Shop:
    """A world, who lives in it, and where everything lies that its services know.

    Attributes:
        drawn: the world as the vectorised face is built from it; hidden: on a morning, as it is browsed.
        now_s: the end of the last stretch of traffic, seconds since 1970.
    """

    state: State
    drawn: World
    hidden: World
    population: Population
    now_s: float

    @property
    def seed(self) -> int:
        return self.drawn.seed


def found(state: State, seed: int, regime: Regime) -> Shop:
    """The shop of a world, with its catalogue on disk and nothing known of anybody."""
    table = _levelled(catalogue.make(0, DAY))
    drawn = world.draw(world.read_items(table, DAY), seed, DAY, regime)
    now_s = float(int(time.time()))
    files.write(state.catalogue, _moved(table, timedelta(seconds=now_s - DAY.timestamp())))
    population = shopper.populate(drawn, seed)
    count = len(population.kind)
    traits = replace(population.traits, has_consent=np.ones(count, bool), is_bot=np.zeros(count, bool))
    hidden = drawn.at(drawn.season, daypart=0)
    return Shop(state, drawn, hidden, replace(population, traits=traits), now_s)


def send(shop: Shop, session_count: int, stretch: int, label: str, settings: Mapping[str, str]) -> Report:
    """Sends shoppers through the services.

    Args:
        stretch: counts back from the present, 0 the latest; the same one brings the same shoppers with the
            same luck.
        label: begins the ids of sessions and events.
        settings: of the services, on top of the shop's own.

    Raises:
        ConfigurationError: where pages or reports failed, so that the sessions are not what they seem.
    """
    traffic = Traffic(
        page_views=0,
        seed=stretch,
        end_unix_s=shop.now_s - stretch * DAYS * _DAY_S,
        days=DAYS,
        label=label,
        concurrency=_CONCURRENCY,
        timeout_s=_PATIENCE_S,
        session_count=session_count,
    )

    async def visit() -> Report:
        async with in_process.open_upstream() as upstream:
            return await browse(upstream, shop.hidden, shop.population, traffic)

    with environment({**shop.state.variables, **_UNHURRIED, **settings}):
        report = asyncio.run(visit())
    if report.failed_pages or report.failed_records:
        raise ConfigurationError(f"{label}: failed: {report.failed_pages}, {report.failed_records}")
    return report


@contextlib.contextmanager
def environment(variables: Mapping[str, str]) -> Iterator[None]:
    """The environment of a process that knows no other settings."""
    before = dict(os.environ)
    try:
        for name in [name for name in os.environ if name.startswith("PLANOGRAM_")]:
            del os.environ[name]
        os.environ.update(variables)
        yield
    finally:
        os.environ.clear()
        os.environ.update(before)


_UNHURRIED = {
    "PLANOGRAM_FEATURE_PROFILE_READ_TIMEOUT_MS": "20000",
    "PLANOGRAM_LAYOUT_PROFILE_WAIT_MS": "20000",
}
"""A page waits for what the shopper did on the one before, however busy the machine is."""


def _levelled(table: pa.Table) -> pa.Table:
    """The catalogue with one margin for all."""
    return _with(table, "margin_micros", [round(MARGIN * 1e6)] * table.num_rows)


def _moved(table: pa.Table, later: timedelta) -> pa.Table:
    """The catalogue in which items came in so much later."""
    return _with(table, "first_seen", [moment + later for moment in table["first_seen"].to_pylist()])


def _with(table: pa.Table, name: str, values: Sequence[object]) -> pa.Table:
    place = table.schema.get_field_index(name)
    return table.set_column(place, name, pa.array(values, table.schema.field(name).type))
