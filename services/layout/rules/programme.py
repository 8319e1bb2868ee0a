"""What do the rules that hold ask of modules? Worked out once for all pages that have the same of both."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import lru_cache
from itertools import chain

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.layout.blueprint import ANSWER, Kind
from services.layout.columns import Array, Texts, column_of, texts_of
from services.layout.rules.document import Modules, Rule, Rules, is_page_cap
from services.layout.rules.matching import Wanted, wanted
from services.layout.rules.steps import Acts, moving_of, steps

ORDERS = ("value", "bid")
"""What items of a module can be sorted by, as `order.worths` gives it; others keep their source's order."""
MAX_PROGRAMME_COUNT = 512
"""Programmes that are kept, of all configurations: pages differ by blueprint, segment and hour."""


@dataclass(frozen=True, slots=True, eq=False)
class Programme:
    """The rules that hold for a page of M modules.

    Attributes:
        actions: what each rule of the configuration does, by name.
        by_action: the rules that hold, in the order of the file.
        reached: by rule, (M,) the modules that it is about; those in their source's order have to be named
            where it changes the order.
        place_of: the place of each module, by its id. ad_places: of those that are paid for.
        module_ids: the ids, to be found in an answer.
        answer_ids: of the modules that answer, best first.
        least_counts: (M,) the fewest items that each can stand with.
        everywhere, personal: (M,) all modules, and those of the shopper's past.
        removing, weighing, leading: the rules that take items out, multiply what they are worth, or put them
            first, in the order in which they act.
        wanted: what rules say of items, as `acts` takes it.
        acts: what they do.
        noted: the names of all rules that change rows, in the order in which `steps.arranged` counts.
        weights: what each rule that weighs, but is not `fair`, multiplies worth by; 1 of promises.
        page_caps: the rules that cap the whole page; (2, C) int64 the column of facts that each is of, and
            how many of a kind it allows.
    """

    modules: tuple[Kind, ...]
    actions: Mapping[str, str]
    by_action: Mapping[str, Sequence[Rule]]
    reached: Mapping[str, Array]
    place_of: Mapping[str, int]
    ad_places: Mapping[str, int]
    module_ids: Texts
    answer_ids: Sequence[str]
    least_counts: Array
    everywhere: Array
    personal: Array
    removing: Sequence[Rule]
    weighing: Sequence[Rule]
    leading: Sequence[Rule]
    wanted: Wanted
    acts: Acts
    noted: Sequence[str]
    weights: Array
    page_caps: tuple[Sequence[str], Array]
    _limits: dict[tuple[int, bool], dict[str, policy_pb2.ModuleLimit]] = field(default_factory=dict)

    def of(self, action: str) -> Sequence[Rule]:
        """The rules that hold and do this, such as "cap", in the order of the file."""
        return self.by_action.get(action, ())

    def limits(self, slot_count: int, is_continued: bool) -> dict[str, policy_pb2.ModuleLimit]:
        """Kinds of modules that stay few and apart, each with a name that begins with its rule's."""
        key = slot_count, is_continued
        if key not in self._limits:
            found = _ad_limits(self, slot_count, is_continued) | _kind_limits(self)
            self._limits[key] = {name: limit for name, limit in found.items() if limit.module_ids}
        return self._limits[key]


