"""Where does a shopper stand among the items of a snapshot, and which of them are worth most to this one?

That takes a profile and a snapshot alone. It is worked out when a profile is written, which no page waits
for, and again on a page only where another snapshot serves by then.
"""

from __future__ import annotations

from collections.abc import Collection
from itertools import accumulate, chain, pairwise

import numpy as np
from msgspec.structs import replace
from numpy.typing import NDArray

from services.feature.items import schema
from services.feature.items.generation import Generation
from services.feature.pages.candidates import worth_most
from services.feature.shoppers.known import IS_LOOKED, Bearings, Known, known_of
from services.feature.shoppers.profile import Profile
from services.feature.shoppers.taste import Taste


def known_ahead(generation: Generation, profile: Profile) -> Known:
    """What pages to come need of a profile, ready for the items of a generation."""
    known = known_of(profile)
    return replace(known, bearings=bearings_in(generation, known, is_ahead=True))


def bearings_in(generation: Generation, known: Known, *, is_ahead: bool = False) -> Bearings:
    """
    Args:
        is_ahead: whether for pages to come, which may ask for what is worth most.
    """
    recent, bought, dismissed = _rows_of(generation, known.recent_item_ids, known.bought, known.dismissed)
    vector, has_taste = schema.taste(known.events, generation.columns.item_vector, recent)
    worthy = b""
    if has_taste and is_ahead:
        taste = Taste(vector, known.category_affinities, known.evidence_count)
        worthy = worth_most(generation, taste, bought[bought >= 0]).tobytes()
    return Bearings(
        generation.snapshot_version,
        recent[(known.events["flags"] & IS_LOOKED) > 0].tobytes(),
        bought.tobytes(),
        dismissed.tobytes(),
        vector.tobytes() if has_taste else b"",
        worthy,
    )


def _rows_of(generation: Generation, *groups: Collection[str]) -> list[NDArray[np.int32]]:
    """Rows of several groups of item ids, -1 where unknown, by one look-up."""
    rows = generation.rows_of(list(chain.from_iterable(groups)))
    ends = accumulate((len(group) for group in groups), initial=0)
    return [rows[start:end] for start, end in pairwise(ends)]
