"""What can a help page answer? Reads answers.yaml, and says which answers a page view is offered."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, StringConstraints, model_validator

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.common import yaml_file
from services.common.yaml_file import Document
from services.layout import conditions
from services.layout.blueprint import ANSWER, SOURCES, Blueprints, Module, Names, text
from services.layout.conditions import ALWAYS, Language, When
from services.layout.retrieval import Entry, Index

FILE = "answers.yaml"
SOURCE = "answers"
"""What the policy is told of where an answer comes from."""
MAX_TEXT_BYTES = 2_048

_FACT = re.compile(r"\{([^{}]*)\}")


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer template, with what its texts say in braces filled in."""

    answer_id: str
    topic: str
    module: Module
    texts: Mapping[str, str]
    questions: Mapping[str, Sequence[str]]
    """By language, how shoppers ask."""
    action_labels: Mapping[str, str]
    action_link: str

    @property
    def module_id(self) -> str:
        return self.module.module_id


@dataclass(frozen=True, slots=True)
class Offered:
    """An answer that a page may show.

    relevance: how well it matches the question, 0 to 1; 0 where it is offered for want of one that matches.
    topic: of the answer, as the policy is told it.
    """

    answer: Answer
    relevance: float
    topic: str

    @property
    def module(self) -> Module:
        return replace(self.answer.module, relevance=self.relevance, topic=self.topic)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """The content of answers.yaml.

    by_module_id: in the order in which they are asked most. contact: what comes first where none matches.
    """

    by_module_id: Mapping[str, Answer] = field(default_factory=dict)
    contact: Answer | None = None
    indexes: Mapping[str, Index] = field(default_factory=dict)
    """By language."""

    def offered(
        self, context: context_pb2.PageContext, count: int, pinned: Collection[str] = ()
    ) -> tuple[Offered, ...]:
        """At most so many answers for a page view, best first: those that match its question.

        Where none matches, or nothing is asked, those that are asked most; after a question, contact first.

        Args:
            pinned: modules that rules put on the page; answers among them that do not match come last.
        """
        if not count:
            return ()
        holding = [each for each in self.by_module_id.values() if each.module.when.holds(context, None)]
        relevance: dict[str, float] = {}
        if context.query.strip():
            relevance = dict(self._index(context).find(context.query))
            holding.sort(key=lambda each: (-relevance.get(each.answer_id, 0.0), each is not self.contact))
        best = [each for each in holding if each.answer_id in relevance] or holding
        own = [each for each in holding if each.module_id in pinned and each not in best[:count]]
        chosen = [*best[: max(count - len(own), 1)], *own][:count]
        return tuple(Offered(each, relevance.get(each.answer_id, 0.0), each.topic) for each in chosen)

    def again(self, logged: Iterable[tuple[str, float, str]]) -> tuple[Offered, ...]:
        """What was offered by ids, relevance and topics; without answers that are not there."""
        return tuple(
            Offered(self.by_module_id[ANSWER + answer_id], relevance, topic)
            for answer_id, relevance, topic in logged
            if ANSWER + answer_id in self.by_module_id
        )

    def _index(self, context: context_pb2.PageContext) -> Index:
        names = (conditions.language(context), "en", *self.indexes)
        return next(self.indexes[name] for name in names if name in self.indexes)


NONE = Answers()
"""Of a shop without answers.yaml."""


def load(folder: Path, blueprints: Blueprints) -> Answers:
    """Reads answers.yaml, where the folder has one, and indexes its questions.

    Raises:
        ConfigurationError: naming file, line and key.
    """
    path = folder / FILE
    if not path.is_file():
        for blueprint in blueprints.by_name.values():
            if blueprint.answer_count:
                raise yaml_file.mistake(
                    folder / "blueprints.yaml",
                    ("blueprints", blueprint.name, "answers"),
                    f"there is no {FILE} to take them from",
                )
        return NONE
    file = yaml_file.read(path, _File)
    unfit = [name for name in file.templates if _stands_alone(blueprints, name) is None]
    if unfit:
        known = sorted(name for name in blueprints.templates if _stands_alone(blueprints, name) is not None)
        problem = f"{unfit[0]!r} is not among {known}, the templates with min_items 0"
        raise yaml_file.mistake(path, ("templates",), problem)
    found: dict[str, Answer] = {}
    for index, entry in enumerate(file.answers):
        answer = _answer(path, index, entry, file, blueprints)
        if answer.module_id in found:
            raise yaml_file.mistake(
                path, ("answers", index, "id"), f"{entry.id!r} is taken by another answer"
            )
        found[answer.module_id] = answer
    if ANSWER + file.contact not in found:
        raise yaml_file.mistake(path, ("contact",), f"{file.contact!r} is no answer")
    return Answers(found, found[ANSWER + file.contact], _indexes(found.values(), file.synonyms))


