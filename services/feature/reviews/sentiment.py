"""Does a review speak ill of its item?

Stars decide where they are clear: whoever gives them knows best. Between, or without any, an English text
decides: the mean over its sentences of VADER's compound score (Hutto & Gilbert 2014, ICWSM), whose lexicon
comes with the package. Texts in other languages are not read.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from vaderSentiment.vaderSentiment import SentimentIntensityAnalyzer

BAD_BELOW = 0.1
"""Mean compound score below which a text is bad. Not 0: complaints are written among kind words. Chosen on
half of the reviews of `planogram bench reviews`, and measured on the others."""

MIDDLE_STARS = (2.5, 3.5)
"""Stars from here to there decide nothing."""

READ_LANGUAGES = frozenset({"en"})
"""Primary subtags of BCP 47."""

_SENTENCE_END = re.compile(r"(?<=[.!?])\s+|\n+")
_MAX_SENTENCE = 400
"""Characters; VADER's time grows with the square of a sentence."""


_MAX_EMOJI = 10
"""Of a sentence; each is read as the words that describe it."""


class Review(NamedTuple):
    """What a review says.

    rating: 1 to 5; 0 where none was given. language: BCP 47; empty where it is unknown.
    """

    rating: float
    text: str
    language: str


def is_bad(review: Review) -> bool | None:
    """Whether a review speaks ill of its item; None where that cannot be told."""
    low, high = MIDDLE_STARS
    if review.rating and not low <= review.rating <= high:
        return review.rating < low
    if review.text.strip() and is_read(review.language):
        return tone(review.text) < BAD_BELOW
    return False if review.rating else None


def is_read(language: str) -> bool:
    """Whether texts in a language are understood."""
    return language.partition("-")[0].lower() in READ_LANGUAGES


def tone(text: str) -> float:
    """Mean compound score of the sentences of an English text, from -1 (bad) to 1 (good); 0 without words."""
    sentences = [
        part[start : start + _MAX_SENTENCE]
        for part in _SENTENCE_END.split(text)
        for start in range(0, len(part), _MAX_SENTENCE)
    ]
    scores = [analyser().polarity_scores(_tamed(each))["compound"] for each in sentences if each.strip()]
    return sum(scores) / len(scores) if scores else 0.0


def _tamed(sentence: str) -> str:
    """A sentence with no more emoji than are read."""
    known, found = analyser().emojis, 0
    kept = []
    for character in sentence:
        found += character in known
        if character not in known or found <= _MAX_EMOJI:
            kept.append(character)
    return "".join(kept)


@lru_cache(maxsize=1)
def analyser() -> SentimentIntensityAnalyzer:
    """The analyser of the package, made once: it reads its lexicon, which takes a tenth of a second."""
    return SentimentIntensityAnalyzer()
