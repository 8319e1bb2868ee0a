"""Does FeatureService answer pages, profiles and features as its contract says?"""

from __future__ import annotations

import asyncio
from collections.abc import Callable
from contextlib import AbstractAsyncContextManager
from datetime import UTC, datetime, timedelta
from typing import Any

import grpc
import numpy as np
import pytest

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import tensors
from services.feature.items import schema

SOURCES = {
    name.removeprefix("CANDIDATE_SOURCE_"): number
    for name, number in feature_pb2.CandidateSource.items()
    if number
}


def page(
    user_id: str = "user-0",
    modules: dict[str, Any] | None = None,
    *,
    session_id: str = "fresh",
    consent: int = context_pb2.CONSENT_GRANTED,
    fingerprints: tuple[str, ...] = (schema.FINGERPRINT,),
    time: datetime | None = None,
    **context: Any,
) -> feature_pb2.GatherPageRequest:
    request = feature_pb2.GatherPageRequest(
        shopper=context_pb2.Shopper(user_id=user_id, session_id=session_id, consent=consent),
        context=context_pb2.PageContext(page_type=context_pb2.PAGE_TYPE_HOME, **context),
        schema_fingerprints=fingerprints,
    )
    if time is not None:
        request.context.time.FromDatetime(time)
    for name, fields in (modules or {"BESTSELLERS": {}}).items():
        request.modules.add(module_id=name, source=SOURCES[name.split("/")[0]], **fields)
    return request


def items_of(response: feature_pb2.GatherPageResponse) -> dict[str, list[str]]:
    return {module.module_id: [response.item_ids[row] for row in module.rows] for module in response.modules}


async def problem_of(call: Any) -> str:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call
    return f"{caught.value.code().name}: {caught.value.details()}"


async def test_one_call_answers_candidates_of_every_source(service: Any) -> None:
    modules: dict[str, Any] = {name: {} for name in SOURCES}
    modules["LIST"] = {"item_ids": ["item-003", "nowhere", "item-001"]}
    response = await service.stub.GatherPage(
        page(modules=modules, query="red kettle", item_id="item-001", cart_item_ids=["item-004"])
    )
    found = items_of(response)
    assert list(found) == list(modules)
    assert all(found.values()), {name: len(ids) for name, ids in found.items()}
    assert found["LIST"] == ["item-003", "item-001"]
    assert len(set(response.item_ids)) == len(response.item_ids)
    assert set(response.item_ids) == {item for ids in found.values() for item in ids}
    product_sources = {
        tuple(found[name])
        for name in ("BESTSELLERS", "TRENDING", "NEW_ARRIVALS", "DEALS", "FOR_YOU", "SIMILAR")
    }
    assert len(product_sources) == 6, "each source has an order of its own"


async def test_tensors_follow_the_schema(service: Any) -> None:
    response = await service.stub.GatherPage(page(modules={"FOR_YOU": {}, "ARTICLES": {}}))
    (features,) = response.feature_sets
    assert features.schema_fingerprint == schema.FINGERPRINT
    count = len(response.item_ids)
    per_item = [spec for spec in schema.SPECS if spec.is_per_item]
    per_shopper = [spec for spec in schema.SPECS if not spec.is_per_item]
    assert set(features.item_tensors) == {spec.name for spec in per_item}
    assert set(features.shopper_tensors) == {spec.name for spec in per_shopper}
    found = tensors.read(schema.SPECS, features.shopper_tensors, features.item_tensors, count)
    assert np.abs(found["item_numbers"]).max() <= 4
    assert np.allclose(np.linalg.norm(found["item_vector"], axis=1), 1, atol=1e-5)
    assert np.isclose(np.linalg.norm(found["shopper_vector"]), 1, atol=1e-5)
    assert np.isclose(found["category_affinity"].sum(), 1, atol=1e-5)
    assert found["history_ids"][0].all()


