"""How do shoppers browse a real shop, through its public contract alone?

Sessions run at once, in the order in which they begin in the shop's own time. Each asks for a page, looks
at it, reports what it did in one call, and goes where that leads. What a shelf shows is all that shoppers
know of it: its items, its place, its template and its family.
"""

from __future__ import annotations

import asyncio
import heapq
import itertools
import time
from collections.abc import Callable, Iterator, Mapping

import grpc
import numpy as np

from planogram.common.v1 import context_pb2
from planogram.layout.v1 import layout_pb2
from simulator import asking, choice, modules, session
from simulator.connection import Upstream, status_of
from simulator.enquiring import Enquirer, HelpWitness
from simulator.session import DRAW_COUNT, Draw, Start
from simulator.shopper import DEVICES, Population
from simulator.tally import COLUMNS, Tally
from simulator.traffic import Report, Traffic
from simulator.visit import Diary, Eye, stamp
from simulator.world import World

_DAY_S = 86_400.0
_RETRIES = 3
_RETRY_S = 0.1
_RETRIED = (
    grpc.StatusCode.UNAVAILABLE,
    grpc.StatusCode.DEADLINE_EXCEEDED,
    grpc.StatusCode.RESOURCE_EXHAUSTED,
)
_BATCH = 500
_MAX_PAGES = 60
_BOT_PAGES = (8, 16)
_MAX_CART = 20
_HOURS = np.array((2, 1, 1, 1, 1, 2, 4, 6, 7, 8, 8, 8, 9, 8, 8, 8, 8, 9, 10, 12, 13, 11, 7, 4), np.float64)
"""Relative number of sessions by hour of the day."""
_LIVE_PACE = 0.001
_LAST_START_S = 3_600.0
"""Sessions begin no later than this before the end, so that they can end."""


Witness = Callable[[int, int, int, layout_pb2.Page], None]


async def browse(
    upstream: Upstream,
    hidden: World,
    population: Population,
    traffic: Traffic,
    progress: Callable[[int], None] = lambda count: None,
    witness: Witness | None = None,
    help_witness: HelpWitness | None = None,
    bought_s: Mapping[int, float] | None = None,
) -> Report:
    """Sends shoppers through a shop.

    Args:
        progress: called with the number of pages asked for so far.
        witness: called with the hidden type of the shopper, the page type (position in PAGE_TYPES), the
            category (-1 for none) and the page, for every page of the shop that a human saw.
        help_witness: told of every help page before it is asked for.
        bought_s: when shoppers, by number, bought last before all this: of an earlier report.
    """
    run = _Run(upstream, Eye(hidden), population, traffic, progress, witness, help_witness)
    run.report.bought_s.update(bought_s or {})
    random = np.random.default_rng([traffic.seed, 0xB0])
    visiting: dict[int, asyncio.Task[None]] = {}
    running: set[asyncio.Task[None]] = set()
    try:
        for number, start_s in enumerate(_starts(traffic, random)):
            if traffic.is_enough(number, run.report.page_count):
                break
            shopper = _draw_shopper(population, random)
            if shopper % traffic.shard_count != traffic.shard:
                continue
            task = asyncio.create_task(run.visit(number, shopper, start_s, visiting.get(shopper)))
            visiting[shopper] = task
            running.add(task)
            if len(running) >= traffic.concurrency:
                done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
                for finished in done:
                    finished.result()
        await asyncio.gather(*running)
    finally:
        for task in running:
            task.cancel()
    return await run.finish()


