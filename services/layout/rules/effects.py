"""What did the rules do to a page? Each rule that bound says so, and what contradicts is named."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from planogram.layout.v1 import layout_pb2


class Effects:
    """What rules did: how many items or modules each concerned."""

    def __init__(self, actions: Mapping[str, str]) -> None:
        """
        Args:
            actions: what each rule does, such as "hide", by its name.
        """
        self._actions = actions
        self._counts: dict[str, int] = {}
        self.conflicts: list[layout_pb2.RuleConflict] = []

    def note(self, rule: str, count: int) -> None:
        """Adds to what a rule did; nothing where it did not bind."""
        if count:
            self._counts[rule] = self._counts.get(rule, 0) + count

    def conflict(self, rules: Sequence[str], problem: str) -> None:
        """Notes what these rules made impossible, and what was done about it."""
        self.conflicts.append(layout_pb2.RuleConflict(rules=rules, problem=problem))

    def messages(self) -> list[layout_pb2.RuleEffect]:
        """As a page states them."""
        return [
            layout_pb2.RuleEffect(rule=rule, action=self._actions[rule], count=count)
            for rule, count in self._counts.items()
        ]