async def test_a_page_is_the_same_with_and_without_what_pages_have_in_common(service: Any) -> None:
    modules: dict[str, Any] = {
        name: {} for name in ("BESTSELLERS", "FOR_YOU", "DEALS", "SIMILAR", "TRENDING")
    }
    request = page(modules=modules, item_id="item-001")
    first = await service.stub.GatherPage(request)  # describes what is common
    second = await service.stub.GatherPage(request)  # takes it as described
    alone = {
        name: items_of(await service.stub.GatherPage(page(modules={name: {}}, item_id="item-001")))[name]
        for name in modules
    }
    assert items_of(first) == items_of(second) == alone
    assert first.item_facts == second.item_facts
    columns = [len(values) for _, values in second.item_facts.ListFields()]
    assert columns == [len(second.item_ids)] * len(columns) and len(columns) == 12


async def test_facts_are_the_catalogues(service: Any, shop: Any) -> None:
    response = await service.stub.GatherPage(page(modules={"BESTSELLERS": {"limit": 200}, "DEALS": {}}))
    rows = {row["item_id"]: row for row in shop.items.to_pylist()}
    facts = response.item_facts
    for place, item_id in enumerate(response.item_ids):
        row = rows[item_id]
        assert facts.brand[place] == row["brand"]
        assert facts.seller[place] == row["seller"]
        assert facts.category[place] == row["category"]
        assert facts.price_micros[place] == row["price_micros"]
        assert facts.margin_micros[place] == row["margin_micros"]
        assert facts.stock[place] == row["stock"] > 0
        assert facts.age_rating[place] == row["age_rating"]
        assert facts.bid_micros[place] == row["bid_micros"]
        assert facts.first_seen_unix_s[place] == int(row["first_seen"].timestamp())
        assert facts.discount[place] == pytest.approx(1 - row["price_micros"] / row["list_price_micros"])
    assert min(facts.popularity) > 0 and max(facts.popularity) < 1


async def test_what_cannot_be_sold_is_nowhere(service: Any, shop: Any) -> None:
    hidden = {row["item_id"] for row in shop.items.to_pylist() if not row["is_active"] or not row["stock"]}
    articles = {row["item_id"] for row in shop.items.to_pylist() if row["kind"] == "article"}
    modules: dict[str, Any] = {name: {"limit": 200} for name in SOURCES}
    modules["LIST"] = {"limit": 200, "item_ids": sorted(hidden)}
    response = await service.stub.GatherPage(page(modules=modules, query="choose", item_id="item-000"))
    found = items_of(response)
    assert not hidden & set(response.item_ids)
    assert set(found.pop("ARTICLES")) <= articles
    assert not articles & {item for ids in found.values() for item in ids}


async def test_similar_leaves_out_the_item_and_bought_together_the_cart(service: Any) -> None:
    cart = [f"item-{place:03d}" for place in (0, 24, 36, 48)]  # spades; what is no spade goes with them
    response = await service.stub.GatherPage(
        page(
            modules={"SIMILAR": {}, "BOUGHT_TOGETHER": {"limit": 100}}, item_id="item-000", cart_item_ids=cart
        )
    )
    found = items_of(response)
    assert found["SIMILAR"] and "item-000" not in found["SIMILAR"]
    assert found["BOUGHT_TOGETHER"] and not set(cart) & set(found["BOUGHT_TOGETHER"])


async def test_category_and_limit_restrict_every_source(service: Any, shop: Any) -> None:
    category = {row["item_id"]: row["category"] for row in shop.items.to_pylist()}
    modules: dict[str, Any] = {name: {"category": "garden", "limit": 3} for name in SOURCES}
    modules["LIST"]["item_ids"] = list(category)[:50]
    response = await service.stub.GatherPage(page(modules=modules, query="red", item_id="item-001"))
    for name, ids in items_of(response).items():
        assert len(ids) <= 3, name
        assert {category[item] for item in ids} <= {"garden"}, name
    nowhere = await service.stub.GatherPage(page(modules={"BESTSELLERS": {"category": "nowhere"}}))
    assert not nowhere.item_ids


