"""What do products of the category garden look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import (
    GLOW,
    INK,
    LEAF,
    PAPER,
    STEEL,
    WOOD,
    Ink,
    circle,
    line,
    oval,
    path,
    rect,
    shade,
    shadow,
    shine,
    turn,
)


def _planter(ink: Ink) -> str:
    plants = (
        line("M100 110V50", LEAF, 4)
        + path("M100 92Q62 92 56 56q38 0 44 36zM100 92q38 0 44-40-40 2-44 40z", "#7fa571")
        + path("M100 66Q78 54 84 26q24 12 16 40zM100 70q22-6 30-36-28 2-30 36z", LEAF),
        "".join(
            oval(x, y, 9, 26, fill)
            for x, y, fill in ((84, 74, LEAF), (116, 74, "#5f8556"), (100, 62, "#7fa571"))
        )
        + circle(100, 36, 7, ink.accent),
        line("M100 110Q96 70 70 58M100 110Q104 66 132 56M100 110V44", LEAF, 4)
        + circle(68, 54, 11, ink.accent)
        + circle(134, 52, 11, ink.accent)
        + circle(100, 40, 13, ink.accent)
        + circle(100, 40, 5, GLOW),
    )
    return (
        shadow(44)
        + plants[ink.variant % 3]
        + path("M58 116h84l-12 44q-1 4-6 4H76q-5 0-6-4z", ink.main)
        + path("M118 116h24l-12 44q-1 4-6 4h-14z", ink.dark)
        + rect(52, 100, 96, 20, ink.light, 4)
        + rect(52, 114, 96, 6, ink.dark, 3)
    )


def _watering_can(ink: Ink) -> str:
    return (
        shadow(56, 164, 108)
        + line("M84 128L34 78", ink.dark, 12)
        + path("M16 74l28-22 8 12-24 22z", ink.light)
        + line("M88 82q36-58 68-8 14 24-2 54", ink.dark, 8)
        + path("M76 88h72l8 66q1 10-9 10H77q-10 0-9-10z", ink.main)
        + path("M126 88h22l8 66q1 10-9 10h-23z", ink.dark)
        + oval(112, 88, 36, 8, ink.light)
        + path("M112 82h36a36 8 0 0 1-36 12z", ink.dark)
        + "".join(circle(x, y, 2.5, "#8fb9d4") for x, y in ((18, 92), (28, 100), (12, 108)))
        + shine("M84 106l-4 40")
    )


def _secateurs(ink: Ink) -> str:
    return turn(
        38,
        line("M92 98Q70 130 80 176", ink.dark, 13)
        + line("M108 98q22 32 12 78", ink.main, 13)
        + path("M94 104Q78 60 104 22q16 34 8 80z", STEEL)
        + path("M106 104q18-30 8-62-16 20-20 60z", "#8f99a3")
        + circle(101, 102, 11, "#d9dee2")
        + circle(101, 102, 4, INK)
        + line("M90 126l8 6-8 6 12 4", STEEL, 3)
        + shine("M114 122q8 20 6 44", 3),
    )


def _spade(ink: Ink) -> str:
    return turn(
        24,
        path("M78 22h44l-8 22h-28z", ink.main)
        + path("M87 29h26l-4 10h-18z", "#fff")
        + rect(95, 40, 10, 78, ink.main, 3)
        + rect(100, 40, 5, 78, ink.dark, 2)
        + path("M92 100h16l4 18h-24z", "#8f99a3")
        + path("M72 114h56v34q0 24-28 40-28-16-28-40z", STEEL)
        + path("M100 114h28v34q0 24-28 40z", "#98a2ab")
        + rect(68, 110, 64, 7, "#8f99a3", 3),
    )


def _garden_light(ink: Ink) -> str:
    return (
        shadow(34, 172)
        + circle(100, 84, 66, "#ffe6a355")
        + circle(100, 84, 44, "#ffe6a388")
        + rect(96, 116, 8, 58, ink.dark, 3)
        + path("M74 62h52l-6 56H80z", GLOW)
        + circle(100, 92, 13, "#fff3cf")
        + line("M76 62l6 56M124 62l-6 56M100 62v56", ink.main, 5)
        + path("M64 62q4-26 36-28 32 2 36 28z", ink.main)
        + path("M104 34q28 4 32 28h-20q0-18-12-28z", ink.dark)
        + rect(76, 114, 48, 9, ink.main, 4)
        + circle(100, 32, 5, ink.dark)
        + path("M44 174q8-24 14 0zM58 174q6-14 12 0zM138 174q6-22 14 0z", LEAF)
    )


def _bird_feeder(ink: Ink) -> str:
    bird = (
        path("M52 128q2-22 24-20 16 2 14 18-2 16-20 16-8 0-12-6l-16 2z", "#d9783f")
        + circle(80, 114, 2, INK)
        + path("M90 116l9 3-9 4z", "#f2b63c")
        + path("M58 124q10-4 16 6-10 8-18 2z", "#7b5638")
    )
    return (
        shadow(50, 174)
        + rect(95, 20, 10, 18, WOOD, 3)
        + path("M58 84h84v64H58z", ink.main)
        + path("M112 84h30v64h-30z", ink.dark)
        + path("M100 30l60 52-8 10-52-44-52 44-8-10z", shade(ink.accent, -0.1))
        + path("M100 48l44 37H56z", ink.light)
        + circle(104, 106, 13, "#4a3a30")
        + rect(44, 146, 112, 10, WOOD, 4)
        + rect(96, 156, 8, 20, "#a87f52")
        + (bird if ink.variant % 2 else rect(98, 122, 28, 5, WOOD, 2))
    )


def _garden_chair(ink: Ink) -> str:
    slats = "".join(
        rect(x, 34, 14, 84, fill, 7)
        for x, fill in ((62, ink.main), (79, ink.light), (96, ink.main), (113, ink.light))
    )
    return (
        shadow(58, 170)
        + line("M70 130L56 168M128 130l16 38", ink.dark, 9)
        + slats
        + rect(58, 58, 74, 7, ink.dark, 3)
        + path("M52 116h90l10 20H42z", ink.main)
        + path("M47 126h100l5 10H42z", ink.dark)
        + rect(38, 92, 28, 9, ink.light, 4)
        + rect(128, 92, 30, 9, ink.light, 4)
        + line("M46 100v34M150 100v34", ink.dark, 7)
    )


def _seeds(ink: Ink) -> str:
    flower = "".join(
        f'<ellipse cx="100" cy="82" rx="9" ry="20" fill="{ink.main}" transform="rotate({angle} 100 100)"/>'
        for angle in range(0, 360, 60)
    ) + circle(100, 100, 11, ink.accent)
    tomato = circle(100, 98, 29, "#cf4a3c") + path(
        "M100 76l-16-9 9 13zM100 76l16-9-9 13zM97 64h6v14h-6z", LEAF
    )
    salad = "".join(
        oval(x, y, 17, 26, fill)
        for x, y, fill in ((82, 92, LEAF), (118, 92, "#7fa571"), (100, 84, "#9fbf87"))
    )
    picture = {"tomato seeds": tomato, "salad seeds": salad}.get(ink.kind, flower)
    packet = (
        '<rect x="56" y="32" width="96" height="140" rx="4" opacity=".1"/>'
        + rect(52, 28, 96, 140, PAPER, 4)
        + path("M52 32q0-4 4-4h88q4 0 4 4v16H52z", ink.dark)
        + rect(64, 34, 48, 6, "#fff9", 3)
        + line("M100 112q4 20-2 44", LEAF, 4)
        + path("M98 144q-22 0-26-18 22 0 26 18zM100 138q18-2 20-18-18 2-20 18z", LEAF)
        + picture
    )
    return turn(-7 if ink.variant % 2 else 6, packet)


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "planters": _planter,
    "watering-cans": _watering_can,
    "secateurs": _secateurs,
    "spades": _spade,
    "garden-lights": _garden_light,
    "bird-feeders": _bird_feeder,
    "garden-chairs": _garden_chair,
    "seeds": _seeds,
}
"""By subcategory."""
