"""Does the shop's own order keep the page's rules when no policy answers?"""

from __future__ import annotations

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from planogram.client import search
from planogram.feature.v1 import feature_pb2
from planogram.policy.v1 import policy_pb2
from services.common.tensors import to_tensor
from services.layout import fallback

CAROUSEL = policy_pb2.Template(template_id="carousel", min_item_count=2, max_item_count=4)


def module(name, rows, is_filler=False):
    return policy_pb2.Module(module_id=name, templates=[CAROUSEL], rows=rows, is_filler=is_filler)


def request(modules, slot_count, groups=(), limits=()):
    asked = policy_pb2.PlanPageRequest(
        modules=modules, slots=[policy_pb2.Slot(slot_id=f"s{place}") for place in range(slot_count)]
    )
    if limits:
        asked.items.group_id.CopyFrom(to_tensor(np.array(groups, np.int32)))
        asked.group_limits.extend(
            policy_pb2.GroupLimit(group_id=group, max_item_count=most) for group, most in limits
        )
    return asked


def test_a_group_keeps_its_limit_across_the_page():
    """Items 0 to 5 are of one brand, of which three may stand; 6 to 9 of none."""
    groups = [0] * 6 + [-1] * 4
    asked = request([module("a", [0, 1, 6, 7]), module("b", [2, 3, 8, 9])], 2, groups, [(0, 3)])
    first, second = fallback.editorial_plan(asked)
    assert list(first.rows) == [0, 1, 6, 7]
    assert list(second.rows) == [2, 8, 9]


def test_a_module_that_a_limit_starves_gives_way():
    asked = request(
        [module("a", [0, 1]), module("b", [2, 3]), module("c", [4, 5])], 2, [0] * 4 + [1] * 2, [(0, 2)]
    )
    assert [decision.module_id for decision in fallback.editorial_plan(asked)] == ["a", "c"]


def test_a_filler_goes_over_limits_before_it_leaves_a_slot_empty():
    asked = request([module("a", [0, 1]), module("fill", [0, 1], is_filler=True)], 2, [0, 0], [(0, 2)])
    assert [list(decision.rows) for decision in fallback.editorial_plan(asked)] == [[0, 1], [0, 1]]


def test_a_filler_repeats_nothing_that_it_can_do_without():
    asked = request([module("a", [0, 1]), module("fill", [0, 1, 2, 3], is_filler=True)], 2)
    assert list(fallback.editorial_plan(asked)[1].rows) == [2, 3]


@given(
    rows=st.lists(st.lists(st.integers(0, 19), min_size=2, max_size=8, unique=True), min_size=1, max_size=6),
    groups=st.lists(st.integers(-1, 3), min_size=20, max_size=20),
    limits=st.lists(st.integers(0, 5), min_size=4, max_size=4),
)
def test_no_limit_is_ever_passed_without_a_filler(rows, groups, limits):
    modules = [module(f"m{place}", chosen) for place, chosen in enumerate(rows)]
    asked = request(modules, len(modules), groups, list(enumerate(limits)))
    shown = [row for decision in fallback.editorial_plan(asked) for row in decision.rows]
    assert len(shown) == len(set(shown))
    for group, most in enumerate(limits):
        assert sum(groups[row] == group for row in shown) <= most


def test_an_item_counts_in_each_of_its_groups():
    groups = [[0, 5], [0, 6], [1, 5], [1, 6]]
    asked = request([module("a", [0, 1, 2, 3])], 1, groups, [(0, 2), (5, 1), (6, 2)])
    assert list(fallback.editorial_plan(asked)[0].rows) == [0, 1, 3]


def test_modules_of_a_kind_stay_few_and_apart_and_a_pin_counts():
    names = [f"{kind}{place}" for place in range(4) for kind in ("ad", "m")]
    asked = request([module(name, [2 * place, 2 * place + 1]) for place, name in enumerate(names)], 6)
    asked.module_limits.add(
        module_ids=["ad0", "ad1", "ad2", "ad3"], max_module_count=2, min_gap=1, first_slot=1
    )
    asked.slots[4].pinned_module_id = "ad3"
    shown = [decision.module_id for decision in fallback.editorial_plan(asked)]
    assert [place for place, name in enumerate(shown) if name.startswith("ad")] == [1, 4]
    assert shown[4] == "ad3"


async def test_where_no_shelf_can_stand_the_policy_is_not_asked(open_shop):
    def starved(request):
        response = feature_pb2.GatherPageResponse.FromString(good(request).SerializeToString())
        for module in response.modules:
            # One item is too few for a carousel or a grid, the only templates of this module.
            del module.rows[int(module.module_id == "popular") :]
        return response

    async with open_shop() as shop:
        good = shop.gather.default
        shop.gather.default = starved
        page = await shop.layout.compose(search("ada", "visit", "lamp"), deadline_s=2)
        assert not shop.plan.requests
    assert page.slots
    assert not page.degraded
