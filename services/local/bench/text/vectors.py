"""Where does each item stand by its text, and by which way of reading it?

All ways answer vectors of the width that models are served, so that each could take the place of today's.
Symbols: N items, D width.
"""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from services.feature.items.schema import VECTOR_WIDTH
from services.feature.pipeline.vectors import item_vectors

Array = np.ndarray[Any, Any]
Texts = Mapping[str, Sequence[str]]
"""N texts by field: title, category, brand, description."""

_GRAM_LENGTHS = (3, 5)
_GRAM_COLUMNS = 2**18
_SHORTEST = 1e-6


@dataclass(frozen=True, slots=True)
class Entrant:
    """A way of reading.

    Attributes:
        embed: (N, D) vectors of texts, unit length or zeros.
        package: what has to be installed beside planogram; empty for nothing.
    """

    name: str
    embed: Callable[[Texts], Array]
    package: str = ""


def hashed_words(texts: Texts) -> Array:
    """(N, D) as the snapshot's, of items that nobody clicked yet."""
    return item_vectors(texts, {})


def nothing(texts: Texts) -> Array:
    """(N, D) zeros."""
    return np.zeros((len(texts["title"]), VECTOR_WIDTH), np.float32)


def hashed_grams(texts: Texts) -> Array:
    """(N, D) leading directions of hashed runs of 3 to 5 letters, the rarer the heavier."""
    from sklearn.decomposition import TruncatedSVD
    from sklearn.feature_extraction.text import HashingVectorizer, TfidfTransformer

    columns = {"n_features": _GRAM_COLUMNS, "norm": None, "alternate_sign": False}
    hashing = HashingVectorizer(analyzer="char_wb", ngram_range=_GRAM_LENGTHS, **columns)
    counts = hashing.transform(_lines(texts))
    weighed = TfidfTransformer(sublinear_tf=True).fit_transform(counts)
    return _unit(TruncatedSVD(VECTOR_WIDTH, random_state=0).fit_transform(weighed))


def static_words(texts: Texts) -> Array:
    """(N, D) leading directions of what a small encoder says, whose weights (16 MB) come with its package.

    The mean of its tokens' vectors, which were distilled from a large language model's. Nothing is fetched.
    """
    root = logging.getLogger()
    level, handlers = root.level, root.handlers[:]
    import wordllama

    root.setLevel(level)  # importing it sets up the log of everybody
    root.handlers[:] = handlers
    here = Path(wordllama.__file__).parent  # it looks for its tokenizer in the folder of downloads alone
    encoder = wordllama.WordLlama.load(cache_dir=here, disable_download=True)
    found = np.asarray(encoder.embed(_lines(texts), norm=True), np.float64)
    found -= found.mean(axis=0)
    values, directions = np.linalg.eigh(found.T @ found)
    return _unit(found @ directions[:, np.argsort(-values)[:VECTOR_WIDTH]])


OWN = "hashed words"
"""Today's, with which the others are compared."""

ENTRANTS = (
    Entrant(OWN, hashed_words),
    Entrant("hashed n-grams", hashed_grams, "sklearn"),
    Entrant("static embeddings (wordllama)", static_words, "wordllama"),
    Entrant("nothing", nothing),
)


def _lines(texts: Texts) -> list[str]:
    return [f"{title}, {category}" for title, category in zip(texts["title"], texts["category"], strict=True)]


def _unit(vectors: Array) -> Array:
    centred = vectors - vectors.mean(axis=0)
    lengths = np.linalg.norm(centred, axis=1, keepdims=True)
    found: Array = np.divide(centred, lengths, out=np.zeros_like(centred), where=lengths > _SHORTEST)
    return found.astype(np.float32)
