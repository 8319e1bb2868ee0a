from __future__ import annotations

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from services.common.errors import Incompatible
from services.common.tensors import from_tensor
from services.policy import page, planner
from services.policy.completion import Completion, Known
from services.policy.exploration import Exploration, Mode
from services.policy.planner import Choice
from services.policy.programme import Cascade
from services.policy.recount import Mask

UNIFORM = Exploration(Mode.EPSILON_GREEDY, 1.0, 1.0)
GREEDY = Exploration(Mode.GREEDY, 0.0, 1.0)


def plan(request, values=None, exploration=UNIFORM):
    """The facts and the choices; all are worth the same where no values are given."""
    facts = page.decode(request)
    values = values or Known(np.zeros(facts.shape.action_count))
    return facts, planner.plan(facts, values, exploration, request.seed)


def names(facts, choices):
    return [facts.shape.module_ids[facts.shape.module[choice.action]] for choice in choices]


def reasons(facts, choice):
    names = [module.module_id for module in facts.request.modules]
    return {name: Mask(mask) for name, mask in zip(names, choice.masked.tolist(), strict=True) if mask}


def prefer(*wanted):
    """Values that prefer modules in this order."""

    def values(progress, offer, actions):
        facts = progress.facts
        ids = [facts.shape.module_ids[facts.shape.module[action]] for action in actions]
        return np.array([-wanted.index(name) if name in wanted else -99.0 for name in ids])

    return values


def test_the_higher_slot_keeps_an_item(build):
    module, slot = build.module, build.slot
    request = build([module("a", [0, 1, 2]), module("b", [1, 0, 3])], [slot("top"), slot("below")])
    _, choices = plan(request, prefer("a", "b"), GREEDY)
    assert [choice.rows.tolist() for choice in choices] == [[0, 1], [3]]


def test_a_module_below_its_minimum_is_masked(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0, 1]), module("b", [0, 1, 2], [("grid", 2, 3)]), module("c", [3])],
        [slot("top"), slot("below")],
    )
    facts, choices = plan(request, prefer("a", "b", "c"), GREEDY)
    assert names(facts, choices) == ["a", "c"]
    assert reasons(facts, choices[1]) == {"a": Mask.PLACED, "b": Mask.TOO_FEW_ITEMS}


def test_other_templates_of_a_placed_module_are_masked(build):
    module, slot = build.module, build.slot
    two = [("grid", 1, 1), ("list", 1, 1)]
    request = build([module("a", [0, 1], two), module("b", [2, 3], two)], [slot("top"), slot("below")])
    _, choices = plan(request)
    assert [len(choice.feasible) for choice in choices] == [4, 2]
    assert choices[0].feasible_propensities == pytest.approx([0.25] * 4)


def test_slots_hold_what_they_allow(build):
    module, slot = build.module, build.slot
    two = [("grid", 1, 1), ("list", 1, 1)]
    request = build([module("a", [0], two), module("b", [1], two)], [slot("top", ["b", "gone"], ["list"])])
    facts, (choice,) = plan(request)
    assert names(facts, [choice]) == ["b"] and facts.shape.template_ids[choice.action] == "list"
    assert choice.propensity == 1.0
    assert reasons(facts, choice) == {"a": Mask.NOT_ALLOWED}


def test_a_pinned_slot_with_one_template_has_propensity_1(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0]), module("b", [1]), module("c", [2])], [slot("top"), slot("pinned", pin="b")]
    )
    for seed in range(20):
        request.seed = seed
        facts, choices = plan(request)
        assert names(facts, choices)[1] == "b" and choices[1].propensity == 1.0
        assert reasons(facts, choices[0]) == {"b": Mask.RESERVED}
        assert Mask.PINNED in reasons(facts, choices[1]).values()


def test_a_pin_with_two_templates_draws_between_them(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0]), module("b", [1], [("grid", 1, 1), ("list", 1, 1)])], [slot("top", pin="b")]
    )
    _, (choice,) = plan(request)
    assert choice.feasible_propensities.tolist() == [0.5, 0.5]


def test_a_pin_that_cannot_stand_is_reported_and_ignored(build):
    module, slot = build.module, build.slot
    request = build([module("a", [0]), module("b", [], [("grid", 1, 2)])], [slot("top", pin="b")])
    facts, (choice,) = plan(request)
    assert names(facts, [choice]) == ["a"]
    assert reasons(facts, choice) == {"b": Mask.TOO_FEW_ITEMS}


def test_a_pin_stands_where_the_slot_does_not_list_it(build):
    module, slot = build.module, build.slot
    facts, choices = plan(build([module("a", [0]), module("b", [1])], [slot("top", ["a"], pin="b")]))
    assert names(facts, choices) == ["b"]


