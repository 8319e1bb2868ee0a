"""How are a page so far and a choice for its next slot turned into numbers?

The one place that encodes a PlanPageRequest: serving and training both call it, and its fingerprint is
part of every policy. Names below are the columns, in order; counts go in as log(1 + n), probabilities as
log(p + floor), categories and families as what the shopper did with them, so that a module that nobody
trained on is described like any other. A bucket of its id says besides which category it is: categories
differ in what a click on them leads to, and before the first click nothing else tells actions on them apart.

A new encoding adds columns behind those of the one before, so that policies of both are served side by side:
the earlier ones read the columns that they were trained on.
"""

from __future__ import annotations

import math
import zlib
from collections.abc import Mapping
from dataclasses import dataclass
from functools import lru_cache

import numpy as np

from planogram.common.v1 import context_pb2
from services.common.compiled import compiled
from services.common.tensors import N, TensorSpec, fingerprint
from services.policy.page import Array, Facts, Offer, Progress
from services.policy.shape import Shape

FAMILIES = ("promotion", "discovery", "deep")
TEMPLATES = ("banner", "carousel", "grid", "list", "strip")
SOURCES = (
    "recently_viewed",
    "for_you",
    "similar",
    "bought_together",
    "bestsellers",
    "trending",
    "new_arrivals",
    "deals",
    "buy_again",
    "search",
    "sponsored",
    "articles",
    "list",
)
SEGMENT_BUCKET_COUNT = 8
CATEGORY_BUCKET_COUNT = 24
REVISION = "3"

# In the order of their enums, from number 1; the later ones stand at the end of the state.
_PAGE_TYPES = ("home", "category", "product", "search", "cart")
_LATER_PAGE_TYPES = ("checkout", "article", "help")
_LATER_TEMPLATES = ("tile", "wall", "answer", "folded")
_DEVICES = ("desktop", "phone", "tablet")
_OUTCOMES = ("click", "purchase", "stop")
_COUNTERS = (
    "page_index",
    "click_count",
    "dwell_count",
    "cart_count",
    "purchase_count",
    "pages_without_click",
    "lifetime_event_count",
)

STATE = (
    *(f"page_type_{name}" for name in _PAGE_TYPES),
    *(f"device_{name}" for name in _DEVICES),
    "hour_sin",
    "hour_cos",
    "is_weekend",
    *(f"segment_{bucket}" for bucket in range(SEGMENT_BUCKET_COUNT)),
    "is_known",
    *_COUNTERS,
    *(f"last_outcome_{name}" for name in _OUTCOMES),
    *(f"{family}_clicks" for family in FAMILIES),
    *(f"{family}_stops" for family in FAMILIES),
    *(f"{family}_recent_stops" for family in FAMILIES),
    *(f"{family}_passes" for family in FAMILIES),
    "is_last_click_dwelled",
    "glances",  # clicks without a long look
    "top_recent_interest",  # of all categories
    "top_category_share",  # of the clicks and dwells of the session
    "top_affinity",
    "price_level",
    # The page so far.
    "slot_index",
    "slots_left",
    *(f"{family}_above" for family in FAMILIES),
    *(f"{template}_above" for template in TEMPLATES),
    "items_above",
    "miss_above",  # log of the chance that none of the items above is clicked
    # Since encoding 3.
    *(f"page_type_{name}" for name in _LATER_PAGE_TYPES),
)
ACTION = (
    *(f"family_{name}" for name in FAMILIES),
    *(f"template_{name}" for name in TEMPLATES),
    *(f"source_{name}" for name in SOURCES),
    "is_filler",
    "has_category",
    *(f"category_{bucket}" for bucket in range(CATEGORY_BUCKET_COUNT)),
    "is_context_category",
    "category_clicks",
    "category_dwells",
    "category_glances",  # clicks without a long look
    "category_share",  # of the clicks and dwells of the session
    "category_recent_interest",
    "category_passes",
    "is_last_category",  # of the latest click
    "is_last_category_dwelled",
    "category_affinity",
    "family_clicks",
    "family_stops",
    "family_recent_stops",
    "family_passes",
    "module_unclicked",
    "category_above",
    "family_above",
    "item_count",
    "fill",  # items shown / most that the template shows
    "click_max",
    "click_mean",
    "click_any",  # log of the chance that one of the items is clicked
    "purchase_max",
    "purchase_mean",
    "margin_sum",  # expected margin of the items: sum of P(purchase) times margin
    "margin_max",
    "freshness_mean",
    # Since encoding 3.
    *(f"template_{name}" for name in _LATER_TEMPLATES),
    "is_answer",
    "relevance",  # of an answer to the shopper's question
)

