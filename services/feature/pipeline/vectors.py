"""Where does each item stand among the others, by its words and by who clicks what together?

Words of title, category, brand and description are hashed into columns, and so are the items that were
clicked in the same sessions; a truncated singular value decomposition keeps the directions that matter.
An item that nobody clicked yet stands where its words put it, so it has neighbours at once.
"""

from __future__ import annotations

import re
import unicodedata
import zlib
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.feature.items.schema import VECTOR_WIDTH

_WORD = re.compile(r"[^\W_]+")
_CONTENT_WIDTH, _BEHAVIOUR_WIDTH = 1024, 512
_BLOCK = 4_096
_FIELD_WEIGHTS = {"title": 1.0, "category": 1.5, "brand": 0.8, "description": 0.3}
_BEHAVIOUR_WEIGHT = 0.7
_SUPPORT = 5.0
_ITERATIONS = 8
_OVERSAMPLE = 16


def item_vectors(
    texts: Mapping[str, Sequence[str]], co_clicks: Mapping[int, Mapping[int, float]]
) -> NDArray[np.float32]:
    """Vectors of items: (N, D), unit length, zeros for an item without any word or click.

    Args:
        texts: N texts by field: title, category, brand, description.
        co_clicks: per row, how often other rows were clicked in the same sessions.

    Source: Halko, Martinsson, Tropp 2011, arXiv:0909.4061, algorithm 4.4 (subspace iteration), on the
    second-moment matrix, which is small and gathered block by block.
    """
    count = len(texts["title"])
    entries = _entries(texts, co_clicks)
    width = _CONTENT_WIDTH + _BEHAVIOUR_WIDTH
    moment, total = np.zeros((width, width)), np.zeros(width)
    for start in range(0, count, _BLOCK):
        block = _dense(entries[start : start + _BLOCK], width)
        moment += block.T @ block
        total += block.sum(axis=0)
    mean = total / max(count, 1)
    # Without its mean, or the first direction would be what all items share.
    moment -= count * np.outer(mean, mean)
    basis = _leading(moment, VECTOR_WIDTH)
    vectors = np.zeros((count, VECTOR_WIDTH), np.float32)
    for start in range(0, count, _BLOCK):
        part = entries[start : start + _BLOCK]
        block = _dense(part, width)
        projected = (block - mean) @ basis
        projected[[not entry for entry in part]] = 0
        lengths = np.linalg.norm(projected, axis=1, keepdims=True)
        vectors[start : start + _BLOCK] = np.divide(
            projected, lengths, out=np.zeros_like(projected), where=lengths > 1e-6
        )
    return vectors


def co_click_counts(sessions: Sequence[Sequence[int]], limit: int = 30) -> dict[int, dict[int, float]]:
    """How often two rows were clicked in one session, both ways; of a session the first `limit` items."""
    counts: dict[int, dict[int, float]] = {}
    for rows in sessions:
        distinct = list(dict.fromkeys(rows))[:limit]
        for one in distinct:
            others = counts.setdefault(one, {})
            for other in distinct:
                if other != one:
                    others[other] = others.get(other, 0.0) + 1.0
    return counts


def _entries(
    texts: Mapping[str, Sequence[str]], co_clicks: Mapping[int, Mapping[int, float]]
) -> list[dict[int, float]]:
    """Per item its non-zero columns, of length 1 in words and of up to _BEHAVIOUR_WEIGHT in behaviour."""
    count = len(texts["title"])
    rows: list[dict[int, float]] = [{} for _ in range(count)]
    for name, weight in _FIELD_WEIGHTS.items():
        for row, text in enumerate(texts[name]):
            for word in set(words_of(text)):
                # Category and brand are names of their own; the same word in a title is another feature.
                prefix = "" if name in ("title", "description") else name
                column, sign = _column(f"{prefix}:{word}", _CONTENT_WIDTH)
                rows[row][column] = rows[row].get(column, 0.0) + sign * weight
    document_counts = Counter(column for row in rows for column in row)
    rarity = {column: np.log1p(count / seen) for column, seen in document_counts.items()}
    for row, entry in enumerate(rows):
        weighted = {column: value * rarity[column] for column, value in entry.items()}
        length = float(np.sqrt(sum(value * value for value in weighted.values())))
        rows[row] = {column: value / length for column, value in weighted.items()} if length else {}
    for row, others in co_clicks.items():
        _add_behaviour(rows[row], others)
    return rows


def _add_behaviour(entry: dict[int, float], others: Mapping[int, float]) -> None:
    total = sum(others.values())
    columns: dict[int, float] = {}
    for other, times in others.items():
        column, sign = _column(f"co:{other}", _BEHAVIOUR_WIDTH)
        columns[column] = columns.get(column, 0.0) + sign * times
    length = float(np.sqrt(sum(value * value for value in columns.values())))
    if length:
        # The more was seen of the item, the more its behaviour says.
        weight = _BEHAVIOUR_WEIGHT * total / (total + _SUPPORT)
        for column, value in columns.items():
            entry[_CONTENT_WIDTH + column] = weight * value / length


def words_of(text: str) -> list[str]:
    """Words in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def _column(text: str, width: int) -> tuple[int, float]:
    """Hashing trick with a sign, so that collisions cancel on average (Weinberger et al. 2009)."""
    code = zlib.crc32(text.encode())
    return (code >> 1) % width, 1.0 if code & 1 else -1.0


def _dense(entries: Sequence[Mapping[int, float]], width: int) -> NDArray[np.float32]:
    block = np.zeros((len(entries), width), np.float32)
    for row, entry in enumerate(entries):
        if entry:
            block[row, list(entry)] = list(entry.values())
    return block


def _leading(matrix: NDArray[Any], width: int) -> NDArray[Any]:
    """The leading eigenvectors of a symmetric matrix as columns, largest first, signs made definite."""
    generator = np.random.default_rng(0)
    size = min(width + _OVERSAMPLE, len(matrix))
    basis = np.linalg.qr(generator.standard_normal((len(matrix), size)))[0]
    for _ in range(_ITERATIONS):
        basis = np.linalg.qr(matrix @ basis)[0]
    values, rotation = np.linalg.eigh(basis.T @ matrix @ basis)
    leading = (basis @ rotation)[:, np.argsort(-values)[:width]]
    signs = np.sign(leading[np.abs(leading).argmax(axis=0), np.arange(leading.shape[1])])
    return np.asarray(leading * np.where(signs == 0, 1, signs))
