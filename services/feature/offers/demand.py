"""How does demand answer to price: how much more is bought at a price cut, by category, and how sure is that?

Purchases y of a cell j of item i come at a rate: y_ij ~ Poisson(theta_i e_ij), e_ij = n_ij exp(x_ij w): n
views, and in x w the elasticity of the item's category times the depth of the cut, -log(price / list price),
a term for the week and one for the family of the shelf. Elasticities of categories are beta + delta_c, with
delta_c ~ N(0, tau^2). Given how many of an item were bought, Y_i, its cells share them by a multinomial law
in which the item's own rate theta_i has no part (Hausman, Hall & Griliches 1984, Econometrica 52:4). With E_i
= sum_j e_ij

    log p(y | Y, w) = sum_ij y_ij x_ij w - sum_i Y_i log E_i + const

So an item teaches of prices by its own views at several prices alone: that a shop cuts the prices of what
sells badly does not look like an answer to price. w has few entries and the density is concave; Newton's
steps find the mode, and the curvature there is the inverse of its covariance (Laplace). tau is found by EM.

Rates of items are what is left, conjugate given w, with m the rate of the category, itself drawn towards that
of the whole, and k of the highest marginal likelihood on a grid:

    theta_i ~ Gamma(k, k / m),    theta_i | w, y ~ Gamma(k + Y_i, k / m + E_i)

That tau, k and m are estimates is not part of the uncertainty.

The prior of beta is the mean of 1,851 published price elasticities, -2.62 (Bijmolt, van Heerde & Pieters
2005, Journal of Marketing Research 42:2), with a deviation of 2.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from services.feature.offers.evidence import FAMILIES, Cells

PRIOR_MEAN, PRIOR_DEVIATION = 2.62, 2.0
_EFFECT_DEVIATION = 0.5
"""Of weeks and families: a factor of 1.6 either way."""
_TAU_PRIOR, _TAU_WEIGHT = 0.5, 2.0
"""Where two categories' worth of evidence begins."""
_CATEGORY_WEIGHT = 10.0
"""Purchases of the whole that a category's rate begins with."""
_SHAPES = np.geomspace(0.1, 30, 16)
_ROUNDS, _STEPS = 20, 25
_SETTLED = 0.01
"""Change of an elasticity at which tau counts as found."""
_EXACT, _SHORTEST = 1e-6, 1e-4
_VIEWS_AT_FIRST = 1_000
_ROWS_AT_ONCE = 50_000

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class Demand:
    """What is believed of demand. C categories, N items, in the order of the cells.

    Attributes:
        elasticity, deviation: (C,) mean and standard deviation by category.
        common, spread: elasticity of the whole, and tau.
        shape, rate: (N,) of the Gamma distribution of an item's purchases per view at its list price.
        purchases: (C,) that the category was learned from.
        cut_purchases: (C,) those of them at a price cut.
    """

    elasticity: Array
    deviation: Array
    common: float
    spread: float
    shape: Array
    rate: Array
    purchases: Array
    cut_purchases: Array


def fit(cells: Cells) -> Demand:
    """What the cells say of demand; without any, the prior."""
    design = _Design(cells)
    tau, weights = _TAU_PRIOR, design.prior_mean
    for _ in range(_ROUNDS):
        before = weights
        weights, covariance = _newton(design, design.precision(tau), weights)
        deltas = slice(1, 1 + design.category_count)
        squares = weights[deltas] @ weights[deltas] + np.trace(covariance[deltas, deltas])
        tau = math.sqrt((squares + _TAU_WEIGHT * _TAU_PRIOR**2) / (design.category_count + _TAU_WEIGHT))
        if np.abs(weights - before).max() < _SETTLED:
            break
    effective = design.effective(weights)
    shape, rate = _rates(design, effective)
    contrast = np.zeros((design.category_count, design.width))
    contrast[:, 0] = 1.0
    contrast[np.arange(design.category_count), 1 + np.arange(design.category_count)] = 1.0
    return Demand(
        elasticity=contrast @ weights,
        deviation=np.sqrt(np.einsum("cp,pq,cq->c", contrast, covariance, contrast)),
        common=float(weights[0]),
        spread=tau,
        shape=shape + design.bought,
        rate=rate + effective,
        purchases=_sums(cells.item_category, design.bought, design.category_count),
        cut_purchases=_sums(
            cells.item_category[cells.item], cells.purchases * (cells.depth > 0), design.category_count
        ),
    )


def _sums(places: NDArray[np.int64], weights: Array, count: int) -> Array:
    """(count,) sums of weights by place, as floats where there are none as well."""
    return np.bincount(places, weights, count).astype(np.float64)


