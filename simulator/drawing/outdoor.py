"""What do products of the category outdoor look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import (
    GLOW,
    INK,
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


def _tent(ink: Ink) -> str:
    return (
        path("M0 150l46-62 30 36 34-56 40 62 20-24 30 44v50H0z", "#0000000d")
        + shadow(86, 166)
        + path("M100 44l78 118H22z", ink.main)
        + path("M100 44l78 118h-44z", ink.dark)
        + path("M100 44l34 118H66z", ink.light)
        + path("M100 78l22 84H78z", "#4a3f3a")
        + path("M100 78l-4 84H78z", ink.accent)
        + line("M100 44l-8-14M22 162l-14 6M178 162l14 6", WOOD, 3)
    )


def _backpack(ink: Ink) -> str:
    return (
        shadow(52, 170)
        + line("M86 38q0-16 14-16t14 16", ink.dark, 6)
        + rect(40, 96, 24, 52, ink.dark, 9)
        + rect(136, 96, 24, 52, ink.dark, 9)
        + path("M54 76q0-42 46-42t46 42v76q0 16-16 16H70q-16 0-16-16z", ink.main)
        + path("M120 38q26 8 26 38v76q0 16-16 16h-14q8-60 4-130z", ink.dark)
        + path("M54 74q0-40 46-40t46 40q-8 18-46 18T54 74z", ink.light)
        + rect(68, 110, 64, 44, ink.accent, 10)
        + line("M70 122h60", "#0003", 3)
        + line("M82 86v22M118 86v22", INK, 6)
        + rect(77, 100, 10, 8, STEEL, 2)
        + rect(113, 100, 10, 8, STEEL, 2)
    )


def _sleeping_bag(ink: Ink) -> str:
    return turn(
        -20,
        '<rect x="62" y="22" width="84" height="164" rx="40" opacity=".1"/>'
        + path("M60 66q0-46 40-46t40 46q4 60-12 100-4 12-28 12t-28-12q-16-40-12-100z", ink.main)
        + path("M108 22q32 4 32 44 4 60-12 100-4 12-22 12 18-60 2-156z", ink.dark)
        + oval(100, 54, 27, 25, ink.accent)
        + oval(100, 58, 19, 17, shade(ink.accent, -0.35))
        + line("M62 94q38 10 76 0M62 118q38 10 76 0M65 142q35 10 70 0", "#0002", 3)
        + line("M100 78v60", STEEL, 3),
    )


def _bottle(ink: Ink) -> str:
    return (
        shadow(30, 172)
        + path(
            "M84 52h32q0 14 10 20 6 6 6 16v72q0 12-12 12H80q-12 0-12-12V88q0-10 6-16 10-6 10-20z", ink.main
        )
        + path("M106 52h10q0 14 10 20 6 6 6 16v72q0 12-12 12h-14z", ink.dark)
        + rect(80, 30, 40, 22, ink.accent, 5)
        + rect(80, 44, 40, 6, "#0002")
        + line("M120 36q22-2 18 20", ink.accent, 5)
        + (
            path("M74 138l14-22 9 12 10-16 19 26z", "#ffffff77")
            if ink.variant % 2
            else rect(68, 112, 64, 10, "#ffffff66")
        )
        + shine("M78 92v60")
    )


def _boots(ink: Ink) -> str:
    def boot(x: float, y: float, main: str, dark: str) -> str:
        return f'<g transform="translate({x:g} {y:g})">' + (
            path("M46 40h44v40q6 14 34 20 24 6 24 28v12H42q-4-50 4-100z", main)
            + path("M46 40h44v14H45z", dark)
            + path("M42 140h108v12q0 6-6 6H48q-6 0-6-6z", INK)
            + path("M124 100q24 6 24 28v6q-22 0-36-30z", dark)
            + line("M72 66l20-4M74 78l22-4M80 90l24-2", ink.accent, 4)
            + "</g>"
        )

    return (
        shadow(74, 168, 106) + boot(26, -4, ink.dark, shade(ink.dark, -0.15)) + boot(2, 8, ink.main, ink.dark)
    )


def _headlamp(ink: Ink) -> str:
    return (
        circle(100, 112, 74, "#ffe6a344")
        + path("M22 74q78-34 156 0v34q-78-30-156 0z", ink.main)
        + path("M22 100q78-30 156 0v8q-78-30-156 0z", ink.dark)
        + line("M24 86q76-32 152 0", ink.light, 4)
        + rect(58, 72, 84, 74, INK, 20)
        + rect(68, 64, 24, 12, ink.accent, 5)
        + circle(100, 109, 29, "#6b7077")
        + circle(100, 109, 23, GLOW)
        + circle(100, 109, 11, "#fff")
        + rect(50, 92, 8, 34, ink.dark, 4)
        + rect(142, 92, 8, 34, ink.dark, 4)
    )


def _stove(ink: Ink) -> str:
    return (
        shadow(52, 172)
        + path("M62 44h76v48q0 12-12 12H74q-12 0-12-12z", ink.main)
        + path("M114 44h24v48q0 12-12 12h-12z", ink.dark)
        + rect(56, 38, 88, 10, ink.light, 5)
        + line("M138 66h32", INK, 8)
        + path("M88 124q-4-14 6-20 2 8 6 8 0-10 6-14 12 12 6 26z", "#f0923c")
        + path("M95 124q-2-8 5-12 7 6 4 12z", "#ffd36b")
        + line("M70 110h60M80 124L60 166M120 124l20 42", STEEL, 5)
        + rect(78, 122, 44, 10, "#7d848c", 4)
        + path("M76 134h48v30q0 8-8 8H84q-8 0-8-8z", ink.accent)
        + path("M108 134h16v30q0 8-8 8h-8z", "#0002")
        + line("M84 30q-6-8 0-14M100 30q-6-8 0-14M116 30q-6-8 0-14", "#fff", 4)
    )


def _jacket(ink: Ink) -> str:
    return (
        path("M72 40L44 58 22 128l24 10 16-44zM128 40l28 18 22 70-24 10-16-44z", ink.dark)
        + path("M70 38h60l14 18v108q0 4-4 4H60q-4 0-4-4V56z", ink.main)
        + path("M102 38h28l14 18v108q0 4-4 4h-38z", ink.dark)
        + path("M70 40q4-22 30-22t30 22l-30 22z", ink.light)
        + path("M80 40q2-12 20-12t20 12l-20 16z", shade(ink.dark, -0.25))
        + line("M100 58v108", ink.accent, 4)
        + line("M66 126l22 6M134 126l-22 6", "#0003", 4)
        + rect(110, 76, 18, 8, ink.accent, 2)
    )


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "tents": _tent,
    "backpacks": _backpack,
    "sleeping-bags": _sleeping_bag,
    "bottles": _bottle,
    "boots": _boots,
    "headlamps": _headlamp,
    "stoves": _stove,
    "jackets": _jacket,
}
"""By subcategory."""
