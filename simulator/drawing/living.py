"""What do products of the category living look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import (
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


def _armchair(ink: Ink) -> str:
    return (
        shadow(58, 170)
        + line("M58 148l-6 22M142 148l6 22", "#7b5638", 7)
        + path("M56 58q0-26 44-26t44 26v60H56z", ink.main)
        + path("M122 36q22 6 22 22v60h-22z", ink.dark)
        + rect(58, 104, 84, 28, ink.light, 9)
        + path("M36 96q0-12 13-12t13 12v32h76V96q0-12 13-12t13 12v48q0 8-8 8H44q-8 0-8-8z", ink.main)
        + path("M138 128V96q0-12 13-12t13 12v48q0 8-8 8h-18z", ink.dark)
        + (rect(78, 78, 40, 34, ink.accent, 9) if ink.variant % 2 else shine("M70 56q4-12 18-14"))
    )


def _sofa(ink: Ink) -> str:
    return (
        shadow(80, 160)
        + line("M40 142l-4 18M160 142l4 18", "#7b5638", 6)
        + rect(34, 62, 132, 66, ink.main, 14)
        + path("M100 62h52q14 0 14 14v52h-66z", ink.dark)
        + rect(40, 104, 60, 26, ink.light, 8)
        + rect(100, 104, 60, 26, ink.light, 8)
        + path("M18 98q0-11 12-11t12 11v30h116V98q0-11 12-11t12 11v40q0 8-8 8H26q-8 0-8-8z", ink.main)
        + path("M158 128V98q0-11 12-11t12 11v40q0 8-8 8h-16z", ink.dark)
        + turn(-6, rect(52, 74, 34, 30, ink.accent, 7))
        + (turn(5, rect(118, 72, 32, 28, PAPER, 7)) if ink.variant % 2 else "")
    )


def _lamp(ink: Ink) -> str:
    paper = ink.accent if ink.variant % 2 else PAPER
    if ink.kind == "floor lamp":
        return (
            shadow(34, 178)
            + path("M62 62h76l34 104H28z", "#ffe6a344")
            + rect(97, 60, 6, 114, ink.main, 3)
            + rect(74, 170, 52, 8, ink.dark, 4)
            + path("M74 18h52l16 46H58z", paper)
            + path("M59 58h82l2 6H57z", "#0002")
        )
    if ink.kind == "reading lamp":
        return (
            shadow(44, 168, 88)
            + path("M116 84l-42 78h112l-26-66z", "#ffe6a355")
            + line("M78 162L56 96l56-44", ink.main, 7)
            + circle(56, 96, 7, ink.dark)
            + turn(28, path("M116 26h24l20 40h-64z", ink.accent) + path("M96 66h64v-6H99z", "#0002"))
            + rect(48, 158, 62, 10, ink.dark, 5)
        )
    bodies = (
        rect(96, 86, 8, 74, ink.main, 2),
        path("M92 86h16q0 20 14 32 8 24-22 44-30-20-22-44 14-12 14-32z", ink.main)
        + path("M102 86h6q0 20 14 32 8 24-22 44 16-40 2-76z", ink.dark),
        circle(100, 106, 14, ink.main)
        + circle(100, 136, 20, ink.main)
        + path("M100 116a20 20 0 0 1 0 40z", ink.dark),
    )
    top = ("M70 32h60l22 54H48z", "M48 86q0-54 52-54t52 54z")[ink.variant % 2]
    return (
        shadow(38, 168)
        + path("M48 86h104l30 70H18z", "#ffe6a344")
        + bodies[ink.variant % 3]
        + rect(68, 158, 64, 10, ink.dark, 5)
        + path(top, paper)
        + path("M48 80h104v6H48z", "#0002")
        + shine("M76 44l-8 26", 4)
    )


def _cushion(ink: Ink) -> str:
    patterns = (
        line("M56 72q44-8 88 0M52 100h96M56 130q44 8 88 0", ink.light, 7),
        "".join(
            circle(x, y, 7, ink.light) for x, y in ((74, 74), (126, 74), (100, 100), (74, 128), (126, 128))
        ),
        path("M100 62l38 38-38 38-38-38z", ink.light) + path("M100 82l18 18-18 18-18-18z", ink.accent),
        path("M100 52q40 4 52-2-6 50 2 98-10-4-54-4z", ink.dark),
    )
    return shadow(58, 166) + turn(
        -6 if ink.variant % 2 else 5,
        path("M42 44q58 14 116 0-12 58 0 116-58-14-116 0 12-58 0-116z", ink.main)
        + patterns[ink.variant % 4]
        + line("M52 56q48 9 96 0-8 44 0 92-48-9-96 0 8-46 0-92z", "#0001", 3),
    )


def _vase(ink: Ink) -> str:
    stems = (
        line("M98 78Q90 44 70 34M102 78q4-32 30-44M100 78V24", LEAF, 3.5)
        + "".join(
            circle(x, y, 10, fill)
            for x, y, fill in ((68, 34, ink.accent), (134, 32, shade(ink.accent, 0.3)), (100, 22, ink.accent))
        ),
        line("M100 80Q104 40 132 18", "#8a6a4a", 4)
        + "".join(oval(x, y, 7, 11, LEAF) for x, y in ((104, 52), (120, 44), (114, 30), (134, 22))),
        line("M100 78V30", LEAF, 4)
        + path("M84 40q0-22 6-24 6 4 10 10 4-6 10-10 6 2 6 24-4 12-16 12t-16-12z", ink.accent),
    )
    bodies = (
        "M88 76h24q-2 18 14 32 22 26-2 52-24 6-48 0-24-26-2-52 16-14 14-32z",
        "M82 76h36l12 40q6 30-8 46-22 4-44 0-14-16-8-46z",
        "M90 70h20v30q26 8 26 36 0 20-18 26-18 2-36 0-18-6-18-26 0-28 26-36z",
    )
    variant = ink.variant // 3 % 3
    return (
        shadow(36)
        + stems[ink.variant % 3]
        + path(bodies[variant], ink.main)
        + path("M112 104q22 24 2 56l8 2q26-24 8-50z", ink.dark)
        + shine("M84 120q-8 14-2 28")
    )


def _rug(ink: Ink) -> str:
    patterns = (
        "".join(
            rect(46, y, 108, 8, fill)
            for y, fill in (
                (52, ink.light),
                (72, ink.accent),
                (92, ink.light),
                (112, ink.accent),
                (132, ink.light),
            )
        ),
        path("M100 46l48 54-48 54-48-54z", ink.light) + path("M100 70l26 30-26 30-26-30z", ink.accent),
        oval(78, 76, 26, 22, ink.light)
        + oval(124, 120, 28, 24, ink.accent)
        + oval(76, 132, 14, 12, ink.dark),
        line(
            "M46 62l27 18 27-18 27 18 27-18M46 96l27 18 27-18 27 18 27-18M46 130l27 18 27-18 27 18 27-18",
            ink.light,
            6,
        ),
    )
    fringe = line("M52 30v-8M68 30v-8M84 30v-8M100 30v-8M116 30v-8M132 30v-8M148 30v-8", PAPER, 4)
    return turn(
        -14,
        '<rect x="44" y="36" width="120" height="140" opacity=".1"/>'
        + fringe
        + f'<g transform="translate(0 146)">{fringe}</g>'
        + rect(40, 28, 120, 144, ink.main, 3)
        + patterns[ink.variant % 4],
    )


def _shelf(ink: Ink) -> str:
    books = "".join(
        rect(x, y, width, height, fill, 1)
        for x, y, width, height, fill in (
            (60, 50, 9, 30, "#b5573f"),
            (70, 46, 7, 34, "#33476b"),
            (78, 52, 10, 28, "#d8a23a"),
            (104, 94, 8, 28, "#7a4a66"),
            (113, 90, 10, 32, "#3d8186"),
            (124, 96, 7, 26, ink.accent),
        )
    )
    return (
        shadow(54, 172)
        + rect(48, 28, 104, 142, ink.main, 4)
        + rect(56, 36, 88, 44, ink.dark, 2)
        + rect(56, 87, 88, 36, ink.dark, 2)
        + rect(56, 130, 88, 32, ink.dark, 2)
        + books
        + path("M116 66h20l-4 14h-12z", "#c96f4a")
        + path("M126 66q-16-6-12-22 14 6 12 22zM126 66q14-8 10-22-12 8-10 22z", "#86ad78")
        + oval(76, 112, 11, 10, "#ece0c8")
        + rect(62, 142, 34, 20, WOOD, 3)
        + rect(104, 142, 34, 20, WOOD, 3)
    )


def _hand(angle: int, tip: int, width: int) -> str:
    return (
        f'<path d="M100 104V{tip}" stroke="{INK}" stroke-width="{width}" stroke-linecap="round" '
        f'transform="rotate({angle} 100 100)"/>'
    )


def _clock(ink: Ink) -> str:
    ticks = (  # 12 dashes on a circle of 2 pi 48
        f'<circle cx="100" cy="100" r="48" fill="none" stroke="{INK}" stroke-width="7" '
        'stroke-dasharray="3 22.13" stroke-dashoffset="1.5"/>'
    )
    hour = ink.variant % 12 * 30
    return (
        '<circle cx="104" cy="106" r="66" opacity=".1"/>'
        + circle(100, 100, 66, ink.main)
        + circle(100, 100, 56, PAPER)
        + ticks
        + _hand(hour, 72, 6)
        + _hand(hour * 7 % 360, 58, 4)
        + circle(100, 100, 5, ink.accent)
        + shine("M50 78a56 56 0 0 1 26-28", 4)
    )


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "armchairs": _armchair,
    "sofas": _sofa,
    "lamps": _lamp,
    "cushions": _cushion,
    "vases": _vase,
    "rugs": _rug,
    "shelves": _shelf,
    "clocks": _clock,
}
"""By subcategory."""