class _Design:
    """The cells as regressors: w = (beta, delta by category, effects by week, effects by family)."""

    def __init__(self, cells: Cells) -> None:
        self.cells = cells
        self.item_count, self.category_count = len(cells.item_ids), len(cells.categories)
        self._period_count = int(cells.period.max(initial=0)) + 1
        self.width = 1 + self.category_count + self._period_count + len(FAMILIES)
        self.bought = _sums(cells.item, cells.purchases, self.item_count)
        self.prior_mean = np.zeros(self.width)
        self.prior_mean[0] = PRIOR_MEAN

    def precision(self, tau: float) -> Array:
        """(P, P) of the prior."""
        scale = np.full(self.width, _EFFECT_DEVIATION)
        scale[0] = PRIOR_DEVIATION
        scale[1 : 1 + self.category_count] = tau
        return np.diag(scale**-2)

    def chunks(self) -> list[slice]:
        """Rows in parts of bounded size that never divide an item."""
        starts = np.flatnonzero(np.diff(self.cells.item, prepend=-1))
        cuts = [0]
        for start in starts.tolist():
            if start - cuts[-1] >= _ROWS_AT_ONCE:
                cuts.append(start)
        ends = [*cuts[1:], len(self.cells.item)]
        return [slice(first, end) for first, end in zip(cuts, ends, strict=True) if end > first]

    def rows(self, part: slice) -> Array:
        """(r, P) regressors of some cells."""
        cells, rows = self.cells, np.arange(part.stop - part.start)
        matrix = np.zeros((len(rows), self.width))
        matrix[:, 0] = cells.depth[part]
        matrix[rows, 1 + cells.item_category[cells.item[part]]] = cells.depth[part]
        matrix[rows, 1 + self.category_count + cells.period[part]] = 1.0
        matrix[rows, 1 + self.category_count + self._period_count + cells.family[part]] = 1.0
        return matrix

    def effective(self, weights: Array) -> Array:
        """(N,) E_i: views, each counted by what its week, shelf and price make of it."""
        total = np.zeros(self.item_count)
        for part in self.chunks():
            weighted = self.cells.exposures[part] * np.exp(self.rows(part) @ weights)
            total += np.bincount(self.cells.item[part], weighted, self.item_count)
        return total


def _rates(design: _Design, effective: Array) -> tuple[float, Array]:
    """k, and (N,) k / m, of the prior of items' rates."""
    category, count = design.cells.item_category, design.category_count
    whole = (design.bought.sum() + 1) / (effective.sum() + _VIEWS_AT_FIRST)
    bought = _sums(category, design.bought, count) + _CATEGORY_WEIGHT
    mean = (bought / (_sums(category, effective, count) + _CATEGORY_WEIGHT / whole))[category]

    def likelihood(shape: float) -> float:
        rate = shape / mean
        values, times = np.unique(design.bought, return_counts=True)
        gammas = sum(
            n * (math.lgamma(shape + y) - math.lgamma(shape))
            for y, n in zip(values.tolist(), times.tolist(), strict=True)
        )
        return float(
            gammas + (shape * np.log(rate) - (shape + design.bought) * np.log(rate + effective)).sum()
        )

    shape = float(max(_SHAPES, key=likelihood))
    return shape, shape / mean


def _newton(design: _Design, precision: Array, start: Array) -> tuple[Array, Array]:
    """(P,) mode of w, and (P, P) covariance there; the density is concave, so there is one."""
    weights = start
    value, gradient, curvature = _posterior(design, precision, weights)
    for _ in range(_STEPS):
        step = np.linalg.solve(curvature, gradient)
        factor = 1.0
        while True:
            moved = weights + factor * step
            new = _posterior(design, precision, moved)
            if new[0] >= value or factor < _SHORTEST:
                break
            factor /= 2
        weights, (value, gradient, curvature) = moved, new
        if np.abs(factor * step).max() < _EXACT:
            break
    return weights, np.linalg.inv(curvature).astype(np.float64)


def _posterior(design: _Design, precision: Array, weights: Array) -> tuple[float, Array, Array]:
    """Log density, gradient and negative curvature, less what does not depend on w."""
    cells, away = design.cells, weights - design.prior_mean
    value = -0.5 * float(away @ precision @ away)
    gradient, curvature = -precision @ away, precision.copy()
    for part in design.chunks():
        matrix = design.rows(part)
        linear = matrix @ weights
        weighted = cells.exposures[part] * np.exp(linear)
        starts = np.flatnonzero(np.diff(cells.item[part], prepend=-1))
        bought = design.bought[cells.item[part][starts]]
        effective = np.add.reduceat(weighted, starts)
        value += float(cells.purchases[part] @ linear - bought @ np.log(effective))
        ratio = bought / effective
        each = weighted * np.repeat(ratio, np.diff([*starts, len(weighted)]))
        gradient += (cells.purchases[part] - each) @ matrix
        by_item = np.add.reduceat(weighted[:, None] * matrix, starts)
        curvature += matrix.T @ (each[:, None] * matrix)
        curvature -= by_item.T @ ((ratio / effective)[:, None] * by_item)
    return value, gradient, curvature
