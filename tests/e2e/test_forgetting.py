"""Does a forgotten shopper leave no byte behind: in stores, logs, exports, caches and the next training set?"""

from __future__ import annotations

import zipfile
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.client import category, home, impression, item_event
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.files import log as log_file
from planogram.layout.v1 import layout_pb2
from services.common import client, pseudonyms
from services.common.settings import load
from services.feature.commands import build_features
from services.layout.export import export
from services.layout.settings import LayoutSettings
from services.local.in_process import open_upstream
from services.policy.training import page_log, rewards, train
from services.scoring.training import data
from simulator.commands import make_catalogue

pytestmark = pytest.mark.slow

USER, VISIT = "vanishing-shopper", "vanishing-visit"
STAYING = [f"staying-{number}" for number in range(12)]
CLICK = events_pb2.EVENT_TYPE_CLICK
LOG = Path("var/log/export")
KEY = Path("var/keys/shopper.key")
TIMEOUT_S = 120.0  # the first page compiles the planner, where nothing did yet


async def browse(layout):
    """Two pages of each shopper, and clicks, of which the pipeline sets one aside: it is there twice."""
    for user, visit in ((USER, VISIT), *((name, f"visit-of-{name}") for name in STAYING)):
        for request in (category(user, visit, "audio"), home(user, visit)):
            page = (await layout.call("ComposePage", request, TIMEOUT_S)).page
            items = page.slots[0].items
            acts = [item_event(item, CLICK) for item in (*items[:3], items[0])]
            events = [*map(impression, page.slots), *acts]
            question = layout_pb2.RecordEventsRequest(events=events)
            assert (await layout.call("RecordEvents", question, TIMEOUT_S)).stored_count == len(events)


def learn():
    """All that is made of a log: an export, features, a model and the checkpoint of its training."""
    export(load(LayoutSettings).log_path, LOG)
    build_features()
    Path("policy.checkpoint").unlink(missing_ok=True)
    settings = train.Settings(250, checkpoint=Path("policy.checkpoint"))  # one is kept every 250 steps
    train.train(LOG, Path("var/models/policy"), train.Learner.SLATEQ, settings)


def holders(folder: Path, texts: list[bytes]) -> set[str]:
    """The files below a folder that spell one of the texts, looked into where they are compressed.

    A write-ahead log goes by the name of its database.
    """
    found = set()
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        content = path.read_bytes()
        if path.suffix == ".parquet":
            table = pq.read_table(path)
            content += b"".join(
                chunk if isinstance(chunk, bytes) else str(chunk).encode()
                for column in table.columns
                for chunk in (column if pa.types.is_nested(column.type) else column.unique()).to_pylist()
            )
        elif zipfile.is_zipfile(path):
            with zipfile.ZipFile(path) as parts:
                content += b"".join(parts.read(name) for name in parts.namelist())
        if any(text in content for text in texts):
            found.add(str(path.relative_to(folder)).removesuffix("-wal"))
    return found


def pages_learned_from(log: Path) -> set[int]:
    """When the pages were served that the two trainers read from a log, in microseconds."""
    examined, decided = data.read(log), page_log.read(log, rewards.load())
    return {*np.asarray(examined.times).tolist(), *np.asarray(decided.times).tolist()}


async def test_a_forgotten_shopper_leaves_no_byte_behind(tmp_path, monkeypatch, capfd):
    monkeypatch.chdir(tmp_path)
    make_catalogue(items=300)
    build_features()
    async with open_upstream() as layout:
        await browse(layout)
    KEY.with_suffix(".earlier").mkdir()
    KEY.rename(KEY.with_suffix(".earlier") / "first.key")
    async with open_upstream() as layout:
        await browse(layout)
        feature = client.connect("feature", client.IN_PROCESS, feature_pb2_grpc.FeatureServiceStub)
        portrait = feature_pb2.GetProfileRequest(user_id=USER)
        assert (await feature.call("GetProfile", portrait, TIMEOUT_S)).lines
        learn()
        names = pseudonyms.load(KEY)
        keys = names.of_every_epoch("shopper", USER)
        hashes = [*keys, *names.of_every_epoch("session", VISIT)]
        texts = [USER.encode(), VISIT.encode()]
        texts += [form for text in hashes for form in (text.encode(), bytes.fromhex(text))]
        pages = log_file.read_exposure_table(LOG)
        pages = pages.filter(pa.compute.is_in(pages.column("shopper_key"), pa.array(keys)))
        own = set(pages.column("time").cast(pa.int64()).to_pylist())
        assert len(own) == 4
        assert own <= pages_learned_from(LOG)
        before = holders(tmp_path, texts)
        assert {
            "var/feature/online.db",
            "var/feature/offline/shopper_profile.parquet",
            "var/feature/rejected.parquet",
            "var/log/export/events-served.00000.parquet",
            "var/log/export/exposures-served.00000.parquet",
        } <= before, "or the search would find nothing anyway"
        assert any(name.startswith("var/log/segments/") for name in before)

        question = layout_pb2.ForgetShopperRequest(user_id=USER)
        assert (await layout.call("ForgetShopper", question, TIMEOUT_S)).deleted_count > 4
        assert holders(tmp_path, texts) == set()
        assert not own & pages_learned_from(LOG)
        learn()
        assert holders(tmp_path, texts) == set()
        assert not own & pages_learned_from(LOG)
        stays = feature_pb2.GetProfileRequest(user_id=STAYING[0])
        assert (await feature.call("GetProfile", stays, TIMEOUT_S)).lines
    assert holders(tmp_path, texts) == set()
    held = holders(tmp_path, [names.of("shopper", STAYING[0]).encode()])
    assert {"var/feature/online.db", "var/log/export/events-served.00000.parquet"} <= held
    said = "".join(capfd.readouterr())
    assert not any(text in said for text in (USER, VISIT, *hashes))
