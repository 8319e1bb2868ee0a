"""Does the benchmark of scoring measure what it says, and hold it against the right side?"""

from __future__ import annotations

import sys

import numpy as np
import pytest

from services.common.errors import ConfigurationError
from services.common.tensors import from_tensor
from services.local.bench.scoring import models, run, servers
from services.local.bench.scoring.servers import Window
from services.scoring import signature
from services.scoring.signature import CURRENT


def window(calls_per_s, cpu_ms=1.0):
    return Window(calls_per_s, 5.0, 9.0, cpu_ms, 100)


@pytest.mark.parametrize(("other", "is_met"), [(100, True), (150, False)])
def test_speed_is_held_against_the_peer_window_by_window(other, is_met):
    own, peer = [window(160), window(320, 3.0)], [window(other), window(2 * other, 2.0)]
    speed, p50, _, cpu = run.beside("32 in flight", own, peer)
    assert speed.ratio == pytest.approx(160 / other) and speed.met is is_met
    assert p50.ratio == 1.0
    assert (cpu.value, cpu.floor) == (2.0, 1.5)
    assert speed.n == 200


@pytest.mark.parametrize(("resident_mb", "is_met"), [(390.0, True), (420.0, False)])
def test_memory_is_held_against_what_the_model_takes_and_a_limit(resident_mb, is_met):
    row = run.memory(resident_mb, 10.0)
    assert row.value == resident_mb - 10 and row.met is is_met


def test_the_measured_request_is_one_that_the_service_takes():
    arrays = models.page(200, np.random.default_rng(0))
    request = models.request(arrays)
    decoded = signature.decode(CURRENT, request.shopper_tensors, request.item_tensors)
    for name, array in arrays.items():
        np.testing.assert_array_equal(decoded[name], array)
    assert (from_tensor(request.shopper_tensors["history_ids"])[:, 3] > 0).all()


def test_load_counts_the_calls_and_the_time_of_the_server(tmp_path):
    arrays = models.page(200, np.random.default_rng(0))
    with servers.echo(arrays, tmp_path) as server:
        found = servers.load(server, 4, 0.5)
    assert found.count > 4 and found.cpu_ms > 0 and found.calls_per_s > 4
    assert found.p50_ms <= found.p99_ms


def test_a_server_that_does_not_start_shows_its_log(tmp_path):
    command = [sys.executable, "-c", "import sys; sys.exit('no port left')"]
    log = tmp_path / "log"
    with servers._running(command, {}, log) as process:
        with pytest.raises(ConfigurationError, match="no port left"):
            servers._wait(process, log, lambda: False)


def test_a_peer_that_is_not_installed_is_named_before_anything_is_measured(tmp_path):
    with pytest.raises(ConfigurationError, match="--no-peer"):
        run.run(1, 0.5, 2, tmp_path / "python", 0, "test")
