"""Which versions of a model are loaded, and how does a service follow the store's pointer?"""

from __future__ import annotations

import asyncio
import contextlib
import threading
from collections.abc import AsyncIterator, Callable, Sequence
from pathlib import Path
from typing import Any, Generic, Protocol, TypeVar

from services.common import artifacts
from services.common.errors import Incompatible, NotFound, short

MODEL_LOADED = "model_loaded"
MODEL_REFUSED = "model_refused"
MODEL_CURRENT = "model_current"
WATCH_FAILED = "watch_failed"
RECALLED_COUNT = 2
"""Versions beside the loaded ones that stay in memory once somebody asked for them."""


class Versioned(Protocol):
    """A model that knows its name."""

    @property
    def version(self) -> str: ...


M = TypeVar("M", bound=Versioned)


class Versions(Generic[M]):
    """The loaded versions of one store; one of them is current, and the built-in one is always there.

    Reads come from any thread and never wait: they see one immutable snapshot, which `refresh` swaps.
    A version that cannot be loaded is refused and logged once, and what served before goes on serving.
    """

    def __init__(
        self,
        root: Path,
        open_artifact: Callable[[artifacts.Artifact], M],
        builtin: M,
        logger: Any,
        kept_count: int = 2,
    ) -> None:
        """
        Args:
            open_artifact: makes a warm model of a verified artifact; raises Incompatible where it is
                none that this service can run.
            builtin: serves until a version is published.
            kept_count: published versions that stay loaded, the current one included.
        """
        self._root = root
        self._open = open_artifact
        self._builtin = builtin
        self._log = logger
        self._kept_count = kept_count
        self._refused: set[str] = set()
        self._refreshing = threading.Lock()
        self._recalling = threading.Lock()
        self._recalled: dict[str, M] = {}
        self._loaded: tuple[M, ...] = (builtin,)

    @property
    def loaded(self) -> Sequence[M]:
        """All loaded versions, the current one first."""
        return self._loaded

    @property
    def current(self) -> M:
        """The version that answers when none is named."""
        return self._loaded[0]

    def get(self, version: str | None) -> M:
        """A loaded version by name, or the current one.

        Raises:
            NotFound: where it is not loaded.
        """
        loaded = self._loaded
        if version is None:
            return loaded[0]
        for model in loaded:
            if model.version == version:
                return model
        raise NotFound(
            f"version {short(version)} is not loaded; loaded: {[model.version for model in loaded]}"
        )

    def recall(self, version: str) -> M:
        """A published version that is not loaded any more, from the store; blocks while it loads.

        The latest few stay in memory. A page's receipt asks for them, long after newer ones took over.

        Raises:
            NotFound: where it is neither loaded nor published.
            Incompatible: where it cannot be used any more.
        """
        with self._recalling:
            for model in (*self._loaded, *self._recalled.values()):
                if model.version == version:
                    return model
            found = self._opened(version)
            self._recalled[version] = found
            while len(self._recalled) > RECALLED_COUNT:
                del self._recalled[next(iter(self._recalled))]
            return found

    def refresh(self) -> bool:
        """Brings what is loaded in line with the store; true where the current version changed.

        Blocks while it loads: call it from a worker thread.
        """
        with self._refreshing:
            wanted = self._pointed()
            before = self._loaded
            if wanted == before[0].version:
                return False
            current = self._load(wanted) if wanted is not None else None
            if current is None and wanted is not None and before[0] is not self._builtin:
                return False  # a bad version was pointed to: the good one goes on
            published = artifacts.versions(self._root)
            kept = [current] if current is not None else []
            # With nothing good at the pointer on a fresh start, the newest good version serves.
            candidates = [model.version for model in before] + published[::-1]
            for version in dict.fromkeys(candidates) if wanted is not None else ():
                if len(kept) >= self._kept_count:
                    break
                if version in published and all(version != model.version for model in kept):
                    model = self._load(version)
                    if model is not None:
                        kept.append(model)
            self._loaded = (*kept, self._builtin)
            if self.current.version == before[0].version:
                return False
            self._log.info(MODEL_CURRENT, version=self.current.version, replaced=before[0].version)
            return True

    @contextlib.asynccontextmanager
    async def watched(self, period_s: float) -> AsyncIterator[None]:
        """Refreshes every `period_s` for as long as the block runs."""
        stop = asyncio.Event()
        task = asyncio.ensure_future(self._watch(period_s, stop))
        try:
            yield
        finally:
            stop.set()
            await task

    async def _watch(self, period_s: float, stop: asyncio.Event) -> None:
        while not stop.is_set():
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(stop.wait(), period_s)
                return
            try:
                await asyncio.to_thread(self.refresh)
            except Exception:  # the store may be unreadable for a moment; the next round tries again
                self._log.exception(WATCH_FAILED, root=str(self._root))

    def _pointed(self) -> str | None:
        """The version at the pointer; one that cannot be read counts as a bad version, by what is wrong."""
        try:
            return artifacts.current_version(self._root)
        except Incompatible as error:
            problem = str(error)
            if problem not in self._refused:
                self._refused.add(problem)
                self._log.error(MODEL_REFUSED, problem=problem)
            return problem

    def _opened(self, version: str) -> M:
        """Raises NotFound or Incompatible, whatever is wrong with a version."""
        artifact = artifacts.load(self._root, version)
        try:
            return self._open(artifact)
        except Incompatible:
            raise
        except Exception as error:  # an artifact that nobody foresaw must not end the service, nor the watch
            raise Incompatible(f"{artifact.path}: {type(error).__name__}: {error}") from None

    def _load(self, version: str) -> M | None:
        for model in self._loaded:
            if model.version == version:
                return model
        if version in self._refused:
            return None
        try:
            model = self._opened(version)
        except (Incompatible, NotFound) as error:
            self._refused.add(version)
            self._log.error(MODEL_REFUSED, version=version, problem=str(error))
            return None
        self._log.info(MODEL_LOADED, version=version)
        return model
