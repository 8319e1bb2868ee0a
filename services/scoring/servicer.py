"""ScoringService: proto in, proto out."""

from __future__ import annotations

from typing import Any

from planogram.common.v1 import tensor_pb2
from planogram.scoring.v1 import scoring_pb2
from services.common import log
from services.common.errors import Incompatible, InvalidRequest, short
from services.common.executor import BoundedExecutor
from services.common.inference import Device
from services.common.watching import Versions
from services.common.written import Written, takes_written
from services.scoring import explain, signature, wire
from services.scoring.batching import Batcher
from services.scoring.recent import Recent
from services.scoring.scorer import Arrays, ClickModel
from services.scoring.shadow import Shadow

MAX_EXPLAINED_COUNT = 20

_DEVICES = {"cpu": scoring_pb2.DEVICE_CPU, "cuda": scoring_pb2.DEVICE_CUDA}
_DTYPES = {
    "float32": tensor_pb2.DATA_TYPE_FLOAT32,
    "int64": tensor_pb2.DATA_TYPE_INT64,
    "int32": tensor_pb2.DATA_TYPE_INT32,
    "bool": tensor_pb2.DATA_TYPE_BOOL,
}


class ScoringServicer:
    """Answers for the loaded models; the work runs in worker threads."""

    def __init__(
        self,
        models: Versions[ClickModel],
        executor: BoundedExecutor,
        permutation_count: int,
        device: Device = "cpu",
        batcher: Batcher | None = None,
        shadow: Shadow | None = None,
        recent: Recent | None = None,
    ) -> None:
        """
        Args:
            permutation_count: orders in which ExplainScores adds features.
            device: where graphs run in this process; health is SERVING under the name "device/" + it.
            batcher: scores in batches; without it every request is a job of the executor.
            shadow: is shown what was answered.
            recent: keeps a sample of what was asked.
        """
        self.health_names = (f"device/{device}",)
        self._models = models
        self._executor = executor
        self._permutation_count = permutation_count
        self._batcher = batcher
        self._shadow = shadow
        self._recent = recent
        wire.warm_up()

    @takes_written
    async def ScoreItems(
        self, request: Written[scoring_pb2.ScoreItemsRequest], context: Any
    ) -> Written[scoring_pb2.ScoreItemsResponse]:
        model, arrays = self._read(request)
        log.annotate(model_version=model.version, device=model.device)
        if self._batcher is not None and model.batch_runner is not None:
            predictions = await self._batcher.predict(model, arrays)
        else:
            is_short = model.item_count(arrays) <= model.short_item_count
            run = self._executor.run_short if is_short else self._executor.run
            predictions = await run(model.predict, arrays)
        log.annotate(item_count=len(predictions.click_probability))
        if self._recent is not None:
            self._recent.offer(model.signature.fingerprint, arrays)
        if self._shadow is not None:
            self._shadow.follow(model, arrays, predictions)
        return Written(
            scoring_pb2.ScoreItemsResponse.FromString,
            wire.answer(
                predictions.click_probability,
                predictions.purchase_probability,
                model.version,
                _DEVICES[model.device],
            ),
        )

    async def ExplainScores(
        self, request: scoring_pb2.ExplainScoresRequest, context: Any
    ) -> scoring_pb2.ExplainScoresResponse:
        model = self._choose(request.inputs)
        inputs = request.inputs
        arrays = signature.decode(model.signature, inputs.shopper_tensors, inputs.item_tensors)
        count = len(arrays[model.signature.item_specs[0].name])
        if not 1 <= len(request.rows) <= MAX_EXPLAINED_COUNT:
            raise InvalidRequest("rows", f"{len(request.rows)} rows", f"1 to {MAX_EXPLAINED_COUNT}")
        for index, row in enumerate(request.rows):
            if not 0 <= row < count:
                raise InvalidRequest(f"rows[{index}]", row, f"0 to below {count}")
        log.annotate(model_version=model.version, device=model.device)
        explanations = await self._executor.run(
            explain.explain, model, arrays, tuple(request.rows), self._permutation_count
        )
        return scoring_pb2.ExplainScoresResponse(
            items=[_explanation_message(explanation) for explanation in explanations],
            model_version=model.version,
        )

    async def GetModel(
        self, request: scoring_pb2.GetModelRequest, context: Any
    ) -> scoring_pb2.GetModelResponse:
        current = self._models.current
        log.annotate(model_version=current.version, device=current.device)
        return scoring_pb2.GetModelResponse(
            models=[_model_message(model, model is current) for model in self._models.loaded]
        )

    def _read(self, request: Written[scoring_pb2.ScoreItemsRequest]) -> tuple[ClickModel, Arrays]:
        """The model that a request asks for, and what it reads.

        Raises:
            InvalidRequest, Incompatible, NotFound: say what is wrong with the request.
        """
        current = self._models.current
        found = current.signature.reader.read(request.wire)
        if found is not None:
            model = current if found.model_version is None else self._models.get(found.model_version)
            if model.signature.fingerprint == current.signature.fingerprint:
                return model, found.arrays
        message = request.message()
        model = self._choose(message)
        return model, signature.decode(model.signature, message.shopper_tensors, message.item_tensors)

    def _choose(self, request: scoring_pb2.ScoreItemsRequest) -> ClickModel:
        version = request.model_version if request.HasField("model_version") else None
        model = self._models.get(version)
        if request.schema_fingerprint != model.signature.fingerprint:
            raise Incompatible(
                f"schema_fingerprint is {short(request.schema_fingerprint, 66)}, "
                f"{model.version} wants {model.signature.fingerprint}"
            )
        return model


def _model_message(model: ClickModel, is_current: bool) -> scoring_pb2.Model:
    message = scoring_pb2.Model(
        version=model.version,
        schema_fingerprint=model.signature.fingerprint,
        device=_DEVICES[model.device],
        is_current=is_current,
        metrics=model.metrics,
        inputs=[
            scoring_pb2.TensorSpec(name=spec.name, dtype=_DTYPES[spec.dtype], shape=spec.shape)
            for spec in model.signature.specs
        ],
    )
    if model.trained is not None:
        message.trained.FromDatetime(model.trained)
    return message


def _explanation_message(explanation: explain.Explanation) -> scoring_pb2.ScoreExplanation:
    return scoring_pb2.ScoreExplanation(
        row=explanation.row,
        click_probability=explanation.click_probability,
        baseline=explanation.baseline,
        attributions=[
            scoring_pb2.Attribution(feature=feature, value=value)
            for feature, value in explanation.attributions
        ],
    )
