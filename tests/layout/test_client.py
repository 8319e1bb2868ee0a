"""Can whoever has one client write the same against the other?"""

from __future__ import annotations

import asyncio
import inspect

from planogram.client import AsyncLayoutClient, LayoutClient, home


def parameters(client, name):
    return list(inspect.signature(getattr(client, name)).parameters.values())


def test_both_clients_have_the_same_calls_with_the_same_arguments():
    calls = {name for name in vars(LayoutClient) if not name.startswith("_")}
    assert calls == {name for name in vars(AsyncLayoutClient) if not name.startswith("_")}
    for name in calls:
        assert parameters(LayoutClient, name) == parameters(AsyncLayoutClient, name)


async def test_impressions_clicks_and_receipts_work_with_either_client(open_shop):
    def use(target):
        with LayoutClient(target) as client:
            page = client.compose(home("ada", "visit"), deadline_s=2)
            seen, clicked = client.impressions(page.slots), client.click(page.slots[0].items[0])
            return len(page.slots), seen.stored_count, clicked.stored_count, client.explain(page.page_id)

    async with open_shop() as shop:
        page = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        assert (await shop.layout.impressions(page.slots)).stored_count == len(page.slots)
        assert (await shop.layout.click(page.slots[0].items[0])).stored_count == 1
        assert (await shop.layout.explain(page.page_id)).slots
        slots, seen, clicked, receipt = await asyncio.to_thread(use, shop.target)
    assert slots == seen > 0 and clicked == 1 and receipt.slots