class _Run:
    """One simulation in progress."""

    def __init__(
        self,
        upstream: Upstream,
        eye: Eye,
        population: Population,
        traffic: Traffic,
        progress: Callable[[int], None],
        witness: Witness | None,
        help_witness: HelpWitness | None,
    ) -> None:
        self.upstream, self.eye, self.population, self.traffic = upstream, eye, population, traffic
        self.progress, self.witness, self.help_witness = progress, witness, help_witness
        self.report = Report()
        self._rows: dict[int, list[float]] = {}
        self._late: list[tuple[float, int, layout_pb2.ShopperEvent]] = []
        self._late_number = itertools.count()

    async def visit(
        self, number: int, shopper: int, start_s: float, before: asyncio.Task[None] | None
    ) -> None:
        """One session from entry to exit."""
        if before is not None:
            await asyncio.wait({before})  # nobody is in two sessions at once
        if self.traffic.is_live:
            start_s = time.time()
        await self._report_late(start_s)
        visit = _Visit(self, number, shopper, start_s)
        if self.population.traits.is_bot[shopper]:
            await visit.crawl()
        else:
            self._rows[number] = await visit.shop()
        self.report.lost_impression_count += visit.diary.lost_count
        self.report.repeated_event_count += visit.diary.repeated_count
        if visit.enquirer is not None:
            self.report.help_page_count += visit.enquirer.page_count
            self.report.helped_count += visit.enquirer.helped_count
            self.report.lost_impression_count += visit.enquirer.diary.lost_count
            self.report.repeated_event_count += visit.enquirer.diary.repeated_count
        for at_s, event in visit.diary.late:
            heapq.heappush(self._late, (at_s, next(self._late_number), event))

    async def finish(self) -> Report:
        """Reports what is left, and answers what happened."""
        await self._report_late(time.time() if self.traffic.is_live else self.traffic.end_unix_s)
        self.report.unborn_event_count = len(self._late)
        rows = [self._rows[number] for number in sorted(self._rows)]
        self.report.tally = Tally(np.array(rows, np.float64).reshape(-1, len(COLUMNS)))
        return self.report

    async def compose(self, request: layout_pb2.ComposePageRequest) -> layout_pb2.Page | None:
        """The page, or None where the shop did not answer one."""
        self.report.page_count += 1
        self.progress(self.report.page_count)
        try:
            answer = await self.upstream.call("ComposePage", request, self.traffic.timeout_s)
        except Exception as error:
            is_help = request.context.page_type == context_pb2.PAGE_TYPE_HELP
            if is_help and status_of(error) is grpc.StatusCode.NOT_FOUND:
                self.report.has_help = False
            else:
                _count(self.report.failed_pages, error)
            return None
        self.report.degraded_page_count += bool(answer.page.degraded)
        return answer.page if answer.page.slots else None

    async def record(self, events: list[layout_pb2.ShopperEvent]) -> None:
        """Reports events, and again where the shop could not take them."""
        if not events:
            return
        request = layout_pb2.RecordEventsRequest(events=events)
        for attempt in range(_RETRIES):
            try:
                await self.upstream.call("RecordEvents", request, self.traffic.timeout_s)
            except Exception as error:
                if attempt == _RETRIES - 1 or status_of(error) not in _RETRIED:
                    _count(self.report.failed_records, error)
                    return
                await asyncio.sleep(_RETRY_S * 2**attempt)
            else:
                self.report.event_count += len(events)
                return

    async def _report_late(self, now_s: float) -> None:
        """Reports late purchases, returns and ratings whose time has come."""
        while self._late and self._late[0][0] <= now_s:
            batch: list[layout_pb2.ShopperEvent] = []
            while self._late and self._late[0][0] <= now_s and len(batch) < _BATCH:
                batch.append(heapq.heappop(self._late)[2])
            await self.record(batch)


