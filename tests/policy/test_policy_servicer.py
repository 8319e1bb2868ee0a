from __future__ import annotations

import asyncio
import contextlib
import threading

import grpc
import numpy as np
import pytest

from planogram.common.v1 import context_pb2, tensor_pb2
from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from services.common.client import GrpcUpstream, UpstreamError
from services.common.errors import ConfigurationError, InvalidRequest
from services.common.executor import BoundedExecutor
from services.common.server import serving
from services.common.tensors import to_tensor
from services.common.testing import serve
from services.common.watching import Versions
from services.policy import page, shadow, space
from services.policy.__main__ import SERVICE
from services.policy.exploration import Exploration, Mode
from services.policy.registry import UNIFORM, Policy
from services.policy.servicer import PolicyServicer
from services.policy.settings import PolicySettings

GREEDY = policy_pb2.Exploration(mode=policy_pb2.EXPLORATION_MODE_GREEDY)


@contextlib.asynccontextmanager
async def running(**settings):
    async with serving(SERVICE, PolicySettings(listen="127.0.0.1:0", **settings)) as port:
        upstream = GrpcUpstream("policy", f"127.0.0.1:{port}", policy_pb2_grpc.PolicyServiceStub)
        yield upstream
        await upstream.close()


@pytest.fixture
async def day_zero(tmp_path):
    async with running(models_path=tmp_path / "policy") as upstream:
        yield upstream


@pytest.fixture
async def trained(outcome):
    async with running(models_path=outcome.artifact.path.parent) as upstream:
        yield upstream


@pytest.fixture
def plan_request(shop):
    return shop.request(np.random.default_rng(4), {"pages": 0, "clicks": 0})


async def refused(upstream, request, code):
    with pytest.raises(UpstreamError) as caught:
        await upstream.call("PlanPage", request, 5)
    assert caught.value.code is code, caught.value
    return caught.value.details


async def test_day_zero_chooses_uniformly_among_what_is_feasible(day_zero, plan_request):
    answer = await day_zero.call("PlanPage", plan_request, 5)
    assert answer.policy_version == "uniform-0"
    assert [slot.slot_id for slot in answer.slots] == ["s0", "s1", "s2"]
    for slot in answer.slots:
        propensities = list(slot.feasible.propensity)
        assert propensities == pytest.approx([1 / len(propensities)] * len(propensities))
    assert answer.exploration.mode == policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY
    assert answer.exploration.epsilon == pytest.approx(0.1)


async def test_day_zero_without_exploration_takes_modules_in_their_order(day_zero, plan_request):
    plan_request.exploration.CopyFrom(GREEDY)
    answer = await day_zero.call("PlanPage", plan_request, 5)
    assert [slot.module_id for slot in answer.slots] == ["m0", "m1", "m2"]
    assert [slot.propensity for slot in answer.slots] == [1.0] * 3


@pytest.mark.parametrize("mode", [Mode.EPSILON_GREEDY, Mode.SOFTMAX])
async def test_the_answered_exploration_brings_the_same_plan_under_other_settings(
    outcome, plan_request, mode
):
    models = outcome.artifact.path.parent
    async with running(models_path=models, exploration_mode=mode, epsilon=0.1, temperature=0.3) as upstream:
        first = await upstream.call("PlanPage", plan_request, 5)
    plan_request.exploration.CopyFrom(first.exploration)
    other = {"exploration_mode": Mode.GREEDY, "epsilon": 0.9, "temperature": 5.0}
    async with running(models_path=models, **other) as upstream:
        assert await upstream.call("PlanPage", plan_request, 5) == first


