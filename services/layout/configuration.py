"""Which configuration is in force, and which one was when an earlier page was made?

The folder is read again when a file in it changes. A mistake is reported, and the last good configuration
stays. Every version that served is kept beside the log, so that receipts can apply its rules again.
"""

from __future__ import annotations

import asyncio
import contextlib
import hashlib
import os
import re
import shutil
from dataclasses import dataclass
from pathlib import Path

from services.common import log
from services.common.errors import ConfigurationError, NotReady
from services.layout import answers, blueprint, experiments, metrics
from services.layout.answers import Answers
from services.layout.blueprint import Blueprints, Module
from services.layout.experiments import Experiments
from services.layout.rules import document
from services.layout.rules.document import Rules

RELOAD_INTERVAL_S = 1.0
_VERSION = re.compile(r"[0-9a-f]{12}")


@dataclass(frozen=True, slots=True, eq=False)
class Configuration:
    """What merchandisers wrote, read and checked.

    version: 12 hex digits that change with any of the files.
    """

    version: str
    blueprints: Blueprints
    rules: Rules
    experiments: Experiments
    answers: Answers = answers.NONE

    def module(self, module_id: str) -> Module | None:
        """The module of a name, from whichever blueprint has it, or the answer's."""
        answer = self.answers.by_module_id.get(module_id)
        return answer.module if answer is not None else self.blueprints.module(module_id)


def load(folder: Path) -> Configuration:
    """Reads a folder of YAML files.

    Raises:
        ConfigurationError: naming file, line and key.
    """
    blueprints = blueprint.load(folder)
    offered = answers.load(folder, blueprints)
    rules = document.load(folder, blueprints, offered.by_module_id)
    return Configuration(version(folder), blueprints, rules, experiments.load(folder), offered)


def version(folder: Path) -> str:
    """12 hex digits that change with any of the configuration's files."""
    digest = hashlib.sha256()
    for path in sorted(folder.glob("*.yaml")):
        digest.update(path.name.encode() + b"\0" + path.read_bytes())
    return digest.hexdigest()[:12]


class LiveConfiguration:
    """The configuration in force; follows its folder."""

    def __init__(self, folder: Path, archive: Path) -> None:
        """
        Raises:
            ConfigurationError: where the folder holds a mistake, or the archive cannot be written.
        """
        self._folder = folder
        self._archive = archive
        self._refused = ""
        self._told = ""
        self._earlier: dict[str, Configuration] = {}
        self.current = load(folder)
        self._keep(self.current)
        self._watching: asyncio.Task[None] | None = None

    def follow(self) -> None:
        """Begins to look for changes, on the running loop."""
        self._watching = asyncio.create_task(self._watch())

    async def close(self) -> None:
        if self._watching is not None:
            self._watching.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._watching

    def of(self, wanted: str) -> Configuration | None:
        """The configuration of a version; None where it was not kept or can no longer be read."""
        current, folder = self.current, self._archive / wanted
        if wanted == current.version:
            return current
        if wanted not in self._earlier and _VERSION.fullmatch(wanted) and folder.is_dir():
            with contextlib.suppress(ConfigurationError):
                self._earlier[wanted] = load(folder)
        return self._earlier.get(wanted)

    def files(self, wanted: str) -> dict[str, str]:
        """The text of a version's files, by name.

        Raises:
            NotReady: where they are not kept.
        """
        try:
            paths = [path for path in (self._archive / wanted).iterdir() if path.suffix == ".yaml"]
            return {path.name: path.read_text("utf-8") for path in sorted(paths)}
        except OSError as error:
            raise NotReady(f"configuration {wanted} cannot be read: {error.strerror}") from None

    def reload(self) -> None:
        """Takes what the folder holds, if it is new, without mistakes, and could be kept."""
        try:
            found = version(self._folder)
            if found in (self.current.version, self._refused):
                return
            wanted = self._read(found)
            self._keep(wanted)
        except (ConfigurationError, OSError) as error:
            metrics.CONFIGURATION_IS_REFUSED.set(1)
            if str(error) != self._told:
                self._told = str(error)
                log.logger("layout").error(
                    "configuration_refused", problem=str(error), serving=self.current.version
                )
            return
        self.current, self._refused, self._told = wanted, "", ""
        metrics.CONFIGURATION_IS_REFUSED.set(0)
        log.logger("layout").info("configuration_loaded", version=self.current.version)

    def _read(self, found: str) -> Configuration:
        """What the folder holds; a mistake is not looked for again until a file changes."""
        try:
            return load(self._folder)
        except ConfigurationError:
            self._refused = found
            raise

    async def _watch(self) -> None:
        while True:
            await asyncio.sleep(RELOAD_INTERVAL_S)
            try:
                await asyncio.to_thread(self.reload)
            except Exception:  # whatever it was, the next change is followed
                log.logger("layout").exception("configuration_not_followed")

    def _keep(self, configuration: Configuration) -> None:
        """Copies the files to the archive, whole or not at all."""
        target = self._archive / configuration.version
        if target.is_dir():
            return
        staging = self._archive / f".{configuration.version}.{os.getpid()}"
        try:
            staging.mkdir(parents=True, exist_ok=True)
            for path in self._folder.glob("*.yaml"):
                shutil.copyfile(path, staging / path.name)
            if version(staging) == configuration.version:  # else it changed in between, and is read again
                staging.rename(target)
        except OSError as error:
            if target.is_dir():
                return  # another worker was faster
            raise ConfigurationError(f"cannot keep the configuration in {self._archive}: {error}") from None
        finally:
            shutil.rmtree(staging, ignore_errors=True)
