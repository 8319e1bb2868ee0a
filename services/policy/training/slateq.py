"""How does a cascade model of whole pages learn from logged ones?

Cascade SlateQ: SlateQ's decomposition (Ie et al. 2019, arXiv:1905.12767) with a cascade in place of its
choice model. Four heads describe an action in a state: the probability of a click once examined, that of
going on after none, and the values of a click and of giving up, each with all that follows in the session.
Values of pages follow by the programme of `programme.py`; the next page's value is the bootstrap.
"""

from __future__ import annotations

import copy
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn import functional

from services.common.training_checkpoint import Progress
from services.policy import programme
from services.policy.programme import Array, Cascade
from services.policy.registry import CASCADE_OUTPUTS
from services.policy.training.course import UNWATCHED, Course
from services.policy.training.pages import TERMINAL, Described, Pages

HEADS = CASCADE_OUTPUTS
ANSWERED_AT_ONCE = 256
"""Pages whose hidden layers fit into the processor's cache together."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """How to train."""

    step_count: int = 2_500
    epoch_limit: float = 10.0
    """Most times that a page is learned from on average; small logs take fewer steps."""
    batch_size: int = 512
    learning_rate: float = 2e-3
    final_rate_share: float = 0.05
    weight_decay: float = 0.1
    polyak: float = 0.003
    """Share of the network that enters its average at each step. The bootstrap's programme picks the best of
    thousands of pages, so a faster average makes rising values of noise."""
    gradient_limit: float = 10.0
    monte_carlo_share: float = 0.25
    page_discount: float = 1.0
    """What the next page counts; 0 learns what is best for the page at hand."""
    value_weight: float = 1.0
    """Of the values' loss beside that of the probabilities."""
    shrinkage: float = 1.0
    """Of what actions add to values, towards nothing: rewards are rare, so most of what seems to be added is
    luck, and where actions add nothing the order is that of clicks, as it should be."""
    shrunk_page_count: int = 150_000
    """Pages beyond which shrinkage falls as one over their number: evidence takes the place of caution."""
    signal_weight: float = 1.0
    """Of the loss of what else clicks are followed by: frequent signals teach what rare purchases cannot."""
    width: int = 64
    """Of every hidden layer."""
    seed: int = 0

    def steps_for(self, page_count: int) -> int:
        """Steps to take on a log of this size."""
        return min(self.step_count, max(300, round(self.epoch_limit * page_count / self.batch_size)))


class CascadeNetwork(nn.Module):
    """The four heads over described actions; scaling of inputs and values is part of the network.

    Symbols: B states, A actions, D and E widths of state and action.
    """

    def __init__(self, state_width: int, action_width: int, signal_count: int, width: int = 64) -> None:
        super().__init__()
        self.state_trunk = nn.Sequential(nn.Linear(state_width, width), nn.ReLU(), nn.Linear(width, width))
        # The first layer over (state, action), split: its state half is computed once per state.
        self.action_half = nn.Linear(action_width, width)
        self.joint = nn.Sequential(nn.ReLU(inplace=True), nn.Linear(width, width), nn.ReLU(inplace=True))
        self.heads = nn.Linear(width, len(HEADS) + signal_count)
        # Values of a click and of giving up, whatever the action; heads hold what an action adds.
        self.common = nn.Sequential(nn.ReLU(), nn.Linear(width, 2))
        for name, size in (("state", state_width), ("action", action_width)):
            self.register_buffer(f"{name}_mean", torch.zeros(size))
            self.register_buffer(f"{name}_scale", torch.ones(size))
        self.register_buffer("value_mean", torch.zeros(()))
        self.register_buffer("value_scale", torch.ones(()))

    def fit_scaling(self, states: Tensor, actions: Tensor, returns: Tensor) -> None:
        """Takes means and deviations of (n, D), (n, E) and (n,)."""
        for name, given in (("state", states), ("action", actions)):
            deviation = given.std(0, correction=0)
            tame = torch.where(deviation < 1e-6, torch.ones_like(deviation), deviation.clamp_min(0.05))
            getattr(self, f"{name}_mean").copy_(given.mean(0))
            getattr(self, f"{name}_scale").copy_(tame)
        self.value_mean.copy_(returns.mean())
        self.value_scale.copy_(returns.std(correction=0).clamp_min(1e-3))

    def raw(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor]:
        """(B, A, 4 + G) logits of both probabilities, what actions add to both values, logits of signals;
        (B, 2) the values whatever the action; values in units of their scale."""
        trunk = self.state_trunk((states - self.state_mean) / self.state_scale)
        # Scaling goes into the weights, and sums into what is there: these are the largest tensors.
        weight = self.action_half.weight / self.action_scale
        hidden = functional.linear(actions, weight, self.action_half.bias - weight @ self.action_mean)
        return self.heads(self.joint(hidden.add_(trunk.unsqueeze(1)))), self.common(trunk)

    def forward(self, states: Tensor, actions: Tensor) -> tuple[Tensor, Tensor, Tensor, Tensor]:
        """(B, A) each, in the order of HEADS, of states (B, D) and actions (B, A, E)."""
        heads, common = self.raw(states, actions)
        click, scroll, clicked, stop = heads[..., : len(HEADS)].unbind(2)
        return (
            torch.sigmoid(click),
            torch.sigmoid(scroll),
            self.value_mean + self.value_scale * (clicked + common[:, :1]),
            self.value_mean + self.value_scale * (stop + common[:, 1:]),
        )

    def answer(self, states: Array, actions: Array) -> tuple[Array, ...]:
        """What `forward` says, from arrays to arrays, (B, A) float64 each."""
        given = (torch.from_numpy(each).split(ANSWERED_AT_ONCE) for each in (states, actions))
        with torch.no_grad():
            heads = [self(*part) for part in zip(*given, strict=True)]
        return tuple(torch.cat(head).numpy().astype(np.float64) for head in zip(*heads, strict=True))

    def cascade(self, states: Array, actions: Array) -> Cascade:
        """The cascade of pages (B, D) with actions (B, A, E)."""
        return Cascade.of(*self.answer(states, actions))


