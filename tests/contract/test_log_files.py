"""Are logs of earlier versions still read?"""

from __future__ import annotations

from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from planogram.events.v1 import events_pb2
from planogram.files import log


def event() -> events_pb2.Event:
    made = events_pb2.Event(event_id="e", type=events_pb2.EVENT_TYPE_IMPRESSION, category="garden")
    made.time.FromSeconds(1_700_000_000)
    return made


def test_an_event_comes_back_as_it_was_written(tmp_path: Path) -> None:
    log.write(tmp_path, "events", [log.event_row(event())], "one")
    (row,) = log.read_events(tmp_path).to_pylist()
    assert log.event_of(row) == event()


def test_events_of_a_log_without_categories_are_about_none(tmp_path: Path) -> None:
    log.write(tmp_path, "events", [log.event_row(event())], "one")
    (path,) = tmp_path.iterdir()
    pq.write_table(pq.read_table(path).drop_columns(["category"]), path)
    (row,) = log.read_events(tmp_path).to_pylist()
    assert log.event_of(row).category == "" and log.event_of(row).event_id == "e"


def test_a_log_without_another_column_is_refused(tmp_path: Path) -> None:
    pq.write_table(pa.table({"event_id": ["e"]}), tmp_path / "events-one.parquet")
    with pytest.raises(log.LogFileError, match="column 'time' is missing"):
        log.read_events(tmp_path)
