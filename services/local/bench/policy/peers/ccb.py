"""What earns Vowpal Wabbit's conditional contextual bandit, which decides slot after slot?

One pass of `--ccb_explore_adf` over the log's pages in their order: a slot's cost is the negative margin of
what was bought in it, with the propensity that the log tells. Slots that nobody examined are left out. Of
actions the library is told module, template, family and category, of the session the encoded state, and it
learns their products. It removes what it placed itself from the slots below, but knows no templates of one
module: what may not stand is left out when pages are laid out.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from services.local.bench.policy.front_pages import Encoder
from services.local.bench.policy.log import Log
from simulator.front import SLOT_COUNT, Catalogue, Decision, Observed

Array = np.ndarray[Any, Any]

ARGUMENTS = "--ccb_explore_adf --epsilon 0 -q sa -b 18 --quiet"


class ConditionalBandit:
    """Lays out pages by a trained model; the same states get the same page."""

    def __init__(self, encoder: Encoder, model: Any) -> None:
        self._encoder, self._model = encoder, model
        self._actions = _action_lines(encoder.catalogue)
        self._known: dict[str, list[int]] = {}

    def decide(self, observed: Observed, random: np.random.Generator) -> Decision:
        module = self._encoder.catalogue.module
        placed = np.empty((len(observed.rows), SLOT_COUNT), np.int64)
        for row, shared in enumerate(_shared_lines(self._encoder.states(observed))):
            if shared not in self._known:
                slots = [f"ccb slot |p s{slot}" for slot in range(SLOT_COUNT)]
                ranked = self._model.predict([shared, *self._actions, *slots])
                self._known[shared] = _first_free(ranked, module)
            placed[row] = self._known[shared]
        return Decision(placed, np.ones(placed.shape))


def fit(log: Log, seed: int, arguments: str = ARGUMENTS) -> ConditionalBandit:
    """A model of one pass over the log."""
    import vowpalwabbit

    model = vowpalwabbit.Workspace(f"{arguments} --random_seed {seed}")
    pages, actions = log.pages, _action_lines(log.encoder.catalogue)
    ends, _ = pages.ends()
    for page, shared in enumerate(_shared_lines(pages.states)):
        shown = range(int(ends[page]) + 1)
        slots = [
            f"ccb slot {pages.placed[page, slot]}:{-pages.reward[page, slot]:g}"
            f":{pages.propensity[page, slot]:.6g} |p s{slot}"
            for slot in shown
        ]
        model.learn([shared, *actions, *slots])
    return ConditionalBandit(log.encoder, model)


def _shared_lines(states: Array) -> list[str]:
    """A line for each state, of what is not 0 in it."""
    return [
        "ccb shared |s " + " ".join(f"{column}:{state[column]:.4g}" for column in np.flatnonzero(state))
        for state in states
    ]


def _action_lines(catalogue: Catalogue) -> list[str]:
    rows = zip(catalogue.module, catalogue.template, catalogue.family, catalogue.category, strict=True)
    return [
        f"ccb action |a m{module} t{module}_{template} f{family} c{category}"
        for module, template, family, category in rows
    ]


def _first_free(ranked: list[list[tuple[int, float]]], module: Array) -> list[int]:
    """(S,) of each slot's actions, best first, the first whose module does not stand above."""
    page: list[int] = []
    for offered in ranked:
        taken = {module[action] for action in page}
        page.append(next(action for action, _ in offered if module[action] not in taken))
    return page
