"""What did the rules do to a page? Each rule that bound says so, and what contradicts is named."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

from planogram.layout.v1 import layout_pb2


@dataclass(slots=True)
class Effects:
    """What rules did, by rule: how many items or modules it concerned."""

    counts: dict[str, tuple[str, int]] = field(default_factory=dict)
    """By name: action and count."""
    conflicts: list[layout_pb2.RuleConflict] = field(default_factory=list)

    def note(self, rule: str, action: str, count: int) -> None:
        """Adds to what a rule did; nothing where it did not bind."""
        if count:
            self.counts[rule] = action, self.counts.get(rule, (action, 0))[1] + count

    def conflict(self, rules: Sequence[str], problem: str) -> None:
        """Notes what these rules made impossible, and what was done about it."""
        self.conflicts.append(layout_pb2.RuleConflict(rules=rules, problem=problem))

    def messages(self) -> list[layout_pb2.RuleEffect]:
        """As a page states them."""
        return [
            layout_pb2.RuleEffect(rule=rule, action=action, count=count)
            for rule, (action, count) in self.counts.items()
        ]
