"""What do feature, scoring and policy answer, and is the answer usable?

Each function makes one call and checks the answer as a stranger's: lengths, ranges, finiteness. What
is not usable is raised as UpstreamError, like a call that failed.
"""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any

import grpc
import numpy as np

from planogram.common.v1 import tensor_pb2
from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from planogram.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from services.common import client, log
from services.common.client import ClientTls, Upstream, UpstreamError
from services.common.errors import InvalidRequest
from services.common.tensors import from_tensor
from services.layout.breaker import Breaker, NotAsked
from services.layout.settings import LayoutSettings

MIN_TIMEOUT_S = 0.002
MAX_FINGERPRINTS = 4
"""Encodings that feature may be asked for at once."""
_FACT_COLUMNS = tuple(field.name for field in feature_pb2.ItemFacts.DESCRIPTOR.fields)
_LATER_COLUMNS = frozenset({"is_under_review"})
"""What a feature service of an earlier version leaves empty."""


@dataclass(frozen=True, slots=True)
class Guarded:
    """A service, and whether it is asked for pages at the moment."""

    upstream: Upstream
    breaker: Breaker

    @classmethod
    def of(cls, upstream: Upstream) -> Guarded:
        return cls(upstream, Breaker(upstream.name))

    @property
    def name(self) -> str:
        return self.upstream.name


@dataclass(frozen=True, slots=True)
class Upstreams:
    """The three services behind a page."""

    feature: Guarded
    scoring: Guarded
    policy: Guarded


def connect(settings: LayoutSettings) -> Upstreams:
    """Connections by the settings' targets; nothing is called yet."""
    tls = None
    if settings.upstream_ca_path:
        tls = ClientTls(settings.upstream_ca_path, settings.upstream_cert_path, settings.upstream_key_path)
    token = settings.upstream_token.get_secret_value()
    connected = (
        client.connect("feature", settings.feature_target, feature_pb2_grpc.FeatureServiceStub, token, tls),
        client.connect("scoring", settings.scoring_target, scoring_pb2_grpc.ScoringServiceStub, token, tls),
        client.connect("policy", settings.policy_target, policy_pb2_grpc.PolicyServiceStub, token, tls),
    )
    return Upstreams(*map(Guarded.of, connected))


async def gather(
    feature: Guarded, question: Callable[[], feature_pb2.GatherPageRequest], timeout_s: float
) -> feature_pb2.GatherPageResponse:
    """Candidates and features; asks again without tensors where the wanted encoding is not served.

    Args:
        question: makes what feature is asked, where it is asked at all.
    """
    with feature.breaker.watched(timeout_s):
        request = question()
        try:
            response = await _call(feature, "GatherPage", request, timeout_s)
        except UpstreamError as error:
            if error.code is not grpc.StatusCode.FAILED_PRECONDITION or not request.schema_fingerprints:
                raise
            plain = feature_pb2.GatherPageRequest()
            plain.CopyFrom(request)
            del plain.schema_fingerprints[:]
            response = await _call(feature, "GatherPage", plain, timeout_s / 2)
        _check_gathered(response, request)
    return response  # type: ignore[no-any-return]


@dataclass(frozen=True, slots=True)
class Scores:
    """click, purchase: (N,) probabilities, finite, 0 to 1."""

    click: np.ndarray[Any, np.dtype[np.float32]]
    purchase: np.ndarray[Any, np.dtype[np.float32]]
    model_version: str


async def score(
    scoring: Guarded, features: feature_pb2.FeatureSet, count: int, version: str, timeout_s: float
) -> Scores:
    """The click model's predictions for N = count items."""
    request = scoring_pb2.ScoreItemsRequest(
        schema_fingerprint=features.schema_fingerprint,
        shopper_tensors=features.shopper_tensors,
        item_tensors=features.item_tensors,
        model_version=version or None,
    )
    with scoring.breaker.watched(timeout_s):
        response = await _call(scoring, "ScoreItems", request, timeout_s)
        return Scores(
            _probabilities(response.click_probability, count, "click_probability"),
            _probabilities(response.purchase_probability, count, "purchase_probability"),
            response.model_version,
        )


