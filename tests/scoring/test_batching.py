"""Do requests that share a run get what they would have got alone?"""

from __future__ import annotations

import asyncio
import threading

import numpy as np
import pytest

from planogram.scoring.v1 import scoring_pb2_grpc
from services.common import inference
from services.common.client import GrpcUpstream
from services.common.errors import Overloaded
from services.common.server import serving
from services.scoring.__main__ import SERVICE
from services.scoring.batching import Batcher, predict_all
from services.scoring.registry import open_model
from services.scoring.scorer import POPULARITY, ClickModel
from services.scoring.settings import ScoringSettings
from services.scoring.signature import CURRENT

pytestmark = pytest.mark.slow


class Scripted:
    """Answers smoothed popularity batch by batch, and keeps the sizes; may be held at a gate."""

    def __init__(self, is_held: bool = False) -> None:
        self.batches: list[list[int]] = []
        self.gate = threading.Event()
        if not is_held:
            self.gate.set()

    def __call__(self, requests):
        assert self.gate.wait(10)
        self.batches.append([len(arrays["item_ids"]) for arrays in requests])
        return [POPULARITY.runner(arrays) for arrays in requests]

    def model(self, version="scripted-1"):
        def alone(arrays):
            return self([arrays])[0]

        return ClickModel(version, CURRENT, "cpu", alone, batch_runner=self)


@pytest.fixture
def open_batcher():
    opened = []

    def make_one(worker_count=1, size=4, window_s=0.0, queue_limit=100):
        opened.append(Batcher(worker_count, size, window_s, queue_limit))
        return opened[-1]

    yield make_one
    for batcher in opened:
        batcher.close()


def pages(make, *counts):
    generator = np.random.default_rng(4)
    return [make.inputs(count, generator) for count in counts]


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def check_parity(model, requests, tolerance):
    together = model.predict_many(requests)
    for arrays, found in zip(requests, together, strict=True):
        alone = model.predict(arrays)
        assert found.click_probability.shape == alone.click_probability.shape
        np.testing.assert_allclose(found.click_probability, alone.click_probability, rtol=0, atol=tolerance)
        np.testing.assert_allclose(
            found.purchase_probability, alone.purchase_probability, rtol=0, atol=tolerance
        )


def test_a_batch_answers_what_each_request_gets_alone(make, outcome):
    model = open_model(outcome.artifact, "cpu", batch_size=16)
    assert model.batch_runner is not None
    check_parity(model, pages(make, 1, 200, 0, 33, 7, 200, 2), 1e-6)


@pytest.mark.gpu
def test_a_batch_on_the_gpu_answers_what_each_request_gets_alone(make, outcome):
    if not inference.is_cuda_working():
        pytest.skip("needs a CUDA device")
    model = open_model(outcome.artifact, "cuda", batch_size=16)
    check_parity(model, pages(make, 1, 200, 0, 33, 7, 200, 2), 1e-6)


def test_a_model_without_a_batched_graph_answers_one_by_one(make, outcome):
    model = open_model(outcome.artifact, "cpu")
    assert model.batch_runner is None
    assert [len(found.click_probability) for found in model.predict_many(pages(make, 3, 0, 2))] == [3, 0, 2]


async def test_batches_fill_while_a_run_lasts(make, open_batcher):
    script, batcher = Scripted(is_held=True), open_batcher(size=4)
    model, requests = script.model(), pages(make, *[5] * 8)
    running = [asyncio.ensure_future(batcher.predict(model, arrays)) for arrays in requests]
    await asyncio.sleep(0.02)
    script.gate.set()
    answers = await asyncio.gather(*running)
    assert [len(batch) for batch in script.batches] == [1, 4, 3]
    for arrays, answer in zip(requests, answers, strict=True):
        np.testing.assert_array_equal(answer.click_probability, POPULARITY.predict(arrays).click_probability)


async def test_a_lone_request_waits_no_longer_than_the_window(make, open_batcher):
    script, batcher = Scripted(), open_batcher(size=4, window_s=0.05)
    model, requests = script.model(), pages(make, 5, 5)
    async with asyncio.timeout(5):
        await asyncio.gather(*(batcher.predict(model, arrays) for arrays in requests))
    assert [len(batch) for batch in script.batches] == [2]


