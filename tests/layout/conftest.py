"""What do tests of layout share: scripted services behind a real layout server."""

from __future__ import annotations

import contextlib
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
import pytest

from planogram.client import AsyncLayoutClient
from planogram.common.v1 import choices_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from planogram.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from services.common.server import serving
from services.common.tensors import to_tensor
from services.common.testing import Script, ScriptedServicer, serve
from services.layout import fallback
from services.layout.__main__ import SERVICE
from services.layout.settings import LayoutSettings

FINGERPRINT = "f" * 64
ITEM_COUNT = 120


def gathered(request: feature_pb2.GatherPageRequest) -> feature_pb2.GatherPageResponse:
    """120 items of ten brands, dealt out to the modules in turns, with a one-column encoding."""
    ids = [f"i{index}" for index in range(ITEM_COUNT)]
    modules = []
    for place, module in enumerate(request.modules):
        rows = [(place * 7 + step) % ITEM_COUNT for step in range(min(module.limit, 16))]
        if module.source == feature_pb2.CANDIDATE_SOURCE_LIST:
            rows = [ids.index(item_id) for item_id in module.item_ids if item_id in ids]
        modules.append(feature_pb2.ModuleCandidates(module_id=module.module_id, rows=rows))
    response = feature_pb2.GatherPageResponse(item_ids=ids, modules=modules, snapshot_version="snap-1")
    facts = response.item_facts
    facts.brand.extend(f"b{index % 10}" for index in range(ITEM_COUNT))
    facts.seller.extend(["s"] * ITEM_COUNT)
    facts.category.extend(["kitchen"] * ITEM_COUNT)
    facts.price_micros.extend([10_000_000] * ITEM_COUNT)
    facts.margin_micros.extend([3_000_000] * ITEM_COUNT)
    facts.stock.extend([5] * ITEM_COUNT)
    facts.age_rating.extend([0] * ITEM_COUNT)
    facts.bid_micros.extend([0] * ITEM_COUNT)
    facts.first_seen_unix_s.extend([1_700_000_000] * ITEM_COUNT)
    facts.popularity.extend(0.1 + index / 1_000 for index in range(ITEM_COUNT))
    facts.discount.extend([0.0] * ITEM_COUNT)
    if FINGERPRINT in request.schema_fingerprints:
        features = response.feature_sets.add(schema_fingerprint=FINGERPRINT)
        numbers = np.arange(ITEM_COUNT, dtype=np.float32)[:, None]
        features.item_tensors["numbers"].CopyFrom(to_tensor(numbers))
        features.shopper_tensors["shopper"].CopyFrom(to_tensor(np.zeros(2, np.float32)))
    response.session.is_known = request.shopper.user_id != ""
    return response


def scored(request: scoring_pb2.ScoreItemsRequest) -> scoring_pb2.ScoreItemsResponse:
    """Scores that grow with the item's number."""
    count = request.item_tensors["numbers"].shape[0]
    click = np.linspace(0.1, 0.5, count, dtype=np.float32)
    return scoring_pb2.ScoreItemsResponse(
        click_probability=to_tensor(click),
        purchase_probability=to_tensor(click / 10),
        model_version=request.model_version or "click-1",
        device=scoring_pb2.DEVICE_CPU,
    )


def models(request: Any) -> scoring_pb2.GetModelResponse:
    current = scoring_pb2.Model(version="click-1", schema_fingerprint=FINGERPRINT, is_current=True)
    return scoring_pb2.GetModelResponse(models=[current])


def planned(request: policy_pb2.PlanPageRequest) -> policy_pb2.PlanPageResponse:
    """The editorial plan, as if a policy had chosen it."""
    response = policy_pb2.PlanPageResponse(policy_version=request.policy_version or "policy-1")
    for decision in fallback.editorial_plan(request):
        decision.propensity = 0.5
        names = [module.module_id for module in request.modules]
        decision.feasible.CopyFrom(
            choices_pb2.FeasibleChoices(
                module_index=[names.index(decision.module_id)],
                template_index=[0],
                propensity=[0.5],
                q_value=[0.0],
            )
        )
        response.slots.append(decision)
    return response


@dataclass
class Shop:
    """A layout server, its client, and the scripts of the services behind it."""

    layout: AsyncLayoutClient
    gather: Script
    update: Script
    forget: Script
    score: Script
    plan: Script
    target: str
    settings: LayoutSettings


OpenShop = Callable[..., contextlib.AbstractAsyncContextManager[Shop]]


@pytest.fixture
def open_shop(tmp_path: Any) -> OpenShop:
    """Opens a shop; keyword arguments are layout settings. The state survives a second opening."""

    @contextlib.asynccontextmanager
    async def opened(**given: Any) -> Any:
        gather, score, plan = Script(gathered), Script(scored), Script(planned)
        update = Script(feature_pb2.UpdateProfilesResponse())
        forget = Script(feature_pb2.ForgetShopperResponse(was_present=True))
        feature = ScriptedServicer(GatherPage=gather, UpdateProfiles=update, ForgetShopper=forget)
        scoring = ScriptedServicer(ScoreItems=score, GetModel=Script(models))
        policy = ScriptedServicer(PlanPage=plan)
        async with contextlib.AsyncExitStack() as stack:
            targets = [
                await stack.enter_async_context(serve(servicer, add, name))
                for servicer, add, name in (
                    (
                        feature,
                        feature_pb2_grpc.add_FeatureServiceServicer_to_server,
                        "planogram.feature.v1.FeatureService",
                    ),
                    (
                        scoring,
                        scoring_pb2_grpc.add_ScoringServiceServicer_to_server,
                        "planogram.scoring.v1.ScoringService",
                    ),
                    (
                        policy,
                        policy_pb2_grpc.add_PolicyServiceServicer_to_server,
                        "planogram.policy.v1.PolicyService",
                    ),
                )
            ]
            names = ("feature_target", "scoring_target", "policy_target")
            settings = LayoutSettings(
                **{
                    "listen": "127.0.0.1:0",
                    "log_path": tmp_path / "log",
                    "last_good_path": tmp_path / "last-good",
                    "shopper_key_path": tmp_path / "shopper.key",
                    "signing_key_path": tmp_path / "signing.key",
                    "default_deadline_ms": 2_000,
                    **dict(zip(names, targets, strict=True)),
                    **given,
                }
            )
            port = await stack.enter_async_context(serving(SERVICE, settings))
            layout = await stack.enter_async_context(AsyncLayoutClient(f"127.0.0.1:{port}"))
            yield Shop(layout, gather, update, forget, score, plan, f"127.0.0.1:{port}", settings)

    return opened
