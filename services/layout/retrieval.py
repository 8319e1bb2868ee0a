"""Which answers match a question: other endings, compounds, typing errors and synonyms forgiven?

A Tantivy index in memory, one document an answer: all the ways in which it is asked, and its text. A question
is matched by its words (BM25), and at a fifth of the weight by runs of three and four letters, which find
parts of compounds. A word that no answer holds stands for those within one or two edits of it.
"""

from __future__ import annotations

import math
from collections.abc import Iterable, Iterator, Sequence
from functools import lru_cache
from typing import Any

import numpy as np
import tantivy
from tantivy import Filter, Occur, Query, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

LEAST_RELEVANCE = 0.1
"""Where the best answer is below it, none matches."""
LEAST_OF_BEST = 0.4
"""Answers below this share of the best one's relevance do not match beside it."""
REMEMBERED_COUNT = 4_096

_WORDS, _RUNS, _ROW = "words", "runs", "row"
_RUN_WEIGHT, _SYNONYM_QUALITY, _TYPO_QUALITY = 0.2, 0.8, 0.5
_MOST_OF_TERM = 2.2
"""What a term that stands often brings in BM25, over what its rarity weighs: k1 + 1."""
_SHORT, _LONG = 4, 7
"""Words below the first are taken as they stand, those below the second may have one error, others two."""
_LONGEST, _MOST_UNKNOWN = 20, 8
"""Letters of a word, and words of a question, for which near ones are searched: each takes milliseconds."""
_MAX_PHRASE_WORDS = 3
_MAX_HIT_COUNT = 50
_HEAP_BYTES = 15_000_000
"""The least that the library takes."""
_SCHEMA = (
    tantivy.SchemaBuilder()
    .add_text_field(_WORDS, tokenizer_name=_WORDS, index_option="freq")
    .add_text_field(_RUNS, tokenizer_name=_RUNS, index_option="freq")
    .add_unsigned_field(_ROW, fast=True)
    .build()
)
# Whose endings and most common words the library knows, by language.
_KNOWN = {
    "da": "danish",
    "de": "german",
    "en": "english",
    "es": "spanish",
    "fi": "finnish",
    "fr": "french",
    "hu": "hungarian",
    "it": "italian",
    "nb": "norwegian",
    "nl": "dutch",
    "no": "norwegian",
    "pt": "portuguese",
    "ru": "russian",
    "sv": "swedish",
}

_Phrase = tuple[str, ...]


class Entry:
    """An answer as it is indexed."""

    __slots__ = ("answer_id", "questions", "text")

    def __init__(self, answer_id: str, questions: Sequence[str], text: str) -> None:
        self.answer_id, self.questions, self.text = answer_id, questions, text


