"""What would a page cost if nobody had to think? Four processes with our contracts and empty handlers.

`python -m services.local.bench.null <role> <port> <folder>`: feature, scoring and policy answer a
recorded message; layout calls the three, as the composer does, and answers a recorded page.
"""

from __future__ import annotations

import contextlib
import os
import sys
from collections.abc import AsyncIterator
from dataclasses import replace
from pathlib import Path
from typing import Any

from planogram.feature.v1 import feature_pb2, feature_pb2_grpc
from planogram.layout.v1 import layout_pb2
from planogram.policy.v1 import policy_pb2, policy_pb2_grpc
from planogram.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from services.common import log, server
from services.common.callers import Role
from services.common.client import GrpcUpstream
from services.common.server import Service
from services.local.in_process import SERVICES

CALLS = {
    "feature": ("GatherPage", feature_pb2.GatherPageRequest, feature_pb2.GatherPageResponse),
    "scoring": ("ScoreItems", scoring_pb2.ScoreItemsRequest, scoring_pb2.ScoreItemsResponse),
    "policy": ("PlanPage", policy_pb2.PlanPageRequest, policy_pb2.PlanPageResponse),
}
STUBS = {
    "feature": feature_pb2_grpc.FeatureServiceStub,
    "scoring": scoring_pb2_grpc.ScoringServiceStub,
    "policy": policy_pb2_grpc.PolicyServiceStub,
}


class Recording:
    """The messages of one real page, in a folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def save(self, name: str, message: Any) -> None:
        self._folder.mkdir(parents=True, exist_ok=True)
        (self._folder / f"{name}.binpb").write_bytes(message.SerializeToString())

    def load(self, name: str, kind: Any) -> Any:
        return kind.FromString((self._folder / f"{name}.binpb").read_bytes())


class NullServicer:
    """Answers one recorded message, whatever is asked."""

    def __init__(self, method: str, answer: Any) -> None:
        self._answer = answer
        setattr(self, method, self._respond)

    async def _respond(self, request: Any, context: Any) -> Any:
        return self._answer


class NullLayout:
    """Calls the three services with recorded requests, and answers a recorded page."""

    def __init__(self, recording: Recording, ports: dict[str, int]) -> None:
        self._upstreams = [
            (
                GrpcUpstream(name, f"127.0.0.1:{ports[name]}", STUBS[name]),
                method,
                recording.load(f"{name}-request", request),
            )
            for name, (method, request, _) in CALLS.items()
        ]
        self._page = recording.load("page", layout_pb2.ComposePageResponse)

    async def ComposePage(self, request: Any, context: Any) -> Any:  # noqa: N802 - gRPC's name
        for upstream, method, question in self._upstreams:
            await upstream.call(method, question, 1.0)
        return self._page


def null_service(role: str, folder: Path, ports: dict[str, int]) -> Service:
    """The real service's wiring around a servicer that does nothing."""

    @contextlib.asynccontextmanager
    async def open_null(settings: Any) -> AsyncIterator[Any]:
        recording = Recording(folder)
        if role == "layout":
            yield NullLayout(recording, ports)
        else:
            method, _, response = CALLS[role]
            yield NullServicer(method, recording.load(f"{role}-response", response))

    service = SERVICES[role]
    methods = ("ComposePage",) if role == "layout" else (CALLS[role][0],)
    return replace(
        service, open=open_null, methods=service.methods, roles=dict.fromkeys(methods, Role.PUBLIC)
    )


def main() -> None:
    role, folder = sys.argv[1], Path(sys.argv[2])
    names = ("feature", "scoring", "policy", "layout")
    ports = dict(zip(names, map(int, sys.argv[3:7]), strict=True))
    os.environ[f"PLANOGRAM_{role.upper()}_LISTEN"] = f"127.0.0.1:{ports[role]}"
    os.environ[f"PLANOGRAM_{role.upper()}_LOG_LEVEL"] = "warning"
    log.configure("warning")
    server.main(null_service(role, folder, ports))


if __name__ == "__main__":
    main()
