from __future__ import annotations

import itertools

import numpy as np
import pytest
import torch

from planogram.files import log as files
from services.feature.pipeline.clean import clean, write_set_aside
from services.scoring.signature import SPECS
from services.scoring.training import data, export, judging, metrics, train
from services.scoring.training.batch import batches, collate, draw
from services.scoring.training.calibrate import calibrate
from services.scoring.training.learn import learn
from services.scoring.training.model import ClickNetwork
from services.scoring.training.notice import NoticeTower
from services.scoring.training.objective import batch_loss
from services.scoring.training.recipe import Recipe


def plant_bot(folder):
    """Eight pages of the log become one session that clicks everything, and the pipeline looks at it."""
    pages = {f"p{index}" for index in range(8)}
    exposures, clicks = [], []
    for exposure in files.read_exposures(folder):
        if exposure.page_id in pages:
            exposure.session_key = "bot"
            clicks += [
                {"page_id": exposure.page_id, "slot_id": slot.slot_id, "item_id": item.item_id}
                for slot in exposure.slots
                for item in slot.items
            ]
        exposures.append(files.exposure_row(exposure))
    rows = files.read_events(folder).to_pylist()
    moment = {row["page_id"]: row["time"] for row in rows}
    kept = [row for row in rows if row["page_id"] not in pages]
    kept += [
        {
            **click,
            "event_id": f"bot-{number}",
            "session_key": "bot",
            "type": "CLICK",
            "time": moment[click["page_id"]],
        }
        for number, click in enumerate(clicks)
    ]
    files.write(folder, "exposures", exposures, "test")
    files.write(folder, "events", kept, "test")
    items = frozenset(row["item_id"] for row in kept) - {""}
    write_set_aside(folder, clean(folder, items, {}, max(moment.values())))
    assert files.read_set_aside(folder).session_keys == {"bot"}
    return folder


@pytest.fixture(scope="module")
def examined(log_folder):
    return data.read(log_folder)


def test_labels_and_inputs_are_those_of_the_log(log_folder, examined):
    """Held against a plain loop over the log."""
    seen, clicked, bought = set(), set(), set()
    for row in files.read_events(log_folder).to_pylist():
        key = (row["page_id"], row["slot_id"], row["item_id"])
        {"IMPRESSION": seen, "CLICK": clicked, "PURCHASE": bought}[row["type"]].add(key)
    exposures = list(files.read_exposures(log_folder))
    index = 0
    for page, exposure in enumerate(exposures[:200]):
        assert examined.offsets[page] == index
        for slot_index, slot in enumerate(exposure.slots):
            if (exposure.page_id, slot.slot_id, "") not in seen:
                continue
            for place, item in enumerate(slot.items):
                key = (exposure.page_id, slot.slot_id, item.item_id)
                assert (examined.slot[index], examined.place[index]) == (slot_index, place)
                assert examined.click[index] == (key in clicked)
                assert examined.purchase[index] == (key in bought)
                tensor = exposure.scoring_inputs.item_tensors["item_numbers"]
                row = np.frombuffer(tensor.data, "<f4").reshape(-1, 10)[item.scoring_row]
                np.testing.assert_array_equal(examined.item["item_numbers"][index], row)
                index += 1
    assert examined.purchase.sum() > 0 and (examined.purchase <= examined.click).all()


def test_re_encoding_gives_what_the_model_saw(log_folder, examined):
    exposure = next(files.read_exposures(log_folder))
    arrays = export.page_arrays(examined, 0)
    for spec in SPECS:
        if not spec.is_per_item:
            assert arrays[spec.name].tobytes() == exposure.scoring_inputs.shopper_tensors[spec.name].data


