"""What network predicts clicks and purchases?

Target attention over the shopper's history (DIN, Zhou et al. 2018, arXiv:1706.06978), two cross layers
beside a multi-layer perceptron (DCN-v2, Wang et al. 2021, arXiv:2008.13535), and two heads of which the
second is conditional on the first, so that purchases are learned from all examined items (ESMM, Ma et al.
2018, arXiv:1804.07931): P(purchase) = P(click) P(purchase | click).

Where an item stands decides whether it is noticed at all. A tower of its own learns that share in
training, as a factor (PAL, Guo et al. 2019), and stays behind when the model is served.

Symbols: P pages, I items of a page (padded), L length of the history, D width.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.tensors import TensorSpec
from services.scoring.signature import SPECS
from services.scoring.training.data import DEVICE_COUNT, PLACE_COUNT, SLOT_COUNT

Inputs = Mapping[str, Tensor]

ITEM_WIDTH = 16
CODE_WIDTH = 8
ATTENTION_WIDTH = 16
SHOPPER_WIDTH = 24
CROSS_COUNT = 2
HIDDEN_WIDTHS = (64, 32)

_RATE_FLOOR = 1e-4
_GENTLE = -4.0  # softplus of it: each place starts 2 % below the one before
_SPEC: dict[str, TensorSpec] = {spec.name: spec for spec in SPECS}
_NUMBERS = _SPEC["item_numbers"].columns
_RATES = (_NUMBERS.index("click_rate"), _NUMBERS.index("purchase_rate"))


@dataclass(frozen=True, slots=True)
class Logits:
    """What the network says, before calibration: (P, I) each."""

    click: Tensor
    """Log-odds of P(click | examined)."""
    conversion: Tensor
    """Log-odds of P(purchase | click)."""


class ClickNetwork(nn.Module):
    """Scores items before a shopper; an item's score does not depend on the others."""

    def __init__(self) -> None:
        super().__init__()
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
        self.query = nn.Linear(item_width, ATTENTION_WIDTH)
        history_width = code_width + 4 + len(_SPEC["history_numbers"].columns)
        self.key = nn.Linear(history_width, ATTENTION_WIDTH)
        self.memory = nn.Linear(history_width, ATTENTION_WIDTH)
        shopper_width = len(_SPEC["shopper_numbers"].columns) + vector_width + 4 * len(context)
        self.affinity = nn.Linear(_SPEC["category_affinity"].shape[0], CODE_WIDTH, bias=False)
        self.shopper = nn.Linear(shopper_width + CODE_WIDTH, SHOPPER_WIDTH)
        width = item_width + ATTENTION_WIDTH + 2 + SHOPPER_WIDTH
        self.crosses = nn.ModuleList(nn.Linear(width, width) for _ in range(CROSS_COUNT))
        layers: list[nn.Module] = []
        before = width
        for hidden in HIDDEN_WIDTHS:
            layers += [nn.Linear(before, hidden), nn.ReLU()]
            before = hidden
        self.deep = nn.Sequential(*layers)
        self.click = nn.Linear(width + before, 1)
        self.conversion = nn.Linear(width + before, 1)
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
            for head, rate in ((self.click, click_rate), (self.conversion, conversion_rate)):
                head.weight.mul_(0.1)
                head.bias.fill_(float(torch.logit(torch.tensor(rate), eps=1e-4)))

    def forward(self, inputs: Inputs) -> Logits:
        """(P, I) log-odds; item inputs are (P, I, ...), shopper inputs (P, ...)."""
        item = self._items(inputs)
        history, is_event = self._history(inputs)
        read = self._attend(item, history, is_event)
        category = inputs["item_ids"][..., 1].long()
        affinity = inputs["category_affinity"].gather(1, category)
        likeness = (inputs["item_vector"] * inputs["shopper_vector"].unsqueeze(1)).sum(-1)
        shopper = self._shopper(inputs).unsqueeze(1).expand(-1, item.shape[1], -1)
        start = torch.cat([item, read, affinity.unsqueeze(-1), likeness.unsqueeze(-1), shopper], -1)
        crossed = start
        for cross in self.crosses:
            crossed = start * cross(crossed) + crossed
        features = torch.cat([crossed, self.deep(start)], -1)
        return Logits(self.click(features).squeeze(-1), self.conversion(features).squeeze(-1))

    def calibrated(self, logits: Logits) -> Logits:
        """The log-odds that are served."""
        return Logits(
            self.click_slope * logits.click + self.click_shift, logits.conversion + self.conversion_shift
        )

    def _items(self, inputs: Inputs) -> Tensor:
        ids = inputs["item_ids"].long()
        numbers = (_with_log_rates(inputs["item_numbers"]) - self.number_mean) / self.number_scale
        parts = [self._codes(ids), self.kind(ids[..., 3]), numbers.clamp(-5, 5), inputs["item_vector"]]
        return torch.cat(parts, -1)

    def _history(self, inputs: Inputs) -> tuple[Tensor, Tensor]:
        """(P, L, D) and (P, L) true where there was an event."""
        ids = inputs["history_ids"].long()
        parts = [self._codes(ids), self.event(ids[..., 3]), inputs["history_numbers"].clamp(-8, 8)]
        return torch.cat(parts, -1), ids[..., 3] > 0

    def _codes(self, ids: Tensor) -> Tensor:
        return torch.cat([self.item(ids[..., 0]), self.category(ids[..., 1]), self.brand(ids[..., 2])], -1)

    def _attend(self, item: Tensor, history: Tensor, is_event: Tensor) -> Tensor:
        """(P, I, ATTENTION_WIDTH) what each item finds in the history; zeros in an empty one."""
        keys, memory = self.key(history), self.memory(history)
        scores = self.query(item) @ keys.transpose(1, 2) / ATTENTION_WIDTH**0.5
        scores = scores.masked_fill(~is_event.unsqueeze(1), -1e9)
        read = torch.softmax(scores, -1) @ memory
        found: Tensor = read * is_event.any(-1).to(read.dtype)[:, None, None]
        return found

    def _shopper(self, inputs: Inputs) -> Tensor:
        context = inputs["context_ids"].long()
        parts = [
            inputs["shopper_numbers"].clamp(-10, 10),
            inputs["shopper_vector"],
            self.affinity(inputs["category_affinity"]),
            *(table(context[:, column]) for column, table in enumerate(self.context)),
        ]
        return functional.relu(self.shopper(torch.cat(parts, -1)))