def test_group_limits_hold_across_the_page(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0, 1, 2], [("grid", 1, 3)]), module("b", [3, 4, 5], [("grid", 1, 3)])],
        [slot("top"), slot("below")],
        groups=[7, 7, 9, 7, 9, -1],
        limits={7: 1, 9: 2},
    )
    _, choices = plan(request, prefer("a", "b"), GREEDY)
    assert [choice.rows.tolist() for choice in choices] == [[0, 2], [4, 5]]


def test_a_filler_prefers_items_that_are_new_to_the_page(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0, 1]), module("fill", [0, 1, 2, 3], is_filler=True)], [slot("top"), slot("below")]
    )
    _, choices = plan(request, prefer("a", "fill"), GREEDY)
    assert choices[1].rows.tolist() == [2, 3]


def test_a_filler_repeats_items_and_itself_rather_than_leave_a_slot_empty(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0, 1]), module("fill", [0, 1], [("grid", 2, 2)], is_filler=True)],
        [slot("one"), slot("two"), slot("three")],
        groups=[0, 0],
        limits={0: 1},
    )
    facts, choices = plan(request, prefer("a", "fill"), GREEDY)
    assert names(facts, choices) == ["a", "fill", "fill"]
    assert [choice.rows.tolist() for choice in choices] == [[0], [0, 1], [0, 1]]


def test_a_choice_that_would_starve_a_slot_below_is_masked(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0]), module("b", [1]), module("c", [2])],
        [slot("top"), slot("middle", ["a", "b"]), slot("low", ["a"])],
    )
    for seed in range(20):
        request.seed = seed
        facts, choices = plan(request)
        assert names(facts, choices) == ["c", "b", "a"]
        assert reasons(facts, choices[0]) == {"a": Mask.RESERVED, "b": Mask.RESERVED}
        assert choices[0].propensity == 1.0


def test_a_choice_that_would_take_the_items_of_a_slot_below_is_masked(build):
    module, slot = build.module, build.slot
    request = build(
        [module("a", [0, 1]), module("b", [0, 2]), module("c", [3])], [slot("top"), slot("low", ["b"])]
    )
    request.modules[1].templates[0].min_item_count = 2
    facts, choices = plan(request)
    assert reasons(facts, choices[0]) == {"a": Mask.RESERVED, "b": Mask.RESERVED}


def test_a_slot_that_can_hold_nothing_is_named(build):
    module, slot = build.module, build.slot
    request = build([module("a", [0])], [slot("top"), slot("below")])
    with pytest.raises(Incompatible, match=r"'below'.*filler"):
        plan(request)


def test_the_same_request_has_the_same_answer(build):
    module, slot = build.module, build.slot
    modules = [module(f"m{index}", [index, index + 1], [("grid", 1, 1)]) for index in range(8)]
    request = build(modules, [slot("a"), slot("b"), slot("c")], seed=-5)
    first, second = (names(*plan(request)) for _ in range(2))
    assert first == second
    request.seed = 6
    assert len({tuple(names(*plan(request))) for request.seed in range(30)}) > 10


def test_a_value_that_is_no_number_is_refused(build):
    module, slot = build.module, build.slot
    request = build([module("a", [0])], [slot("top")])
    with pytest.raises(FloatingPointError):
        plan(request, lambda progress, offer, actions: np.full(len(actions), np.nan))


def test_modules_of_a_kind_stay_few_and_apart(build):
    module, slot = build.module, build.slot
    ads = [module(f"ad{index}", [index], [("grid", 1, 1)]) for index in range(4)]
    others = [module(f"m{index}", [10 + index], [("grid", 1, 1)]) for index in range(8)]
    few = [([ad.name for ad in ads], 2, 2, 1)]
    request = build([*ads, *others], [slot(f"s{index}") for index in range(8)], few=few)
    facts, choices = plan(request, prefer("ad0", "ad1", "ad2", "ad3"), GREEDY)
    shown = names(facts, choices)
    assert [index for index, name in enumerate(shown) if name.startswith("ad")] == [1, 4]
    assert reasons(facts, choices[2])["ad3"] is Mask.CROWDED


def test_arrays_lie_in_memory_alike_whatever_the_number_of_limits(build):
    """Compiled functions are compiled anew, for half a minute, for arrays that lie otherwise."""
    module, slot = build.module, build.slot
    modules = [module(f"m{index}", [index]) for index in range(3)]
    few = [(["m0"], 1, 1, 0), (["m1"], 1, 1, 0)]
    slots = [slot("a"), slot("b"), slot("c")]
    for limits in (few[:1], few):
        given = page.Progress(page.decode(build(modules, slots, few=limits))).given
        assert all(each.flags.c_contiguous for each in given)


