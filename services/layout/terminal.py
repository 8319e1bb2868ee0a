"""How does a page look in a terminal?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from rich.console import Console
from rich.markup import escape
from rich.table import Table

from planogram.layout.v1 import layout_pb2
from services.layout import blueprint
from services.layout.answers import Offered
from services.layout.matching import Matched

SHOWN_ITEMS = 4


def titles_of(catalogue: Path, page: layout_pb2.Page) -> dict[str, str]:
    """Titles of the page's items by id; empty where there are none, or no catalogue to read."""
    wanted = [item.item_id for slot in page.slots for item in slot.items]
    if not wanted or not catalogue.is_file():
        return {}
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    table = pq.read_table(catalogue, columns=["item_id", "title"], filters=pc.field("item_id").isin(wanted))
    return dict(zip(table["item_id"].to_pylist(), table["title"].to_pylist(), strict=True))


def _answered(slot: layout_pb2.Slot) -> list[str]:
    """What the slot answers, and what can be done about it."""
    if not slot.HasField("answer"):
        return []
    answer = slot.answer
    action = [f"{answer.action_label}: {answer.action_link}"] if answer.action_label else []
    return [escape(line) for line in (answer.text, *action)]


def print_offered(console: Console, offered: Sequence[Offered], locale: str) -> None:
    """Prints answers with how well they match."""
    for each in offered:
        found = each.answer
        console.print(
            f"[bold]{each.relevance:.3f}[/bold] {found.answer_id}: "
            f"{escape(blueprint.text(found.module.titles, locale))}"
        )


def print_matched(console: Console, found: Sequence[Matched]) -> None:
    """Prints how often questions find their answers, a line per language."""
    table = Table("language", "questions", "recall@1", "recall@3", "falsely matched", "ms per question")
    for each in found:
        table.add_row(
            each.language,
            str(each.question_count),
            f"{each.recall_at_1:.3f}",
            f"{each.recall_at_3:.3f}",
            f"{each.falsely_matched_count} of {each.foreign_count}",
            f"{each.median_ms:.2f}",
        )
    console.print(table)


def print_page(console: Console, page: layout_pb2.Page, titles: Mapping[str, str]) -> None:
    """Prints the page's slots, and what was behind them."""
    table = Table(title=f"page {page.page_id}", show_lines=True, title_justify="left")
    table.add_column("slot", style="bold")
    table.add_column("module")
    table.add_column("items", ratio=3)
    table.add_column("why", ratio=2)
    table.add_column("p", justify="right")
    for slot in page.slots:
        names = [titles.get(item.item_id, item.item_id) for item in slot.items]
        more = f"\n[dim]and {len(names) - SHOWN_ITEMS} more[/dim]" if len(names) > SHOWN_ITEMS else ""
        table.add_row(
            slot.slot_id,
            f"{slot.title}\n[dim]{slot.module_id} · {slot.template_id}[/dim]",
            "\n".join([*_answered(slot), *names[:SHOWN_ITEMS]]) + more,
            slot.reason,
            f"{slot.propensity:.3f}{' *' if slot.is_explored else ''}",
        )
    console.print(table)
    versions = page.versions
    console.print(
        f"scores: {versions.scoring or 'none'} · policy: {versions.policy or 'none'} · "
        f"items: {versions.snapshot or 'none'} · blueprint: {versions.blueprint} · * a trial",
        style="dim",
    )
    for entry in page.degraded:
        instead = layout_pb2.Fallback.Name(entry.fallback).removeprefix("FALLBACK_").lower().replace("_", " ")
        console.print(f"degraded: {entry.upstream}: {entry.reason}; used {instead}", style="yellow")
