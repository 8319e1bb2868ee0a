"""How good is the review pulse: its verdicts on labelled reviews, and its alarms on streams of them?"""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

from services.feature.reviews import sentiment
from services.local.bench.harness import Row, report
from services.local.bench.reviews import snippets, streams, verdicts
from services.local.bench.reviews.snippets import Whole


def run(archive: Path, item_count: int, seed: int, command: str, say: Callable[[str], None]) -> list[Row]:
    """Measures and reports.

    Raises:
        ConfigurationError: where the labelled reviews cannot be had; says what to do.
    """
    found = snippets.fetch(archive)
    amazon, movies = (snippets.read(found, kind) for kind in ("amazon", "movie"))
    whole = Whole(amazon)
    say(f"{len(amazon.text):,} sentences of {len(whole.numbers):,} reviews; {len(movies.text):,} of movies")
    rows = verdicts.sentences(amazon, movies, seed)
    rows += verdicts.wholes(amazon, verdicts.learned(amazon), seed)
    begun_s = time.thread_time()
    for text in whole.text:
        sentiment.tone(text)
    spent_ms = 1e3 * (time.thread_time() - begun_s) / len(whole.text)
    rows.append(Row("reading a review", spent_ms, "ms of CPU", len(whole.text)))
    say("streams")
    rows += streams.run(whole, item_count, seed)
    report("reviews", rows, command)
    return rows
