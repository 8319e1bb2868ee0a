"""Are logs of earlier versions still read?"""

from __future__ import annotations

import random
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


def test_a_log_file_that_was_cut_or_overwritten_is_named(tmp_path: Path) -> None:
    log.write(tmp_path, "events", [log.event_row(event())] * 50, "one")
    (path,) = tmp_path.iterdir()
    whole, generator, refused = path.read_bytes(), random.Random(2), 0
    for size in (0, 4, len(whole) // 2, len(whole) - 1):
        path.write_bytes(whole[:size])
        with pytest.raises(log.LogFileError, match=str(path)):
            log.read_events(tmp_path)
    for _ in range(200):
        content = bytearray(whole)
        for _ in range(8):
            content[generator.randrange(len(content) // 2, len(content))] = generator.randrange(256)
        path.write_bytes(content)
        try:
            log.read_events(tmp_path)
        except log.LogFileError as error:
            refused += str(path) in str(error)
    assert refused > 100


def test_texts_of_a_log_that_are_none_are_told_with_the_file(tmp_path: Path) -> None:
    log.write(tmp_path, "events", [log.event_row(event())], "one")
    (path,) = tmp_path.iterdir()
    table = pq.read_table(path)
    index = table.schema.get_field_index("event_id")
    broken = pa.array([b"\xff"]).view(pa.string())
    pq.write_table(table.set_column(index, table.schema.field("event_id"), broken), path)
    with pytest.raises(log.LogFileError, match=rf"{path}: .*Invalid UTF8"):
        log.read_events(tmp_path)
