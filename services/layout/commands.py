"""Which verbs does layout add to the command line?"""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import Annotated, Any

import typer


class PageName(StrEnum):
    """Page types as they are typed."""

    HOME = "home"
    CATEGORY = "category"
    PRODUCT = "product"
    SEARCH = "search"
    CART = "cart"
    CHECKOUT = "checkout"
    ARTICLE = "article"
    HELP = "help"


def register(app: typer.Typer) -> None:
    """Adds compose, answers and export-log."""
    app.command("compose")(compose)
    app.command("answers")(answers)
    app.command("export-log")(export_log)


def compose(
    user: Annotated[str, typer.Option(help="Id of the shopper; empty is a stranger.")] = "",
    page: Annotated[PageName, typer.Option(help="Type of the page.", case_sensitive=False)] = PageName.HOME,
    subject: Annotated[
        str,
        typer.Option(
            help="Category, item, query, question, or items of the cart by comma, as the page needs."
        ),
    ] = "",
    session: Annotated[str, typer.Option(help="Id of the visit.")] = "terminal",
    consent: Annotated[bool, typer.Option(help="Whether the shopper agreed to personalisation.")] = True,
    locale: Annotated[str, typer.Option(help="Language of titles.")] = "en",
    catalogue: Annotated[Path, typer.Option(help="For titles of items; ids are shown without it.")] = Path(
        "var/catalogue/items.parquet"
    ),
    target: Annotated[str, typer.Option(help="Address of the layout service.")] = "127.0.0.1:7070",
    token: Annotated[str, typer.Option(help="Caller token.", envvar="PLANOGRAM_TOKEN")] = "",
    deadline_ms: Annotated[float, typer.Option(help="Time for the answer.")] = 500.0,
) -> None:
    """Prints one page of the running services as a table."""
    from rich.console import Console

    from planogram import client
    from planogram.layout.v1 import layout_pb2
    from services.layout.terminal import print_page, titles_of

    options: dict[str, Any] = {"has_consent": consent, "locale": locale}
    inside = list(filter(None, subject.split(",")))
    requests = {
        PageName.HOME: lambda: client.home(user, session, **options),
        PageName.CATEGORY: lambda: client.category(user, session, subject, **options),
        PageName.PRODUCT: lambda: client.product(user, session, subject, **options),
        PageName.SEARCH: lambda: client.search(user, session, subject, **options),
        PageName.CART: lambda: client.cart(user, session, inside, **options),
        PageName.CHECKOUT: lambda: client.checkout(user, session, inside, **options),
        PageName.ARTICLE: lambda: client.article(user, session, subject, **options),
        PageName.HELP: lambda: client.help_page(user, session, subject, **options),
    }
    try:
        with client.LayoutClient(target, token) as layout:
            answer: layout_pb2.Page = layout.compose(requests[page](), deadline_s=deadline_ms / 1e3)
    except client.LayoutError as error:
        hint = "; start the services with `make up`" if error.code.name == "UNAVAILABLE" else ""
        typer.echo(f"planogram: no page: {error.code.name}: {error.details}{hint}", err=True)
        raise typer.Exit(1) from None
    print_page(Console(), answer, titles_of(catalogue, answer))


def answers(
    question: Annotated[str, typer.Argument(help="As a shopper would ask it.")] = "",
    locale: Annotated[str, typer.Option(help="Language of the question.")] = "en",
    questions: Annotated[
        Path | None, typer.Option(help="CSV of language, answer, question: how many find their answers.")
    ] = None,
    config: Annotated[Path, typer.Option(help="Folder of layout's YAML files.")] = Path(__file__).parent
    / "config",
) -> None:
    """Prints what answers.yaml holds on a question, or how well it does on a file of them."""
    from rich.console import Console

    from planogram.common.v1 import context_pb2
    from services.common.errors import ConfigurationError
    from services.layout import configuration, matching
    from services.layout.terminal import print_matched, print_offered

    try:
        shop = configuration.load(config).answers
        if questions is not None:
            print_matched(Console(), matching.measured(shop, questions))
    except ConfigurationError as error:
        typer.echo(f"planogram: {error}", err=True)
        raise typer.Exit(1) from None
    if questions is None:
        context = context_pb2.PageContext(locale=locale, query=question)
        context.time.GetCurrentTime()
        print_offered(Console(), shop.offered(context, 5), locale)


def export_log(
    segments: Annotated[Path, typer.Option(help="Folder of the event log.")] = Path("var/log/segments"),
    out: Annotated[Path, typer.Option(help="Folder of the Parquet files; imports stay.")] = Path(
        "var/log/export"
    ),
) -> None:
    """Writes the event log as Parquet, for the feature pipeline and the trainers."""
    from rich.progress import Progress

    from services.layout.export import export

    with Progress(transient=True) as bar:
        task = bar.add_task("exporting the log", total=None)
        done = export(segments, out, lambda count: bar.update(task, completed=count))
    typer.echo(
        f"{done.exposure_count} exposures and {done.event_count} events in {out}; "
        f"{done.lost_count} records lost by crashes"
    )
