from __future__ import annotations

import asyncio
import contextlib
import threading

import grpc
import numpy as np
import pytest
from grpc_health.v1 import health_pb2, health_pb2_grpc

from planogram.common.v1 import tensor_pb2
from planogram.scoring.v1 import scoring_pb2, scoring_pb2_grpc
from services.common import artifacts, inference
from services.common.callers import Caller, Callers, Role, digest
from services.common.client import GrpcUpstream, UpstreamError
from services.common.errors import ConfigurationError, Incompatible
from services.common.executor import BoundedExecutor
from services.common.server import serving
from services.common.tensors import to_tensor
from services.common.testing import serve
from services.common.watching import Versions
from services.scoring.__main__ import SERVICE
from services.scoring.registry import open_model
from services.scoring.scorer import POPULARITY, ClickModel
from services.scoring.servicer import ScoringServicer
from services.scoring.settings import ScoringSettings
from services.scoring.signature import CURRENT

OUTER = "planogram.scoring.v1.ScoringService"


@pytest.fixture
async def scoring(outcome):
    """The whole service, with a trained model."""
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=outcome.artifact.path.parent)
    async with serving(SERVICE, settings) as port:
        upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)
        yield upstream
        await upstream.close()


@pytest.fixture
def arrays(make):
    return make.inputs(9, np.random.default_rng(3))


async def refused(upstream, method, request, code):
    with pytest.raises(UpstreamError) as caught:
        await upstream.call(method, request, 5)
    assert caught.value.code is code, caught.value
    return caught.value.details


async def test_health_names_the_device(outcome):
    device = inference.choose_device("auto", "device")
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=outcome.artifact.path.parent)
    async with serving(SERVICE, settings) as port, grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        health = health_pb2_grpc.HealthStub(channel)
        for name in ("", OUTER, f"device/{device}"):
            answer = await health.Check(health_pb2.HealthCheckRequest(service=name))
            assert answer.status == health_pb2.HealthCheckResponse.SERVING, name
        other = "cpu" if device == "cuda" else "cuda"
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await health.Check(health_pb2.HealthCheckRequest(service=f"device/{other}"))
        assert caught.value.code() is grpc.StatusCode.NOT_FOUND


async def test_items_are_scored_by_the_current_model(scoring, make, arrays, outcome):
    answer = await scoring.call("ScoreItems", make.request(arrays), 5)
    assert answer.model_version == outcome.artifact.version
    assert answer.device == scoring_pb2.DEVICE_CPU or inference.is_cuda_working()
    click = np.frombuffer(answer.click_probability.data, "<f4")
    purchase = np.frombuffer(answer.purchase_probability.data, "<f4")
    assert click.shape == (9,) and (purchase <= click).all() and len(set(click.tolist())) > 1


async def test_a_request_may_name_a_loaded_version(scoring, make, arrays):
    answer = await scoring.call("ScoreItems", make.request(arrays, model_version="popularity-0"), 5)
    assert answer.model_version == "popularity-0"
    np.testing.assert_allclose(
        np.frombuffer(answer.click_probability.data, "<f4"), arrays["item_numbers"][:, 6], rtol=1e-6
    )
    details = await refused(
        scoring, "ScoreItems", make.request(arrays, model_version="x"), grpc.StatusCode.NOT_FOUND
    )
    assert "popularity-0" in details


async def test_no_item_is_no_error(scoring, make):
    answer = await scoring.call("ScoreItems", make.request(make.inputs(0, np.random.default_rng(0))), 5)
    assert list(answer.click_probability.shape) == [0]


async def test_another_schema_is_refused_by_its_fingerprint(scoring, make, arrays):
    request = make.request(arrays)
    for request.schema_fingerprint in ("", "0" * 64):
        details = await refused(scoring, "ScoreItems", request, grpc.StatusCode.FAILED_PRECONDITION)
        assert CURRENT.fingerprint in details


