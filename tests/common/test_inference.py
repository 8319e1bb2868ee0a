from __future__ import annotations

import importlib.metadata
from pathlib import Path

import onnx
import pytest

from services.common import inference
from services.common.errors import ConfigurationError


def test_the_probe_is_the_smallest_graph():
    model = onnx.load_from_string(inference._PROBE)
    onnx.checker.check_model(model)
    assert [node.op_type for node in model.graph.node] == ["Identity"]


def test_the_device_is_what_a_session_really_uses(tmp_path):
    path = tmp_path / "probe.onnx"
    path.write_bytes(inference._PROBE)
    assert inference.device_of(inference.open_session(path, "cpu")) == "cpu"
    if not inference.is_cuda_working():
        with pytest.raises(RuntimeError, match="runs on cpu, not on cuda"):
            inference.open_session(path, "cuda")


def test_a_file_that_is_no_graph_is_named(tmp_path):
    path = tmp_path / "bad.onnx"
    path.write_bytes(b"bad")
    with pytest.raises(RuntimeError, match=r"bad\.onnx"):
        inference.open_session(path, "cpu")


def test_cuda_where_it_does_not_work_is_refused_with_what_to_change(monkeypatch):
    monkeypatch.setattr(inference, "is_cuda_working", lambda: False)
    assert inference.choose_device("auto", "SETTING") == "cpu"
    assert inference.choose_device("cpu", "SETTING") == "cpu"
    with pytest.raises(ConfigurationError, match="SETTING=auto or cpu"):
        inference.choose_device("cuda", "SETTING")


def test_cuda_is_taken_where_it_works(monkeypatch):
    monkeypatch.setattr(inference, "is_cuda_working", lambda: True)
    assert [inference.choose_device(wanted, "S") for wanted in ("auto", "cuda", "cpu")] == [
        "cuda",
        "cuda",
        "cpu",
    ]


def test_two_runtimes_in_one_environment_are_refused(monkeypatch):
    monkeypatch.setattr(importlib.metadata, "distribution", lambda name: name)
    with pytest.raises(ConfigurationError, match="onnxruntime and onnxruntime-gpu are both installed"):
        inference.choose_device("cpu", "S")


def test_tensorrt_is_asked_for_the_shapes_that_will_come():
    wanted = inference.TensorRt(Path("cache"), is_half=True)
    ranges = {"a": ((1, 4), (200, 4), (2000, 4)), "b": ((8,), (8,), (8,))}
    (name, options), *others = inference.providers("cuda", wanted, ranges)
    assert name == "TensorrtExecutionProvider"
    assert options["trt_fp16_enable"] is True
    assert options["trt_engine_cache_path"] == "cache"
    assert options["trt_profile_min_shapes"] == "a:1x4,b:8"
    assert options["trt_profile_opt_shapes"] == "a:200x4,b:8"
    assert options["trt_profile_max_shapes"] == "a:2000x4,b:8"
    assert (
        others == ["CUDAExecutionProvider", "CPUExecutionProvider"] == inference.providers("cuda", None, {})
    )


def test_cuda_graphs_are_asked_of_whatever_runs_on_the_gpu():
    (name, options), *_ = inference.providers("cuda", None, {}, is_captured=True)
    assert (name, options) == ("CUDAExecutionProvider", {"enable_cuda_graph": "1"})
    (name, options), *_ = inference.providers("cuda", inference.TensorRt(Path("c")), {}, is_captured=True)
    assert name == "TensorrtExecutionProvider" and options["trt_cuda_graph_enable"] is True
    assert not any("shapes" in option for option in options)  # lengths that are fixed need no ranges
    _, cuda, cpu = inference.providers("cuda", inference.TensorRt(Path("c")), {})
    assert (cuda, cpu) == ("CUDAExecutionProvider", "CPUExecutionProvider")
    assert inference.providers("cpu", None, {}, is_captured=True) == ["CPUExecutionProvider"]


def test_named_axes_are_held_at_lengths(tmp_path):
    value = [
        onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, ["N", 2]) for name in ("x", "y")
    ]
    graph = onnx.helper.make_graph(
        [onnx.helper.make_node("Identity", ["x"], ["y"])], "g", value[:1], value[1:]
    )
    model = onnx.helper.make_model(graph, opset_imports=[onnx.helper.make_opsetid("", 13)], ir_version=8)
    onnx.save(model, tmp_path / "free.onnx")
    free, held = (
        inference.open_session(tmp_path / "free.onnx", "cpu", lengths=lengths) for lengths in ({}, {"N": 5})
    )
    assert (free.get_inputs()[0].shape, held.get_inputs()[0].shape) == (["N", 2], [5, 2])
