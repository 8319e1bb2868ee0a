"""Does every network that can be chosen score items by themselves, and leave as the same graph?"""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from services.scoring.signature import SPECS
from services.scoring.training import data, export
from services.scoring.training.architecture import Architecture, Encoder, Heads
from services.scoring.training.heads import SplitLinear
from services.scoring.training.matches import Matches
from services.scoring.training.model import ClickNetwork, ServedModel
from services.scoring.training.notice import NoticeTower, _never_rising

pytestmark = pytest.mark.slow

SHAPES = [
    *(Architecture(encoder=encoder) for encoder in Encoder),
    Architecture(heads=Heads.MMOE),
    Architecture(cross_count=0, has_matches=False, has_text=False, hidden_widths=(8,)),
]


def named(shape):
    return f"{shape.encoder}-{shape.heads}-{shape.cross_count}"


def lively(shape, seed=0):
    """A network whose every part has something to say."""
    torch.manual_seed(seed)
    network = ClickNetwork(shape).eval()
    with torch.no_grad():
        for parameter in network.parameters():
            if parameter.dim() > 1:
                parameter.normal_(0, 0.1)
    return network


def answers(network, arrays):
    with torch.no_grad():
        found = ServedModel(network)(*(torch.from_numpy(arrays[spec.name]) for spec in SPECS))
    return np.stack([array.numpy() for array in found])


def of_items(arrays, rows):
    return {spec.name: arrays[spec.name][rows] if spec.is_per_item else arrays[spec.name] for spec in SPECS}


@pytest.mark.parametrize("shape", SHAPES, ids=named)
def test_a_shopper_read_once_is_the_shopper_read_for_each_item(shape, make):
    network, arrays = lively(shape), make.inputs(9, np.random.default_rng(1))
    once = {name: torch.from_numpy(array).unsqueeze(0) for name, array in arrays.items()}
    tiled = {}
    for spec in SPECS:
        array = torch.from_numpy(arrays[spec.name])
        tiled[spec.name] = array.unsqueeze(1) if spec.is_per_item else array.expand(9, *array.shape)
    with torch.no_grad():
        together, apart = network(once), network(tiled)
    np.testing.assert_allclose(together.click[0], apart.click[:, 0], atol=2e-5)
    np.testing.assert_allclose(together.conversion[0], apart.conversion[:, 0], atol=2e-5)


@pytest.mark.parametrize("shape", SHAPES, ids=named)
@settings(max_examples=8, deadline=None, suppress_health_check=list(HealthCheck))
@given(seed=st.integers(0, 10_000), count=st.integers(2, 12))
def test_an_item_is_scored_by_itself_and_finite(shape, make, seed, count):
    generator = np.random.default_rng(seed)
    network, arrays = lively(shape, seed % 7), make.inputs(count, generator)
    arrays["item_numbers"] *= generator.choice([1.0, 1e4])
    arrays["shopper_numbers"] *= np.float32(generator.choice([1.0, 1e6]))
    rows = generator.permutation(count)[: int(generator.integers(1, count + 1))]
    whole = answers(network, arrays)
    np.testing.assert_allclose(answers(network, of_items(arrays, rows)), whole[:, rows], atol=2e-5)
    assert np.isfinite(whole).all()
    assert (whole[1] <= whole[0]).all() and (whole >= 0).all()


@pytest.mark.parametrize("shape", SHAPES, ids=named)
def test_what_stands_behind_the_last_event_is_never_read(shape, make):
    network, arrays = lively(shape), make.inputs(4, np.random.default_rng(2))
    arrays["history_ids"][3:] = 0
    before = answers(network, arrays)
    arrays["history_ids"][3:, :3] = 7
    arrays["history_numbers"][3:] = 5.0
    np.testing.assert_allclose(answers(network, arrays), before, atol=1e-6)
    arrays["history_ids"][0, :3] += 1
    assert np.abs(answers(network, arrays) - before).max() > 1e-5


@pytest.mark.parametrize("shape", SHAPES, ids=named)
def test_every_network_leaves_as_its_graph(shape, log_folder, tmp_path):
    examined = data.read(log_folder)
    network = lively(shape)
    export.export(network, tmp_path / "model.onnx")
    assert export.compare(network, tmp_path / "model.onnx", examined) < export.TOLERANCE


def test_a_split_layer_is_the_layer_over_both():
    torch.manual_seed(0)
    layer, item, shopper = SplitLinear(3, 2, 4), torch.randn(2, 5, 3), torch.randn(2, 1, 2)
    weight = torch.cat([layer.item.weight, layer.shopper.weight], 1)
    whole = torch.nn.functional.linear(
        torch.cat([item, shopper.expand(-1, 5, -1)], -1), weight, layer.item.bias
    )
    torch.testing.assert_close(layer(item, shopper), whole)


def test_matches_count_events_of_the_same_item_category_and_brand():
    """Two clicks of item 5 just now: weight ln 2 each (softplus of 0), nothing has faded."""
    items = torch.tensor([[[5, 2, 3, 1], [6, 2, 9, 1], [0, 0, 0, 1]]])
    history = torch.tensor([[[5, 2, 3, 2], [5, 2, 3, 2], [0, 0, 0, 0]]])
    with torch.no_grad():
        found = Matches()(items, history, torch.zeros(1, 3))[0]
    twice = np.log1p(2 * np.log(2))
    np.testing.assert_allclose(found[0], [twice] * 6, rtol=1e-6)
    np.testing.assert_allclose(found[1], [0, 0, twice, twice, 0, 0], rtol=1e-6)
    np.testing.assert_array_equal(found[2], 0)  # what is unknown is like nothing


def test_old_events_match_less():
    items, history = torch.tensor([[[5, 2, 3, 1]]]), torch.tensor([[[5, 2, 3, 2]]])
    matches = Matches()
    with torch.no_grad():
        found = [matches(items, history, torch.full((1, 1), age))[0, 0] for age in (0.0, 1.0, 5.0)]
    for newer, older in itertools.pairwise(found):
        assert (older < newer).all()


def test_falls_are_pooled_as_by_hand():
    # 3 rises over 1: both become (1 * 1 + 3 * 3) / 4 = 2.5; 4 stays above them.
    found = _never_rising(np.array([4.0, 1.0, 3.0, 0.5]), np.array([1.0, 1.0, 3.0, 1.0]))
    np.testing.assert_allclose(found, [4.0, 2.5, 2.5, 0.5])


def test_the_tower_begins_with_the_edge_of_the_screen():
    """Three places in view, alike; none beyond them is ever clicked."""
    generator = np.random.default_rng(0)
    place = torch.arange(6).repeat(2_000)
    click = torch.from_numpy(((generator.random(12_000) < 0.1) & (place.numpy() < 3)).astype(np.float32))
    ones, tower = torch.ones(12_000, dtype=torch.int64), NoticeTower()
    tower.start(place, ones, ones, click)
    with torch.no_grad():
        share = tower.share(torch.zeros(6).long(), torch.arange(6), ones[:6], ones[:6]).exp()
    assert share[0] == 1 and share[2] > 0.7 and share[3] < 0.02


def test_the_mean_shelf_has_no_pull_once_centred():
    torch.manual_seed(0)
    tower = NoticeTower()
    with torch.no_grad():
        tower.module.normal_()
    stood = [torch.randint(1, high, (500,)) for high in (4, 200, 60, 20)]
    before = tower.pull(*stood)
    fell = tower.centre(*stood)
    torch.testing.assert_close(tower.pull(*stood), before - fell)
    assert float(tower.pull(*stood).mean().detach()) == pytest.approx(0, abs=1e-6)
