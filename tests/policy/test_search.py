"""The page that a cascade policy serves greedily, held against all pages there are."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.policy import page, planner
from services.policy.completion import Completion
from services.policy.exploration import Exploration, Mode
from services.policy.programme import Cascade
from services.policy.recount import Mask

GREEDY = Exploration(Mode.GREEDY, 0.0, 1.0)
MODULES, SLOTS = 8, 4


def best_of_all(facts, cascade):
    """The value of the best page: every page that the planner's own masks and recounts let stand."""
    worth, last, passing = (part[0] for part in (cascade.worth, cascade.last_worth, cascade.passing))
    last_slot = len(facts.shape.slot_ids) - 1

    def best_below(progress):
        slot = len(progress.actions)
        offer = progress.offer()
        actions = np.flatnonzero(offer.masks == Mask.NONE)
        if slot == last_slot:
            return max(last[actions], default=-np.inf)
        values = [-np.inf]
        for action in actions.tolist():
            after = progress.copy()
            after.place(action, progress.rows_of(offer, action))
            values.append(worth[action] + passing[action] * best_below(after))
        return max(values)

    return best_below(page.Progress(facts))


def value_of(cascade, actions):
    value = cascade.last_worth[0, actions[-1]]
    for action in reversed(actions[:-1]):
        value = cascade.worth[0, action] + cascade.passing[0, action] * value
    return value


def cascade_of(random, facts):
    """Chances and values as they are in shops: a click is worth more than giving up, a filler little."""
    count = facts.shape.action_count
    click = 1 / (1 + np.exp(-random.normal(-1.5, 1.2, (1, count))))
    scroll = 1 / (1 + np.exp(-random.normal(1.0, 1.0, (1, count))))
    stop = np.abs(random.normal(0.05, 0.03, (1, count)))
    clicked = stop * random.uniform(0.5, 2.0, (1, count)) + np.abs(random.normal(0.05, 0.05, (1, count)))
    weak = np.where(facts.shape.is_filler, 0.2, 1.0)
    return Cascade.of(click, scroll, weak * clicked, weak * stop)


def request_of(build, random, module_count, slot_count, item_count, template_count, masked_share):
    row_count = int(random.integers(1, min(item_count, 6) + 1))
    modules = []
    for index in range(module_count):
        templates = []
        for number in range(template_count):
            least = int(random.integers(1, max(2, row_count // 2)))
            templates.append((f"t{number}", least, int(random.integers(least, row_count + 1))))
        rows = random.choice(item_count, row_count, replace=False).tolist()
        modules.append(build.module(f"m{index}", rows, templates))
    modules.append(build.module("filler", list(range(row_count)), [("t0", 1, row_count)], is_filler=True))
    slots = []
    for index in range(slot_count):
        names = [f"m{place}" for place in range(module_count) if random.random() < 0.5] + ["filler"]
        slots.append(build.slot(f"s{index}", names if random.random() < masked_share else ()))
    return build(modules, slots, item_count)


@settings(max_examples=150, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    seed=st.integers(0, 2**32 - 1),
    module_count=st.integers(1, MODULES - 1),  # beside the filler
    slot_count=st.integers(1, SLOTS),
    item_count=st.sampled_from([8, 20, 2_000]),
    template_count=st.integers(1, 2),
    masked_share=st.sampled_from([0.0, 0.3, 0.8]),
)
def test_greedy_pages_are_worth_99_percent_of_the_best(
    build, seed, module_count, slot_count, item_count, template_count, masked_share
):
    random = np.random.default_rng(seed)
    if module_count > 5:
        template_count = 1  # or all pages of a case would take seconds to look at
    facts = page.decode(
        request_of(build, random, module_count, slot_count, item_count, template_count, masked_share)
    )
    cascade = cascade_of(random, facts)
    served = planner.plan(facts, Completion(facts.shape, cascade), GREEDY, 1)
    found = value_of(cascade, [choice.action for choice in served])
    best = best_of_all(facts, cascade)
    assert 0.99 * best <= found <= best + 1e-9
    assert served[0].value == pytest.approx(found, rel=1e-4)


def test_values_are_of_real_pages_and_the_best_is_the_first(build):
    """Of a page without masks, every value is one that some page has, and none beats the page found."""
    random = np.random.default_rng(3)
    modules = [build.module(f"m{index}", [index], [("t0", 1, 1)]) for index in range(6)]
    facts = page.decode(build(modules, [build.slot(f"s{index}") for index in range(3)]))
    cascade = cascade_of(random, facts)
    progress = page.Progress(facts)
    actions = np.arange(6)
    values = Completion(facts.shape, cascade)(progress, progress.offer(), actions)
    for action, value in zip(actions.tolist(), values.tolist(), strict=True):
        others = [other for other in range(6) if other != action]
        below = [value_of(cascade, [action, one, two]) for one in others for two in others if one != two]
        assert min(below) - 1e-9 <= value <= max(below) + 1e-9
        assert value >= max(below) - 0.03 * abs(max(below))
    assert values.max() == pytest.approx(best_of_all(facts, cascade), rel=0.01)


def test_a_pin_and_what_it_keeps_are_planned_around(build):
    """The best module is pinned below: the page is planned with it there, and the value says so."""
    modules = [build.module(f"m{index}", [index], [("t0", 1, 1)]) for index in range(4)]
    facts = page.decode(build(modules, [build.slot("a"), build.slot("b", pin="m0")]))
    given = np.array([[0.9, 0.1, 0.2, 0.3]])
    cascade = Cascade(given, given, np.full((1, 4), 0.5))
    served = planner.plan(facts, Completion(facts.shape, cascade), GREEDY, 1)
    assert [choice.action for choice in served] == [3, 0]
    assert served[0].value == pytest.approx(0.3 + 0.5 * 0.9)


def test_what_was_drawn_instead_of_the_best_is_planned_around(build):
    """After an explored choice the rest of the page is still worth nearly all it could be."""
    worst = 1.0
    for seed in range(60):
        random = np.random.default_rng(seed)
        facts = page.decode(request_of(build, random, 6, 4, 2_000, 2, 0.3))
        cascade = cascade_of(random, facts)
        completion = Completion(facts.shape, cascade)
        progress = page.Progress(facts)
        served = []
        for slot in range(4):
            offer = progress.offer()
            actions = np.flatnonzero(offer.masks == Mask.NONE)
            values = completion(progress, offer, actions)
            action = int(random.choice(actions) if slot == 0 else actions[values.argmax()])
            if slot == 0:
                alone = progress.copy()
                alone.place(action, alone.rows_of(offer, action))
            served.append(action)
            progress.place(action, progress.rows_of(offer, action))
        below = value_of(cascade, served[1:])
        options = []
        offer = alone.offer()
        for action in np.flatnonzero(offer.masks == Mask.NONE).tolist():
            after = alone.copy()
            after.place(action, alone.rows_of(offer, action))
            options.append((action, after))
        best = max(
            cascade.worth[0, action] + cascade.passing[0, action] * _best_two(facts, cascade, after)
            for action, after in options
        )
        worst = min(worst, below / best)
    assert worst > 0.9


def _best_two(facts, cascade, progress):
    best = -np.inf
    offer = progress.offer()
    for action in np.flatnonzero(offer.masks == Mask.NONE).tolist():
        after = progress.copy()
        after.place(action, progress.rows_of(offer, action))
        lower = after.offer()
        last = np.flatnonzero(lower.masks == Mask.NONE)
        best = max(
            best, cascade.worth[0, action] + cascade.passing[0, action] * cascade.last_worth[0, last].max()
        )
    return best
