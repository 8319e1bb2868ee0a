"""Does the recording of a page pass every call on as it came?"""

from __future__ import annotations

from planogram.policy.v1 import policy_pb2
from services.common.boundary import Boundary
from services.common.client import InProcessUpstream
from services.common.testing import Script, ScriptedServicer
from services.local.bench.null import Recording
from services.local.bench.page import _listen


async def test_a_recorded_upstream_takes_all_that_an_upstream_takes(tmp_path):
    answer = policy_pb2.GetPolicyResponse(policies=[policy_pb2.Policy(version="uniform-0")])
    servicer = ScriptedServicer(GetPolicy=Script(answer))
    upstream = InProcessUpstream("policy", servicer, Boundary("policy"))
    recording = Recording(tmp_path)
    _listen(recording, upstream, "policy", "GetPolicy")
    request = policy_pb2.GetPolicyRequest()
    assert await upstream.call("GetPolicy", request, 1.0, wait_for_ready=True) == answer
    assert recording.load("policy-response", policy_pb2.GetPolicyResponse) == answer
