"""What does each order of answers bring those who ask, on the same help pages?

Before a shopper of the test gets a help page, each contender composes it as a preview: the same question,
profile and minute. What the page is going to do for the shopper follows from the simulator's law, not from
luck.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.layout.v1 import layout_pb2
from services.common.client import InProcessUpstream
from services.common.errors import ConfigurationError
from services.local import in_process
from services.local.bench.composer.shop import DAYS, Shop, environment
from services.local.bench.help.sizes import Size
from services.policy.training import rewards
from simulator import asking
from simulator.browsing import browse
from simulator.enquiring import Asked
from simulator.traffic import Report, Traffic

Array = np.ndarray[Any, Any]

UNIFORM = "uniform-0"
"""The policy that values nothing: greedily it keeps the order of its modules, else it draws."""
_CONCURRENCY = 8
_PATIENCE_S = 60.0
_DAY_S = 86_400.0


@dataclass(frozen=True, slots=True)
class Contender:
    """A way to order answers."""

    name: str
    policy_version: str
    is_greedy: bool


@dataclass(frozen=True, slots=True)
class Outcome:
    """H help pages.

    Attributes:
        shopper, state: (H,) who asked, and how far they are: a position in simulator.questions.
        helped, dismissed: (H, contenders) probability that an answer helps, expected dismissals.
        value: (H, contenders) what that is worth by the weights of help pages.
    """

    shopper: Array
    state: Array
    helped: Array
    dismissed: Array
    value: Array


def send(shop: Shop, size: Size, session_count: int, stretch: int, settings: dict[str, str]) -> Report:
    """Sends shoppers with questions through the shop."""
    return asyncio.run(_send(shop, size, session_count, stretch, settings, [], {}))[0]


def compared(
    shop: Shop,
    size: Size,
    contenders: Sequence[Contender],
    settings: dict[str, str],
    bought_s: Mapping[int, float],
) -> Outcome:
    """What contenders are worth on the help pages of test shoppers.

    Args:
        bought_s: when shoppers bought last before the test.

    Raises:
        ConfigurationError: where a preview is degraded: it would not be the contender's own.
    """
    return asyncio.run(_send(shop, size, size.test_sessions, 0, settings, contenders, bought_s))[1]


async def _send(
    shop: Shop,
    size: Size,
    session_count: int,
    stretch: int,
    settings: dict[str, str],
    contenders: Sequence[Contender],
    bought_s: Mapping[int, float],
) -> tuple[Report, Outcome]:
    traffic = Traffic(
        page_views=0,
        seed=stretch,
        end_unix_s=shop.now_s - stretch * DAYS * _DAY_S,
        days=DAYS,
        label=f"help-{stretch}",
        concurrency=_CONCURRENCY,
        timeout_s=_PATIENCE_S,
        session_count=session_count,
        asking=size.asking,
    )
    weights = rewards.load().on(context_pb2.PAGE_TYPE_HELP)
    who: list[tuple[int, int]] = []
    worth: list[list[tuple[float, float]]] = []
    with environment({**shop.state.variables, **settings}):
        async with in_process.open_upstream() as upstream:

            async def witness(asked: Asked) -> None:
                rows = [await _worth(shop, size, upstream, asked, contender) for contender in contenders]
                who.append((asked.shopper, asked.state))
                worth.append(rows)

            report = await browse(
                upstream,
                shop.hidden,
                shop.population,
                traffic,
                help_witness=witness if contenders else None,
                bought_s=bought_s,
            )
    if report.failed_pages or report.failed_records:
        raise ConfigurationError(f"failed: {report.failed_pages}, {report.failed_records}")
    shopper, state = np.array(who, np.int64).reshape(-1, 2).T
    helped, dismissed = np.moveaxis(np.array(worth).reshape(len(who), len(contenders), 2), 2, 0)
    value = weights.helpful * helped + weights.dismissal * dismissed
    return report, Outcome(shopper, state, helped, dismissed, value)


async def _worth(
    shop: Shop, size: Size, upstream: InProcessUpstream, asked: Asked, contender: Contender
) -> tuple[float, float]:
    request = layout_pb2.ComposePageRequest()
    request.CopyFrom(asked.request)
    request.overrides.is_preview = True
    request.overrides.policy_version = contender.policy_version
    request.overrides.is_greedy = contender.is_greedy
    page = (await upstream.call("ComposePage", request, _PATIENCE_S)).page
    if page.degraded or page.versions.policy != contender.policy_version:
        raise ConfigurationError(f"{contender.name}: a page by {page.versions.policy!r}: {page.degraded}")
    found = asking.worth(size.asking, asking.see(size.asking, shop.hidden, asked.need, asked.patience, page))
    return found.helped, found.dismissed
