"""What is on offer for a page, and what is left of it after the slots above?

`decode` turns a plan request into arrays, once a page; `Progress` is what the slots above took away.
The planner draws by them, `space` encodes them, and training replays logged pages through both.

Symbols: N items, M modules, R rows of the longest module, A actions (a module in one of its templates,
in the order of the request), S slots, s slots that are left, G capped groups, K groups of an item, L module
limits.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from planogram.common.v1 import context_pb2
from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest
from services.common.tensors import from_tensor
from services.policy.recount import Given, Taken, choices_left, first_beyond, first_repeating, take
from services.policy.shape import MAX_MODULE_COUNT, Shape, shape_of
from services.policy.wire import Modules, modules_of

Array = np.ndarray[Any, Any]

MAX_ITEM_COUNT = 2_000
MAX_GROUPS_OF_ITEM = 8
MAX_SUM = 1e6
"""Of a map of the session: what is beyond comes from no shopper, and overflows a network."""
MAX_SHARES = 1.001
"""In sum: shares are rounded."""

_SESSION_COUNTS = (
    *("page_index", "click_count", "dwell_count", "cart_count", "purchase_count"),
    *("pages_without_click", "lifetime_event_count"),
)
_SESSION_COUNT_MAPS = (
    *("category_click_counts", "category_dwell_counts", "family_click_counts", "family_stop_counts"),
    "module_unclicked_counts",
)
_SESSION_MAPS = (
    *("category_affinities", "category_recent_interests", "category_passes"),
    *("family_recent_stops", "family_passes"),
)


@dataclass(frozen=True, slots=True)
class Facts:
    """One plan request as arrays."""

    request: policy_pb2.PlanPageRequest
    shape: Shape
    click: Array
    """(N,) P(click | examined)."""
    purchase: Array
    """(N,) P(purchase | examined)."""
    margin: Array
    """(N,) margin of a sale, in units of the currency."""
    freshness: Array
    """(N,) exp(-age / 30 days)."""
    rows: Array
    """(M, R) items of each module, best first; 0 beyond its end."""
    length: Array
    """(M,) how many items each module has."""
    relevance: Array
    """(M, 2) float32, 1 where the module is an answer, and its relevance; 0 of others."""
    can_fill: Array
    """(A,) true for fillers with enough rows to stand whatever stands above."""
    group: Array
    """(N, K) indexes of the item's capped groups; G where no cap applies."""
    group_limit: Array
    """(G,) most items of the group on the page."""


@dataclass(frozen=True, slots=True)
class Offer:
    """What each action could show now."""

    shown: Array
    """(A, R) rows of its module that the action would show."""
    count: Array
    """(A,) how many they are."""
    is_enough: Array
    """(A,) true where they reach the action's minimum; false of modules that stand already, but fillers."""
    is_crowded: Array
    """(s, M) true where a slot that is left would hold too many of a kind, or two too near; what stands above
    counts, and what is pinned below."""
    masks: Array
    """(A,) Mask of each action in the next slot, what lies below looked at for pins alone."""


class Progress:
    """What the slots above took: items, modules and room under caps."""

    def __init__(self, facts: Facts) -> None:
        shape, limits = facts.shape, facts.shape.limits
        self.facts = facts
        self.is_seen = np.zeros(len(facts.click), bool)
        self.is_placed = np.zeros(len(facts.rows), bool)
        self.group_left = facts.group_limit.copy()
        self.stands = np.zeros(limits.is_pinned.shape, bool)
        """(L, S) true for slots above that hold a module of a limit."""
        self.actions: list[int] = []
        """Actions of the slots above, top-down."""
        self.given = Given(
            *(facts.rows, facts.length, facts.group),
            *(shape.module, shape.min_count, shape.max_count, shape.is_filler),
            *(shape.allowed, shape.pinned, shape.kept),
            *(limits.pinned, limits.is_pinned, limits.is_member, limits.most, limits.gap, limits.first_slot),
        )

    @property
    def taken(self) -> Taken:
        """The same as compiled functions take it, which write to it."""
        return Taken(self.is_seen, self.is_placed, self.group_left, self.stands)

    def copy(self) -> Progress:
        other = object.__new__(Progress)
        other.facts = self.facts
        other.is_seen = self.is_seen.copy()
        other.is_placed = self.is_placed.copy()
        other.group_left = self.group_left.copy()
        other.stands = self.stands.copy()
        other.actions = self.actions.copy()
        other.given = self.given
        return other

    def offer(self) -> Offer:
        """What each action could show below what stands already, and which may stand next.

        Modules show what was not shown above, within caps. A filler that falls below its minimum so
        repeats items, and where caps alone starve it, it goes over them: a filler that has enough rows
        at all can always stand.
        """
        return Offer(*choices_left(self.given, self.taken, len(self.actions)))

    def rows_of(self, offer: Offer, action: int) -> Array:
        """Items that an action would show, in order."""
        rows: Array = self.facts.rows[self.facts.shape.module[action]][offer.shown[action]]
        return rows

    def place(self, action: int, rows: Array) -> None:
        """Puts an action into the next slot, where it shows these items."""
        take(self.given, self.taken, len(self.actions), action, rows)
        self.actions.append(action)


