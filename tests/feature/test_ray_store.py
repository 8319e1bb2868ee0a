"""Does Feast's Ray offline store give what DuckDB gives?"""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from services.common import artifacts
from services.common.errors import ConfigurationError
from services.feature import engines
from services.feature.settings import FeatureSettings
from services.feature.storage.store import PROFILE
from services.local.supervisor import clean_environment

BUILD_AND_JOIN = """
import sys
from datetime import datetime
from pathlib import Path
import pyarrow.parquet as pq
from services.feature.items.building import build
from services.feature.engines import open_store
from services.feature.storage.journal import Journal
from services.feature.settings import FeatureSettings

now, rows, joined = sys.argv[1:]
settings = FeatureSettings()
store, journal = open_store(settings), Journal(settings.state_path)
pq.write_table(store.historical(pq.read_table(rows), ["item_statistics:click_rate"]), joined)
build(store, journal, settings.snapshots_path, datetime.fromisoformat(now))
"""
READ_PROFILES = """
from datetime import UTC, datetime
from services.feature.engines import open_store
from services.feature.settings import FeatureSettings
from services.feature.storage.store import PROFILE

print(open_store(FeatureSettings()).pull_latest(PROFILE, datetime.now(UTC)).num_rows)
"""
"""In processes of their own: Ray stays with the process that it was started in."""


def python(engine: str, state: Path, *arguments: str) -> str:
    """What a Python process prints whose feature service stands on an engine."""
    environment = {
        "PLANOGRAM_FEATURE_OFFLINE_STORE": engine,
        "PLANOGRAM_FEATURE_STATE_PATH": str(state),
    }
    result = subprocess.run(
        [sys.executable, *arguments],
        env={**clean_environment(), **environment},
        capture_output=True,
        text=True,
        timeout=500,
    )
    assert result.returncode == 0, result.stderr[-4000:]
    return result.stdout


@pytest.mark.slow
def test_ray_builds_the_same_snapshot_and_joins_the_same_features(shop: Any, tmp_path: Path) -> None:
    pytest.importorskip("ray")
    now = datetime.now(UTC)
    stamps = [now + timedelta(minutes=1)] * 3
    rows = pa.table({"item_id": ["item-002", "nowhere", "item-001"], "event_timestamp": stamps})
    pq.write_table(rows, tmp_path / "rows.parquet")
    arrays, joined = {}, {}
    for engine in ("duckdb", "ray"):
        state, answer = tmp_path / engine, tmp_path / f"{engine}.parquet"
        shutil.copytree(shop.state_path, state)
        arguments = (now.isoformat(), str(tmp_path / "rows.parquet"), str(answer))
        python(engine, state, "-c", BUILD_AND_JOIN, *arguments)
        assert f'"type": "{engine}"' in (state / "feature_store.yaml").read_text()
        snapshots = state / "snapshots"
        version = artifacts.current_version(snapshots)
        assert version is not None and version != shop.report.snapshot_version
        arrays[engine] = {path.name: np.load(path) for path in (snapshots / version).glob("*.npy")}
        joined[engine] = pq.read_table(answer).column("click_rate").to_pylist()
    assert arrays["ray"].keys() == arrays["duckdb"].keys()
    for name, array in arrays["duckdb"].items():
        np.testing.assert_array_equal(arrays["ray"][name], array, err_msg=name)
    assert len(arrays["ray"]["ids.npy"]) == 300
    assert joined["ray"] == joined["duckdb"]
    assert joined["ray"][0] > 0 and joined["ray"][1] is None


def test_ray_takes_a_shop_without_shoppers(tmp_path: Path, open_store: Callable[..., Any]) -> None:
    """Feast's reader fails there: "'NoneType' object has no attribute 'names'"."""
    pytest.importorskip("ray")
    store = open_store(tmp_path / "state")
    store.write_offline(PROFILE, store.arrow_schema(PROFILE).empty_table())
    assert python("ray", tmp_path / "state", "-c", READ_PROFILES) == "0\n"


def test_ray_that_is_not_installed_is_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "ray", None)
    settings = FeatureSettings(state_path=tmp_path, offline_store="ray")
    with pytest.raises(ConfigurationError, match="OFFLINE_STORE: ray is not installed"):
        engines.open_store(settings)
