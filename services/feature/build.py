"""How does an operator make a snapshot? `python -m services.feature.build` builds one and publishes it.

A process of its own, because building inside the server ruins the tail of its latency; the server notices
the new version and maps it.
"""

from __future__ import annotations

import sys
from datetime import UTC, datetime

from services.common import log
from services.common.errors import ConfigurationError, NotFound
from services.common.settings import load
from services.feature.engines import open_store
from services.feature.indexes.wording import load as load_wording
from services.feature.items.building import build
from services.feature.settings import FeatureSettings
from services.feature.storage.journal import Journal


def main() -> int:
    try:
        settings = load(FeatureSettings)
        log.configure(settings.log_level, settings.log_format)
        store = open_store(settings)
        journal = Journal(settings.state_path)
        wording = load_wording(settings.search_path)
        version = build(store, journal, settings.snapshots_path, datetime.now(UTC), wording)
    except (ConfigurationError, NotFound) as error:
        print(f"planogram feature build: {error}", file=sys.stderr)
        return 2
    print(version)
    return 0


if __name__ == "__main__":
    sys.exit(main())
