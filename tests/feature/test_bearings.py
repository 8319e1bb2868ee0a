"""Does a page answer the same, whether or not it finds worked out where its shopper stands?"""

from __future__ import annotations

from datetime import timedelta
from typing import Any

import msgspec
import numpy as np
import pytest
from msgspec import structs

from planogram.feature.v1 import feature_pb2
from services.common import artifacts
from services.feature.items import schema, snapshot
from services.feature.items.generation import Generation
from services.feature.items.overlay import overlay
from services.feature.pages.bearings import bearings_in
from services.feature.pages.candidates import SOURCES, ModuleQuery
from services.feature.pages.gathering import Gathered, PageQuery, gather
from services.feature.shoppers import serialization
from services.feature.shoppers.acts import CLICK, DISMISSAL, PURCHASE, RETURN, ShopperEvent
from services.feature.shoppers.known import Bearings, Known, known_of
from services.feature.shoppers.profile import Profile, apply_events
from services.feature.shoppers.updating import profile_of
from services.feature.storage.journal import Offer

FOR_YOU = feature_pb2.CANDIDATE_SOURCE_FOR_YOU


@pytest.fixture
def generation(settings: Any) -> Generation:
    version = artifacts.current_version(settings.snapshots_path)
    assert version is not None
    return snapshot.load(settings.snapshots_path, version)


def shopper(generation: Generation, seed: int) -> Known:
    """Somebody who did things with some items, of which the shop does not know all."""
    random, profile = np.random.default_rng(seed), Profile()
    names = [*(f"item-{number:03d}" for number in range(60)), "gone"]
    events = [
        ShopperEvent(
            f"e{number}",
            int(generation.newest_s * 1e6) + number * 1_000_000,
            int(random.choice([CLICK, CLICK, PURCHASE, RETURN, DISMISSAL])),
            "s",
            f"p{number}",
            "m",
            "deep",
            "",
            str(random.choice(names)),
            0.0,
            number,
        )
        for number in range(int(random.integers(1, 40)))
    ]
    apply_events(profile, b"", events, generation.brief, 1_000)
    return known_of(profile)


def ahead(generation: Generation, known: Known) -> Known:
    """As it is stored."""
    return structs.replace(known, bearings=bearings_in(generation, known, is_ahead=True))


def page(generation: Generation, known: Known, shop: Any, limit: int = 12, **fields: Any) -> Gathered:
    modules = [ModuleQuery(f"m{source}", source, limit) for source in SOURCES]
    query = PageQuery("s", 1, 1, shop.now, modules, item_id="item-003", cart_item_ids=("item-005",), **fields)
    return gather(generation, known, query)


def same(one: Gathered, other: Gathered) -> bool:
    tensors = zip(one.features.values(), other.features.values(), strict=True)
    return (
        one.rows.tolist() == other.rows.tolist()
        and (one.modules, one.session, one.past) == (other.modules, other.session, other.past)
        and all(
            np.array_equal(mine[name], its[name])
            for first, second in tensors
            for mine, its in ((first.item, second.item), (first.shopper, second.shopper))
            for name in mine
        )
    )


@pytest.mark.parametrize("seed", range(12))
def test_a_page_is_the_same_with_and_without(generation: Generation, shop: Any, seed: int) -> None:
    known = shopper(generation, seed)
    stored = ahead(generation, known)
    assert stored.bearings.snapshot_version == generation.snapshot_version
    for limit in (1, 12, 40, 200):  # the last is more than was looked for ahead
        assert same(page(generation, stored, shop, limit), page(generation, known, shop, limit))


def test_what_is_worth_most_is_taken_from_the_profile(generation: Generation, shop: Any) -> None:
    """Else the other tests would compare one way with itself."""
    known = ahead(generation, shopper(generation, 3))
    wanted = np.flatnonzero(generation.is_product_shown)[-20:].astype(np.int32)
    other = structs.replace(known, bearings=structs.replace(known.bearings, worthy_rows=wanted.tobytes()))
    found = page(generation, other, shop)
    answer = feature_pb2.GatherPageResponse.FromString(b"".join(found.modules))
    module = next(one for one in answer.modules if one.module_id == f"m{FOR_YOU}")
    assert found.rows[list(module.rows)].tolist() == wanted[:12].tolist()


