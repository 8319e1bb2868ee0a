"""Wires the scoring service."""

from __future__ import annotations

import asyncio
import contextlib
from collections.abc import AsyncIterator

from planogram.scoring.v1 import scoring_pb2_grpc
from services.common import artifacts, inference, log
from services.common.callers import Role
from services.common.errors import ConfigurationError, Incompatible, NotFound
from services.common.executor import BoundedExecutor
from services.common.inference import Device, TensorRt
from services.common.server import Service, main
from services.scoring.batching import Batcher
from services.scoring.recent import Recent
from services.scoring.registry import open_model, open_registry
from services.scoring.servicer import ScoringServicer
from services.scoring.settings import ScoringSettings
from services.scoring.shadow import Shadow

DEVICE_CHOSEN = "device_chosen"

_BATCH_SIZES: dict[Device, int] = {"cpu": 1, "cuda": 32}


@contextlib.asynccontextmanager
async def open_servicer(settings: ScoringSettings) -> AsyncIterator[ScoringServicer]:
    """A servicer with its models loaded and warm, which follows the store."""
    device = await asyncio.to_thread(inference.choose_device, settings.device, "PLANOGRAM_SCORING_DEVICE")
    log.logger("scoring").info(DEVICE_CHOSEN, device=device, wanted=settings.device)
    tensorrt = _tensorrt(settings, device)
    if settings.launch == "captured" and device != "cuda":
        raise ConfigurationError(
            f"PLANOGRAM_SCORING_LAUNCH=captured needs a GPU that works, and graphs run on {device} here"
        )
    batch_size = settings.batch_size or _BATCH_SIZES[device]
    recent = Recent()
    models = await asyncio.to_thread(
        open_registry, settings.models_path, device, batch_size, recent, tensorrt, settings.launch
    )
    with contextlib.ExitStack() as closing:
        executor = BoundedExecutor("scoring", settings.worker_count, settings.queue_limit)
        closing.callback(executor.close)
        batcher = shadow = None
        if batch_size > 1:
            window_s = settings.batch_window_ms / 1e3
            batcher = Batcher(settings.worker_count, batch_size, window_s, settings.queue_limit)
            closing.callback(batcher.close)
        if settings.shadow_version:
            shadow = await asyncio.to_thread(_shadow, settings, device)
            closing.callback(shadow.close)
        async with models.watched(settings.watch_period_s):
            yield ScoringServicer(
                models, executor, settings.explain_permutation_count, device, batcher, shadow, recent
            )


def _tensorrt(settings: ScoringSettings, device: Device) -> TensorRt | None:
    if settings.engine == "cuda":
        if settings.is_half_precision:
            raise ConfigurationError(
                "PLANOGRAM_SCORING_IS_HALF_PRECISION=true needs PLANOGRAM_SCORING_ENGINE=tensorrt"
            )
        return None
    if device != "cuda":
        raise ConfigurationError(
            f"PLANOGRAM_SCORING_ENGINE=tensorrt needs a GPU that works, and graphs run on {device} here"
        )
    return TensorRt(settings.engine_cache_path, settings.is_half_precision)


def _shadow(settings: ScoringSettings, device: Device) -> Shadow:
    try:
        return Shadow(open_model(artifacts.load(settings.models_path, settings.shadow_version), device))
    except (NotFound, Incompatible) as error:
        raise ConfigurationError(f"PLANOGRAM_SCORING_SHADOW_VERSION: {error}") from None


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
