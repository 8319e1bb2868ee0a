"""Why does a module stand in its slot, in a sentence for people?"""

from __future__ import annotations

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from planogram.policy.v1 import policy_pb2
from services.layout.blueprint import Module

_SOURCE_REASONS = {
    feature_pb2.CANDIDATE_SOURCE_RECENTLY_VIEWED: "You looked at these not long ago.",
    feature_pb2.CANDIDATE_SOURCE_FOR_YOU: "Close to what you looked at lately.",
    feature_pb2.CANDIDATE_SOURCE_SIMILAR: "Close to the item on this page.",
    feature_pb2.CANDIDATE_SOURCE_BOUGHT_TOGETHER: "Often bought with what you are looking at.",
    feature_pb2.CANDIDATE_SOURCE_BESTSELLERS: "Much bought by other shoppers.",
    feature_pb2.CANDIDATE_SOURCE_TRENDING: "Rising fast among all shoppers.",
    feature_pb2.CANDIDATE_SOURCE_NEW_ARRIVALS: "New in the shop.",
    feature_pb2.CANDIDATE_SOURCE_DEALS: "Reduced in price now.",
    feature_pb2.CANDIDATE_SOURCE_BUY_AGAIN: "You bought these before.",
    feature_pb2.CANDIDATE_SOURCE_SEARCH: "Matches what you searched for.",
    feature_pb2.CANDIDATE_SOURCE_SPONSORED: "Paid for by the seller.",
    feature_pb2.CANDIDATE_SOURCE_ARTICLES: "Helps with choosing.",
    feature_pb2.CANDIDATE_SOURCE_LIST: "Put here by the shop.",
}

MASK_WORDS = {
    policy_pb2.MASK_REASON_NOT_ALLOWED: "the slot does not list it",
    policy_pb2.MASK_REASON_PLACED: "it stands in a slot above",
    policy_pb2.MASK_REASON_TOO_FEW_ITEMS: "too few of its items are left after the slots above",
    policy_pb2.MASK_REASON_PINNED: "the slot is pinned to another module",
    policy_pb2.MASK_REASON_RESERVED: "a slot below needs it",
    policy_pb2.MASK_REASON_CROWDED: "its kind is to be few and apart on the page",
}
"""Why a module does not stand in a slot, by the planner's reason."""
_ANSWER_REASONS = {True: "Matches your question.", False: "Often asked."}


def reason(
    module: Module,
    decision: policy_pb2.SlotDecision,
    session: context_pb2.SessionState,
    is_pinned: bool,
    is_planned: bool,
) -> str:
    """What the module is, and what spoke for it on this page."""
    source = (
        _SOURCE_REASONS[module.source] if module.relevance is None else _ANSWER_REASONS[module.relevance > 0]
    )
    if module.source == feature_pb2.CANDIDATE_SOURCE_FOR_YOU and not session.is_known:
        source = "A taste of the whole shop."
    if is_pinned:
        return f"{source} Always in this place."
    if not is_planned:
        return f"{source} In the shop's usual order."
    if decision.is_explored:
        return f"{source} A trial: shown to learn whether it helps."
    interest = _interest(module, session) if module.category else ""
    return " ".join(filter(None, (source, interest, _chance(decision))))


def _interest(module: Module, session: context_pb2.SessionState) -> str:
    clicks = session.category_click_counts.get(module.category, 0)
    looks = session.category_dwell_counts.get(module.category, 0)
    if clicks or looks:
        seen = max(clicks, looks)
        return f"You looked into {module.category} {'once' if seen == 1 else f'{seen} times'} in this visit."
    if session.category_affinities.get(module.category, 0.0) >= 0.25:
        return f"You come back to {module.category} often."
    return ""


def _chance(decision: policy_pb2.SlotDecision) -> str:
    values = decision.feasible.q_value
    count = len(values)
    if count < 2:
        return ""
    if min(values) == max(values):
        return f"One of {count} choices, all alike so far."
    return f"Best of {count} choices for this visit."
