"""Was this page asked for before? A request that is sent again gets the page that it got."""

from __future__ import annotations

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable

from planogram.layout.v1 import layout_pb2

KEPT_COUNT = 512
KEPT_S = 60.0
"""Longer than any client tries again."""


class Repeats:
    """The latest pages of this process, by page id, which a request's id and content determine."""

    def __init__(self) -> None:
        self._pages: OrderedDict[str, tuple[float, asyncio.Future[layout_pb2.Page]]] = OrderedDict()

    async def page(self, page_id: str, make: Callable[[], Awaitable[layout_pb2.Page]]) -> layout_pb2.Page:
        """The page of an id: made now, or the one that was made or is being made, marked as a repeat."""
        now_s = time.monotonic()
        kept = self._pages.get(page_id)
        if kept is not None and now_s - kept[0] < KEPT_S:
            # Shielded: the caller of the first may give up, the second still wants it.
            repeat = layout_pb2.Page()
            repeat.CopyFrom(await asyncio.shield(kept[1]))
            repeat.is_repeat = True
            return repeat
        task = asyncio.ensure_future(_of(make))
        self._pages[page_id] = now_s, task
        self._pages.move_to_end(page_id)
        while len(self._pages) > KEPT_COUNT or next(iter(self._pages.values()))[0] < now_s - KEPT_S:
            self._pages.popitem(last=False)
        try:
            page = await asyncio.shield(task)
        except BaseException:
            self._pages.pop(page_id, None)
            raise
        if page_id in self._pages:
            self._pages[page_id] = now_s, _done(page)
        return page

    def clear(self) -> None:
        """Keeps no page any more; who waits for one still gets it."""
        self._pages.clear()


async def _of(make: Callable[[], Awaitable[layout_pb2.Page]]) -> layout_pb2.Page:
    return await make()


def _done(page: layout_pb2.Page) -> asyncio.Future[layout_pb2.Page]:
    """A page that is made, without the task that made it: that keeps all that its call knew alive."""
    done: asyncio.Future[layout_pb2.Page] = asyncio.get_running_loop().create_future()
    done.set_result(page)
    return done
