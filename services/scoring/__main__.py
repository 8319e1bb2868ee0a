"""Wires the scoring service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from planogram.scoring.v1 import scoring_pb2_grpc
from services.common import inference, log
from services.common.callers import Role
from services.common.executor import BoundedExecutor
from services.common.server import Service, main
from services.scoring.registry import open_registry
from services.scoring.servicer import ScoringServicer
from services.scoring.settings import ScoringSettings

DEVICE_CHOSEN = "device_chosen"


@contextlib.asynccontextmanager
async def open_servicer(settings: ScoringSettings) -> AsyncIterator[ScoringServicer]:
    """A servicer with its models loaded and warm, which follows the store."""
    device = await asyncio.to_thread(inference.choose_device, settings.device, "PLANOGRAM_SCORING_DEVICE")
    log.logger("scoring").info(DEVICE_CHOSEN, device=device, wanted=settings.device)
    models = await asyncio.to_thread(open_registry, settings.models_path, device)
    executor = BoundedExecutor("scoring", settings.worker_count, settings.queue_limit)
    try:
        async with models.watched(settings.watch_period_s):
            yield ScoringServicer(models, executor, settings.explain_permutation_count, device)
    finally:
        executor.close()


SERVICE = Service(
    name="scoring",
    full_name="planogram.scoring.v1.ScoringService",
    add_to_server=scoring_pb2_grpc.add_ScoringServiceServicer_to_server,
    methods=("ScoreItems", "ExplainScores", "GetModel"),
    open=open_servicer,
    roles={"ExplainScores": Role.ADMIN},
    settings=ScoringSettings,
)

if __name__ == "__main__":
    main(SERVICE)
