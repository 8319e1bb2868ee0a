"""Does the benchmark of the review pulse read labelled reviews, and say what it measured on them?"""

from __future__ import annotations

import io
import json
import tarfile
from pathlib import Path

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.feature.reviews.surge import Usual
from services.local.bench.reviews import run, snippets, streams, verdicts

WORDS = {-1: ("terrible", "awful", "broken", "useless"), 1: ("great", "wonderful", "excellent", "lovely")}


def packed(files):
    """A tar.gz of names and contents."""
    buffer = io.BytesIO()
    with tarfile.open(fileobj=buffer, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return buffer.getvalue()


@pytest.fixture
def archive(tmp_path: Path) -> Path:
    """60 reviews of three sentences in the layout of vaderSentiment's own, a third of them bad."""
    random = np.random.default_rng(0)
    files = {}
    for kind in ("amazon", "movie"):
        truth, rated = [], []
        for review in range(60):
            sign = -1 if review % 3 == 0 else 1
            for sentence in range(3):
                name = f"{review}_{sentence}"
                marks = (2 * sign + random.integers(-1, 2, 21)).tolist()
                mean = float(np.mean(marks))
                truth.append(f"{name}\t{mean}\tIt is {random.choice(WORDS[sign])}, item {review}.")
                rated.append(f"{name}\t{mean}\t0.5\t{marks}")
        folder = f"hutto_ICWSM_2014/{kind}ReviewSnippets"
        files[f"{folder}_GroundTruth.txt"] = ("\ufeff" + "\n".join(truth)).encode()
        files[f"{folder}_anonDataRatings.txt"] = ("\ufeff" + "\n".join(rated)).encode()
    path = tmp_path / "given.tar.gz"
    inner = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
    path.write_bytes(packed({inner: packed(files)}))
    return path


def test_labelled_reviews_are_judged_and_streamed(archive, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(streams, "QUIET_COUNT", 100)
    monkeypatch.setattr(verdicts, "_REPLICATES", 50)
    rows = {row.name: row for row in run.run(archive, 20, 0, "test", say=lambda text: None)}
    assert rows["sentences: AUC of lexicon"].value > 0.95
    assert rows["sentences: AUC of lexicon"].n == 180
    assert rows["sentences: accuracy of TF-IDF regression on the other half"].value > 0.95
    low, high = rows["sentences: correlation of lexicon and mark"].interval
    assert 0.7 < low < high <= 1
    assert rows["reviews: bad ones found, tone below 0.1"].n == 10, "the even ones of 20"
    assert rows["reviews: bad ones found, tone below 0.1"].value == 1
    delay = rows["delay: 50% bad after 100: sequential test, truth"]
    assert 3 <= delay.value < 40 and delay.n == 20
    assert rows["found within 200: 50% bad after 100: sequential test, truth"].value == 1
    assert len(json.loads((tmp_path / "reports" / "bench-reviews.json").read_text())) == len(rows)


def test_an_archive_that_is_missing_or_another_says_what_to_do(tmp_path, monkeypatch):
    monkeypatch.setenv("PIP_NO_INDEX", "1")
    with pytest.raises(ConfigurationError, match=r"--archive: .* pip cannot get it .*: run `pip download"):
        snippets.fetch(tmp_path / "nothing.tar.gz")
    other = tmp_path / "other.tar.gz"
    other.write_bytes(packed({"a": b"b"}))
    with pytest.raises(ConfigurationError, match=r"want the archive of vaderSentiment==3\.3\.2"):
        snippets.read(other, "amazon")


def test_half_of_ten_is_what_it_says():
    watch = streams.HalfOfTen(Usual())
    assert [watch.raises(bad, 0) for bad in [True] * 4 + [False] * 6 + [True] * 5] == [False] * 14 + [True]
