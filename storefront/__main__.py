"""How is the storefront run? `python -m storefront`."""

from __future__ import annotations

import sys

import uvicorn
from pydantic import ValidationError

from planogram.files.catalogue import CatalogueError
from storefront.app import create
from storefront.settings import StorefrontSettings


def main() -> None:
    try:
        settings = StorefrontSettings()
        app = create(settings)
    except ValidationError as error:
        for problem in error.errors():
            name = "_".join(["PLANOGRAM_STOREFRONT", *map(str, problem["loc"][:1])]).upper()
            print(f"storefront: cannot start: {name}: {problem['msg']}", file=sys.stderr)
        sys.exit(2)
    except CatalogueError as error:
        print(f"storefront: cannot start: {error}; `make demo` makes a catalogue", file=sys.stderr)
        sys.exit(2)
    uvicorn.run(app, host=settings.host, port=settings.port, log_level="warning")


if __name__ == "__main__":
    main()
