"""How does a small shop serve pages from one process? `python -m services.local` listens as layout does."""

from __future__ import annotations

from dataclasses import replace

from services.common.server import main
from services.layout.__main__ import SERVICE as LAYOUT
from services.local.in_process import open_layout

SERVICE = replace(LAYOUT, open=open_layout)

if __name__ == "__main__":
    main(SERVICE)
