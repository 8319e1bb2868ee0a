"""Where does an ONNX graph run, and how is a session for it made?"""

from __future__ import annotations

import importlib.metadata
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path
from typing import Any, Literal

import onnxruntime as ort

from services.common.errors import ConfigurationError

Device = Literal["cpu", "cuda"]
Wanted = Literal["auto", "cpu", "cuda"]
Launch = Literal["plain", "bound", "captured"]
"""How a run gets its memory: anew, from buffers that stay in place, or these and a CUDA graph."""

PACKAGES = ("onnxruntime", "onnxruntime-gpu")

_PROVIDERS: dict[Device, tuple[str, ...]] = {
    "cpu": ("CPUExecutionProvider",),
    "cuda": ("CUDAExecutionProvider", "CPUExecutionProvider"),
}

# The smallest graph there is: y = Identity(x), float32 of shape (1), opset 13. Creating a session for
# it is the one way to learn whether a provider works: the list of available providers names CUDA on
# machines without a GPU.
_PROBE = bytes.fromhex(
    "080712003a370a100a017812017922084964656e746974791201675a0f0a0178120a0a08080112040a020801"
    "620f0a0179120a0a08080112040a02080142040a00100d"
)

TENSORRT = "TensorrtExecutionProvider"

Ranges = Mapping[str, tuple[Sequence[int], Sequence[int], Sequence[int]]]
"""By input: the least, the usual and the largest shape."""


@dataclass(frozen=True, slots=True)
class TensorRt:
    """How TensorRT runs graphs, instead of CUDA's own kernels."""

    cache_path: Path
    """Folder of built engines; building one takes minutes."""
    is_half: bool = False
    """Whether it may compute in float16."""


_NO_LENGTHS: Mapping[str, int] = {}
_SILENT = 4
_WARNINGS = 2


def choose_device(wanted: Wanted, setting: str) -> Device:
    """The device that really runs graphs here.

    Args:
        wanted: "auto" takes CUDA where it works and the CPU elsewhere.
        setting: name of the setting behind `wanted`, for the message.

    Raises:
        ConfigurationError: for "cuda" where CUDA does not work, and for an environment with two ONNX
            Runtime packages, of which either may be the one that is imported.
    """
    _refuse_two_packages()
    if wanted == "cpu":
        return "cpu"
    if is_cuda_working():
        return "cuda"
    if wanted == "cuda":
        raise ConfigurationError(
            f"{setting}=cuda, but ONNX Runtime {ort.__version__} cannot run on CUDA here: no GPU, or no "
            f"matching driver, CUDA or cuDNN libraries; set {setting}=auto or cpu to run on the CPU"
        )
    return "cpu"


@lru_cache(maxsize=1)
def is_cuda_working() -> bool:
    """Whether a session that asks for CUDA gets it."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return False
    ort.set_default_logger_severity(_SILENT)  # a missing library is an answer here, no error
    try:
        probe = ort.InferenceSession(_PROBE, _options(1), providers=list(_PROVIDERS["cuda"]))
        return device_of(probe) == "cuda"
    finally:
        ort.set_default_logger_severity(_WARNINGS)


def open_session(
    model: Path,
    device: Device,
    thread_count: int = 1,
    tensorrt: TensorRt | None = None,
    ranges: Ranges | None = None,
    lengths: Mapping[str, int] | None = None,
    is_captured: bool = False,
) -> Any:
    """A session whose graph runs on `device`.

    Args:
        tensorrt: runs it by TensorRT, on CUDA alone.
        ranges: shapes that TensorRT prepares for; it builds anew, for minutes, at others.
        lengths: of named axes, which are free otherwise.
        is_captured: the first run is captured as a CUDA graph, which later ones replay: all lengths are
            fixed, inputs and outputs stay where they are, and runs come one at a time.

    Raises:
        RuntimeError: where it would run elsewhere, or the file is no graph that can run.
    """
    try:
        session = ort.InferenceSession(
            model.read_bytes(),
            _options(thread_count, lengths or {}),
            providers=providers(device, tensorrt, ranges or {}, is_captured),
        )
    except Exception as error:  # ONNX Runtime's own exceptions share no base below Exception
        raise RuntimeError(f"{model}: {error}") from None
    found = device_of(session)
    if found != device:
        raise RuntimeError(f"{model}: runs on {found}, not on {device}")
    if tensorrt is not None and session.get_providers()[0] != TENSORRT:
        raise RuntimeError(f"{model}: runs without TensorRT, whose libraries are not there or do not fit")
    return session


def providers(
    device: Device, tensorrt: TensorRt | None, ranges: Ranges, is_captured: bool = False
) -> list[Any]:
    """What ONNX Runtime is asked to run a graph on, first choice first.

    Source: ONNX Runtime's documentation of the CUDA and TensorRT execution providers, "Configuration
    options".
    """
    plain: list[Any] = list(_PROVIDERS[device])
    if tensorrt is None:
        if is_captured and device == "cuda":
            plain[0] = (plain[0], {"enable_cuda_graph": "1"})
        return plain
    options: dict[str, Any] = {
        "trt_fp16_enable": tensorrt.is_half,
        "trt_engine_cache_enable": True,
        "trt_engine_cache_path": str(tensorrt.cache_path),
        "trt_cuda_graph_enable": is_captured,
    }
    for place, name in enumerate(("min", "opt", "max") if ranges else ()):
        options[f"trt_profile_{name}_shapes"] = ",".join(
            f"{each}:{'x'.join(map(str, shapes[place]))}" for each, shapes in ranges.items()
        )
    return [(TENSORRT, options), *plain]


def device_of(session: Any) -> Device:
    """The device that a session really uses."""
    return "cuda" if session.get_providers()[0] in (TENSORRT, "CUDAExecutionProvider") else "cpu"


def _options(thread_count: int, lengths: Mapping[str, int] = _NO_LENGTHS) -> Any:
    options = ort.SessionOptions()
    options.intra_op_num_threads = thread_count
    options.inter_op_num_threads = 1
    # Threads that spin between calls take the core from the event loop beside them.
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    for name, length in lengths.items():
        options.add_free_dimension_override_by_name(name, length)
    return options


def _refuse_two_packages() -> None:
    found = []
    for package in PACKAGES:
        try:
            importlib.metadata.distribution(package)
        except importlib.metadata.PackageNotFoundError:
            continue
        found.append(package)
    if len(found) > 1:
        raise ConfigurationError(
            f"{' and '.join(found)} are both installed, and they overwrite each other's files: "
            "uninstall both, then install one"
        )
