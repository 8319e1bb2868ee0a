"""What do products of the category kids look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import (
    GLOW,
    INK,
    LEAF,
    PAPER,
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


def _blocks(ink: Ink) -> str:
    return (
        shadow(66, 164)
        + rect(40, 112, 50, 50, ink.main, 5)
        + rect(96, 112, 64, 50, ink.accent, 5)
        + path("M112 162v-16q0-16 16-16t16 16v16z", shade(ink.accent, -0.25))
        + rect(58, 62, 48, 48, "#edc14b", 5)
        + circle(82, 86, 13, "#fff8")
        + path("M112 110l26-44 26 44z", "#8fb9d4")
        + path("M54 60l28-34 28 34z", "#d8604c")
        + path("M52 128h26v18H52z", ink.light)
        + rect(82, 112, 8, 50, "#0001")
    )


def _bear(ink: Ink) -> str:
    return (
        shadow(52, 174)
        + circle(62, 44, 17, ink.main)
        + circle(138, 44, 17, ink.main)
        + circle(62, 44, 9, ink.light)
        + circle(138, 44, 9, ink.light)
        + oval(56, 124, 15, 24, ink.dark)
        + oval(144, 124, 15, 24, ink.dark)
        + oval(100, 134, 42, 38, ink.main)
        + oval(100, 138, 25, 25, ink.light)
        + oval(70, 164, 19, 13, ink.dark)
        + oval(130, 164, 19, 13, ink.dark)
        + circle(100, 72, 43, ink.main)
        + oval(100, 84, 20, 16, ink.light)
        + circle(82, 66, 4.5, INK)
        + circle(118, 66, 4.5, INK)
        + oval(100, 78, 7, 5, INK)
        + line("M100 84v4q-6 6-10 1M100 88q6 6 10 1", INK, 2.5)
        + path("M100 112l-20-9v18zM100 112l20-9v18z", ink.accent)
    )


def _puzzle(ink: Ink) -> str:
    return turn(
        -8,
        path("M40 44h56v22q20-8 20 8t-20 8v18H76q8 20-8 20t-8-20H40z", ink.main)
        + path("M104 44h56v56h-18q8 20-8 20t-8-20h-22V88q24 8 24-14t-24-14z", ink.accent)
        + path("M40 108h14q-4 24 14 24t14-24h14v20q20-8 20 8t-20 8v20H40z", "#edc14b")
        + turn(
            10,
            path("M114 120h22q-8-20 8-20t8 20h22v22q20-8 20 8t-20 8v22h-60v-22q-20 8-20-8t20-8z", "#8fb9d4"),
        )
        + shine("M48 54h30", 4),
    )


def _balance_bike(ink: Ink) -> str:
    def wheel(x: float) -> str:
        return circle(x, 132, 33, INK) + circle(x, 132, 24, PAPER) + circle(x, 132, 5, ink.dark)

    return (
        shadow(82, 168)
        + wheel(50)
        + wheel(150)
        + line("M50 132l24-44 58 4 18 40M50 132l82-38", ink.main, 9)
        + line("M74 90l-6-22", "#9aa2aa", 6)
        + line("M132 92l-8-42", ink.dark, 7)
        + line("M124 50l-18 2M124 50l16-6", INK, 7)
        + path("M48 60q22-8 44 4-2 10-22 8-18 0-22-12z", ink.accent)
        + circle(106, 52, 5, ink.accent)
        + circle(140, 44, 5, ink.accent)
    )


def _picture_book(ink: Ink) -> str:
    return (
        shadow(80, 162)
        + path("M18 58q44-16 82 2 38-18 82-2v98q-44-14-82 4-38-18-82-4z", ink.dark)
        + path("M24 52q40-14 76 4v98q-36-16-76-4z", ink.light)
        + path("M176 52q-40-14-76 4v98q36-16 76-4z", PAPER)
        + circle(54, 78, 12, GLOW)
        + path("M24 122q20-26 40-10 16-20 36-2v44q-36-16-76-4z", ink.main)
        + path("M76 130v-26l12 14z", LEAF)
        + line("M114 78q24-10 50-6M114 92q24-10 50-6M114 106q20-9 38-6", "#c9c2b4", 4)
        + path("M124 134q2-16 18-14 16 2 14 14z", ink.accent)
        + line("M156 134h10l4-10", ink.accent, 5)
        + line("M100 58v96", "#0002", 3)
    )


def _toy_train(ink: Ink) -> str:
    return (
        shadow(82, 168)
        + rect(24, 150, 152, 10, WOOD, 4)
        + rect(36, 66, 56, 66, ink.main, 6)
        + rect(46, 76, 36, 28, "#d9ecf2", 4)
        + rect(28, 56, 72, 13, ink.accent, 6)
        + rect(86, 88, 74, 44, ink.light, 14)
        + path("M112 88h-2l-4-34h26l-4 34z", ink.dark)
        + rect(100, 48, 38, 9, ink.accent, 4)
        + circle(158, 108, 7, GLOW)
        + rect(30, 126, 136, 10, ink.dark, 4)
        + "".join(circle(x, 142, 17, "#d8604c") + circle(x, 142, 7, PAPER) for x in (54, 100, 146))
        + "".join(
            circle(x, y, radius, "#fff") for x, y, radius in ((126, 36, 8), (140, 26, 11), (160, 18, 8))
        )
    )


def _kite(ink: Ink) -> str:
    return (
        oval(44, 46, 26, 11, "#fff")
        + oval(62, 40, 20, 12, "#fff")
        + oval(40, 150, 22, 9, "#fff")
        + line("M92 142q-14 14 2 24t-14 24", INK, 2.5)
        + path("M90 150l-16-4 4 14zM90 150l14-6-2 14zM82 178l-14-4 4 13zM82 178l14-4-2 13z", ink.accent)
        + path("M128 18L60 64l32 78z", ink.main)
        + path("M128 18l36 62-72 62z", ink.accent)
        + path("M128 18L60 64l46 22z", ink.light)
        + path("M128 18l36 62-58 6z", shade(ink.accent, 0.3))
        + line("M128 18L92 142M60 64l104 16", "#fff9", 3)
    )


def _night_light(ink: Ink) -> str:
    moon = (
        path("M122 34a58 58 0 1 0 30 88 48 48 0 0 1-30-88z", ink.main)
        + circle(84, 98, 4, INK)
        + line("M92 120q10 8 20 2", INK, 3)
        + circle(74, 112, 6, "#e58a7277")
    )
    cloud = (
        circle(72, 112, 28, ink.main)
        + circle(130, 114, 25, ink.main)
        + circle(102, 92, 35, ink.main)
        + rect(62, 106, 78, 34, ink.main, 16)
        + line("M82 104q6 6 12 0M110 104q6 6 12 0M96 120q6 5 12 0", INK, 3)
        + circle(78, 118, 6, "#e58a7277")
        + circle(128, 118, 6, "#e58a7277")
    )
    stars = "".join(
        path(f"M{x} {y}l3 8 8 3-8 3-3 8-3-8-8-3 8-3z", "#fff") for x, y in ((148, 40), (36, 60), (164, 78))
    )
    return (
        circle(100, 100, 84, "#33476b")
        + circle(100, 100, 68, "#415880")
        + stars
        + (moon if ink.variant % 2 else cloud)
        + rect(70, 156, 60, 12, WOOD, 5)
    )


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "blocks": _blocks,
    "soft-toys": _bear,
    "puzzles": _puzzle,
    "balance-bikes": _balance_bike,
    "picture-books": _picture_book,
    "toy-trains": _toy_train,
    "kites": _kite,
    "night-lights": _night_light,
}
"""By subcategory."""
