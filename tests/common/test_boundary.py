"""Does every error leave a service as the status code that its caller can act on?"""

from __future__ import annotations

import json

import grpc
import pytest

from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from services.common import boundary, callers, errors, log
from services.common.boundary import Boundary
from services.common.callers import Caller, Callers, Role
from services.common.client import InProcessAbort, InProcessContext, InProcessUpstream
from services.common.testing import serve

FULL_NAME = "planogram.policy.v1.PolicyService"
ADD = policy_pb2_grpc.add_PolicyServiceServicer_to_server
ROLES = {"GetPolicy": Role.PUBLIC, "PlanPage": Role.ADMIN}


KNOWN = Callers(
    {
        callers.digest("shop"): Caller("shop", Role.PUBLIC),
        callers.digest("root"): Caller("root", Role.ADMIN),
    }
)


async def call(target, method="GetPolicy", **options):
    request = policy_pb2.GetPolicyRequest() if method == "GetPolicy" else policy_pb2.PlanPageRequest()
    async with grpc.aio.insecure_channel(target) as channel:
        return await getattr(policy_pb2_grpc.PolicyServiceStub(channel), method)(request, **options)


async def failure(target, **options):
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await call(target, **options)
    return caught.value


@pytest.mark.parametrize(
    ("error", "code"),
    [
        (errors.InvalidRequest("slot_count", 10_000, "1 to 40"), grpc.StatusCode.INVALID_ARGUMENT),
        (errors.NotFound("no such version"), grpc.StatusCode.NOT_FOUND),
        (errors.NotReady("loading"), grpc.StatusCode.UNAVAILABLE),
        (errors.Overloaded("queue is full"), grpc.StatusCode.RESOURCE_EXHAUSTED),
        (errors.Incompatible("fingerprints differ"), grpc.StatusCode.FAILED_PRECONDITION),
        (errors.DeadlineTooShort("3 ms"), grpc.StatusCode.DEADLINE_EXCEEDED),
    ],
)
async def test_service_errors_become_their_codes(echo, error, code):
    def fail(context):
        raise error

    echo.behaviour = fail
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        seen = await failure(target)
    assert seen.code() is code
    assert seen.details() == str(error)


@pytest.mark.parametrize("letter", ["x", "\U0001f600", "\0"])
async def test_what_is_too_long_to_be_told_is_cut_and_keeps_its_code(echo, letter):
    def fail(context):
        raise errors.NotFound(f"no version {100_000 * letter}")

    echo.behaviour = fail
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        seen = await failure(target)
    assert seen.code() is grpc.StatusCode.NOT_FOUND
    assert seen.details().startswith("no version ")
    assert seen.details().endswith("... (100011 characters)")


async def test_every_service_error_has_a_code():
    assert set(boundary.CODES) == set(errors.ServiceError.__subclasses__())


async def test_an_unexpected_error_tells_the_request_id_and_nothing_of_ours(echo):
    def fail(context):
        raise ValueError("secret detail")

    echo.behaviour = fail
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        seen = await failure(target, metadata=(("x-request-id", "req-7"),))
    assert seen.code() is grpc.StatusCode.INTERNAL
    assert seen.details() == "internal error; request id req-7"


async def test_an_abort_inside_a_handler_keeps_its_code(echo):
    echo.behaviour = lambda context: context.abort(grpc.StatusCode.OUT_OF_RANGE, "too far")
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        seen = await failure(target)
    assert (seen.code(), seen.details()) == (grpc.StatusCode.OUT_OF_RANGE, "too far")


async def test_the_callers_request_id_is_kept_and_a_missing_one_is_made(echo):
    seen = []
    echo.behaviour = lambda context: seen.append(boundary.request_id())
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        await call(target, metadata=(("x-request-id", "abc"),))
        await call(target)
    assert seen[0] == "abc"
    assert len(seen[1]) == 32


async def test_a_request_id_beyond_its_limit_is_refused(echo):
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        seen = await failure(target, metadata=(("x-request-id", "x" * 129),))
    assert seen.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "x-request-id" in seen.details()
    assert "128" in seen.details()


@pytest.mark.parametrize("given", ["zo\u00e9", "a\tb", "a\0", b"abc"])
async def test_a_request_id_that_grpc_cannot_hand_on_is_refused(echo, given):
    context = InProcessContext({"x-request-id": given}, 5)
    with pytest.raises(InProcessAbort) as refused:
        await Boundary("policy").invoke("GetPolicy", echo.GetPolicy, policy_pb2.GetPolicyRequest(), context)
    assert refused.value.code is grpc.StatusCode.INVALID_ARGUMENT
    assert refused.value.details.endswith("want 1 to 128 printable characters of ASCII")


