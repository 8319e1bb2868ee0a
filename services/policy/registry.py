"""Which policies are loaded, and which artifacts are refused?"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.common import inference, log
from services.common.artifacts import Artifact
from services.common.errors import Incompatible
from services.common.tensors import to_tensor
from services.common.watching import Versions
from services.policy import answering, page, planner, space
from services.policy.completion import Completion, Known
from services.policy.exploration import Exploration, Mode
from services.policy.page import Array, Facts, Offer, Progress
from services.policy.planner import Values
from services.policy.programme import Cascade
from services.policy.space import Encoding

MODEL_FILE = "model.onnx"
Q_VALUES, CASCADE, CLICK_ORDER = "q_values", "cascade", "click_order"
"""How pages are read from a graph: from a value per action and slot; from what a page of a cascade is worth;
or, of a cascade's graph, from the probabilities of a click alone: a yardstick to hold the others to."""
INPUTS = ("state", "actions", "allowed")
OUTPUT = "q_values"
CASCADE_INPUTS = ("state", "actions")
CASCADE_OUTPUTS = ("click", "scroll", "clicked_value", "stop_value")

_WARM_UP_COUNTS = (1, 60)


@dataclass(frozen=True, slots=True)
class Graph:
    """A loaded graph, and the columns of states and actions that it reads."""

    session: Any
    encoding: Encoding

    def run(self, outputs: Sequence[str], state: Array, actions: Array, **others: Array) -> list[Array]:
        """The outputs for one state (D,) and actions (a, E), all columns of the space's."""
        read = {
            "state": np.ascontiguousarray(state[None, : self.encoding.state_count]),
            "actions": np.ascontiguousarray(actions[None, :, : self.encoding.action_count]),
        }
        found: list[Array] = self.session.run(outputs, {**read, **others})
        return found


@dataclass(frozen=True, slots=True)
class Policy:
    """One loaded version."""

    version: str
    values: Callable[[Facts], Values]
    """Makes the value function of one page."""
    space_fingerprint: str = ""
    """Names the encoding of states and actions; empty for a policy that encodes nothing."""
    metrics: Mapping[str, float] = field(default_factory=dict)
    trained: datetime | None = None
    is_short: bool = False
    """Whether a page takes a few milliseconds at most: one run of a network, and none per slot."""


UNIFORM = Policy("uniform-0", lambda facts: Known(np.zeros(facts.shape.action_count)), is_short=True)
"""Equal values for all: what serves until a policy is trained. Exploration then draws uniformly."""


def open_registry(root: Path) -> Versions[Policy]:
    """The policies of a store, read for the first time; blocks.

    Raises:
        ConfigurationError: for an environment with two ONNX Runtime packages.
    """
    inference.choose_device("cpu", "device")
    _warm_up(UNIFORM)
    versions = Versions(root, open_policy, UNIFORM, log.logger("policy"))
    versions.refresh()
    return versions


def open_policy(artifact: Artifact) -> Policy:
    """A warm policy of a verified artifact.

    Raises:
        Incompatible: where it was trained for another encoding, or its graph does not run.
    """
    where = f"{artifact.path}"
    try:
        fingerprint = str(artifact.manifest["space_fingerprint"])
        trained = datetime.fromisoformat(artifact.manifest["trained"])
        metrics = {name: float(value) for name, value in artifact.manifest["metrics"].items()}
        kind = artifact.manifest.get("values", Q_VALUES)  # what older policies were
        answer, page_values = _KINDS[kind]
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        raise Incompatible(f"{where}: manifest: {type(error).__name__}: {error}") from None
    encoding = space.SERVED.get(fingerprint)
    if encoding is None:
        raise Incompatible(
            f"{where}: space_fingerprint is {fingerprint}, this service encodes {', '.join(space.SERVED)}"
        )
    try:
        # A network this small is faster on the CPU than the way to a GPU and back.
        graph = Graph(inference.open_session(artifact.file(MODEL_FILE), "cpu"), encoding)
        for count in _WARM_UP_COUNTS:
            state = np.zeros(len(space.STATE), np.float32)
            found = answer(graph, state, np.zeros((count, len(space.ACTION)), np.float32))
            if found.shape[-1:] != (count,) or not np.isfinite(found).all():
                raise Incompatible(f"{where}: does not answer finite values of every action")
        policy = Policy(
            artifact.version,
            lambda facts: page_values(graph, facts),
            fingerprint,
            metrics,
            trained,
            is_short=kind != Q_VALUES,
        )
        _warm_up(policy)
    except Incompatible:
        raise
    except Exception as error:  # ONNX Runtime's own exceptions share no base below Exception
        raise Incompatible(f"{where}: {error}") from None
    return policy


def _warm_up(policy: Policy) -> None:
    """Plans pages, so that all they need is compiled before a shopper waits for it."""
    exploration = Exploration(Mode.SOFTMAX, 0.1, 1.0)
    for last in ((), ("b",)):  # filled at once; and slot by slot, for what must be kept for the last
        request = policy_pb2.PlanPageRequest()
        column = to_tensor(np.zeros(1, np.float32))
        for name in ("click_probability", "purchase_probability", "margin", "freshness"):
            getattr(request.items, name).CopyFrom(column)
        for module_id in ("filler", "a", "b"):
            module = request.modules.add(module_id=module_id, rows=[0], is_filler=module_id == "filler")
            module.templates.add(template_id="grid", max_item_count=1)
        for index in range(3):  # one to search for, one to mend, a last
            request.slots.add(slot_id=f"{index}", allowed_module_ids=last if index == 2 else ())
        facts = page.decode(request)
        choices = planner.plan(facts, policy.values(facts), exploration, 0)
        answering.message_of(facts.shape, choices, policy.version, exploration)


def q_values(graph: Graph, state: Array, actions: Array) -> Array:
    """(a,) values of feasible actions (a, D) in a state (D,)."""
    found: Array = graph.run((OUTPUT,), state, actions, allowed=np.ones((1, len(actions)), bool))[0][0]
    return found


def cascade_heads(graph: Graph, state: Array, actions: Array) -> Array:
    """(4, A) probabilities of a click and of going on, values of a click and of giving up."""
    return np.concatenate(graph.run(CASCADE_OUTPUTS, state, actions)).astype(np.float64)


def _slot_values(graph: Graph, facts: Facts) -> Values:
    encoder = space.PageEncoder(facts)

    def values(progress: Progress, offer: Offer, actions: Array) -> Array:
        return q_values(graph, encoder.state(progress), encoder.actions(progress, offer, actions))

    return values


def _cascade_values(graph: Graph, facts: Facts) -> Values:
    state, actions, _ = space.describe(facts)
    heads = cascade_heads(graph, state, actions)
    return Completion(facts.shape, Cascade.of(*heads[:, None]))


def _click_values(graph: Graph, facts: Facts) -> Values:
    """Greedy click ranking: what is clicked most stands highest, and nothing below or later counts."""
    state, actions, _ = space.describe(facts)
    click = cascade_heads(graph, state, actions)[0]
    return Known(click)


_KINDS: Mapping[str, tuple[Callable[[Graph, Array, Array], Array], Callable[[Graph, Facts], Values]]] = {
    Q_VALUES: (q_values, _slot_values),
    CASCADE: (cascade_heads, _cascade_values),
    CLICK_ORDER: (cascade_heads, _click_values),
}
