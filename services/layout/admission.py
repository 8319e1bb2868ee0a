"""Is a request well-formed, and what page does it ask for?"""

from __future__ import annotations

import re
import time
from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from typing import Any

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, token_pb2
from services.common.callers import Caller, Role, require
from services.common.errors import InvalidRequest, NotFound
from services.common.pseudonyms import Pseudonyms
from services.layout import conditions
from services.layout.answers import Offered
from services.layout.blueprint import ANSWER, CONTEXT, Blueprint, Blueprints, Module, Slot
from services.layout.conditions import DEVICES, PAGE_TYPES
from services.layout.configuration import Configuration
from services.layout.experiments import Assignment
from services.layout.tokens import MAX_CURSOR_BYTES, Signer, shown_digests

NEAR_THE_BEST = 0.8
"""Share of an answer's relevance from which on another may stand in its place."""
MAX_SLOTS = 40
MAX_CALLER_MODULES = 8
MAX_CALLER_ITEMS = 200
MAX_CART_ITEMS = 200
MAX_AGE_S = 30 * 86_400
MAX_AHEAD_S = 60

_PAGE_TYPES, _DEVICES = frozenset(PAGE_TYPES.values()), frozenset(DEVICES.values())
_MODULE_ID = re.compile(r"[a-z0-9_-]{1,64}")
_MARKET = re.compile(r"[a-z0-9_-]{1,35}")
_LOCALE = re.compile(r"[A-Za-z]{2,8}(-[A-Za-z0-9]{1,8}){0,3}")


@dataclass(frozen=True, slots=True, kw_only=True)
class PageView:
    """What a page is about, as far as modules and rules depend on it."""

    configuration: Configuration
    blueprint: Blueprint
    modules: tuple[Module, ...]
    slots: tuple[Slot, ...]
    offered: tuple[Offered, ...]
    """Answers, best first; those of earlier parts of the page among them."""
    context: context_pb2.PageContext
    is_continued: bool
    shown_item_digests: frozenset[bytes]

    @property
    def time_s(self) -> float:
        """When the page was asked for, seconds since 1970."""
        return self.context.time.seconds + self.context.time.nanos / 1e9

    def is_filler(self, module: Module) -> bool:
        """Whether the module is the one that may fill any slot."""
        return module.module_id == self.blueprint.filler_id


@dataclass(frozen=True, slots=True, kw_only=True)
class PageRequest(PageView):
    """One admitted page view: everything that the later stages need, checked and derived."""

    page_id: str
    request_id: str
    caller_modules: tuple[layout_pb2.CallerModule, ...]
    slot_count: int | None
    shopper: context_pb2.Shopper
    issued_s: int
    shopper_key: str
    session_key: str
    is_greedy: bool
    is_preview: bool
    """True where no shopper sees the page: nothing is logged or remembered of it."""
    seed: int
    assignment: Assignment
    scoring_version: str
    policy_version: str
    shown_module_ids: frozenset[str]


