"""How does one shopper go through help pages: what is asked for, looked at and reported?"""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.layout.v1 import layout_pb2
from simulator import asking, choice
from simulator.asking import Asking
from simulator.questions import Need
from simulator.visit import Diary, Noise, stamp
from simulator.world import World

Compose = Callable[[layout_pb2.ComposePageRequest], Awaitable[layout_pb2.Page | None]]
Record = Callable[[list[layout_pb2.ShopperEvent]], Awaitable[None]]


@dataclass(frozen=True, slots=True)
class Asked:
    """One help page that a shopper is about to see, and all that decides what it will do for them.

    Attributes:
        shopper: number in the population. state: BROWSING, CARTED or BOUGHT.
        patience: level of patience, which says how far down the page they look.
    """

    request: layout_pb2.ComposePageRequest
    shopper: int
    state: int
    need: Need
    patience: int


HelpWitness = Callable[[Asked], Awaitable[None]]


class Enquirer:
    """The questions of one session.

    Attributes:
        page_count: help pages asked for. helped_count: those on which an answer helped.
    """

    def __init__(
        self,
        law: Asking,
        hidden: World,
        shopper: context_pb2.Shopper,
        number: int,
        device: context_pb2.Device,
        seed: tuple[int, int],
        noise: Noise,
        pace: float,
    ) -> None:
        """
        Args:
            number: of the shopper in the population. seed: of the traffic, and number of the session.
            pace: seconds of the shop's clock for a second of the shopper's.
        """
        self._law, self._hidden, self._shopper, self._number = law, hidden, shopper, number
        self._device, self._pace = device, pace
        self._random = np.random.default_rng([seed[0], 0xA5C, seed[1]])
        self._language = asking.language_of(law, seed[0], number)
        label = f"{shopper.session_id}-help"
        self.diary = Diary(shopper, label, noise, self._random, hidden, pace)
        self.page_count = self.helped_count = 0

    def comes(self, state: int) -> bool:
        """Whether somebody in a state asks now; once a session."""
        return not self.page_count and float(self._random.random()) < self._law.share(state)

    async def visit(
        self, state: int, now_s: float, compose: Compose, record: Record, witness: HelpWitness | None
    ) -> float:
        """Asks until an answer helps or the shopper gives up; the value is the time at which they are done.

        Args:
            compose, record: the shop. witness: told of every page before it is asked for.
        """
        law, random = self._law, self._random
        need = asking.need_of(state, random)
        patience = int(random.choice(4, p=self._hidden.regime.start_patience))
        for _ in range(law.page_count):
            request = self._request(asking.question_of(law, need, self._language, random), now_s)
            if witness is not None:
                await witness(Asked(request, self._number, state, need, patience))
            self.page_count += 1
            page = await compose(request)
            if page is None:
                break
            view = asking.see(law, self._hidden, need, patience, page)
            walk = asking.look(view, random)
            vain = asking.dismissals(law, view, walk, random)
            now_s = self.diary.help(page, walk, vain, now_s)
            is_helped = walk.clicked[0] != choice.NO_SLOT
            is_over = is_helped or float(random.random()) >= law.again
            self.helped_count += bool(is_helped)
            await record(self.diary.tear_out(is_last=is_over))
            if is_over:
                break
        return now_s

    def _request(self, question: str, now_s: float) -> layout_pb2.ComposePageRequest:
        request = layout_pb2.ComposePageRequest(
            shopper=self._shopper,
            context=context_pb2.PageContext(
                page_type=context_pb2.PAGE_TYPE_HELP,
                device=self._device,
                locale=self._language,
                query=question,
            ),
        )
        stamp(request.context.time, now_s)
        return request