def decode(request: policy_pb2.PlanPageRequest) -> Facts:
    """The facts of a request.

    Raises:
        InvalidRequest: names the field, its value and the limit.
    """
    columns = {
        name: _column(request, name) for name in ("click_probability", "purchase_probability", "margin")
    }
    item_count = len(columns["click_probability"])
    freshness = _column(request, "freshness")
    for name, column in (*columns.items(), ("freshness", freshness)):
        if len(column) != item_count:
            raise InvalidRequest(f"items.{name}.shape", column.shape, f"({item_count},)")
    _check_session(request.session)
    if len(request.modules) > MAX_MODULE_COUNT:  # before there is a row of memory for each
        raise InvalidRequest("modules", f"{len(request.modules)} entries", f"1 to {MAX_MODULE_COUNT}")
    modules = modules_of(request, MAX_ITEM_COUNT)
    _check_length(modules.length)
    _check_relevance(modules.relevance[:, 1])
    shape = shape_of(request, modules.blueprint)
    _check_rows(request, modules, item_count)
    group, group_limit = _groups(request, item_count)
    return Facts(
        request=request,
        shape=shape,
        click=columns["click_probability"],
        purchase=columns["purchase_probability"],
        margin=columns["margin"],
        freshness=freshness,
        rows=modules.rows,
        length=modules.length,
        relevance=modules.relevance,
        can_fill=shape.is_filler & (modules.length[shape.module] >= shape.min_count),
        group=group,
        group_limit=group_limit,
    )


def _column(request: policy_pb2.PlanPageRequest, name: str) -> Array:
    field = f"items.{name}"
    array = from_tensor(getattr(request.items, name), field)
    if array.dtype != np.float32 or array.ndim != 1 or len(array) > MAX_ITEM_COUNT:
        raise InvalidRequest(
            field, f"{array.dtype} {array.shape}", f"float32 of shape (N), N up to {MAX_ITEM_COUNT}"
        )
    if name != "margin" and len(array) and array.min() >= 0 and array.max() <= 1:  # never with NaN
        return array
    if not np.isfinite(array).all():
        raise InvalidRequest(field, "NaN or infinity", "finite numbers")
    if name != "margin" and len(array):
        raise InvalidRequest(field, f"{array.min()} to {array.max()}", "0 to 1")
    return array


def _check_session(session: context_pb2.SessionState) -> None:
    if not 0 <= session.price_level <= 1:  # nor NaN
        raise InvalidRequest("session.price_level", session.price_level, "0 to 1")
    for name in _SESSION_COUNTS:
        count = getattr(session, name)
        if count < 0:
            raise InvalidRequest(f"session.{name}", count, "0 or more")
    for name in _SESSION_COUNT_MAPS:
        counts = getattr(session, name)
        if counts and min(counts.values()) < 0:
            key = min(counts, key=counts.get)
            raise InvalidRequest(f"session.{name}[{key!r}]", counts[key], "0 or more")
    for name in _SESSION_MAPS:
        values = getattr(session, name).values()
        most = MAX_SHARES if name == "category_affinities" else MAX_SUM
        if values and not (min(values) >= 0 and sum(values) <= most):  # a sum with NaN is below nothing
            limit = f"0 or more, {most:g} at most in sum"
            raise InvalidRequest(f"session.{name}", f"{min(values):g} to {max(values):g}", limit)


def _check_length(length: Array) -> None:
    if len(length) and length.max() > MAX_ITEM_COUNT:
        index = int(np.argmax(length))
        raise InvalidRequest(f"modules[{index}].rows", f"{length[index]} rows", f"at most {MAX_ITEM_COUNT}")


def _check_relevance(relevance: Array) -> None:
    if len(relevance) and not (relevance.min() >= 0 and relevance.max() <= 1):  # nor NaN
        index = int(np.argmin((relevance >= 0) & (relevance <= 1)))
        raise InvalidRequest(f"modules[{index}].relevance", float(relevance[index]), "0 to 1")


def _check_rows(request: policy_pb2.PlanPageRequest, modules: Modules, item_count: int) -> None:
    for first, limit in ((first_beyond, f"0 to below {item_count}"), (first_repeating, "distinct rows")):
        index = first(modules.rows, modules.length, item_count)
        if index >= 0:
            raise InvalidRequest(f"modules[{index}].rows", request.modules[index].rows, limit)


def _groups(request: policy_pb2.PlanPageRequest, item_count: int) -> tuple[Array, Array]:
    limits: dict[int, int] = {}
    for index, limit in enumerate(request.group_limits):
        where = f"group_limits[{index}]"
        if limit.group_id < 0 or limit.group_id in limits:
            raise InvalidRequest(f"{where}.group_id", limit.group_id, "0 or more, and once")
        if limit.max_item_count < 0:
            raise InvalidRequest(f"{where}.max_item_count", limit.max_item_count, "0 or more")
        limits[limit.group_id] = limit.max_item_count
    if not limits:
        return np.zeros((item_count, 1), np.int64), np.zeros(0, np.int64)
    ids = from_tensor(request.items.group_id, "items.group_id")
    columns = ids[:, None] if ids.ndim == 1 else ids
    if (
        ids.dtype != np.int32
        or columns.ndim != 2
        or len(columns) != item_count
        or not 1 <= columns.shape[1] <= MAX_GROUPS_OF_ITEM
    ):
        raise InvalidRequest(
            "items.group_id",
            f"{ids.dtype} {ids.shape}",
            f"int32 of shape ({item_count},) or ({item_count}, K), K up to {MAX_GROUPS_OF_ITEM}",
        )
    capped = np.array(sorted(limits))
    place = np.minimum(np.searchsorted(capped, columns), len(capped) - 1)
    group = np.where(capped[place] == columns, place, len(capped))
    return group, np.array([limits[int(identity)] for identity in capped])