class _Visit:
    """One session in progress."""

    def __init__(self, run: _Run, number: int, shopper: int, start_s: float) -> None:
        traits = run.population.traits
        label = f"{run.traffic.label}-{number}"
        self._run = run
        # What goes on in the mind draws from a stream of its own, in the order of the vectorised face.
        self._mind = mind_of(run.traffic.seed, number)
        self._random = np.random.default_rng([run.traffic.seed, 0x5E55, number])
        self._number, self._kind = shopper, run.population.kind[[shopper]]
        self._device = int(traits.device[shopper])
        self._now_s = start_s
        self._cart: list[str] = []
        self._pace = _LIVE_PACE if run.traffic.is_live else 1.0
        self._shopper = context_pb2.Shopper(
            # Those whom the shop does not know come back as somebody new.
            user_id=f"guest-{label}" if traits.is_cold[shopper] else traits.user_ids[shopper],
            session_id=label,
            consent=context_pb2.CONSENT_GRANTED
            if traits.has_consent[shopper]
            else context_pb2.CONSENT_REFUSED,
        )
        self.diary = Diary(self._shopper, label, run.traffic.noise, self._random, run.eye.world, self._pace)
        self.enquirer = None
        if run.traffic.asking is not None:
            device, seed = DEVICES[self._device], (run.traffic.seed, number)
            self.enquirer = Enquirer(
                *(run.traffic.asking, run.eye.world, self._shopper, shopper, device, seed),
                *(run.traffic.noise, self._pace),
            )

    async def shop(self) -> list[float]:
        """A human's visit; the value is its row in the tally."""
        hidden, eye, mind = self._run.eye.world, self._run.eye, self._mind
        state, page_type, category = session.begin(hidden, self._kind, mind.random((1, len(Start))))
        item = -1
        row = [0.0] * len(COLUMNS)
        for _ in range(_MAX_PAGES):
            await self._enquire()
            if self._is_late():
                break
            page = await self._ask(int(page_type[0]), int(category[0]), item)
            if page is None:
                break
            if self._run.witness is not None:
                self._run.witness(int(self._kind[0]), int(page_type[0]), int(category[0]), page)
            seen = eye.see(page, state, self._device)
            draws = mind.random((1, DRAW_COUNT))
            look = session.look(hidden, state, seen.view, mind.random((1, len(page.slots), 2)))
            walk = look.walk
            slot = int(walk.last[0])
            place = int(choice.pick(seen.share[[slot]], draws[:, Draw.PICK])[0])
            is_clicked = walk.clicked[0] != choice.NO_SLOT
            item = int(seen.items[slot, place]) if is_clicked else -1
            step = session.react(hidden, state, seen.view, walk, np.array([item]), draws)
            outcome = step.outcome
            self._now_s = self.diary.page(page, walk, place, item, outcome, self._now_s)
            if outcome.is_carted[0]:
                self._cart = [*self._cart, hidden.items.item_ids[item]][-_MAX_CART:]
            if outcome.is_bought[0]:
                self._cart = []
                self._run.report.bought_s[self._number] = self._now_s
            row[0] += 1
            row[1] += bool(is_clicked)
            row[2] += bool(outcome.is_bought[0])
            row[3] += float(look.purchase_probability[0])
            row[4] += float(look.margin[0])
            is_over = bool(outcome.is_gone[0]) or self._is_late()
            await self._run.record(self.diary.tear_out(is_last=is_over))
            if is_over:
                break
            state, page_type, category = step.state, outcome.page_type, outcome.category
        return row

    async def crawl(self) -> None:
        """A robot's visit."""
        random = self._random
        page_count = int(random.integers(*_BOT_PAGES))
        for number in range(page_count):
            page = await self._ask(modules.HOME, -1, -1)
            if page is None:
                return
            self._run.report.bot_page_count += 1
            self.diary.crawl(page, self._now_s)
            self._now_s += self._pace * (0.3 + random.random())
            await self._run.record(self.diary.tear_out(is_last=number == page_count - 1))

    async def _enquire(self) -> None:
        """Goes to the help pages, where there is a question."""
        run, law = self._run, self._run.traffic.asking
        if self.enquirer is None or law is None or not run.report.has_help or self._is_late():
            return
        state = asking.state_of(law, run.report.bought_s.get(self._number), bool(self._cart), self._now_s)
        if self.enquirer.comes(state):
            self._now_s = await self.enquirer.visit(
                state, self._now_s, run.compose, run.record, run.help_witness
            )

    async def _ask(self, page_type: int, category: int, item: int) -> layout_pb2.Page | None:
        """The page of a type; `item` is what was clicked before, -1 for nothing."""
        if self._run.traffic.is_live:
            self._now_s = max(self._now_s, time.time())
        eye, items = self._run.eye, self._run.eye.world.items
        request = layout_pb2.ComposePageRequest(
            shopper=self._shopper,
            context=context_pb2.PageContext(
                page_type=modules.PAGE_TYPES[page_type],
                device=DEVICES[self._device],
                locale="en",
                category=items.categories[category] if category >= 0 else "",
                cart_item_ids=self._cart,
            ),
        )
        context = request.context
        stamp(context.time, self._now_s)
        if page_type == modules.SEARCH:
            wish = eye.wish(int(self._kind[0]), category, float(self._random.random()))
            context.query = eye.query_for(wish, float(self._random.random()))
            self.diary.search(context.query, self._now_s - 0.01 * self._pace)
        elif page_type == modules.PRODUCT:
            if item < 0:
                item = eye.wish(int(self._kind[0]), category, float(self._random.random()))
            context.item_id = items.item_ids[item]
        return await self._run.compose(request)

    def _is_late(self) -> bool:
        return not self._run.traffic.is_live and self._now_s > self._run.traffic.end_unix_s


def mind_of(seed: int, number: int) -> np.random.Generator:
    """The stream of draws behind what one session's shopper does."""
    return np.random.default_rng([seed, 0x317D, number])


def _starts(traffic: Traffic, random: np.random.Generator) -> Iterator[float]:
    """Times at which sessions begin, in order, without end; evenings are busier than nights."""
    if traffic.is_live:
        while True:
            yield 0.0  # each visit reads the clock as it begins
    start_s = traffic.end_unix_s - traffic.days * _DAY_S
    hours = np.arange(0.0, traffic.days * 24 + 1)
    weights = _HOURS[((start_s / 3600 + hours[:-1]) % 24).astype(int)]
    busy = np.concatenate(([0.0], np.cumsum(weights))) / weights.sum()
    last_s = traffic.end_unix_s - _LAST_START_S
    for number in itertools.count():
        share = min((number + float(random.random())) / traffic.expected_sessions, 1.0)
        yield min(start_s + 3600 * float(np.interp(share, busy, hours)), last_s)


def _draw_shopper(population: Population, random: np.random.Generator) -> int:
    cumulative = population.traits.activity.cumsum()
    return int(np.searchsorted(cumulative, random.random() * cumulative[-1], side="right"))


def _count(counts: dict[str, int], error: Exception) -> None:
    """Counts a failed call; what is no failed call is raised."""
    status = status_of(error)
    if status is None:
        raise error
    counts[status.name] = counts.get(status.name, 0) + 1
