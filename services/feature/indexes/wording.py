"""Which words mean the same to a shop's search, and whose endings are cut? Reads config/search.yaml."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum
from pathlib import Path
from typing import Annotated

from pydantic import Field, StringConstraints

from services.common import yaml_file

DEFAULT = Path(__file__).parents[1] / "config" / "search.yaml"
MAX_PHRASE_WORDS = 4

Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=64)]


class Language(StrEnum):
    """Languages whose endings can be cut: the Snowball stemmers of the search library."""

    NONE = "none"
    ARABIC = "arabic"
    DANISH = "danish"
    DUTCH = "dutch"
    ENGLISH = "english"
    FINNISH = "finnish"
    FRENCH = "french"
    GERMAN = "german"
    GREEK = "greek"
    HUNGARIAN = "hungarian"
    ITALIAN = "italian"
    NORWEGIAN = "norwegian"
    PORTUGUESE = "portuguese"
    ROMANIAN = "romanian"
    RUSSIAN = "russian"
    SPANISH = "spanish"
    SWEDISH = "swedish"
    TAMIL = "tamil"
    TURKISH = "turkish"


@dataclass(frozen=True, slots=True)
class Wording:
    """A shop's search, as a snapshot keeps it."""

    language: Language = Language.ENGLISH
    synonyms: Mapping[str, Sequence[str]] = field(default_factory=dict)
    """By phrase, what it stands for besides itself."""


PLAIN = Wording()
"""No synonyms."""


class _File(yaml_file.Document):
    language: Language = Language.ENGLISH
    groups: tuple[Annotated[tuple[Phrase, ...], Field(min_length=2, max_length=32)], ...] = ()
    one_way: dict[Phrase, Annotated[tuple[Phrase, ...], Field(min_length=1, max_length=32)]] = Field(
        default_factory=dict
    )


def load(path: Path = DEFAULT) -> Wording:
    """The wording of a file.

    Raises:
        ConfigurationError: naming file, line and key.
    """
    file = yaml_file.read(path, _File)
    synonyms: dict[str, list[str]] = {}
    place_of: dict[str, int] = {}
    for place, group in enumerate(file.groups):
        for index, phrase in enumerate(group):
            keys = ("groups", place, index)
            _check(path, keys, phrase)
            word = phrase.casefold()
            if word in place_of:
                other = "this group" if place_of[word] == place else f"group {place_of[word] + 1}"
                raise yaml_file.mistake(path, keys, f"{phrase!r} stands in {other} already")
            place_of[word] = place
            synonyms[phrase] = [one for one in group if one != phrase]
    for phrase, targets in file.one_way.items():
        _check(path, ("one_way", phrase), phrase)
        for index, one in enumerate(targets):
            _check(path, ("one_way", phrase, index), one)
        synonyms[phrase] = list(dict.fromkeys([*synonyms.get(phrase, ()), *targets]))
    return Wording(file.language, synonyms)


def _check(path: Path, keys: Sequence[str | int], phrase: str) -> None:
    count = len(phrase.split())
    if count > MAX_PHRASE_WORDS:
        raise yaml_file.mistake(path, keys, f"{phrase!r} has {count} words, want at most {MAX_PHRASE_WORDS}")
    if not any(sign.isalnum() for sign in phrase):
        raise yaml_file.mistake(path, keys, f"{phrase!r} holds no letter and no digit")
