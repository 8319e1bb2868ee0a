"""Which items may be priced, and what do they cost now?"""

from __future__ import annotations

from pathlib import Path

from planogram.files import catalogue
from services.feature.offers.standing import PricedItem
from services.feature.storage.journal import Journal


def items(catalogue_path: Path, state_path: Path) -> list[PricedItem]:
    """Active products with a price, by item id: the newer of what was pushed and what the catalogue says.

    Args:
        state_path: of the feature service, whose journal knows what was pushed; it may be missing.

    Raises:
        CatalogueError: where the catalogue cannot be used.
    """
    pushed = _pushed(state_path, round(catalogue_path.stat().st_mtime * 1e6))
    names = ("item_id", "category", "kind", "is_active", "price_micros", "list_price_micros", "margin_micros")
    found = []
    for row in catalogue.read(catalogue_path).select(names).to_pylist():
        if row["kind"] != "product" or not row["is_active"] or row["price_micros"] <= 0:
            continue
        price = pushed.get(row["item_id"], row["price_micros"])
        found.append(
            PricedItem(
                item_id=row["item_id"],
                category=row["category"],
                list_price_micros=max(row["list_price_micros"], price),
                price_micros=price,
                cost_micros=row["price_micros"] - row["margin_micros"],
            )
        )
    return found


def _pushed(state_path: Path, since_us: int) -> dict[str, int]:
    """Prices that were pushed after a time, as the feature service takes them."""
    if not (state_path / "journal.db").is_file():
        return {}
    journal = Journal(state_path)
    try:
        return {
            offer.item_id: offer.price_micros for offer in journal.offers() if offer.changed_us > since_us
        }
    finally:
        journal.close()
