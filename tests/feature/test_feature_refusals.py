"""Does FeatureService name what is wrong with a call, and do nothing then?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from planogram.feature.v1 import feature_pb2
from services.common import log
from tests.feature.test_feature_service import page, problem_of


@pytest.mark.parametrize(
    ("change", "field"),
    [
        (lambda request: request.ClearField("shopper"), "shopper"),
        (lambda request: request.ClearField("context"), "context"),
        (lambda request: setattr(request.shopper, "user_id", "x" * 129), "shopper.user_id"),
        (lambda request: setattr(request.shopper, "user_id", "é" * 65), "shopper.user_id"),
        (lambda request: setattr(request.shopper, "user_id", "a\nb"), "shopper.user_id"),
        (lambda request: setattr(request.shopper, "session_id", ""), "shopper.session_id"),
        (lambda request: setattr(request.context, "page_type", 0), "context.page_type"),
        (lambda request: setattr(request.context, "page_type", 99), "context.page_type"),
        (lambda request: setattr(request.context, "query", "x" * 257), "context.query"),
        (lambda request: setattr(request.context, "locale", "x" * 36), "context.locale"),
        (lambda request: request.context.cart_item_ids.append(""), "context.cart_item_ids[0]"),
        (lambda request: request.context.cart_item_ids.extend(["x"] * 201), "context.cart_item_ids"),
        (lambda request: setattr(request.context.time, "seconds", 1), "context.time"),
        (lambda request: setattr(request.context.time, "seconds", 4_000_000_000), "context.time"),
        (lambda request: request.ClearField("modules"), "modules"),
        (lambda request: request.modules.add(module_id="BESTSELLERS", source=5), "modules[1].module_id"),
        (lambda request: request.modules.add(module_id="x" * 65, source=5), "modules[1].module_id"),
        (lambda request: request.modules.add(module_id="x"), "modules[1].source"),
        (lambda request: request.modules.add(module_id="x", source=99), "modules[1].source"),
        (lambda request: request.modules.add(module_id="x", source=5, limit=201), "modules[1].limit"),
        (lambda request: request.modules.add(module_id="x", source=5, limit=-1), "modules[1].limit"),
        (lambda request: request.schema_fingerprints.append("abc"), "schema_fingerprints[1]"),
        (lambda request: request.schema_fingerprints.extend(["0" * 64] * 4), "schema_fingerprints"),
    ],
)
async def test_gather_page_names_what_is_wrong(service: Any, change: Any, field: str) -> None:
    request = page()
    change(request)
    problem = await problem_of(service.stub.GatherPage(request))
    assert problem.startswith(f"INVALID_ARGUMENT: {field}: got ") and ", want " in problem


@pytest.mark.parametrize(
    ("fields", "field"),
    [
        ({"event_id": ""}, "events[1].event_id"),
        ({"event_id": "x" * 129}, "events[1].event_id"),
        ({"type": 0}, "events[1].type"),
        ({"type": 77}, "events[1].type"),
        ({"time": None}, "events[1].time"),
        ({"time": timedelta(hours=1)}, "events[1].time"),
        ({"nanos": -1}, "events[1].time"),
        ({"nanos": 10**9}, "events[1].time"),
        ({"shopper_key": "user-0"}, "events[1].shopper_key"),
        ({"session_key": "XYZ"}, "events[1].session_key"),
        ({"item_id": ""}, "events[1].item_id"),
        ({"item_id": "x" * 129}, "events[1].item_id"),
        ({"quantity": -1}, "events[1].quantity"),
        ({"type": 8, "rating": 9.0}, "events[1].rating"),
        ({"type": 11, "rating": 0.5}, "events[1].rating"),
        ({"type": 11, "rating": float("nan")}, "events[1].rating"),
        ({"type": 11, "text": "x" * 2_001}, "events[1].text"),
        ({"type": 11, "text": "fine", "language": "x" * 36}, "events[1].language"),
        ({"type": 11, "item_id": ""}, "events[1].item_id"),
    ],
)
async def test_update_profiles_names_the_event_and_applies_nothing(
    service: Any, make_event: Callable[..., Any], fields: dict[str, Any], field: str
) -> None:
    key = service.shopper_key("careful")
    good = make_event("CLICK", datetime.now(UTC), item_id="item-001", shopper_key=key)
    bad = make_event("CLICK", datetime.now(UTC), item_id="item-001", shopper_key=key)
    for name, value in fields.items():
        if name == "nanos":
            bad.time.nanos = value
        elif name != "time":
            setattr(bad, name, value)
        elif value is None:
            bad.ClearField("time")
        else:
            bad.time.FromDatetime(datetime.now(UTC) + value)
    request = feature_pb2.UpdateProfilesRequest(events=[good, bad])
    problem = await problem_of(service.stub.UpdateProfiles(request))
    assert problem.startswith(f"INVALID_ARGUMENT: {field}: got ") and ", want " in problem
    answer = await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[good]))
    assert answer.applied_count == 1


@pytest.mark.parametrize(
    ("call", "request_", "field"),
    [
        ("UpdateProfiles", feature_pb2.UpdateProfilesRequest(), "events"),
        ("UpdateItems", feature_pb2.UpdateItemsRequest(), "items"),
        ("UpdateItems", {"items": [{"item_id": ""}]}, "items[0].item_id"),
        ("UpdateItems", {"items": [{"item_id": "a", "stock": 1}] * 2}, "items[1].item_id"),
        ("UpdateItems", {"items": [{"item_id": "a", "price_micros": 0}]}, "items[0].price_micros"),
        ("UpdateItems", {"items": [{"item_id": "a", "stock": -1}]}, "items[0].stock"),
        ("UpdateItems", {"items": [{"item_id": "a"}]}, "items[0]"),
        ("GetFeatures", {"ids": ["a"]}, "entity"),
        ("GetFeatures", {"entity": 2}, "ids"),
        ("GetFeatures", {"entity": 2, "ids": ["a"] * 1001}, "ids"),
        ("GetFeatures", {"entity": 2, "ids": ["a"], "features": ["colour"]}, "features[0]"),
        ("GetFeatures", {"entity": 1, "ids": ["a"], "features": ["title"]}, "features[0]"),
        ("GetProfile", {"user_id": ""}, "user_id"),
        ("ForgetShopper", {"user_id": "x" * 129}, "user_id"),
    ],
)
async def test_other_calls_name_what_is_wrong(service: Any, call: str, request_: Any, field: str) -> None:
    message = (
        request_ if not isinstance(request_, dict) else getattr(feature_pb2, f"{call}Request")(**request_)
    )
    problem = await problem_of(getattr(service.stub, call)(message))
    assert problem.startswith(f"INVALID_ARGUMENT: {field}: got ") and ", want " in problem


@pytest.mark.parametrize("bad", ["zoe\x07", "zoe" + "x" * 200, "\nzoe"], ids=["bell", "long", "newline"])
async def test_a_bad_id_of_a_shopper_reaches_no_log(service: Any, capsys: Any, bad: str) -> None:
    log.configure("info", "json")
    calls: list[tuple[str, Any]] = [
        ("GatherPage", page(bad)),
        ("GatherPage", page(session_id=bad)),
        ("GetFeatures", feature_pb2.GetFeaturesRequest(entity=feature_pb2.ENTITY_SHOPPER, ids=[bad])),
        ("GetProfile", feature_pb2.GetProfileRequest(user_id=bad)),
        ("ForgetShopper", feature_pb2.ForgetShopperRequest(user_id=bad)),
    ]
    capsys.readouterr()
    for method, request in calls:
        assert (await problem_of(getattr(service.stub, method)(request))).startswith("INVALID_ARGUMENT")
    logged = capsys.readouterr().err
    for _ in range(100):  # a call's line may follow its answer
        if logged.count("INVALID_ARGUMENT") == len(calls):
            break
        await asyncio.sleep(0.02)
        logged += capsys.readouterr().err
    assert logged.count("INVALID_ARGUMENT") == len(calls)
    assert "zoe" not in logged