def test_a_pin_below_counts_for_the_limit_above_it(build):
    module, slot = build.module, build.slot
    ads = [module(f"ad{index}", [index], [("grid", 1, 1)]) for index in range(3)]
    others = [module(f"m{index}", [10 + index], [("grid", 1, 1)]) for index in range(4)]
    few = [([ad.name for ad in ads], 2, 1, 0)]
    slots = [slot("a"), slot("b"), slot("c", pin="ad0"), slot("d")]
    request = build([*ads, *others], slots, few=few)
    shown = names(*plan(request, prefer("ad1", "ad2"), GREEDY))
    assert shown[0] == "ad1" and shown[2] == "ad0"
    assert not shown[1].startswith("ad") and not shown[3].startswith("ad")


def test_an_item_counts_in_each_of_its_groups(build):
    module, slot = build.module, build.slot
    modules = [module("a", [0, 1, 2, 3], [("grid", 1, 4)]), module("b", [4, 5], [("grid", 1, 4)])]
    groups = [[0, 5], [0, 6], [1, 5], [1, 6], [0, 6], [1, 7]]
    request = build(modules, [slot("top"), slot("next")], 6, groups, {0: 2, 5: 1, 6: 2})
    _, choices = plan(request, prefer("a", "b"), GREEDY)
    assert [choice.rows.tolist() for choice in choices] == [[0, 1, 3], [5]]


@st.composite
def requests(draw, build, with_fillers):
    module, slot = build.module, build.slot
    item_count = draw(st.integers(2, 10))
    module_count = draw(st.integers(1, 5))
    modules = []
    for index in range(module_count):
        rows = draw(st.lists(st.integers(0, item_count - 1), unique=True, max_size=6))
        templates = []
        for template_id in draw(st.lists(st.sampled_from("gl"), min_size=1, max_size=2, unique=True)):
            least = draw(st.integers(0, 3))
            templates.append((template_id, least, draw(st.integers(least, 4))))
        modules.append(module(f"m{index}", rows, templates))
    if with_fillers:
        rows = draw(st.lists(st.integers(0, item_count - 1), unique=True, min_size=2, max_size=6))
        modules.append(module("fill", rows, [("g", 2, 4), ("l", 1, 3)], is_filler=True))
    ids = [module.name for module in modules]
    slots = []
    for index in range(draw(st.integers(1, 5))):
        allowed = draw(st.lists(st.sampled_from(ids), unique=True))
        if with_fillers and allowed:
            allowed = list({*allowed, "fill"})
        templates = draw(st.sampled_from([(), ("g",), ("l",)]))
        slots.append(slot(f"s{index}", sorted(allowed), templates, draw(st.sampled_from(["", "", *ids]))))
    # Of one item, numbers of the first column are never those of the second: groups are distinct.
    columns = [st.integers(-1, 2), st.integers(-1, 1).map(lambda group: group + 3 * (group >= 0))]
    groups = draw(
        st.lists(st.tuples(*columns[: draw(st.integers(1, 2))]), min_size=item_count, max_size=item_count)
    )
    limits = draw(st.dictionaries(st.integers(0, 4), st.integers(0, 3)))
    few = draw(
        st.lists(
            st.tuples(
                st.lists(st.sampled_from(ids), unique=True),
                st.integers(0, 3),
                st.integers(0, 2),
                st.integers(0, 2),
            ),
            max_size=2,
        )
    )
    seed = draw(st.integers(-(2**63), 2**63 - 1))
    return build(modules, slots, item_count, groups, limits, few, seed=seed)


def check_page(request, facts, choices):
    """Every rule of the page, stated without the planner's arrays."""
    seen, placed = set(), set()
    left = {limit.group_id: limit.max_item_count for limit in request.group_limits}
    groups = from_tensor(request.items.group_id, "group_id") if left else None
    kinds = [(set(limit.module_ids), limit, []) for limit in request.module_limits]
    for index, (slot, choice) in enumerate(zip(request.slots, choices, strict=True)):
        module = request.modules[facts.shape.module[choice.action]]
        template = module.templates[facts.shape.template[choice.action]]
        rows = choice.rows.tolist()
        assert template.min_item_count <= len(rows) <= template.max_item_count
        assert len(set(rows)) == len(rows)
        assert rows == [row for row in module.rows if row in set(rows)]  # the module's own order
        if slot.allowed_module_ids and slot.pinned_module_id != module.module_id:
            assert module.module_id in slot.allowed_module_ids
        if slot.allowed_template_ids:
            assert template.template_id in slot.allowed_template_ids
        if not module.is_filler:
            assert module.module_id not in placed
            assert not seen & set(rows)
            for group, room in left.items():
                assert sum((groups[row] == group).sum() for row in rows) <= max(room, 0)
        for members, limit, above in kinds:
            if module.module_id in members:
                if not module.is_filler and slot.pinned_module_id != module.module_id:
                    assert len(above) < limit.max_module_count
                    assert index >= limit.first_slot
                    assert not above or index - above[-1] > limit.min_gap
                above.append(index)
        if left:
            for row in rows:
                for group in groups[row].tolist():
                    if group in left:
                        left[group] -= 1
        seen |= set(rows)
        placed.add(module.module_id)
        assert abs(choice.feasible_propensities.sum() - 1) < 1e-9
        assert choice.propensity > 0
        chosen = choice.feasible.tolist().index(choice.action)
        assert choice.propensity == choice.feasible_propensities[chosen]
        masked = set(np.flatnonzero(choice.masked).tolist())
        assert masked.isdisjoint(facts.shape.module[choice.feasible].tolist())
        assert masked | set(facts.shape.module[choice.feasible].tolist()) == set(range(len(request.modules)))


