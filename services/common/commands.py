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
    from rich.table import Table

    from services.common import artifacts

    table = Table("store", "version", "current", "published", "metrics")
    for store in _stores(root):
        current = artifacts.current_version(store)
        for version in artifacts.versions(store):
            manifest = artifacts.load(store, version).manifest
            metrics = "  ".join(f"{name} {value:.4g}" for name, value in manifest.get("metrics", {}).items())
            table.add_row(
                str(store), version, "*" if version == current else "", manifest["published"], metrics
            )
    Console().print(table)


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


def _stores(root: Path) -> list[Path]:
    from services.common import artifacts

    if artifacts.versions(root):
        return [root]
    return [path for path in sorted(root.glob("*")) if path.is_dir() and artifacts.versions(path)]