_LATER_STATE = STATE.index(f"page_type_{_LATER_PAGE_TYPES[0]}")
_LATER_ACTION = ACTION.index(f"template_{_LATER_TEMPLATES[0]}")


@dataclass(frozen=True, slots=True)
class Encoding:
    """How many columns of STATE and of ACTION, from the first on, an encoding has."""

    state_count: int
    action_count: int

    def fingerprint(self, revision: str) -> str:
        """Names the encoding."""
        state, action = STATE[: self.state_count], ACTION[: self.action_count]
        specs = (
            TensorSpec("state", "float32", (len(state),), state),
            TensorSpec("actions", "float32", (N, len(action)), action),
        )
        return fingerprint(specs, revision)


_CURRENT, _SECOND = Encoding(len(STATE), len(ACTION)), Encoding(_LATER_STATE, _LATER_ACTION)
FINGERPRINT = _CURRENT.fingerprint(REVISION)
"""Of the encoding that new policies are trained on."""
SERVED: Mapping[str, Encoding] = {FINGERPRINT: _CURRENT, _SECOND.fingerprint("2"): _SECOND}
"""Encodings of policies that are served, by fingerprint."""

# Of the three columns of clicks and the two of purchases.
_FLOORS = np.array([1e-3, 1e-3, 1e-3, 1e-4, 1e-4])[:, None]
_SESSION_START = ACTION.index("is_context_category")
_BY_FAMILY = ACTION.index("family_clicks") - _SESSION_START
_BY_MODULE = ACTION.index("module_unclicked") - _SESSION_START
_CATEGORY_START = ACTION.index("category_above")
_ITEM_START = ACTION.index("item_count")
_PREFIX_START = STATE.index("slot_index")
_ITEMS_ABOVE = STATE.index("items_above")


@dataclass(frozen=True, slots=True)
class _Described:
    """What a page's shape says about its actions, whoever the shopper is."""

    family: Array
    """(M,) place in FAMILIES, -1 for others."""
    template: Array
    """(A,) place in TEMPLATES, -1 for others."""
    category: Array
    """(M,) place in `categories`."""
    categories: tuple[str, ...]
    has_category: Array
    """(M,) 1 where the module has a category."""
    fixed: Array
    """(A, columns of ACTION) float32, 0 where a column depends on more than the shape."""


class PageEncoder:
    """Encodes the slots of one page; what does not change from slot to slot is encoded once."""

    def __init__(self, facts: Facts) -> None:
        self._facts = facts
        self._described = _describe(facts.shape)
        self._state = np.zeros(len(STATE), np.float32)
        self._state[:_PREFIX_START] = _page_state(facts)
        place = facts.request.context.page_type - context_pb2.PAGE_TYPE_CHECKOUT
        self._state[_LATER_STATE:] = _flags(len(_LATER_PAGE_TYPES), place)
        self._actions = self._described.fixed.copy()
        per_module = _module_features(facts, self._described)
        self._actions[:, _SESSION_START:_CATEGORY_START] = per_module[facts.shape.module]
        self._actions[:, -2:] = facts.relevance[facts.shape.module]
        # (5, N) what each item brings; the first three are also looked at for their best.
        self._items = np.stack(
            [
                facts.click,
                facts.purchase,
                facts.purchase * np.maximum(facts.margin, 0),
                np.log1p(-np.minimum(facts.click, 0.999)),
                facts.freshness,
            ]
        )

    def state(self, progress: Progress) -> Array:
        """(len(STATE),) float32: the session, the page view and the page so far."""
        facts, above = self._facts, progress.actions
        state = self._state.copy()
        state[_PREFIX_START] = math.log1p(len(above))
        state[_PREFIX_START + 1] = math.log1p(len(facts.shape.slot_ids) - len(above))
        start = _PREFIX_START + 2
        for action in above:
            family = self._described.family[facts.shape.module[action]]
            template = self._described.template[action]
            if family >= 0:
                state[start + family] += 1
            if template >= 0:
                state[start + len(FAMILIES) + template] += 1
        seen = progress.is_seen
        state[_ITEMS_ABOVE] = math.log1p(int(np.count_nonzero(seen)))
        state[_ITEMS_ABOVE + 1] = np.log1p(-np.minimum(facts.click[seen], 0.999)).sum()
        return state

    def actions(self, progress: Progress, offer: Offer, actions: Array) -> Array:
        """(a, len(ACTION)) float32: what each of these actions would put into the next slot."""
        facts, described = self._facts, self._described
        shape, module = facts.shape, facts.shape.module[actions]
        result = self._actions[actions]
        if progress.actions:
            above = shape.module[progress.actions]
            category, family = described.category, described.family
            by_category = np.bincount(category[above], minlength=len(described.categories))
            by_family = np.bincount(family[above] + 1, minlength=len(FAMILIES) + 1)
            result[:, _CATEGORY_START] = (by_category[category] * described.has_category)[module]
            result[:, _CATEGORY_START + 1] = by_family[family + 1][module]
        count = offer.count[actions]
        columns, miss, margins = _looked_over(
            self._items, facts.rows, offer.shown, module, actions, count, shape.max_count
        )
        columns[0] = np.log1p(count)
        columns[4] = -np.expm1(miss)
        columns[2:7] = np.log(columns[2:7] + _FLOORS)
        columns[7:9] = np.log1p(margins)
        result[:, _ITEM_START:_LATER_ACTION] = columns.T
        return result


