"""Is a published model immutable, verified, and always whole?"""

from __future__ import annotations

import json
import os
import time

import pytest

from services.common import artifacts
from services.common.errors import Incompatible, NotFound


@pytest.fixture
def source(tmp_path):
    folder = tmp_path / "source"
    folder.mkdir()
    (folder / "model.onnx").write_bytes(b"weights")
    return folder


@pytest.fixture
def root(tmp_path):
    return tmp_path / "models"


def test_what_was_published_is_current_and_verified(root, source):
    artifacts.publish(root, "v1", source, {"metrics": {"auc": 0.7}})
    assert artifacts.current_version(root) == "v1"
    loaded = artifacts.load(root, "v1")
    assert loaded.file("model.onnx").read_bytes() == b"weights"
    assert loaded.manifest["metrics"] == {"auc": 0.7}
    assert loaded.manifest["files"].keys() == {"model.onnx"}


def test_a_version_never_changes(root, source):
    artifacts.publish(root, "v1", source, {})
    with pytest.raises(ValueError, match="published already"):
        artifacts.publish(root, "v1", source, {})


@pytest.mark.parametrize("version", ["", "../up", "a/b", ".hidden", "x" * 65])
def test_a_bad_name_is_refused(root, source, version):
    with pytest.raises(ValueError, match="version"):
        artifacts.publish(root, version, source, {})


def test_a_changed_file_is_refused(root, source):
    artifacts.publish(root, "v1", source, {})
    (root / "v1" / "model.onnx").write_bytes(b"weighty")
    with pytest.raises(Incompatible, match=r"model\.onnx: sha256"):
        artifacts.load(root, "v1")


@pytest.mark.parametrize("version", ["", ".", "../models/v1", "v1/", "x" * 5_000, "a\0b"])
def test_what_is_no_name_is_not_published(root, source, version):
    artifacts.publish(root, "v1", source, {})
    for look in (artifacts.load, artifacts.point):
        with pytest.raises(NotFound, match="is not published"):
            look(root, version)
    assert artifacts.current_version(root) == "v1"


@pytest.mark.parametrize("content", ["{", "[]", json.dumps({"files": {"absent.onnx": "0"}})])
def test_a_broken_manifest_is_refused(root, source, content):
    artifacts.publish(root, "v1", source, {})
    (root / "v1" / "manifest.json").write_text(content)
    with pytest.raises(Incompatible, match=r"manifest\.json"):
        artifacts.load(root, "v1")


def test_pointing_back_is_the_way_to_roll_back(root, source):
    for version in ("v1", "v2"):
        artifacts.publish(root, version, source, {})
    artifacts.point(root, "v1")
    assert artifacts.current_version(root) == "v1"
    with pytest.raises(NotFound, match="v9"):
        artifacts.point(root, "v9")


def test_versions_live_as_long_as_logs_name_them(root, source):
    for version in ("v1", "v2", "v3", "v4", "v5"):
        artifacts.publish(root, version, source, {})
        if version == "v1":
            long_ago_s = time.time() - artifacts.KEPT_S - 60
            os.utime(root / version, (long_ago_s, long_ago_s))
    assert artifacts.versions(root) == ["v2", "v3", "v4", "v5"]


def test_three_versions_are_kept_and_the_current_one_always(root, source):
    for version in ("v1", "v2", "v3", "v4", "v5"):
        artifacts.publish(root, version, source, {})
    artifacts.prune(root)
    assert artifacts.versions(root) == ["v3", "v4", "v5"]
    artifacts.point(root, "v3")
    artifacts.publish(root, "v6", source, {}, is_current=False)
    artifacts.prune(root)
    assert "v3" in artifacts.versions(root)


def test_an_empty_store_has_nothing(root):
    assert artifacts.current_version(root) is None
    assert artifacts.versions(root) == []
    with pytest.raises(NotFound):
        artifacts.load(root, "v1")
