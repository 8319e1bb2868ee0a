"""What do products of the category audio look like?"""

from __future__ import annotations

from collections.abc import Callable

from simulator.drawing.strokes import (
    GLOW,
    INK,
    PAPER,
    STEEL,
    Ink,
    circle,
    line,
    oval,
    path,
    rect,
    shade,
    shadow,
    shine,
)


def _headphones(ink: Ink) -> str:
    return (
        shadow(54, 172)
        + line("M48 116V98q2-62 52-62t52 62v18", ink.dark, 11)
        + line("M56 78q10-34 44-34t44 34", ink.main, 9)
        + rect(34, 98, 30, 62, ink.main, 14)
        + rect(136, 98, 30, 62, ink.dark, 14)
        + rect(56, 102, 16, 54, ink.accent, 8)
        + rect(128, 102, 16, 54, ink.accent, 8)
        + shine("M42 114v26")
    )


def _earbuds(ink: Ink) -> str:
    return (
        shadow(52, 168)
        + path("M48 96q0-52 52-52t52 52z", ink.light)
        + path("M58 92q2-38 42-38t42 38z", ink.dark)
        + rect(44, 94, 112, 70, ink.main, 26)
        + path("M112 94h18q26 0 26 26v18q0 26-26 26h-18z", ink.dark)
        + circle(78, 86, 15, PAPER)
        + rect(72, 90, 12, 26, PAPER, 6)
        + circle(122, 86, 15, PAPER)
        + rect(116, 90, 12, 26, PAPER, 6)
        + oval(84, 82, 6, 8, "#c9ced3")
        + oval(116, 82, 6, 8, "#c9ced3")
        + path("M44 114h112v24q0 26-26 26H70q-26 0-26-26z", ink.main)
        + circle(100, 132, 3.5, ink.accent)
    )


def _speakers(ink: Ink) -> str:
    def box(x: float, cone: float) -> str:
        return (
            rect(x, 38, 58, 126, ink.main, 6)
            + rect(x + 44, 38, 14, 126, ink.dark, 6)
            + circle(x + 26, 66, 11, INK)
            + circle(x + 26, 66, 5, "#8d9298")
            + circle(x + 26, 118, cone, INK)
            + circle(x + 26, 118, cone - 6, "#5a5f66")
            + circle(x + 26, 118, 7, ink.accent)
        )

    return shadow(74, 166) + box(32, 21) + box(110, 21)


def _portable_speaker(ink: Ink) -> str:
    mesh = (  # round caps of no length are dots
        '<path d="M62 94h78M62 108h78M62 122h78M62 136h78" stroke="#0003" stroke-width="6" '
        'stroke-linecap="round" stroke-dasharray="0 15"/>'
    )
    if ink.variant % 2:
        return (
            shadow(42)
            + line("M84 52q-30-30 16-30t16 30", ink.accent, 6)
            + rect(56, 44, 88, 120, ink.main, 34)
            + path("M112 44q32 2 32 34v52q0 32-32 34z", ink.dark)
            + f'<g transform="translate(30 6)scale(.7 .92)">{mesh}</g>'
            + circle(100, 66, 9, ink.light)
            + shine("M66 84v50")
        )
    return (
        shadow(74, 158)
        + line("M150 82q34-20 22 34", ink.accent, 6)
        + rect(26, 76, 148, 78, ink.main, 39)
        + path("M46 84h108q12 32 0 62H46q-12-30 0-62z", ink.dark)
        + mesh
        + oval(34, 115, 7, 24, ink.light)
        + oval(166, 115, 7, 24, ink.light)
        + shine("M64 83h60", 4)
    )


def _turntable(ink: Ink) -> str:
    return (
        shadow(76, 162)
        + rect(26, 62, 148, 92, ink.main, 8)
        + path("M26 140h148v6q0 8-8 8H34q-8 0-8-8z", ink.dark)
        + rect(36, 152, 16, 10, INK, 3)
        + rect(148, 152, 16, 10, INK, 3)
        + oval(84, 101, 50, 34, "#2f3237")
        + oval(84, 101, 40, 27, "#3d4147")
        + oval(84, 101, 30, 20, "#2f3237")
        + oval(84, 101, 15, 10, ink.accent)
        + circle(84, 101, 2, "#fff")
        + circle(152, 78, 9, STEEL)
        + line("M152 78l2 36-28 14", "#e3e7ea", 4)
        + circle(152, 130, 5, PAPER)
        + shine("M46 88q10-12 26-14", 3)
    )


def _microphone(ink: Ink) -> str:
    return (
        shadow(40, 172)
        + rect(95, 128, 10, 38, "#7d848c")
        + rect(66, 162, 68, 10, INK, 5)
        + line("M58 78v18q0 36 42 36t42-36V78", "#9aa2aa", 7)
        + rect(70, 26, 60, 96, ink.main, 30)
        + path("M104 26q26 2 26 30v36q0 28-26 30z", ink.dark)
        + line("M74 50h52M72 62h56M74 38h52", "#fff5", 3)
        + rect(70, 74, 60, 9, ink.accent)
        + circle(100, 100, 5, ink.light)
    )


def _soundbar(ink: Ink) -> str:
    subwoofer = (
        rect(142, 84, 36, 62, ink.main, 5) + circle(160, 118, 12, ink.dark) if ink.variant % 3 == 0 else ""
    )
    return (
        shadow(84, 162)
        + rect(38, 30, 124, 78, "#2f3237", 5)
        + path("M43 35h114v68H43z", shade(ink.accent, -0.2))
        + path("M43 103V88l30-26 26 24 18-14 40 31z", shade(ink.accent, 0.25))
        + circle(132, 54, 9, GLOW)
        + rect(84, 108, 32, 10, "#2f3237")
        + rect(14, 138, 172, 24, ink.main, 12)
        + path("M26 142h148q8 8 0 16H26q-8-8 0-16z", ink.dark)
        + "".join(circle(x, 150, 2, "#fff7") for x in (90, 100, 110))
        + subwoofer
    )


def _radio(ink: Ink) -> str:
    return (
        shadow(70, 164)
        + line("M142 66l22-44", "#9aa2aa", 4)
        + line("M60 66q0-24 40-24t40 24", ink.dark, 7)
        + rect(26, 64, 148, 96, ink.main, 14)
        + path("M26 144h148v2q0 14-14 14H40q-14 0-14-14z", ink.dark)
        + circle(70, 110, 34, PAPER)
        + line("M46 96h48M40 106h60M40 116h60M46 126h48", ink.dark, 4)
        + rect(114, 80, 48, 24, GLOW, 4)
        + line("M122 92h32M140 84v16", "#b5573f", 2.5)
        + circle(126, 126, 10, ink.accent)
        + circle(152, 126, 10, ink.accent)
        + line("M126 126v-7M152 126l5-5", "#fff", 2.5)
    )


DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "headphones": _headphones,
    "earbuds": _earbuds,
    "speakers": _speakers,
    "portable-speakers": _portable_speaker,
    "turntables": _turntable,
    "microphones": _microphone,
    "soundbars": _soundbar,
    "radios": _radio,
}
"""By subcategory."""
