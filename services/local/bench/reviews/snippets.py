"""Which reviews are labelled, and from where do they come?

The source archive of vaderSentiment on PyPI holds 3,708 sentences of 300 Amazon reviews of five products, and
10,605 of movie reviews, each with the marks of some 20 people from -4 to 4 (Hutto & Gilbert 2014). Nothing is
unpacked: its members are read in memory.
"""

from __future__ import annotations

import ast
import io
import subprocess
import sys
import tarfile
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Any

import numpy as np

from services.common.errors import ConfigurationError

PACKAGE = "vaderSentiment==3.3.2"
ARCHIVE = "vaderSentiment-3.3.2.tar.gz"
_INNER = "vaderSentiment-3.3.2/additional_resources/hutto_ICWSM_2014.tar.gz"
_FOLDER = "hutto_ICWSM_2014"

Array = np.ndarray[Any, Any]


@dataclass(frozen=True, slots=True)
class Snippets:
    """N sentences of reviews.

    review: (N,) number of the review. mean: (N,) of all marks, -4 to 4. marks: (N, K), as many as all have.
    """

    text: Array
    review: Array
    mean: Array
    marks: Array


@dataclass(frozen=True)
class Whole:
    """The same by review: R reviews.

    mean: (R,) over its sentences. text: (R,) a sentence a line, as they are kept apart in the file.
    """

    snippets: Snippets

    @cached_property
    def numbers(self) -> Array:
        return np.unique(self.snippets.review)

    @cached_property
    def mean(self) -> Array:
        return self.average(self.snippets.mean)

    @cached_property
    def text(self) -> Array:
        one = self.snippets
        return np.array(["\n".join(one.text[one.review == number]) for number in self.numbers], object)

    def average(self, values: Array) -> Array:
        """(R,) means over the sentences of each review."""
        one = self.snippets
        return np.array([values[one.review == number].mean() for number in self.numbers])


def fetch(archive: Path) -> Path:
    """The archive, got by pip where it is not there yet.

    Raises:
        ConfigurationError: where pip cannot get it; says what to do.
    """
    if archive.is_file():
        return archive
    arguments = ["download", "--quiet", "--no-deps", "--no-binary", ":all:", "--dest", str(archive.parent)]
    command = [sys.executable, "-m", "pip", *arguments, PACKAGE]
    done = subprocess.run(command, capture_output=True, text=True, check=False)  # noqa: S603 - our own words
    found = archive.parent / ARCHIVE
    if done.returncode or not found.is_file():
        last = (done.stderr.strip().splitlines() or ["nothing was written"])[-1]
        raise ConfigurationError(
            f"--archive: {archive} is not there, and pip cannot get it ({last}): run"
            f" `pip download --no-deps --no-binary :all: {PACKAGE}` where there is an index, and name it"
        )
    return found


def read(archive: Path, kind: str) -> Snippets:
    """The snippets of a kind, "amazon" or "movie", in the order of the file.

    Raises:
        ConfigurationError: where the archive is another one.
    """
    names = [f"{_FOLDER}/{kind}ReviewSnippets_{part}.txt" for part in ("GroundTruth", "anonDataRatings")]
    try:
        with tarfile.open(archive) as outer:
            inner = io.BytesIO(_member(outer, _INNER))
        with tarfile.open(fileobj=inner) as resources:
            truth, rated = (_rows(_member(resources, name)) for name in names)
    except (OSError, tarfile.TarError, KeyError) as error:
        raise ConfigurationError(f"--archive: {archive}: {error}; want the archive of {PACKAGE}") from None
    marks = {row[0]: ast.literal_eval(row[-1]) for row in rated}
    fewest = min(map(len, marks.values()))
    texts = [(row[0], float(row[1]), row[2]) for row in truth]
    return Snippets(
        text=np.array([text for _, _, text in texts], object),
        review=np.array([int(name.partition("_")[0]) for name, _, _ in texts]),
        mean=np.array([mean for _, mean, _ in texts]),
        marks=np.array([marks[name][:fewest] for name, _, _ in texts], float),
    )


def _member(archive: tarfile.TarFile, name: str) -> bytes:
    file = archive.extractfile(name)
    if file is None:
        raise KeyError(f"{name} is no file")
    return file.read()


def _rows(content: bytes) -> list[list[str]]:
    lines = content.decode("utf-8-sig", "replace").splitlines()
    return [line.split("\t") for line in lines if line.strip()]
