"""Who is browsing: which persona, in which visit, with what in the cart?"""

from __future__ import annotations

import secrets
from collections import OrderedDict
from dataclasses import dataclass, field

MAX_VISITS = 10_000
NEWCOMER = ""


@dataclass(slots=True)
class Visit:
    """One browser's visit."""

    visit_id: str
    persona: str = NEWCOMER
    has_consent: bool = True
    cart: dict[str, str] = field(default_factory=dict)
    """Tracking token of the page that an item was put into the cart from, by item id."""
    noticed: str = ""
    """What the shopper did last, for the next page to tell."""
    portrait: dict[str, float] | None = None
    """What the latest page knew of the shopper: strength by sentence; None before the first page."""

    @property
    def user_id(self) -> str:
        return self.persona or f"newcomer-{self.visit_id}"


class Visits:
    """The visits of this process; the oldest are forgotten."""

    def __init__(self) -> None:
        self._visits: OrderedDict[str, Visit] = OrderedDict()

    def of(self, cookie: str | None) -> Visit:
        """The visit behind a cookie; a new one where there is none."""
        if cookie is not None and cookie in self._visits:
            self._visits.move_to_end(cookie)
            return self._visits[cookie]
        return self._open(Visit(secrets.token_hex(8)))

    def begin_again(self, visit: Visit, persona: str, has_consent: bool) -> Visit:
        """A new visit, by a persona."""
        self._visits.pop(visit.visit_id, None)
        return self._open(Visit(secrets.token_hex(8), persona, has_consent))

    def _open(self, visit: Visit) -> Visit:
        self._visits[visit.visit_id] = visit
        while len(self._visits) > MAX_VISITS:
            self._visits.popitem(last=False)
        return visit
