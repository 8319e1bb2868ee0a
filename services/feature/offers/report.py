"""How are demand, price lists and audits shown in a terminal?"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime

from rich import box
from rich.console import Console
from rich.table import Table

from services.feature.offers.audit import Report
from services.feature.offers.demand import Demand
from services.feature.offers.evidence import Cells
from services.feature.offers.price_list import Row

ROWS_SHOWN = 20


def print_demand(console: Console, cells: Cells, demand: Demand) -> None:
    """Prints what is believed of each category, as a plot of intervals of 95 %."""
    high = max(1.0, float((demand.elasticity + 2 * demand.deviation).max(initial=0)))
    table = _table("What demand does for one percent off the price, in percent", "category")
    for name in ("mean", "95 %", "purchases", "at a cut"):
        table.add_column(name, justify="right")
    table.add_column(f"0 to {high:.1f}")
    for place, category in enumerate(cells.categories):
        mean, deviation = float(demand.elasticity[place]), float(demand.deviation[place])
        low, top = mean - 1.96 * deviation, mean + 1.96 * deviation
        table.add_row(
            category,
            f"{mean:.2f}",
            f"{low:.2f} to {top:.2f}",
            f"{demand.purchases[place]:,.0f}",
            f"{demand.cut_purchases[place]:,.0f}",
            _interval(low / high, mean / high, top / high),
        )
    console.print(table)


def print_rows(console: Console, rows: Sequence[Row], title: str) -> None:
    """Prints the first rows of a price list, those that earn most more than their list price first."""
    table = _table(f"{title}: {len(rows):,} items", "item")
    for name in ("now", "next", "off", "bought", "at list", "margin", "at list", "+-", "better", "why"):
        table.add_column(name, justify="left" if name == "why" else "right")
    gain = sorted(rows, key=lambda row: row.list_margin_micros - row.margin_micros)
    for row in gain[:ROWS_SHOWN]:
        table.add_row(
            row.item_id,
            f"{row.previous_price_micros / 1e6:,.2f}",
            f"{row.price_micros / 1e6:,.2f}",
            f"{row.level:.1%}",
            f"{row.purchases:.2f}",
            f"{row.list_purchases:.2f}",
            f"{row.margin_micros / 1e6:,.2f}",
            f"{row.list_margin_micros / 1e6:,.2f}",
            f"{row.deviation_micros / 1e6:,.2f}",
            f"{row.chance:.0%}",
            row.why,
        )
    console.print(table)
    if len(rows) > ROWS_SHOWN:
        console.print(f"and {len(rows) - ROWS_SHOWN:,} more", style="dim")
    console.print(
        "bought, margin, +-: expected of a thousand views; better: chance of earning more", style="dim"
    )


def print_audit(console: Console, report: Report) -> None:
    """Prints what an audit looked at, what it found, and its verdict."""
    console.print(
        f"{report.page_count:,} pages with {report.price_count:,} prices of items; {report.unpriced_count:,} "
        f"pages hold none and prove nothing\n"
        f"{report.cell_count:,} pairs of item and generation, {report.shared_count:,} of them seen by two or "
        f"more shoppers, {report.segments_count:,} by two or more segments\n"
        f"{report.purchase_count:,} purchases held against the price in force; "
        f"{report.unproven_count:,} could not be",
        highlight=False,
    )
    if report.violations:
        table = _table(f"{len(report.violations):,} breaches of parity", "what")
        for name in ("item", "time", "price", "others'", "pages", "where"):
            table.add_column(name, overflow="fold")
        for one in report.violations:
            pages = ", ".join(one.page_ids) + (
                f" and {one.count - len(one.page_ids)} more" if one.count > len(one.page_ids) else ""
            )
            table.add_row(
                one.kind.value,
                one.item_id,
                datetime.fromtimestamp(one.time_us / 1e6, UTC).isoformat(timespec="seconds"),
                f"{one.price_micros / 1e6:,.2f}",
                f"{one.wanted_micros / 1e6:,.2f}",
                pages or "-",
                one.where,
            )
        console.print(table)
    if report.by_segment:
        table = _table(
            "Where prices of a generation differ: what each segment saw beside most pages", "segment"
        )
        table.add_column("prices", justify="right")
        table.add_column("difference", justify="right")
        for segment in report.by_segment:
            table.add_row(segment.segment or "unknown", f"{segment.price_count:,}", f"{segment.mean:+.2%}")
        console.print(table)
    if report.is_proven:
        console.print("parity holds: each price is that of the item and the time, whoever looks")
    else:
        console.print("parity does not hold")


def _table(title: str, first: str) -> Table:
    table = Table(
        title=title, title_justify="left", box=box.SIMPLE_HEAD, collapse_padding=True, pad_edge=False
    )
    table.add_column(first)
    return table


def _interval(low: float, mean: float, top: float, width: int = 40) -> str:
    """A line of characters: the interval dashed, its mean a dot."""
    places = [min(max(round(share * (width - 1)), 0), width - 1) for share in (low, mean, top)]
    line = [" "] * width
    line[places[0] : places[2] + 1] = "-" * (places[2] - places[0] + 1)
    line[places[1]] = "o"
    return "".join(line)