async def test_items_that_are_named_come_first_in_any_source(service: Any) -> None:
    plain = items_of(await service.stub.GatherPage(page(modules={"BESTSELLERS": {}})))["BESTSELLERS"]
    named = [plain[5], "unknown", plain[3]]
    response = await service.stub.GatherPage(page(modules={"BESTSELLERS": {"item_ids": named}}))
    expected = [plain[5], plain[3], *plain[:3], plain[4], *plain[6:]]
    assert items_of(response)["BESTSELLERS"] == expected
    again = await service.stub.GatherPage(page(modules={"BESTSELLERS": {}}))
    assert items_of(again)["BESTSELLERS"] == plain


async def test_a_new_shopper_gets_popular_items_and_no_history(service: Any) -> None:
    modules: dict[str, Any] = {"RECENTLY_VIEWED": {}, "BUY_AGAIN": {}, "FOR_YOU": {}}
    response = await service.stub.GatherPage(page("nobody", modules))
    found = items_of(response)
    assert not found["RECENTLY_VIEWED"] and not found["BUY_AGAIN"]
    assert len(found["FOR_YOU"]) == 24
    assert not response.session.is_known and response.session.price_level == 0.5


async def test_for_you_follows_what_the_shopper_likes(service: Any, shop: Any) -> None:
    category = {row["item_id"]: row["category"] for row in shop.items.to_pylist()}
    for user, liked in (("user-0", "garden"), ("user-1", "kitchen"), ("user-2", "living")):
        response = await service.stub.GatherPage(page(user, {"FOR_YOU": {}}))
        shares = [category[item] == liked for item in items_of(response)["FOR_YOU"]]
        assert np.mean(shares) > 0.8
        assert (
            max(response.session.category_affinities, key=response.session.category_affinities.get) == liked
        )


async def test_without_consent_no_profile_is_read(service: Any) -> None:
    modules: dict[str, Any] = {"RECENTLY_VIEWED": {}, "FOR_YOU": {}}
    answers = [
        await service.stub.GatherPage(page(user, modules, consent=consent, time=datetime.now(UTC)))
        for user, consent in (
            ("user-0", context_pb2.CONSENT_REFUSED),
            ("user-1", context_pb2.CONSENT_UNSPECIFIED),
            ("", context_pb2.CONSENT_GRANTED),
        )
    ]
    for answer in answers:
        assert answer.session == answers[0].session and not answer.session.is_known
        assert answer.item_ids == answers[0].item_ids
        assert answer.feature_sets[0].shopper_tensors == answers[0].feature_sets[0].shopper_tensors


async def test_unserved_fingerprint_is_refused_and_names_the_served(service: Any) -> None:
    problem = await problem_of(service.stub.GatherPage(page(fingerprints=("0" * 64,))))
    assert problem.startswith("FAILED_PRECONDITION") and schema.FINGERPRINT in problem
    both = await service.stub.GatherPage(page(fingerprints=("0" * 64, schema.FINGERPRINT)))
    assert [features.schema_fingerprint for features in both.feature_sets] == [schema.FINGERPRINT]
    neither = await service.stub.GatherPage(page(fingerprints=()))
    assert not neither.feature_sets and neither.item_ids


async def test_items_enter_pages_at_their_time(service: Any, shop: Any) -> None:
    first_seen = {row["item_id"]: row["first_seen"] for row in shop.items.to_pylist()}
    then = shop.now - timedelta(days=20)
    response = await service.stub.GatherPage(
        page(modules={"NEW_ARRIVALS": {"limit": 5}, "TRENDING": {"limit": 200}}, time=then)
    )
    found = items_of(response)
    assert all(first_seen[item] <= then for item in response.item_ids)
    arrivals = [first_seen[item] for item in found["NEW_ARRIVALS"]]
    assert arrivals == sorted(arrivals, reverse=True) and then - arrivals[0] < timedelta(days=3)