def features_for_scoring(
    gathered: feature_pb2.GatherPageResponse, wanted: Iterable[str], is_answer: bool
) -> feature_pb2.FeatureSet:
    """The features in the encoding that is wanted most.

    Args:
        wanted: fingerprints, the best first.
        is_answer: true where feature answered; false for what an earlier page left.

    Raises:
        UpstreamError: where there is none, and so nothing can be scored.
    """
    by_fingerprint = {features.schema_fingerprint: features for features in gathered.feature_sets}
    for fingerprint in wanted:
        if fingerprint in by_fingerprint:
            return by_fingerprint[fingerprint]
    if not is_answer:
        raise NotAsked("scoring", "no features")
    raise UpstreamError("scoring", grpc.StatusCode.FAILED_PRECONDITION, "no features in its encoding")


async def plan(
    policy: Guarded, request: policy_pb2.PlanPageRequest, timeout_s: float
) -> policy_pb2.PlanPageResponse:
    """The policy's choice for every slot."""
    with policy.breaker.watched(timeout_s):
        response = await _call(policy, "PlanPage", request, timeout_s)
        _check_plan(response, request)
    return response  # type: ignore[no-any-return]


class ModelDirectory:
    """Knows which encoding each loaded click model wants; asks again in the background."""

    HEALTHY_PAUSE_S, LONELY_PAUSE_S, PATIENCE_S = 5.0, 0.5, 1.0

    def __init__(self, scoring: Upstream) -> None:
        self._scoring = scoring
        self._fingerprints: dict[str, str] = {}
        """By loaded version, the current one first."""
        self._is_fresh = False
        self._refresh_now = asyncio.Event()
        self._task = asyncio.create_task(self._run(), name="model-directory")

    def wanted(self, version: str) -> dict[str, str]:
        """Encodings that could be scored, the best first, each with the version that reads it.

        Args:
            version: the one version that will do; empty takes the current one, and others where feature does
                not know its encoding.
        """
        if version:
            fingerprint = self._fingerprints.get(version, "")
            return {fingerprint: version} if fingerprint else {}
        wanted: dict[str, str] = {}
        for loaded, fingerprint in self._fingerprints.items():
            wanted.setdefault(fingerprint, loaded)
        return dict(islice(wanted.items(), MAX_FINGERPRINTS))

    def refresh(self) -> None:
        """Asks again at once, without waiting for the answer."""
        self._refresh_now.set()

    async def close(self) -> None:
        self._task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await self._task

    async def update(self) -> None:
        """Asks for the loaded models; what was known stays where there is no answer."""
        self._is_fresh = False
        try:
            answer = await self._scoring.call(
                "GetModel", scoring_pb2.GetModelRequest(), self.PATIENCE_S, wait_for_ready=True
            )
        except UpstreamError:
            return
        models = sorted(answer.models, key=lambda model: not model.is_current)
        self._fingerprints = {model.version: model.schema_fingerprint for model in models}
        self._is_fresh = True

    async def _run(self) -> None:
        while True:
            pause_s = self.HEALTHY_PAUSE_S if self._is_fresh else self.LONELY_PAUSE_S
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(pause_s):
                    await self._refresh_now.wait()
            self._refresh_now.clear()
            try:
                await self.update()
            except Exception:
                log.logger("layout").exception("model_directory_failed")


async def _call(guarded: Guarded, method: str, request: Any, timeout_s: float) -> Any:
    if timeout_s < MIN_TIMEOUT_S:
        raise UpstreamError(guarded.name, grpc.StatusCode.DEADLINE_EXCEEDED, "no time was left to call")
    return await guarded.upstream.call(method, request, timeout_s)


