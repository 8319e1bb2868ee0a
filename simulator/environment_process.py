"""What runs in the child process of an environment: the shop, behind two pipes?

Started with one argument, the settings as JSON, it answers on its standard output until its standard input
ends, which it does when the parent closes it or dies. First comes a line of JSON with the sizes; then `r`
and a seed (int64) are answered by observations (float32, sessions x columns), and `s` and the actions
(int64, one per session) by observations, rewards (float64) and ends (uint8). Nothing else crosses.
"""

from __future__ import annotations

import json
import os
import sys
from datetime import UTC, datetime
from typing import BinaryIO

import numpy as np

from simulator import catalogue, world
from simulator.front.shop import build
from simulator.regimes import REGIMES
from simulator.slotwise import SlotShop

DAY = datetime(2026, 6, 1, tzinfo=UTC)
"""Of every world: sessions do not depend on when they are played."""


def main() -> None:
    """Serves one shop."""
    settings = json.loads(sys.argv[1])
    # Whatever prints must not get between the answers.
    answers = os.fdopen(os.dup(1), "wb")
    os.dup2(2, 1)
    items = world.read_items(catalogue.make(0, DAY), DAY)
    front = build(
        world.draw(items, settings["world"], DAY, REGIMES[settings["regime"]]),
        settings["season_count"],
        settings["daypart_count"],
        settings["is_rich"],
    )
    try:
        serve(SlotShop(front, settings["session_count"], settings["is_renewed"]), sys.stdin.buffer, answers)
    except BrokenPipeError:
        os._exit(0)  # nobody is left to read, not even what is buffered


def serve(shop: SlotShop, questions: BinaryIO, answers: BinaryIO) -> None:
    """Answers until there are no more questions."""
    count = shop.session_count
    answers.write(json.dumps({"action_count": shop.action_count, "width": shop.width}).encode() + b"\n")
    answers.flush()
    while verb := questions.read(1):
        if verb == b"r":
            answers.write(shop.reset(int(np.frombuffer(questions.read(8), np.int64)[0])))
        else:
            observation, reward, is_over = shop.step(np.frombuffer(questions.read(8 * count), np.int64))
            answers.write(observation)
            answers.write(reward)
            answers.write(is_over.view(np.uint8))
        answers.flush()


if __name__ == "__main__":
    main()
