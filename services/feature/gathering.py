"""What does one page need: whose candidates, with which features, for a shopper in which state?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import accumulate, pairwise
from typing import Any

import numpy as np
from numpy.typing import NDArray

from planogram.feature.v1 import feature_pb2
from services.feature import schema
from services.feature.candidates import ModuleQuery, Visit, candidates, is_common
from services.feature.facts import describe
from services.feature.profile import LOOKED, Profile, SessionView, bought_before, evidence_count, view
from services.feature.schema import Encoding
from services.feature.snapshot import Generation
from services.feature.taste import Taste


@dataclass(frozen=True, slots=True)
class PageQuery:
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


@dataclass(frozen=True, slots=True)
class Features:
    """Tensors by name."""

    item: Mapping[str, NDArray[Any]]
    shopper: Mapping[str, NDArray[Any]]


@dataclass(frozen=True, slots=True)
class Common:
    """What pages of the same modules have in common, whoever looks. C distinct items."""

    place: Mapping[int, int]
    """Rows of the generation, and their positions on a page: 0 to C - 1, in order."""
    module_rows: Mapping[str, Sequence[int]]
    """Positions by module id, best first."""
    described: bytes
    """A GatherPageResponse that describes these items, in wire form."""


@dataclass(frozen=True, slots=True)
class Gathered:
    """One page's candidates and features. N distinct items."""

    common: Common
    """What is known of the first C items."""
    rows: NDArray[np.int64]
    """(N,) rows of the generation."""
    module_rows: Sequence[Sequence[int]]
    """Per module, positions in `rows`, best first."""
    features: Mapping[str, Features]
    """By fingerprint of the encoding, in the order of the question."""
    session: SessionView
    past: Past


@dataclass(frozen=True, slots=True)
class Past:
    """What the shopper did with items of the page: their positions, and when, in seconds since 1970."""

    purchased: Mapping[int, int]
    dismissed: Mapping[int, int]


def gather(generation: Generation, profile: Profile | None, query: PageQuery) -> Gathered:
    """Everything that one page needs, from one generation and one profile; None is no profile."""
    known = profile or Profile()
    session = view(profile, query.session_key)
    # One look-up for all ids of the page: it costs the same for ten and for a hundred.
    recent, bought, cart, item = _rows_of(
        generation, known.recent.item_ids, bought_before(known), query.cart_item_ids, [query.item_id]
    )
    now_s = query.now.timestamp()
    taste = schema.taste(known, generation.vectors(recent), now_s * 1e6)
    looked = zip(recent.tolist(), known.recent.events, strict=True)
    visit = Visit(
        now_s=now_s,
        is_settled=now_s >= generation.newest_s,
        item_row=int(item[0]),
        cart_rows=cart.tolist(),
        query=query.query,
        looked_rows=[row for row, event in looked if event in LOOKED],
        bought_rows=[row for row in bought.tolist() if row >= 0],
        taste=Taste(taste, session.category_affinities, evidence_count(known)) if taste.any() else None,
        category_affinities=session.category_affinities,
    )
    shared = tuple(module for module in query.modules if is_common(generation, module, visit))
    common = generation.commons.once(shared, lambda: _common(generation, shared, visit))
    place = dict(common.place)
    positions = [
        common.module_rows.get(module.module_id)
        or _positions(place, candidates(generation, module, visit).tolist())
        for module in query.modules
    ]
    rows = np.array(list(place), np.int64)
    features = {
        encoding.fingerprint: Features(
            generation.item_tensors(encoding, rows, query.now),
            encoding.shopper(
                known, session, taste, page_type=query.page_type, device=query.device, now=query.now
            ),
        )
        for encoding in query.encodings
    }
    return Gathered(common, rows, positions, features, session, _past(generation, known, place))


def _past(generation: Generation, known: Profile, place: Mapping[int, int]) -> Past:
    purchased = {item_id: time_us for item_id, (_, time_us) in known.bought.items()}
    found = []
    for times in (purchased, known.dismissed):
        rows = generation.rows_of(list(times)).tolist() if times else []
        found.append(
            {
                place[row]: time_us // 1_000_000
                for row, time_us in zip(rows, times.values(), strict=True)
                if row in place
            }
        )
    return Past(*found)


def _rows_of(generation: Generation, *groups: Sequence[str]) -> list[NDArray[np.int32]]:
    """Rows of several groups of item ids, -1 where unknown."""
    rows = generation.rows_of([item_id for group in groups for item_id in group])
    ends = accumulate((len(group) for group in groups), initial=0)
    return [rows[start:end] for start, end in pairwise(ends)]


def _common(generation: Generation, modules: Sequence[ModuleQuery], visit: Visit) -> Common:
    place: dict[int, int] = {}
    positions = {
        module.module_id: _positions(place, candidates(generation, module, visit).tolist())
        for module in modules
    }
    response = feature_pb2.GatherPageResponse()
    describe(response, generation, np.array(list(place), np.int64))
    return Common(place, positions, response.SerializeToString())


def _positions(place: dict[int, int], rows: Sequence[int]) -> list[int]:
    """Positions of rows on the page; a row that is new to it comes last."""
    return [place.setdefault(row, len(place)) for row in rows]
