"""What do all contestants learn from and answer?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np

from services.local.bench.click import flat
from services.local.bench.click.flat import Flat
from services.scoring.training.data import Examined

Array = np.ndarray[Any, Any]

PAGE_ITEM_COUNT = 200
"""Items of the page whose scoring is timed."""


@dataclass(frozen=True)
class Case:
    """A log that was split by time: pages to learn from, to stop and calibrate by, and to be judged on."""

    learned: Examined
    valid: Examined
    test: Examined

    @cached_property
    def flat(self) -> tuple[Flat, Flat, Flat]:
        """The same three as rows for learners that know no shoppers and pages."""
        return flat.make(self.learned), flat.make(self.valid), flat.make(self.test)

    @cached_property
    def page(self) -> Flat:
        """PAGE_ITEM_COUNT rows to time."""
        _, _, test = self.flat
        return test.take(np.arange(PAGE_ITEM_COUNT) % len(test.click))


@dataclass(frozen=True, slots=True)
class Answer:
    """What a contestant says of the pages it did not learn from, where the items stood.

    Attributes:
        valid, test: (R,) chances of a click; purchase: (R,) of a purchase on test pages, where it has any.
        parameter_count: numbers it learned; page_ms: milliseconds for PAGE_ITEM_COUNT items, on one thread.
    """

    valid: Array
    test: Array
    parameter_count: int
    page_ms: float
    purchase: Array | None = None
