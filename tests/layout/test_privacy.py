"""Do ids of shoppers stay out of the logs, whatever a caller sends?"""

from __future__ import annotations

import contextlib
import json

import grpc
import pytest

from planogram.client import home
from planogram.common.v1 import context_pb2
from planogram.events.v1 import events_pb2
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from services.common import log
from services.common.errors import InvalidRequest

NAME = "ada-lovelace"
BAD_IDS = [f"{NAME}\x07", f"{NAME}\x00", NAME + "x" * 200, f"\n{NAME}"]


def event(shopper):
    return layout_pb2.ShopperEvent(
        event_id="e", type=events_pb2.EVENT_TYPE_CLICK, item_id="i1", shopper=shopper
    )


def shoppers(bad):
    return [
        context_pb2.Shopper(user_id=bad, session_id="visit", consent=context_pb2.CONSENT_GRANTED),
        context_pb2.Shopper(user_id="u", session_id=bad, consent=context_pb2.CONSENT_GRANTED),
    ]


@pytest.mark.parametrize("bad", BAD_IDS, ids=["bell", "nul", "long", "newline"])
async def test_a_bad_id_is_refused_by_name_and_reaches_no_log(open_shop, capsys, bad):
    log.configure("info", "json")
    calls = [("ForgetShopper", layout_pb2.ForgetShopperRequest(user_id=bad))]
    for shopper in shoppers(bad):
        request = home("", "visit")
        request.shopper.CopyFrom(shopper)
        calls.append(("ComposePage", request))
        calls.append(("RecordEvents", layout_pb2.RecordEventsRequest(events=[event(shopper)])))
    async with open_shop() as shop, contextlib.AsyncExitStack() as stack:
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.target))
        stub = layout_pb2_grpc.LayoutServiceStub(channel)
        for method, message in calls:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await getattr(stub, method)(message)
            assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    logged = capsys.readouterr().err
    lines = [json.loads(line) for line in logged.splitlines()]
    refused = [line["problem"] for line in lines if line.get("code") == "INVALID_ARGUMENT"]
    assert len(refused) == len(calls)
    assert all("user_id: want " in text or "session_id: want " in text for text in refused)
    assert NAME not in logged


async def test_what_feature_says_of_an_id_is_not_passed_on(open_shop, capsys):
    log.configure("info", "json")
    async with open_shop() as shop, contextlib.AsyncExitStack() as stack:
        shop.forget.default = InvalidRequest("user_id", NAME, "another one")
        channel = await stack.enter_async_context(grpc.aio.insecure_channel(shop.target))
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            request = layout_pb2.ForgetShopperRequest(user_id=NAME)
            await layout_pb2_grpc.LayoutServiceStub(channel).ForgetShopper(request)
        shop.gather.default = InvalidRequest("shopper.user_id", NAME, "another one")
        await shop.layout.compose(home(NAME, "visit"), deadline_s=2)
    assert caught.value.code() is grpc.StatusCode.UNAVAILABLE
    logged = capsys.readouterr().err
    assert "ComposePage" in logged
    assert NAME not in logged