def test_pages_of_nobody_known_are_of_as_many_people(make, tmp_path):
    """Intervals over shoppers would otherwise take all who refused to be known for one."""
    folder = make.log.write(tmp_path, 60)
    exposures = list(files.read_exposures(folder))
    for exposure in exposures[::2]:
        exposure.shopper_key = exposure.session_key = ""
    files.write(folder, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    who = data.read(folder).who
    assert len(set(who[::2].tolist())) == 30
    assert not set(who[::2].tolist()) & set(who[1::2].tolist())


def test_slots_above_one_in_view_count_as_examined(make, tmp_path):
    folder = make.log.write(tmp_path, 80)
    table = files.read_events(folder)
    kept = [row for row in table.to_pylist() if row["type"] != "IMPRESSION" or row["slot_id"] == "slot2"]
    files.write(folder, "events", kept, "test")
    found = data.read(folder)
    deep = {row["page_id"] for row in kept if row["slot_id"] == "slot2"}
    assert deep
    pages = [row.page_id for row in files.read_exposures(folder)]
    full = [length for length in np.diff(found.offsets) if length == 15]
    assert len(full) >= len(deep & set(pages))


def test_pages_of_another_schema_are_counted_and_left_out(make, tmp_path):
    folder = make.log.write(tmp_path, 60)
    rows = []
    for index, exposure in enumerate(files.read_exposures(folder)):
        if index % 2:
            exposure.scoring_inputs.schema_fingerprint = "0" * 64
        rows.append(files.exposure_row(exposure))
    files.write(folder, "exposures", rows, "test")
    found = data.read(folder)
    assert found.page_count == 30 and found.skipped["other schema or not scored"] == 30


def test_a_bot_that_clicks_everything_is_no_label(make, tmp_path):
    plain = data.read(make.log.write(tmp_path / "plain", 60))
    found = data.read(plant_bot(make.log.write(tmp_path / "planted", 60)))
    assert found.skipped == {"set aside by the feature pipeline": 8}
    human = plain.pages(8, 60)
    assert found.page_count == human.page_count == 52
    np.testing.assert_array_equal(found.click, human.click)
    np.testing.assert_array_equal(found.times, human.times)


def forget_in(folder):
    """Every third page is Ada's, who was forgotten after the twentieth."""
    exposures = list(files.read_exposures(folder))
    for exposure in exposures[::3]:
        exposure.shopper_key = "a" * 32
    files.write(folder, "exposures", [files.exposure_row(exposure) for exposure in exposures], "test")
    tombstone = {"shopper_digest": files.shopper_digest("a" * 32), "time": files.micros(exposures[20].time)}
    files.write(folder, "forgotten", [tombstone], "test")
    return [files.micros(exposures[place].time) for place in range(0, 21, 3)]


def test_an_old_export_teaches_nothing_of_a_forgotten_shopper(make, tmp_path):
    times = forget_in(make.log.write(tmp_path, 60))
    found = data.read(tmp_path)
    assert found.page_count == 60 - len(times)
    assert not set(found.times.tolist()) & set(times)


def test_a_damaged_page_is_named(make, tmp_path):
    folder = make.log.write(tmp_path, 20)
    rows = []
    for exposure in files.read_exposures(folder):
        if exposure.page_id == "p7":
            exposure.scoring_inputs.item_tensors["item_vector"].data = b"1234"
        rows.append(files.exposure_row(exposure))
    files.write(folder, "exposures", rows, "test")
    with pytest.raises(files.LogFileError, match=r"page p7.*item_vector"):
        data.read(folder)


def test_splits_follow_time(examined):
    parts = train.split(examined)
    assert sum(part.page_count for part in parts) == examined.page_count
    for early, late in itertools.pairwise(parts):
        assert early.times.max() < late.times.min()


def test_too_small_a_log_is_refused(make, tmp_path):
    with pytest.raises(ValueError, match="50 or more"):
        train.train(make.log.write(tmp_path, 20), tmp_path / "models")


def test_the_trained_model_beats_popularity(outcome):
    found = outcome.metrics
    assert found["click_auc"] > found["popularity_click_auc"] + 0.05
    assert found["click_logloss"] < found["popularity_click_logloss"]
    assert found["click_ece"] < 0.05
    assert 0.75 < found["click_predicted_to_observed"] < 1.35


def test_drawn_negatives_stand_for_all(examined):
    """Over many draws, weighted sums are those of all items."""
    pages = np.arange(40)
    generator = np.random.default_rng(0)
    whole = collate(examined, pages)
    total = float((whole.weight * (whole.stood["place"] + 1)).sum())
    drawn = [collate(examined, pages, draw(examined, pages, 3, generator)) for _ in range(300)]
    assert max(batch.weight.shape[1] for batch in drawn) < whole.weight.shape[1]
    sums = [float((batch.weight * (batch.stood["place"] + 1)).sum()) for batch in drawn]
    assert np.mean(sums) == pytest.approx(total, rel=0.01)
    clicks = [float((batch.weight * batch.click).sum()) for batch in drawn]
    assert clicks == pytest.approx([float(examined.click[: examined.offsets[40]].sum())] * 300)


def test_padding_never_enters_the_loss(examined):
    torch.manual_seed(0)
    network, tower = ClickNetwork(), NoticeTower()
    pages = np.arange(12)
    together = float(
        batch_loss(network(collate(examined, pages).inputs), tower, collate(examined, pages)).detach()
    )
    alone = 0.0
    for page in pages:
        batch = collate(examined, np.array([page]))
        alone += float(batch_loss(network(batch.inputs), tower, batch).detach())
    assert together == pytest.approx(alone, rel=1e-4)


def test_the_notice_tower_learns_that_lower_places_are_seen_less(examined):
    """The shop's shoppers notice the next place 0.8 times as often."""
    learned, valid, _ = train.split(examined)
    tower = learn(learned, valid, Recipe(epoch_count=6)).tower
    place, template = torch.arange(5), torch.full((5,), int(examined.template[0]))
    with torch.no_grad():
        shares = torch.stack(
            [
                tower.share(torch.zeros(5).long(), place, torch.full((5,), device), template).exp()
                for device in (1, 2, 3)
            ]
        )
    assert (shares[:, 0] == 1).all()
    assert (shares.diff(dim=1) <= 0).all()
    assert float(shares[:, 4].mean()) < 0.9


def test_calibration_mends_shifted_odds(examined):
    learned, valid, test = train.split(examined)
    trained = learn(learned, valid, Recipe(epoch_count=2))
    with torch.no_grad():
        trained.network.heads.click.bias += 1.5
    spoiled = judging.measure(judging.predict(trained.network, trained.tower, test), test)
    calibrate(trained.network, trained.tower, valid)
    mended = judging.measure(judging.predict(trained.network, trained.tower, test), test)
    assert spoiled["click_predicted_to_observed"] > 2
    assert 0.7 < mended["click_predicted_to_observed"] < 1.4
    assert mended["click_auc"] == pytest.approx(spoiled["click_auc"], abs=0.02)


def test_the_graph_says_what_the_network_says(examined, tmp_path):
    torch.manual_seed(3)
    network = ClickNetwork().eval()
    path = tmp_path / "model.onnx"
    export.export(network, path)
    assert export.compare(network, path, examined) < 1e-5
    with torch.no_grad():
        network.heads.click.bias += 0.01
    with pytest.raises(export.ExportError):
        export.compare(network, path, examined)


def test_the_same_seed_trains_the_same_model(examined):
    small = examined.pages(0, 200)
    losses = [
        float(
            sum(
                p.abs().sum() for p in learn(small, small, Recipe(epoch_count=1)).network.parameters()
            ).detach()
        )
        for _ in range(2)
    ]
    assert losses[0] == losses[1]


def test_auc_by_hand():
    # Pairs of (event, other): 0.9 > 0.1, 0.9 > 0.5, 0.5 > 0.1, and 0.5 ties with 0.5: 3.5 of 4.
    assert metrics.auc(np.array([0.9, 0.5, 0.5, 0.1]), np.array([1, 1, 0, 0])) == 0.875
    assert metrics.auc(np.array([0.9, 0.5]), np.array([0, 0])) == 0.5


def test_logloss_and_calibration_error_by_hand():
    predicted, observed = np.array([0.5, 0.25]), np.array([1.0, 0.0])
    assert metrics.logloss(predicted, observed) == pytest.approx((np.log(2) - np.log(0.75)) / 2)
    # Two bins of one: |0.25 - 0| and |0.5 - 1|.
    assert metrics.calibration_error(predicted, observed, 2) == pytest.approx(0.375)


def test_batches_hold_every_item_once(examined):
    assert sum(float(batch.weight.sum()) for batch in batches(examined)) == len(examined.click)