def test_another_snapshot_is_looked_through_anew(generation: Generation, shop: Any) -> None:
    known = ahead(generation, shopper(generation, 5))
    nonsense = np.full(70, 1, np.int32).tobytes()
    stale = structs.replace(
        known,
        bearings=structs.replace(
            known.bearings, snapshot_version="an older one", worthy_rows=nonsense, bought_rows=nonsense
        ),
    )
    assert same(page(generation, stale, shop), page(generation, known, shop))


def test_what_is_sold_out_since_then_does_not_stand_on_a_page(generation: Generation, shop: Any) -> None:
    known = ahead(generation, shopper(generation, 7))
    worthy = np.frombuffer(known.bearings.worthy_rows, np.int32)
    assert len(worthy) > 40 and generation.is_product_shown[worthy].all()
    gone = [generation.columns.ids[row].decode() for row in worthy[:3].tolist()]
    offers = [Offer(item_id, 5_000_000, stock=0, is_active=True, changed_us=2**60) for item_id in gone]
    changed = overlay(generation, offers, 1)
    found = page(changed, known, shop)
    assert not set(found.rows.tolist()) & set(worthy[:3].tolist())
    assert same(found, page(changed, structs.replace(known, bearings=shopper(generation, 7).bearings), shop))


def test_time_alone_does_not_turn_a_taste(generation: Generation) -> None:
    known = shopper(generation, 1)
    events = known.events.copy()
    rows = generation.rows_of(known.recent_item_ids)
    vectors = generation.columns.item_vector
    now, has_taste = schema.taste(events, vectors, rows)
    events["time_us"] -= 400 * 86_400 * 1_000_000
    later, has_taste_later = schema.taste(events, vectors, rows)
    assert has_taste and has_taste_later and now.tolist() == later.tolist()
    assert abs(float(now @ now) - 1) < 1e-5
    events["time_us"][len(events) // 2 :] -= 7 * 86_400 * 1_000_000
    assert schema.taste(events, vectors, rows)[0].tolist() != now.tolist()


def test_nobody_stands_anywhere_without_events(generation: Generation) -> None:
    found = bearings_in(generation, known_of(Profile()), is_ahead=True)
    assert found == Bearings(generation.snapshot_version)


async def test_an_update_leaves_it_in_the_profile(service: Any, make_event: Any, shop: Any) -> None:
    key = service.shopper_key("somebody new")
    click = make_event(
        "CLICK",
        shop.now - timedelta(seconds=9),
        shopper_key=key,
        session_key="0" * 32,
        page_id="p",
        item_id="item-003",
    )
    await service.stub.UpdateProfiles(feature_pb2.UpdateProfilesRequest(events=[click]))
    generation = service.servicer._items.current
    row = (await service.servicer._read([key]))[0]
    stored = serialization.loads_known(row.values["state"])
    assert stored == ahead(generation, known_of(profile_of(row)))
    assert stored.bearings.worthy_rows and stored.bearings.taste
    assert np.frombuffer(stored.bearings.looked_rows, np.int32).tolist() == [generation.row_of("item-003")]


def test_releases_that_know_nothing_of_it_read_the_rest(generation: Generation) -> None:
    known = ahead(generation, shopper(generation, 2))
    fields = msgspec.json.decode(msgspec.json.encode(known))
    without = msgspec.json.decode(msgspec.json.encode(fields[:-1]), type=Known)
    assert without == structs.replace(known, bearings=Known().bearings)
    with_more = msgspec.json.decode(msgspec.json.encode([*fields, "what a later release adds"]), type=Known)
    assert with_more == known