def _wrong(upstream: str, what: str) -> UpstreamError:
    return UpstreamError(upstream, grpc.StatusCode.DATA_LOSS, what)


def check_columns(response: feature_pb2.GatherPageResponse) -> None:
    """Holds the parts of an answer against each other.

    Raises:
        UpstreamError: where columns and rows do not fit the items.
    """
    count = len(response.item_ids)
    for name in _FACT_COLUMNS:
        found = len(getattr(response.item_facts, name))
        if found != count and not (found == 0 and name in _LATER_COLUMNS):
            raise _wrong("feature", f"item_facts.{name} has {found} values for {count} items")
    if len(set(response.item_ids)) != count:
        raise _wrong("feature", "item_ids are not distinct")
    for module in response.modules:
        if module.rows and not 0 <= min(module.rows) <= max(module.rows) < count:
            raise _wrong("feature", f"modules[{module.module_id}].rows: outside 0 to {count - 1}")


def _check_gathered(response: feature_pb2.GatherPageResponse, request: feature_pb2.GatherPageRequest) -> None:
    check_columns(response)
    count = len(response.item_ids)
    if [module.module_id for module in response.modules] != [module.module_id for module in request.modules]:
        raise _wrong("feature", "modules are not those of the request")
    past = response.past
    for name, rows, times in (
        ("purchased", past.purchased_rows, past.purchased_unix_s),
        ("dismissed", past.dismissed_rows, past.dismissed_unix_s),
    ):
        if len(rows) != len(times) or (rows and not 0 <= min(rows) <= max(rows) < count):
            raise _wrong("feature", f"past.{name}_rows: outside 0 to {count - 1}, or without a time")
    for features in response.feature_sets:
        for name, tensor in features.item_tensors.items():
            if not tensor.shape or tensor.shape[0] != count:
                raise _wrong(
                    "feature", f"item_tensors[{name}] has shape {list(tensor.shape)} for {count} items"
                )


def _probabilities(tensor: tensor_pb2.Tensor, count: int, name: str) -> np.ndarray[Any, np.dtype[np.float32]]:
    try:
        values = from_tensor(tensor, name)
    except InvalidRequest as error:
        raise _wrong("scoring", str(error)) from None
    if values.shape != (count,) or values.dtype != np.float32:
        raise _wrong("scoring", f"{name} is {values.dtype} {values.shape}, want float32 ({count},)")
    if count and not (np.isfinite(values).all() and values.min() >= 0 and values.max() <= 1):
        raise _wrong("scoring", f"{name} holds NaN or values outside 0 to 1")
    return values


def _check_plan(response: policy_pb2.PlanPageResponse, request: policy_pb2.PlanPageRequest) -> None:
    if [slot.slot_id for slot in response.slots] != [slot.slot_id for slot in request.slots]:
        raise _wrong("policy", "slots are not those of the request")
    modules = {module.module_id: module for module in request.modules}
    for slot in response.slots:
        module = modules.get(slot.module_id)
        if module is None:
            raise _wrong("policy", f"slot {slot.slot_id}: module {slot.module_id!r} is not on offer")
        template = next((t for t in module.templates if t.template_id == slot.template_id), None)
        if template is None:
            raise _wrong("policy", f"slot {slot.slot_id}: template {slot.template_id!r} is not on offer")
        if not template.min_item_count <= len(slot.rows) <= template.max_item_count:
            raise _wrong(
                "policy", f"slot {slot.slot_id}: {len(slot.rows)} items do not fit {slot.template_id}"
            )
        if len(set(slot.rows)) != len(slot.rows) or not set(slot.rows) <= set(module.rows):
            raise _wrong("policy", f"slot {slot.slot_id}: rows are not the module's")
        if not 0 < slot.propensity <= 1:
            raise _wrong("policy", f"slot {slot.slot_id}: propensity {slot.propensity}")
