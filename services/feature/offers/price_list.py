"""How are prices kept that were decided: lists as immutable versions, and when each was applied?

    <store>/<version>/prices.csv     one row per item
    <store>/<version>/manifest.json  what it was decided by: seed, rules, elasticities by category
    <store>/applied.jsonl            one line per time that a list was sent to the feature service

A list holds items and times, and nothing of shoppers.
"""

from __future__ import annotations

import csv
import errno
import hashlib
import json
import os
import tempfile
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, astuple, dataclass, fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.common import artifacts
from services.common.errors import ConfigurationError, NotFound
from services.feature.offers.choosing import Decision
from services.feature.offers.evidence import PriceHistory

PRICES, APPLIED = "prices.csv", "applied.jsonl"
MOST_US = 253_402_300_799_999_999
"""The end of the year 9999, as far as times are written."""


@dataclass(frozen=True, slots=True)
class Row:
    """One item's price for a time. Money in micros of the currency.

    Attributes:
        level: share of the list price that is taken off.
        from_time, until_time: ISO 8601; the price stands until another list is applied, which is due then.
        why: what decided.
        purchases, list_purchases: expected of a thousand views, at the price and at the list price.
        margin_micros, list_margin_micros, deviation_micros: of a thousand views: expected at both, and the
            standard deviation of the first.
        chance: probability that a view earns more than at the list price.
    """

    item_id: str
    category: str
    level: float
    list_price_micros: int
    previous_price_micros: int
    price_micros: int
    from_time: str
    until_time: str
    why: str
    purchases: float
    list_purchases: float
    margin_micros: int
    list_margin_micros: int
    deviation_micros: int
    chance: float


@dataclass(frozen=True, slots=True)
class Application:
    """A list that was sent to the feature service; times in microseconds since 1970."""

    version: str
    applied_us: int
    """When the last of it was sent; 0 where that is not known: sending it did not end."""
    begun_us: int = 0
    """When the first of it was; 0 where that was not noted."""


def rows_of(decisions: Sequence[Decision], from_us: int, until_us: int) -> list[Row]:
    """The rows of decisions."""
    begin, end = (datetime.fromtimestamp(us / 1e6, UTC).isoformat() for us in (from_us, until_us))
    return [
        Row(
            one.item.item_id,
            one.item.category,
            round(one.level, 4),
            one.item.list_price_micros,
            one.item.price_micros,
            one.price_micros,
            begin,
            end,
            one.why,
            round(one.purchases, 4),
            round(one.list_purchases, 4),
            round(one.margin_micros),
            round(one.list_margin_micros),
            round(one.deviation_micros),
            round(one.chance, 4),
        )
        for one in decisions
    ]


def publish(store: Path, rows: Sequence[Row], from_us: int, facts: Mapping[str, Any]) -> str:
    """Keeps a list; returns its version. The same list of the same time is kept once."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / PRICES
        with path.open("w", newline="") as file:
            writer = csv.writer(file)
            writer.writerow([field.name for field in fields(Row)])
            writer.writerows(map(astuple, rows))
        moment = datetime.fromtimestamp(from_us / 1e6, UTC)
        version = f"{moment:%Y%m%dT%H%M%S}-{hashlib.sha256(path.read_bytes()).hexdigest()[:8]}"
        if version not in artifacts.versions(store):
            store.mkdir(parents=True, exist_ok=True)
            artifacts.publish(store, version, Path(folder), facts, is_current=False)
    return version


def read(store: Path, version: str) -> list[Row]:
    """The rows of a version.

    Raises:
        NotFound: where it is not there.
        Incompatible: where its files were changed.
        ConfigurationError: where a row cannot be read.
    """
    path = artifacts.load(store, version).file(PRICES)
    kinds = {"int": int, "float": float, "str": str}
    readers = {field.name: kinds[str(field.type)] for field in fields(Row)}
    rows: list[Row] = []
    with path.open(newline="", encoding="utf-8") as file:
        try:
            rows.extend(
                Row(**{name: reader(given[name]) for name, reader in readers.items()})
                for given in csv.DictReader(file)
            )
        except (KeyError, TypeError, ValueError, csv.Error) as error:
            raise ConfigurationError(f"{path}: row {len(rows) + 1}: {error}") from None
    return rows


def newest(store: Path) -> str:
    """The version that was decided last.

    Raises:
        NotFound: where there is none.
    """
    found = artifacts.versions(store)
    if not found:
        raise NotFound(f"{store}: no price list here; run `planogram offers choose` first")
    return found[-1]


def note(store: Path, application: Application) -> None:
    """Notes that a list is being sent; once it was, points to it as well.

    Raises:
        OSError: where the disk refuses; nothing was noted.
    """
    path = store / APPLIED
    path.touch()
    with path.open("r+b", buffering=0) as file:
        content = file.read()
        whole = _whole(content)
        end = min(len(content), len(whole))
        file.truncate(end)
        file.seek(end)
        line = whole[end:] + json.dumps(asdict(application)).encode() + b"\n"
        if file.write(line) != len(line):
            file.truncate(end)
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))
        os.fsync(file.fileno())
    if application.applied_us:
        artifacts.point(store, application.version)


def applied(store: Path) -> list[Application]:
    """All lists that were sent, to their end or not, in order of time.

    A last line that was cut short, as the disk was full or the power went, was told to nobody.

    Raises:
        ConfigurationError: for a line that cannot be read.
    """
    path = store / APPLIED
    if not path.is_file():
        return []
    found: dict[tuple[str, int], Application] = {}
    for number, line in enumerate(_whole(path.read_bytes()).splitlines(), 1):
        try:
            one = Application(**json.loads(line))
        except (ValueError, TypeError, RecursionError) as error:
            raise ConfigurationError(f"{path}:{number}: {error}") from None
        for field in ("applied_us", "begun_us"):
            us = getattr(one, field)
            if type(us) is not int or not 0 <= us <= MOST_US:
                raise ConfigurationError(f"{path}:{number}: {field}: got {us!r}, want 0 to {MOST_US}")
        if not isinstance(one.version, str):
            raise ConfigurationError(f"{path}:{number}: version: got {one.version!r}, want a text")
        found[one.version, one.begun_us or one.applied_us] = one  # its end takes the place of its begin
    return sorted(found.values(), key=lambda one: one.begun_us or one.applied_us)


def _whole(content: bytes) -> bytes:
    """The lines of a file without a last one that was cut short."""
    end = content.rfind(b"\n") + 1
    try:
        json.loads(content[end:])
    except ValueError:
        return content[:end]
    return content + b"\n"


def with_applied(history: PriceHistory, store: Path) -> PriceHistory:
    """The prices of a log's pages, and those of lists that were applied, in order of time."""
    merged: dict[str, list[tuple[int, int]]] = {item_id: list(known) for item_id, known in history.items()}
    for application in applied(store):
        for row in read(store, application.version):
            known = merged.setdefault(row.item_id, [])
            if not known:
                known.append((0, row.previous_price_micros))
            known.append((application.begun_us or application.applied_us, row.price_micros))
    return {item_id: _changes(known) for item_id, known in merged.items()}


def _changes(known: Iterable[tuple[int, int]]) -> list[tuple[int, int]]:
    """In order of time, without those that change nothing."""
    found: list[tuple[int, int]] = []
    for time, price in sorted(known):
        if not found or found[-1][1] != price:
            found.append((time, price))
    return found
