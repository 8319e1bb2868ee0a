"""Does a damaged pointer leave the model that serves where it is, and is it told once?"""

from __future__ import annotations

from dataclasses import dataclass

import pytest
import structlog

from services.common import artifacts
from services.common.errors import Incompatible
from services.common.watching import MODEL_REFUSED, Versions

DAMAGED = [b"", b"\n", b"\xff\xfe\x00\x01", b"../one", b"a" * 300]


@dataclass(frozen=True)
class Model:
    version: str


@pytest.fixture
def store(tmp_path):
    (tmp_path / "source").mkdir()
    artifacts.publish(tmp_path / "store", "one", tmp_path / "source", {})
    return tmp_path / "store"


def versions(store):
    return Versions(
        store, lambda artifact: Model(artifact.version), Model("builtin-0"), structlog.get_logger()
    )


@pytest.mark.parametrize("content", DAMAGED)
def test_a_damaged_pointer_changes_nothing_and_is_told_once(store, content):
    models = versions(store)
    assert models.refresh() and models.current.version == "one"
    (store / "current").write_bytes(content)
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            assert not models.refresh()
    assert models.current.version == "one"
    (line,) = lines
    assert line["event"] == MODEL_REFUSED and "no version's name" in line["problem"]


@pytest.mark.parametrize("content", DAMAGED)
def test_a_start_with_a_damaged_pointer_serves_the_newest_good_version(store, content):
    (store / "current").write_bytes(content)
    models = versions(store)
    assert models.refresh()
    assert models.current.version == "one"


def test_a_version_that_fails_in_an_unforeseen_way_is_refused_once_and_the_good_one_serves(store, tmp_path):
    opened = []

    def open_artifact(artifact):
        opened.append(artifact.version)
        if artifact.version == "two":
            raise OverflowError("negative size")
        return Model(artifact.version)

    models = Versions(store, open_artifact, Model("builtin-0"), structlog.get_logger())
    artifacts.publish(store, "two", tmp_path / "source", {})
    with structlog.testing.capture_logs() as lines:
        for _ in range(3):
            models.refresh()
    assert models.current.version == "one" and opened.count("two") == 1
    (line,) = [line for line in lines if line["event"] == MODEL_REFUSED]
    assert line["version"] == "two" and "OverflowError: negative size" in line["problem"]
    with pytest.raises(Incompatible, match="negative size"):
        models.recall("two")


def test_a_mended_pointer_is_followed_again(store, tmp_path):
    models = versions(store)
    models.refresh()
    (store / "current").write_bytes(b"\x00")
    models.refresh()
    artifacts.publish(store, "two", tmp_path / "source", {})
    assert models.refresh() and models.current.version == "two"


def test_a_pointer_that_cannot_be_opened_is_told_and_not_raised(store):
    models = versions(store)
    models.refresh()
    (store / "current").unlink()
    (store / "current").mkdir()
    with structlog.testing.capture_logs() as lines:
        assert not models.refresh()
    assert models.current.version == "one" and len(lines) == 1
