"""What could anybody earn who knew the shop: all that is hidden, or all that can be inferred?

The one package, beside the shop itself, that reads hidden state; it writes scores and nothing else.
"""

from simulator.oracle.filter import Filter
from simulator.oracle.minds import Continuation, Following, Odds, Space, odds
from simulator.oracle.pages import Slots, best_pages, page_value, programme, slots_of
from simulator.oracle.qmdp import Qmdp
from simulator.oracle.solver import SOLVABLE, Clairvoyant, Solution, solve

__all__ = [
    "SOLVABLE",
    "Clairvoyant",
    "Continuation",
    "Filter",
    "Following",
    "Odds",
    "Qmdp",
    "Slots",
    "Solution",
    "Space",
    "best_pages",
    "odds",
    "page_value",
    "programme",
    "slots_of",
    "solve",
]
