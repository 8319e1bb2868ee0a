"""When did the share of bad reviews of an item rise above what is usual for it?

A Shiryaev-Roberts e-detector with a mixture of alternatives (Shin, Ramdas & Rinaldo 2022,
arXiv:2203.03532): with each review, evidence for a rise of the odds by k becomes (1 + evidence) x likelihood
ratio, and an alarm is raised where the mean over k reaches the run length A. While bad reviews come no more
often than usual, at least A reviews go by on average before a false alarm. Evidence that fades with time only
makes these rarer.

What is usual is learned, too, with the item's category as its prior: the guarantee holds as far as that is
known. So a margin is added to it, and reviews enter it late, that a surge be no part of it.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field

DAY_US = 86_400 * 1_000_000
RUN_LENGTH = 500.0
"""Reviews of an item per false alarm, at least, on average."""
LEAST_BAD = 3
"""Bad reviews below which nothing is raised, however unusual they are."""

_RISES = (2.0, 4.0, 8.0)
"""What the odds of a bad review may have been multiplied by."""
_LAG = 60
"""Reviews that wait before they count as usual."""
_EVIDENCE_HALF_LIFE_US = 60 * DAY_US
_USUAL_HALF_LIFE_US = 365 * DAY_US
_PRIOR_COUNT = 20.0
"""Reviews that the prior of a share stands for."""
_SHOP_SHARE = 0.15
"""Share of bad reviews in a category that has none yet."""
_MARGIN = 0.5
"""Standard deviations by which what is usual may be underestimated."""
_LEAST_SHARE, _MOST_SHARE = 0.02, 0.9


@dataclass(slots=True)
class Usual:
    """Decayed counts of reviews that are no part of a surge."""

    bad: float = 0.0
    count: float = 0.0
    as_of_us: int = 0

    def add(self, is_bad: bool, time_us: int) -> None:
        """Counts one review of a time, in microseconds since 1970."""
        if time_us > self.as_of_us:
            faded = _faded(time_us - self.as_of_us, _USUAL_HALF_LIFE_US)
            self.bad, self.count, self.as_of_us = self.bad * faded, self.count * faded, time_us
        self.bad += is_bad
        self.count += 1

    def share(self, prior: float = _SHOP_SHARE) -> float:
        """Mean share of bad reviews, given a prior one."""
        return (self.bad + _PRIOR_COUNT * prior) / (self.count + _PRIOR_COUNT)


@dataclass(slots=True)
class Surge:
    """A rise that nobody has looked at yet. Times in microseconds since 1970."""

    raised_us: int
    since_us: int
    """Time of the review with which it most likely began."""
    bad_count: int
    review_count: int
    """Reviews since then."""
    usual_share: float


@dataclass(slots=True)
class Pulse:
    """What is remembered of an item's reviews."""

    usual: Usual = field(default_factory=Usual)
    recent: list[tuple[int, bool]] = field(default_factory=list)
    """Time and badness of the reviews that are not counted as usual yet, in order of arrival."""
    evidence: list[float] = field(default_factory=lambda: [0.0] * len(_RISES))
    last_us: int = 0
    surge: Surge | None = None

    def step(self, is_bad: bool, time_us: int, category: Usual, run_length: float = RUN_LENGTH) -> bool:
        """Counts one review; True where it raises the alarm.

        Args:
            time_us: when it was written, in microseconds since 1970; a late one fades nothing.
            category: of the item's category, or the shop; takes in what has become usual.
            run_length: A.
        """
        if self.surge is not None:
            self.surge.review_count += 1
            self.surge.bad_count += is_bad
            return False
        share = self.highest_usual(category)
        faded = _faded(max(time_us - self.last_us, 0), _EVIDENCE_HALF_LIFE_US)
        self.last_us = max(self.last_us, time_us)
        self.evidence = [
            (1 + faded * held) * _likelihood_ratio(share, rise, is_bad)
            for held, rise in zip(self.evidence, _RISES, strict=True)
        ]
        self.recent.append((time_us, is_bad))
        if sum(self.evidence) / len(_RISES) >= run_length:
            self.surge = self._surge(share, category, time_us)
        if self.surge is None and len(self.recent) > _LAG:
            then_us, was_bad = self.recent.pop(0)
            self.usual.add(was_bad, then_us)
            category.add(was_bad, then_us)
        return self.surge is not None

    def look(self) -> None:
        """Ends the alarm; what raised it is forgotten, and does not become usual."""
        self.surge, self.recent, self.evidence = None, [], [0.0] * len(_RISES)

    def highest_usual(self, category: Usual) -> float:
        """The share of bad reviews that still counts as usual."""
        mean = self.usual.share(category.share())
        deviation = math.sqrt(mean * (1 - mean) / (self.usual.count + _PRIOR_COUNT + 1))
        return min(max(mean + _MARGIN * deviation, _LEAST_SHARE), _MOST_SHARE)

    def _surge(self, share: float, category: Usual, now_us: int) -> Surge | None:
        start = _onset(share, [is_bad for _, is_bad in self.recent])
        times, bad = zip(*self.recent[start:], strict=True)
        if sum(bad) < LEAST_BAD:
            return None
        return Surge(now_us, min(times), sum(bad), len(bad), self.usual.share(category.share()))


def _onset(share: float, bad: Sequence[bool]) -> int:
    """Place of the review at which a rise most likely began: where the likelihood of all since is highest."""
    rise = _RISES[len(_RISES) // 2]
    best, held, start = -math.inf, 0.0, len(bad) - 1
    for place in range(len(bad) - 1, -1, -1):
        held += math.log(_likelihood_ratio(share, rise, bad[place]))
        if held > best:
            best, start = held, place
    return start


def _likelihood_ratio(share: float, rise: float, is_bad: bool) -> float:
    """Of one review, after the odds of a bad one rose, over before."""
    total = 1 - share + rise * share  # what turns odds into shares
    return rise / total if is_bad else 1 / total


def _faded(passed_us: int, half_life_us: int) -> float:
    return math.pow(0.5, passed_us / half_life_us)
