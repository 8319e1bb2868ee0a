"""What does a page use in place of an answer that did not come?

The order of retreat: candidates of an earlier page, popular order, editorial order, a static page.
"""

from __future__ import annotations

import os
import time
from collections import OrderedDict
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from google.protobuf.message import DecodeError

from planogram.feature.v1 import feature_pb2
from planogram.policy.v1 import policy_pb2
from services.common import log
from services.common.client import UpstreamError
from services.common.tensors import from_tensor
from services.layout.admission import PageRequest
from services.layout.blueprint import CONTEXT
from services.layout.upstreams import check_columns

KEPT_COUNT = 256
KEEP_EVERY_S = 10.0
SAVE_EVERY_S = 30.0

Subject = tuple[str, ...]
ANY: Subject = ()


class LastGood:
    """The latest candidates that belong to no shopper, by blueprint and subject of the page.

    Beside each subject's own, a blueprint has one set that suits pages about anything.
    """

    def __init__(self, folder: Path) -> None:
        """Reads what an earlier process left; what cannot be read is passed over."""
        self._folder = folder
        self._kept: OrderedDict[tuple[str, Subject], tuple[float, feature_pb2.GatherPageResponse]] = (
            OrderedDict()
        )
        self._saved_s: dict[str, float] = {}
        self._saver = ThreadPoolExecutor(1, thread_name_prefix="last-good")
        for path in sorted(folder.glob("*.binpb")):
            response = _read(path)
            if response is not None:
                self._kept[(path.stem, ANY)] = (0.0, response)

    def keep(self, page: PageRequest, response: feature_pb2.GatherPageResponse) -> None:
        """Remembers a good answer, now and then; the first part of a page alone has all modules."""
        now_s = time.monotonic()
        name = page.blueprint.name
        key = (name, _subject(page))
        kept = self._kept.get(key)
        if page.shown_module_ids or (kept is not None and now_s - kept[0] < KEEP_EVERY_S):
            return
        trimmed = _without_shopper(page, response)
        for_any = _without_subject(page, trimmed)
        for place, answer in {key: trimmed, (name, ANY): for_any}.items():
            self._kept[place] = (now_s, answer)
            self._kept.move_to_end(place)
        while len(self._kept) > KEPT_COUNT:
            self._kept.popitem(last=False)
        if now_s - self._saved_s.get(name, -SAVE_EVERY_S) >= SAVE_EVERY_S:
            self._saved_s[name] = now_s
            self._saver.submit(self._save, name, for_any)

    def find(self, page: PageRequest) -> feature_pb2.GatherPageResponse | None:
        """The nearest earlier answer: same subject, same blueprint, any blueprint.

        The lists that the request brings are its own, as far as their items are among those kept.
        """
        names = [page.blueprint.name, *dict.fromkeys(name for name, _ in reversed(self._kept))]
        places = [(page.blueprint.name, _subject(page)), *((name, ANY) for name in names)]
        found = next((self._kept[place][1] for place in places if place in self._kept), None)
        return found if found is None else _with_lists(page, found)

    def close(self) -> None:
        """Waits for what is being saved."""
        self._saver.shutdown()

    def _save(self, name: str, response: feature_pb2.GatherPageResponse) -> None:
        staging = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            staging.write_bytes(response.SerializeToString())
            staging.replace(self._folder / f"{name}.binpb")
        except OSError as error:
            log.logger("layout").warning("last_good_not_saved", folder=str(self._folder), problem=str(error))


def _read(path: Path) -> feature_pb2.GatherPageResponse | None:
    """An answer that was saved; None where the file is damaged, which half a message need not show."""
    try:
        response = feature_pb2.GatherPageResponse.FromString(path.read_bytes())
        check_columns(response)
    except (OSError, DecodeError, UpstreamError) as error:
        log.logger("layout").warning("last_good_not_read", file=str(path), problem=str(error))
        return None
    return response if response.item_ids else None