@dataclass(frozen=True, slots=True)
class Admission:
    """What requests are held against, beside the configuration in force."""

    signer: Signer
    pseudonyms: Pseudonyms
    token_ttl_s: float

    def admit(
        self,
        request: layout_pb2.ComposePageRequest,
        request_id: str,
        caller: Caller,
        configuration: Configuration,
    ) -> PageRequest:
        """The page that a request asks for.

        Raises:
            InvalidRequest: names the field, the value and the limit.
            NotFound: where no blueprint has the name.
            Forbidden: where overrides come without the admin role.
        """
        now_s = time.time()
        if not request.HasField("shopper"):
            raise InvalidRequest("shopper", "absent", "a shopper with a session_id")
        if not request.HasField("context"):
            raise InvalidRequest("context", "absent", "a context with a page_type")
        check_shopper(request.shopper)
        context = self._context(request.context, now_s)
        blueprints = configuration.blueprints
        blueprint = _blueprint(request.blueprint, context, blueprints)
        shown_module_ids, shown_item_digests = frozenset[str](), frozenset[bytes]()
        if request.cursor:
            cursor = self.signer.open(
                "cursor",
                request.cursor,
                token_pb2.PageCursor,
                "cursor",
                now_s,
                self.token_ttl_s,
                MAX_CURSOR_BYTES,
            )
            blueprint = blueprints.by_name.get(cursor.blueprint, blueprint)
            shown_module_ids, shown_item_digests = frozenset(cursor.module_ids), shown_digests(cursor)
        overrides = request.overrides
        if request.HasField("overrides"):
            require(caller, Role.ADMIN)
            for name in ("scoring_version", "policy_version"):
                check_text(f"overrides.{name}", getattr(overrides, name), 0, 64)
        has_consent = request.shopper.consent == context_pb2.CONSENT_GRANTED
        known = request.shopper if has_consent else context_pb2.Shopper()
        shopper_key = self.pseudonyms.of("shopper", known.user_id)
        assignment = configuration.experiments.assign(shopper_key)
        slot_count = _slot_count(request)
        offered: tuple[Offered, ...] = ()
        if blueprint.answer_count:
            pinned = configuration.rules.pinned(context)
            offered = configuration.answers.offered(context, blueprint.answer_count, pinned)
        content = request.SerializeToString(deterministic=True)
        parts = (caller.name.encode(), request_id.encode())
        return PageRequest(
            page_id=self.signer.derive("page", *parts, content).hex()[:32],
            request_id=request_id,
            caller_modules=tuple(request.modules),
            slot_count=slot_count,
            configuration=configuration,
            blueprint=blueprint,
            modules=modules_of(blueprint, request.modules, context, blueprints, shown_module_ids, offered),
            slots=slots_of(blueprint, slot_count, context, offered, is_continued=bool(request.cursor)),
            offered=offered,
            shopper=_outgoing_shopper(request.shopper, has_consent),
            context=context,
            issued_s=int(now_s),  # the clock's: tokens age by it, whatever time the page is about
            shopper_key=shopper_key,
            session_key=self.pseudonyms.of("session", known.session_id),
            is_greedy=not has_consent or assignment.is_greedy or overrides.is_greedy,
            is_preview=overrides.is_preview or bool(overrides.configuration),
            seed=int.from_bytes(self.signer.derive("seed", *parts)[:8], "big") >> 1,
            assignment=assignment,
            scoring_version=overrides.scoring_version or assignment.scoring_version,
            policy_version=overrides.policy_version or assignment.policy_version,
            is_continued=bool(request.cursor),
            shown_module_ids=shown_module_ids,
            shown_item_digests=shown_item_digests,
        )

    def _context(self, given: context_pb2.PageContext, now_s: float) -> context_pb2.PageContext:
        context = context_pb2.PageContext()
        context.CopyFrom(given)
        if given.page_type not in _PAGE_TYPES:
            names = ", ".join(context_pb2.PageType.keys()[1:])
            raise InvalidRequest("context.page_type", given.page_type, f"one of {names}")
        if given.device not in _DEVICES:
            context.device = context_pb2.DEVICE_DESKTOP
        if given.locale and not _LOCALE.fullmatch(given.locale):
            raise InvalidRequest(
                "context.locale", given.locale, 'a language tag such as "en-GB", at most 35 bytes'
            )
        context.locale = given.locale or "en"
        if given.market and not _MARKET.fullmatch(given.market):
            raise InvalidRequest("context.market", given.market, "1 to 35 of a-z, 0-9, - and _")
        context.market = conditions.market(context)
        copy_time("context.time", given, context, now_s)
        check_text("context.query", given.query, int(given.page_type == context_pb2.PAGE_TYPE_SEARCH), 256)
        check_text(
            "context.category", given.category, int(given.page_type == context_pb2.PAGE_TYPE_CATEGORY), 128
        )
        has_item = given.page_type in (context_pb2.PAGE_TYPE_PRODUCT, context_pb2.PAGE_TYPE_ARTICLE)
        check_text("context.item_id", given.item_id, int(has_item), 128)
        if given.page_type == context_pb2.PAGE_TYPE_CHECKOUT and not given.cart_item_ids:
            raise InvalidRequest(
                "context.cart_item_ids", "0 ids", f"1 to {MAX_CART_ITEMS} ids at the checkout"
            )
        if len(given.cart_item_ids) > MAX_CART_ITEMS:
            raise InvalidRequest(
                "context.cart_item_ids", f"{len(given.cart_item_ids)} ids", f"at most {MAX_CART_ITEMS} ids"
            )
        for index, item_id in enumerate(given.cart_item_ids):
            check_text(f"context.cart_item_ids[{index}]", item_id, 1, 128)
        return context


