"""Who comes with a question, in which words, and what does a help page bring them?

What somebody needs depends on how far they are: who bought something lately asks for the parcel, who has
nothing yet for sizes and stock. So the same few words mean different things, and a shop may know which.
All that is drawn here comes from a generator of its own: shop pages have the luck that they had without it.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from planogram.layout.v1 import layout_pb2
from simulator import choice
from simulator.choice import Walk
from simulator.questions import BOUGHT, BROWSING, CARTED, NEEDS, VAGUE, Need
from simulator.world import World

ANSWER = "answer"
"""The template in which an answer stands open; in others it is folded."""
CONTACT = "contact"


@dataclass(frozen=True, slots=True)
class Asking:
    """How often shoppers ask, and what answers do for them. Shares, unless said otherwise.

    Attributes:
        browsing, carted, bought: of pages, those before which somebody in that state goes and asks; once a
            session.
        lately_s: how long something counts as bought lately.
        vague: of questions, those in a word or two that others use for other needs. silent: nothing is asked.
        typos: of questions, those with two letters the wrong way round. german: of shoppers.
        helped: by the answer that they need, once looked at, in full; related: by one that helps at times;
            contact: by the way to a human. folded: of those chances, what is left where the text is folded.
        dismissed: of answers that were looked at and no help. again: of those in vain, who ask another time.
        page_count: most help pages of a visit.
        long_scroll: what an open text takes off the probability of looking further.
    """

    browsing: float = 0.04
    carted: float = 0.1
    bought: float = 0.25
    lately_s: float = 14 * 86_400.0
    vague: float = 0.4
    silent: float = 0.08
    typos: float = 0.12
    german: float = 0.25
    helped: float = 0.85
    related: float = 0.25
    contact: float = 0.15
    folded: float = 0.75
    dismissed: float = 0.25
    again: float = 0.5
    page_count: int = 3
    long_scroll: float = 0.05

    def share(self, state: int) -> float:
        """Of pages, those before which somebody in a state asks."""
        return (self.browsing, self.carted, self.bought)[state]


@dataclass(frozen=True, slots=True)
class View:
    """A help page in the eyes of somebody who asks, (S,) each.

    Attributes:
        helps, scroll: probabilities, once the slot is looked at. is_answer: false of shelves.
    """

    helps: np.ndarray
    scroll: np.ndarray
    is_answer: np.ndarray


@dataclass(frozen=True, slots=True)
class Worth:
    """What a help page is going to do: probability that an answer helps, expected number of dismissals."""

    helped: float
    dismissed: float


def state_of(law: Asking, bought_s: float | None, has_cart: bool, now_s: float) -> int:
    """How far somebody is.

    Args:
        bought_s: when they bought last; None for never.
    """
    if bought_s is not None and now_s - bought_s <= law.lately_s:
        return BOUGHT
    return CARTED if has_cart else BROWSING


def language_of(law: Asking, seed: int, shopper: int) -> str:
    """The language in which a shopper asks, the same in all sessions."""
    random = np.random.default_rng([seed, 0x1A6, shopper])
    return "de" if random.random() < law.german else "en"


def need_of(state: int, random: np.random.Generator) -> Need:
    """What somebody wants to know."""
    weight = np.array([need.weight[state] for need in NEEDS])
    return NEEDS[int(random.choice(len(NEEDS), p=weight / weight.sum()))]


def question_of(law: Asking, need: Need, language: str, random: np.random.Generator) -> str:
    """What they type; empty where they look at what is asked most."""
    is_silent, is_vague, has_typo, which, where = random.random(5)
    vague = [words for words, meant in VAGUE[language].items() if need.answer_id in meant]
    own = vague if vague and is_vague < law.vague else need.questions[language]
    asked = own[int(which * len(own))]
    if is_silent < law.silent:
        return ""
    return _mistyped(asked, float(where)) if has_typo < law.typos else asked


def see(law: Asking, hidden: World, need: Need, patience: int, page: layout_pb2.Page) -> View:
    """A page in the eyes of somebody with a need; shelves around the answers are passed over."""
    chance: Mapping[str, float] = {
        CONTACT: law.contact,
        **dict.fromkeys(need.also, law.related),
        need.answer_id: law.helped,
    }
    is_answer = np.array([slot.HasField("answer") for slot in page.slots])
    is_open = np.array([slot.template_id == ANSWER for slot in page.slots])
    helps = np.array([chance.get(slot.answer.answer_id, 0.0) for slot in page.slots]) * is_answer
    regime = hidden.regime
    scroll = np.full(len(page.slots), np.mean(regime.scroll_range)) - law.long_scroll * is_open
    looks_on = choice.scroll_probability(regime, scroll[None], np.array([patience]))[0]
    return View(np.where(is_open, helps, law.folded * helps), looks_on, is_answer)


def look(view: View, random: np.random.Generator) -> Walk:
    """How far they get; what helped counts as clicked."""
    draws = random.random((1, len(view.helps), 2))
    return choice.walk(view.helps[None], view.scroll[None], np.ones((1, len(view.helps)), bool), draws)


def dismissals(law: Asking, view: View, walk: Walk, random: np.random.Generator) -> list[int]:
    """Slots whose answers they wave away: some of those that they looked at in vain."""
    is_seen = np.arange(len(view.helps)) <= walk.last[0]
    is_vain = is_seen & view.is_answer & (np.arange(len(view.helps)) != walk.clicked[0])
    return np.flatnonzero(is_vain & (random.random(len(view.helps)) < law.dismissed)).tolist()


def worth(law: Asking, view: View) -> Worth:
    """What a page is going to do, as `look` and `dismissals` would draw it."""
    reached = choice.reach(view.helps[None], view.scroll[None], np.ones((1, len(view.helps)), bool))[0]
    in_vain = reached * (1 - view.helps) * view.is_answer
    return Worth(float(reached @ view.helps), law.dismissed * float(in_vain.sum()))


def _mistyped(asked: str, where: float) -> str:
    """Two neighbours of the longest word in the wrong order, its first letter left in place."""
    word = max(asked.split(), key=len)
    if len(word) < 4:
        return asked
    place = 1 + int(where * (len(word) - 2))
    wrong = word[:place] + word[place + 1] + word[place] + word[place + 2 :]
    return asked.replace(word, wrong, 1)
