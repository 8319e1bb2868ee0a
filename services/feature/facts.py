"""What do rules need to know of a page's items, in wire form?"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from planogram.feature.v1 import feature_pb2
from services.feature.snapshot import Generation


def describe(
    response: feature_pb2.GatherPageResponse, generation: Generation, rows: NDArray[np.int64]
) -> None:
    """Appends ids and facts of items to an answer, in the order of the rows."""
    columns, facts = generation.columns, response.item_facts
    price = columns.price_micros[rows]
    response.item_ids.extend(columns.ids[rows].tolist())
    facts.brand.extend(generation.brands[columns.brand[rows]].tolist())
    facts.seller.extend(generation.sellers[columns.seller[rows]].tolist())
    facts.category.extend(generation.categories[columns.category[rows]].tolist())
    facts.price_micros.extend(price.tolist())
    facts.margin_micros.extend((price - columns.cost_micros[rows]).tolist())
    facts.stock.extend(columns.stock[rows].tolist())
    facts.age_rating.extend(columns.age_rating[rows].tolist())
    facts.bid_micros.extend(columns.bid_micros[rows].tolist())
    facts.first_seen_unix_s.extend(columns.first_seen_unix_s[rows].tolist())
    facts.popularity.extend(columns.click_rate[rows].tolist())
    facts.discount.extend(generation.discount[rows].tolist())
    facts.is_under_review.extend(generation.is_under_review[rows].tolist())