@pytest.mark.parametrize("mode", [1, 2, 3])
async def test_a_trained_policy_answers_a_distribution_for_every_slot(trained, plan_request, mode, outcome):
    plan_request.exploration.mode = mode
    plan_request.exploration.temperature = 0.5
    answer = await trained.call("PlanPage", plan_request, 5)
    assert answer.policy_version == outcome.artifact.version
    assert answer.exploration.temperature == 0.5
    for slot in answer.slots:
        feasible = slot.feasible
        assert abs(sum(feasible.propensity) - 1) < 1e-9
        modules = plan_request.modules
        places = zip(feasible.module_index, feasible.template_index, strict=True)
        names = [
            (modules[module].module_id, modules[module].templates[template].template_id)
            for module, template in places
        ]
        chosen = names.index((slot.module_id, slot.template_id))
        assert (feasible.propensity[chosen], feasible.q_value[chosen]) == (slot.propensity, slot.q_value)
        assert slot.is_explored == (slot.q_value < max(feasible.q_value))
        assert len(set(feasible.q_value)) > 1


async def test_the_same_request_has_the_same_answer(trained, plan_request):
    first, second = [await trained.call("PlanPage", plan_request, 5) for _ in range(2)]
    assert first == second


async def test_a_request_may_name_a_loaded_version(trained, plan_request):
    plan_request.policy_version = "uniform-0"
    assert (await trained.call("PlanPage", plan_request, 5)).policy_version == "uniform-0"
    plan_request.policy_version = "gone"
    assert "'gone' is not published" in await refused(trained, plan_request, grpc.StatusCode.NOT_FOUND)


@pytest.mark.parametrize("version", ["", "../policy", ".", "x" * 5_000, "a\0b"])
async def test_a_version_that_is_no_name_is_looked_for_nowhere(trained, plan_request, version):
    plan_request.policy_version = version
    details = await refused(trained, plan_request, grpc.StatusCode.NOT_FOUND)
    assert "is not published" in details and len(details) < 400


async def test_masked_modules_are_answered_with_their_reason(day_zero, plan_request):
    plan_request.slots[0].pinned_module_id = "m2"
    plan_request.slots[1].allowed_module_ids.extend(["m0", "m1"])
    answer = await day_zero.call("PlanPage", plan_request, 5)
    assert answer.slots[0].module_id == "m2"
    assert set(answer.slots[0].masked.reason) == {policy_pb2.MASK_REASON_PINNED}
    masked = answer.slots[1].masked
    reasons = dict(zip(masked.module_index, masked.reason, strict=True))
    assert reasons[3] == policy_pb2.MASK_REASON_NOT_ALLOWED


async def test_the_policies_describe_themselves(trained, outcome):
    answer = await trained.call("GetPolicy", policy_pb2.GetPolicyRequest(), 5)
    learned, uniform = answer.policies
    assert learned.version == outcome.artifact.version and learned.is_current
    assert learned.space_fingerprint == space.FINGERPRINT and learned.HasField("trained")
    assert learned.metrics["mean_q"] == outcome.metrics["mean_q"]
    assert (uniform.version, uniform.is_current, uniform.space_fingerprint) == ("uniform-0", False, "")


