"""How often does the surge test raise a false alarm, and how soon a true one, on streams of labelled reviews?

Streams are drawn from whole labelled reviews, bad and good, with replacement: an item's own share of bad ones
at first (around a usual one), then another. What the test sees is the verdict on each text, errors included,
or the label.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, Protocol

import numpy as np

from services.feature.reviews.sentiment import Review, is_bad
from services.feature.reviews.surge import DAY_US, RUN_LENGTH, Pulse, Usual
from services.local.bench.harness import Row
from services.local.bench.reviews.snippets import Whole
from services.local.bench.reviews.verdicts import CLEAR_WHOLE

USUAL_SHARES = (0.1, 0.25)
"""Of bad reviews in a category; surges begin at the first."""
QUIET_COUNT = 1_000
"""Reviews of an item without a surge."""
SURGES = ((0, 0.5), (100, 0.5), (100, 0.3))
"""Reviews before, and the share of bad ones from then on."""
MOST = 200
"""Reviews after which a surge counts as missed."""
_SPREAD = 40.0
"""Items' own shares: Beta(share x this, (1 - share) x this)."""
_REPLICATES = 1_000

Array = np.ndarray[Any, Any]


class Watch(Protocol):
    """A test of one item's reviews."""

    def raises(self, is_bad: bool, day: int) -> bool:
        """Counts one review; True where it raises the alarm, which then is looked at."""


class Sequential:
    """The test that serves."""

    def __init__(self, category: Usual) -> None:
        self._pulse, self._category = Pulse(), category

    def raises(self, is_bad: bool, day: int) -> bool:
        if not self._pulse.step(is_bad, day * DAY_US, self._category, RUN_LENGTH):
            return False
        self._pulse.look()
        return True


class HalfOfTen:
    """What one would do without a test: five bad ones among the latest ten."""

    def __init__(self, _: Usual) -> None:
        self._latest: list[bool] = []

    def raises(self, is_bad: bool, day: int) -> bool:
        self._latest = [*self._latest[-9:], is_bad]
        if sum(self._latest) < 5:
            return False
        self._latest = []
        return True


@dataclass(frozen=True, slots=True)
class Pool:
    """Verdicts to draw from: on bad reviews, and on good ones."""

    on_bad: Array
    on_good: Array

    def draw(self, share: float, count: int, random: np.random.Generator) -> list[bool]:
        """Verdicts on so many reviews, of which a share is bad."""
        drawn = np.where(
            random.random(count) < share,
            random.choice(self.on_bad, count),
            random.choice(self.on_good, count),
        )
        return [bool(verdict) for verdict in drawn]


def pools(whole: Whole) -> dict[str, Pool]:
    """What is seen of reviews: the verdict on their text, or the truth."""
    is_clear = np.abs(whole.mean) > CLEAR_WHOLE
    truth = whole.mean[is_clear] < 0
    said = np.array([is_bad(Review(0.0, text, "en")) for text in whole.text[is_clear]], bool)
    return {"text": Pool(said[truth], said[~truth]), "truth": Pool(truth[truth], truth[~truth])}


def run(whole: Whole, item_count: int, seed: int) -> list[Row]:
    """False alarms of quiet items, and delays of surges, by what is seen and by the test."""
    rows = []
    for seen, pool in pools(whole).items():
        for name, watch in (("sequential test", Sequential), ("5 of the latest 10", HalfOfTen)):
            label = f"{name}, {seen}"
            rows += [_quiet(label, watch, pool, share, item_count, seed) for share in USUAL_SHARES]
            for surge in SURGES:
                rows += _surges(label, watch, pool, surge, item_count, seed)
    return rows


def _quiet(
    name: str, watch: Callable[[Usual], Watch], pool: Pool, share: float, item_count: int, seed: int
) -> Row:
    """Alarms per thousand reviews where nothing changes; items of one category, which is unknown at first."""
    random = np.random.default_rng([seed, 1])
    category = Usual()
    found = []
    for _ in range(item_count):
        verdicts = pool.draw(_own_share(share, random), QUIET_COUNT, random)
        item = watch(category)
        found.append(sum(item.raises(verdict, day) for day, verdict in enumerate(verdicts)))
    alarms = np.array(found) * 1_000 / QUIET_COUNT
    drawn = alarms[random.integers(item_count, size=(_REPLICATES, item_count))].mean(1)
    low, high = np.quantile(drawn, (0.025, 0.975))
    return Row(
        f"false alarms, {share:.0%} bad: {name}",
        float(alarms.mean()),
        "per 1,000",
        item_count * QUIET_COUNT,
        reach=1_000 / RUN_LENGTH,
        is_more_better=False,
        seed=seed,
        interval=(float(low), float(high)),
    )


def _surges(
    name: str,
    watch: Callable[[Usual], Watch],
    pool: Pool,
    surge: tuple[int, float],
    item_count: int,
    seed: int,
) -> list[Row]:
    """Reviews from the change to the alarm, and the share of surges found within MOST of them."""
    before, share = surge
    random = np.random.default_rng([seed, 2, before])
    usual = USUAL_SHARES[0]
    known = float(np.mean(pool.draw(usual, 10_000, random)))
    delays = []
    for _ in range(item_count):
        category = Usual(bad=500 * known, count=500)
        item = watch(category)
        for day, verdict in enumerate(pool.draw(_own_share(usual, random), before, random)):
            item.raises(verdict, day)
        verdicts = pool.draw(share, MOST, random)
        alarms = (day for day, verdict in enumerate(verdicts, 1) if item.raises(verdict, before + day))
        delays.append(next(alarms, MOST + 1))
    found = np.array(delays)
    drawn = found[random.integers(item_count, size=(_REPLICATES, item_count))]
    low, high = np.quantile(np.median(drawn, axis=1), (0.025, 0.975))
    what = f"{share:.0%} bad after {before}: {name}"
    return [
        Row(
            f"delay: {what}",
            float(np.median(found)),
            "reviews",
            item_count,
            seed=seed,
            interval=(float(low), float(high)),
        ),
        Row(f"found within {MOST}: {what}", float((found <= MOST).mean()), "share", item_count, seed=seed),
    ]


def _own_share(usual: float, random: np.random.Generator) -> float:
    return float(random.beta(usual * _SPREAD, (1 - usual) * _SPREAD))
