"""The feature service as a next release might be: it serves one more encoding. `python -m` runs it."""

from __future__ import annotations

from dataclasses import replace

from services.common.server import main
from services.feature.__main__ import SERVICE
from services.feature.items import schema

NEXT = replace(schema.CURRENT, revision="next")

if __name__ == "__main__":
    schema.SERVED = (*schema.SERVED, NEXT)
    main(SERVICE)
