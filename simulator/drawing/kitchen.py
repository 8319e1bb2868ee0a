"""What do products of the category kitchen look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import INK, LEAF, Ink, circle, line, oval, path, rect, shadow, shine, turn


def _pan(ink: Ink) -> str:
    pan = (
        rect(122, 93, 60, 14, ink.accent, 7)
        + circle(174, 100, 3, "#fff")
        + circle(80, 100, 54, ink.dark)
        + circle(80, 100, 49, ink.main)
        + circle(80, 100, 40, ink.dark)
    )
    food = (
        path("M58 104q-6-22 16-24 26-4 28 18-2 24-24 20-16 0-20-14z", "#fff") + circle(80, 98, 9, "#f2b63c")
        if ink.variant % 3 == 0
        else shine("M52 92a30 30 0 0 1 24-22")
    )
    return turn(-32, '<ellipse cx="84" cy="106" rx="56" ry="54" opacity=".1"/>' + pan + food)


def _pot(ink: Ink) -> str:
    return (
        shadow(60)
        + rect(28, 96, 144, 12, ink.dark, 6)
        + path("M44 90h112v54q0 18-20 18H64q-20 0-20-18z", ink.main)
        + path("M128 90h28v54q0 18-20 18h-14q6-8 6-18z", ink.dark)
        + path("M38 90q4-32 62-32t62 32z", ink.light)
        + rect(36, 84, 128, 9, ink.dark, 4)
        + circle(100, 54, 9, ink.accent)
        + shine("M56 106v34")
    )


def _knife(ink: Ink) -> str:
    blade = (
        path("M30 88h92v30H72Q38 114 30 88z", "#ccd3d9")
        + path("M34 99h88v19H72Q44 114 34 99z", "#e6eaed")
        + rect(118, 84, 8, 36, "#98a1aa", 2)
        + path("M126 87h44q10 2 8 14l-3 12q-4 6-12 4l-37-2z", ink.accent)
    )
    if ink.kind == "cleaver":
        blade = (
            rect(26, 82, 100, 46, "#ccd3d9", 5)
            + rect(26, 106, 100, 22, "#e6eaed", 5)
            + circle(38, 92, 4, "#fff")
            + path("M126 86h46q8 2 6 11l-2 8q-3 5-10 5h-40z", ink.accent)
        )
    return turn(-28, blade + circle(138, 99, 2.5, "#f4f1ea") + circle(158, 100, 2.5, "#f4f1ea"))


def _kettle(ink: Ink) -> str:
    handle = line("M62 76Q100 18 138 76", INK, 8)
    return (
        shadow(52)
        + path("M128 104q22-6 34-34l10 4q-6 40-36 58z", ink.dark)
        + handle
        + path("M60 80q40-22 80 0l14 68q2 14-12 14H58q-14 0-12-14z", ink.main)
        + path("M124 74q8 2 16 6l14 68q2 14-12 14h-22q14-30 4-88z", ink.dark)
        + path("M70 76q30-16 60 0z", ink.light)
        + circle(100, 64, 6, ink.accent)
        + shine("M66 96l-8 46")
    )


def _moka(ink: Ink) -> str:
    return (
        shadow(46)
        + path("M136 62h28v46l-10 8V74h-20z", INK)
        + path("M66 110h68l12 52H54z", ink.main)
        + path("M112 110h22l12 52h-26z", ink.dark)
        + path("M54 56h92l-14 50H68z", ink.light)
        + path("M118 56h28l-14 50h-20z", ink.main)
        + path("M54 56l-16 4 20 18z", ink.light)
        + rect(64, 104, 72, 9, ink.dark, 3)
        + path("M62 54q38-22 76 0z", ink.main)
        + circle(100, 38, 7, INK)
        + shine("M66 152l7-32")
    )


def _mug(ink: Ink) -> str:
    patterns = (
        rect(52, 116, 84, 12, ink.accent),
        "".join(
            circle(x, y, 4, ink.accent) for x, y in ((68, 108), (92, 124), (116, 108), (72, 140), (112, 140))
        ),
        path("M52 130q14-12 28 0t28 0 28 0v22q0 12-12 12H64q-12 0-12-12z", ink.accent),
    )
    return (
        shadow(50, 165, 96)
        + line("M134 100q34-4 32 22-2 22-34 20", ink.dark, 11)
        + path("M52 84h84v68q0 12-12 12H64q-12 0-12-12z", ink.main)
        + patterns[ink.variant % 3]
        + path("M118 84h18v68q0 12-12 12h-12q6-6 6-16z", "#0001")
        + oval(94, 84, 42, 9, ink.light)
        + oval(94, 85, 36, 6, "#6b4634")
        + line("M84 66q-8-10 0-18t0-16M104 66q-8-10 0-18t0-16", "#fff", 4)
        + shine("M62 100v44")
    )


def _board(ink: Ink) -> str:
    board = (
        '<rect x="45" y="46" width="112" height="130" rx="14" opacity=".1"/>'
        + path(
            "M54 56h32V40q0-14 14-14t14 14v16h32q10 0 10 12v90q0 10-10 10H54q-10 0-10-10V68q0-12 10-12z",
            ink.main,
        )
        + circle(100, 42, 6, ink.dark)
        + line("M62 74v78M82 66v86M120 70v60M138 82v70", ink.dark, 2)
    )
    food = (
        circle(104, 124, 18, "#cf4a3c")
        + circle(104, 124, 13, "#e2705c")
        + path("M100 106q4-10 12-8-2 8-8 10z", LEAF),
        path("M80 140q-4-30 22-40 24 8 22 34-20 20-44 6z", "#9fb56a") + circle(104, 126, 9, "#7b5638"),
        "",
    )[ink.variant % 3]
    return turn(14, board + food)


def _blender(ink: Ink) -> str:
    return (
        shadow(44)
        + line("M130 58q26 0 24 24t-32 28", "#a9bcc2", 7)
        + path("M62 40h76l-10 76H72z", "#d5e3e6")
        + path("M66 70q34-10 69 0l-7 46H72z", ("#c9566b", "#8fae5d", "#e9a25c")[ink.variant % 3])
        + rect(58, 30, 84, 12, INK, 5)
        + rect(88, 22, 24, 10, INK, 4)
        + path("M70 116h60l14 40q2 8-6 8H62q-8 0-6-8z", ink.main)
        + path("M116 116h14l14 40q2 8-6 8h-16z", ink.dark)
        + circle(100, 142, 9, ink.light)
        + rect(98, 134, 4, 9, INK, 2)
        + shine("M72 50l5 52")
    )


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "pans": _pan,
    "pots": _pot,
    "knives": _knife,
    "kettles": _kettle,
    "coffee": _moka,
    "mugs": _mug,
    "boards": _board,
    "blenders": _blender,
}
"""By subcategory."""
