"""Does a question find its answer, and does every mistake in answers.yaml name file, line and key?"""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from planogram.common.v1 import context_pb2
from services.common.errors import ConfigurationError
from services.layout import configuration, matching
from services.layout.blueprint import ANSWER
from services.layout.retrieval import Entry, Index

CONFIG = Path(configuration.__file__).parent / "config"
QUESTIONS = Path(__file__).parent / "held_out_questions.csv"
SMALL = [
    Entry("returns", ["How do I send something back?", "return an order"], "Within 30 days."),
    Entry("delivery", ["When does my parcel arrive?", "shipping time"], "Two days."),
    Entry("vouchers", ["Redeem a gift card", "discount code"], "At the checkout."),
]


@pytest.fixture(scope="module")
def answers():
    return configuration.load(CONFIG).answers


def asked(question, locale="en", **fields):
    return context_pb2.PageContext(
        page_type=context_pb2.PAGE_TYPE_HELP, locale=locale, query=question, **fields
    )


def names(offered):
    return [each.answer.answer_id for each in offered]


def test_the_shop_has_answers_to_all_questions_in_two_languages(answers):
    found = answers.by_module_id.values()
    assert len(found) >= 20
    for answer in found:
        for texts in (answer.module.titles, answer.texts, answer.questions):
            assert set(texts) == {"en", "de"}
        assert not any("{" in text for text in (*answer.texts.values(), *answer.module.titles.values()))


def test_held_out_questions_find_their_answers(answers):
    """150 questions that answers.yaml does not hold; the figures of today are .87 and .94."""
    found = matching.measured(answers, QUESTIONS)
    assert {row.language: row.question_count for row in found} == {"en": 75, "de": 75}
    for row in found:
        assert row.recall_at_1 >= 0.80
        assert row.recall_at_3 >= 0.90
        assert row.falsely_matched_count <= 2 < row.foreign_count


def test_no_held_out_question_stands_in_the_file(answers):
    known = {
        question.casefold()
        for answer in answers.by_module_id.values()
        for language in answer.questions
        for question in (answer.module.titles[language], *answer.questions[language])
    }
    held_out = [row.question.casefold() for row in matching.read(QUESTIONS)]
    assert not known & set(held_out)
    assert len(held_out) == len(set(held_out))


@pytest.mark.parametrize(
    "question", ["sending things back", "retrun", "RETURNS!", "give back", "i want to return it"]
)
def test_endings_errors_and_synonyms_are_forgiven(question):
    index = Index("en", SMALL, [["send back", "give back"]])
    assert index.find(question)[0][0] == "returns"


@pytest.mark.parametrize(
    ("question", "answer"),
    [
        ("Retourenaufkleber", "return-an-order"),
        ("Gutscheinfeld", "vouchers"),
        ("Verpackungsmaterial", "recycling"),
    ],
)
def test_parts_of_compounds_are_found(answers, question, answer):
    assert names(answers.offered(asked(question, "de"), 1)) == [answer]


@pytest.mark.parametrize("question", ["", "the and of", "xkcd qwrtz", "?!", "🙂", "a" * 256])
def test_what_says_nothing_matches_nothing(question):
    assert Index("en", SMALL).find(question) == ()


def test_relevance_falls_and_lies_between_0_and_1(answers):
    for row in matching.read(QUESTIONS):
        found = [relevance for _, relevance in answers.indexes[row.language].find(row.question)]
        assert found == sorted(found, reverse=True)
        assert all(0 < relevance <= 1 for relevance in found)


def test_a_question_is_matched_in_its_language(answers):
    assert names(answers.offered(asked("Retoure", "de-AT"), 1)) == ["return-an-order"]
    # Of a language without questions: the English ones.
    assert names(answers.offered(asked("refund", "fr-FR"), 1)) == ["refund"]


