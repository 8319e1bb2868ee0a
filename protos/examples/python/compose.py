"""Composes a front page, prints it, and tells what came into view and what was clicked.

pip install planogram   # or `pip install .` in the repository
python compose.py [host:port] [user id]
"""

from __future__ import annotations

import sys

from planogram.client import LayoutClient, default_page, home


def main(target: str = "127.0.0.1:7070", user_id: str = "shopper-00042") -> None:
    # What shoppers see where there is no answer in time. Nothing is learned from it.
    instead = default_page("Popular right now", ["item-00001", "item-00002", "item-00003"])
    with LayoutClient(target) as layout:
        page = layout.compose(home(user_id=user_id, session_id="visit-1"), deadline_s=0.25, default=instead)
        for slot in page.slots:
            print(f"{slot.title} ({slot.template_id}): {', '.join(item.item_id for item in slot.items)}")
        if page.page_id:
            stored = layout.impressions(page.slots[:2]).stored_count
            for item in [item for slot in page.slots for item in slot.items][:1]:  # some pages have none
                stored += layout.click(item).stored_count
            print(f"{stored} events are on disk")


if __name__ == "__main__":
    main(*sys.argv[1:])
