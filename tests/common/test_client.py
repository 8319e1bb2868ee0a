"""Do both transports behave alike, whatever becomes of the call?"""

from __future__ import annotations

import asyncio
import contextlib
import time

import grpc
import pytest

from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from services.common import boundary, client
from services.common.boundary import Boundary
from services.common.callers import Role
from services.common.client import GrpcUpstream, InProcessUpstream, UpstreamError
from services.common.errors import ConfigurationError, NotFound
from services.common.server import serving
from services.common.testing import serve
from services.common.written import Written

FULL_NAME = "planogram.policy.v1.PolicyService"
ROLES = {"GetPolicy": Role.PUBLIC}


@pytest.fixture(params=["grpc", "in-process"])
async def upstream(request, echo):
    async with contextlib.AsyncExitStack() as stack:
        if request.param == "grpc":
            add = policy_pb2_grpc.add_PolicyServiceServicer_to_server
            target = await stack.enter_async_context(serve(echo, add, FULL_NAME, ROLES))
            made = GrpcUpstream("policy", target, policy_pb2_grpc.PolicyServiceStub)
        else:
            made = InProcessUpstream("policy", echo, Boundary("policy", ROLES))
        yield made
        await made.close()


async def test_an_answer_comes_back(upstream, echo):
    echo.behaviour = lambda context: policy_pb2.GetPolicyResponse(policies=[policy_pb2.Policy(version="a")])
    answer = await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    assert answer.policies[0].version == "a"


async def test_an_answer_that_is_written_already_comes_back_as_its_message(upstream, echo):
    wire = policy_pb2.GetPolicyResponse(policies=[policy_pb2.Policy(version="a")]).SerializeToString()
    echo.behaviour = lambda context: Written(policy_pb2.GetPolicyResponse.FromString, wire)
    answer = await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    assert answer.policies[0].version == "a"


async def test_a_request_comes_as_bytes_where_a_method_takes_it_so(upstream):
    answer = await upstream.call("PlanPage", policy_pb2.PlanPageRequest(policy_version="a"), 1.0)
    assert answer.policy_version == "a"


async def test_an_error_comes_back_with_code_and_message(upstream, echo):
    def fail(context):
        raise NotFound("no version b")

    echo.behaviour = fail
    with pytest.raises(UpstreamError) as caught:
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    assert caught.value.code is grpc.StatusCode.NOT_FOUND
    assert caught.value.details == "no version b"


async def test_a_deadline_ends_the_call(upstream, echo):
    echo.behaviour = lambda context: asyncio.sleep(5)
    begun = time.monotonic()
    with pytest.raises(UpstreamError) as caught:
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 0.1)
    assert caught.value.code is grpc.StatusCode.DEADLINE_EXCEEDED
    assert time.monotonic() - begun < 2


async def test_the_handler_sees_how_much_time_is_left(upstream, echo):
    seen = []
    echo.behaviour = lambda context: seen.append(context.time_remaining())
    await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    assert 0 < seen[0] <= 1.1  # grpc counts it by a clock that is set now and then


async def test_the_request_id_of_the_call_in_progress_is_passed_on(upstream, echo):
    seen = []
    echo.behaviour = lambda context: seen.append(boundary.request_id())
    inner = Boundary("outer", {"Outer": Role.PUBLIC})

    async def outer(request, context):
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
        return boundary.request_id()

    context = client.InProcessContext({boundary.REQUEST_ID: "req-1"}, 1.0)
    assert await inner.invoke("Outer", outer, None, context) == "req-1"
    assert seen == ["req-1"]


async def test_in_process_messages_are_copies(echo):
    given = policy_pb2.GetPolicyResponse()
    echo.behaviour = lambda context: given
    upstream = InProcessUpstream("policy", echo, Boundary("policy", ROLES))
    answer = await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    answer.policies.add(version="mine")
    assert not given.policies


async def test_an_in_process_target_that_does_not_run_here_is_refused():
    with pytest.raises(ConfigurationError, match=r"services\.local"):
        client.connect("absent", client.IN_PROCESS, policy_pb2_grpc.PolicyServiceStub)


async def test_a_restarted_server_is_noticed_within_a_second(echo_service, echo_settings):
    async with serving(echo_service, echo_settings()) as port:
        upstream = GrpcUpstream("policy", f"127.0.0.1:{port}", policy_pb2_grpc.PolicyServiceStub)
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    with pytest.raises(UpstreamError) as caught:
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    await asyncio.sleep(0.5)
    async with serving(echo_service, echo_settings(listen=f"127.0.0.1:{port}")):
        end_s = time.monotonic() + 3
        while True:
            try:
                await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
                break
            except UpstreamError:
                assert time.monotonic() < end_s
                await asyncio.sleep(0.02)
    await upstream.close()


async def test_a_patient_call_waits_for_a_server_that_is_still_starting(echo_service, echo_settings):
    async with serving(echo_service, echo_settings()) as port:
        pass
    upstream = GrpcUpstream("policy", f"127.0.0.1:{port}", policy_pb2_grpc.PolicyServiceStub)
    with pytest.raises(UpstreamError) as caught:
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 5.0)
    assert caught.value.code is grpc.StatusCode.UNAVAILABLE
    waiting = asyncio.ensure_future(
        upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 5.0, wait_for_ready=True)
    )
    await asyncio.sleep(0.2)
    assert not waiting.done()
    async with serving(echo_service, echo_settings(listen=f"127.0.0.1:{port}")):
        await waiting
        await upstream.close()
