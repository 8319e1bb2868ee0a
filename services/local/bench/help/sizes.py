"""How much is browsed and learned in the proof on help pages?"""

from __future__ import annotations

from dataclasses import dataclass

from simulator.asking import Asking


@dataclass(frozen=True, slots=True)
class Size:
    """How much is browsed and learned in one world.

    Attributes:
        log_sessions: browsed with uniform pages; the policy learns from them.
        test_sessions: browsed to find help pages on which the contenders are compared.
        step_count: most gradient steps of the policy; None for its own.
        asking: more questions than in a shop, so that fewer sessions are needed; who asks what is the same.
    """

    log_sessions: int = 4_000
    test_sessions: int = 1_000
    step_count: int | None = None
    asking: Asking = Asking(browsing=0.16, carted=0.3, bought=0.7)  # noqa: RUF009 - frozen


QUICK = Size(log_sessions=60, test_sessions=40, step_count=60)
