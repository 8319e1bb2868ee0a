"""Which verbs run the synthetic shop?"""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from simulator.scene import Scene
    from simulator.tally import Tally
    from simulator.traffic import Report, Traffic

CATALOGUE = Path("var/catalogue/items.parquet")
LOG = Path("var/simulated")
LINE_EVERY_S = 5.0
"""Where there is no terminal, a line tells of the pages so often."""

Seed = Annotated[int, typer.Option(min=0, help="The same seed, day and catalogue give the same shop.")]
Day = Annotated[
    datetime | None, typer.Option(formats=["%Y-%m-%d"], help="Day of the shop. Default: today, UTC.")
]


def register(app: typer.Typer) -> None:
    """Adds make-catalogue and simulate."""
    app.command("make-catalogue")(make_catalogue)
    app.command("simulate")(simulate)


def make_catalogue(
    out: Annotated[Path, typer.Option(help="File to write.")] = CATALOGUE,
    items: Annotated[int, typer.Option(min=200, help="Products and articles together.")] = 10_000,
    seed: Seed = 0,
    as_of: Day = None,
) -> None:
    """Writes the catalogue of the synthetic shop: items with texts, prices and drawn pictures."""
    from planogram.files import catalogue as files
    from simulator import catalogue, scene

    table = catalogue.make(seed, scene.day(as_of), items)
    files.write(out, table)
    typer.echo(f"{out}: {table.num_rows:,} items")


def simulate(
    page_views: Annotated[int, typer.Option(min=1, help="Sessions begin until so many are reached.")] = 1_000,
    seed: Seed = 0,
    target: Annotated[str, typer.Option(help="Address of a layout service to browse.")] = "127.0.0.1:7070",
    in_process: Annotated[bool, typer.Option(help="Browse the services within this process.")] = False,
    vectorised: Annotated[
        bool, typer.Option(help="Write logs of the vectorised face, with uniform choices, to --out.")
    ] = False,
    out: Annotated[Path, typer.Option(help="Folder of the log; --vectorised only.")] = LOG,
    days: Annotated[float, typer.Option(min=0, max=29, help="Length of the history; 0 browses now.")] = 14.0,
    concurrency: Annotated[int, typer.Option(min=1, help="Sessions at once.")] = 32,
    shard: Annotated[
        str, typer.Option(help="i/n sends the i-th of n parts of the shoppers, from 0.")
    ] = "0/1",
    catalogue: Annotated[Path, typer.Option(help="Items of the shop.")] = CATALOGUE,
    has_questions: Annotated[
        bool, typer.Option("--questions/--no-questions", help="Some shoppers go to help pages and ask.")
    ] = True,
    token: Annotated[str, typer.Option(help="Caller token.", envvar="PLANOGRAM_TOKEN")] = "",
    as_of: Day = None,
) -> None:
    """Sends synthetic shoppers through a shop, or writes the logs of a vectorised one."""
    import asyncio

    from planogram.files import catalogue as files
    from simulator import scene
    from simulator.asking import Asking
    from simulator.traffic import Traffic

    try:
        played = scene.load(catalogue, seed, scene.day(as_of))
    except files.CatalogueError as error:
        typer.echo(f"planogram: {error}; `planogram make-catalogue` makes one", err=True)
        raise typer.Exit(2) from None
    if vectorised:
        from simulator import logbook

        began = time.perf_counter()
        end = scene.day(as_of)
        with _progress(page_views) as advance:
            tally = logbook.write(
                out, played.world, played.population, page_views, seed, end, days or 14.0, advance
            )
        _print_tally(tally)
        typer.echo(f"{out}: written in {time.perf_counter() - began:.1f} s")
        return
    now_s = time.time()
    # Ids repeat only where the same run is repeated: at the same moment.
    label = f"sim-{seed}-{int(now_s)}"
    part, parts = _shard(shard)
    traffic = Traffic(
        page_views,
        seed,
        now_s,
        days=days,
        label=label,
        concurrency=concurrency,
        shard=part,
        shard_count=parts,
        asking=Asking() if has_questions else None,
    )
    with _progress(-(-page_views // parts)) as advance:
        report = asyncio.run(_browse(played, traffic, target, token, in_process, advance))
    _print_tally(report.tally)
    _print_report(report)
    if report.failed_pages or report.failed_records:
        raise typer.Exit(1)


async def _browse(
    played: Scene,
    traffic: Traffic,
    target: str,
    token: str,
    is_in_process: bool,
    advance: Callable[[int], None],
) -> Report:
    from simulator.browsing import browse

    if is_in_process:
        from services.local import in_process

        async with in_process.open_upstream() as upstream:
            return await browse(upstream, played.world, played.population, traffic, advance)
    from simulator.connection import Connection

    connection = Connection(target, token)
    try:
        return await browse(connection, played.world, played.population, traffic, advance)
    finally:
        await connection.close()


def _shard(text: str) -> tuple[int, int]:
    """Place and number of shards of "i/n"."""
    part, slash, parts = text.partition("/")
    if not (slash and part.isdigit() and parts.isdigit() and int(part) < int(parts)):
        raise typer.BadParameter(f"--shard: got {text!r}, want i/n with 0 <= i < n")
    return int(part), int(parts)


class _progress:  # noqa: N801
    """A bar while a run lasts, or lines where there is no terminal; its value takes the pages so far."""

    def __init__(self, total: int) -> None:
        from rich.progress import BarColumn, MofNCompleteColumn, Progress, TimeElapsedColumn

        self._total = total
        self._begun_s = self._told_s = time.monotonic()
        self._bar = Progress("{task.description}", BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
        self._task = self._bar.add_task("pages", total=total)

    def __enter__(self) -> Callable[[int], None]:
        self._bar.start()
        return self._advance

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def _advance(self, count: int) -> None:
        done = min(count, self._total)
        self._bar.update(self._task, completed=done)
        now_s = time.monotonic()
        if not self._bar.console.is_terminal and now_s - self._told_s >= LINE_EVERY_S:
            self._told_s = now_s
            typer.echo(f"  {done:,} of {self._total:,} pages after {now_s - self._begun_s:.0f} s")


def _print_tally(tally: Tally) -> None:
    typer.echo(
        f"{tally.session_count:,} sessions of {tally.pages_per_session:.2f} pages; "
        f"{tally.click_rate:.1%} of pages clicked; {tally.conversion:.2%} of sessions with a purchase"
    )


def _print_report(report: Report) -> None:
    typer.echo(
        f"{report.page_count:,} pages ({report.bot_page_count:,} by robots, "
        f"{report.degraded_page_count:,} degraded), {report.event_count:,} events "
        f"({report.lost_impression_count:,} impressions lost, {report.repeated_event_count:,} sent twice, "
        f"{report.unborn_event_count:,} still to come)"
    )
    if report.help_page_count and report.has_help:
        typer.echo(f"{report.help_page_count:,} help pages, an answer helped on {report.helped_count:,}")
    for name, counts in (("pages", report.failed_pages), ("reports", report.failed_records)):
        for status, count in counts.items():
            typer.echo(f"{count:,} {name} failed: {status}", err=True)