class NoticeTower(nn.Module):
    """How much of the attention that the first place of the first slot gets is left further down.

    The share falls from place to place and never rises: a factor that may do both would be free to take
    over what belongs to the item.
    """

    def __init__(self) -> None:
        super().__init__()
        self.slot = nn.Parameter(torch.full((SLOT_COUNT - 1,), _GENTLE))
        self.place = nn.Parameter(torch.full((DEVICE_COUNT, PLACE_COUNT - 1), _GENTLE))

    def forward(self, slot: Tensor, place: Tensor, device: Tensor) -> Tensor:
        """Log of the share, 0 or less, in the shape of the arguments."""
        by_slot = functional.pad(functional.softplus(self.slot).cumsum(0), (1, 0))
        by_place = functional.pad(functional.softplus(self.place).cumsum(1), (1, 0))
        result: Tensor = -(by_slot[slot] + by_place[device, place])
        return result


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


def _table(count: int, width: int) -> nn.Embedding:
    table = nn.Embedding(count, width)
    nn.init.normal_(table.weight, std=0.01)
    return table


def _with_log_rates(numbers: Tensor) -> Tensor:
    rates = [torch.log(numbers[..., rate : rate + 1].clamp_min(0.0) + _RATE_FLOOR) for rate in _RATES]
    return torch.cat([numbers, *rates], -1)
