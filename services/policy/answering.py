"""How is a plan told to the caller?"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from planogram.policy.v1 import policy_pb2
from services.policy import wire
from services.policy.exploration import Exploration, Mode
from services.policy.planner import Choice
from services.policy.recount import Mask
from services.policy.shape import Shape

_MODES = {
    Mode.GREEDY: policy_pb2.EXPLORATION_MODE_GREEDY,
    Mode.EPSILON_GREEDY: policy_pb2.EXPLORATION_MODE_EPSILON_GREEDY,
    Mode.SOFTMAX: policy_pb2.EXPLORATION_MODE_SOFTMAX,
}
_REASONS = np.array([getattr(policy_pb2, f"MASK_REASON_{mask.name}") if mask else 0 for mask in Mask])
"""Codes of the contract, by Mask; 0 where there is none."""


def message_of(
    shape: Shape, choices: Sequence[Choice], version: str, exploration: Exploration
) -> policy_pb2.PlanPageResponse:
    """The answer to a plan request, of a choice per slot.

    Args:
        version: of the policy that chose.
    """
    answered = policy_pb2.PlanPageResponse(
        policy_version=version,
        exploration=policy_pb2.Exploration(
            mode=_MODES[exploration.mode],
            epsilon=exploration.epsilon,
            temperature=exploration.temperature,
        ),
    )
    for slot_id, choice in zip(shape.slot_ids, choices, strict=True):
        # Filled in place: a message that is put into another is copied.
        decision = answered.slots.add(
            slot_id=slot_id,
            module_id=shape.module_ids[shape.module[choice.action]],
            template_id=shape.template_ids[choice.action],
            q_value=choice.value,
            propensity=choice.propensity,
            is_explored=choice.is_explored,
        )
        decision.MergeFromString(
            wire.columns_of(
                rows=choice.rows,
                feasible=choice.feasible,
                module=shape.module,
                template=shape.template,
                propensities=choice.feasible_propensities,
                values=choice.feasible_values,
                reasons=_REASONS[choice.masked],
            )
        )
    return answered