async def test_a_full_batch_does_not_wait_for_the_window(make, open_batcher):
    script, batcher = Scripted(), open_batcher(size=2, window_s=60)
    model = script.model()
    async with asyncio.timeout(5):
        await asyncio.gather(*(batcher.predict(model, arrays) for arrays in pages(make, 5, 5)))
    assert [len(batch) for batch in script.batches] == [2]


async def test_small_requests_are_not_padded_to_a_large_one(make, open_batcher):
    script, batcher = Scripted(is_held=True), open_batcher(size=8)
    model = script.model()
    requests = pages(make, 1, 10, 12, 400, 390)
    running = [asyncio.ensure_future(batcher.predict(model, arrays)) for arrays in requests]
    await asyncio.sleep(0.02)
    script.gate.set()
    await asyncio.gather(*running)
    assert script.batches == [[1], [10, 12], [400, 390]]


async def test_versions_never_share_a_batch(make, open_batcher):
    first, second = Scripted(is_held=True), Scripted(is_held=True)
    batcher = open_batcher(size=8)
    models = (first.model("one"), second.model("two"))
    running = [
        asyncio.ensure_future(batcher.predict(models[index % 2], arrays))
        for index, arrays in enumerate(pages(make, *[5] * 6))
    ]
    await asyncio.sleep(0.02)
    first.gate.set(), second.gate.set()
    await asyncio.gather(*running)
    assert sum(map(len, first.batches)) == sum(map(len, second.batches)) == 3


async def test_more_than_may_wait_are_refused(make, open_batcher):
    script, batcher = Scripted(is_held=True), open_batcher(queue_limit=2)
    model, requests = script.model(), pages(make, *[5] * 4)
    running = [asyncio.ensure_future(batcher.predict(model, arrays)) for arrays in requests[:3]]
    await asyncio.sleep(0.02)
    with pytest.raises(Overloaded, match="2 requests wait"):
        await batcher.predict(model, requests[3])
    script.gate.set()
    await asyncio.gather(*running)
    await batcher.predict(model, requests[3])


async def test_who_went_away_takes_no_place_in_a_batch(make, open_batcher):
    script, batcher = Scripted(is_held=True), open_batcher()
    model, requests = script.model(), pages(make, 5, 6, 7)
    running = [asyncio.ensure_future(batcher.predict(model, arrays)) for arrays in requests]
    await asyncio.sleep(0.02)
    running[1].cancel()
    await asyncio.sleep(0)
    script.gate.set()
    await asyncio.gather(running[0], running[2])
    assert script.batches == [[5], [7]]


def test_a_request_that_fails_harms_no_other(make):
    def run(arrays):
        click, purchase = POPULARITY.runner(arrays)
        return (click * np.nan, purchase) if len(click) == 2 else (click, purchase)

    model = ClickModel(
        "part-1", CURRENT, "cpu", run, batch_runner=lambda requests: [run(arrays) for arrays in requests]
    )
    first, second, third = predict_all(model, pages(make, 3, 2, 4))
    assert isinstance(second, FloatingPointError)
    assert (len(first.click_probability), len(third.click_probability)) == (3, 4)


async def test_calls_that_come_together_are_answered_as_alone(make, outcome):
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=outcome.artifact.path.parent, device="cpu")
    requests = [make.request(arrays) for arrays in pages(make, *[9, 30] * 6)]
    answers = []
    for size in (1, 8):
        changed = settings.model_copy(update={"batch_size": size, "batch_window_ms": 20.0})
        async with serving(SERVICE, changed) as port:
            upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)
            calls = (upstream.call("ScoreItems", request, 20) for request in requests)
            answers.append(await asyncio.gather(*calls))
            await upstream.close()
    for alone, together in zip(*answers, strict=True):
        first, second = (np.frombuffer(answer.click_probability.data, "<f4") for answer in (alone, together))
        np.testing.assert_allclose(first, second, rtol=0, atol=1e-6)