def _blueprint(name: str, context: context_pb2.PageContext, blueprints: Blueprints) -> Blueprint:
    if not name:
        return blueprints.of(context)
    check_text("blueprint", name, 1, 64)
    found = blueprints.by_name.get(name)
    if found is None:
        raise NotFound(f"blueprint {name!r} does not exist; there are {sorted(blueprints.by_name)}")
    if found.page_type != context.page_type:
        raise InvalidRequest("blueprint", name, "a blueprint of the context's page_type")
    return found


def check_text(field: str, value: str, low: int, high: int) -> None:
    """Raises InvalidRequest unless the text has low to high bytes and no control characters."""
    size = len(value) if value.isascii() else len(value.encode())
    if not low <= size <= high:
        raise InvalidRequest(field, value, f"{low} to {high} bytes")
    if not value.isprintable() and any(ord(character) < 32 or ord(character) == 127 for character in value):
        raise InvalidRequest(field, value, "text without control characters")


def check_shopper(shopper: context_pb2.Shopper, field: str = "shopper") -> None:
    """Raises InvalidRequest for ids that are too long, empty or hold control characters."""
    check_text(f"{field}.user_id", shopper.user_id, 0, 128)
    check_text(f"{field}.session_id", shopper.session_id, 1, 128)


def copy_time(field: str, given: Any, target: Any, now_s: float) -> None:
    """Copies the time where it is given and plausible; takes the clock's where it is not given.

    Raises:
        InvalidRequest: for a time too far from the clock.
    """
    if not given.HasField("time"):
        target.time.seconds, micros = divmod(int(now_s * 1e6), 10**6)
        target.time.nanos = 1_000 * micros
        return
    distance_s = given.time.seconds + given.time.nanos / 1e9 - now_s
    if not -MAX_AGE_S <= distance_s <= MAX_AHEAD_S or not 0 <= given.time.nanos < 10**9:
        raise InvalidRequest(
            field,
            f"{given.time.seconds} s",
            f"at most {MAX_AGE_S} s before the clock and {MAX_AHEAD_S} s after it",
        )
    target.time.CopyFrom(given.time)


def _outgoing_shopper(shopper: context_pb2.Shopper, has_consent: bool) -> context_pb2.Shopper:
    """What the feature service is told: without consent, nothing that tells shoppers apart."""
    if has_consent:
        return shopper
    return context_pb2.Shopper(session_id="-", consent=context_pb2.CONSENT_REFUSED)


