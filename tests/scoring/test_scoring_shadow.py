"""Does a shadow compare, and never harm what serves?"""

from __future__ import annotations

import asyncio

import numpy as np
import pytest

from planogram.scoring.v1 import scoring_pb2_grpc
from services.common.client import GrpcUpstream
from services.common.errors import ConfigurationError
from services.common.server import serving
from services.scoring import shadow
from services.scoring.__main__ import SERVICE
from services.scoring.scorer import POPULARITY, ClickModel, Predictions
from services.scoring.settings import ScoringSettings
from services.scoring.signature import CURRENT, REVISION, Signature


def counted(version, outcome):
    return shadow.REQUESTS.labels(version, outcome)._value.get()


async def until(condition):
    async with asyncio.timeout(5):
        while not condition():
            await asyncio.sleep(0.005)


def test_the_difference_of_two_versions_by_hand():
    served = Predictions(np.array([0.2, 0.4], np.float32), np.zeros(2, np.float32))
    other = Predictions(np.array([0.5, 0.3], np.float32), np.zeros(2, np.float32))
    assert shadow.difference(served, other) == pytest.approx(
        {
            "item_count": 2,
            "mean_difference": 0.2,
            "largest_difference": 0.3,
            "bias": 0.1,
            "is_same_first": False,
        }
    )
    nothing = Predictions(np.zeros(0, np.float32), np.zeros(0, np.float32))
    assert shadow.difference(nothing, nothing) == {}


async def test_a_shadow_scores_what_another_version_serves(outcome, make):
    version, models = outcome.artifact.version, outcome.artifact.path.parent
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=models, shadow_version=version)
    before = counted(version, "scored")
    request = make.request(make.inputs(9, np.random.default_rng(3)), model_version="popularity-0")
    async with serving(SERVICE, settings) as port:
        upstream = GrpcUpstream("scoring", f"127.0.0.1:{port}", scoring_pb2_grpc.ScoringServiceStub)
        answer = await upstream.call("ScoreItems", request, 5)
        assert answer.model_version == "popularity-0"
        await until(lambda: counted(version, "scored") == before + 1)
        await upstream.close()


async def test_a_shadow_that_is_not_published_is_refused_at_start(tmp_path):
    settings = ScoringSettings(listen="127.0.0.1:0", models_path=tmp_path, shadow_version="click-nowhere")
    with pytest.raises(ConfigurationError, match=r"PLANOGRAM_SCORING_SHADOW_VERSION: .*click-nowhere"):
        async with serving(SERVICE, settings):
            pytest.fail("the service started without its shadow")


async def test_a_shadow_that_fails_harms_no_answer(make):
    def broken(arrays):
        raise RuntimeError("a bad shadow")

    follower = shadow.Shadow(ClickModel("broken", CURRENT, "cpu", broken))
    arrays = make.inputs(3, np.random.default_rng(0))
    follower.follow(POPULARITY, arrays, POPULARITY.predict(arrays))
    await until(lambda: counted("broken", "failed") == 1)
    follower.close()


async def test_requests_of_another_schema_are_left_out(make):
    other = Signature(CURRENT.specs, f"{REVISION}-next")
    follower = shadow.Shadow(ClickModel("next", other, "cpu", POPULARITY.runner))
    arrays = make.inputs(3, np.random.default_rng(0))
    follower.follow(POPULARITY, arrays, POPULARITY.predict(arrays))
    assert counted("next", "other_schema") == 1
    follower.close()
    assert counted("next", "scored") == 0