def describe(facts: Facts) -> tuple[Array, Array, Array]:
    """A page as it begins: (D,) its state, (A, E) each action as if it stood on top, (A,) whether it may
    stand in some slot."""
    encoder, progress = PageEncoder(facts), Progress(facts)
    offer = progress.offer()
    may_stand = facts.shape.allowed.any(axis=0) & offer.is_enough
    everything = np.arange(facts.shape.action_count)
    return encoder.state(progress), encoder.actions(progress, offer, everything), may_stand


@compiled
def _looked_over(
    items: Array, rows: Array, shown: Array, module: Array, actions: Array, count: Array, max_count: Array
) -> tuple[Array, Array, Array]:
    """The columns of ACTION from item_count to freshness_mean, before any logarithm: (columns, a).

    Those of item_count, click_any and of margins are left open; (a,) sums of miss and (2, a) sums and bests
    of margins come beside, as items have them.

    Args:
        items: (5, N) click, purchase, margin, miss and freshness.
        rows: (M, R); shown: (A, R); module, count: (a,) of each of the actions (a,); max_count: (A,)
    """
    columns = np.zeros((_LATER_ACTION - _ITEM_START, len(actions)))
    misses, margins = np.zeros(len(actions), items.dtype), np.zeros((2, len(actions)), items.dtype)
    sums, best = np.empty(len(items), items.dtype), np.empty(3, items.dtype)
    for number, action in enumerate(actions):
        sums[:], best[:] = 0, 0
        for place in range(rows.shape[1]):
            if shown[action, place]:
                row = rows[module[number], place]
                for column in range(len(items)):
                    sums[column] += items[column, row]
                for column in range(len(best)):
                    best[column] = max(best[column], items[column, row])
        click, purchase, margin, miss, freshness = sums[0], sums[1], sums[2], sums[3], sums[4]
        per_item = 1.0 / max(count[number], 1)
        columns[1, number] = count[number] / max(max_count[action], 1)
        columns[2, number], columns[3, number] = best[0], click * per_item
        columns[5, number], columns[6, number] = best[1], purchase * per_item
        columns[9, number] = freshness * per_item
        misses[number] = miss
        margins[0, number], margins[1, number] = margin, best[2]
    return columns, misses, margins


@lru_cache(maxsize=1_024)
def _describe(shape: Shape) -> _Described:
    family = np.array([_index(FAMILIES, name) for name in shape.families])
    template = np.array([_index(TEMPLATES, name) for name in shape.template_ids])
    categories = tuple(dict.fromkeys(shape.categories))
    has_category = np.array([float(bool(name)) for name in shape.categories])
    source = np.array([_index(SOURCES, name.lower()) for name in shape.sources])
    bucket = np.array([_bucket(name, CATEGORY_BUCKET_COUNT) for name in shape.categories])
    fixed = np.zeros((shape.action_count, len(ACTION)), np.float32)
    fixed[:, :_SESSION_START] = np.concatenate(
        [
            _one_hots(len(FAMILIES), family)[shape.module],
            _one_hots(len(TEMPLATES), template),
            _one_hots(len(SOURCES), source)[shape.module],
            shape.is_filler[:, None],
            has_category[shape.module, None],
            _one_hots(CATEGORY_BUCKET_COUNT, bucket)[shape.module],
        ],
        axis=1,
    )
    category = np.array([categories.index(name) for name in shape.categories])
    fixed[:, _LATER_ACTION:-2] = _one_hots(
        len(_LATER_TEMPLATES), np.array([_index(_LATER_TEMPLATES, name) for name in shape.template_ids])
    )
    return _Described(family, template, category, categories, has_category, fixed)