def modules_of(
    blueprint: Blueprint,
    given: Sequence[layout_pb2.CallerModule],
    context: context_pb2.PageContext,
    blueprints: Blueprints,
    shown_module_ids: Collection[str],
    offered: Sequence[Offered],
) -> tuple[Module, ...]:
    """The answers, the blueprint's modules with the context's category, and the caller's own.

    Args:
        shown_module_ids: modules of earlier parts of the page, which do not come again.
        offered: answers, best first.
    """
    if blueprint.is_fixed and not (given or shown_module_ids or offered):
        return blueprint.modules
    modules = [each.module for each in offered if each.answer.module_id not in shown_module_ids]
    for module in blueprint.modules:
        if module.module_id in shown_module_ids and module.module_id != blueprint.filler_id:
            continue
        if not module.when.holds(context, None):
            continue
        if module.category != CONTEXT:
            modules.append(module)
        elif context.category:
            modules.append(replace(module, category=context.category))
    if not given:
        return tuple(modules)
    if len(given) > MAX_CALLER_MODULES:
        raise InvalidRequest("modules", f"{len(given)} modules", f"at most {MAX_CALLER_MODULES} modules")
    templates = tuple(
        blueprints.templates[name] for name in ("carousel", "grid") if name in blueprints.templates
    )
    taken = {module.module_id for module in blueprint.modules}
    for index, entry in enumerate(given):
        field = f"modules[{index}]"
        if not _MODULE_ID.fullmatch(entry.module_id):
            raise InvalidRequest(f"{field}.module_id", entry.module_id, "1 to 64 of a-z, 0-9, - and _")
        if entry.module_id in taken or entry.module_id.startswith(ANSWER):
            raise InvalidRequest(f"{field}.module_id", entry.module_id, "an id that no other module has")
        taken.add(entry.module_id)
        check_text(f"{field}.title", entry.title, 0, 128)
        if not 1 <= len(entry.item_ids) <= MAX_CALLER_ITEMS:
            raise InvalidRequest(
                f"{field}.item_ids", f"{len(entry.item_ids)} ids", f"1 to {MAX_CALLER_ITEMS} ids"
            )
        for place, item_id in enumerate(entry.item_ids):
            check_text(f"{field}.item_ids[{place}]", item_id, 1, 128)
        if len(set(entry.item_ids)) != len(entry.item_ids):
            raise InvalidRequest(f"{field}.item_ids", "an id twice", "distinct ids")
        if entry.module_id in shown_module_ids:
            continue
        modules.append(
            Module(
                module_id=entry.module_id,
                family="discovery",
                source=feature_pb2.CANDIDATE_SOURCE_LIST,
                source_name="list",
                category="",
                order="source",
                candidate_count=len(entry.item_ids),
                templates=templates,
                titles={"en": entry.title},
                item_ids=tuple(entry.item_ids),
            )
        )
    return tuple(modules)


def slots_of(
    blueprint: Blueprint,
    count: int | None,
    context: context_pb2.PageContext,
    offered: Sequence[Offered],
    is_continued: bool,
) -> tuple[Slot, ...]:
    """The blueprint's slots that hold for the page view, cut or continued to the number asked for."""
    slots = [slot for slot in blueprint.slots if slot.when.is_always or slot.when.holds(context, None)]
    if blueprint.answer_count:
        slots = _with_answers(slots, offered, blueprint)
    if is_continued:
        slots = [Slot(f"more-{index + 1}") for index in range(len(slots))]
    if count is not None:
        slots = slots[:count] + [Slot(f"slot-{index + 1}") for index in range(len(slots), count)]
    return tuple(slots)


def _with_answers(slots: Sequence[Slot], offered: Sequence[Offered], blueprint: Blueprint) -> list[Slot]:
    """The slots with the answers that each may hold.

    A slot holds one of its number of best answers, of those that come near the best of its place: the first
    slot near the best of all, the second near the second best. Where fewer are offered than there are such
    slots so far, it may hold what its blueprint names beside them, or the filler.
    """
    match_count = sum(each.relevance > 0 for each in offered)
    done, place = [], 0
    for slot in slots:
        if slot.answer_count:
            place += 1
            best = offered[min(place, match_count) - 1].relevance if match_count else 0.0
            near_count = sum(each.relevance >= NEAR_THE_BEST * best for each in offered)
            most = max(place, near_count) if match_count else slot.answer_count
            names = [each.answer.module_id for each in offered[: min(slot.answer_count, most)]]
            others = () if len(names) >= place else slot.allowed_module_ids or (blueprint.filler_id,)
            done.append(replace(slot, allowed_module_ids=(*names, *others)))
        else:
            done.append(slot)
    return done


def _slot_count(request: layout_pb2.ComposePageRequest) -> int | None:
    if not request.HasField("slot_count"):
        return None
    if not 1 <= request.slot_count <= MAX_SLOTS:
        raise InvalidRequest("slot_count", request.slot_count, f"1 to {MAX_SLOTS}")
    return request.slot_count
