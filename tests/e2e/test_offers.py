"""Do prices change for all shoppers at once, from demand in the log to pages of four processes, and is it proven?"""

from __future__ import annotations

import asyncio
import zlib
from collections import Counter
from itertools import chain

import pyarrow as pa
import pytest

from planogram.client import AsyncLayoutClient, home
from planogram.files import log
from planogram.layout.v1 import ranking_pb2
from services.feature.offers import audit, price_list
from services.feature.offers.audit import CHANGE_US, Kind
from tests.e2e.conftest import ROLES, RunningShop, free_ports, run

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path):
    """A shop on its first day: no model has learned anything yet."""
    run(tmp_path, "make-catalogue", "--items", "300")
    run(tmp_path, "build-features")
    running = RunningShop(tmp_path, dict(zip(ROLES, free_ports(4), strict=True)))
    try:
        running.start(*ROLES)
        yield running
    finally:
        running.stop()


async def browse(shop, page_count):
    await asyncio.to_thread(
        run, shop.state, "simulate", "--page-views", str(page_count), "--days", "0", "--target", shop.target
    )


async def test_a_price_list_reaches_every_page_and_the_audit_proves_parity_until_somebody_breaks_it(shop):
    await browse(shop, 60)
    run(shop.state, "export-log")
    run(shop.state, "offers", "choose", "--seed", "1")
    catalogue = ("--catalogue", "var/catalogue/items.parquet")
    run(shop.state, "offers", "apply", "--target", f"127.0.0.1:{shop.ports['feature']}", *catalogue)
    await asyncio.sleep(CHANGE_US / 1e6)
    async with AsyncLayoutClient(shop.target) as layout:
        for user in ("shopper-00001", "shopper-00002", "nobody"):
            await layout.compose(home(user, f"visit of {user}"), deadline_s=3)
    await browse(shop, 60)
    run(shop.state, "export-log")
    folder, store = shop.state / "var/log/export", shop.state / "var/offers"

    exposures = list(log.read_exposures(folder))
    pages = [prices_of(exposure) for exposure in exposures[-60:]]
    listed = {row.item_id: row for row in price_list.read(store, price_list.newest(store))}
    cut = {item for item, row in listed.items() if row.price_micros < row.previous_price_micros}
    seen = [(item, price) for page in pages for item, price in page.items() if item in cut]
    assert len(seen) > 60
    assert all(price == listed[item].price_micros for item, price in seen)

    report = audit.audit(folder, store)
    assert report.shared_count > 100
    assert report.violations == []

    # The item that most pages had, on one page of one shopper at one percent more.
    item = Counter(chain.from_iterable(pages)).most_common(1)[0][0]
    broken = next(exposure for exposure in reversed(exposures) if item in prices_of(exposure))
    inputs = ranking_pb2.RankingInputs.FromString(zlib.decompress(broken.ranking_inputs))
    position = list(inputs.item_ids).index(item)
    inputs.item_facts.price_micros[position] = inputs.item_facts.price_micros[position] * 101 // 100
    broken.ranking_inputs = zlib.compress(inputs.SerializeToString())
    for path in folder.glob("exposures-*.parquet"):
        path.unlink()
    log.write(
        folder,
        "exposures",
        pa.Table.from_pylist([log.exposure_row(one) for one in exposures], log.EXPOSURES),
        "one",
    )
    found = audit.audit(folder, store).violations
    assert Kind.GENERATION in {one.kind for one in found}
    assert {one.item_id for one in found} == {item}
    assert all(broken.page_id in one.page_ids for one in found)


def prices_of(exposure):
    if not exposure.ranking_inputs:
        return {}
    inputs = ranking_pb2.RankingInputs.FromString(zlib.decompress(exposure.ranking_inputs))
    return dict(zip(inputs.item_ids, inputs.item_facts.price_micros, strict=True))
