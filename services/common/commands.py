"""Which verbs manage published models?"""

from __future__ import annotations

from pathlib import Path

import typer

models = typer.Typer(help="Published models: list them, and point the service to one.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    """Adds `planogram models`."""
    app.add_typer(models, name="models")


def group(app: typer.Typer, name: str, text: str) -> typer.Typer:
    """The group of verbs of this name, to which several services may add."""
    for info in app.registered_groups:
        if info.name == name and info.typer_instance is not None:
            return info.typer_instance
    added = typer.Typer(help=text, no_args_is_help=True)
    app.add_typer(added, name=name)
    return added


@models.command("list")
def list_versions(root: Path = typer.Argument(Path("var/models"), help="Folder of model stores.")) -> None:  # noqa: B008
    """Prints every published version of every store, the current one marked."""
    from rich.console import Console
    from rich.markup import escape
    from rich.table import Table

    from services.common import artifacts
    from services.common.errors import Incompatible

    console = Console()
    table = Table("store", "version", "current", "published", "metrics")
    for store in _stores(root):
        current = None
        try:
            current = artifacts.current_version(store)
        except Incompatible as error:
            console.print(f"damaged: {error}", style="red", markup=False)
        for version in artifacts.versions(store):
            mark = "*" if version == current else ""
            table.add_row(str(store), version, mark, *map(escape, _described(store, version)))
    console.print(table)


@models.command()
def point(
    store: Path = typer.Argument(..., help="Store of one model, such as var/models/click."),  # noqa: B008
    version: str = typer.Argument(..., help="A published version."),
) -> None:
    """Makes a published version the current one: a roll-back, or a roll-forward."""
    from services.common import artifacts

    artifacts.load(store, version)  # verified first: a damaged version is never pointed to
    artifacts.point(store, version)
    typer.echo(f"{store}: {version} is current; services follow within seconds")


def _described(store: Path, version: str) -> tuple[str, str]:
    """When a version was published, and its metrics; of a damaged one, what is wrong."""
    from services.common import artifacts
    from services.common.errors import Incompatible, NotFound

    try:
        manifest = artifacts.load(store, version).manifest
    except (Incompatible, NotFound) as error:
        return "damaged", str(error)
    metrics = manifest.get("metrics", {})
    return (
        str(manifest.get("published", "")),
        "  ".join(f"{name} {value:.4g}" for name, value in metrics.items() if isinstance(value, int | float)),
    )


def _stores(root: Path) -> list[Path]:
    from services.common import artifacts

    if artifacts.versions(root):
        return [root]
    return [path for path in sorted(root.glob("*")) if path.is_dir() and artifacts.versions(path)]
