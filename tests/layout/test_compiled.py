"""Is what ranks a page compiled before a shopper waits for it?"""

from __future__ import annotations

from services.layout import blake2, columns, wire
from services.layout.rules import auction, holding, matching, order, steps, variety
from tests.layout.test_rules import compose, ruled

__all__ = ["ruled"]  # a fixture

RULES = (
    {"name": "hidden", "hide": {"items": ["i8"]}},
    {"name": "boosted", "boost": {"factor": 2.0, "brands": ["b1"]}},
    {"name": "buried", "bury": {"above_price": 1}},
    {"name": "few", "cap": {"of": "brand", "most": 9, "in_modules": ["popular"]}},
    {"name": "mixed", "cap": {"of": "brand", "most": 2, "within": 3, "in_modules": ["for-you"]}},
    {"name": "page", "cap": {"of": "seller", "most": 90, "within": "page"}},
    {"name": "new", "fresh": {"share": 0.25, "newer_than_days": 14}},
    {"name": "relevance", "diversify": {"method": "mmr", "strength": 0.5, "in_modules": ["popular"]}},
    {"name": "determinant", "diversify": {"method": "dpp", "strength": 0.5}},
)


def signature_counts():
    parts = (blake2, columns, auction, holding, matching, order, steps, variety, wire)
    found = [entry for module in parts for entry in vars(module).values()]
    return {entry.__name__: len(entry.signatures) for entry in found if hasattr(entry, "signatures")}


async def test_a_shop_that_is_open_compiles_nothing_more(ruled):
    async with ruled(*RULES) as shop:
        before = signature_counts()
        await compose(shop)
        await compose(shop)
    assert sum(map(bool, before.values())) > 10
    assert signature_counts() == before
