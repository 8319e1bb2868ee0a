"""Does a shopper who is forgotten leave the log, its exports and what comes late?"""

from __future__ import annotations

import asyncio

import grpc
import pyarrow.parquet as pq

from planogram.client import home, impression
from planogram.events.v1 import events_pb2
from planogram.files import log as log_file
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from services.common.pseudonyms import load
from services.layout import event_log, export
from services.layout.event_log import EventLog

CLICK = events_pb2.EVENT_TYPE_CLICK


async def test_a_forgotten_shopper_leaves_no_byte_in_the_log(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(page.slots[0])])
        key = load(shop.settings.shopper_key_path).of("shopper", "ada").encode()

        def bytes_of_log():
            return b"".join(
                path.read_bytes() for path in sorted(shop.settings.log_path.glob("segment-*.sqlite*"))
            )

        assert key in bytes_of_log()
        async with grpc.aio.insecure_channel(shop.target) as channel:
            stub = layout_pb2_grpc.LayoutServiceStub(channel)
            answer = await stub.ForgetShopper(layout_pb2.ForgetShopperRequest(user_id="ada"))
            assert answer.deleted_count == 2
            assert key not in bytes_of_log()
            assert kept.page_id.encode() in bytes_of_log()
            assert [request.user_id for request in shop.forget.requests] == ["ada"]
            again = await stub.ForgetShopper(layout_pb2.ForgetShopperRequest(user_id="ada"))
        assert again.deleted_count == 0


async def forget(shop, user):
    async with grpc.aio.insecure_channel(shop.target) as channel:
        request = layout_pb2.ForgetShopperRequest(user_id=user)
        return await layout_pb2_grpc.LayoutServiceStub(channel).ForgetShopper(request)


async def test_an_export_made_before_does_not_hold_a_forgotten_shopper(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(kept.slots[0]), impression(page.slots[0])])
        out = shop.settings.export_folder
        export.export(shop.settings.log_path, out)
        assert log_file.read_events(out).num_rows == 2
        await forget(shop, "ada")
        for _ in ("as it was", "exported again"):
            assert [exposure.page_id for exposure in log_file.read_exposures(out)] == [kept.page_id]
            assert log_file.read_events(out).column("page_id").to_pylist() == [kept.page_id]
            assert len(log_file.read_forgotten(out)) == 1
            export.export(shop.settings.log_path, out)


async def test_the_files_of_an_export_lose_a_forgotten_shopper(open_shop):
    async with open_shop() as shop:
        kept = await shop.layout.compose(home("bob", "visit-b"), deadline_s=2)
        page = await shop.layout.compose(home("ada", "visit-a"), deadline_s=2)
        await shop.layout.record([impression(kept.slots[0]), impression(page.slots[0])])
        out, names = shop.settings.export_folder, load(shop.settings.shopper_key_path)
        export.export(shop.settings.log_path, out)
        sessions = {visit: names.of("session", visit) for visit in ("visit-a", "visit-b")}
        aside = [{"session_key": key, "event_id": "", "reason": "bot_rate"} for key in sessions.values()]
        log_file.write(out, "set-aside", aside, "pipeline")
        await forget(shop, "ada")
        held = {name: pq.read_table(path) for path in out.glob("*.parquet") if (name := path.name)}
    key = names.of("shopper", "ada")
    assert {name for name, table in held.items() if key in str(table.to_pydict())} == set()
    assert held["events-served.00000.parquet"].column("page_id").to_pylist() == [kept.page_id]
    assert held["exposures-served.00000.parquet"].column("page_id").to_pylist() == [kept.page_id]
    assert held["set-aside-pipeline.parquet"].column("session_key").to_pylist() == [sessions["visit-b"]]


async def test_what_comes_late_leaves_no_byte_in_any_segment(tmp_path):
    first, second = EventLog(tmp_path / "log", 10), EventLog(tmp_path / "log", 10)
    key = "a" * 32
    await first.forget([key], 2_000_000)
    for log in (first, second):
        late, later = (
            events_pb2.Event(event_id=f"{log.writer}{n}", shopper_key=key, type=CLICK) for n in "23"
        )
        late.time.FromSeconds(2)
        later.time.FromSeconds(2)
        stored = await log.append([late, later])
        assert (stored.stored_count, stored.duplicate_count) == (0, 0)
        exposure = events_pb2.Exposure(page_id=log.writer, shopper_key=key)
        exposure.time.FromSeconds(1)
        log.offer(exposure)
        log.close()
    assert key.encode() not in b"".join(path.read_bytes() for path in (tmp_path / "log").iterdir())
    assert event_log.lost_count(tmp_path / "log") == 0


async def test_what_comes_after_a_shopper_was_forgotten_counts_again(tmp_path):
    log = EventLog(tmp_path / "log", 10)
    await log.forget(["a" * 32], 2_000_000)
    exposures = [events_pb2.Exposure(page_id=str(second), shopper_key="a" * 32) for second in (1, 2, 3)]
    for second, exposure in enumerate(exposures, 1):
        exposure.time.FromSeconds(second)
        log.offer(exposure)
    log.close()
    export.export(tmp_path / "log", tmp_path / "out")
    assert [exposure.page_id for exposure in log_file.read_exposures(tmp_path / "out")] == ["3"]


async def test_a_shopper_is_forgotten_under_the_keys_of_every_epoch(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        path = shop.settings.shopper_key_path
    path.with_suffix(".earlier").mkdir()
    path.rename(path.with_suffix(".earlier") / "first.key")
    async with open_shop() as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await asyncio.sleep(0.1)
        epochs = {exposure.key_epoch for exposure in event_log.read_exposures(shop.settings.log_path)}
        answer = await forget(shop, "ada")
        assert list(event_log.read_exposures(shop.settings.log_path)) == []
        assert len(log_file.read_forgotten(shop.settings.export_folder)) == 2
    assert len(epochs) == 2
    assert answer.deleted_count == 2