def editorial_plan(request: policy_pb2.PlanPageRequest) -> list[policy_pb2.SlotDecision]:
    """Modules in the order in which they come, each in the first template that fits.

    An item stands in one slot only, and groups and kinds of modules keep their limits. A filler that would
    starve so repeats items, and goes over limits where that is not enough, as it does in the policy. Slots
    that nothing fits are left out.
    """
    decisions: list[policy_pb2.SlotDecision] = []
    room = _Room(request)
    pinned = {slot.pinned_module_id for slot in request.slots} - {""}
    modules = {module.module_id: module for module in sorted(request.modules, key=lambda m: m.is_filler)}
    for place, slot in enumerate(request.slots):
        own = modules.get(slot.pinned_module_id)
        rest = (module for name, module in modules.items() if name not in pinned)
        allowed_modules, allowed_templates = set(slot.allowed_module_ids), set(slot.allowed_template_ids)
        for module in (*([own] if own is not None else []), *rest):
            if allowed_modules and module.module_id not in allowed_modules:
                continue
            if module is not own and not module.is_filler and room.is_crowded(module.module_id, place):
                continue
            chosen = _first_fit(module, allowed_templates, room)
            if chosen is not None:
                template_id, rows = chosen
                room.take(module.module_id, place, rows)
                del modules[module.module_id]
                decisions.append(
                    policy_pb2.SlotDecision(
                        slot_id=slot.slot_id,
                        module_id=module.module_id,
                        template_id=template_id,
                        rows=rows,
                        propensity=1.0,
                    )
                )
                break
    return decisions


def leave_out_unfillable(request: policy_pb2.PlanPageRequest) -> None:
    """Takes out the slots that nothing fits, as the shop's own order can tell; for want of a filler."""
    filled = {decision.slot_id for decision in editorial_plan(request)}
    kept = [slot for slot in request.slots if slot.slot_id in filled]
    del request.slots[:]
    request.slots.extend(kept)


def static_plan(page: PageRequest) -> list[policy_pb2.SlotDecision]:
    """The blueprint's static modules, without items, in as many slots as there are."""
    slots = [slot.slot_id for slot in page.slots]
    return [
        policy_pb2.SlotDecision(
            slot_id=slot_id,
            module_id=module.module_id,
            template_id=next(t.template_id for t in module.templates if t.min_item_count == 0),
            propensity=1.0,
        )
        for slot_id, module in zip(slots, page.blueprint.static_modules, strict=False)
    ]


def _subject(page: PageRequest) -> Subject:
    """All that the page's candidates depend on beside the shopper; ANY where that is nothing."""
    context, modules = page.context, page.blueprint.modules
    sources = {module.source for module in modules}
    has_companions = feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER in sources
    has_item = has_companions or feature_pb2.CANDIDATE_SOURCE_SIMILAR in sources
    parts = (
        context.item_id if has_item else "",
        context.category if any(module.category == CONTEXT for module in modules) else "",
        context.query if feature_pb2.CANDIDATE_SOURCE_SEARCH in sources else "",
        *(sorted(context.cart_item_ids) if has_companions else ()),
    )
    return parts if any(parts) else ANY


def _without_shopper(
    page: PageRequest, response: feature_pb2.GatherPageResponse
) -> feature_pb2.GatherPageResponse:
    """The answer without session, tensors, the modules made for one shopper, and callers' lists."""
    trimmed = _without_rows(
        response,
        {
            module.module_id
            for module in page.modules
            if module.is_personal or module.source == feature_pb2.CANDIDATE_SOURCE_LIST
        },
    )
    trimmed.ClearField("session")
    trimmed.ClearField("past")
    trimmed.ClearField("feature_sets")
    return trimmed


def _without_subject(
    page: PageRequest, response: feature_pb2.GatherPageResponse
) -> feature_pb2.GatherPageResponse:
    """The answer without modules whose items would be wrong under another page's title."""
    # The blueprint's own modules: in the page's, the context's category has taken its place.
    return _without_rows(
        response, {module.module_id for module in page.blueprint.modules if module.is_about_subject}
    )


