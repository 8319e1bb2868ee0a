"""Which candidates are worse than the incumbent, in as many ways as there are?

Learned from little, for the page at hand alone, ordered by clicks, shaken, popular with everybody, served
colder or hotter. Whether one is truly worse, `verdicts` finds out by playing it.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import torch

from services.local.bench.evaluation import scene as scenes
from services.local.bench.evaluation.contestants import Contestant, click_order, one_page, whole_sessions
from services.local.bench.evaluation.scene import Scene
from services.local.bench.policy.contenders import Exploring
from services.local.bench.policy.run import SERVED
from services.policy.training.slateq import CascadeNetwork
from simulator.front import Trace

SMALL_LOG_SEED = 7_000_000
_SMALL_LOGS = (0.05, 0.1, 0.2, 0.4)
"""Sessions of small logs, as shares of the incumbent's."""
_LEARNED_EACH = 2
_SHAKES = (0.05, 0.1, 0.2, 0.4)
"""Deviation of the noise on weights, as shares of their own."""
_TEMPERATURES = (0.12, 0.16, 0.25, 0.3, 0.4, 0.6, 1.0)


def candidates(scene: Scene) -> Iterator[Contestant]:
    """Candidates without end, kind by kind in turns, so that the first hundred hold all kinds."""
    kinds = [_small_logs(scene, "small log", 1.0), _small_logs(scene, "page discount 0,", 0.0)]
    kinds += [_clicks(scene), _shaken(scene), _popular(scene), _other_temperature(scene)]
    while True:
        yield from (next(kind) for kind in kinds)


def _small_logs(scene: Scene, name: str, page_discount: float) -> Iterator[Contestant]:
    number = 0
    while True:
        for network in _small_networks(scene, page_discount):
            exploring = SERVED if not number else replace(SERVED, temperature=_TEMPERATURES[number % 7])
            yield whole_sessions(f"{name} {number}", scene.encoder, network, exploring)
            number += 1


def _clicks(scene: Scene) -> Iterator[Contestant]:
    number = 0
    while True:
        for network in (scene.first, scene.second, *_small_networks(scene, 0.0)):
            exploring = replace(SERVED, temperature=_TEMPERATURES[number % 7])
            yield click_order(f"click order {number}", scene.encoder, network, exploring)
            number += 1


def _shaken(scene: Scene) -> Iterator[Contestant]:
    number = 0
    while True:
        for share in _SHAKES:
            yield scene.contestant(f"shaken by {share:g}, {number}", _shake(scene.first, share, number))
            number += 1


def _popular(scene: Scene) -> Iterator[Contestant]:
    """Click rates of a small uniform log, with noise from one to the next."""
    trace = _small_log(scene, 0.4, 0)
    count = len(scene.module)
    seen = np.bincount(trace.decision.placed.ravel(), trace.acts.is_examined.ravel(), count)
    clicked = np.bincount(trace.decision.placed.ravel(), trace.acts.is_clicked.ravel(), count)
    rate = np.log((clicked + 1) / (seen + 10))
    number = 0
    while True:
        generator = np.random.default_rng(number)
        score = rate + generator.normal(0, 0.1 * (number % 3), count)
        yield one_page(f"popular {number}", score, Exploring(_TEMPERATURES[number % 7], SERVED.epsilon))
        number += 1


def _other_temperature(scene: Scene) -> Iterator[Contestant]:
    """The incumbent's network, and the candidate's at temperatures that cost it more than it knows."""
    number = 0
    while True:
        generator = np.random.default_rng(number)
        hotter = float(generator.uniform(0.22, 1.2))
        network = scene.first if number % 2 else scene.second
        epsilon = float(generator.uniform(0.02, 0.3))
        yield whole_sessions(f"hotter {number}", scene.encoder, network, Exploring(hotter, epsilon))
        number += 1


def _small_networks(scene: Scene, page_discount: float) -> Iterator[CascadeNetwork]:
    for share in _SMALL_LOGS:
        for number in range(_LEARNED_EACH):
            recipe = replace(
                scene.size.shop.recipe,
                step_count=min(400, scene.size.shop.recipe.step_count),
                width=32,
                seed=number,
                page_discount=page_discount,
            )
            yield scenes.learned(
                scene,
                f"small-{share:g}-{number}-{page_discount:g}",
                _small_log(scene, share, number),
                recipe,
            )


def _small_log(scene: Scene, share: float, number: int) -> Trace:
    count = max(200, round(share * scene.size.shop.log_sessions))
    return scenes.uniform_log(scene.shop, scene.size, count, SMALL_LOG_SEED + number)


def _shake(network: CascadeNetwork, share: float, seed: int) -> CascadeNetwork:
    shaken = copy.deepcopy(network)
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for weight in shaken.parameters():
            noise = torch.randn(weight.shape, generator=generator)
            weight.add_(share * weight.std(correction=0) * noise)
    return shaken
