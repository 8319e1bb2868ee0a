"""What does the system know of a shopper, in words, and which shoppers are worth playing?"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass

import grpc

from planogram.feature.v1 import feature_pb2, feature_pb2_grpc

PERSONA_COUNT = 6
CANDIDATES = 400
CLEAR_SHARE = 0.4
"""Share of the interest that one category must have for a persona to be about it."""
_TIMEOUT_S = 1.0
_AT_ONCE = 16


@dataclass(frozen=True, slots=True)
class Persona:
    """A shopper with a past."""

    user_id: str
    about: str


class Portraits:
    """Reads portraits from the feature service; without it there are none, and pages go on."""

    def __init__(self, target: str, token: str) -> None:
        self._channel = grpc.aio.insecure_channel(target)
        self._stub = feature_pb2_grpc.FeatureServiceStub(self._channel)
        self._metadata = (("authorization", f"Bearer {token}"),) if token else ()

    async def of(self, user_id: str) -> feature_pb2.GetProfileResponse | None:
        """The portrait of a shopper; None where there is none, or nobody to ask."""
        request = feature_pb2.GetProfileRequest(user_id=user_id)
        try:
            return await self._stub.GetProfile(request, timeout=_TIMEOUT_S, metadata=self._metadata)
        except grpc.aio.AioRpcError:
            return None

    async def personas(self) -> list[Persona]:
        """The shoppers with the most to tell, one for each thing they like best."""
        gate = asyncio.Semaphore(_AT_ONCE)

        async def ask(user_id: str) -> tuple[str, feature_pb2.GetProfileResponse | None]:
            async with gate:
                return user_id, await self.of(user_id)

        found = await asyncio.gather(*(ask(f"shopper-{number:05d}") for number in range(CANDIDATES)))
        told: dict[str, tuple[int, Persona]] = {}
        for user_id, portrait in found:
            line = (
                next((line for line in portrait.lines if line.subject == "category"), None)
                if portrait
                else None
            )
            if line is None or line.value < CLEAR_SHARE:
                continue
            about = line.text.partition(":")[0]
            if about not in told or line.evidence_count > told[about][0]:
                told[about] = (line.evidence_count, Persona(user_id, about))
        richest = sorted(told.values(), key=lambda entry: -entry[0])[:PERSONA_COUNT]
        return [persona for _, persona in richest]

    async def close(self) -> None:
        await self._channel.close()
