"""What is a page not to know of a shopper: how is a session read without its sensitive categories?"""

from __future__ import annotations

from collections.abc import Collection

from planogram.common.v1 import context_pb2


def forget_categories(session: context_pb2.SessionState, categories: Collection[str]) -> None:
    """Takes out all that a session says of these categories."""
    for counts in (
        session.category_click_counts,
        session.category_dwell_counts,
        session.category_recent_interests,
        session.category_passes,
        session.category_affinities,
    ):
        for category in categories:
            counts.pop(category, None)
    total = sum(session.category_affinities.values())
    for category, share in list(session.category_affinities.items()):
        session.category_affinities[category] = share / total
    if session.last_click_category in categories:
        session.last_click_category = ""
        session.is_last_click_dwelled = False
