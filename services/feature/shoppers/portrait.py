"""What does a profile say of a shopper, in sentences that a person can check?"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from services.feature.shoppers.profile import (
    Profile,
    bought_before,
    price_level,
    recently_viewed,
    shares,
)

_CATEGORY_COUNT = 3
_BRAND_COUNT = 2
_LIKED_SHARE = 0.25
_LOW, _HIGH = 1 / 3, 2 / 3


@dataclass(frozen=True, slots=True)
class Line:
    """One statement with the number behind it (0 to 1) and the events it rests on."""

    subject: str
    text: str
    value: float
    evidence_count: int


def portrait(profile: Profile) -> Sequence[Line]:
    """Statements about a shopper, strongest first."""
    lines = [
        *_preferences("category", profile.categories, _CATEGORY_COUNT),
        *_preferences("brand", profile.brands, _BRAND_COUNT),
    ]
    if profile.price_count:
        lines.append(_price_line(profile))
    if profile.click_count:
        share = min(profile.purchase_count / profile.click_count, 1.0)
        lines.append(
            Line(
                "purchase",
                f"Bought {_times(profile.purchase_count)} after {_count(profile.click_count, 'click')}.",
                share,
                profile.click_count + profile.purchase_count,
            )
        )
    if profile.event_count and not lines:
        lines.append(
            Line(
                "activity",
                f"Was seen in {_count(profile.event_count, 'event')}, none of which shows a preference.",
                0.0,
                profile.event_count,
            )
        )
    looked, bought = len(recently_viewed(profile)), len(bought_before(profile))
    if looked:
        lines.append(
            Line(
                "recent",
                f"Looked at {_count(looked, 'item')} lately"
                + (f", and bought {_count(bought, 'item')} here." if bought else "."),
                min(bought / looked, 1.0),
                len(profile.recent.item_ids),
            )
        )
    return sorted(lines, key=lambda line: (-line.value, line.subject, line.text))


def _preferences(subject: str, weights: Mapping[str, tuple[float, int]], count: int) -> Sequence[Line]:
    return [
        Line(
            subject,
            f"{'Likes' if share >= _LIKED_SHARE else 'Sometimes looks at'} {name}: "
            f"{share:.0%} of the interest by {subject}, "
            f"from {_count(weights[name][1], 'event')}.",
            share,
            weights[name][1],
        )
        for name, share in list(shares(weights).items())[:count]
    ]


def _price_line(profile: Profile) -> Line:
    level = price_level(profile)
    kind = "the cheaper" if level < _LOW else "the dearer" if level > _HIGH else "middle-priced"
    return Line(
        "price",
        f"Looks at {kind} items: dearer than {level:.0%} of their categories on average, "
        f"from {_count(profile.price_count, 'event')}.",
        level,
        profile.price_count,
    )


def _count(number: int, noun: str) -> str:
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _times(number: int) -> str:
    return {0: "nothing", 1: "once", 2: "twice"}.get(number, f"{number:,} times")
