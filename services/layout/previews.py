"""What would pages be under files that nobody serves yet?"""

from __future__ import annotations

import asyncio
import tempfile
from collections.abc import Mapping
from pathlib import Path

from services.common.callers import Caller, Role, require
from services.common.errors import ConfigurationError, InvalidRequest
from services.layout import configuration
from services.layout.configuration import Configuration, LiveConfiguration

FILES = (
    "answers.yaml",
    "blueprints.yaml",
    "categories.yaml",
    "experiments.yaml",
    "modules.yaml",
    "rules.yaml",
)
MAX_FILE_BYTES = 65_536

_FIELD = "overrides.configuration"


async def configuration_for(
    edited: Mapping[str, str], caller: Caller, live: LiveConfiguration
) -> Configuration:
    """The configuration in force with some files in place of its own; what serves is left alone.

    Args:
        edited: text by file name; none gives the one in force.

    Raises:
        Forbidden: where files come without the admin role.
        InvalidRequest: for names, sizes and mistakes; the last with file, line and key.
        NotReady: where the files in force changed this moment.
    """
    if not edited:
        return live.current
    require(caller, Role.ADMIN)
    for name, text in edited.items():
        if name not in FILES:
            raise InvalidRequest(_FIELD, name, f"one of {', '.join(FILES)}")
        if not 1 <= len(text.encode()) <= MAX_FILE_BYTES:
            raise InvalidRequest(f"{_FIELD}[{name}]", f"{len(text.encode())} bytes", f"1 to {MAX_FILE_BYTES}")
    return await asyncio.to_thread(_load, edited, live)


def _load(edited: Mapping[str, str], live: LiveConfiguration) -> Configuration:
    files = {**live.files(live.current.version), **edited}
    with tempfile.TemporaryDirectory(prefix="planogram-preview-") as name:
        folder = Path(name)
        for file, text in files.items():
            (folder / file).write_bytes(text.encode())
        try:
            return configuration.load(folder)
        except ConfigurationError as error:
            said = str(error).replace(f"{folder}/", "")
            raise InvalidRequest(_FIELD, "a mistake", f"files without one: {said}") from None
