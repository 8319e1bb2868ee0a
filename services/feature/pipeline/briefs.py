"""What do profiles need to know of the items of a catalogue?"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import pyarrow as pa

from services.feature.items.derived import encode_vocabulary, price_levels, relative_price_of
from services.feature.items.generation import KINDS
from services.feature.shoppers.acts import ItemBrief


def item_briefs(items: pa.Table) -> dict[str, ItemBrief]:
    """What profiles need to know of items, by item id."""
    kind = np.array([KINDS[text] for text in items.column("kind").to_pylist()], np.int8)
    price = items.column("price_micros").to_numpy()
    names, codes = encode_vocabulary(items.column("category").to_pylist())
    log_median, percentile = price_levels(price, kind, codes, len(names))
    relative = relative_price_of(price, codes, log_median)
    columns: tuple[Sequence[Any], ...] = (
        items.column("item_id").to_pylist(),
        items.column("category").to_pylist(),
        items.column("brand").to_pylist(),
        relative.tolist(),
        percentile.tolist(),
    )
    return {
        item_id: ItemBrief(category, brand, relative_price, None if level != level else level)
        for item_id, category, brand, relative_price, level in zip(*columns, strict=True)
    }
