"""Is what is hidden nowhere to be seen: not in names, not in what is known of shoppers who are new?"""

from __future__ import annotations

import ast
from collections.abc import Callable
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from sklearn.linear_model import LogisticRegression

from simulator import front, slotwise, world
from simulator.browsing import browse
from simulator.regimes import FRONT
from simulator.shopper import Population
from simulator.traffic import Traffic
from simulator.world import World

pytestmark = pytest.mark.slow

ORDER = [3, 5, 0, 1, 4, 2]
SESSION_COUNT = 120_000
ROOT = Path(world.__file__).parents[1]


def bytes_of(part: Any) -> bytes:
    """All columns of a trace, one behind the other."""
    if isinstance(part, np.ndarray):
        return part.tobytes()
    return b"".join(bytes_of(getattr(part, field.name)) for field in fields(part))


def played(hidden: World) -> bytes:
    made = front.build(hidden, season_count=1, daypart_count=2)
    outcome = front.play(made, front.Uniform(made.catalogue), 3_000, 2, is_traced=True)
    return bytes_of(outcome.trace)


def test_names_of_types_leave_no_trace_in_front_pages(columns, as_of):
    """Types are all that has names: stages, patience and fatigue are levels, counted up and down."""
    hidden = world.draw(columns, 4, as_of, FRONT)
    assert played(hidden) == played(hidden.relabelled(ORDER))


def test_a_segment_of_another_type_shows_in_front_pages(columns, as_of):
    """The canary can sing: segments that change sides are noticed."""
    hidden = world.draw(columns, 4, as_of, FRONT)
    swapped = replace(hidden.relabelled([1, 0, 2, 3, 4, 5]), segments=hidden.segments)
    assert played(hidden) != played(swapped)


async def test_names_of_types_leave_no_trace_in_what_browsers_send(
    hidden: World, population: Population, make_shop: Callable[..., Any]
) -> None:
    traffic = Traffic(page_views=600, seed=3, end_unix_s=1_780_272_000.0, concurrency=1)

    async def sent(one: World, shoppers: Population) -> list[bytes]:
        shop = make_shop()
        await browse(shop, one, shoppers, traffic)
        return [message.SerializeToString(deterministic=True) for message in (*shop.requests, *shop.events)]

    named = await sent(hidden, population)
    assert named == await sent(hidden.relabelled(ORDER), population.relabelled(ORDER))
    assert named != await sent(hidden.relabelled(ORDER), population)


@pytest.fixture(scope="module")
def first_pages(columns, as_of):
    """What is known of sessions as they begin, with the type behind them, and whether they are cold."""
    made = front.build(world.draw(columns, 4, as_of, replace(FRONT, leave=1.0)), 1, 2)  # one page each
    known, kinds, cold = [], [], []

    def watch(observed, state, decision, acts):
        assert not observed.page_index.any()
        first = decision.placed[:, :1] == np.arange(len(made.catalogue.module))
        known.append(np.concatenate((slotwise.public(made, observed), first), 1))
        kinds.append(state.kind)
        cold.append(observed.segment == len(made.world.type_share))

    front.play(made, front.Uniform(made.catalogue), SESSION_COUNT, 11, watch=watch)
    # The order of a log must not tell either.
    place = np.arange(SESSION_COUNT)[:, None] / SESSION_COUNT
    return np.concatenate((np.concatenate(known), place), 1), np.concatenate(kinds), np.concatenate(cold)


def gains(known, kinds):
    """Of held-out shoppers, by how many nats a classifier predicts their type better than the prior."""
    half = len(kinds) // 2
    probe = LogisticRegression(C=0.1, max_iter=300).fit(known[:half], kinds[:half])
    held_out = kinds[half:]
    prior = np.bincount(kinds[:half], minlength=6) / half
    guess = probe.predict_proba(known[half:])[np.arange(len(held_out)), held_out]
    return np.log(guess) - np.log(prior[held_out])


def test_first_pages_of_cold_shoppers_do_not_tell_their_type(first_pages):
    """Within 3 standard errors of the prior on 21,000 held-out shoppers, learned from as many."""
    known, kinds, is_cold = first_pages
    gain = gains(known[is_cold], kinds[is_cold])
    assert len(gain) > 20_000
    assert gain.mean() < 3 * gain.std() / np.sqrt(len(gain))
    assert gain.mean() > -0.02


def test_first_pages_of_known_shoppers_tell_their_type(first_pages):
    """The probe can find what is there: segments are right three times in four."""
    known, kinds, is_cold = first_pages
    gain = gains(known[~is_cold], kinds[~is_cold])
    assert gain.mean() > 0.3


def test_hidden_minds_are_named_by_the_shop_and_the_oracle_alone():
    """Nothing that learns, or that an agent runs in its own process, knows of them."""
    knows = set()
    for folder in ("simulator", "services", "storefront"):
        for path in sorted((ROOT / folder).rglob("*.py")):
            names = {node.id for node in ast.walk(ast.parse(path.read_text())) if isinstance(node, ast.Name)}
            if "HiddenState" in names:
                knows.add(str(path.relative_to(ROOT)))
    shop = {"session", "visit", "rollout", "front/page", "front/sessions", "front/shop"}
    oracle = {"oracle/minds", "oracle/solver", "oracle/qmdp"}
    # Holds a click head against the exact filter, and keeps two areas under curves of all it saw.
    judge = {"services/local/bench/evaluation/click_head.py"}
    assert knows == {f"simulator/{name}.py" for name in shop | oracle} | judge
