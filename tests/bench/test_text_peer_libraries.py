"""Does the small encoder read texts without fetching anything? Run by `make test-peers`."""

from __future__ import annotations

import numpy as np
import pytest

from services.feature.items.schema import VECTOR_WIDTH
from services.local.bench.text.vectors import hashed_words, static_words

pytestmark = pytest.mark.filterwarnings("ignore")  # theirs

COLOURS = ("grey", "cream", "navy", "olive", "brown", "black", "white", "pink")
NOUNS = ("sofa", "couch", "kettle", "tulip", "raincoat")


def test_things_that_are_alike_and_share_no_word_stand_near(monkeypatch):
    monkeypatch.setenv("HTTPS_PROXY", "http://127.0.0.1:9")
    titles = [f"{colour} {noun}" for noun in NOUNS for colour in COLOURS]
    nothing = [""] * len(titles)
    texts = {"title": titles, "category": ["home"] * len(titles), "brand": nothing, "description": nothing}

    def likeness(vectors, one, other):
        rows = [[at for at, title in enumerate(titles) if title.endswith(noun)] for noun in (one, other)]
        return (vectors[rows[0]] @ vectors[rows[1]].T).mean()

    found = static_words(texts)
    assert found.shape == (len(titles), VECTOR_WIDTH)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1, atol=1e-4)
    assert likeness(found, "sofa", "couch") > 0.2 + max(likeness(found, "sofa", noun) for noun in NOUNS[2:])
    words = hashed_words(texts)
    assert likeness(words, "sofa", "couch") < 0.2 + max(likeness(words, "sofa", noun) for noun in NOUNS[2:])