@settings(max_examples=150, deadline=None)
@given(data=st.data(), mode=st.sampled_from(Mode))
def test_pages_keep_every_rule_and_a_filler_fills_every_slot(build, data, mode):
    request = data.draw(requests(build, with_fillers=True))
    # A filler fills the slots that take one of its templates; "l" and "g" are both among them.
    facts, choices = plan(request, exploration=Exploration(mode, 0.3, 0.5))
    check_page(request, facts, choices)


def can_be_filled(facts, progress=None):
    """Whether any sequence of choices fills all slots, by trying all."""
    progress = progress or page.Progress(facts)
    index = len(progress.actions)
    if index == len(facts.shape.slot_ids):
        return True
    offer = progress.offer()
    for action in np.flatnonzero(offer.masks == Mask.NONE):
        after = progress.copy()
        after.place(int(action), progress.rows_of(offer, int(action)))
        if can_be_filled(facts, after):
            return True
    return False


@settings(max_examples=100, deadline=None)
@given(data=st.data())
def test_without_fillers_a_page_is_filled_whenever_it_can_be(build, data):
    request = data.draw(requests(build, with_fillers=False))
    facts = page.decode(request)
    if can_be_filled(facts):
        for request.seed in range(3):
            check_page(request, *plan(request))
    else:
        with pytest.raises(Incompatible):
            plan(request)


@settings(max_examples=60, deadline=None)
@given(data=st.data())
def test_the_order_of_modules_changes_nothing_but_indexes(build, data):
    request = data.draw(requests(build, with_fillers=True))
    assume(len(request.modules) > 1)
    order = data.draw(st.permutations(range(len(request.modules))))
    permuted = type(request)()
    permuted.CopyFrom(request)
    del permuted.modules[:]
    permuted.modules.extend(request.modules[index] for index in order)
    straight, turned = (plan(each) for each in (request, permuted))
    assert names(*straight) == names(*turned)
    for one, other in zip(straight[1], turned[1], strict=True):
        assert one.rows.tolist() == other.rows.tolist()
        assert one.propensity == pytest.approx(other.propensity, rel=1e-9)
        assert reasons(straight[0], one) == reasons(turned[0], other)


@settings(max_examples=60, deadline=None)
@given(data=st.data(), mode=st.sampled_from(Mode), is_cascade=st.booleans(), seed=st.integers(0, 99))
def test_a_page_filled_at_once_is_the_one_filled_slot_by_slot(build, data, mode, is_cascade, seed):
    request = data.draw(requests(build, with_fillers=True))
    facts = page.decode(request)
    assume(not planner.Outlook(facts).is_needed)
    random = np.random.default_rng(seed)
    cascade = Cascade.of(*random.uniform(0.1, 0.9, (4, 1, facts.shape.action_count)))
    known = random.integers(0, 3, facts.shape.action_count) / 2.0

    def values():
        return Completion(facts.shape, cascade) if is_cascade else Known(known)

    alone = values()
    exploration = Exploration(mode, 0.3, 0.5)
    at_once = planner.plan(facts, values(), exploration, request.seed)
    by_slot = planner.plan(facts, lambda *slot: alone(*slot), exploration, request.seed)
    for one, other in zip(at_once, by_slot, strict=True):
        for name in Choice.__slots__:
            np.testing.assert_array_equal(getattr(one, name), getattr(other, name), name)


@pytest.mark.parametrize("is_known", [True, False])
def test_values_that_are_not_finite_are_no_page(build, is_known):
    request = build([build.module("a", [0], is_filler=True)], [build.slot("s")], 3)
    facts = page.decode(request)
    known = Known(np.full(facts.shape.action_count, np.nan))
    with pytest.raises(FloatingPointError):
        planner.plan(facts, known if is_known else lambda *slot: known(*slot), UNIFORM, 1)
