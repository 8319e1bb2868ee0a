"""What was decided, how likely was it under the served and the candidate policy, and what came of it?

A page is a cascade: a shopper examines slots from the top and stops somewhere, and nothing below the last
examined slot had an effect. So only examined slots are decisions, and an episode's importance weight is
the product over these alone.

Symbols: T decisions, P pages, U sessions, C shoppers, E episodes.
"""

from __future__ import annotations

import dataclasses
from dataclasses import dataclass

import numpy as np

from services.policy.page import Array

_ROUNDING = 1e-9


@dataclass(frozen=True, slots=True, eq=False)
class ActionValues:
    """What a model expects from each decision on, for doubly robust estimates; it may be wrong."""

    chosen: Array
    """(T,) value of the served action."""
    expected: Array
    """(T,) mean value over the candidate's distribution."""
    expected_served: Array
    """(T,) mean value over the served distribution."""


@dataclass(frozen=True, slots=True, eq=False)
class Episodes:
    """Decisions cut into what counts as one outcome: a page, or a session.

    Rewards and values of a later page are discounted already.
    """

    ratios: Array
    """(T,) candidate's over served propensity."""
    rewards: Array
    """(T,)"""
    offsets: Array
    """(E + 1,) decisions of episode e are offsets[e] to offsets[e + 1]; there may be none."""
    shoppers: Array
    """(E,) who it was, 0 to below C."""
    values: ActionValues | None = None
    """To the episode's end."""

    def __len__(self) -> int:
        return len(self.offsets) - 1

    def episode(self) -> Array:
        """(T,) index of each decision's episode."""
        return np.repeat(np.arange(len(self)), np.diff(self.offsets))

    def total(self, of_decisions: Array) -> Array:
        """(E,) sums of (T,) over each episode."""
        sums: Array = np.bincount(self.episode(), weights=of_decisions, minlength=len(self))
        return sums

    def returns(self) -> Array:
        """(E,) what each episode earned."""
        return self.total(self.rewards)

    def cumulative(self) -> Array:
        """(T,) products of ratios from the episode's first decision to this one."""
        result = self.ratios.astype(np.float64)
        for here, before in self.steps():
            result[here] *= result[before]
        return result

    def weights(self) -> Array:
        """(E,) products of all ratios of each episode; 1 where it has no decision."""
        result = np.ones(len(self))
        has_any = np.diff(self.offsets) > 0
        result[has_any] = self.cumulative()[self.offsets[1:][has_any] - 1]
        return result

    def steps(self) -> list[tuple[Array, Array]]:
        """Per step from the second on: indexes of the decisions there, and of those right before."""
        lengths = np.diff(self.offsets)
        starts = [self.offsets[:-1][lengths > step] + step for step in range(1, int(lengths.max(initial=0)))]
        return [(start, start - 1) for start in starts]