def _stands_alone(blueprints: Blueprints, name: str) -> str | None:
    template = blueprints.templates.get(name)
    return name if template is not None and not template.min_item_count else None


def _answer(path: Path, index: int, entry: _Answer, file: _File, blueprints: Blueprints) -> Answer:
    def filled(key: str, names: Mapping[str, str]) -> dict[str, str]:
        done = {}
        for language, words in names.items():
            keys = ("answers", index, key, language)
            unknown = [name for name in _FACT.findall(words) if name not in file.facts]
            if unknown:
                problem = f"{{{unknown[0]}}} is not among the facts {sorted(file.facts)}"
                raise yaml_file.mistake(path, keys, problem)
            done[language] = _FACT.sub(lambda fact: text(file.facts[fact[1]], language), words)  # noqa: B023
            if len(done[language].encode()) > MAX_TEXT_BYTES:
                size = len(done[language].encode())
                raise yaml_file.mistake(path, keys, f"{size} bytes, want at most {MAX_TEXT_BYTES}")
        return done

    source = entry.items.source if entry.items else "list"
    module = Module(
        module_id=ANSWER + entry.id,
        family="deep",
        source=SOURCES[source],
        source_name=SOURCE,
        category="",
        order="source",
        candidate_count=entry.items.most if entry.items else 1,
        templates=tuple(blueprints.templates[name] for name in file.templates),
        titles=filled("title", entry.title),
        when=entry.when,
        relevance=0.0,
    )
    return Answer(
        answer_id=entry.id,
        topic=entry.topic,
        module=module,
        texts=filled("text", entry.text),
        questions=entry.questions,
        action_labels=entry.action.label if entry.action else {},
        action_link=entry.action.link if entry.action else "",
    )


def _indexes(answers: Iterable[Answer], synonyms: Mapping[str, Sequence[Sequence[str]]]) -> dict[str, Index]:
    """An index per language in which questions are given, of the answers that have some in it."""
    entries: dict[str, list[Entry]] = {}
    for answer in answers:
        for language, questions in answer.questions.items():
            asked = (text(answer.module.titles, language), *questions)
            entry = Entry(answer.answer_id, asked, text(answer.texts, language))
            entries.setdefault(language, []).append(entry)
    return {
        language: Index(language, of_language, synonyms.get(language, ()))
        for language, of_language in entries.items()
    }


_Phrase = Annotated[str, StringConstraints(strip_whitespace=True, min_length=1, max_length=128)]
_Text = dict[Language, Annotated[str, Field(min_length=1, max_length=MAX_TEXT_BYTES)]]
# A path, whose second character may not make it another host's, or an address, in printable ASCII.
_LINK = r"^(/([!-.0-\[\]-~][!-~]*)?|(https://|mailto:)[!-~]+)$"
# What needs nothing but the shopper or the shop: an answer is about no item, category or query.
_ITEM_SOURCES = tuple(
    name
    for name, source in SOURCES.items()
    if source
    in (
        feature_pb2.CANDIDATE_SOURCE_RECENTLY_VIEWED,
        feature_pb2.CANDIDATE_SOURCE_FOR_YOU,
        feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN,
        feature_pb2.CANDIDATE_SOURCE_BESTSELLERS,
        feature_pb2.CANDIDATE_SOURCE_ARTICLES,
    )
)


class _Action(Document):
    label: Names = Field(min_length=1)
    link: str = Field(pattern=_LINK, max_length=512)


class _Items(Document):
    source: Literal[_ITEM_SOURCES]  # type: ignore[valid-type]
    most: int = Field(4, ge=1, le=24)


class _Answer(Document):
    id: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,56}$")]
    topic: Annotated[str, Field(pattern=r"^[a-z0-9][a-z0-9_-]{0,63}$")]
    title: Names = Field(min_length=1)
    text: _Text = Field(min_length=1)
    questions: dict[Language, Annotated[tuple[_Phrase, ...], Field(min_length=1, max_length=50)]] = Field(
        min_length=1
    )
    action: _Action | None = None
    items: _Items | None = None
    when: When = ALWAYS

    @model_validator(mode="after")
    def _is_for_everybody(self) -> _Answer:
        if self.when.segments:
            raise ValueError("answers are chosen before the shopper is known; leave segments out of when")
        return self


class _File(Document):
    contact: str
    templates: tuple[str, ...] = Field(min_length=1, max_length=8)
    facts: dict[Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]{0,63}$")], Names] = Field(default_factory=dict)
    synonyms: dict[
        Language, tuple[Annotated[tuple[_Phrase, ...], Field(min_length=2, max_length=32)], ...]
    ] = Field(default_factory=dict)
    answers: tuple[_Answer, ...] = Field(min_length=1, max_length=500)