def learn(
    pages: Pages,
    recipe: Recipe,
    members: Array | None = None,
    on_step: Callable[[int, float], None] | None = None,
    network: CascadeNetwork | None = None,
    course: Course = UNWATCHED,
) -> CascadeNetwork:
    """A network trained on logged pages.

    Args:
        members: pages to learn from; all where None. Those that follow them may lie outside.
        on_step: called with the step and its loss.
        network: what to train; a new one where None.
        course: what to draw of it, and where to keep it.

    Raises:
        CheckpointError: where the course's checkpoint is of another run.
    """
    torch.set_num_threads(1)  # larger pools lose more in hand-over than these small layers gain
    torch.manual_seed(recipe.seed)
    generator = np.random.default_rng(recipe.seed)
    end, is_click = pages.ends()
    returns = pages.returns(recipe.page_discount)
    # From the slot that ended a page on: what it brought itself, and all that followed.
    page_reward = pages.reward.sum(1)
    pool = np.arange(len(pages)) if members is None else members
    if network is None:
        probe = generator.choice(pool, min(len(pool), 4_096), replace=False)
        described = pages.actions.chosen(probe, pages.placed[probe, 0])
        network = CascadeNetwork(
            pages.states.shape[1], described.shape[1], pages.signals.shape[1], recipe.width
        )
        network.fit_scaling(
            *map(torch.from_numpy, (pages.states[probe], described, returns[probe].astype(np.float32)))
        )
    target = copy.deepcopy(network).requires_grad_(False)
    online, averaged = list(network.parameters()), list(target.parameters())
    optimiser = torch.optim.AdamW(online, recipe.learning_rate, weight_decay=recipe.weight_decay, fused=True)
    step_count = recipe.steps_for(len(pool))
    shrinkage = recipe.shrinkage * min(1.0, recipe.shrunk_page_count / len(pool))
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(
        optimiser, step_count, recipe.learning_rate * recipe.final_rate_share
    )
    examined_page, examined_slot = np.nonzero(pages.is_examined[pool])
    examined_page = pool[examined_page]
    parts = {"network": network, "target": target, "optimiser": optimiser, "schedule": schedule}
    progress = Progress(parts, generator, recipe)
    for step in range(course.begin(progress), step_count):
        # Probabilities: of examined slots.
        some = generator.integers(len(examined_page), size=2 * recipe.batch_size)
        page, slot = examined_page[some], examined_slot[some]
        raw, _ = _chosen(network, pages, page, pages.placed[page, slot])
        clicked = torch.from_numpy(pages.is_clicked[page, slot]).float()
        loss = functional.binary_cross_entropy_with_logits(raw[:, 0], clicked)
        # Whether a shopper would have gone on below the last slot, nobody can see.
        knows = ~pages.is_clicked[page, slot] & (slot < pages.slot_count[page] - 1)
        goes_on = pages.is_examined[page, np.minimum(slot + 1, pages.slot_count[page] - 1)]
        each = functional.binary_cross_entropy_with_logits(
            raw[:, 1], torch.from_numpy(goes_on).float(), reduction="none"
        )
        known = torch.from_numpy(knows).float()
        loss = loss + (each * known).sum() / known.sum().clamp_min(1)
        # Values: of the slots in which pages ended.
        batch = pool[generator.integers(len(pool), size=recipe.batch_size)]
        if step < recipe.monte_carlo_share * step_count:
            wanted = returns[batch]
        else:
            wanted = page_reward[batch] + recipe.page_discount * _next_values(pages, batch, network, target)
        raw, common = _chosen(network, pages, batch, pages.placed[batch, end[batch]])
        by_click = torch.from_numpy(is_click[batch])
        added = torch.where(by_click, raw[:, 2], raw[:, 3])
        found = added + torch.where(by_click, common[:, 0], common[:, 1])
        scaled = (torch.from_numpy(wanted.astype(np.float32)) - network.value_mean) / network.value_scale
        loss = loss + recipe.value_weight * functional.mse_loss(found, scaled)
        loss = loss + shrinkage * added.square().mean()
        if recipe.signal_weight and is_click[batch].any():
            hits = torch.from_numpy(np.flatnonzero(is_click[batch]))
            told = torch.from_numpy(pages.signals[batch[hits.numpy()]].astype(np.float32))
            loss = (
                loss
                + recipe.signal_weight
                * functional.binary_cross_entropy_with_logits(raw[hits, len(HEADS) :], told)
                * told.shape[1]
            )
        optimiser.zero_grad()
        loss.backward()
        norm = nn.utils.clip_grad_norm_(online, recipe.gradient_limit)
        optimiser.step()
        schedule.step()
        torch._foreach_lerp_(averaged, online, recipe.polyak)
        course.after(step, progress, loss, norm, found)
        if on_step is not None:
            on_step(step, float(loss.detach()))
    network.eval()
    return network


