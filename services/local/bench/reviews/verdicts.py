"""How well do stars, a lexicon and a learned model tell bad reviews from good ones?

The truth of a sentence is the mean mark of all people but one; that one's mark stands for the stars that come
with a review, which the sentences lack. Learned models see only other reviews than those they judge.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import roc_auc_score
from sklearn.model_selection import GroupKFold
from sklearn.pipeline import make_pipeline

from services.feature.reviews import sentiment
from services.local.bench.harness import Row
from services.local.bench.reviews.snippets import Snippets, Whole

CLEAR = 0.5
"""Mean mark, either side of 0, from which a sentence counts as good or bad."""
CLEAR_WHOLE = 0.25
"""The same of a whole review, whose sentences are in part about nothing."""
_REPLICATES = 500

Array = np.ndarray[Any, Any]
Measure = Callable[[Array, Array], float]


def sentences(amazon: Snippets, movies: Snippets, seed: int) -> list[Row]:
    """Figures of single sentences; intervals by reviews drawn with replacement."""
    tones = np.array([sentiment.tone(text) for text in amazon.text])
    mark, truth = amazon.marks[:, 0], amazon.marks[:, 1:].mean(axis=1)
    is_clear = np.abs(truth) > CLEAR
    is_bad = truth < 0
    foreign = _fitted(movies.text, movies.mean)(amazon.text)
    ways = {
        "lexicon": -tones,
        "stars (one person's mark)": -mark,
        "stars, lexicon where in the middle": -(mark + 0.01 * tones),
        "TF-IDF regression on the other half": learned(amazon),
        "TF-IDF regression on movie reviews": foreign,
    }
    rows = []
    for name, badness in ways.items():
        for label, measure in (("AUC", _auc), ("accuracy", _accuracy)):
            part = (badness[is_clear], is_bad[is_clear], amazon.review[is_clear])
            rows.append(_row(f"sentences: {label} of {name}", measure, *part, seed))
    rows.append(
        _row("sentences: correlation of lexicon and mark", _correlation, tones, truth, amazon.review, seed)
    )
    return rows


def wholes(amazon: Snippets, badness: Array, seed: int) -> list[Row]:
    """Figures of whole reviews.

    Args:
        badness: (N,) of sentences, by a learned model that saw other reviews.
    """
    whole = Whole(amazon)
    is_clear, is_bad = np.abs(whole.mean) > CLEAR_WHOLE, whole.mean < 0
    by_sentence = -np.array([sentiment.tone(text) for text in whole.text])
    # One sentence to the analyser, as if the text were never cut.
    analyser = sentiment.analyser()
    at_once = -np.array([analyser.polarity_scores(text)["compound"] for text in whole.text])
    ways = {
        "lexicon, mean of sentences": by_sentence,
        "lexicon, text at once": at_once,
        "TF-IDF regression on the other half": whole.average(badness),
    }
    clear = np.flatnonzero(is_clear)
    rows = [
        _row(f"reviews: AUC of {name}", _auc, values[clear], is_bad[clear], clear, seed)
        for name, values in ways.items()
    ]
    chosen, measured = clear[clear % 2 == 1], clear[clear % 2 == 0]
    best = _best_bound(by_sentence[chosen], is_bad[chosen])
    rows.append(Row("reviews: tone below which odd ones tell most", -best, "tone", len(chosen), seed=seed))
    for bound in (sentiment.BAD_BELOW, -0.05):
        said = (by_sentence > -bound)[measured].astype(float)
        for name, kind in (("bad ones found", True), ("good ones called bad", False)):
            part = is_bad[measured] == kind
            who = measured[part]
            rows.append(
                _row(f"reviews: {name}, tone below {bound}", _mean, said[part], is_bad[who], who, seed)
            )
    return rows


def learned(amazon: Snippets) -> Array:
    """(N,) log-odds of being bad, by a TF-IDF regression on the half of reviews that a sentence is not in."""
    found = np.zeros(len(amazon.text))
    for known, asked in GroupKFold(2).split(amazon.text, groups=amazon.review):
        found[asked] = _fitted(amazon.text[known], amazon.mean[known])(amazon.text[asked])
    return found


def _fitted(text: Array, mean: Array) -> Callable[[Array], Array]:
    is_clear = np.abs(mean) > CLEAR
    words = TfidfVectorizer(ngram_range=(1, 2), min_df=2, sublinear_tf=True)
    model = make_pipeline(words, LogisticRegression(C=10, max_iter=500))
    model.fit(text[is_clear], mean[is_clear] < 0)
    return lambda asked: np.asarray(model.decision_function(asked))


def _best_bound(badness: Array, is_bad: Array) -> float:
    """Where verdicts tell most of a surge from a tenth of bad reviews to half: by Kullback and Leibler."""
    bounds = np.round(np.arange(-0.3, 0.3, 0.05), 2)
    found, wrong = (np.array([(badness[kind] > one).mean() for one in bounds]) for kind in (is_bad, ~is_bad))
    usual, surge = (np.clip(share * found + (1 - share) * wrong, 0.01, 0.99) for share in (0.1, 0.5))
    told = surge * np.log(surge / usual) + (1 - surge) * np.log((1 - surge) / (1 - usual))
    return float(bounds[int(np.argmax(told))])


def _auc(badness: Array, is_bad: Array) -> float:
    return float(roc_auc_score(is_bad, badness)) if 0 < is_bad.sum() < len(is_bad) else float("nan")


def _accuracy(badness: Array, is_bad: Array) -> float:
    return float(((badness > 0) == is_bad).mean())


def _correlation(values: Array, truth: Array) -> float:
    return float(np.corrcoef(values, truth)[0, 1])


def _mean(values: Array, _: Array) -> float:
    return float(values.mean())


def _row(name: str, measure: Measure, values: Array, truth: Array, group: Array, seed: int) -> Row:
    """A figure, and its 95 % by groups drawn with replacement."""
    random = np.random.default_rng([seed, 0x5E])
    order = np.argsort(group, kind="stable")
    parts = np.split(order, np.flatnonzero(np.diff(group[order])) + 1)
    drawn = []
    for _ in range(_REPLICATES):
        rows = np.concatenate([parts[place] for place in random.integers(len(parts), size=len(parts))])
        drawn.append(measure(values[rows], truth[rows]))
    low, high = np.nanquantile(drawn, (0.025, 0.975))
    figure = measure(values, truth)
    return Row(name, figure, "share", len(values), seed=seed, interval=(float(low), float(high)))
