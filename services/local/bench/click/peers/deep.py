"""How do the networks of deepctr-torch and torch-rechub do?

The architectures are theirs, with their own defaults where they have some; embeddings and perceptrons are as
wide as ours. One loop trains all: Adam, stopped by the held-out loss, best weights kept. Rows without a click
are thinned out, and the odds corrected for it (He et al. 2014, doi:10.1145/2648584.2648589). torch-rechub's
DIN reads codes alone, so numbers are cut into quantiles for it, as its own examples do.
"""

from __future__ import annotations

import copy
from collections.abc import Callable, Mapping
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn

from services.local.bench.click.case import Answer, Case
from services.local.bench.click.flat import CODES, HISTORY, Array, Flat
from services.local.bench.click.peers.reading import logloss, milliseconds, platt

_WIDTH = 8
_HIDDEN = (64, 32)
_BUCKET_COUNT = 16
_EPOCH_COUNT, _PATIENCE, _BATCH_SIZE = 4, 1, 1024
_NEGATIVE_SHARE = 0.4

Inputs = Mapping[str, Tensor]


@dataclass(frozen=True, slots=True)
class Scale:
    """How numbers become what networks read, fitted on the rows that are learned from."""

    mean: Array
    scale: Array
    edges: Array
    """(C, BUCKET_COUNT - 1) quantiles."""

    def columns(self, rows: Flat) -> Array:
        """(R, C) scaled."""
        return np.clip((rows.numbers - self.mean) / self.scale, -5, 5).astype(np.float32)

    def buckets(self, rows: Flat) -> Array:
        """(R, C) quantiles."""
        pairs = zip(rows.numbers.T, self.edges, strict=True)
        return np.column_stack([np.searchsorted(edges, column) for column, edges in pairs])


@dataclass(frozen=True, slots=True)
class Contestant:
    """A library's network, and how rows become its inputs."""

    network: nn.Module
    inputs: Callable[[Flat], Inputs]
    forward: Callable[[Inputs], Tensor]


def fit_deepctr_din(case: Case, seed: int) -> Answer:
    """DIN of deepctr-torch."""
    return _fit(case, seed, lambda scale, rows: _deepctr(scale, rows, has_history=True))


def fit_deepctr_dcn(case: Case, seed: int) -> Answer:
    """DCN of deepctr-torch, with full matrices as in DCN-v2."""
    return _fit(case, seed, lambda scale, rows: _deepctr(scale, rows, has_history=False))


def fit_rechub_din(case: Case, seed: int) -> Answer:
    """DIN of torch-rechub."""
    return _fit(case, seed, _rechub_din)


def fit_rechub_dcn(case: Case, seed: int) -> Answer:
    """DCN-v2 of torch-rechub."""
    return _fit(case, seed, _rechub_dcn)