@pytest.mark.parametrize(
    ("name", "change", "said"),
    [
        ("item_numbers", lambda array: array.astype(np.int64), "item_tensors[item_numbers]"),
        ("item_numbers", lambda array: array[:, :9], "item_tensors[item_numbers]"),
        ("item_vector", lambda array: array[:5], "item_tensors[item_vector]"),
        ("item_ids", lambda array: array + 2**20, "item_tensors[item_ids]"),
        ("item_ids", lambda array: np.repeat(array, 300, axis=0), "0 to 2000"),
        ("shopper_numbers", lambda array: array * np.nan, "shopper_tensors[shopper_numbers]"),
        ("history_ids", lambda array: -array - 1, "shopper_tensors[history_ids]"),
    ],
)
async def test_a_bad_tensor_is_named(scoring, make, arrays, name, change, said):
    request = make.request(arrays)
    tensors = request.item_tensors if name in request.item_tensors else request.shopper_tensors
    tensors[name].CopyFrom(to_tensor(change(arrays[name])))
    assert said in await refused(scoring, "ScoreItems", request, grpc.StatusCode.INVALID_ARGUMENT)


@pytest.mark.parametrize("size", [1.1e6, 3e38, -3e38])
@pytest.mark.parametrize("name", [spec.name for spec in CURRENT.specs if spec.dtype == "float32"])
async def test_numbers_beyond_what_a_model_can_take_are_named(scoring, make, arrays, name, size):
    request = make.request(arrays)
    tensors = request.item_tensors if name in request.item_tensors else request.shopper_tensors
    tensors[name].CopyFrom(to_tensor(np.full_like(arrays[name], size)))
    explained = scoring_pb2.ExplainScoresRequest(inputs=request, rows=[0])
    for method, asked in (("ScoreItems", request), ("ExplainScores", explained)):
        details = await refused(scoring, method, asked, grpc.StatusCode.INVALID_ARGUMENT)
        assert f"tensors[{name}]" in details
        assert "-1e+06 to 1e+06" in details


async def test_numbers_at_the_limit_are_scored(scoring, make, arrays):
    for sign in (-1, 1):
        large = {
            name: np.full_like(array, sign * 1e6) if array.dtype == np.float32 else array
            for name, array in arrays.items()
        }
        answer = await scoring.call("ScoreItems", make.request(large), 5)
        assert np.isfinite(np.frombuffer(answer.click_probability.data, "<f4")).all()


async def test_a_missing_tensor_and_a_short_one_are_named(scoring, make, arrays):
    request = make.request(arrays)
    del request.shopper_tensors["context_ids"]
    details = await refused(scoring, "ScoreItems", request, grpc.StatusCode.INVALID_ARGUMENT)
    assert "shopper_tensors[context_ids]" in details
    request = make.request(arrays)
    request.item_tensors["item_vector"].data = b"short"
    details = await refused(scoring, "ScoreItems", request, grpc.StatusCode.INVALID_ARGUMENT)
    assert "item_tensors[item_vector].data" in details


async def test_explanations_add_up_over_the_wire(scoring, make, arrays):
    request = scoring_pb2.ExplainScoresRequest(inputs=make.request(arrays), rows=[4, 1])
    answer = await scoring.call("ExplainScores", request, 10)
    assert [item.row for item in answer.items] == [4, 1]
    for item in answer.items:
        total = item.baseline + sum(attribution.value for attribution in item.attributions)
        assert total == pytest.approx(item.click_probability, rel=0.01)
        assert len(item.attributions) > 5


@pytest.mark.parametrize(
    ("rows", "said"), [([], "rows"), ([0] * 21, "rows"), ([0, 9], "rows[1]"), ([-1], "rows[0]")]
)
async def test_rows_to_explain_are_checked(scoring, make, arrays, rows, said):
    request = scoring_pb2.ExplainScoresRequest(inputs=make.request(arrays), rows=rows)
    assert said in await refused(scoring, "ExplainScores", request, grpc.StatusCode.INVALID_ARGUMENT)


async def test_the_models_describe_themselves(scoring, outcome):
    answer = await scoring.call("GetModel", scoring_pb2.GetModelRequest(), 5)
    trained, popularity = answer.models
    assert trained.version == outcome.artifact.version and trained.is_current
    assert popularity.version == "popularity-0" and not popularity.is_current
    assert trained.schema_fingerprint == CURRENT.fingerprint
    assert trained.metrics["click_auc"] == outcome.metrics["click_auc"]
    assert trained.HasField("trained") and not popularity.HasField("trained")
    shapes = {spec.name: list(spec.shape) for spec in trained.inputs}
    assert shapes["item_ids"] == [-1, 4] and shapes["history_numbers"] == [50, 2]
    assert {spec.dtype for spec in trained.inputs} == {
        tensor_pb2.DATA_TYPE_FLOAT32,
        tensor_pb2.DATA_TYPE_INT64,
    }


