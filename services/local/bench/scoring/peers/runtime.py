"""How does MLServer run our graph? Imported by MLServer, in its own environment.

Arranged as the scoring service is: sessions with one thread each, run by as many worker threads.
"""

from __future__ import annotations

import asyncio
import os
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import onnxruntime
from mlserver import MLModel
from mlserver.codecs import NumpyCodec
from mlserver.types import InferenceRequest, InferenceResponse


class ClickGraph(MLModel):
    """An ONNX graph whose inputs are the request's, by name."""

    async def load(self) -> bool:
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        options.add_session_config_entry("session.intra_op.allow_spinning", "0")
        path = self.settings.parameters.uri
        self._session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
        self._pool = ThreadPoolExecutor(int(os.environ["CLICK_GRAPH_THREADS"]))
        return True

    async def predict(self, payload: InferenceRequest) -> InferenceResponse:
        arrays = {each.name: NumpyCodec.decode_input(each) for each in payload.inputs}
        found = await asyncio.get_running_loop().run_in_executor(self._pool, self._run, arrays)
        names = ("click_probability", "purchase_probability")
        outputs = [NumpyCodec.encode_output(name, array) for name, array in zip(names, found, strict=True)]
        return InferenceResponse(model_name=self.name, outputs=outputs)

    def _run(self, arrays: dict[str, Any]) -> Any:
        return self._session.run(("click_probability", "purchase_probability"), arrays)
