"""What is one side of a comparison, and what do two sides not share?"""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field

from planogram.layout.v1 import layout_pb2

WANTED = "policy:VERSION, scoring:VERSION and greedy, with commas between"


class ArmError(ValueError):
    """A side that cannot be composed as it was written."""


@dataclass(frozen=True, slots=True)
class Arm:
    """Versions, exploration and files for one side; by default what serves today."""

    policy_version: str = ""
    scoring_version: str = ""
    is_greedy: bool = False
    files: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Arm:
        """An arm as an address names it, such as "policy:uniform-0,greedy"; empty is what serves today.

        Raises:
            ArmError: naming the part that is not understood.
        """
        policy_version = scoring_version = ""
        is_greedy = False
        for part in filter(None, (part.strip() for part in text.split(","))):
            kind, _, version = part.partition(":")
            if part == "greedy":
                is_greedy = True
            elif kind == "policy" and version:
                policy_version = version
            elif kind == "scoring" and version:
                scoring_version = version
            else:
                raise ArmError(f"{part!r} is no arm: want {WANTED}")
        return cls(policy_version, scoring_version, is_greedy)

    def of(self, asked: layout_pb2.ComposePageRequest) -> layout_pb2.ComposePageRequest:
        """The question of this side: a preview, which nothing learns from."""
        question = layout_pb2.ComposePageRequest()
        question.CopyFrom(asked)
        question.overrides.is_preview = True
        question.overrides.is_greedy = self.is_greedy
        question.overrides.policy_version = self.policy_version
        question.overrides.scoring_version = self.scoring_version
        question.overrides.configuration.update(self.files)
        return question


@dataclass(frozen=True, slots=True)
class Side:
    """One composed side: its page, or why there is none."""

    label: str
    page: layout_pb2.Page
    problem: str = ""

    def is_same_slot(self, place: int, other: Side) -> bool:
        """Whether the other side has the same module, template and items in this place."""
        if place >= len(other.page.slots):
            return False
        return _drawn(self.page.slots[place]) == _drawn(other.page.slots[place])

    @property
    def item_ids(self) -> Collection[str]:
        """Everything that stands somewhere on the page."""
        return {item.item_id for slot in self.page.slots for item in slot.items}


def _drawn(slot: layout_pb2.Slot) -> tuple[str, str, list[str]]:
    return slot.module_id, slot.template_id, [item.item_id for item in slot.items]
