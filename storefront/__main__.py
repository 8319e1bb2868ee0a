"""How is the storefront run? `python -m storefront`."""

from __future__ import annotations

import sys

import uvicorn

from planogram.files.catalogue import CatalogueError
from storefront.app import create
from storefront.settings import StorefrontSettings


def main() -> None:
    settings = StorefrontSettings()
    try:
        app = create(settings)
    except CatalogueError as error:
        print(f"storefront: cannot start: {error}; `make demo` makes a catalogue", file=sys.stderr)
        sys.exit(2)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


if __name__ == "__main__":
    main()
