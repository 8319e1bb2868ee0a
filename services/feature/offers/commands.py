"""Which verbs choose offers, apply them, and prove that prices are the same for everybody?"""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.common.commands import group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from services.feature.offers.price_list import Row

Store = Annotated[Path, typer.Option(help="Folder of price lists.")]
STORE = Path("var/offers")


def register(app: typer.Typer) -> None:
    """Adds `planogram offers` and `planogram audit prices`."""
    offers = group(app, "offers", "Price cuts by item and time, learned from demand: choose, then apply.")
    offers.command("choose")(choose)
    offers.command("apply")(apply)
    group(app, "audit", "What the log proves.").command("prices")(audit_prices)


def choose(
    store: Store = STORE,
    seed: Annotated[int, typer.Option(min=0, help="Of the draws; with the day, it decides.")] = 0,
    days: Annotated[float, typer.Option(min=0.01, max=3_650, help="After which the next list is due.")] = 7.0,
    at: Annotated[
        datetime | None, typer.Option(formats=["%Y-%m-%dT%H:%M:%S"], help="Moment, UTC. Default: now.")
    ] = None,
) -> None:
    """Writes a price list, learned from the log, within the limits of offers.yaml; changes nothing.

    Reads PLANOGRAM_FEATURE_LOG_PATH, PLANOGRAM_FEATURE_CATALOGUE_PATH, prices that were pushed, and lists
    that were applied. What stands in the list takes effect with `planogram offers apply`.
    """
    import hashlib

    from rich.console import Console

    from planogram.files.catalogue import CatalogueError
    from planogram.files.log import LogFileError
    from services.common.errors import ConfigurationError
    from services.common.settings import load
    from services.feature.offers import choosing, current, demand, document, evidence, price_list
    from services.feature.offers.report import print_demand, print_rows
    from services.feature.settings import FeatureSettings

    settings = load(FeatureSettings)
    rules = document.load(settings.offers_path)
    now_us = round((at.replace(tzinfo=UTC) if at else datetime.now(UTC)).timestamp() * 1e6)
    try:
        items = current.items(settings.catalogue_path, settings.state_path)
        categories = {item.item_id: item.category for item in items}
        found = evidence.read(settings.log_path, categories, rules.window_days, now_us)
    except (CatalogueError, LogFileError) as error:
        raise ConfigurationError(str(error)) from None
    history = price_list.with_applied(found.history, store)
    believed = demand.fit(found.cells)
    decisions = choosing.choose(items, history, found.cells, believed, rules, seed, now_us)
    rows = price_list.rows_of(decisions, now_us, now_us + round(days * evidence.DAY_US))
    names = found.cells.categories
    facts = {
        "seed": seed,
        "rules_sha256": hashlib.sha256(settings.offers_path.read_bytes()).hexdigest(),
        "page_count": found.page_count,
        "unpriced_count": found.unpriced_count,
        "elasticity": dict(zip(names, believed.elasticity.tolist(), strict=True)),
        "elasticity_deviation": dict(zip(names, believed.deviation.tolist(), strict=True)),
        "metrics": {"items": len(rows), "offers": sum(row.level > 0 for row in rows)},
    }
    version = price_list.publish(store, rows, now_us, facts)
    console = Console()
    console.print(
        f"{found.page_count:,} pages counted, {found.unpriced_count:,} without prices; "
        f"{found.cells.purchases.sum():,.0f} purchases",
        highlight=False,
    )
    print_demand(console, found.cells, believed)
    print_rows(console, [row for row in rows if row.level > 0], "On offer")
    typer.echo(f"price list {version} in {store}; `planogram offers apply` sends it")


def apply(
    store: Store = STORE,
    version: Annotated[str, typer.Option(help="A list. Default: the one that was chosen last.")] = "",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Say what would change, and send nothing.")
    ] = False,
    catalogue: Annotated[
        Path | None,
        typer.Option(help="A .parquet catalogue to write the prices into as well, for a shop that reads it."),
    ] = None,
    target: Annotated[str, typer.Option(help="Address of the feature service.")] = "127.0.0.1:7071",
    token: Annotated[
        str, typer.Option(help="Caller token of the internal role.", envvar="PLANOGRAM_TOKEN")
    ] = "",
) -> None:
    """Sends a price list to a running feature service; pages of every worker show it within 5 s."""
    import asyncio
    import time
    from dataclasses import replace

    from rich.console import Console

    from services.common.client import UpstreamError
    from services.feature.offers import applying, price_list
    from services.feature.offers.report import print_rows

    chosen = version or price_list.newest(store)
    rows = price_list.read(store, chosen)
    print_rows(Console(), [row for row in rows if row.price_micros != row.previous_price_micros], "Changes")
    if dry_run:
        typer.echo(f"{chosen}: nothing was sent")
        return
    sent = price_list.Application(chosen, 0, time.time_ns() // 1_000)
    price_list.note(store, sent)
    try:
        unknown = asyncio.run(_send(target, token, rows))
    except UpstreamError as error:
        typer.echo(f"planogram: not all prices were applied: {error}; send the list again", err=True)
        raise typer.Exit(1) from None
    price_list.note(store, replace(sent, applied_us=time.time_ns() // 1_000))
    if catalogue is not None:
        applying.write_catalogue(catalogue, rows)
    typer.echo(f"{chosen}: {len(rows) - len(unknown):,} prices applied")
    if unknown:
        typer.echo(f"{len(unknown):,} items are unknown to the service, such as {unknown[0]!r}")


def audit_prices(
    log: Annotated[Path, typer.Option(help="Exported log.")] = Path("var/log/export"),
    store: Store = STORE,
) -> None:
    """Proves from the log that every shopper saw and paid one price of an item at one moment, or refutes it.

    Ends with code 1 where something refutes it, and names the pages.
    """
    from rich.console import Console

    from planogram.files.log import LogFileError
    from services.common.errors import ConfigurationError
    from services.feature.offers import audit
    from services.feature.offers.report import print_audit

    try:
        report = audit.audit(log, store)
    except LogFileError as error:
        raise ConfigurationError(str(error)) from None
    print_audit(Console(), report)
    if not report.is_proven:
        raise typer.Exit(1)


async def _send(target: str, token: str, rows: Sequence[Row]) -> list[str]:
    """Ids of items that the service does not know."""
    from planogram.feature.v1 import feature_pb2_grpc
    from services.common.client import GrpcUpstream
    from services.feature.offers import applying

    upstream = GrpcUpstream("feature", target, feature_pb2_grpc.FeatureServiceStub, token)
    try:
        return await applying.apply(upstream, rows)
    finally:
        await upstream.close()
