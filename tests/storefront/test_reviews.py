"""Can items be reviewed in the shop, and does the cockpit list those under review until somebody has looked?"""

from __future__ import annotations

import pytest

from planogram.events.v1 import events_pb2
from planogram.feature.v1 import feature_pb2
from services.common.errors import NotReady
from tests.storefront.test_cockpit import cockpit

__all__ = ["cockpit"]  # a fixture


@pytest.mark.parametrize(
    ("form", "rating", "text"),
    [
        ({"stars": "2", "text": " It broke. "}, 2.0, "It broke."),
        ({"stars": "", "text": "It broke."}, 0.0, "It broke."),
        ({"stars": "5", "text": ""}, 5.0, ""),
    ],
)
async def test_a_review_is_an_event_of_the_item(cockpit, services, form, rating, text):
    answer = await cockpit.post("/review", data={"item": "pan", **form})
    assert answer.headers["location"] == "/p/pan"
    (event,) = services.record.requests[-1].events
    assert (event.type, event.item_id) == (events_pb2.EVENT_TYPE_REVIEW, "pan")
    assert (event.rating, event.text, event.language) == (rating, text, "en" if text else "")
    assert "Thank you for your review" in (await cockpit.get("/p/pan")).text


async def test_a_review_without_stars_or_words_is_not_sent(cockpit, services):
    await cockpit.post("/review", data={"item": "pan", "stars": "9", "text": " "})
    assert services.record.requests == []
    assert "A review needs stars or a text." in (await cockpit.get("/p/pan")).text
    assert (await cockpit.post("/review", data={"item": "nothing"})).status_code == 404


async def test_items_under_review_are_listed_and_the_button_ends_it(cockpit, services):
    text = (await cockpit.get("/reviews")).text
    for said in ("A pan &amp; more", "75 %", "12 %", "6 of 8 &lt;reviews&gt; are bad.", "Looked at"):
        assert said in text, said
    answer = await cockpit.post("/reviews/looked", data={"item": "pan"})
    assert answer.headers["location"] == "/reviews"
    (change,) = services.items.requests[-1].items
    assert (change.item_id, change.is_under_review) == ("pan", False)
    assert change.HasField("is_under_review")
    services.alarms.default = feature_pb2.ListReviewAlarmsResponse()
    text = (await cockpit.get("/reviews")).text
    assert "stands again where it stood" in text and "No item is" in text


async def test_without_feature_the_list_says_so(cockpit, services):
    services.alarms.default = services.items.default = NotReady("it is starting")
    assert "it is starting" in (await cockpit.get("/reviews")).text
    await cockpit.post("/reviews/looked", data={"item": "pan"})
    assert "That did not work: it is starting" in (await cockpit.get("/reviews")).text
