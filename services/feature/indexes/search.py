"""Which items match the words of a query: other endings, typing errors and synonyms forgiven?

A Tantivy index over title, category and brand lies in the snapshot and is mapped with it. A query word that
no item holds stands for the words that begin with it, and for those within one or two edits of it.
"""

from __future__ import annotations

import shutil
import tempfile
from collections.abc import Iterable, Iterator, Mapping, Sequence
from functools import lru_cache
from pathlib import Path

import numpy as np
import tantivy
from numpy.typing import NDArray
from tantivy import Filter, Occur, Query, TextAnalyzer, TextAnalyzerBuilder, Tokenizer

from services.feature.indexes.wording import MAX_PHRASE_WORDS, Language, Wording

MAX_HIT_COUNT = 1_000
"""Items that a query finds at most."""

_TITLE, _OTHER, _ROW = "title", "other", "row"
_WEIGHTS = {_TITLE: 1.6, _OTHER: 0.6}
_ANALYZER = "words"
_SHORT, _LONG = 4, 7
_QUALITY_BY_EDITS = (1.0, 0.7, 0.45)
_PREFIX_LENGTH, _PREFIX_QUALITY = 3, 0.8
_SYNONYM_QUALITY = 0.9
_WORD_WORTH = 1_000.0
"""More than the weights of all words come to: who matches more of the words comes first."""
_MAX_WORDS = 8
_HEAP_BYTES = 64_000_000
_SCHEMA = (
    tantivy.SchemaBuilder()
    .add_text_field(_TITLE, tokenizer_name=_ANALYZER, index_option="freq")
    .add_text_field(_OTHER, tokenizer_name=_ANALYZER, index_option="freq")
    .add_unsigned_field(_ROW, fast=True)
    .build()
)


class SearchIndex:
    """Answers queries from an index that `write` made; used from one thread."""

    def __init__(self, folder: Path, wording: Wording) -> None:
        self._analyzer = _analyzer(wording.language)
        index = tantivy.Index.open(str(folder))
        index.register_tokenizer(_ANALYZER, self._analyzer)
        # The folder never changes, so nothing watches it.
        index.config_reader("manual")
        self._searcher = index.searcher()
        self._synonyms = self._analyzed(wording.synonyms)
        self._word = lru_cache(maxsize=4096)(self._query_of_word)

    def search(self, query: str) -> NDArray[np.int32]:
        """Rows of matching items, best first; items that match more of the words come first."""
        words = list(dict.fromkeys(self._analyzer.analyze(query)))[:_MAX_WORDS]
        clauses = [(Occur.Should, clause) for clause in self._clauses(words)]
        if not clauses:
            return np.zeros(0, np.int32)
        found = self._searcher.search(Query.boolean_query(clauses), MAX_HIT_COUNT, count=False)
        addresses = [address for _, address in found.hits]
        return np.array(self._searcher.fast_field_values(_ROW, addresses), np.int32)

    def _analyzed(
        self, synonyms: Mapping[str, Sequence[str]]
    ) -> dict[tuple[str, ...], list[tuple[str, ...]]]:
        found: dict[tuple[str, ...], list[tuple[str, ...]]] = {}
        for phrase, others in synonyms.items():
            words = tuple(self._analyzer.analyze(phrase))
            found.setdefault(words, []).extend(tuple(self._analyzer.analyze(other)) for other in others)
        return found

    def _clauses(self, words: Sequence[str]) -> Iterator[Query]:
        """One clause per word, or per phrase that has synonyms."""
        start = 0
        while start < len(words):
            for length in range(min(MAX_PHRASE_WORDS, len(words) - start), 0, -1):
                phrase = tuple(words[start : start + length])
                if phrase in self._synonyms:
                    forms = [_any_of(self._word(word) for word in phrase)]
                    forms += [self._all_of(other, length) for other in self._synonyms[phrase]]
                    yield Query.disjunction_max_query(forms)
                    start += length
                    break
            else:
                yield self._word(words[start])
                start += 1

    def _all_of(self, phrase: Sequence[str], word_count: int) -> Query:
        """A synonym of so many words: all of its own."""
        words = [(Occur.Must, self._word(word)) for word in phrase]
        return Query.boost_query(Query.boolean_query(words), _SYNONYM_QUALITY * word_count / len(phrase))

    def _query_of_word(self, word: str) -> Query:
        if any(self._searcher.doc_freq(name, word) for name in _WEIGHTS):
            # The rarer the word and the shorter the text, the more it says (BM25).
            terms = Query.disjunction_max_query(
                [
                    Query.boost_query(Query.term_query(_SCHEMA, name, word, "freq"), weight)
                    for name, weight in _WEIGHTS.items()
                ]
            )
            worth = Query.const_score_query(terms, _WORD_WORTH)
            return Query.boolean_query([(Occur.Must, terms), (Occur.Must, worth)])
        most = 0 if len(word) < _SHORT else 1 if len(word) < _LONG else 2
        forms = []
        for name, weight in _WEIGHTS.items():
            near = [
                (Query.fuzzy_term_query(_SCHEMA, name, word, edits), _QUALITY_BY_EDITS[edits])
                for edits in range(1, most + 1)
            ]
            if len(word) >= _PREFIX_LENGTH:
                near.append((Query.fuzzy_term_query(_SCHEMA, name, word, 0, prefix=True), _PREFIX_QUALITY))
            # Such a query scores 1 for whatever it matches.
            forms += [Query.boost_query(one, _WORD_WORTH + weight * quality) for one, quality in near]
        return Query.disjunction_max_query(forms) if forms else Query.empty_query()


def write(folder: Path, titles: Sequence[str], others: Sequence[str], language: Language) -> None:
    """Writes the index of items by row: words of the title, and of other texts at less weight."""
    with tempfile.TemporaryDirectory(dir=folder.parent, prefix=".indexing-") as work:
        index = tantivy.Index(_SCHEMA, work, reuse=False)
        index.register_tokenizer(_ANALYZER, _analyzer(language))
        writer = index.writer(_HEAP_BYTES, num_threads=1)  # one thread, so that a build can be repeated
        for row, (title, other) in enumerate(zip(titles, others, strict=True)):
            document = tantivy.Document(title=title, other=other)
            document.add_unsigned(_ROW, row)
            writer.add_document(document)
        writer.commit()
        writer.wait_merging_threads()
        for path in Path(work).iterdir():
            if not path.name.startswith("."):  # locks, and a list for writers to come
                shutil.copy(path, folder)


def _any_of(queries: Iterable[Query]) -> Query:
    return Query.boolean_query([(Occur.Should, query) for query in queries])


def _analyzer(language: Language) -> TextAnalyzer:
    """Words in lower case, without accents and endings."""
    builder = TextAnalyzerBuilder(Tokenizer.simple()).filter(Filter.lowercase()).filter(Filter.ascii_fold())
    if language != Language.NONE:
        builder = builder.filter(Filter.stemmer(language.value))
    return builder.build()
