"""What do tests of the cockpit share: a storefront before a scripted layout that knows devices, arms and files."""

from __future__ import annotations

import asyncio
import contextlib
import socket

import pyarrow as pa
import pytest
import uvicorn
from google.protobuf.timestamp_pb2 import Timestamp

from planogram.common.v1 import context_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.files import catalogue
from planogram.layout.v1 import layout_pb2, layout_pb2_grpc
from services.common.callers import Role
from services.common.errors import InvalidRequest
from services.common.testing import Script, ScriptedServicer, serve
from storefront.app import create
from storefront.settings import StorefrontSettings

COLUMNS = {context_pb2.DEVICE_PHONE: 2, context_pb2.DEVICE_TABLET: 3, context_pb2.DEVICE_DESKTOP: 4}
GOODS = ("pan", "pot", "lamp", "chair", "rug", "vase", "bowl", "desk", "shelf", "mug", "tray", "fork")
TEMPLATES = ("banner", "carousel", "grid", "list", "strip", "wall")
FILES = {
    "blueprints.yaml": "blueprints:\n  home: {page_type: home}\n",
    "categories.yaml": "categories: []\n",
    "experiments.yaml": "experiments: []\n",
    "modules.yaml": "modules: []\n",
    "rules.yaml": "# What may be shown.\nrules:\n  - {name: sold-out, exclude: {what: sold_out}}\n",
}


def composed(request):
    """A page of every template; another policy turns the shelves round, a rule `no-pots` takes the pot out."""
    rules = request.overrides.configuration.get("rules.yaml", FILES["rules.yaml"])
    if "sold_outt" in rules:
        problem = "files without one: rules.yaml:3: rules.0.exclude.what: Input should be 'sold_out'"
        raise InvalidRequest("overrides.configuration", "a mistake", problem)
    goods = [name for name in GOODS if name != "pot" or "no-pots" not in rules]
    order = TEMPLATES[::-1] if request.overrides.policy_version else TEMPLATES
    slots = [
        layout_pb2.Slot(
            slot_id=f"slot-{place}",
            module_id=f"module-{template}",
            template_id=template,
            title=f"Shelf of a {template}",
            items=[
                layout_pb2.Item(
                    item_id=name,
                    tracking_token=f"token-{name}",
                    charge_micros=420_000 if template == "strip" else 0,
                )
                for name in (goods[:1] if template == "banner" else goods)
            ],
            reason="Because it sells.",
            tracking_token=f"token-slot-{place}",
            propensity=0.25,
            is_ad=template == "strip",
            column_count=COLUMNS[request.context.device],
        )
        for place, template in enumerate(order)
    ]
    effects = [layout_pb2.RuleEffect(rule="no-pots", action="hide", count=1)] if "no-pots" in rules else []
    return layout_pb2.ComposePageResponse(
        page=layout_pb2.Page(
            page_id="p1",
            slots=slots,
            versions=layout_pb2.Versions(
                policy=request.overrides.policy_version or "dqn-1", blueprint="abc123"
            ),
            rule_effects=effects,
            rule_conflicts=[layout_pb2.RuleConflict(rules=["wide", "narrow"], problem="No room for both.")],
            quality=0.75,
        )
    )


RECEIPT = layout_pb2.ExplainPageResponse(
    page_id="p1",
    time=Timestamp(seconds=1_800_000_000),
    versions=layout_pb2.Versions(policy="dqn-1", scoring="click-1", snapshot="s-1", blueprint="abc123"),
    is_replay_exact=True,
    replay="Rules and plan, made again, give the same page.",
    rules=[
        layout_pb2.RuleReceipt(rule="adults-only", action="hide", count=3, shadow_price=0.0125),
        layout_pb2.RuleReceipt(rule="ads", action="limit", count=1),
    ],
    rule_conflicts=[layout_pb2.RuleConflict(rules=["wide", "narrow"], problem="No room for both.")],
    slots=[
        layout_pb2.SlotReceipt(
            slot_id="top",
            module_id="hero",
            template_id="banner",
            reason="Because <of> it.",
            propensity=0.625,
            q_value=1.5,
            is_explored=True,
            runners_up=[
                layout_pb2.RunnerUp(module_id="deals", template_id="grid", q_value=1.25, propensity=0.375)
            ],
            masked=[layout_pb2.MaskedModule(module_id="guides", reason="the slot does not list it")],
            items=[
                layout_pb2.ItemReceipt(
                    item_id="pan",
                    click_probability=0.0625,
                    purchase_probability=0.0125,
                    attributions=[layout_pb2.Attribution(feature="price_rank", value=-0.0125)],
                    displaced="pot",
                    charge_micros=420_000,
                )
            ],
        )
    ],
)


