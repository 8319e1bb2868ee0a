"""Which verbs turn a shop's own files into this system's?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

from services.common.commands import group

if TYPE_CHECKING:
    from collections.abc import Sequence

    from rich.console import Console

    from services.feature.importing.mapping import FileMapping
    from services.feature.importing.support import Support

M = TypeVar("M", bound="FileMapping")

HELP = """Turn a shop's own files into this system's: items, ratings, logs of what was shown.

\b
  planogram import catalogue items.csv --mapping items.yaml \\
      --config-out var/config
  planogram import ratings ratings.csv
  planogram import log shown.csv --mapping log.yaml
  export PLANOGRAM_LAYOUT_CONFIG_PATH=var/config
  planogram build-features && planogram train click && planogram train policy
  planogram up && planogram compose

Files are CSV or Parquet. A mapping file says which of their columns is
which field; without one, columns have the fields' own names. A field's
source is a column's name, or one of:

\b
  {column: sku, prefix: "men-"}              {column: maker, default: none}
  {columns: \\[brand, name], separator: " "}   {column: eur, times: 1000000}
  {column: act, values: {buy: 1, see: 0}}    {column: at, unit: s}
  {value: fashion}                           ${name}: given by --set name=

Each command's --help lists its fields, with an example. Mistakes are told
with file, row and field, and nothing is written then.
"""

Mapping = Annotated[Path | None, typer.Option(help="YAML that says which column is which field.")]
Variables = Annotated[
    list[str] | None, typer.Option("--set", help="NAME=VALUE for ${NAME} in the mapping; repeatable.")
]
Out = Annotated[Path, typer.Option(help="Folder of the log; other imports' files in it stay.")]
Key = Annotated[Path, typer.Option(help="Secret that user ids are hashed with; the services need the same.")]
LOG, KEY, CATALOGUE = (
    Path("var/log/export"),
    Path("var/keys/shopper.key"),
    Path("var/catalogue/items.parquet"),
)


def register(app: typer.Typer) -> None:
    """Adds `planogram import`."""
    importing = group(app, "import", HELP)
    importing.command("catalogue")(import_catalogue)
    importing.command("ratings")(import_ratings)
    importing.command("log")(import_log)


def import_catalogue(
    file: Annotated[Path, typer.Argument(help="Items, .csv or .parquet, one row each.")],
    out: Annotated[Path, typer.Option(help="Catalogue to write; replaced.")] = CATALOGUE,
    mapping: Mapping = None,
    variables: Variables = None,
    config_out: Annotated[
        Path | None,
        typer.Option(
            help="Folder of layout's configuration to write, with the imported categories. Where it is "
            "there already, categories.yaml alone is replaced."
        ),
    ] = None,
    config_from: Annotated[
        Path | None,
        typer.Option(help="Folder that --config-out copies. Default: the one shipped with layout."),
    ] = None,
) -> None:
    """Items of a shop.

    \b
    Fields: item_id, title and category must have a source. Others:
      kind           product or article
      description    text
      brand, seller  text
      price_micros   price in millionths of the currency
      list_price_micros, margin_micros
      stock          pieces
      quality        mean rating, 0 to 1
      age_rating     lowest age in years; 0 is none
      bid_micros     an advertiser's bid for a click
      first_seen     ISO 8601 time
      is_active      1 or 0
      image_url, image_svg

    \b
    Example: items.csv
      sku,name,dept,eur,stars
      A1,Teapot,Home & Kitchen,19.9,4

    \b
    Example: items.yaml
      columns:
        item_id: sku
        title: name
        category: dept
        price_micros: {column: eur, times: 1000000}
        quality: {column: stars, times: 0.2}

    \b
      planogram import catalogue items.csv --mapping items.yaml \\
          --config-out var/config
      export PLANOGRAM_LAYOUT_CONFIG_PATH=var/config

    A category's id is made of its name ("home-kitchen"); the 16 largest get
    modules of their own.
    """
    from planogram.files import catalogue as files
    from services.feature.importing import items
    from services.feature.importing.mapping import CatalogueMapping

    chosen, mapped_by = _mapping(mapping, CatalogueMapping, variables)
    found = items.read(file, chosen, mapped_by)
    source = (config_from or items.shipped_configuration()) if config_out else None
    files.write(out, found.items)
    typer.echo(f"{found.items.num_rows:,} items in {len(found.category_names):,} categories in {out}")
    if config_out and source:
        items.write_configuration(config_out, source, found.largest_categories)
        typer.echo(
            f"{len(found.largest_categories)} categories get modules of their own in {config_out}; "
            f"for the layout service: export PLANOGRAM_LAYOUT_CONFIG_PATH={config_out}"
        )


def import_ratings(
    file: Annotated[Path, typer.Argument(help="Ratings, .csv or .parquet, one row each.")],
    out: Out = LOG,
    mapping: Mapping = None,
    variables: Variables = None,
    catalogue: Annotated[
        Path, typer.Option(help="To count items that it lacks, where it is there.")
    ] = CATALOGUE,
    key: Key = KEY,
) -> None:
    """Ratings of items by users.

    Each becomes a RATING event; one of 4 or more of 5 a CLICK event as well,
    so that items have neighbours and popularity. A rating does not say what
    else was on the page, so there are no exposures: models cannot be trained
    on ratings alone.

    \b
    Fields, all needed: user, item, rating, time.
    Settings of the mapping, with their defaults:
      name: ratings      part of file names; a second import of a name
                         replaces the first
      scale: [1, 5]      lowest and highest rating of the file
      click_from: 4      rating, out of 5, from which it is a click as well;
                         6 for never

    \b
    Example: ratings.csv        Example: ratings.yaml
      uid,sku,stars,at            scale: [0, 10]
      7,A1,9,1767225600           columns:
                                    user: uid
                                    item: sku
                                    rating: stars
                                    time: {column: at, unit: s}

    \b
      planogram import ratings ratings.csv --mapping ratings.yaml
      planogram build-features
    """
    import pyarrow.parquet as pq

    from services.common import pseudonyms
    from services.feature.importing import ratings
    from services.feature.importing.mapping import RatingsMapping
    from services.feature.importing.writing import write_events

    chosen, mapped_by = _mapping(mapping, RatingsMapping, variables)
    found = ratings.read(file, chosen, mapped_by, pseudonyms.load(key))
    write_events(out, chosen.name, found.events)
    typer.echo(
        f"{found.rating_count:,} ratings of {found.user_count:,} users, {found.click_count:,} of them clicks "
        f"as well, in {out}"
    )
    if catalogue.is_file():
        known = set(pq.read_table(catalogue, columns=["item_id"]).column("item_id").to_pylist())
        lacking = found.item_ids - known
        if lacking:
            typer.echo(
                f"{len(lacking):,} of {len(found.item_ids):,} rated items are not in {catalogue}, such as "
                f"{min(lacking)!r}; `planogram build-features` will set their events aside"
            )


def import_log(
    file: Annotated[Path, typer.Argument(help="What was shown, .csv or .parquet, one row an item.")],
    mapping: Mapping = None,
    out: Out = LOG,
    variables: Variables = None,
    catalogue: Annotated[Path, typer.Option(help="Items; import it first.")] = CATALOGUE,
    key: Key = KEY,
) -> None:
    """A log of what was shown and clicked.

    Rows become exposures and events. Features are made again as they were,
    from earlier rows alone; the click model and, where propensities are
    known, the policy can be trained on the result. To the policy every page
    stands alone: what one page does to the next is not learned.

    \b
    Fields: time, item and clicked are needed. Others:
      propensity  probability with which the item was drawn for its place;
                  the policy needs it
      position    1 from the top or the left
      page        of the page view; without it each row is a page of its own
      user        for profiles; a user's rows of a day are one visit, unless
      session     says which are
      segment     of the shopper
    Settings of the mapping, with their defaults:
      name: log           part of page ids; a second import of a name
                          replaces the first
      policy: logged      what chose the items
      page_type: home     home, category, product, search, cart, checkout, article or help
      device: desktop     desktop, phone or tablet
      family: discovery   promotion, discovery or deep
      refresh_hours: 1    how often item statistics are brought up to date

    \b
    Example: shown.csv                    Example: log.yaml
      at,uid,sku,rank,buy,prob              policy: random
      2026-01-31T12:00:00Z,7,A1,1,0,0.05    columns:
                                              time: at
                                              user: uid
                                              item: sku
                                              position: rank
                                              clicked: buy
                                              propensity: prob

    \b
      planogram import log shown.csv --mapping log.yaml
      planogram build-features && planogram train click && planogram train policy
    """
    from rich.console import Console
    from rich.progress import Progress

    from planogram.files import catalogue as files
    from services.common import pseudonyms
    from services.common.errors import ConfigurationError
    from services.feature.importing import impressions, shown
    from services.feature.importing.mapping import LogMapping
    from services.feature.importing.support import support
    from services.feature.importing.writing import write_pages

    chosen, mapped_by = _mapping(mapping, LogMapping, variables)
    if not catalogue.is_file():
        raise ConfigurationError(f"{catalogue}: no such file; run `planogram import catalogue` first")
    try:
        items = files.read(catalogue)
    except files.CatalogueError as error:
        raise ConfigurationError(str(error)) from None
    logged = shown.read(file, chosen, mapped_by)
    with Progress(console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("rows as they were", total=len(logged.page_rows))
        pages = impressions.pages(
            [logged], items, pseudonyms.load(key), lambda done, _: bar.update(task, completed=done)
        )
        exposure_count, event_count = write_pages(out, chosen.name, pages)
    print_support(Console(), [support(logged)])
    typer.echo(f"{exposure_count:,} exposures and {event_count:,} events in {out}")
    if logged.propensities is None:
        typer.echo("no propensity is mapped: the click model can learn from this log, the policy cannot")


def print_support(console: Console, found: Sequence[Support]) -> None:
    """Prints what each file's rows support."""
    from rich import box
    from rich.table import Table

    table = Table(
        title="What the files hold, and what they say of showing all items equally often",
        title_justify="left",
        box=box.SIMPLE_HEAD,
        collapse_padding=True,
        pad_edge=False,
    )
    for name in ("file", "rows", "clicks", "items", "click % (95 %)", "left", "weight", "even %"):
        table.add_column(name, justify="left" if name == "file" else "right", no_wrap=True)
    for each in found:
        low, high = each.interval
        weighted = ("", "", "")
        if each.effective_count is not None:
            assert each.largest_weight is not None and each.uniform_click_rate is not None
            weighted = (
                f"{each.effective_count:,.0f}",
                f"{each.largest_weight:,.0f}",
                f"{100 * each.uniform_click_rate:.3f}",
            )
        table.add_row(
            each.name,
            f"{each.row_count:,}",
            f"{each.click_count:,}",
            f"{each.item_count:,}",
            f"{100 * each.click_rate:.2f} ({100 * low:.2f}-{100 * high:.2f})",
            *weighted,
        )
    console.print(table)
    console.print(
        "click %: click rate, with its interval (Wilson). left: rows' worth of evidence (Kong 1992) after "
        "weighting each row by (1 / items) / propensity. weight: the largest. even %: the click rate of "
        "showing all items equally often, so estimated (SNIPS).",
        style="dim",
        highlight=False,
    )


def _mapping(path: Path | None, kind: type[M], variables: Sequence[str] | None) -> tuple[M, str]:
    """The mapping, and what to call it in messages."""
    from services.common.errors import ConfigurationError
    from services.feature.importing.mapping import load

    given = {}
    for text in variables or ():
        name, is_pair, value = text.partition("=")
        if not is_pair:
            raise ConfigurationError(f"--set: got {text!r}, want NAME=VALUE")
        given[name] = value
    return (load(path, kind, given), str(path)) if path else (kind(), "the mapping (--mapping)")
