"""Which way of reading items' texts earns its weight, for items that are known and for new ones?

Each way gives items and shoppers vectors, our own network learns with them and without the new items, and is
judged on known and on new items of the latest pages apart.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

import torch

from planogram.files import catalogue as files
from services.common.errors import ConfigurationError
from services.local.bench import entering
from services.local.bench.click import entrants as networks
from services.local.bench.click import run as clicks
from services.local.bench.click import table
from services.local.bench.click.case import Answer, Array, Case
from services.local.bench.harness import Row
from services.local.bench.text import case as cases
from services.local.bench.text import vectors
from services.local.bench.text.case import Catalogue
from services.scoring.training import data, train
from services.scoring.training.architecture import DEFAULT
from services.scoring.training.data import Examined

GROUPS = ("known", "new")


def run(
    log: Path,
    catalogue: Path,
    seed_count: int,
    names: Sequence[str],
    command: str,
    say: Callable[[str], None] = print,
) -> dict[str, list[Row]]:
    """Fits and judges all, and reports known and new items apart.

    Args:
        names: of `vectors.ENTRANTS`; all where empty. Today's vectors always take part.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be learned from.
        ConfigurationError: for a name that nobody has, a package that is not there, or a catalogue that
            cannot be read or is not the log's.
    """
    torch.set_num_threads(1)
    chosen = entering.named(vectors.ENTRANTS, vectors.OWN, names)
    entering.check_installed(chosen, "bench-text")
    try:
        table_ = files.read(catalogue)
    except files.CatalogueError as error:
        raise ConfigurationError(f"--catalogue: {error}") from None
    texts = {name: table_.column(name).to_pylist() for name in ("title", "category", "brand", "description")}
    items = cases.catalogue(table_.column("item_id").to_pylist(), texts["category"], texts["brand"])
    pages = data.read(log)
    if (items.place(pages.item["item_ids"]) == len(items.item_ids)).all():
        raise ConfigurationError(f"--catalogue: {catalogue} holds no item of the log {log}")
    found: dict[str, list[clicks.Run]] = {group: [] for group in GROUPS}
    for entrant in chosen:
        read = cases.with_vectors(pages, items, entrant.embed(texts))
        for seed in range(seed_count):
            for group, judged in fit(entrant.name, read, items, seed).items():
                found[group].append(judged)
                say(f"seed {seed}, {entrant.name}, {group} items: {table.in_words(judged.figures)}")
    return {group: table.report(found[group], vectors.OWN, f"text-{group}", command) for group in GROUPS}


def fit(name: str, pages: Examined, items: Catalogue, seed: int) -> dict[str, clicks.Run]:
    """Lets the network learn from known items, and judges it by group."""
    learned, valid, test = train.split(pages)
    learned, valid = (cases.rows_of(part, ~cases.is_new(part, items)) for part in (learned, valid))
    whole = Case(learned, valid, test)
    answer = networks.fit_own(whole, seed, DEFAULT)
    is_new = cases.is_new(test, items)
    return {
        group: _judged(name, whole, answer, seed, is_of_group)
        for group, is_of_group in zip(GROUPS, (~is_new, is_new), strict=True)
    }


def _judged(name: str, whole: Case, answer: Answer, seed: int, is_of_group: Array) -> clicks.Run:
    part = replace(whole, test=cases.rows_of(whole.test, is_of_group))
    bought = None if answer.purchase is None else answer.purchase[is_of_group]
    said = replace(answer, test=answer.test[is_of_group], purchase=bought)
    return clicks.Run(
        name, seed, clicks.describe(part), clicks.judge(said, part), *clicks.by_shopper(said, part)
    )
