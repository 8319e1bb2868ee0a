"""Can feature and scoring change their encoding in either order, and back, without a page that suffers?"""

from __future__ import annotations

import shutil
import threading
import time
from pathlib import Path

import pytest

from planogram.client import LayoutClient, home
from services.common import artifacts
from services.scoring.signature import SPECS, Signature, to_manifest
from tests.e2e.next_release import NEXT

OLD, NEW = "services.feature", "tests.e2e.next_release"
PATIENCE_S = 30.0


class Load:
    """Pages without a pause, by shoppers who never saw one before."""

    def __init__(self, target: str) -> None:
        self.pages: list[tuple[str, tuple[str, ...]]] = []
        """Of each page: the version that scored it, and what did not answer."""
        self._target = target
        self._is_over = threading.Event()
        self._thread = threading.Thread(target=self._run)
        self.problem: BaseException | None = None

    def __enter__(self) -> Load:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._is_over.set()
        self._thread.join()

    def reaches(self, version: str) -> None:
        """Waits until pages are scored by a version, and by no other for a while."""
        end_s, since = time.monotonic() + PATIENCE_S, len(self.pages)
        while time.monotonic() < end_s and self.problem is None:
            latest = self.pages[max(since, len(self.pages) - 20) :]
            if len(latest) == 20 and all(page == (version, ()) for page in latest):
                return
            time.sleep(0.05)
        raise AssertionError((version, self.pages[-20:], self.problem))

    def _run(self) -> None:
        try:
            with LayoutClient(self._target) as client:
                while not self._is_over.is_set():
                    user = f"shopper-{len(self.pages)}"
                    page = client.compose(home(user, user), deadline_s=2.0)
                    assert page.slots
                    missing = tuple(entry.upstream for entry in page.degraded)
                    self.pages.append((page.versions.scoring, missing))
        except BaseException as error:
            self.problem = error


def next_model(models: Path) -> str:
    """A version that reads the next release's encoding, published without becoming current."""
    current = artifacts.load(models, str(artifacts.current_version(models)))
    signature = Signature(SPECS, NEXT.revision)
    assert signature.fingerprint == NEXT.fingerprint
    folder = models.parent / "next"
    folder.mkdir()
    shutil.copy(current.file("model.onnx"), folder)
    own = ("kind", "trained", "metrics", "baseline")
    manifest = {name: current.manifest[name] for name in own} | {
        "signature": to_manifest(signature),
        "schema_fingerprint": signature.fingerprint,
    }
    artifacts.publish(models, "click-next", folder, manifest, is_current=False)
    return "click-next"


@pytest.mark.slow
def test_encodings_change_in_either_order_and_back_under_load(shop):
    models = shop.state / "var" / "models" / "click"
    before = str(artifacts.current_version(models))
    after = next_model(models)
    with Load(shop.target) as load:
        load.reaches(before)
        suffering = []

        def changes_model(version: str, reached: str) -> None:
            first = len(load.pages)
            artifacts.point(models, version)
            # Long enough for scoring to follow the pointer and for layout to hear of it.
            time.sleep(8.0)
            load.reaches(reached)
            suffering.extend(page for page in load.pages[first:] if page[1])

        # Feature first, and scoring first on the way back.
        shop.replace("feature", NEW)
        load.reaches(before)
        changes_model(after, after)
        changes_model(before, before)
        shop.replace("feature", OLD)
        load.reaches(before)
        # Scoring first, and feature first on the way back.
        changes_model(after, before)
        shop.replace("feature", NEW)
        load.reaches(after)
        shop.replace("feature", OLD)
        load.reaches(before)
    assert load.problem is None
    assert suffering == []
    # While feature restarts, pages stand on what was kept; nothing else is ever missing.
    assert {missing for _, missing in load.pages} <= {(), ("feature",), ("feature", "scoring"), ("scoring",)}