def _without_rows(
    response: feature_pb2.GatherPageResponse, module_ids: set[str]
) -> feature_pb2.GatherPageResponse:
    trimmed = feature_pb2.GatherPageResponse()
    trimmed.CopyFrom(response)
    for module in trimmed.modules:
        if module.module_id in module_ids:
            del module.rows[:]
    return trimmed


def _with_lists(
    page: PageRequest, response: feature_pb2.GatherPageResponse
) -> feature_pb2.GatherPageResponse:
    lists = {module.module_id: module.item_ids for module in page.modules if module.item_ids}
    if not lists:
        return response
    filled = feature_pb2.GatherPageResponse()
    filled.CopyFrom(response)
    row_of = {item_id: row for row, item_id in enumerate(response.item_ids)}
    known = [module for module in filled.modules if module.module_id not in lists]
    del filled.modules[:]
    filled.modules.extend(known)
    for module_id, item_ids in lists.items():
        filled.modules.add(
            module_id=module_id, rows=[row_of[item_id] for item_id in item_ids if item_id in row_of]
        )
    return filled


class _Room:
    """What the slots above left: items, and places within the limits of groups and of kinds of modules."""

    def __init__(self, request: policy_pb2.PlanPageRequest) -> None:
        self._shown: set[int] = set()
        self._left = {limit.group_id: limit.max_item_count for limit in request.group_limits}
        self._groups_of: list[list[int]] = []
        if self._left:
            groups = from_tensor(request.items.group_id, "items.group_id")
            self._groups_of = groups.reshape(len(groups), -1).tolist()
        # By limit: its modules, and the slots that hold one or are pinned to one.
        self._kinds = [
            (limit, set(limit.module_ids), _pinned_places(request, limit.module_ids))
            for limit in request.module_limits
        ]

    def is_crowded(self, module_id: str, place: int) -> bool:
        return any(
            len(taken - {place}) >= limit.max_module_count
            or place < limit.first_slot
            or any(abs(place - other) <= limit.min_gap for other in taken - {place})
            for limit, members, taken in self._kinds
            if module_id in members
        )

    def unseen(self, rows: Iterable[int]) -> list[int]:
        return [row for row in rows if row not in self._shown]

    def within_limits(self, rows: list[int]) -> list[int]:
        if not self._left:
            return rows
        left, kept = dict(self._left), []
        for row in rows:
            groups = [group for group in self._groups_of[row] if group in left]
            if all(left[group] > 0 for group in groups):
                kept.append(row)
                for group in groups:
                    left[group] -= 1
        return kept

    def take(self, module_id: str, place: int, rows: list[int]) -> None:
        self._shown.update(rows)
        for _, members, taken in self._kinds:
            if module_id in members:
                taken.add(place)
            else:
                taken.discard(place)  # a pin that could not stand
        if self._left:
            for row in rows:
                for group in self._groups_of[row]:
                    if group in self._left:
                        self._left[group] -= 1


def _pinned_places(request: policy_pb2.PlanPageRequest, module_ids: Iterable[str]) -> set[int]:
    members = set(module_ids)
    return {place for place, slot in enumerate(request.slots) if slot.pinned_module_id in members}


def _first_fit(
    module: policy_pb2.Module, allowed_templates: set[str], room: _Room
) -> tuple[str, list[int]] | None:
    """The first template that stands with what is left for the module, and its rows."""
    rows = list(module.rows)
    offers = [room.within_limits(room.unseen(rows))]
    if module.is_filler:
        offers += [room.within_limits(rows), rows]
    for template in module.templates:
        if allowed_templates and template.template_id not in allowed_templates:
            continue
        for offered in offers:
            if len(offered) >= template.min_item_count:
                return template.template_id, offered[: template.max_item_count]
    return None