async def test_roles_decide_who_may_call_what(echo):
    def bearer(token):
        return (("authorization", f"Bearer {token}"),)

    async with serve(echo, ADD, FULL_NAME, ROLES, KNOWN) as target:
        await call(target, metadata=bearer("shop"))
        await call(target, method="PlanPage", metadata=bearer("root"))
        assert (await failure(target)).code() is grpc.StatusCode.UNAUTHENTICATED
        assert (await failure(target, metadata=bearer("who"))).code() is grpc.StatusCode.UNAUTHENTICATED
        denied = await failure(target, method="PlanPage", metadata=bearer("shop"))
    assert denied.code() is grpc.StatusCode.PERMISSION_DENIED
    assert denied.details() == "role admin is needed; shop is public"


async def test_every_call_leaves_one_log_line_with_what_its_handler_added(echo, capsys):
    log.configure("info", "json")
    echo.behaviour = lambda context: log.annotate(model_version="dqn-7")
    async with serve(echo, ADD, FULL_NAME, ROLES) as target:
        await call(target, metadata=(("x-request-id", "req-9"),))
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    (line,) = [line for line in lines if line["event"] == "rpc"]
    assert line["method"] == "GetPolicy"
    assert line["code"] == "OK"
    assert line["request_id"] == "req-9"
    assert line["model_version"] == "dqn-7"
    assert line["duration_ms"] >= 0


@pytest.mark.parametrize("method", ["GetPolicy", "PlanPage"])
async def test_bytes_that_are_no_message_are_the_callers_mistake(echo, method, capfd):
    log.configure("info", "json")
    async with serve(echo, ADD, FULL_NAME, ROLES) as target, grpc.aio.insecure_channel(target) as channel:
        send = channel.unary_unary(f"/{FULL_NAME}/{method}")  # no serializers: bytes as they are
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await send(b"\xff\xff garbage")
        await send(b"")
    assert caught.value.code() is grpc.StatusCode.INVALID_ARGUMENT
    assert "the message cannot be read" in caught.value.details()
    written = capfd.readouterr().err
    assert "Traceback" not in written and "DecodeError" not in written
    lines = [json.loads(line) for line in written.splitlines() if line.startswith("{")]
    codes = [(line["method"], line["code"]) for line in lines if line["event"] == "rpc"]
    assert codes == [(method, "INVALID_ARGUMENT"), (method, "OK")]


async def test_unreadable_bytes_of_a_stranger_are_not_looked_at(echo):
    async with serve(echo, ADD, FULL_NAME, ROLES, KNOWN) as target:
        async with grpc.aio.insecure_channel(target) as channel:
            with pytest.raises(grpc.aio.AioRpcError) as caught:
                await channel.unary_unary(f"/{FULL_NAME}/GetPolicy")(b"\xff")
    assert caught.value.code() is grpc.StatusCode.UNAUTHENTICATED


async def test_a_call_within_a_call_leaves_caller_request_id_and_annotations_alone(capsys):
    log.configure("info", "json")
    outer = Boundary("layout", {"Outer": Role.PUBLIC}, KNOWN)
    inner = Boundary("policy", {"Inner": Role.PUBLIC}, KNOWN)
    seen = []

    def metadata(token, request_id):
        return InProcessContext({"authorization": f"Bearer {token}", "x-request-id": request_id}, 1.0)

    async def answer_inner(request, context):
        log.annotate(policy="dqn-7")
        seen.append((boundary.caller().name, boundary.request_id()))

    async def refuse(request, context):
        raise errors.NotReady("loading")

    async def answer_outer(request, context):
        # In the same task, as asyncio.wait_for awaits from Python 3.12 on.
        await inner.invoke("Inner", answer_inner, None, metadata("root", "in"))
        with pytest.raises(InProcessAbort):
            await inner.invoke("Inner", refuse, None, metadata("root", "in"))
        log.annotate(page_id="p1")
        seen.append((boundary.caller().name, boundary.request_id()))

    await outer.invoke("Outer", answer_outer, None, metadata("shop", "out"))
    assert seen == [("root", "in"), ("shop", "out")]
    lines = [json.loads(line) for line in capsys.readouterr().err.splitlines()]
    first, _, last = [line for line in lines if line["event"] == "rpc"]
    assert (first["policy"], first["request_id"]) == ("dqn-7", "in")
    assert (last["page_id"], last["request_id"]) == ("p1", "out")
    assert "policy" not in last


async def test_a_call_through_the_process_leaves_them_alone_too(echo):
    upstream = InProcessUpstream("policy", echo, Boundary("policy", ROLES))
    outer = Boundary("layout", {"Outer": Role.PUBLIC}, KNOWN)

    async def answer(request, context):
        await upstream.call("GetPolicy", policy_pb2.GetPolicyRequest(), 1.0)
        return boundary.caller().name, boundary.request_id()

    context = InProcessContext({"authorization": "Bearer shop", "x-request-id": "out"}, 1.0)
    assert await outer.invoke("Outer", answer, None, context) == ("shop", "out")
