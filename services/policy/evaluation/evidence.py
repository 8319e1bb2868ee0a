"""What does a log say about a candidate policy?

Each logged page is walked again with the code that serves, from the top: at every examined slot the
candidate is asked how likely it would have made the served choice, and then that choice is placed. A session
counts whole or not at all: where one of its pages says nothing about the candidate, neither does the rest.

Symbols: T decisions, A feasible actions of one, K = sum of A, D and E the widths of state and action.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path

import numpy as np

from planogram.events.v1 import events_pb2
from planogram.files import log as files
from planogram.policy.v1 import policy_pb2
from services.common.errors import InvalidRequest
from services.policy import page, planner, space
from services.policy.evaluation.decisions import Decisions
from services.policy.exploration import Exploration, probabilities
from services.policy.page import Array
from services.policy.recount import Mask
from services.policy.registry import Policy
from services.policy.training.logged import Seen, acts_by_page, seen_on
from services.policy.training.pages import TERMINAL
from services.policy.training.rewards import Rewards
from services.policy.training.transitions import Transitions

SET_ASIDE = "set aside as no shopper's"
NO_POLICY = "no policy decided a page"
VOID = "a page was not shown as planned"
GREEDY = "pages are served without exploration, such as those without consent"
OTHER_VERSION = "another version than the incumbent served a page"
LEARNED = "the candidate learned from it: its own successes would be counted twice"
OTHER_RULES = "other choices are feasible now than when it was served"


@dataclass(frozen=True, slots=True, eq=False)
class Evidence:
    """Decisions, and what a model of values is fitted to; row t is the same decision in both."""

    decisions: Decisions
    transitions: Transitions
    candidate: Array
    """(K,) candidate's probabilities of each decision's feasible actions."""
    served: Array
    """(K,) those in force when the page was served."""
    versions: dict[str, int]
    """Pages by the policy version that served them."""
    left_out: dict[str, int]
    """Sessions that say nothing about the candidate, by reason."""


@dataclass(slots=True)
class _Page:
    """What one page brings; lists have one entry per examined slot."""

    states: list[Array] = field(default_factory=list)
    actions: list[Array] = field(default_factory=list)
    candidate: list[Array] = field(default_factory=list)
    served: list[Array] = field(default_factory=list)
    chosen: list[int] = field(default_factory=list)
    rewards: list[float] = field(default_factory=list)
    time: int = 0
    version: str = ""


@dataclass(slots=True)
class _Session:
    shopper: str
    pages: list[_Page] = field(default_factory=list)
    left_out: str = ""


def read(
    folder: Path,
    policy: Policy,
    exploration: Exploration,
    rewards: Rewards,
    page_discount: float = 1.0,
    learned_until: datetime | None = None,
    incumbent: str | None = None,
    progress: Callable[[int, int], None] | None = None,
) -> Evidence:
    """Walks a log.

    Args:
        exploration: how the candidate would draw.
        page_discount: what a reward is worth that comes one page later.
        learned_until: the last moment that the candidate learned from; sessions that began before count not.
        incumbent: the version that a session's pages must be served by, to count; any where None.
        progress: called with pages read and pages in all.

    Raises:
        planogram.files.log.LogFileError: for a log that cannot be read.
        ValueError: where no session says anything about the candidate.
    """
    acts, set_aside = acts_by_page(folder), files.read_set_aside(folder)
    table = files.read_exposure_table(folder).select(["session_key", "page_id", "payload"])
    sessions: dict[str, _Session] = {}
    for index, (key, page_id, payload) in enumerate(zip(*table.to_pydict().values(), strict=True)):
        if progress is not None and index % 100 == 0:
            progress(index, table.num_rows)
        try:
            exposure = events_pb2.Exposure.FromString(payload)
        except Exception as error:  # protobuf's DecodeError is no public name in every runtime
            raise files.LogFileError(f"{folder}: exposure of page {page_id}: payload: {error}") from None
        session = sessions.get(key)
        if session is None:
            is_learned = learned_until is not None and exposure.time.ToDatetime(UTC) <= learned_until
            reason = SET_ASIDE if key in set_aside.session_keys else LEARNED if is_learned else ""
            session = _Session(exposure.shopper_key or key, left_out=reason)
            sessions[key] = session
        if session.left_out:
            continue
        seen = seen_on(exposure, acts.get(page_id, []), rewards)
        is_other = incumbent is not None and exposure.policy_version != incumbent
        walked = OTHER_VERSION if is_other else _walk(exposure, seen, policy, exploration)
        if isinstance(walked, str):
            session.left_out = walked
        else:
            session.pages.append(walked)
    kept = [session for session in sessions.values() if not session.left_out]
    left_out = Counter(session.left_out for session in sessions.values() if session.left_out)
    if not any(entry.states for session in kept for entry in session.pages):
        raise ValueError(f"{folder}: none of {len(sessions)} sessions can be evaluated: {dict(left_out)}")
    return _gather(kept, page_discount, table.num_rows, dict(left_out))


def _walk(exposure: events_pb2.Exposure, seen: Seen, policy: Policy, exploration: Exploration) -> _Page | str:
    """The examined slots of a page; a reason instead where it says nothing about the candidate."""
    if not exposure.plan_request or any(slot.module_index < 0 for slot in exposure.slots):
        return NO_POLICY
    if exposure.is_propensity_void:
        return VOID
    request = policy_pb2.PlanPageRequest.FromString(exposure.plan_request)
    if request.exploration.mode == policy_pb2.EXPLORATION_MODE_GREEDY:
        return GREEDY
    try:
        facts = page.decode(request)
    except InvalidRequest as error:
        raise files.LogFileError(f"page {exposure.page_id}: plan_request: {error}") from None
    pairs = zip(facts.shape.module.tolist(), facts.shape.template.tolist(), strict=True)
    action_of = {pair: action for action, pair in enumerate(pairs)}
    values, encoder = policy.values(facts), space.PageEncoder(facts)
    above, outlook = page.Progress(facts), planner.Outlook(facts)
    result = _Page(time=files.micros(exposure.time), version=exposure.policy_version)
    for index, slot in enumerate(exposure.slots[: seen.lowest + 1]):
        offer = above.offer()
        outlook.mask_dead_ends(above, offer, offer.masks)
        feasible = np.flatnonzero(offer.masks == Mask.NONE)
        try:
            choices = zip(slot.feasible.module_index, slot.feasible.template_index, strict=True)
            actions = [action_of.get(choice, -1) for choice in choices]
            served = dict(zip(actions, slot.feasible.propensity, strict=True))
        except ValueError:
            where = f"page {exposure.page_id}: slot {slot.slot_id}: feasible"
            raise files.LogFileError(f"{where}: want columns of equal length") from None
        action = action_of.get((slot.module_index, slot.template_index), -1)
        if set(feasible.tolist()) != set(served) or action not in served:
            return OTHER_RULES
        result.states.append(encoder.state(above))
        result.actions.append(encoder.actions(above, offer, feasible).astype(np.float16))
        result.candidate.append(probabilities(values(above, offer, feasible), exploration))
        result.served.append(np.array([served[entry] for entry in feasible.tolist()]))
        result.chosen.append(int(np.searchsorted(feasible, action)))
        result.rewards.append(seen.rewards[index])
        rows = [item.plan_row for item in slot.items if item.plan_row >= 0]
        above.place(action, np.array(rows, np.int64))
        outlook.follow(action)
    return result


def _gather(
    sessions: list[_Session], page_discount: float, page_count: int, left_out: dict[str, int]
) -> Evidence:
    pages = [entry for session in sessions for entry in session.pages]
    page_offsets = _offsets([len(entry.states) for entry in pages])
    session_offsets = _offsets([len(session.pages) for session in sessions])
    candidate = [column for entry in pages for column in entry.candidate]
    served = [column for entry in pages for column in entry.served]
    chosen = np.array([place for entry in pages for place in entry.chosen])
    rewards = np.array([reward for entry in pages for reward in entry.rewards])
    offsets = _offsets([len(column) for column in served])
    flat_candidate, flat_served = np.concatenate(candidate), np.concatenate(served)
    rows = offsets[:-1] + chosen
    number_of: dict[str, int] = {}
    shoppers = [number_of.setdefault(session.shopper, len(number_of)) for session in sessions]
    decisions = Decisions(
        served=flat_served[rows],
        candidate=flat_candidate[rows],
        rewards=rewards,
        page_offsets=page_offsets,
        session_offsets=session_offsets,
        shoppers=np.array(shoppers),
        page_discount=page_discount,
    )
    following, discounts = _links(decisions)
    transitions = Transitions(
        states=np.stack([state for entry in pages for state in entry.states]),
        actions=np.concatenate([actions for entry in pages for actions in entry.actions]),
        offsets=offsets,
        chosen=chosen,
        rewards=rewards.astype(np.float32),
        following=following,
        discounts=discounts,
        propensities=decisions.served,
        times=np.array([entry.time for entry in pages for _ in entry.states]),
        page_count=page_count,
        skipped_count=page_count - len(pages),
    )
    versions = dict(Counter(entry.version for entry in pages).most_common())
    return Evidence(decisions, transitions, flat_candidate, flat_served, versions, left_out)


def _links(decisions: Decisions) -> tuple[Array, Array]:
    """(T,) index of each decision's successor in its session, and (T,) what that is discounted by."""
    page = np.repeat(np.arange(decisions.page_count), np.diff(decisions.page_offsets))
    place = decisions.page_index()[page]
    session = np.repeat(np.arange(len(decisions)), np.diff(decisions.session_offsets))[page]
    goes_on = np.append(session[1:] == session[:-1], False)
    following = np.where(goes_on, np.arange(len(page)) + 1, TERMINAL)
    pages_between = np.append(place[1:] - place[:-1], 0)
    discounts = np.where(goes_on, decisions.page_discount ** np.maximum(pages_between, 0), 0.0)
    return following, discounts.astype(np.float32)


def _offsets(lengths: list[int]) -> Array:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
