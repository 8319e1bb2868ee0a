"""What can be configured in the scoring service?"""

from __future__ import annotations

from pathlib import Path
from typing import Literal

from pydantic import Field
from pydantic_settings import SettingsConfigDict

from services.common.inference import Launch, Wanted
from services.common.settings import ServiceSettings


class ScoringSettings(ServiceSettings):
    """Settings of the scoring service; each field is `PLANOGRAM_SCORING_<FIELD>`."""

    model_config = SettingsConfigDict(env_prefix="PLANOGRAM_SCORING_")

    listen: str = "127.0.0.1:7072"
    """Address of the gRPC server, host:port; port 0 takes a free one."""
    models_path: Path = Path("var/models/click")
    """Store of click models; while nothing is published there, smoothed popularity answers."""
    device: Wanted = "auto"
    """cpu, cuda, or auto: CUDA where it works. cuda where it does not fails at start."""
    engine: Literal["cuda", "tensorrt"] = "cuda"
    """What runs graphs on a GPU; tensorrt builds each version's engines before it serves, for minutes."""
    is_half_precision: bool = False
    """Lets tensorrt compute in float16."""
    launch: Launch = "plain"
    """bound: inputs and outputs stay in place on the device, for a few sizes. captured: each size is a CUDA
    graph as well, launched at once; needs a GPU."""
    engine_cache_path: Path = Path("var/cache/tensorrt")
    """Folder of the engines that tensorrt built."""
    worker_count: int = Field(2, ge=1, le=64)
    """Threads that run models, each with one thread inside the model; short calls stay on the event loop."""
    queue_limit: int = Field(32, ge=0)
    """Calls that may wait for a worker thread, or for a batch; more are refused with RESOURCE_EXHAUSTED."""
    batch_size: int = Field(0, ge=0, le=256)
    """Most requests that share one run of the graph; 1 runs each alone; 0 is 32 on CUDA and 1 on the CPU,
    where the whole process was not seen to save by them."""
    batch_window_ms: float = Field(0.5, ge=0, le=100)
    """Longest wait for a batch to fill while a worker thread is free."""
    shadow_version: str = ""
    """A published version that scores the same requests after the answer has left, and is compared."""
    watch_period_s: float = Field(2.0, gt=0)
    """Time between looks at the store's pointer."""
    explain_permutation_count: int = Field(16, ge=1, le=1_000)
    """Orders in which ExplainScores adds features; more are slower and less noisy."""
