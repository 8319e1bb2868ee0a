"""Are the graph for one shopper and the graph for several the same network?"""

from __future__ import annotations

import numpy as np
import onnx

from services.common import inference
from services.scoring.registry import BATCHED_FILE, MODEL_FILE
from services.scoring.scorer import GraphRunner, PaddedRunner
from services.scoring.signature import CURRENT
from services.scoring.training import export


def test_both_graphs_answer_the_same_on_a_thousand_items(make, outcome):
    alone = GraphRunner(inference.open_session(outcome.artifact.file(MODEL_FILE), "cpu"))
    together = PaddedRunner(inference.open_session(outcome.artifact.file(BATCHED_FILE), "cpu"), CURRENT)
    generator = np.random.default_rng(0)
    requests = [make.inputs(count, generator) for count in (1, 200, 350, 449, 3)]
    for arrays, found in zip(requests, together(requests), strict=True):
        for one, other in zip(alone(arrays), found, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=1e-6)


def test_a_graph_loses_its_first_axis_and_nothing_else():
    tensor = onnx.helper.make_tensor_value_info
    pages = onnx.helper.make_model(
        onnx.helper.make_graph(
            [
                onnx.helper.make_node("Add", ["first", "second"], ["sum"]),
                onnx.helper.make_node("Relu", ["sum"], ["positive"]),
            ],
            "g",
            [tensor(name, onnx.TensorProto.FLOAT, ["S", "N"]) for name in ("first", "second")],
            [tensor(name, onnx.TensorProto.FLOAT, ["S", "N"]) for name in ("sum", "positive")],
        ),
        opset_imports=[onnx.helper.make_opsetid("", 20)],
        ir_version=10,
    )
    import onnxruntime

    graph = export.one_shopper(pages).SerializeToString()
    session = onnxruntime.InferenceSession(graph, providers=["CPUExecutionProvider"])
    first, second = np.array([1, -2], np.float32), np.array([0.5, 0.5], np.float32)
    total, positive = session.run(["sum", "positive"], {"first": first, "second": second})
    np.testing.assert_array_equal(total, [1.5, -1.5])
    np.testing.assert_array_equal(positive, [1.5, 0])
