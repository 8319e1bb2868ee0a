"""Which items match the words of a query, typing errors forgiven?

An inverted index over title, category and brand. A query word that the index does not hold stands for the
words that begin with it, and for those within one or two edits of it.
"""

from __future__ import annotations

import bisect
import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from rapidfuzz import process
from rapidfuzz.distance import OSA

_WORD = re.compile(r"[^\W_]+")
_TITLE_WEIGHT, _OTHER_WEIGHT = 1.0, 0.6
_PREFIX_LENGTH = 3
_SHORT, _LONG = 4, 7
_QUALITY_BY_EDITS = (1.0, 0.7, 0.45)
_PREFIX_QUALITY = 0.8
_MAX_WORDS = 8
_MAX_MATCHES = 12


@dataclass(frozen=True, slots=True)
class Postings:
    """The index as arrays: the rows of word w are rows[offsets[w]:offsets[w + 1]]."""

    words: tuple[str, ...]
    """Distinct words in order."""
    offsets: NDArray[np.int64]
    rows: NDArray[np.int32]
    weights: NDArray[np.float32]


class SearchIndex:
    """Answers queries over postings."""

    def __init__(self, postings: Postings, item_count: int) -> None:
        self._postings = postings
        self._item_count = item_count
        self._match = lru_cache(maxsize=4096)(self._match_word)

    def search(self, query: str) -> NDArray[np.int32]:
        """Rows of matching items, best first; items that match more of the words come first."""
        scores = np.zeros(self._item_count, np.float32)
        hits = np.zeros(self._item_count, np.int16)
        for word in dict.fromkeys(words_of(query)[:_MAX_WORDS]):
            best: NDArray[np.float32] = np.zeros(self._item_count, np.float32)
            for place, quality in self._match(word):
                rows, weights = self._rows(place)
                # The rarer the word, the more it says (inverse document frequency).
                rarity = np.log1p(self._item_count / len(rows))
                best[rows] = np.maximum(best[rows], quality * rarity * weights)
            scores += best
            hits += best > 0
        found = np.flatnonzero(hits)
        order = np.lexsort((found, -scores[found], -hits[found]))
        return found[order].astype(np.int32)

    def _rows(self, place: int) -> tuple[NDArray[np.int32], NDArray[np.float32]]:
        start, end = self._postings.offsets[place], self._postings.offsets[place + 1]
        return self._postings.rows[start:end], self._postings.weights[start:end]

    def _match_word(self, word: str) -> tuple[tuple[int, float], ...]:
        words = self._postings.words
        place = bisect.bisect_left(words, word)
        if place < len(words) and words[place] == word:
            return ((place, 1.0),)
        matches: dict[int, float] = {}
        if len(word) >= _PREFIX_LENGTH:
            while place < len(words) and words[place].startswith(word) and len(matches) < _MAX_MATCHES:
                matches[place] = _PREFIX_QUALITY
                place += 1
        edits = 0 if len(word) < _SHORT else 1 if len(word) < _LONG else 2
        if edits:
            near = process.extract(
                word, words, scorer=OSA.distance, score_cutoff=edits, limit=_MAX_MATCHES, processor=None
            )
            for _, distance, found in near:
                matches[found] = max(matches.get(found, 0.0), _QUALITY_BY_EDITS[int(distance)])
        return tuple(matches.items())


def words_of(text: str) -> list[str]:
    """Words in lower case and without accents."""
    plain = unicodedata.normalize("NFKD", text.casefold())
    return _WORD.findall("".join(sign for sign in plain if not unicodedata.combining(sign)))


def index(titles: Sequence[str], others: Sequence[str]) -> Postings:
    """The postings of items by row: words of the title, and of other texts at less weight."""
    entries: dict[str, list[tuple[int, float]]] = {}
    for row, (title, other) in enumerate(zip(titles, others, strict=True)):
        found: dict[str, float] = {}
        title_words = words_of(title)
        for word in words_of(other):
            found[word] = _OTHER_WEIGHT
        for word in title_words:
            # A word weighs more in a short title.
            found[word] = max(found.get(word, 0.0), _TITLE_WEIGHT + 1 / len(title_words))
        for word, weight in found.items():
            entries.setdefault(word, []).append((row, weight))
    words = tuple(sorted(entries))
    lengths = [len(entries[word]) for word in words]
    pairs = [pair for word in words for pair in entries[word]]
    return Postings(
        words,
        np.concatenate(([0], np.cumsum(lengths, dtype=np.int64))),
        np.array([row for row, _ in pairs], np.int32),
        np.array([weight for _, weight in pairs], np.float32),
    )