@dataclass(frozen=True, slots=True, eq=False)
class Decisions:
    """T decisions in order of session, page and slot; a page's are its examined slots, from the top."""

    served: Array
    """(T,) probability with which the action was served, given the slots above. Above 0, to 1."""
    candidate: Array
    """(T,) probability with which the candidate would have served it there. 0 to 1."""
    rewards: Array
    """(T,) of what the shopper did in the slot."""
    page_offsets: Array
    """(P + 1,) decisions of page p are page_offsets[p] to page_offsets[p + 1]; there may be none."""
    session_offsets: Array
    """(U + 1,) pages of session u; at least one."""
    shoppers: Array
    """(U,) who it was, 0 to below C: sessions of one shopper are no independent evidence."""
    page_discount: float = 1.0
    """What a reward is worth that comes one page later. 0 to 1."""
    page_values: ActionValues | None = None
    """To the page's end."""
    session_values: ActionValues | None = None
    """To the session's end, discounted to the decision's own page."""

    def __post_init__(self) -> None:
        """Raises ValueError, which names the field, the value and the limit."""
        count = len(self.served)
        for name in ("served", "candidate", "rewards"):
            _check_column(f"decisions.{name}", getattr(self, name), count)
        for name in ("page_values", "session_values"):
            values = getattr(self, name)
            for column in () if values is None else ("chosen", "expected", "expected_served"):
                _check_column(f"decisions.{name}.{column}", getattr(values, column), count)
        _check_each("decisions.served", self.served, self.served > 0, "above 0, to 1")
        _check_each("decisions.served", self.served, self.served <= 1 + _ROUNDING, "above 0, to 1")
        is_probability = (self.candidate >= 0) & (self.candidate <= 1 + _ROUNDING)
        _check_each("decisions.candidate", self.candidate, is_probability, "0 to 1")
        _check_offsets("decisions.page_offsets", self.page_offsets, count, least=0)
        _check_offsets("decisions.session_offsets", self.session_offsets, len(self.page_offsets) - 1, least=1)
        if len(self.shoppers) != len(self):
            raise ValueError(f"decisions.shoppers: got {len(self.shoppers)} values, want {len(self)}")
        if not 0.0 <= self.page_discount <= 1.0:
            raise ValueError(f"decisions.page_discount: got {self.page_discount}, want 0 to 1")

    def __len__(self) -> int:
        """Sessions."""
        return len(self.session_offsets) - 1

    @property
    def page_count(self) -> int:
        return len(self.page_offsets) - 1

    def slot_index(self) -> Array:
        """(T,) place of each decision on its page, 0 at the top."""
        lengths = np.diff(self.page_offsets)
        index: Array = np.arange(len(self.served)) - np.repeat(self.page_offsets[:-1], lengths)
        return index

    def page_index(self) -> Array:
        """(P,) place of each page in its session, 0 for the first."""
        lengths = np.diff(self.session_offsets)
        index: Array = np.arange(self.page_count) - np.repeat(self.session_offsets[:-1], lengths)
        return index

    def pages(self) -> Episodes:
        """Each page as an episode: the candidate decides the page, whatever led there is as it was."""
        shoppers = np.repeat(self.shoppers, np.diff(self.session_offsets))
        return Episodes(self.ratios(), self.rewards, self.page_offsets, shoppers, self.page_values)

    def first_pages(self) -> Episodes:
        """The first page of each session as an episode."""
        is_first = self.page_index() == 0
        rows = np.repeat(is_first, np.diff(self.page_offsets))
        offsets = np.concatenate([[0], np.cumsum(np.diff(self.page_offsets)[is_first])])
        values = None if self.page_values is None else _select(self.page_values, rows)
        return Episodes(self.ratios()[rows], self.rewards[rows], offsets, self.shoppers, values)

    def sessions(self) -> Episodes:
        """Each session as an episode: the candidate decides every page."""
        discounts = np.repeat(self.page_discount ** self.page_index(), np.diff(self.page_offsets))
        offsets = self.page_offsets[self.session_offsets]
        values = self.session_values
        if values is not None:
            columns = (values.chosen, values.expected, values.expected_served)
            values = ActionValues(*(column * discounts for column in columns))
        return Episodes(self.ratios(), self.rewards * discounts, offsets, self.shoppers, values)

    def ratios(self) -> Array:
        """(T,) candidate's over served propensity."""
        result: Array = self.candidate / self.served
        return result

    def blended(self, share: float) -> Decisions:
        """The same, with a candidate that follows the new policy with probability `share` in each slot.

        A mixture is a policy in its own right, and stays near the served one: p = (1 - share) served +
        share candidate; expected values are linear in it.

        Source: conservative policy iteration, Kakade and Langford 2002.
        """
        if not 0.0 <= share <= 1.0:
            raise ValueError(f"share: got {share}, want 0 to 1")
        return dataclasses.replace(
            self,
            candidate=(1 - share) * self.served + share * self.candidate,
            page_values=_blend(self.page_values, share),
            session_values=_blend(self.session_values, share),
        )


def _blend(values: ActionValues | None, share: float) -> ActionValues | None:
    if values is None:
        return None
    expected = (1 - share) * values.expected_served + share * values.expected
    return dataclasses.replace(values, expected=expected)


def _select(values: ActionValues, rows: Array) -> ActionValues:
    return ActionValues(values.chosen[rows], values.expected[rows], values.expected_served[rows])


def _check_column(field: str, column: Array, count: int) -> None:
    if column.shape != (count,):
        raise ValueError(f"{field}: got shape {column.shape}, want ({count},)")
    _check_each(field, column, np.isfinite(column), "finite numbers")


def _check_each(field: str, column: Array, is_good: Array, limit: str) -> None:
    if not is_good.all():
        index = int(np.argmin(is_good))
        raise ValueError(f"{field}[{index}]: got {column[index]}, want {limit}")


def _check_offsets(field: str, offsets: Array, end: int, least: int) -> None:
    if offsets.ndim != 1 or len(offsets) < 2 or offsets[0] != 0 or offsets[-1] != end:
        found = offsets.tolist() if offsets.size < 8 else f"{offsets[0]} to {offsets[-1]}"
        raise ValueError(f"{field}: got {found}, want 0 to {end}, and one episode at least")
    lengths = np.diff(offsets)
    _check_each(f"{field}: length", lengths, lengths >= least, f"{least} or more")
