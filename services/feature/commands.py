"""Which verbs does the feature service add to the `planogram` command?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.feature.importing import commands as importing
from services.feature.offers import commands as offers

if TYPE_CHECKING:
    from rich.console import Console

    from services.feature.pipeline.run import Report


def register(app: typer.Typer) -> None:
    """Adds `build-features`, `join-features`, `import`, `offers` and `audit prices`."""
    app.command("build-features")(build_features)
    app.command("join-features")(join_features)
    importing.register(app)
    offers.register(app)


def build_features() -> None:
    """Fills Feast from the catalogue and the log, and builds the snapshot that the service maps.

    Reads PLANOGRAM_FEATURE_CATALOGUE_PATH and PLANOGRAM_FEATURE_LOG_PATH; a log may be missing.
    """
    from rich.console import Console
    from rich.progress import Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    from services.common.settings import load
    from services.feature.indexes.wording import load as load_wording
    from services.feature.settings import FeatureSettings
    from services.feature.storage.journal import Journal

    settings = load(FeatureSettings)
    wording = load_wording(settings.search_path)
    console = Console()
    columns = (SpinnerColumn(), TextColumn("{task.description}"), TimeElapsedColumn())
    with Progress(*columns, console=console, transient=True) as progress:
        task = progress.add_task("loading Feast")
        from services.feature.engines import open_store
        from services.feature.pipeline.run import run

        store = open_store(settings)
        journal = Journal(settings.state_path)
        try:
            report = run(
                store=store,
                journal=journal,
                catalogue_path=settings.catalogue_path,
                log_path=settings.log_path,
                snapshots_path=settings.snapshots_path,
                kept_count=settings.applied_event_count,
                wording=wording,
                progress=lambda text: progress.update(task, description=text),
            )
        finally:
            journal.close()
            store.close()
    _print(console, report, settings.state_path)


def join_features(
    entities: Annotated[
        Path, typer.Argument(help="Parquet with item_id or shopper_key, and event_timestamp.")
    ],
    output: Annotated[Path, typer.Argument(help="Parquet to write: the same rows with the features.")],
    features: Annotated[list[str], typer.Option("--feature", help='Such as "item_statistics:click_rate".')],
) -> None:
    """Joins features as they were at each row's time, row for row, for analysis outside the service."""
    import pyarrow.parquet as pq

    from services.common.settings import load
    from services.feature.engines import open_store
    from services.feature.settings import FeatureSettings

    settings = load(FeatureSettings)
    store = open_store(settings)
    joined = store.historical(pq.read_table(entities), features)
    pq.write_table(joined, output)
    typer.echo(f"{joined.num_rows:,} rows in {output}")


def _print(console: Console, report: Report, state_path: Path) -> None:
    from rich.table import Table

    from services.feature.pipeline.clean import REASONS

    if report.rejected:
        table = Table(title="Events set aside", title_justify="left")
        table.add_column("reason")
        table.add_column("what it means")
        table.add_column("events", justify="right")
        for reason, count in report.rejected.items():
            table.add_row(reason, REASONS[reason], f"{count:,}")
        table.add_row("counted", "used for features", f"{report.event_count:,}")
        console.print(table)
        console.print(f"Set aside in {report.rejected_path}; training leaves it out, too")
    console.print(
        f"{report.item_count:,} items, {report.profile_count:,} profiles "
        f"({report.materialized_profile_count:,} newer than the stored ones) in {state_path}; "
        f"snapshot {report.snapshot_version}"
    )
    if not report.has_writer_place:
        console.print("Profiles were left to the service that runs on this state; its own are newer.")