def _fit(case: Case, seed: int, build: Callable[[Scale, Flat], Contestant]) -> Answer:
    torch.manual_seed(seed)
    generator = np.random.default_rng(seed)
    learned, valid, test = case.flat
    quantiles = np.linspace(0, 1, _BUCKET_COUNT + 1)[1:-1]
    sample = learned.numbers[generator.choice(len(learned.click), min(50_000, len(learned.click)))]
    scale = Scale(
        learned.numbers.mean(0),
        np.maximum(learned.numbers.std(0), 1e-3),
        np.quantile(sample, quantiles, axis=0).T,
    )
    one = build(scale, learned)
    optimiser = torch.optim.Adam(one.network.parameters(), 1e-3, weight_decay=1e-5)
    best_loss, best, waited = np.inf, copy.deepcopy(one.network.state_dict()), 0
    for _ in range(_EPOCH_COUNT):
        one.network.train()
        kept = np.flatnonzero((learned.click > 0) | (generator.random(len(learned.click)) < _NEGATIVE_SHARE))
        for rows in np.array_split(generator.permutation(kept), -(-len(kept) // _BATCH_SIZE)):
            batch = learned.take(rows)
            chance = one.forward(one.inputs(batch)).reshape(-1).clamp(1e-7, 1 - 1e-7)
            loss = nn.functional.binary_cross_entropy(chance, torch.from_numpy(batch.click))
            optimiser.zero_grad()
            loss.backward()
            optimiser.step()
        held_out = logloss(_predict(one, valid), valid.click)
        if held_out < best_loss:
            best_loss, best, waited = held_out, copy.deepcopy(one.network.state_dict()), 0
        else:
            waited += 1
            if waited == _PATIENCE:
                break
    one.network.load_state_dict(best)
    mend = platt(_predict(one, valid), valid.click)
    page = one.inputs(case.page)
    return Answer(
        valid=mend(_predict(one, valid)),
        test=mend(_predict(one, test)),
        parameter_count=sum(parameter.numel() for parameter in one.network.parameters()),
        page_ms=milliseconds(lambda: _forward(one, page)),
    )


def _predict(one: Contestant, rows: Flat) -> Array:
    """(R,) chances of a click, corrected for the rows that were left out."""
    one.network.eval()
    parts = [
        _forward(one, one.inputs(rows.take(part)))
        for part in np.array_split(np.arange(len(rows.click)), -(-len(rows.click) // 4096))
    ]
    chance = np.concatenate(parts)
    return chance / (chance + (1 - chance) / _NEGATIVE_SHARE)


def _forward(one: Contestant, inputs: Inputs) -> Array:
    with torch.no_grad():
        found: Array = one.forward(inputs).reshape(-1).numpy().astype(np.float64)
    return found


def _deepctr(scale: Scale, rows: Flat, has_history: bool) -> Contestant:
    from deepctr_torch import inputs as columns
    from deepctr_torch.models import DCN, DIN

    codes = [columns.SparseFeat(name, count, embedding_dim=_WIDTH) for name, count in CODES.items()]
    numbers = [columns.DenseFeat("numbers", len(rows.names))]
    length = rows.history["item"].shape[1]
    past = [
        columns.VarLenSparseFeat(
            columns.SparseFeat(f"hist_{name}", CODES[name], embedding_dim=_WIDTH, embedding_name=name),
            maxlen=length,
            length_name="seq_length",
        )
        for name in HISTORY
    ]
    if has_history:
        network = DIN([*codes, *numbers, *past], list(HISTORY), dnn_hidden_units=_HIDDEN)
    else:
        every = [*codes, *numbers]
        network = DCN(every, every, cross_parameterization="matrix", dnn_hidden_units=_HIDDEN)

    def read(batch: Flat) -> Inputs:
        named = {**batch.codes, "numbers": scale.columns(batch), "seq_length": batch.length}
        named |= {f"hist_{name}": batch.history[name][:, :length] for name in HISTORY}
        wide = [
            named[name].reshape(len(batch.click), -1).astype(np.float32) for name in network.feature_index
        ]
        return {"x": torch.from_numpy(np.concatenate(wide, 1))}

    return Contestant(network, read, lambda batch: network(batch["x"]))


def _rechub_dcn(scale: Scale, rows: Flat) -> Contestant:
    from torch_rechub.basic.features import DenseFeature, SparseFeature
    from torch_rechub.models.ranking import DCNv2

    codes = [SparseFeature(name, count, _WIDTH) for name, count in CODES.items()]
    numbers = [DenseFeature("numbers", len(rows.names))]
    network = DCNv2([*codes, *numbers], 2, {"dims": list(_HIDDEN)})

    def read(batch: Flat) -> Inputs:
        named = {name: torch.from_numpy(array) for name, array in batch.codes.items()}
        return {**named, "numbers": torch.from_numpy(scale.columns(batch))}

    return Contestant(network, read, network)


def _rechub_din(scale: Scale, rows: Flat) -> Contestant:
    from torch_rechub.basic.features import SequenceFeature, SparseFeature
    from torch_rechub.models.ranking import DIN

    rest = [SparseFeature(name, count, _WIDTH) for name, count in CODES.items() if name not in HISTORY]
    rest += [SparseFeature(f"bucket_{name}", _BUCKET_COUNT, _WIDTH) for name in rows.names]
    aimed = [SparseFeature(name, CODES[name], _WIDTH) for name in HISTORY]
    past = [
        SequenceFeature(f"hist_{name}", CODES[name], _WIDTH, pooling="concat", shared_with=name)
        for name in HISTORY
    ]
    length = rows.history["item"].shape[1]
    network = DIN(rest, past, aimed, {"dims": list(_HIDDEN)}, {"dims": [36]})

    def read(batch: Flat) -> Inputs:
        named = {name: torch.from_numpy(array) for name, array in batch.codes.items()}
        buckets = torch.from_numpy(scale.buckets(batch))
        named |= {f"bucket_{name}": buckets[:, column] for column, name in enumerate(batch.names)}
        past = {f"hist_{name}": batch.history[name][:, :length] for name in HISTORY}
        return named | {name: torch.from_numpy(np.ascontiguousarray(array)) for name, array in past.items()}

    return Contestant(network, read, network)
