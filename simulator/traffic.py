"""How much traffic is sent through a shop, and what came of it?"""

from __future__ import annotations

from dataclasses import dataclass, field

from simulator.asking import Asking
from simulator.tally import Tally
from simulator.visit import Noise


@dataclass(frozen=True, slots=True)
class Traffic:
    """How much traffic, and when.

    Attributes:
        page_views: sessions begin until so many pages were asked for.
        session_count: so many sessions begin instead, however many pages they ask for: the same sessions
            whatever the shop shows. None counts pages.
        end_unix_s: the moment at which history ends; nothing happens after it.
        days: length of the history; 0 browses now, at the speed of the shop.
        label: begins the ids of sessions and events; two runs with one label repeat each other's ids.
        concurrency: sessions at once.
        shard, shard_count: this run sends every shard_count-th shopper alone, and its share of the page
            views; runs of all shards together are the traffic.
        pages_per_session: expected; spreads the beginnings of sessions over the history.
        asking: how often shoppers come to help pages with a question; None for never. Shop
            pages have the same luck either way.
    """

    page_views: int
    seed: int
    end_unix_s: float
    days: float = 14.0
    label: str = "sim"
    concurrency: int = 32
    shard: int = 0
    shard_count: int = 1
    timeout_s: float = 2.0
    pages_per_session: float = 4.4
    session_count: int | None = None
    noise: Noise = field(default_factory=Noise)
    asking: Asking | None = None

    @property
    def is_live(self) -> bool:
        return self.days == 0

    @property
    def expected_sessions(self) -> float:
        """In all shards together."""
        return self.page_views / self.pages_per_session if self.session_count is None else self.session_count

    def is_enough(self, session_count: int, page_count: int) -> bool:
        """Whether no further session begins, after so many of all shards, and so many pages of this one."""
        if self.session_count is None:
            return page_count >= self.page_views / self.shard_count
        return session_count >= self.session_count


@dataclass(slots=True)
class Report:
    """What happened.

    Attributes:
        tally: sessions of human shoppers.
        event_count: events reported, repetitions included.
        unborn_event_count: late purchases, returns and ratings that history ended before.
        help_page_count, helped_count: help pages, and those on which an answer helped.
        has_help: false where the shop was asked for a help page and has none.
        bought_s: when each shopper bought last, by number.
        failed_pages, failed_records: calls that did not succeed, by status.
    """

    tally: Tally = field(default_factory=Tally)
    page_count: int = 0
    bot_page_count: int = 0
    degraded_page_count: int = 0
    event_count: int = 0
    lost_impression_count: int = 0
    repeated_event_count: int = 0
    unborn_event_count: int = 0
    help_page_count: int = 0
    helped_count: int = 0
    has_help: bool = True
    bought_s: dict[int, float] = field(default_factory=dict)
    failed_pages: dict[str, int] = field(default_factory=dict)
    failed_records: dict[str, int] = field(default_factory=dict)
