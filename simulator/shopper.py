"""Who visits the synthetic shop: what it may know of them, and what it may not?"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from planogram.common.v1 import context_pb2
from simulator.world import World

SHOPPER_COUNT = 5_000
COLD_SHARE = 0.35
SEGMENT_ACCURACY = 0.75
REFUSAL_SHARE = 0.04
BOT_SHARE = 0.01

DEVICES = (context_pb2.DEVICE_DESKTOP, context_pb2.DEVICE_PHONE, context_pb2.DEVICE_TABLET)
_DEVICE_SHARE = (0.45, 0.45, 0.10)


@dataclass(frozen=True, slots=True)
class Traits:
    """What a shop may know of its shoppers, P of them.

    Attributes:
        segment: (P,) marketing segment, right three times in four; empty for cold shoppers.
        is_cold: (P,) true for those who come as a guest, under a new id each time.
        device: (P,) position in DEVICES.
        activity: (P,) share of sessions that are theirs; sums to 1.
    """

    user_ids: Sequence[str]
    segment: Sequence[str]
    is_cold: np.ndarray
    has_consent: np.ndarray
    is_bot: np.ndarray
    device: np.ndarray
    activity: np.ndarray


@dataclass(frozen=True, slots=True)
class Population:
    """Shoppers with their secret.

    Attributes:
        kind: (P,) type of each shopper; hidden.
    """

    traits: Traits
    kind: np.ndarray

    def relabelled(self, order: Sequence[int]) -> Population:
        """The same shoppers with type number k named order[k]."""
        return replace(self, kind=np.asarray(order)[self.kind])


def populate(world: World, seed: int, count: int = SHOPPER_COUNT) -> Population:
    """The shoppers of a seed."""
    random = np.random.default_rng([seed, 0x5A0])
    kind = random.choice(len(world.type_share), count, p=world.type_share)
    is_right = random.random(count) < SEGMENT_ACCURACY
    guess = random.integers(len(world.segments), size=count)
    is_cold = random.random(count) < COLD_SHARE
    activity = random.gamma(0.8, 1.0, count)
    return Population(
        Traits(
            user_ids=[f"shopper-{number:05d}" for number in range(count)],
            segment=[
                "" if cold else world.segments[own if right else other]
                for cold, right, own, other in zip(is_cold, is_right, kind, guess, strict=True)
            ],
            is_cold=is_cold,
            has_consent=random.random(count) >= REFUSAL_SHARE,
            is_bot=random.random(count) < BOT_SHARE,
            device=random.choice(len(DEVICES), count, p=_DEVICE_SHARE),
            activity=activity / activity.sum(),
        ),
        kind,
    )
