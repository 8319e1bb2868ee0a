"""Do ratings become events that the feature pipeline takes?"""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from planogram.files import log
from services.common import pseudonyms
from services.common.cli import application
from services.common.errors import ConfigurationError
from services.feature.importing import ratings
from services.feature.importing.mapping import RatingsMapping
from services.feature.pipeline.clean import clean, log_end

NAMES = pseudonyms.Pseudonyms(b"a secret of some length", "epoch")


def written(path, lines):
    path.write_text("user,item,rating,time\n" + "\n".join(lines) + "\n")
    return path


def test_a_good_rating_is_a_click_as_well_and_ids_are_hashed(tmp_path):
    path = written(tmp_path / "r.csv", ["u,A,9,2026-01-01T10:00:00Z", "u,B,0,2026-01-01T09:00:00Z"])
    found = ratings.read(path, RatingsMapping(scale=(0, 10)), "m", NAMES)
    assert [(event["type"], event["item_id"], event["rating"]) for event in found.events] == [
        ("RATING", "B", 1.0),
        ("RATING", "A", 4.6),
        ("CLICK", "A", 0.0),
    ]
    assert {event["shopper_key"] for event in found.events} == {NAMES.of("shopper", "u")}
    assert (found.rating_count, found.click_count, found.user_count) == (2, 1, 1)


def test_ratings_given_in_bulk_are_not_taken_for_a_machine(tmp_path):
    lines = [f"u,i{n},5,2026-01-01T10:00:{n // 2:02}Z" for n in range(100)]
    folder = tmp_path / "log"
    done = CliRunner().invoke(
        application(),
        [
            "import",
            "ratings",
            str(written(tmp_path / "r.csv", lines)),
            "--out",
            str(folder),
            "--key",
            str(tmp_path / "key"),
            "--catalogue",
            str(tmp_path / "none"),
        ],
    )
    assert done.exit_code == 0 and "100 ratings of 1 users, 100 of them clicks" in done.output
    cleaned = clean(folder, frozenset(f"i{n}" for n in range(100)), {}, log_end(folder))
    assert cleaned.events.num_rows == 200 and not any(cleaned.counts.values())


def test_a_second_import_of_a_name_replaces_the_first(tmp_path):
    folder = tmp_path / "log"
    for lines in (["u,A,5,2026-01-01", "u,B,5,2026-01-02"], ["u,A,5,2026-01-01"]):
        done = CliRunner().invoke(
            application(),
            [
                "import",
                "ratings",
                str(written(tmp_path / "r.csv", lines)),
                "--out",
                str(folder),
                "--key",
                str(tmp_path / "key"),
            ],
        )
        assert done.exit_code == 0
    assert log.read_events(folder).num_rows == 2


def test_a_rating_outside_the_scale_is_named(tmp_path):
    path = written(tmp_path / "r.csv", ["u,A,5,2026-01-01", "u,B,7,2026-01-01"])
    with pytest.raises(
        ConfigurationError, match=r"row 2: rating \(column rating\): got '7', want a number from 1 up to 5"
    ):
        ratings.read(path, RatingsMapping(), "m", NAMES)


@pytest.mark.parametrize(
    ("unit", "time"), [("iso", "2999-01-01"), ("s", "1767225600000"), ("ms", "1767225600")]
)
def test_a_time_that_cannot_be_is_refused_with_row_value_and_limit(tmp_path, unit, time):
    path = written(tmp_path / "r.csv", [f"u,A,5,{time}"])
    mapping = RatingsMapping.model_validate({"columns": {"time": {"column": "time", "unit": unit}}})
    with pytest.raises(ConfigurationError, match=rf"row 1: time .*got '{time}'.*from 1990-01-01 up to 20"):
        ratings.read(path, mapping, "m", NAMES)


def test_ids_with_control_characters_and_columns_that_stand_twice_are_refused(tmp_path):
    path = written(tmp_path / "r.csv", ["u,A,5,2026-01-01", "u,B\0C,5,2026-01-01"])
    with pytest.raises(ConfigurationError, match=r"row 2: item .*without control characters"):
        ratings.read(path, RatingsMapping(), "m", NAMES)
    path.write_text("user,item,item,rating,time\nu,A,B,5,2026-01-01\n")
    with pytest.raises(ConfigurationError, match="column 'item' stands there twice"):
        ratings.read(path, RatingsMapping(), "m", NAMES)
