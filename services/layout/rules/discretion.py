"""What is a page not to know of a shopper: how is an answer read without what says something private?"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Sequence

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2
from services.layout.blueprint import Module


def withhold(
    gathered: feature_pb2.GatherPageResponse,
    categories: Collection[str],
    modules: Sequence[Module],
    known_modules: Iterable[Module],
) -> None:
    """Takes out all that the answer says of what the shopper did with these categories.

    Items of them stay where they are candidates whoever the shopper is.

    Args:
        modules: of the page. known_modules: of all pages, which the session may speak of.
    """
    is_private = [category in categories for category in gathered.item_facts.category]
    personal = {module.module_id for module in modules if module.is_personal}
    for found in gathered.modules:
        if found.module_id in personal:
            found.rows[:] = [row for row in found.rows if not is_private[row]]
    past = gathered.past
    for rows, times in (
        (past.purchased_rows, past.purchased_unix_s),
        (past.dismissed_rows, past.dismissed_unix_s),
    ):
        kept = [pair for pair in zip(rows, times, strict=True) if not is_private[pair[0]]]
        rows[:], times[:] = [row for row, _ in kept], [time for _, time in kept]
    for module in known_modules:
        if module.category in categories:
            gathered.session.module_unclicked_counts.pop(module.module_id, None)
    _forget(gathered.session, categories)


def _forget(session: context_pb2.SessionState, categories: Collection[str]) -> None:
    for counts in (
        session.category_click_counts,
        session.category_dwell_counts,
        session.category_recent_interests,
        session.category_passes,
        session.category_affinities,
    ):
        for category in categories:
            counts.pop(category, None)
    total = sum(session.category_affinities.values()) or 1.0
    for category, share in list(session.category_affinities.items()):
        session.category_affinities[category] = share / total
    if session.last_click_category in categories:
        session.last_click_category = ""
        session.is_last_click_dwelled = False
