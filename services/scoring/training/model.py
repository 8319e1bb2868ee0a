"""What network predicts clicks and purchases?

An encoder reads the shopper's history for the items (`encoders.py`), matches are counted (`matches.py`), and
cross layers (DCN-v2, Wang et al. 2021, arXiv:2008.13535) stand beside perceptrons under two heads
(`heads.py`). Where an item stands is the business of a tower of its own (`notice.py`), which stays behind
when the model is served.

What depends on the shopper alone is computed once, and meets the items inside the graph.
Symbols: P pages, I items of a page (padded), L length of the history, D width.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.tensors import TensorSpec
from services.scoring.signature import SPECS
from services.scoring.training import matches
from services.scoring.training.architecture import DEFAULT, Architecture
from services.scoring.training.encoders import ENCODERS
from services.scoring.training.heads import HEADS, Logits, SplitLinear
from services.scoring.training.matches import Matches

Inputs = Mapping[str, Tensor]

ITEM_WIDTH = 16
CODE_WIDTH = 8
ATTENTION_WIDTH = 16
SHOPPER_WIDTH = 24

_RATE_FLOOR = 1e-4
_SPEC: dict[str, TensorSpec] = {spec.name: spec for spec in SPECS}
_NUMBERS = _SPEC["item_numbers"].columns
_RATES = (_NUMBERS.index("click_rate"), _NUMBERS.index("purchase_rate"))


class ClickNetwork(nn.Module):
    """Scores items before a shopper; an item's score does not depend on the others."""

    def __init__(self, shape: Architecture = DEFAULT) -> None:
        super().__init__()
        self.shape = shape
        ids, history, context = (
            _SPEC[name].cardinality for name in ("item_ids", "history_ids", "context_ids")
        )
        self.item = _table(ids["item"], ITEM_WIDTH)
        self.category = _table(ids["category"], CODE_WIDTH)
        self.brand = _table(ids["brand"], CODE_WIDTH)
        self.kind = _table(ids["kind"], 2)
        self.event = _table(history["event"], 4)
        self.context = nn.ModuleList(_table(count, 4) for count in context.values())
        number_width = len(_NUMBERS) + len(_RATES)
        vector_width = _SPEC["item_vector"].shape[1]
        code_width = ITEM_WIDTH + 2 * CODE_WIDTH
        item_width = code_width + 2 + number_width + vector_width
        event_width = code_width + 4 + len(_SPEC["history_numbers"].columns)
        self.encoder = ENCODERS[shape.encoder](item_width, event_width, ATTENTION_WIDTH)
        self.matches = Matches() if shape.has_matches else None
        facts_width = len(_SPEC["shopper_numbers"].columns) + vector_width + 4 * len(context)
        self.affinity = nn.Linear(_SPEC["category_affinity"].shape[0], CODE_WIDTH, bias=False)
        self.facts = nn.Linear(facts_width + CODE_WIDTH, SHOPPER_WIDTH)
        met_width = item_width + 2 + (matches.WIDTH if shape.has_matches else 0)
        shopper_width = SHOPPER_WIDTH
        if self.encoder.is_per_item:
            met_width += ATTENTION_WIDTH
        else:
            shopper_width += ATTENTION_WIDTH
        width = met_width + shopper_width
        # What of item and shopper is read from here on; pruning leaves some columns.
        self.item_columns: nn.Module = nn.Identity()
        self.shopper_columns: nn.Module = nn.Identity()
        self.first_cross = SplitLinear(met_width, shopper_width, width) if shape.cross_count else None
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(shape.cross_count - 1))
        self.heads = HEADS[shape.heads](met_width, shopper_width, shape)
        self.register_buffer("number_mean", torch.zeros(number_width))
        self.register_buffer("number_scale", torch.ones(number_width))
        # Calibration, fitted after training: log-odds become slope * log-odds + shift.
        self.register_buffer("click_slope", torch.ones(()))
        self.register_buffer("click_shift", torch.zeros(()))
        self.register_buffer("conversion_shift", torch.zeros(()))

    def fit_scaling(self, item_numbers: Tensor, click_rate: float, conversion_rate: float) -> None:
        """Takes means and deviations of (R, columns), and starts both heads at the base rates."""
        numbers = _with_log_rates(item_numbers)
        self.number_mean.copy_(numbers.mean(0))
        self.number_scale.copy_(numbers.std(0, correction=0).clamp_min(1e-3))
        with torch.no_grad():
            for head, rate in ((self.heads.click, click_rate), (self.heads.conversion, conversion_rate)):
                head.weight.mul_(0.1)
                head.bias.fill_(float(torch.logit(torch.tensor(rate), eps=1e-4)))

    def forget_rare(self, counts: Mapping[str, Tensor], min_count: int) -> None:
        """Holds the embeddings of what was met less than `min_count` times at 0, as those of the unknown.

        Args:
            counts: of each code of the tables `item`, `category` and `brand`.
        """
        for name, count in counts.items():
            table = getattr(self, name)
            is_known = (count >= min_count).unsqueeze(1).to(table.weight.dtype)
            with torch.no_grad():
                table.weight.mul_(is_known)
            table.weight.register_hook(_masking(is_known))

    def forward(self, inputs: Inputs) -> Logits:
        """(P, I) log-odds; item inputs are (P, I, ...), shopper inputs (P, ...)."""
        if not self.shape.has_text:
            names = ("item_vector", "shopper_vector")
            inputs = {**inputs, **{name: torch.zeros_like(inputs[name]) for name in names}}
        item, shopper = self._items(inputs), self._shopper(inputs).unsqueeze(1)
        read = self.encoder(item, *self._history(inputs))
        met = [item, *self._meetings(inputs)]
        if self.encoder.is_per_item:
            met.append(read)
        else:
            shopper = torch.cat([shopper, read], -1)
        return self._answer(torch.cat(met, -1), shopper)

    def calibrated(self, logits: Logits) -> Logits:
        """The log-odds that are served."""
        return Logits(
            self.click_slope * logits.click + self.click_shift, logits.conversion + self.conversion_shift
        )

    def _answer(self, item: Tensor, shopper: Tensor) -> Logits:
        """Logits of (P, I, D) items and their (P, 1, D) shoppers."""
        item, shopper = self.item_columns(item), self.shopper_columns(shopper)
        start = torch.cat([item, shopper.expand(-1, item.shape[1], -1)], -1)
        crossed = start
        if self.first_cross is not None:
            crossed = start * self.first_cross(item, shopper) + start
        for cross in self.crosses:
            crossed = start * cross(crossed) + crossed
        found: Logits = self.heads(item, shopper, crossed)
        return found

    def _items(self, inputs: Inputs) -> Tensor:
        ids = inputs["item_ids"].long()
        numbers = (_with_log_rates(inputs["item_numbers"]) - self.number_mean) / self.number_scale
        parts = [self._codes(ids), self.kind(ids[..., 3]), numbers.clamp(-5, 5), inputs["item_vector"]]
        return torch.cat(parts, -1)

    def _meetings(self, inputs: Inputs) -> list[Tensor]:
        """What item and shopper have in common, (P, I, ...) each."""
        ids = inputs["item_ids"].long()
        affinity = inputs["category_affinity"].gather(1, ids[..., 1]).unsqueeze(-1)
        likeness = (inputs["item_vector"] * inputs["shopper_vector"].unsqueeze(1)).sum(-1, keepdim=True)
        if self.matches is None:
            return [affinity, likeness]
        ages = inputs["history_numbers"][..., 0]
        return [affinity, likeness, self.matches(ids, inputs["history_ids"].long(), ages)]

    def _history(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """(P, L, D) and (P, L) true where there was an event."""
        ids = inputs["history_ids"].long()
        parts = [self._codes(ids), self.event(ids[..., 3]), inputs["history_numbers"].clamp(-8, 8)]
        return torch.cat(parts, -1), ids[..., 3] > 0

    def _codes(self, ids: Tensor) -> Tensor:
        return torch.cat([self.item(ids[..., 0]), self.category(ids[..., 1]), self.brand(ids[..., 2])], -1)

    def _shopper(self, inputs: Inputs) -> Tensor:
        context = inputs["context_ids"].long()
        parts = [
            inputs["shopper_numbers"].clamp(-10, 10),
            inputs["shopper_vector"],
            self.affinity(inputs["category_affinity"]),
            *(table(context[:, column]) for column, table in enumerate(self.context)),
        ]
        return functional.relu(self.facts(torch.cat(parts, -1)))


class ServedModel(nn.Module):
    """What is exported: one shopper, N items, calibrated probabilities, no notice tower."""

    def __init__(self, network: ClickNetwork) -> None:
        super().__init__()
        self.network = network

    def forward(self, *arrays: Tensor) -> tuple[Tensor, Tensor]:
        """(N,) click and purchase probabilities of the inputs in the order of SPECS."""
        inputs = {spec.name: array.unsqueeze(0) for spec, array in zip(SPECS, arrays, strict=True)}
        logits = self.network.calibrated(self.network(inputs))
        click = torch.sigmoid(logits.click).squeeze(0)
        return click, click * torch.sigmoid(logits.conversion).squeeze(0)


def _masking(is_known: Tensor) -> Callable[[Tensor], Tensor]:
    return lambda gradient: gradient * is_known.to(gradient.device)


def _table(count: int, width: int) -> nn.Embedding:
    table = nn.Embedding(count, width)
    nn.init.normal_(table.weight, std=0.01)
    return table


def _with_log_rates(numbers: Tensor) -> Tensor:
    rates = [torch.log(numbers[..., rate : rate + 1].clamp_min(0.0) + _RATE_FLOOR) for rate in _RATES]
    return torch.cat([numbers, *rates], -1)
