"""Which network is trained? Its parts can be chosen, and every choice leaves as the same graph."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class Encoder(StrEnum):
    """What is read from the shopper's history."""

    ATTENTION = "attention"
    """Each item looks for what is like it (DIN)."""
    TRANSFORMER = "transformer"
    """Events look at each other first, then each item looks for what is like it."""
    GRU = "gru"
    """Events in order of time, one state at the end."""
    CNN = "cnn"
    """Runs of events, the strongest of each kind."""
    MEAN = "mean"
    """The mean of all events."""


class Heads(StrEnum):
    """How clicks and purchases share what is learned."""

    ESMM = "esmm"
    """One body, two heads."""
    MMOE = "mmoe"
    """Several bodies, of which each head mixes its own."""


@dataclass(frozen=True, slots=True)
class Architecture:
    """A network in a few choices.

    Attributes:
        cross_count: cross layers beside the perceptron.
        hidden_widths: of the perceptron; of each expert where there are several.
        has_matches: counts what the shopper did with the very item, its category and its brand.
        has_text: reads the items' vectors, of words and co-clicks; without, the same inputs are zeros.
    """

    encoder: Encoder = Encoder.ATTENTION
    heads: Heads = Heads.ESMM
    cross_count: int = 2
    hidden_widths: tuple[int, ...] = (64, 32)
    expert_count: int = 3
    has_matches: bool = True
    has_text: bool = True


DEFAULT = Architecture()
