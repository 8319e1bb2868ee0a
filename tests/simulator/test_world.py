"""Worlds are reproducible, learnable from public columns, and calibrated."""

from __future__ import annotations

from datetime import datetime

import numpy as np
import pytest

from simulator import shopper, world
from simulator.agreement import rolled
from simulator.vectorised import UniformLayout
from simulator.world import Items, World


def test_the_same_seed_gives_the_same_world(columns: Items, as_of: datetime) -> None:
    first, second, other = (world.draw(columns, seed, as_of) for seed in (5, 5, 6))
    assert (first.utility == second.utility).all()
    assert (first.utility != other.utility).any()


def test_tastes_can_be_learned_from_public_columns(hidden: World) -> None:
    items = hidden.items
    features = np.concatenate(
        [
            items.subcategory[:, None] == np.arange(len(items.subcategories)),
            items.brand[:, None] == np.arange(len(items.brands)),
            np.stack([np.clip(items.log_price, -2, 2), items.quality, items.discount], 1),
        ],
        1,
    ).astype(float)
    # The normal equations, with a little ridge: the indicators of subcategories and brands overlap.
    weights = np.linalg.solve(
        features.T @ features + 1e-6 * np.eye(features.shape[1]), features.T @ hidden.utility.T
    )
    rest = hidden.utility.T - features @ weights
    assert (1 - rest.var(0) / hidden.utility.var(1) > 0.7).all()
    assert rest.std(0) == pytest.approx(np.full(6, 0.25), abs=0.03)  # each item's own noise


def test_known_shelves_differ_and_unknown_ones_do_as_their_family(hidden: World) -> None:
    known = world.pull(hidden, "deals-kitchen", "carousel", "promotion")
    other = world.pull(hidden, "deals-garden", "carousel", "promotion")
    unknown = [world.pull(hidden, name, "", "deep") for name in ("own-shelf", "another")]
    assert known.bias != other.bias
    assert unknown[0].bias == unknown[1].bias == world.FAMILY_BIAS[2]
    assert unknown[0].scroll == pytest.approx([0.8, 0.8, 0.8])
    assert world.pull(hidden, "x", "", "no such family").bias == pytest.approx(world.FAMILY_BIAS.mean())


def test_more_is_in_view_on_a_wide_screen() -> None:
    assert [world.visible_count("grid", device) for device in range(3)] == [8, 4, 6]
    assert world.visible_count("no such template", 1) == 2


def test_a_third_of_shoppers_is_cold_and_segments_are_right_three_times_in_four(hidden: World) -> None:
    population = shopper.populate(hidden, 1, 20_000)
    traits = population.traits
    assert traits.is_cold.mean() == pytest.approx(0.35, abs=0.01)
    assert traits.is_bot.mean() == pytest.approx(0.01, abs=0.003)
    warm = ~traits.is_cold
    segment = np.array(traits.segment)
    assert (segment[traits.is_cold] == "").all()
    right = segment[warm] == np.array(hidden.segments)[population.kind[warm]]
    assert right.mean() == pytest.approx(0.75 + 0.25 / 6, abs=0.015)


@pytest.mark.parametrize("seed", range(10))
def test_shoppers_click_buy_and_leave_as_often_as_real_ones(
    columns: Items, as_of: datetime, seed: int
) -> None:
    hidden = world.draw(columns, seed, as_of)
    tally = rolled(hidden, shopper.populate(hidden, seed), UniformLayout(hidden), 12_000, seed)
    assert 0.15 < tally.click_rate < 0.35
    assert 0.005 < tally.conversion < 0.05
    assert 3 < tally.pages_per_session < 5
