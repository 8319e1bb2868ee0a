"""How is a model published, found, verified and rolled back?

A store is a folder of immutable version folders beside a pointer:

    <root>/<version>/manifest.json, model.onnx, ...
    <root>/current          text: the version that serves

Publishing renames a finished folder into place, then renames a new pointer over the old one, so a
reader sees the old version or the new one and never half of either.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import tempfile
import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from services.common.errors import Incompatible, NotFound, short

MANIFEST = "manifest.json"
POINTER = "current"
KEPT_COUNT = 3
KEPT_S = 35 * 86_400.0
"""Models live as long as the logs that name them are asked about: events refer to pages for 30 days."""

_VERSION = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")


@dataclass(frozen=True, slots=True)
class Artifact:
    """One published version."""

    version: str
    path: Path
    manifest: Mapping[str, Any]

    def file(self, name: str) -> Path:
        return self.path / name


def publish(
    root: Path, version: str, source: Path, manifest: Mapping[str, Any], is_current: bool = True
) -> Artifact:
    """Publishes the files of `source` as an immutable version and points to it.

    Args:
        manifest: facts about the version; files with their sha256 and the time are added.

    Raises:
        ValueError: for a bad name, or a version that exists already.
    """
    if not _VERSION.fullmatch(version):
        raise ValueError(f"version {version!r}: want 1 to 64 of A-Z a-z 0-9 . _ - and no leading sign")
    target = root / version
    if target.exists():
        raise ValueError(f"version {version!r} is published already and never changes: {target}")
    root.mkdir(parents=True, exist_ok=True)
    staging = Path(tempfile.mkdtemp(prefix=".publishing-", dir=root))
    staging.chmod(0o755)
    try:
        shutil.copytree(source, staging, dirs_exist_ok=True)
        files = {path.name: sha256(path) for path in sorted(staging.iterdir()) if path.is_file()}
        document = {
            **manifest,
            "version": version,
            "files": files,
            "published": datetime.now(UTC).isoformat(timespec="seconds"),
        }
        (staging / MANIFEST).write_text(json.dumps(document, indent=2, sort_keys=True) + "\n")
        _sync(staging)
        staging.rename(target)
    except BaseException:
        shutil.rmtree(staging, ignore_errors=True)
        raise
    if is_current:
        point(root, version)
        prune(root, kept_s=KEPT_S)
    return Artifact(version, target, document)


def point(root: Path, version: str) -> None:
    """Makes a published version the current one; this is also how to roll back."""
    if not _VERSION.fullmatch(version) or not (root / version / MANIFEST).is_file():
        raise NotFound(f"version {short(version)} is not published under {root}; published: {versions(root)}")
    handle, name = tempfile.mkstemp(prefix=".pointer-", dir=root)
    with os.fdopen(handle, "w") as file:
        file.write(version + "\n")
        file.flush()
        os.fsync(file.fileno())
    Path(name).replace(root / POINTER)


def current_version(root: Path) -> str | None:
    """The version that the pointer names; None where nothing is published.

    Raises:
        Incompatible: where the pointer cannot be read, or holds what is no version's name.
    """
    try:
        content = (root / POINTER).read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise Incompatible(f"{root / POINTER}: {error.strerror}") from None
    name = content.decode("ascii", errors="replace").strip()
    if not _VERSION.fullmatch(name):
        raise Incompatible(
            f"{root / POINTER}: holds {len(content)} bytes, {content[:40]!r}, which is no version's name"
        )
    return name


def versions(root: Path) -> list[str]:
    """Published versions, oldest first."""
    if not root.is_dir():
        return []
    folders = [
        path for path in root.iterdir() if not path.name.startswith(".") and (path / MANIFEST).is_file()
    ]
    return [path.name for path in sorted(folders, key=lambda path: (path.stat().st_mtime_ns, path.name))]


def load(root: Path, version: str) -> Artifact:
    """A published version whose files were verified.

    Raises:
        NotFound: where it is not published.
        Incompatible: where its manifest cannot be read or a file is missing or changed.
    """
    path = root / version
    # What is no name may be a path to somewhere else, or too long for one.
    if not _VERSION.fullmatch(version) or not path.is_dir():
        raise NotFound(f"version {short(version)} is not published under {root}; published: {versions(root)}")
    try:
        manifest = json.loads((path / MANIFEST).read_text())
        for name, digest in manifest["files"].items():
            found = sha256(path / name)
            if found != digest:
                raise Incompatible(f"{path / name}: sha256 is {found}, the manifest says {digest}")
    except (OSError, ValueError, TypeError, KeyError, AttributeError) as error:
        raise Incompatible(f"{path / MANIFEST}: {type(error).__name__}: {error}") from None
    return Artifact(version, path, manifest)


def prune(root: Path, kept_count: int = KEPT_COUNT, kept_s: float = 0.0) -> list[str]:
    """Deletes the oldest versions beyond `kept_count`; returns their names.

    Never the current one, nor those that were published, by the clock, in the last `kept_s` seconds.
    """
    current = current_version(root)
    old = [version for version in versions(root) if version != current]
    before_s = time.time() - kept_s
    doomed = [
        version
        for version in old[: max(0, len(old) - (kept_count - 1))]
        if (root / version).stat().st_mtime <= before_s
    ]
    for version in doomed:
        shutil.rmtree(root / version)
    return doomed


def sha256(path: Path) -> str:
    """The file's SHA-256 in hex."""
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _sync(folder: Path) -> None:
    for path in (*folder.iterdir(), folder):
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
