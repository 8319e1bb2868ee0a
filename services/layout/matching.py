"""How often do questions find their answers? Measured on questions that answers.yaml does not hold."""

from __future__ import annotations

import csv
import time
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from planogram.common.v1 import context_pb2
from services.common.errors import ConfigurationError
from services.layout.answers import Answers

COLUMNS = ("language", "answer", "question")


@dataclass(frozen=True, slots=True)
class Labelled:
    """A question and its answer.

    answer_id: empty for a question that no shop answers.
    """

    language: str
    answer_id: str
    question: str


@dataclass(frozen=True, slots=True)
class Matched:
    """How the questions of one language fared.

    recall_at_1, recall_at_3: share whose answer is the best, or among the best three.
    falsely_matched_count: those of foreign_count questions that no shop answers for which one was found.
    median_ms: time of one question that was not asked before, in milliseconds.
    """

    language: str
    question_count: int
    recall_at_1: float
    recall_at_3: float
    foreign_count: int
    falsely_matched_count: int
    median_ms: float


def read(path: Path) -> list[Labelled]:
    """The questions of a CSV file with the columns language, answer and question.

    Raises:
        ConfigurationError: names the file, and the line of a mistake.
    """
    try:
        with path.open(encoding="utf-8", newline="") as file:
            return list(_rows(path, csv.DictReader(file)))
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigurationError(f"{path}: {error}") from None


def measured(answers: Answers, path: Path) -> list[Matched]:
    """How the questions of a file fare, language by language.

    Raises:
        ConfigurationError: where the file holds a mistake, or a language or answer that the shop has not.
    """
    questions = read(path)
    known = {answer.answer_id for answer in answers.by_module_id.values()} | {""}
    for question in questions:
        if question.language not in answers.indexes:
            raise ConfigurationError(f"{path}: {question.language!r} is not among {sorted(answers.indexes)}")
        if question.answer_id not in known:
            raise ConfigurationError(f"{path}: {question.answer_id!r} is no answer of the shop")
    languages = dict.fromkeys(question.language for question in questions)
    return [
        _of_language(answers, language, [each for each in questions if each.language == language])
        for language in languages
    ]


def _of_language(answers: Answers, language: str, questions: list[Labelled]) -> Matched:
    first = third = false = 0
    times_ms = []
    for each in questions:
        context = context_pb2.PageContext(locale=language, query=each.question)
        begun_s = time.perf_counter()
        offered = answers.offered(context, 3)
        times_ms.append(1e3 * (time.perf_counter() - begun_s))
        found = [one.answer.answer_id for one in offered if one.relevance > 0]
        first += each.answer_id in found[:1]
        third += each.answer_id in found
        false += not each.answer_id and bool(found)
    own = sum(bool(each.answer_id) for each in questions)
    return Matched(
        language=language,
        question_count=own,
        recall_at_1=first / max(own, 1),
        recall_at_3=third / max(own, 1),
        foreign_count=len(questions) - own,
        falsely_matched_count=false,
        median_ms=sorted(times_ms)[len(times_ms) // 2],
    )


def _rows(path: Path, reader: csv.DictReader[str]) -> Iterator[Labelled]:
    if tuple(reader.fieldnames or ()) != COLUMNS:
        raise ConfigurationError(f"{path}:1: want the columns {', '.join(COLUMNS)}, got {reader.fieldnames}")
    for row in reader:
        if None in row or None in row.values() or not row["language"] or not row["question"]:
            raise ConfigurationError(f"{path}:{reader.line_num}: want a language, an answer and a question")
        yield Labelled(row["language"], row["answer"], row["question"])
