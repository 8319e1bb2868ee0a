"""Does a help page answer the shopper's question, whatever fails, and can it be made again from its log?"""

from __future__ import annotations

import asyncio
import itertools
import shutil
from pathlib import Path

import pytest
import yaml

from planogram.client import LayoutError, help_page, home, slot_event
from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from planogram.layout.v1 import layout_pb2, ranking_pb2
from planogram.policy.v1 import policy_pb2
from services.common.errors import NotReady
from services.layout import configuration, event_log, replay
from tests.layout.test_receipts import RULES, planned_shop

CONFIG = Path(configuration.__file__).parent / "config"
QUESTIONS = (
    "how do I return my shoes",
    "Wo bleibt mein Paket?",
    "xkcd qwrtz",
    "",
    "gift card",
    "payment failed",
)


def ask(question, locale="en", name="ada", **options):
    return help_page(name, "visit", question, locale=locale, **options)


def answered(page):
    return [slot.answer.answer_id for slot in page.slots if slot.HasField("answer")]


async def test_the_best_answer_stands_on_top_with_its_text_and_what_can_be_done(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(ask("how do I return my shoes"), deadline_s=2)
        (plan,) = shop.plan.requests
    top = page.slots[0]
    assert (top.module_id, top.template_id) == ("answer-return-an-order", "answer")
    assert top.title == "How do I return something?"
    assert top.answer.answer_id == "return-an-order" and top.answer.topic == "returns"
    assert "within 30 days" in top.answer.text
    assert (
        top.answer.action_link.startswith("mailto:") and top.answer.action_label == "Ask for a return label"
    )
    assert 0 < top.answer.relevance <= 1
    assert top.reason.startswith("Matches your question.")
    assert 1 <= len(top.items) <= 4  # what was bought lately
    assert len(page.slots) == 5 and not page.degraded
    assert plan.context.query == ""  # the policy is told how well answers match, not what was asked
    relevance = {m.module_id: m.relevance for m in plan.modules if m.HasField("relevance")}
    assert (
        relevance["answer-return-an-order"] == max(relevance.values()) == pytest.approx(top.answer.relevance)
    )
    assert 1 < len(relevance) <= 6 and all(name.startswith("answer-") for name in relevance)
    assert all(relevance.values())  # what does not match is not offered
    assert {m.source for m in plan.modules if m.HasField("relevance")} == {"answers"}
    about = {m.module_id: m.category for m in plan.modules}
    assert about["answer-return-an-order"] == "answer-returns" and not about["contact-us"]
    (gathered,) = shop.gather.requests
    assert not any(m.category for m in gathered.modules if m.module_id.startswith("answer-"))


async def test_answers_come_in_the_shoppers_language(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(ask("Wann bekomme ich mein Geld zurück?", "de-AT"), deadline_s=2)
    assert page.slots[0].title == "Wann bekomme ich mein Geld zurück?"
    assert "5 Werktagen" in page.slots[0].answer.text


async def test_a_slot_holds_one_of_its_best_answers_and_others_for_want_of_them(open_shop):
    async with open_shop() as shop:
        for question in ("how do I return a parcel", "xkcd qwrtz", ""):
            await shop.layout.compose(ask(question), deadline_s=2)
        plans = shop.plan.requests
    for plan, is_matched in zip(plans, (True, False, False), strict=True):
        names = [m.module_id for m in plan.modules if m.HasField("relevance")]
        matching = [m.module_id for m in plan.modules if m.relevance > 0]
        assert bool(matching) == is_matched
        allowed = [list(slot.allowed_module_ids) for slot in plan.slots[:3]]
        if is_matched:
            relevance = [m.relevance for m in plan.modules if m.HasField("relevance")]
            assert relevance == sorted(relevance, reverse=True) and len(matching) >= 3
            near = [sum(each >= 0.8 * best for each in relevance) for best in relevance[:3]]
            assert allowed == [names[: min(most, count)] for most, count in zip((2, 4, 6), near, strict=True)]
        else:
            assert allowed == [names[:2], names[:4], names[:6]]


@pytest.mark.parametrize(
    ("question", "most"),
    [("my card was declined", 1), ("how do I return my shoes", 2), ("return a parcel", 4)],
)
async def test_no_answer_that_matches_nothing_stands_where_one_matches(open_shop, tmp_path, question, most):
    async with planned_shop(open_shop, tmp_path, []) as shop:
        pages = [
            await shop.layout.compose(ask(question, name=f"shopper-{number}"), deadline_s=5)
            for number in range(30)
        ]
    for page in pages:
        found = [slot.answer.relevance for slot in page.slots if slot.HasField("answer")]
        assert all(found) and len(found) == min(most, 3)
        assert page.slots[0].HasField("answer") and not page.slots[-1].HasField("answer")
        assert len(page.slots) == 5 and not page.degraded
    if most < 2:
        assert {page.slots[1].module_id for page in pages} == {"contact-us", "popular"}
    if most < 3:
        assert any(page.slots[2].module_id.startswith("guides-") for page in pages)


async def test_a_slot_for_answers_alone_holds_the_filler_where_too_few_match(open_shop, tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    blueprints = folder / "blueprints.yaml"
    text = blueprints.read_text()
    start = text.index("      - {id: answer, answers: 2")
    blueprints.write_text(text[:start] + "      - {id: one, answers: 2}\n      - {id: two, answers: 2}\n")
    async with planned_shop(open_shop, tmp_path, []) as shop:
        page = await shop.layout.compose(ask("my card was declined"), deadline_s=5)
    assert [slot.module_id for slot in page.slots] == ["answer-payment-failed", "popular"]


async def test_a_question_is_neither_logged_nor_sent_to_other_services(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(ask("how do I return order 4711"), deadline_s=2)
        (gathered,) = shop.gather.requests
        assert gathered.context.query == "" and shop.plan.requests[0].context.query == ""
    (logged,) = [one for one, _ in event_log.exposures_after(shop.settings.log_path, {}, 10)]
    assert logged.context.query == "" and b"4711" not in logged.SerializeToString()


async def test_without_a_match_contact_and_what_is_asked_most_are_offered(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(ask("xkcd qwrtz"), deadline_s=2)
        most_asked = await shop.layout.compose(ask(""), deadline_s=2)
    assert answered(page)[0] == "contact"
    assert page.slots[0].answer.relevance == 0 and page.slots[0].reason.startswith("Often asked.")
    assert answered(most_asked)[:2] == ["where-is-my-order", "return-an-order"]


async def test_a_help_page_answers_with_every_other_service_gone(open_shop):
    async with open_shop() as shop:
        for script in (shop.gather, shop.score, shop.plan):
            script.default = NotReady("away")
        page = await shop.layout.compose(ask("how do I return my shoes"), deadline_s=2)
    assert answered(page)[0] == "return-an-order"
    assert {entry.upstream for entry in page.degraded} >= {"feature", "policy"}
    assert all(slot.title for slot in page.slots)


async def test_a_policy_lays_out_answers_without_any_items(open_shop, tmp_path):
    async with planned_shop(open_shop, tmp_path, []) as shop:
        shop.gather.default = NotReady("away")
        page = await shop.layout.compose(ask("how do I return my shoes"), deadline_s=5)
    assert page.slots[0].answer.relevance > 0 and len(answered(page)) == 2
    assert [slot.module_id for slot in page.slots[2:]] == ["contact-us"]
    assert {entry.upstream for entry in page.degraded} == {"feature"}
    assert page.versions.policy == "uniform-0"


@pytest.mark.parametrize("kinds", [{"most": 1}, {"most": 3, "least_gap": 1}])
async def test_answers_that_a_rule_keeps_few_or_apart_make_room_for_the_filler(open_shop, tmp_path, kinds):
    rules = [{"name": "few", "kinds": {"modules": ["answer-*"], **kinds}}]
    async with planned_shop(open_shop, tmp_path, rules) as shop:
        page = await shop.layout.compose(ask("how do I return a parcel"), deadline_s=5)
    assert not page.degraded and len(page.slots) == 5
    places = [place for place, slot in enumerate(page.slots) if slot.HasField("answer")]
    assert places[0] == 0 and len(places) <= kinds["most"]
    assert all(later - place > kinds.get("least_gap", 0) for place, later in itertools.pairwise(places))


async def test_a_pinned_answer_stands_in_its_slot_though_it_matches_best(open_shop, tmp_path):
    rules = [{"name": "late", "pin": {"slot": "third", "module": "answer-return-an-order"}}]
    async with planned_shop(open_shop, tmp_path, rules) as shop:
        page = await shop.layout.compose(ask("how do I return a parcel"), deadline_s=5)
    assert page.slots[2].answer.answer_id == "return-an-order" and not page.degraded


async def test_another_question_does_not_get_the_answers_of_the_one_before(open_shop):
    async with open_shop() as shop:
        await shop.layout.compose(ask("how do I return my shoes"), deadline_s=2)
        shop.gather.default = NotReady("away")
        page = await shop.layout.compose(ask("redeem a gift card"), deadline_s=2)
    assert answered(page)[0] == "vouchers"
    assert page.degraded[0].fallback == layout_pb2.FALLBACK_CACHED_CANDIDATES


async def test_a_rule_may_pin_an_answer_and_kinds_of_modules_leave_answers_alone(open_shop, tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    rules = [
        {"name": "strike", "pin": {"slot": "answer", "module": "answer-delivery-time"}},
        {"name": "few-guides", "kinds": {"families": ["deep"], "most": 0}},
    ]
    document = {"value": {"click": 1.0, "purchase": 0.1}, "rules": rules}
    (folder / "rules.yaml").write_text(yaml.safe_dump(document))
    async with open_shop(config_path=folder) as shop:
        page = await shop.layout.compose(ask("my parcel is late"), deadline_s=2)
        (plan,) = shop.plan.requests
    assert page.slots[0].module_id == "answer-delivery-time"  # though it does not match
    assert answered(page)[1] == "where-is-my-order"
    assert not any(name.startswith("answer-") for limit in plan.module_limits for name in limit.module_ids)


async def test_items_are_worth_on_help_pages_what_the_rules_say_of_those(open_shop, tmp_path):
    folder = Path(shutil.copytree(CONFIG, tmp_path / "config"))
    value = {"click": 1.0, "purchase": 0.0, "page_types": {"help": {"click": 0.0, "purchase": 0.0}}}
    (folder / "rules.yaml").write_text(yaml.safe_dump({"value": value, "rules": []}))
    async with open_shop(config_path=folder) as shop:
        await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        await shop.layout.compose(ask("refund"), deadline_s=2)
        on_home, on_help = (
            {module.module_id: list(module.rows) for module in plan.modules}["popular"]
            for plan in shop.plan.requests
        )
    assert on_home == sorted(on_home, reverse=True)  # the click model's scores grow with the row
    assert on_help != sorted(on_help, reverse=True)  # worth nothing: as their source has them


async def test_help_pages_are_made_again_bit_for_bit_after_the_answers_changed(open_shop, tmp_path):
    async with planned_shop(open_shop, tmp_path, RULES) as shop:
        pages = [
            await shop.layout.compose(ask(question, name=f"shopper-{index}"), deadline_s=5)
            for index in range(10)
            for question in QUESTIONS
        ]
        more = [
            await shop.layout.compose(ask("gift card", cursor=page.cursor), deadline_s=5)
            for page in pages[:12]
            if page.cursor
        ]
    assert more and not any(page.degraded for page in pages)
    of_question = [pages[place :: len(QUESTIONS)] for place in range(len(QUESTIONS))]
    assert any(len({tuple(answered(page)) for page in asked}) > 1 for asked in of_question)  # explored
    for page in pages:
        assert len(page.slots) == 5
        assert all(0 < slot.propensity <= 1 for slot in page.slots)
        items = [item.item_id for slot in page.slots if slot.module_id != "popular" for item in slot.items]
        assert len(items) == len(set(items))
        assert len(set(answered(page))) == len(answered(page))
    answers = tmp_path / "config" / "answers.yaml"
    answers.write_text(
        answers.read_text().replace("Redeem a gift card", "Nothing").replace("{return_days}", "a day")
    )
    async with planned_shop(open_shop, tmp_path, RULES[:1]) as shop:
        for page in (*pages, *more):
            receipt = await shop.layout.explain(page.page_id)
            assert receipt.is_replay_exact, receipt.replay
            said = {slot.slot_id: slot.reason for slot in receipt.slots}
            assert said == {slot.slot_id: slot.reason for slot in page.slots}


def test_what_was_matched_is_read_from_the_log_not_matched_again():
    """An index of another version of its library may find otherwise."""
    inputs = ranking_pb2.RankingInputs(
        blueprint="help", answers=[ranking_pb2.OfferedAnswer(answer_id="refund", relevance=0.5)]
    )
    plan = policy_pb2.PlanPageRequest(seed=1).SerializeToString()
    exposure = events_pb2.Exposure(ranking_inputs=replay.deflate(inputs), plan_request=plan)
    exposure.context.query = "redeem a gift card"
    again = replay.Replay.of(exposure, configuration.load(CONFIG))
    (answer,) = (module for module in again.view.modules if module.is_answer)
    assert answer.module_id == "answer-refund"
    assert answer.kind.about == ""  # the log is from before the policy was told of topics
    inputs.answers[0].topic = "money"
    exposure.ranking_inputs = replay.deflate(inputs)
    again = replay.Replay.of(exposure, configuration.load(CONFIG))
    assert [module.kind.about for module in again.view.modules if module.is_answer] == ["answer-money"]


async def test_edited_answers_are_previewed_and_a_mistake_is_named(open_shop):
    text = (CONFIG / "answers.yaml").read_text()
    request = ask("how do I return my shoes")
    async with open_shop() as shop:
        edited = text.replace("How do I return something?", "Send it back!")
        request.overrides.configuration["answers.yaml"] = edited
        page = await shop.layout.compose(request, deadline_s=5)
        assert page.slots[0].title == "Send it back!" and page.is_exposure_unlogged
        request.overrides.configuration["answers.yaml"] = text.replace("contact: contact", "contact: me")
        with pytest.raises(LayoutError, match=r"answers\.yaml:\d+: contact: 'me' is no answer"):
            await shop.layout.compose(request, deadline_s=5)


async def test_that_an_answer_helped_or_not_is_an_event(open_shop):
    async with open_shop() as shop:
        page = await shop.layout.compose(ask("how do I return my shoes"), deadline_s=2)
        yes = slot_event(page.slots[0], events_pb2.EVENT_TYPE_HELPFUL)
        no = slot_event(page.slots[1], events_pb2.EVENT_TYPE_DISMISSAL)
        stored = await shop.layout.record([yes, no])
        assert stored.stored_count == 2
        shelf = await shop.layout.compose(home("ada", "visit"), deadline_s=2)
        with pytest.raises(LayoutError, match=r"events\[0\]\.tracking_token: .*a slot with an answer"):
            await shop.layout.record([slot_event(shelf.slots[0], events_pb2.EVENT_TYPE_HELPFUL)])
        for _ in range(100):
            if shop.update.requests:
                break
            await asyncio.sleep(0.02)
    (request,) = shop.update.requests
    first = request.events[0]
    assert isinstance(request, feature_pb2.UpdateProfilesRequest)
    assert (first.type, first.module_id) == (events_pb2.EVENT_TYPE_HELPFUL, "answer-return-an-order")


async def test_a_shelf_of_the_caller_cannot_take_the_name_of_an_answer(open_shop):
    shelf = layout_pb2.CallerModule(module_id="answer-refund", item_ids=["i1"])
    async with open_shop() as shop:
        with pytest.raises(LayoutError, match=r"modules\[0\]\.module_id"):
            await shop.layout.compose(ask("refund", modules=[shelf]), deadline_s=2)