@lru_cache(MAX_PROGRAMME_COUNT)
def programme(rules: Rules, is_holding: tuple[bool, ...], modules: tuple[Kind, ...]) -> Programme:
    """What the rules of a configuration that hold ask of modules.

    Args:
        is_holding: whether each of the rules does.
    """
    by_action: dict[str, list[Rule]] = {}
    reached: dict[str, Array] = {}
    for rule, holds in zip(rules.rules, is_holding, strict=True):
        if holds:
            by_action.setdefault(rule.action, []).append(rule)
            action = getattr(rule, rule.action)
            if isinstance(action, Modules):
                reached[rule.name] = _reached(rule, action, modules)
    place_of = {module.module_id: place for place, module in enumerate(modules)}

    def acting(*actions: str) -> list[Rule]:
        return [rule for action in actions for rule in by_action.get(action, ())]

    removing, weighing, burying = (
        acting("exclude", "hide", "sensitive"),
        acting("boost", "promise", "fair"),
        acting("bury"),
    )
    leading = [rule for rule in acting("lead") if rule.lead and rule.lead.module in place_of]
    meaning = [rule for rule in (*removing, *weighing, *burying) if not rule.fair]
    ads, moving = acting("ads")[:1], moving_of(by_action)
    leads = [tuple(dict.fromkeys(rule.lead.items)) for rule in leading if rule.lead]
    said = wanted([getattr(rule, rule.action) for rule in meaning], [*chain.from_iterable(leads)])
    everywhere = np.ones(len(modules), bool)

    def lines(rules: Sequence[Rule]) -> Array:
        found = [reached.get(rule.name, everywhere) for rule in rules]
        return np.array(found, bool).reshape(len(rules), len(modules))

    return Programme(
        modules=modules,
        actions={rule.name: rule.action for rule in rules.rules},
        by_action=by_action,
        reached=reached,
        place_of=place_of,
        ad_places={module.module_id: place_of[module.module_id] for module in modules if module.is_ad},
        module_ids=texts_of([("item", module_id) for module_id in place_of]),
        answer_ids=[module.module_id for module in modules if module.module_id.startswith(ANSWER)],
        least_counts=np.array([module.least_count for module in modules], np.int64),
        everywhere=everywhere,
        personal=np.array([module.is_personal for module in modules], bool),
        removing=removing,
        weighing=weighing,
        leading=leading,
        wanted=said,
        acts=Acts(
            said=said.said,
            is_removing=lines(removing),
            is_everywhere=np.array(
                [not getattr(getattr(rule, rule.action), "in_modules", ()) for rule in removing], bool
            ),
            ads=np.array([module.is_ad for module in modules], bool),
            floor_micros=float(sum(round(rule.ads.floor * 1e6) for rule in ads if rule.ads)),
            orders=np.array([ORDERS.index(m.order) if m.order in ORDERS else -1 for m in modules], np.int64),
            is_weighing=lines(weighing),
            is_burying=lines(burying),
            steps=steps(moving, reached, len(modules)),
            leads=_leads(leads, [place_of[rule.lead.module] for rule in leading if rule.lead], said),
        ),
        noted=[
            *(rule.name for rule in removing),
            "".join(rule.name for rule in ads),
            *(rule.name for rule in (*weighing, *burying, *moving, *leading)),
        ],
        weights=np.array([rule.boost.factor if rule.boost else 1.0 for rule in weighing if not rule.fair]),
        page_caps=_page_caps(acting("cap")),
    )


def _page_caps(caps: Sequence[Rule]) -> tuple[Sequence[str], Array]:
    those = [(rule.name, rule.cap) for rule in caps if rule.cap and is_page_cap(rule)]
    of_whom, most = [column_of(cap.of) for _, cap in those], [cap.most for _, cap in those]
    return [name for name, _ in those], np.array([of_whom, most], np.int64)


def _leads(item_ids: Sequence[Sequence[str]], places: Sequence[int], said: Wanted) -> Array:
    """(L, 3) of each rule that leads, its module's place, and where its items begin and end in the names.

    Args:
        said: its last names are those of the items.
    """
    counts = [len(own) for own in item_ids]
    ends = len(said.names.ends) - sum(counts) + np.cumsum(counts, dtype=np.int64)
    return np.array([places, ends - counts, ends], np.int64).T.reshape(-1, 3).copy()


def _reached(rule: Rule, action: Modules, modules: Sequence[Kind]) -> Array:
    if action.in_modules or rule.action in ("exclude", "hide"):
        return np.array([action.is_about(module.module_id) for module in modules], bool)
    return np.array([module.order != "source" for module in modules], bool)


def _ad_limits(
    programme: Programme, slot_count: int, is_continued: bool
) -> dict[str, policy_pb2.ModuleLimit]:
    return {
        rule.name: policy_pb2.ModuleLimit(
            module_ids=[module.module_id for module in programme.modules if module.is_ad],
            max_module_count=int(rule.ads.most_share * slot_count + 1e-9),
            min_gap=rule.ads.least_gap,
            first_slot=0 if is_continued else rule.ads.first_slot - 1,
        )
        for rule in programme.of("ads")[:1]
        if rule.ads
    }


def _kind_limits(programme: Programme) -> dict[str, policy_pb2.ModuleLimit]:
    return {
        f"{rule.name}{part}": policy_pb2.ModuleLimit(
            module_ids=module_ids, max_module_count=rule.kinds.most, min_gap=rule.kinds.least_gap
        )
        for rule in programme.of("kinds")
        if rule.kinds
        for part, module_ids in _members(rule, programme.modules).items()
    }


def _members(rule: Rule, modules: Sequence[Kind]) -> dict[str, list[str]]:
    """Module ids of each limit of a rule, by what is added to its name."""
    kinds = rule.kinds
    assert kinds is not None
    if kinds.same_category:
        found: dict[str, list[str]] = {}
        for module in modules:
            if module.category:
                found.setdefault(f": {module.category}", []).append(module.module_id)
        return {part: ids for part, ids in found.items() if len(ids) > 1}
    named = Modules(in_modules=kinds.modules)
    return {
        "": [
            module.module_id
            for module in modules
            # Slots for answers could hold nothing else: they are of a kind only where a rule names them.
            if (
                module.family in kinds.families and not module.is_answer
                if kinds.families
                else named.is_about(module.module_id)
            )
        ]
    }