@pytest.fixture
def goods_path(tmp_path):
    """A catalogue of twelve kitchen things."""
    rows = [
        {
            "item_id": name,
            "title": f"A {name} & more",
            "description": f"The {name} that everybody wants, now in a size for every home.",
            "category": "kitchen",
            "price_micros": 10_000_000,
            "list_price_micros": 20_000_000,
        }
        for name in GOODS
    ]
    source = tmp_path / "goods.parquet"
    pa.parquet.write_table(pa.Table.from_pylist(rows), source)
    return catalogue.write(tmp_path / "goods-read.parquet", catalogue.read(source))


ALARM = feature_pb2.ReviewAlarm(
    item_id="pan", bad_count=6, review_count=8, usual_share=0.125, text="6 of 8 <reviews> are bad."
)


class Services:
    """Scripts of layout and feature: the portrait moves with every event that was recorded."""

    def __init__(self):
        self.compose, self.explain = Script(composed), Script(RECEIPT)
        self.configuration = Script(layout_pb2.GetConfigurationResponse(version="abc123", files=FILES))
        self.record = Script(layout_pb2.RecordEventsResponse(stored_count=1))
        self.profile = Script(self._portrait)
        self.alarms = Script(feature_pb2.ListReviewAlarmsResponse(alarms=[ALARM]))
        self.items = Script(feature_pb2.UpdateItemsResponse(applied_count=1))
        self.layout_target = self.feature_target = ""

    def _portrait(self, request):
        share = 10 * sum(len(asked.events) for asked in self.record.requests if asked.events[0].type == 2)
        line = feature_pb2.ProfileLine(
            subject="category",
            text=f"Likes kitchen: {share} % of it.",
            value=share / 100,
            evidence_count=share,
        )
        return feature_pb2.GetProfileResponse(lines=[line] if share else [])


@pytest.fixture
async def services():
    """Layout and feature as scripts, on ports of their own."""
    scripts, calls = (
        Services(),
        (
            *("ComposePage", "RecordEvents", "ExplainPage", "GetConfiguration", "GetProfile"),
            *("ListReviewAlarms", "UpdateItems"),
        ),
    )
    roles = dict.fromkeys(calls, Role.PUBLIC)
    layout = ScriptedServicer(
        ComposePage=scripts.compose,
        RecordEvents=scripts.record,
        ExplainPage=scripts.explain,
        GetConfiguration=scripts.configuration,
    )
    feature = ScriptedServicer(
        GetProfile=scripts.profile, ListReviewAlarms=scripts.alarms, UpdateItems=scripts.items
    )
    async with (
        serve(
            layout,
            layout_pb2_grpc.add_LayoutServiceServicer_to_server,
            "planogram.layout.v1.LayoutService",
            roles,
        ) as scripts.layout_target,
        serve(
            feature,
            feature_pb2_grpc.add_FeatureServiceServicer_to_server,
            "planogram.feature.v1.FeatureService",
            roles,
        ) as scripts.feature_target,
    ):
        yield scripts


@pytest.fixture
def storefront(services, goods_path):
    """The storefront as an ASGI application in front of the scripts."""
    return create(
        StorefrontSettings(
            layout_target=services.layout_target,
            feature_target=services.feature_target,
            allowed_hosts={"shop"},
            catalogue_path=goods_path,
        )
    )


@pytest.fixture
async def address(storefront):
    """Where a browser finds the storefront."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        port = listener.getsockname()[1]
        server = uvicorn.Server(uvicorn.Config(storefront, log_level="warning"))
        serving = asyncio.create_task(server.serve([listener]))
        try:
            while not server.started:
                assert not serving.done()
                await asyncio.sleep(0.02)
            yield f"http://127.0.0.1:{port}"
        finally:
            server.should_exit = True
            with contextlib.suppress(asyncio.CancelledError):
                await serving
