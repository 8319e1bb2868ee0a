"""Do all rules together do to a page's modules what each of them says, one after the other?"""

from __future__ import annotations

from collections import Counter

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout.blueprint import Module, Template
from services.layout.columns import Candidates
from services.layout.rules.document import Rule, Rules, Value
from services.layout.rules.holding import NO_LIMIT, Holding
from services.layout.rules.items import Items
from services.layout.rules.order import Shelves
from services.layout.rules.shelving import Shelving

COUNT = 12
BRANDS = [f"b{row % 4}" if row % 5 else "" for row in range(COUNT)]
WORTH = np.random.default_rng(1).permutation(COUNT) + 1.0
CONTEXT = context_pb2.PageContext(page_type=context_pb2.PAGE_TYPE_HOME)
TEMPLATES = (Template("carousel", 1, 12, {}),)

module_ids = st.sampled_from(((), ("shop",), ("mine",)))
items = st.lists(st.integers(0, COUNT - 1), min_size=1, max_size=4).map(lambda rows: [f"i{r}" for r in rows])
rules_said = st.lists(
    st.one_of(
        st.fixed_dictionaries({"hide": st.fixed_dictionaries({"items": items, "in_modules": module_ids})}),
        st.fixed_dictionaries(
            {"boost": st.fixed_dictionaries({"items": items, "factor": st.sampled_from((0.5, 3.0))})}
        ),
        st.fixed_dictionaries({"bury": st.fixed_dictionaries({"items": items, "in_modules": module_ids})}),
        st.fixed_dictionaries(
            {"cap": st.fixed_dictionaries({"of": st.just("brand"), "most": st.integers(1, 3)})}
        ),
        st.fixed_dictionaries(
            {"lead": st.fixed_dictionaries({"module": st.sampled_from(("shop", "other")), "items": items})}
        ),
    ),
    max_size=6,
)
shelves_said = st.lists(st.permutations(range(COUNT)).map(lambda rows: rows[:9]), min_size=2, max_size=2)


def module(module_id):
    bestsellers = feature_pb2.CANDIDATE_SOURCE_BESTSELLERS
    return Module(
        module_id, "discovery", bestsellers, "bestsellers", "", "value", 9, TEMPLATES, {"en": "Shelf"}
    )


def shelving_of(said, shelves):
    rules = tuple(Rule.model_validate({"name": f"r{place}", **each}) for place, each in enumerate(said))
    value = Value.model_validate({"click": 1.0, "purchase": 1.0})
    holding = Holding(Rules(value, rules), [module("shop"), module("mine")], CONTEXT, "", {})
    facts = feature_pb2.ItemFacts(brand=BRANDS, price_micros=[10**6] * COUNT)
    ids = [f"i{row}" for row in range(COUNT)]
    found = Items(Candidates(feature_pb2.GatherPageResponse(item_ids=ids, item_facts=facts)), CONTEXT, 0.0)
    return Shelving(holding, found, Shelves(np.array(shelves), np.full(2, 9)))


def rows_in(shelves):
    return [shelves.of(place).tolist() for place in range(len(shelves.length))]


def plain(said, shelves):
    """Each rule by itself on lists, in the order in which rules of a page act."""

    def rows_of(each):
        return [int(name.removeprefix("i")) for name in each["items"]]

    found = []
    for own_id, rows in zip(("shop", "mine"), shelves, strict=True):
        worth, kept = WORTH.copy(), list(rows)
        about = [
            (what, each)
            for rule in said
            for what, each in rule.items()
            if not each.get("in_modules") or own_id in each["in_modules"]
        ]
        for what, each in about:
            if what == "hide":
                kept = [row for row in kept if row not in rows_of(each)]
            if what == "boost":
                worth[sorted(set(rows_of(each)))] *= each["factor"]
        let_in = set(kept)
        kept.sort(key=lambda row: -worth[row])
        for what, each in about:
            if what == "bury":
                kept.sort(key=lambda row: row in rows_of(each))
        for what, each in about:
            if what == "cap":
                seen: Counter[str] = Counter()
                before, kept = kept, []
                for row in before:
                    seen[BRANDS[row]] += 1
                    if not BRANDS[row] or seen[BRANDS[row]] <= each["most"]:
                        kept.append(row)
        for what, each in about:
            if what == "lead" and each["module"] == own_id:
                first = [row for row in dict.fromkeys(rows_of(each)) if row in let_in]
                kept = first + [row for row in kept if row not in first]
        found.append(kept)
    return found


@settings(deadline=None)  # the first one compiles
@given(rules_said, shelves_said)
def test_rules_act_one_after_the_other(said, shelves):
    shelving = shelving_of(said, shelves)
    assert rows_in(shelving.arranged(np.array([WORTH, WORTH]))) == plain(said, shelves)
    noted = {effect.rule for effect in shelving.holding.effects.messages()}
    for place, each in enumerate(said):
        alone = shelving_of([each], shelves)
        alone.arranged(np.array([WORTH, WORTH]))
        if "hide" in each and not any("hide" in other for other in said[:place]):
            assert (f"r{place}" in noted) == bool(alone.holding.effects.messages())


def test_of_rules_that_bring_variety_the_first_about_a_module_acts_there():
    strong, weak = ({"diversify": {"strength": strength}} for strength in (0.95, 0.4))
    shelves = [list(range(9)), list(range(9))]
    worth = np.array([WORTH, WORTH])
    by_one = [rows_in(shelving_of([each], shelves).arranged(worth)) for each in (weak, strong)]
    assert by_one[0] != by_one[1]
    both = shelving_of([weak, strong], shelves)
    assert rows_in(both.arranged(worth)) == by_one[0]
    assert [effect.rule for effect in both.holding.effects.messages()] == ["r0"]


@settings(deadline=None)
@given(st.lists(st.tuples(st.sampled_from(("brand", "seller")), st.integers(1, 3)), max_size=3))
def test_groups_are_of_caps_that_bind_on_a_page(caps):
    said = [{"cap": {"of": kind, "most": most, "within": "page"}} for kind, most in caps]
    shelving = shelving_of(said, [list(range(9))] * 2)
    groups, counts = shelving.holding.groups(shelving.items), Counter(filter(None, BRANDS))
    binding = [
        (f"r{place}", most)
        for place, (kind, most) in enumerate(caps)
        if kind == "brand" and max(counts.values()) > most  # no item has a seller
    ]
    if not binding:
        assert groups is None
        return
    assert groups.rules == [name for name, _ in binding]
    assert groups.group_id.shape == (COUNT, len(binding)) and groups.group_id.dtype == np.int32
    for (_, most), column in zip(binding, groups.group_id.T.tolist(), strict=True):
        group_of = dict(zip(BRANDS, column, strict=True))
        assert group_of[""] == -1 and len({*group_of.values()}) == len(counts) + 1
        limited = {
            brand for brand, group in group_of.items() if group >= 0 and groups.most[group] != NO_LIMIT
        }
        assert limited == {brand for brand, count in counts.items() if count > most}
        assert all(groups.most[group_of[brand]] == most for brand in limited)