def _chosen(network: CascadeNetwork, pages: Pages, page: Array, action: Array) -> tuple[Tensor, Tensor]:
    """(B, 4 + G) raw heads of one action of each page; (B, 2) values whatever the action."""
    described = torch.from_numpy(pages.actions.chosen(page, action)).unsqueeze(1)
    heads, common = network.raw(torch.from_numpy(pages.states[page]), described)
    return heads.squeeze(1), common


def _next_values(pages: Pages, batch: Array, network: CascadeNetwork, target: CascadeNetwork) -> Array:
    """(B,) values of the pages that followed: chosen by the network, valued by its average."""
    values = np.zeros(len(batch))
    going_on = np.flatnonzero(pages.following[batch] != TERMINAL)
    following = pages.following[batch[going_on]]
    for slot_count in np.unique(pages.slot_count[following]).tolist():
        here = pages.slot_count[following] == slot_count
        states, described = pages.states[following[here]], pages.actions.of(following[here])
        chosen = best_pages(network.cascade(states, described.actions), described, slot_count)
        actions = np.take_along_axis(described.actions, chosen[:, :, None], 1)
        in_place = np.broadcast_to(np.arange(slot_count), chosen.shape)
        values[going_on[here]] = programme.page_value(target.cascade(states, actions), in_place)
    return values


def best_pages(cascade: Cascade, described: Described, slot_count: int) -> Array:
    """(B, S) pages by the programme, each module in the template with the highest index."""
    rows = np.arange(len(described.module))[:, None]
    index = np.where(described.is_allowed, cascade.index, -np.inf)
    best = np.full((len(index), int(described.module.max()) + 1), -np.inf)
    np.maximum.at(best, (rows, described.module), index)
    is_free = described.is_allowed & (index >= best[rows, described.module])
    return programme.best_order(cascade, is_free, slot_count)[1]
