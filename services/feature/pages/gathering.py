"""What does one page need: whose candidates, with which features, for a shopper in which state?"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, NamedTuple

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from services.feature.items import schema
from services.feature.items.generation import Generation
from services.feature.items.schema import Encoding
from services.feature.pages import answer
from services.feature.pages.bearings import bearings_in
from services.feature.pages.candidates import SOURCES, ModuleQuery, Visit, common_sources, place
from services.feature.pages.placing import find
from services.feature.shoppers.acts import PURCHASE, ShopperEvent
from services.feature.shoppers.known import STRANGER, Bearings, Known, known_of
from services.feature.shoppers.profile import Profile, apply_events
from services.feature.shoppers.taste import Taste


class PageQuery(Struct, frozen=True):
    """One page view, and the modules that want candidates."""

    session_key: str
    page_type: int
    device: int
    now: datetime
    modules: Sequence[ModuleQuery]
    query: str = ""
    item_id: str = ""
    cart_item_ids: Sequence[str] = ()
    encodings: Sequence[Encoding] = (schema.CURRENT,)


class Features(Struct, frozen=True):
    """Tensors by name."""

    item: Mapping[str, NDArray[Any]]
    shopper: Mapping[str, NDArray[Any]]


class Common(Struct, frozen=True):
    """What pages of the same modules have in common, whoever looks. C distinct items."""

    rows: NDArray[np.int64]
    """(C,) rows of the generation, which come first on a page."""
    modules: Mapping[str, bytes]
    """By module id, a GatherPageResponse with its candidates alone, in wire form."""
    described: bytes
    """A GatherPageResponse that describes these items, in wire form."""
    others: Sequence[ModuleQuery]
    """Modules whose candidates differ from page to page."""
    other_ids: Sequence[str]


class Gathered(Struct, frozen=True):
    """One page's candidates and features. N distinct items."""

    common: Common
    """What is known of the first C items."""
    rows: NDArray[np.int64]
    """(N,) rows of the generation."""
    modules: Sequence[bytes]
    """Per module, a GatherPageResponse with its candidates alone, in wire form."""
    features: Mapping[str, Features]
    """By fingerprint of the encoding, in the order of the question."""
    session: bytes
    """A SessionState in wire form."""
    past: Past


class Past(NamedTuple):
    """What the shopper did with items of the page: their positions, and when, in seconds since 1970."""

    purchased: Mapping[int, int]
    dismissed: Mapping[int, int]


def gather(generation: Generation, known: Known | None, query: PageQuery) -> Gathered:
    """Everything that one page needs, from one generation and one shopper; None is a stranger."""
    known = known or STRANGER
    standing = known.standing(query.session_key)
    bearings = known.bearings
    if bearings.snapshot_version != generation.snapshot_version:
        bearings = bearings_in(generation, known)
    bought = np.frombuffer(bearings.bought_rows, np.int32)
    taste = np.frombuffer(bearings.taste, np.float32) if bearings.taste else None
    item, *cart = generation.rows_of([query.item_id, *query.cart_item_ids]).tolist()
    now_s = query.now.timestamp()
    visit = Visit(
        now_s=now_s,
        is_settled=now_s >= generation.newest_s,
        item_row=item,
        cart_rows=cart,
        query=query.query,
        looked_rows=np.frombuffer(bearings.looked_rows, np.int32),
        bought_rows=bought[bought >= 0][::-1].copy(),
        taste=(None if taste is None else Taste(taste, known.category_affinities, known.evidence_count)),
        worthy_rows=np.frombuffer(bearings.worthy_rows, np.int32),
        category_affinities=known.category_affinities,
    )
    sources = common_sources(generation, visit)
    wanted = tuple(query.modules)
    common = generation.commons.once((wanted, sources), lambda: _common(generation, wanted, sources, visit))
    page = place(generation, common.others, visit, common.rows)
    rows, written = page.rows, {**common.modules, **answer.modules(common.other_ids, page)}
    features = {
        encoding.fingerprint: Features(
            generation.item_tensors(encoding, rows, query.now),
            encoding.shopper(
                known,
                standing,
                schema.NO_TASTE if taste is None else taste,
                page_type=query.page_type,
                device=query.device,
                now=query.now,
            ),
        )
        for encoding in query.encodings
    }
    modules = [written[module.module_id] for module in query.modules]
    return Gathered(common, rows, modules, features, standing.message, _past(known, bought, bearings, rows))


def warm_up(generation: Generation) -> None:
    """Compiles what pages need, so that no shopper waits for it; what was compiled stays on the machine."""
    ids, now = [raw.decode() for raw in generation.columns.ids[:1].tolist()], datetime.now(UTC)
    profile = Profile()
    for item_id in ids:
        event = ShopperEvent("", int(now.timestamp() * 1e6), PURCHASE, "", "", "", "", "", item_id, 0.0, 0)
        apply_events(profile, b"", [event], generation.brief, 1)
    for first in ((), tuple(ids)):
        modules = [ModuleQuery(str(source), source, 2, "", first) for source in SOURCES]
        gather(generation, known_of(profile), PageQuery("", 1, 1, now, modules, item_id="".join(ids)))


def _past(known: Known, bought: NDArray[np.int32], bearings: Bearings, rows: NDArray[np.int64]) -> Past:
    """What was done with items of the page, of the rows of those that anything was done with."""
    if not known.bought and not known.dismissed:
        return Past({}, {})
    dismissed = np.frombuffer(bearings.dismissed_rows, np.int32)
    positions = find(np.concatenate((bought, dismissed)), rows).tolist()
    return Past(
        _on_page(positions[: len(bought)], known.bought.values()),
        _on_page(positions[len(bought) :], known.dismissed.values()),
    )


def _on_page(positions: Sequence[int], times_us: Collection[int]) -> dict[int, int]:
    """Positions that are on the page, and when, in seconds."""
    pairs = zip(positions, times_us, strict=True)
    return {position: time_us // 1_000_000 for position, time_us in pairs if position >= 0}


def _common(
    generation: Generation, modules: Sequence[ModuleQuery], sources: Collection[int], visit: Visit
) -> Common:
    """What pages of these modules share.

    Args:
        sources: whose candidates are the same on every page.
    """
    shared = [module for module in modules if module.source in sources]
    others = [module for module in modules if module.source not in sources]
    page = place(generation, shared, visit)
    return Common(
        rows=page.rows,
        modules=answer.modules([module.module_id for module in shared], page),
        described=generation.facts.describe(page.rows),
        others=others,
        other_ids=[module.module_id for module in others],
    )
