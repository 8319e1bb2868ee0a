"""How do several processes train one network?

`torchrun` starts them. All draw the same batches, each computes the gradient of its part of the pages, and
DistributedDataParallel averages the parts: one step is the step that one process would have taken, but for
the order in which floats are added.
"""

from __future__ import annotations

import contextlib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

import torch
from torch import distributed, nn

Answer = TypeVar("Answer")


@dataclass(frozen=True, slots=True)
class Team:
    """The processes of a run, and which of them this is."""

    rank: int = 0
    count: int = 1

    @property
    def is_first(self) -> bool:
        """Whether this process speaks for all: it reports, keeps and publishes."""
        return self.rank == 0

    def total(self, value: float) -> float:
        """The sum of all processes' values, the same in each."""
        if self.count == 1:
            return value
        summed = torch.tensor(value, dtype=torch.float64, device=self.device)
        distributed.all_reduce(summed)
        return float(summed)

    def of_first(self, work: Callable[[], Answer]) -> Answer:
        """What the first process answers to some work, in all of them; the others wait."""
        if self.count == 1:
            return work()
        answers = [work() if self.is_first else None]
        distributed.broadcast_object_list(answers)
        return cast(Answer, answers[0])

    def joined(self, module: nn.Module) -> nn.Module:
        """The module, its gradients averaged over all processes."""
        if self.count == 1:
            return module
        devices = [self.device] if self.device.type == "cuda" else None
        return nn.parallel.DistributedDataParallel(module, device_ids=devices)

    @property
    def device(self) -> torch.device:
        """A GPU of its own where there are GPUs."""
        if not torch.cuda.is_available():
            return torch.device("cpu")
        return torch.device("cuda", self.rank % torch.cuda.device_count())


ALONE = Team()


@contextlib.contextmanager
def team() -> Iterator[Team]:
    """The team that torchrun started, or this process alone."""
    if not distributed.is_torchelastic_launched():
        yield ALONE
        return
    distributed.init_process_group("nccl" if torch.cuda.is_available() else "gloo")
    try:
        yield Team(distributed.get_rank(), distributed.get_world_size())
    finally:
        distributed.destroy_process_group()