def change(path):
    """A function that changes one thing of a request."""
    names = {
        "no modules": lambda r: r.ClearField("modules"),
        "no slots": lambda r: r.ClearField("slots"),
        "too many slots": lambda r: [r.slots.add(slot_id=f"x{index}") for index in range(40)],
        "module twice": lambda r: r.modules.append(r.modules[0]),
        "slot twice": lambda r: r.slots.append(r.slots[0]),
        "long id": lambda r: setattr(r.slots[0], "slot_id", "x" * 65),
        "empty id": lambda r: setattr(r.modules[1], "module_id", ""),
        "no template": lambda r: r.modules[1].ClearField("templates"),
        "bad counts": lambda r: setattr(r.modules[1].templates[0], "min_item_count", 9),
        "row beyond": lambda r: r.modules[1].rows.append(40),
        "row below": lambda r: r.modules[1].rows.append(-1),
        "row twice": lambda r: r.modules[1].rows.append(r.modules[1].rows[0]),
        "short column": lambda r: r.items.margin.CopyFrom(to_tensor(np.zeros(3, np.float32))),
        "no column": lambda r: r.items.ClearField("freshness"),
        "bad chance": lambda r: r.items.click_probability.CopyFrom(to_tensor(np.full(40, 2, np.float32))),
        "nan": lambda r: r.items.margin.CopyFrom(to_tensor(np.full(40, np.nan, np.float32))),
        "no groups": lambda r: r.group_limits.add(group_id=1, max_item_count=1),
        "bad group": lambda r: r.group_limits.add(group_id=-1),
        "epsilon": lambda r: setattr(r.exploration, "epsilon", 1.5),
        "temperature": lambda r: setattr(r.exploration, "temperature", 0.0),
        "relevance": lambda r: setattr(r.modules[1], "relevance", 1.5),
        "relevance nan": lambda r: setattr(r.modules[1], "relevance", np.nan),
        "price level": lambda r: setattr(r.session, "price_level", np.nan),
        "affinity nan": lambda r: r.session.category_affinities.update({"a": 0.5, "b": np.nan}),
        "affinity": lambda r: r.session.category_affinities.update({"a": 3e38}),
        "stops": lambda r: r.session.family_recent_stops.update({"deep": -np.inf}),
        "category": lambda r: setattr(r.modules[1], "category", "x" * 129),
        "source": lambda r: setattr(r.modules[1], "source", "x" * 65),
        "huge axis": lambda r: r.items.margin.CopyFrom(tensor_pb2.Tensor(dtype=1, shape=[2**62, 0])),
        "too many modules": lambda r: [r.modules.add(module_id=f"x{index}") for index in range(59)],
        "too many rows": lambda r: r.modules[1].rows.extend(range(2_000)),
    }
    return names[path]


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("no modules", "modules: got '0 entries', want 1 to 64"),
        ("no slots", "slots: got '0 entries', want 1 to 40"),
        ("too many slots", "slots: got '43 entries'"),
        ("module twice", "modules[6].module_id"),
        ("slot twice", "slots[3].slot_id"),
        ("long id", "slots[0].slot_id"),
        ("empty id", "modules[1].module_id"),
        ("no template", "modules[1].templates"),
        ("bad counts", "modules[1].templates[0]"),
        ("row beyond", "modules[1].rows"),
        ("row below", "modules[1].rows"),
        ("row twice", "distinct rows"),
        ("short column", "items.margin.shape"),
        ("no column", "items.freshness"),
        ("bad chance", "items.click_probability"),
        ("nan", "items.margin"),
        ("no groups", "items.group_id"),
        ("bad group", "group_limits[0].group_id"),
        ("epsilon", "exploration.epsilon"),
        ("temperature", "exploration.temperature"),
        ("relevance", "modules[1].relevance: got 1.5, want 0 to 1"),
        ("relevance nan", "modules[1].relevance"),
        ("price level", "session.price_level: got nan, want 0 to 1"),
        ("affinity nan", "session.category_affinities"),
        ("affinity", "session.category_affinities: got '3e+38 to 3e+38', want 0 or more, 1.001 at most"),
        ("stops", "session.family_recent_stops"),
        ("category", "modules[1].category"),
        ("source", "modules[1].source"),
        ("huge axis", "items.margin.shape"),
        ("too many modules", "modules: got '65 entries', want 1 to 64"),
        ("too many rows", "modules[1].rows: got '2008 rows', want at most 2000"),
    ],
)
async def test_a_bad_field_is_named(day_zero, plan_request, what, said):
    change(what)(plan_request)
    assert said in await refused(day_zero, plan_request, grpc.StatusCode.INVALID_ARGUMENT)


def numbers_of_a_session():
    """Each with what is out of its range."""
    for field in context_pb2.SessionState.DESCRIPTOR.fields:
        is_map = field.message_type is not None
        number = field.message_type.fields_by_name["value"] if is_map else field
        if number.cpp_type in (number.CPPTYPE_INT32, number.CPPTYPE_FLOAT):
            beyond = (-1,) if number.cpp_type == number.CPPTYPE_INT32 else (-0.5, np.nan, np.inf)
            yield from ((field.name, is_map, value) for value in beyond)


