"""Which features made a score what it is?

Shapley values by sampled permutations (Strumbelj and Kononenko 2014, "Explaining prediction models and
individual predictions with feature contributions"): features are set, one after another and in random
order, from the baseline's value to the item's, and each is credited with the change that it makes. The
changes of one order telescope, so attributions sum to the score less the baseline however few orders
are drawn; every order is taken forwards and backwards, which removes the noise of pairwise interactions.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from services.scoring import signature
from services.scoring.scorer import Arrays, ClickModel
from services.scoring.signature import Signature

_SEED = 0


@dataclass(frozen=True, slots=True)
class Explanation:
    """One item's click probability, split among features."""

    row: int
    click_probability: float
    baseline: float
    attributions: tuple[tuple[str, float], ...]
    """Feature and what it adds, strongest first; they sum to click_probability - baseline."""


@dataclass(frozen=True, slots=True)
class Feature:
    """What is set at once: a column of a tensor, or a whole tensor that has no named columns."""

    name: str
    tensor: str
    column: int | None


def explain(
    model: ClickModel, arrays: Arrays, rows: Sequence[int], permutation_count: int
) -> list[Explanation]:
    """Attributions of the click probabilities of some items.

    Args:
        arrays: inputs that follow the model's signature.
        rows: indexes into N.
        permutation_count: orders to draw; an odd one is rounded up.
    """
    chosen = _take(model.signature, arrays, rows)
    base = baseline(model.signature, model.baseline, len(rows))
    features = features_of(model.signature)
    generator = np.random.default_rng(_SEED)  # the same question has the same answer
    total = np.zeros((len(features), len(rows)))
    pair_count = (permutation_count + 1) // 2
    for _ in range(pair_count):
        order = generator.permutation(len(features))
        for direction in (order, order[::-1]):
            total += _contributions(model, base, chosen, features, direction)
    mean = total / (2 * pair_count)
    scores, floor = _clicks(model, chosen), _clicks(model, base)
    return [
        Explanation(
            row,
            float(scores[index]),
            float(floor[index]),
            _strongest_first(features, mean[:, index]),
        )
        for index, row in enumerate(rows)
    ]


def features_of(described: Signature) -> list[Feature]:
    """Everything that is attributed to; a history counts as one feature per tensor."""
    features = []
    for spec in described.specs:
        is_sequence = len(spec.shape) > 1 and not spec.is_per_item
        if spec.columns and not is_sequence:
            features += [
                Feature(f"{spec.name}.{column}", spec.name, index)
                for index, column in enumerate(spec.columns)
            ]
        else:
            features.append(Feature(spec.name, spec.name, None))
    return features


def baseline(
    described: Signature, means: Mapping[str, Sequence[float]], count: int
) -> dict[str, np.ndarray[Any, Any]]:
    """`count` average items before an average shopper.

    Args:
        means: value of the last axis by tensor name; tensors that are not named are 0, which is the
            unknown id, the empty history and the vector that says nothing.
    """
    arrays = signature.zeros(described, count)
    for name, values in means.items():
        arrays[name][...] = values
    return arrays


def _contributions(
    model: ClickModel,
    base: Arrays,
    chosen: Arrays,
    features: Sequence[Feature],
    order: np.ndarray[Any, Any],
) -> np.ndarray[Any, Any]:
    """(features, rows): the change of the score as each feature is set, in this order."""
    arrays = {name: array.copy() for name, array in base.items()}
    changes = np.zeros((len(features), len(_clicks(model, arrays))))
    before = _clicks(model, arrays)
    for index in order:
        feature = features[index]
        place = ... if feature.column is None else (..., feature.column)
        if np.array_equal(arrays[feature.tensor][place], chosen[feature.tensor][place]):
            continue  # nothing changes, so neither does the score
        arrays[feature.tensor][place] = chosen[feature.tensor][place]
        after = _clicks(model, arrays)
        changes[index] = after - before
        before = after
    return changes


def _clicks(model: ClickModel, arrays: Arrays) -> np.ndarray[Any, Any]:
    return model.predict(arrays).click_probability.astype(np.float64)


def _take(described: Signature, arrays: Arrays, rows: Sequence[int]) -> dict[str, np.ndarray[Any, Any]]:
    return {
        spec.name: arrays[spec.name][list(rows)] if spec.is_per_item else arrays[spec.name]
        for spec in described.specs
    }


def _strongest_first(
    features: Sequence[Feature], values: np.ndarray[Any, Any]
) -> tuple[tuple[str, float], ...]:
    order = np.argsort(-np.abs(values), kind="stable")
    return tuple((features[index].name, float(values[index])) for index in order if values[index] != 0.0)
