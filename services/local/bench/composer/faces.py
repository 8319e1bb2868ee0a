"""What is one policy worth beside another, on composed pages and on the vectorised face of a world?"""

from __future__ import annotations

import shutil
from collections.abc import Sequence
from dataclasses import dataclass, replace
from enum import StrEnum

import numpy as np

from services.common import artifacts
from services.local.bench.composer.shop import MARGIN, Shop, send
from services.local.bench.composer.sizes import Size
from services.local.bench.policy import sizes as vectorised
from services.local.bench.policy.contenders import Array, CascadePolicy, ClickOrder
from services.local.bench.policy.front_pages import Encoder, pages_of
from services.policy.training import rewards, slateq
from services.policy.training.pages import Pages
from simulator import front
from simulator.front import Observed, Policy, Trace

GREEDY = {"PLANOGRAM_POLICY_EXPLORATION_MODE": "greedy"}
TEST_STRETCH = 0


@dataclass(frozen=True, slots=True)
class Sessions:
    """What sessions came to, one row each; row n is the same shopper with the same luck whatever was shown.

    Attributes:
        value: (n,) expected margin.
        pages, clicks: (n,)
        degraded_count: pages that some service did not help with.
    """

    value: Array
    pages: Array
    clicks: Array
    degraded_count: int = 0


@dataclass(frozen=True, slots=True)
class Ratio:
    """One mean over another, over n pairs."""

    value: float
    standard_error: float

    @classmethod
    def of(cls, above: Array, below: Array) -> Ratio:
        """By the delta method, pair by pair."""
        value = float(above.mean() / below.mean())
        spread = float((above - value * below).std(ddof=1))
        return cls(value, spread / (len(above) ** 0.5 * float(below.mean())))


def browsed(shop: Shop, policy: artifacts.Artifact, size: Size) -> Sessions:
    """Test sessions on pages that a published policy lays out greedily through the composer.

    The shop's state is left as it was: each policy meets profiles of the same past.
    """
    artifacts.point(shop.state.policy_models, policy.version)
    feature, segments = shop.state.root / "test-feature", shop.state.root / "test-segments"
    for folder in (feature, segments):
        shutil.rmtree(folder, ignore_errors=True)
    shutil.copytree(shop.state.feature, feature)
    settings = {
        **GREEDY,
        "PLANOGRAM_FEATURE_STATE_PATH": str(feature),
        "PLANOGRAM_LAYOUT_LOG_PATH": str(segments),
    }
    report = send(shop, size.test_sessions, TEST_STRETCH, "test", settings)
    tally = report.tally
    return Sessions(
        tally.of("expected_margin"), tally.of("pages"), tally.of("clicked_pages"), report.degraded_page_count
    )


class Face(StrEnum):
    """Which vectorised face of a world, and what is known there."""

    ALIKE = "same log"
    """As composed pages are: modules that depend on a shopper's past, nobody's segment known, rewards by the
    policy service's weights."""
    KNOWN = "same log, segments known"
    """The same where a marketing department says who comes."""
    PLAIN = "same log, no modules of the past"
    """The same without the modules that depend on a shopper's past, which greedy order makes good use of."""
    FULL = "full log, sales alone"
    """The shop, the log and the reward that learners are compared with: segments known, no such modules."""


def played(shop: Shop, face: Face, log_sessions: int, test_sessions: int) -> list[Sessions]:
    """Cascade SlateQ and its click order on tabulated front pages of the same world."""
    is_rich = face in (Face.ALIKE, Face.KNOWN)
    made = front.build(shop.drawn, season_count=1, daypart_count=1, is_rich=is_rich)
    uniform = front.Uniform(made.catalogue)
    trace = front.play(made, uniform, log_sessions, vectorised.LOG_SEED, is_traced=True).trace
    assert trace is not None
    encoder = Strangers(made) if face in (Face.ALIKE, Face.PLAIN) else Encoder(made)
    pages = pages_of(encoder, trace)
    if face is not Face.FULL:
        pages = _weighed(pages, trace)
    network = slateq.learn(pages, vectorised.Size().recipe)
    policies: Sequence[Policy] = (CascadePolicy(encoder, network), ClickOrder(encoder, network))
    outcomes = (front.play(made, policy, test_sessions, vectorised.TEST_SEED) for policy in policies)
    return [Sessions(outcome.value, outcome.pages, outcome.clicks) for outcome in outcomes]


def _weighed(pages: Pages, trace: Trace) -> Pages:
    """The same pages with rewards by the weights of the policy service, where a whole sale earns MARGIN."""
    weights, acts = rewards.load(), trace.acts
    of_sale = weights.purchase + weights.purchase_margin * np.minimum(
        MARGIN * acts.margin, weights.margin_limit
    )
    reward = np.where(acts.margin > 0, of_sale, 0.0) + weights.click * acts.is_clicked
    end, _ = pages.ends()
    reward[np.arange(len(end)), end] += weights.dwell * acts.is_dwelled + weights.cart_add * acts.is_carted
    return replace(pages, reward=reward.astype(np.float32))


class Strangers(Encoder):
    """The front pages' encoding without segments."""

    def states(self, observed: Observed) -> Array:
        nobody = np.full_like(observed.segment, len(self.front.world.type_share))
        return super().states(replace(observed, segment=nobody))