async def test_age_is_reckoned_at_the_pages_time(service: Any) -> None:
    age = next(spec for spec in schema.SPECS if spec.name == "item_numbers").columns.index("age_log_days")
    ages = []
    for days in (0, 20):
        time = datetime.now(UTC) - timedelta(days=days)
        request = page(modules={"LIST": {"item_ids": ["item-250"]}}, time=time)
        features = (await service.stub.GatherPage(request)).feature_sets[0]
        ages.append(tensors.from_tensor(features.item_tensors["item_numbers"])[0, age])
    assert ages[0] > ages[1] > 0


async def test_profile_reads_as_sentences_with_evidence(service: Any) -> None:
    profile = await service.stub.GetProfile(feature_pb2.GetProfileRequest(user_id="user-0"))
    assert profile.lines[0].value >= profile.lines[-1].value
    by_subject = {line.subject: line for line in profile.lines}
    assert "garden" in by_subject["category"].text and by_subject["category"].evidence_count > 5
    assert all(line.text.endswith(".") and line.evidence_count > 0 for line in profile.lines)
    assert profile.recent_item_ids and profile.updated.seconds > 0
    missing = await problem_of(service.stub.GetProfile(feature_pb2.GetProfileRequest(user_id="nobody")))
    assert missing.startswith("NOT_FOUND")


async def test_features_by_name_with_presence_and_defaults(service: Any, shop: Any) -> None:
    items = await service.stub.GetFeatures(
        feature_pb2.GetFeaturesRequest(
            entity=feature_pb2.ENTITY_ITEM,
            ids=["item-001", "nowhere"],
            features=["title", "price_micros", "click_rate", "vector"],
        )
    )
    known, unknown = items.rows
    assert known.is_present and not unknown.is_present
    assert known.values[0].text == shop.items.to_pylist()[1]["title"]
    assert known.values[1].integer == shop.items.to_pylist()[1]["price_micros"]
    assert len(known.values[3].numbers.values) == schema.VECTOR_WIDTH
    assert [value.WhichOneof("value") for value in unknown.values] == ["text", "integer", "number", "numbers"]
    shoppers = await service.stub.GetFeatures(
        feature_pb2.GetFeaturesRequest(entity=feature_pb2.ENTITY_SHOPPER, ids=["user-0", "nobody"])
    )
    assert [row.is_present for row in shoppers.rows] == [True, False]
    values = dict(zip(shoppers.features, shoppers.rows[0].values, strict=True))
    assert values["click_count"].integer == 6
    assert values["top_categories"].texts.values[0] == "garden"


async def test_a_slow_store_gives_defaults_and_a_full_one_sheds_load(
    settings: Any, running: Callable[[Any], AbstractAsyncContextManager[Any]], monkeypatch: pytest.MonkeyPatch
) -> None:
    import threading

    hurried = settings.model_copy(
        update={"profile_read_timeout_ms": 30.0, "reader_threads": 1, "max_waiting_reads": 0}
    )
    async with running(hurried) as service:
        store = service.servicer._store
        release, read = threading.Event(), store.read_value

        def slow(*arguments: Any, **named: Any) -> Any:
            release.wait(5)
            return read(*arguments, **named)

        monkeypatch.setattr(store, "read_value", slow)
        stale = await service.stub.GatherPage(page("user-0", {"FOR_YOU": {}}))
        assert stale.is_profile_stale and stale.item_ids and not stale.session.is_known
        shed = await problem_of(service.stub.GatherPage(page("user-0")))
        assert shed.startswith("RESOURCE_EXHAUSTED")
        release.set()
        for _ in range(100):
            await asyncio.sleep(0.02)
            if not service.servicer._readers._held:
                break
        fresh = await service.stub.GatherPage(page("user-0"))
        assert fresh.session.is_known and not fresh.is_profile_stale