@pytest.mark.parametrize(("name", "is_map", "value"), list(numbers_of_a_session()))
def test_every_number_of_a_session_is_held_to_its_range(plan_request, name, is_map, value):
    if is_map:
        getattr(plan_request.session, name).update({"first": 0, "deep": value})
    else:
        setattr(plan_request.session, name, value)
    with pytest.raises(InvalidRequest, match=rf"session\.{name}.*: got .*, want 0 "):
        page.decode(plan_request)
    if is_map:
        getattr(plan_request.session, name).update({"deep": 1})
    else:
        setattr(plan_request.session, name, 1)
    page.decode(plan_request)


async def test_a_page_that_cannot_be_filled_is_a_failed_precondition(day_zero, build):
    module, slot = build.module, build.slot
    request = build([module("a", [0])], [slot("top"), slot("below")])
    details = await refused(day_zero, request, grpc.StatusCode.FAILED_PRECONDITION)
    assert "'below'" in details and "filler" in details


async def test_the_services_settings_are_the_defaults(tmp_path, plan_request):
    async with running(
        models_path=tmp_path, exploration_mode="softmax", epsilon=0.02, temperature=0.3
    ) as upstream:
        answer = await upstream.call("PlanPage", plan_request, 5)
    assert answer.exploration.mode == policy_pb2.EXPLORATION_MODE_SOFTMAX
    assert answer.exploration.epsilon == pytest.approx(0.02)
    assert answer.exploration.temperature == pytest.approx(0.3)


async def test_a_full_queue_sheds_load(tmp_path, plan_request):
    started, go_on = threading.Event(), threading.Event()

    def slow(facts):
        started.set()
        assert go_on.wait(10)
        return UNIFORM.values(facts)

    policy = Policy("slow-1", slow)
    executor = BoundedExecutor("policy", 1, 0)
    servicer = PolicyServicer(
        Versions(tmp_path, lambda artifact: policy, policy, None),
        executor,
        Exploration(Mode.EPSILON_GREEDY, 0.1, 0.2),
    )
    add = policy_pb2_grpc.add_PolicyServiceServicer_to_server
    async with serve(servicer, add, SERVICE.full_name) as target:
        upstream = GrpcUpstream("policy", target, policy_pb2_grpc.PolicyServiceStub)
        first = asyncio.ensure_future(upstream.call("PlanPage", plan_request, 10))
        await asyncio.to_thread(started.wait, 5)
        await refused(upstream, plan_request, grpc.StatusCode.RESOURCE_EXHAUSTED)
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 2)
        go_on.set()
        assert (await first).policy_version == "slow-1"
        await upstream.close()
    executor.close()


async def test_a_shadow_plans_what_another_version_serves(cascade_outcome, plan_request):
    """It plans the same page with the same draw, and says what it would have done otherwise."""
    models, version = cascade_outcome.artifact.path.parent, cascade_outcome.artifact.version
    plan_request.policy_version = "uniform-0"
    planned = shadow.PAGES.labels(version, "planned")
    before = planned._value.get()
    async with running(models_path=models, shadow_version=version) as upstream:
        answered = await upstream.call("PlanPage", plan_request, 5)
        assert answered.policy_version == "uniform-0"
        async with asyncio.timeout(10):
            while planned._value.get() == before:
                await asyncio.sleep(0.01)


async def test_a_shadow_that_is_not_published_is_refused_at_start(tmp_path):
    with pytest.raises(ConfigurationError, match=r"SHADOW_VERSION.*slateq-nowhere"):
        async with running(models_path=tmp_path, shadow_version="slateq-nowhere"):
            pass


async def test_a_shadow_that_fails_harms_no_answer(plan_request):
    def broken(facts):
        raise RuntimeError("a bad shadow")

    follower = shadow.Shadow(Policy("broken", broken))
    exploration = Exploration(Mode.GREEDY, 0.0, 1.0)
    follower.follow(plan_request, policy_pb2.PlanPageResponse(), exploration)
    failed = shadow.PAGES.labels("broken", "failed")
    async with asyncio.timeout(10):
        while not failed._value.get():
            await asyncio.sleep(0.01)
    follower.close()