@contextlib.asynccontextmanager
async def served(tmp_path, model, worker_count=1, queue_limit=0, callers=None):
    executor = BoundedExecutor("scoring", worker_count, queue_limit)
    models = Versions(tmp_path, lambda artifact: model, model, None)
    servicer = ScoringServicer(models, executor, 2)
    add = scoring_pb2_grpc.add_ScoringServiceServicer_to_server
    async with serve(servicer, add, OUTER, SERVICE.roles, callers) as target:
        yield target
    executor.close()


async def test_a_full_queue_sheds_load(tmp_path, make, arrays):
    started, go_on = threading.Event(), threading.Event()

    def slow(inputs):
        started.set()
        assert go_on.wait(10)
        return POPULARITY.runner(inputs)

    async with served(tmp_path, ClickModel("slow-1", CURRENT, "cpu", slow), 1, 1) as target:
        upstream = GrpcUpstream("scoring", target, scoring_pb2_grpc.ScoringServiceStub)
        running = [
            asyncio.ensure_future(upstream.call("ScoreItems", make.request(arrays), 10)) for _ in range(2)
        ]
        await asyncio.to_thread(started.wait, 5)
        async with asyncio.timeout(5):
            await refused(upstream, "ScoreItems", make.request(arrays), grpc.StatusCode.RESOURCE_EXHAUSTED)
            # Models run off the event loop: other calls are answered meanwhile.
            await upstream.call("GetModel", scoring_pb2.GetModelRequest(), 2)
        go_on.set()
        answers = await asyncio.gather(*running)
        assert [answer.model_version for answer in answers] == ["slow-1"] * 2
        await upstream.call("ScoreItems", make.request(arrays), 5)
        await upstream.close()


async def test_explanations_are_for_admins(tmp_path, make, arrays):
    callers = Callers({digest("t"): Caller("layout", Role.INTERNAL)})
    async with served(tmp_path, POPULARITY, callers=callers) as target:
        upstream = GrpcUpstream("scoring", target, scoring_pb2_grpc.ScoringServiceStub, token="t")
        await upstream.call("ScoreItems", make.request(arrays), 5)
        request = scoring_pb2.ExplainScoresRequest(inputs=make.request(arrays), rows=[0])
        await refused(upstream, "ExplainScores", request, grpc.StatusCode.PERMISSION_DENIED)
        await upstream.close()


async def test_cuda_without_a_gpu_is_refused_at_start(tmp_path):
    if inference.is_cuda_working():
        pytest.skip("this machine has a CUDA device")
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=tmp_path, device="cuda")
    with pytest.raises(ConfigurationError, match="PLANOGRAM_SCORING_DEVICE=cuda"):
        async with serving(SERVICE, settings):
            pytest.fail("the service started without a GPU")


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"engine": "tensorrt"}, "PLANOGRAM_SCORING_ENGINE=tensorrt needs a GPU"),
        ({"launch": "captured"}, "PLANOGRAM_SCORING_LAUNCH=captured needs a GPU"),
        ({"is_half_precision": True}, "IS_HALF_PRECISION=true needs PLANOGRAM_SCORING_ENGINE=tensorrt"),
    ],
)
async def test_what_a_gpu_alone_can_do_is_refused_without_one(tmp_path, changes, said):
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=tmp_path, device="cpu", **changes)
    with pytest.raises(ConfigurationError, match=said):
        async with serving(SERVICE, settings):
            pytest.fail("the service started")


async def test_auto_runs_on_the_cpu_where_there_is_no_gpu(tmp_path):
    if inference.is_cuda_working():
        pytest.skip("this machine has a CUDA device")
    assert inference.choose_device("auto", "X") == "cpu"