class Index:
    """Answers questions of one language; threads may share it."""

    def __init__(
        self, language: str, entries: Sequence[Entry], synonyms: Sequence[Sequence[str]] = ()
    ) -> None:
        """
        Args:
            language: such as "de"; of others than the library knows, words are taken as they stand.
            synonyms: groups of words and phrases that mean the same.
        """
        self._answer_ids = [entry.answer_id for entry in entries]
        self._words, self._runs = _word_analyzer(_KNOWN.get(language, "")), _run_analyzer()
        index = tantivy.Index(_SCHEMA)
        index.register_tokenizer(_WORDS, self._words)
        index.register_tokenizer(_RUNS, self._runs)
        writer = index.writer(_HEAP_BYTES, num_threads=1)  # one thread, so that rows stand in order
        for row, entry in enumerate(entries):
            asked = "\n".join(entry.questions)
            document = tantivy.Document(words="\n".join((asked, entry.text)), runs=asked)
            document.add_unsigned(_ROW, row)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        index.reload()
        self._searcher = index.searcher()
        self._others = self._analysed(synonyms)
        self._longest = max(map(len, self._others), default=1)
        self.find = lru_cache(maxsize=REMEMBERED_COUNT)(self._find)
        """(answer_id, relevance) of the answers that match a question, best first.

        Relevance is the score over the most that the question's words and runs of letters could bring, 0 to
        1, to four digits; as a float32 holds it, in which it is logged and compared again.
        """

    def _find(self, question: str) -> tuple[tuple[str, float], ...]:
        words = self._tried(dict.fromkeys(self._words.analyze(question)))
        runs = [run for run in dict.fromkeys(self._runs.analyze(question)) if " " not in run]
        clauses = [*self._of_words(words), *self._of_runs(runs)]
        weight = sum(self._rarity(_WORDS, word) for word in words)
        weight += _RUN_WEIGHT * sum(self._rarity(_RUNS, run) for run in runs)
        if not clauses or weight <= 0:
            return ()
        query = Query.boolean_query([(Occur.Should, clause) for clause in clauses])
        hits = self._searcher.search(query, _MAX_HIT_COUNT, count=False).hits
        addresses = [address for _, address in hits]
        rows: list[Any] = self._searcher.fast_field_values(_ROW, addresses)
        found = [
            (self._answer_ids[row], float(np.float32(round(min(score / (_MOST_OF_TERM * weight), 1.0), 4))))
            for (score, _), row in zip(hits, rows, strict=True)
        ]
        best = found[0][1] if found else 0.0
        least = LEAST_OF_BEST * best if best >= LEAST_RELEVANCE else 1.0
        # Equal ones in the order of the file, however the library has them.
        place = {answer_id: place for place, answer_id in enumerate(self._answer_ids)}
        matching = [(answer_id, relevance) for answer_id, relevance in found if relevance >= least]
        return tuple(sorted(matching, key=lambda one: (-one[1], place[one[0]])))

    def _tried(self, words: Iterable[str]) -> list[str]:
        """The words without unknown ones beyond the first few: near ones of each are searched for."""
        kept, unknown_count = [], 0
        for word in words:
            is_known = bool(self._searcher.doc_freq(_WORDS, word))
            unknown_count += not is_known
            if is_known or unknown_count <= _MOST_UNKNOWN:
                kept.append(word)
        return kept

    def _rarity(self, field: str, term: str) -> float:
        """The weight of a term in BM25: log(1 + (n - df + 0.5) / (df + 0.5))."""
        holding = self._searcher.doc_freq(field, term)
        return math.log(1 + (len(self._answer_ids) - holding + 0.5) / (holding + 0.5))

    def _of_words(self, words: Sequence[str]) -> Iterator[Query]:
        """One clause per word, or per phrase that has synonyms."""
        start = 0
        while start < len(words):
            for length in range(min(self._longest, len(words) - start), 0, -1):
                phrase = tuple(words[start : start + length])
                others = self._others.get(phrase)
                if others or length == 1:
                    forms = [_any_of(map(self._of_word, phrase))]
                    forms += [self._all_of(other, length) for other in others or ()]
                    yield Query.disjunction_max_query(forms)
                    start += length
                    break

    def _of_word(self, word: str) -> Query:
        if self._searcher.doc_freq(_WORDS, word):
            return Query.term_query(_SCHEMA, _WORDS, word, "freq")
        if not _SHORT <= len(word) <= _LONGEST:
            return Query.empty_query()
        near = Query.fuzzy_term_query(_SCHEMA, _WORDS, word, 1 if len(word) < _LONG else 2)
        # Such a query scores 1 for whatever it matches.
        return Query.boost_query(near, _TYPO_QUALITY * self._rarity(_WORDS, word))

    def _all_of(self, phrase: _Phrase, word_count: int) -> Query:
        """A synonym of so many words: all of its own."""
        words = [(Occur.Must, Query.term_query(_SCHEMA, _WORDS, word, "freq")) for word in phrase]
        return Query.boost_query(Query.boolean_query(words), _SYNONYM_QUALITY * word_count / len(phrase))

    def _of_runs(self, runs: Iterable[str]) -> Iterator[Query]:
        for run in runs:
            yield Query.boost_query(Query.term_query(_SCHEMA, _RUNS, run, "freq"), _RUN_WEIGHT)

    def _analysed(self, synonyms: Iterable[Sequence[str]]) -> dict[_Phrase, list[_Phrase]]:
        """By phrase, what it stands for besides itself; common words alone, and long phrases, say nothing."""
        found: dict[_Phrase, list[_Phrase]] = {}
        for group in synonyms:
            phrases = [tuple(self._words.analyze(phrase)) for phrase in group]
            phrases = [phrase for phrase in dict.fromkeys(phrases) if 1 <= len(phrase) <= _MAX_PHRASE_WORDS]
            for phrase in phrases:
                others = found.setdefault(phrase, [])
                others += [other for other in phrases if other != phrase and other not in others]
        return found


def _any_of(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _word_analyzer(known: str) -> TextAnalyzer:
    """Words in lower case, without accents and endings; the most common ones are left out."""
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase())
    if known:
        builder = builder.filter(Filter.stopword(known))
    builder = builder.filter(Filter.ascii_fold())
    if known:
        builder = builder.filter(Filter.stemmer(known))
    return builder.build()


def _run_analyzer() -> TextAnalyzer:
    """Runs of three and four characters, in lower case and without accents."""
    grams = TextAnalyzerBuilder(Tokenizer.ngram(3, 4))
    return grams.filter(Filter.lowercase()).filter(Filter.ascii_fold()).build()
