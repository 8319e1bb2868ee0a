"""What does a page use in place of an answer that did not come?

The order of retreat: candidates of an earlier page, popular order, editorial order, a static page.
"""

from __future__ import annotations

import contextlib
import os
import time
from collections import OrderedDict
from pathlib import Path

from google.protobuf.message import DecodeError

from planogram.feature.v1 import feature_pb2
from planogram.policy.v1 import policy_pb2
from services.common import log
from services.layout.admission import PageRequest
from services.layout.blueprint import CONTEXT

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
        for path in sorted(folder.glob("*.binpb")):
            with contextlib.suppress(OSError, DecodeError):
                response = feature_pb2.GatherPageResponse.FromString(path.read_bytes())
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
            self._save(name, for_any)

    def find(self, page: PageRequest) -> feature_pb2.GatherPageResponse | None:
        """The nearest earlier answer: same subject, same blueprint, any blueprint.

        The lists that the request brings are its own, as far as their items are among those kept.
        """
        names = [page.blueprint.name, *dict.fromkeys(name for name, _ in reversed(self._kept))]
        places = [(page.blueprint.name, _subject(page)), *((name, ANY) for name in names)]
        found = next((self._kept[place][1] for place in places if place in self._kept), None)
        return found if found is None else _with_lists(page, found)

    def _save(self, name: str, response: feature_pb2.GatherPageResponse) -> None:
        staging = self._folder / f".{name}.{os.getpid()}"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            staging.write_bytes(response.SerializeToString())
            staging.replace(self._folder / f"{name}.binpb")
        except OSError as error:
            log.logger("layout").warning("last_good_not_saved", folder=str(self._folder), problem=str(error))


def editorial_plan(request: policy_pb2.PlanPageRequest) -> list[policy_pb2.SlotDecision]:
    """Modules in the order in which they come, each in the first template that fits.

    An item stands in one slot only, except in fillers. Slots that nothing fits are left out.
    """
    decisions: list[policy_pb2.SlotDecision] = []
    placed: set[str] = set()
    shown: set[int] = set()
    pinned = {slot.pinned_module_id for slot in request.slots} - {""}
    for slot in request.slots:
        for module in _in_editorial_order(request, slot, pinned - {slot.pinned_module_id}):
            if module.module_id in placed or not _is_allowed(slot.allowed_module_ids, module.module_id):
                continue
            rows = [row for row in module.rows if module.is_filler or row not in shown]
            template = next(
                (
                    template
                    for template in module.templates
                    if _is_allowed(slot.allowed_template_ids, template.template_id)
                    and len(rows) >= template.min_item_count
                ),
                None,
            )
            if template is None:
                continue
            rows = rows[: template.max_item_count]
            placed.add(module.module_id)
            shown.update(rows)
            decisions.append(
                policy_pb2.SlotDecision(
                    slot_id=slot.slot_id,
                    module_id=module.module_id,
                    template_id=template.template_id,
                    rows=rows,
                    propensity=1.0,
                )
            )
            break
    return decisions


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


def _in_editorial_order(
    request: policy_pb2.PlanPageRequest, slot: policy_pb2.Slot, reserved: set[str]
) -> list[policy_pb2.Module]:
    """The slot's pinned module first; modules pinned elsewhere not at all; fillers last."""
    modules = [module for module in request.modules if module.module_id not in reserved]
    return sorted(modules, key=lambda module: (module.module_id != slot.pinned_module_id, module.is_filler))


def _is_allowed(allowed: object, name: str) -> bool:
    return not allowed or name in allowed  # type: ignore[operator]