@pytest.mark.gpu
@pytest.mark.parametrize(("is_half", "tolerance"), [(False, 1e-4), (True, 0.01)])
def test_tensorrt_answers_what_the_cpu_does(tmp_path, outcome, make, is_half, tolerance):
    if not inference.is_cuda_working():
        pytest.skip("needs a CUDA device")
    engine = inference.TensorRt(tmp_path, is_half)
    try:
        model = open_model(outcome.artifact, "cuda", batch_size=4, tensorrt=engine)
    except Incompatible as error:
        pytest.skip(f"needs TensorRT's libraries: {error}")
    plain, generator = open_model(outcome.artifact, "cpu"), np.random.default_rng(0)
    requests = [make.inputs(count, generator) for count in (200, 1, 30)]
    for inputs, found in zip(requests, model.predict_many(requests), strict=True):
        wanted = plain.predict(inputs).click_probability
        np.testing.assert_allclose(found.click_probability, wanted, rtol=0, atol=tolerance)
        np.testing.assert_allclose(model.predict(inputs).click_probability, wanted, rtol=0, atol=tolerance)


@pytest.mark.gpu
async def test_a_trained_model_runs_on_the_gpu_and_says_so(outcome, make, arrays):
    if not inference.is_cuda_working():
        pytest.skip("needs a CUDA device")
    cpu = ScoringSettings(listen="127.0.0.1:0", models_path=outcome.artifact.path.parent, device="cpu")
    gpu = cpu.model_copy(update={"device": "cuda"})
    answers = []
    for settings in (cpu, gpu):
        async with serving(SERVICE, settings) as port:
            upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)
            answers.append(await upstream.call("ScoreItems", make.request(arrays), 10))
            await upstream.close()
    assert [answer.device for answer in answers] == [scoring_pb2.DEVICE_CPU, scoring_pb2.DEVICE_CUDA]
    first, second = (np.frombuffer(answer.click_probability.data, "<f4") for answer in answers)
    np.testing.assert_allclose(first, second, atol=1e-4)


async def test_a_published_model_takes_over_without_a_restart(tmp_path, outcome, make, arrays):
    store = tmp_path / "click"
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=store, watch_period_s=0.02)
    async with serving(SERVICE, settings) as port:
        upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)
        first = await upstream.call("ScoreItems", make.request(arrays), 5)
        assert first.model_version == "popularity-0"
        manifest = {
            name: value
            for name, value in outcome.artifact.manifest.items()
            if name not in ("files", "published", "version")
        }
        source = tmp_path / "source"
        source.mkdir()
        (source / "model.onnx").write_bytes(outcome.artifact.file("model.onnx").read_bytes())
        artifacts.publish(store, "next-1", source, manifest)
        async with asyncio.timeout(10):
            while (await upstream.call("ScoreItems", make.request(arrays), 5)).model_version != "next-1":
                await asyncio.sleep(0.02)
        await upstream.close()


@pytest.mark.parametrize("batch_size", [1, 4])
async def test_versions_are_swapped_under_load_without_an_error(tmp_path, outcome, make, batch_size):
    """Publishes, rolls back and publishes a damaged version while calls never stop."""
    store, source = tmp_path / "click", outcome.artifact.path
    kept = {
        name: value
        for name, value in outcome.artifact.manifest.items()
        if name not in ("files", "published", "version")
    }
    files = tmp_path / "files"
    files.mkdir()
    for name in ("model.onnx", "batched.onnx"):
        (files / name).write_bytes((source / name).read_bytes())
    artifacts.publish(store, "v0", files, kept)
    settings = ScoringSettings(
        listen="127.0.0.1:0", models_path=store, watch_period_s=0.02, batch_size=batch_size, device="cpu"
    )
    served: list[str] = []
    stop = asyncio.Event()
    async with serving(SERVICE, settings) as port:
        upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)

        async def caller(seed):
            request = make.request(make.inputs(5 + seed, np.random.default_rng(seed)))
            while not stop.is_set():
                answer = await upstream.call("ScoreItems", request, 30)
                served.append(answer.model_version)

        async def reach(version):
            async with asyncio.timeout(60):
                while served[-1:] != [version]:
                    await asyncio.sleep(0.01)

        callers = [asyncio.ensure_future(caller(seed)) for seed in range(4)]
        await reach("v0")
        for version in ("v1", "v2"):
            artifacts.publish(store, version, files, kept)
            await reach(version)
        artifacts.point(store, "v1")
        await reach("v1")
        (files / "model.onnx").write_bytes(b"damaged")
        artifacts.publish(store, "v3", files, kept)
        await asyncio.sleep(0.3)
        stop.set()
        await asyncio.gather(*callers)  # raises where one call failed
        await upstream.close()
    assert served[-1] == "v1"
    assert set(served) == {"v0", "v1", "v2"}
