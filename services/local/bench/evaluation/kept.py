"""How does a run that was stopped go on where it was?"""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from services.policy.training.slateq import CascadeNetwork

Array = np.ndarray[Any, Any]


def result(path: Path, key: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
    """What was found under the same key before; else what `make` finds now, which is kept."""
    found = json.loads(path.read_text()) if path.exists() else {}
    if found.get("key") != key:
        found = {"key": key, "found": make()}
        _whole(path, lambda part: part.write_text(json.dumps(found, indent=1) + "\n"))
    values: dict[str, Any] = found["found"]
    return values


def network(path: Path, make: Callable[[], CascadeNetwork]) -> CascadeNetwork:
    """A network that was learned before, or is now."""
    if not path.exists():
        learned = make()
        _whole(path, lambda part: torch.save(learned, part))
    loaded: CascadeNetwork = torch.load(path, weights_only=False)
    return loaded


def arrays(path: Path, make: Callable[[], dict[str, Array]]) -> dict[str, Array]:
    """Arrays that were made before, or are now; a .npz."""
    if not path.exists():
        made = make()
        _whole(path, lambda part: np.savez(part, **made))  # type: ignore[arg-type]
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def _whole(path: Path, write: Callable[[Path], Any]) -> None:
    """Writes a file whole or not at all."""
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.with_name(f"part-of-{path.name}")
    write(part)
    part.replace(path)