def test_without_a_question_the_most_asked_are_offered(answers):
    offered = answers.offered(asked(" "), 3)
    assert names(offered) == [answer.answer_id for answer in answers.by_module_id.values()][:3]
    assert {each.relevance for each in offered} == {0.0}


def test_what_does_not_match_is_offered_where_a_rule_pins_it_or_nothing_matches(answers):
    matching = names(answers.offered(asked("my card was declined"), 6))
    assert matching == ["payment-failed"]
    pinned = answers.offered(asked("my card was declined"), 6, {f"{ANSWER}delivery-time", "popular"})
    assert names(pinned) == ["payment-failed", "delivery-time"] and not pinned[1].relevance
    few = answers.offered(asked("return a parcel"), 2, {f"{ANSWER}recycling"})
    assert names(few) == ["return-an-order", "recycling"]
    assert (
        names(answers.offered(asked("return a parcel"), 2, {f"{ANSWER}return-an-order"}))[0] == names(few)[0]
    )


def test_where_nothing_matches_contact_comes_first(answers):
    offered = answers.offered(asked("xkcd qwrtz"), 4)
    most_asked = [answer.answer_id for answer in answers.by_module_id.values()]
    assert names(offered) == ["contact", *most_asked[:3]]
    assert {each.relevance for each in offered} == {0.0}


def test_answers_that_do_not_hold_are_left_out(tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    change(folder, "  - id: countries\n", "  - id: countries\n    when: {markets: [at]}\n")
    answers = configuration.load(folder).answers
    assert "countries" in names(answers.offered(asked("ship abroad", market="at"), 3))
    assert "countries" not in names(answers.offered(asked("ship abroad", market="de"), 30))


def change(folder, old, new):
    path = folder / "answers.yaml"
    text = path.read_text()
    assert old in text
    path.write_text(text.replace(old, new, 1))
    return text[: text.index(old)].count("\n") + 1


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("contact: contact", "contact: nobody", "'nobody' is no answer"),
        (
            "templates: [answer, folded]",
            "templates: [grid]",
            "'grid' is not among ['answer', 'folded', 'tile']",
        ),
        ("  - id: refund", "  - id: return-an-order", "'return-an-order' is taken by another answer"),
        ("  - id: refund", "  - id: Refund", "id"),
        ("      link: /cart", "      link: //elsewhere.example", "link"),
        ("      link: /cart", "      link: javascript:alert(1)", "link"),
        ("    items: {source: buy_again", "    items: {source: similar", "source"),
        (
            "        {delivery_days}. Express",
            "        {delivery_dayz}. Express",
            "{delivery_dayz} is not among",
        ),
        ("    topic: returns", "    topik: returns", "topik"),
        (
            "    topic: returns",
            "    topic: returns\n    when: {segments: [vip]}",
            "before the shopper is known",
        ),
    ],
)
def test_a_mistake_names_file_line_and_key(tmp_path, old, new, said):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    line = change(folder, old, new)
    with pytest.raises(ConfigurationError) as caught:
        configuration.load(folder)
    found = str(caught.value)
    assert said in found
    assert f"{folder / 'answers.yaml'}:" in found
    assert abs(int(found.split("answers.yaml:")[1].split(":")[0]) - line) <= 4


def test_a_shop_without_answers_has_no_help_page_to_fill(tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    (folder / "answers.yaml").unlink()
    with pytest.raises(ConfigurationError, match=r"blueprints\.yaml:\d+: .*there is no answers\.yaml"):
        configuration.load(folder)
    blueprints = folder / "blueprints.yaml"
    blueprints.write_text(blueprints.read_text().partition("  # The best answer open")[0])
    assert not configuration.load(folder).answers.by_module_id


def test_no_other_module_takes_the_name_of_an_answer(tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    modules = folder / "modules.yaml"
    modules.write_text(modules.read_text().replace("id: contact-us", f"id: {ANSWER}us"))
    with pytest.raises(ConfigurationError, match=r"modules\.yaml:\d+: .*is for what answers\.yaml holds"):
        configuration.load(folder)
