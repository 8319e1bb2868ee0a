"""Front pages alone, thousands of sessions at a time: the decision problem that learners are compared on.

What a policy gets to see is an `Observed`; what happened is a `Trace` of public facts.
"""

from simulator.front.columns import concatenated, taken
from simulator.front.page import is_cascade
from simulator.front.records import Decision, Outcome, Policy, Trace, joined
from simulator.front.seen import Acts, History, Observed
from simulator.front.sessions import MAX_PAGES, Part, play
from simulator.front.shop import DEVICE_SHARE, SLOT_COUNT, Catalogue, Front, build
from simulator.front.uniform import Uniform

__all__ = [
    "DEVICE_SHARE",
    "MAX_PAGES",
    "SLOT_COUNT",
    "Acts",
    "Catalogue",
    "Decision",
    "Front",
    "History",
    "Observed",
    "Outcome",
    "Part",
    "Policy",
    "Trace",
    "Uniform",
    "build",
    "concatenated",
    "is_cascade",
    "joined",
    "play",
    "taken",
]