def _module_features(facts: Facts, described: _Described) -> Array:
    """(M, columns) what the shopper did with each module: is_context_category to module_unclicked."""
    session, context_category = facts.request.session, facts.request.context.category
    # A look-up in a message's map costs ten times as much as one in a dictionary.
    clicks, dwells = dict(session.category_click_counts), dict(session.category_dwell_counts)
    affinities, unclicked = dict(session.category_affinities), dict(session.module_unclicked_counts)
    interests, passes = dict(session.category_recent_interests), dict(session.category_passes)
    last, is_dwelled = session.last_click_category, float(session.is_last_click_dwelled)
    by_family_maps = [
        dict(mapping)
        for mapping in (
            session.family_click_counts,
            session.family_stop_counts,
            session.family_recent_stops,
            session.family_passes,
        )
    ]
    looked = max(sum(clicks.values()) + sum(dwells.values()), 1)
    by_category = np.array(
        [
            (
                float(name == context_category),
                _log_count(clicks.get(name, 0)),
                _log_count(dwells.get(name, 0)),
                _log_count(clicks.get(name, 0) - dwells.get(name, 0)),
                (clicks.get(name, 0) + dwells.get(name, 0)) / looked,
                _log_count(interests.get(name, 0.0)),
                _log_count(passes.get(name, 0.0)),
                float(name == last),
                is_dwelled * (name == last),
                affinities.get(name, 0.0),
            )
            if name
            else (0.0,) * _BY_FAMILY
            for name in described.categories
        ]
    )
    by_family = np.array(
        [[_log_count(mapping.get(name, 0)) for mapping in by_family_maps] for name in FAMILIES]
        + [[0.0] * len(by_family_maps)]  # the place of families that are none of these, -1
    )
    features = np.zeros((len(described.category), _BY_MODULE + 1))
    features[:, :_BY_FAMILY] = by_category[described.category]
    features[:, _BY_FAMILY:_BY_MODULE] = by_family[described.family]
    if unclicked:
        features[:, _BY_MODULE] = [_log_count(unclicked.get(name, 0)) for name in facts.shape.module_ids]
    return features


def _page_state(facts: Facts) -> list[float]:
    session, context = facts.request.session, facts.request.context
    moment = context.time.seconds
    hour = 2 * math.pi * (moment % 86_400) / 86_400
    # 1970 began on a Thursday: days 2 and 3 of each week of the epoch are Saturday and Sunday.
    is_weekend = moment // 86_400 % 7 in (2, 3)
    looked = _added(session.category_click_counts, session.category_dwell_counts)
    return [
        *_flags(len(_PAGE_TYPES), context.page_type - context_pb2.PAGE_TYPE_HOME),
        *_flags(len(_DEVICES), max(context.device - context_pb2.DEVICE_DESKTOP, 0)),
        math.sin(hour),
        math.cos(hour),
        float(is_weekend),
        *_flags(SEGMENT_BUCKET_COUNT, _bucket(session.segment, SEGMENT_BUCKET_COUNT)),
        float(session.is_known),
        *(_log_count(getattr(session, name)) for name in _COUNTERS),
        *_flags(len(_OUTCOMES), session.last_outcome - context_pb2.OUTCOME_CLICK),
        *(_log_count(session.family_click_counts.get(family, 0)) for family in FAMILIES),
        *(_log_count(session.family_stop_counts.get(family, 0)) for family in FAMILIES),
        *(_log_count(session.family_recent_stops.get(family, 0.0)) for family in FAMILIES),
        *(_log_count(session.family_passes.get(family, 0.0)) for family in FAMILIES),
        float(session.is_last_click_dwelled),
        _log_count(session.click_count - session.dwell_count),
        _log_count(max(session.category_recent_interests.values(), default=0.0)),
        max(looked.values()) / max(sum(looked.values()), 1) if looked else 0.0,
        max(session.category_affinities.values(), default=0.0),
        session.price_level,
    ]


def _added(*counts: Mapping[str, int]) -> dict[str, int]:
    total: dict[str, int] = {}
    for mapping in counts:
        for name, count in mapping.items():
            total[name] = total.get(name, 0) + count
    return total


def _one_hots(count: int, places: Array) -> Array:
    """(n, count) 1 at each place (n,), all 0 for -1."""
    return np.asarray(places[:, None] == np.arange(count))


def _flags(count: int, place: int) -> list[float]:
    """1 at the place, 0 elsewhere; all 0 for a place outside, such as an enum value of a newer caller."""
    flags = [0.0] * count
    if 0 <= place < count:
        flags[place] = 1.0
    return flags


def _index(names: tuple[str, ...], name: str) -> int:
    return names.index(name) if name in names else -1


def _bucket(name: str, count: int) -> int:
    """Place of a name among so many; -1 for an empty one."""
    return zlib.crc32(name.encode()) % count if name else -1


def _log_count(count: float) -> float:
    return math.log1p(count) if 0 < count < math.inf else 0.0
