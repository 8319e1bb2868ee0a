"""What does an item look like: a flat SVG picture of its kind in its own colour?

Pictures have a canvas of 200 x 200, a tinted background, a soft shadow on the ground, and light from
the upper left: each body has a darker side and a pale highlight.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

_INK = "#3b3f46"
_STEEL = "#b9c1c9"
_WOOD = "#c59a66"
_PAPER = "#fbf8f2"
_LEAF = "#6f9463"
_GLOW = "#ffe6a3"

BACKGROUNDS = {
    "kitchen": ("#f6efe6", "#f3ebe6", "#eef0ea"),
    "garden": ("#eaf1e6", "#eef2e4", "#f2f0e2"),
    "living": ("#f3eee9", "#efedf0", "#f4efe4"),
    "audio": ("#eceef2", "#efeff1", "#f1eef2"),
    "outdoor": ("#e6eef0", "#e9f0ea", "#f0efe6"),
    "kids": ("#fdf1e3", "#eaf4f7", "#f8ecef"),
}
EDITORIAL = {
    "kitchen": "#b5573f",
    "garden": "#4f7350",
    "living": "#7c5a6e",
    "audio": "#3f4c66",
    "outdoor": "#38686b",
    "kids": "#d08a34",
}
"""Ground colour of a category's articles."""


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of one picture and the number that picks its small variations."""

    main: str
    dark: str
    light: str
    accent: str
    variant: int
    kind: str = ""


def product(subcategory: str, category: str, kind: str, colour: str, accent: str, variant: int) -> str:
    """The picture of a product.

    Args:
        kind: the form of product within the subcategory, such as "cleaver".
        colour, accent: hex values, such as "#c96f4a".
        variant: any number; varies background, pattern and small parts.
    """
    ground = BACKGROUNDS[category][variant % 3]
    ink = Ink(colour, shade(colour, -0.18), shade(colour, 0.3), accent, variant, kind)
    return _svg(ground, _DRAWINGS[subcategory](ink))


def article(subcategory: str, category: str, colour: str, accent: str, variant: int) -> str:
    """The illustration of an article about a subcategory: its product on an editorial page."""
    ground = EDITORIAL[category]
    ink = Ink(colour, shade(colour, -0.18), shade(colour, 0.3), accent, variant)
    sun = _circle((70, 130, 100)[variant % 3], 86, 66, shade(ground, 0.82))
    lines = _rect(24, 168, 96, 7, "#fff", 3) + _rect(24, 181, 60, 5, shade(ground, 0.5), 2)
    mark = f'<path d="M158 0h20v40l-10-9-10 9z" fill="{shade(ground, 0.55)}"/>'
    picture = (
        f'<g transform="translate({(4, 64, 34)[variant % 3]} 18)scale(.66)">{_DRAWINGS[subcategory](ink)}</g>'
    )
    return _svg(ground, sun + mark + picture + lines)


def shade(colour: str, amount: float) -> str:
    """A hex colour moved towards white (amount above 0) or black (below), by -1 to 1."""
    target = 255 if amount > 0 else 0
    share = abs(amount)
    parts = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return "#" + "".join(f"{round(part + (target - part) * share):02x}" for part in parts)


def _svg(ground: str, body: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
        f'<path fill="{ground}" d="M0 0h200v200H0z"/>{body}</svg>'
    )


def _rect(x: float, y: float, width: float, height: float, fill: str, radius: float = 0) -> str:
    rounded = f' rx="{radius:g}"' if radius else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{rounded} fill="{fill}"/>'


def _circle(x: float, y: float, radius: float, fill: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>'


def _oval(x: float, y: float, across: float, down: float, fill: str) -> str:
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{across:g}" ry="{down:g}" fill="{fill}"/>'


def _path(points: str, fill: str) -> str:
    return f'<path d="{points}" fill="{fill}"/>'


def _line(points: str, colour: str, width: float) -> str:
    return (
        f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def _turn(angle: float, body: str) -> str:
    return f'<g transform="rotate({angle:g} 100 100)">{body}</g>'


def _shadow(across: float = 56, y: float = 164, x: float = 100) -> str:
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{across:g}" ry="7" opacity=".1"/>'


def _shine(points: str, width: float = 5) -> str:
    return (
        f'<path d="{points}" fill="none" stroke="#fff" stroke-width="{width:g}" '
        'stroke-linecap="round" opacity=".4"/>'
    )


def _pan(ink: Ink) -> str:
    pan = (
        _rect(122, 93, 60, 14, ink.accent, 7)
        + _circle(174, 100, 3, "#fff")
        + _circle(80, 100, 54, ink.dark)
        + _circle(80, 100, 49, ink.main)
        + _circle(80, 100, 40, ink.dark)
    )
    food = (
        _path("M58 104q-6-22 16-24 26-4 28 18-2 24-24 20-16 0-20-14z", "#fff") + _circle(80, 98, 9, "#f2b63c")
        if ink.variant % 3 == 0
        else _shine("M52 92a30 30 0 0 1 24-22")
    )
    return _turn(-32, '<ellipse cx="84" cy="106" rx="56" ry="54" opacity=".1"/>' + pan + food)


def _pot(ink: Ink) -> str:
    return (
        _shadow(60)
        + _rect(28, 96, 144, 12, ink.dark, 6)
        + _path("M44 90h112v54q0 18-20 18H64q-20 0-20-18z", ink.main)
        + _path("M128 90h28v54q0 18-20 18h-14q6-8 6-18z", ink.dark)
        + _path("M38 90q4-32 62-32t62 32z", ink.light)
        + _rect(36, 84, 128, 9, ink.dark, 4)
        + _circle(100, 54, 9, ink.accent)
        + _shine("M56 106v34")
    )


def _knife(ink: Ink) -> str:
    blade = (
        _path("M30 88h92v30H72Q38 114 30 88z", "#ccd3d9")
        + _path("M34 99h88v19H72Q44 114 34 99z", "#e6eaed")
        + _rect(118, 84, 8, 36, "#98a1aa", 2)
        + _path("M126 87h44q10 2 8 14l-3 12q-4 6-12 4l-37-2z", ink.accent)
    )
    if ink.kind == "cleaver":
        blade = (
            _rect(26, 82, 100, 46, "#ccd3d9", 5)
            + _rect(26, 106, 100, 22, "#e6eaed", 5)
            + _circle(38, 92, 4, "#fff")
            + _path("M126 86h46q8 2 6 11l-2 8q-3 5-10 5h-40z", ink.accent)
        )
    return _turn(-28, blade + _circle(138, 99, 2.5, "#f4f1ea") + _circle(158, 100, 2.5, "#f4f1ea"))


def _kettle(ink: Ink) -> str:
    handle = _line("M62 76Q100 18 138 76", _INK, 8)
    return (
        _shadow(52)
        + _path("M128 104q22-6 34-34l10 4q-6 40-36 58z", ink.dark)
        + handle
        + _path("M60 80q40-22 80 0l14 68q2 14-12 14H58q-14 0-12-14z", ink.main)
        + _path("M124 74q8 2 16 6l14 68q2 14-12 14h-22q14-30 4-88z", ink.dark)
        + _path("M70 76q30-16 60 0z", ink.light)
        + _circle(100, 64, 6, ink.accent)
        + _shine("M66 96l-8 46")
    )


def _moka(ink: Ink) -> str:
    return (
        _shadow(46)
        + _path("M136 62h28v46l-10 8V74h-20z", _INK)
        + _path("M66 110h68l12 52H54z", ink.main)
        + _path("M112 110h22l12 52h-26z", ink.dark)
        + _path("M54 56h92l-14 50H68z", ink.light)
        + _path("M118 56h28l-14 50h-20z", ink.main)
        + _path("M54 56l-16 4 20 18z", ink.light)
        + _rect(64, 104, 72, 9, ink.dark, 3)
        + _path("M62 54q38-22 76 0z", ink.main)
        + _circle(100, 38, 7, _INK)
        + _shine("M66 152l7-32")
    )


def _mug(ink: Ink) -> str:
    patterns = (
        _rect(52, 116, 84, 12, ink.accent),
        "".join(
            _circle(x, y, 4, ink.accent) for x, y in ((68, 108), (92, 124), (116, 108), (72, 140), (112, 140))
        ),
        _path("M52 130q14-12 28 0t28 0 28 0v22q0 12-12 12H64q-12 0-12-12z", ink.accent),
    )
    return (
        _shadow(50, 165, 96)
        + _line("M134 100q34-4 32 22-2 22-34 20", ink.dark, 11)
        + _path("M52 84h84v68q0 12-12 12H64q-12 0-12-12z", ink.main)
        + patterns[ink.variant % 3]
        + _path("M118 84h18v68q0 12-12 12h-12q6-6 6-16z", "#0001")
        + _oval(94, 84, 42, 9, ink.light)
        + _oval(94, 85, 36, 6, "#6b4634")
        + _line("M84 66q-8-10 0-18t0-16M104 66q-8-10 0-18t0-16", "#fff", 4)
        + _shine("M62 100v44")
    )


def _board(ink: Ink) -> str:
    board = (
        '<rect x="45" y="46" width="112" height="130" rx="14" opacity=".1"/>'
        + _path(
            "M54 56h32V40q0-14 14-14t14 14v16h32q10 0 10 12v90q0 10-10 10H54q-10 0-10-10V68q0-12 10-12z",
            ink.main,
        )
        + _circle(100, 42, 6, ink.dark)
        + _line("M62 74v78M82 66v86M120 70v60M138 82v70", ink.dark, 2)
    )
    food = (
        _circle(104, 124, 18, "#cf4a3c")
        + _circle(104, 124, 13, "#e2705c")
        + _path("M100 106q4-10 12-8-2 8-8 10z", _LEAF),
        _path("M80 140q-4-30 22-40 24 8 22 34-20 20-44 6z", "#9fb56a") + _circle(104, 126, 9, "#7b5638"),
        "",
    )[ink.variant % 3]
    return _turn(14, board + food)


def _blender(ink: Ink) -> str:
    return (
        _shadow(44)
        + _line("M130 58q26 0 24 24t-32 28", "#a9bcc2", 7)
        + _path("M62 40h76l-10 76H72z", "#d5e3e6")
        + _path("M66 70q34-10 69 0l-7 46H72z", ("#c9566b", "#8fae5d", "#e9a25c")[ink.variant % 3])
        + _rect(58, 30, 84, 12, _INK, 5)
        + _rect(88, 22, 24, 10, _INK, 4)
        + _path("M70 116h60l14 40q2 8-6 8H62q-8 0-6-8z", ink.main)
        + _path("M116 116h14l14 40q2 8-6 8h-16z", ink.dark)
        + _circle(100, 142, 9, ink.light)
        + _rect(98, 134, 4, 9, _INK, 2)
        + _shine("M72 50l5 52")
    )


def _planter(ink: Ink) -> str:
    plants = (
        _line("M100 110V50", _LEAF, 4)
        + _path("M100 92Q62 92 56 56q38 0 44 36zM100 92q38 0 44-40-40 2-44 40z", "#7fa571")
        + _path("M100 66Q78 54 84 26q24 12 16 40zM100 70q22-6 30-36-28 2-30 36z", _LEAF),
        "".join(
            _oval(x, y, 9, 26, fill)
            for x, y, fill in ((84, 74, _LEAF), (116, 74, "#5f8556"), (100, 62, "#7fa571"))
        )
        + _circle(100, 36, 7, ink.accent),
        _line("M100 110Q96 70 70 58M100 110Q104 66 132 56M100 110V44", _LEAF, 4)
        + _circle(68, 54, 11, ink.accent)
        + _circle(134, 52, 11, ink.accent)
        + _circle(100, 40, 13, ink.accent)
        + _circle(100, 40, 5, _GLOW),
    )
    return (
        _shadow(44)
        + plants[ink.variant % 3]
        + _path("M58 116h84l-12 44q-1 4-6 4H76q-5 0-6-4z", ink.main)
        + _path("M118 116h24l-12 44q-1 4-6 4h-14z", ink.dark)
        + _rect(52, 100, 96, 20, ink.light, 4)
        + _rect(52, 114, 96, 6, ink.dark, 3)
    )


def _watering_can(ink: Ink) -> str:
    return (
        _shadow(56, 164, 108)
        + _line("M84 128L34 78", ink.dark, 12)
        + _path("M16 74l28-22 8 12-24 22z", ink.light)
        + _line("M88 82q36-58 68-8 14 24-2 54", ink.dark, 8)
        + _path("M76 88h72l8 66q1 10-9 10H77q-10 0-9-10z", ink.main)
        + _path("M126 88h22l8 66q1 10-9 10h-23z", ink.dark)
        + _oval(112, 88, 36, 8, ink.light)
        + _path("M112 82h36a36 8 0 0 1-36 12z", ink.dark)
        + "".join(_circle(x, y, 2.5, "#8fb9d4") for x, y in ((18, 92), (28, 100), (12, 108)))
        + _shine("M84 106l-4 40")
    )


def _secateurs(ink: Ink) -> str:
    return _turn(
        38,
        _line("M92 98Q70 130 80 176", ink.dark, 13)
        + _line("M108 98q22 32 12 78", ink.main, 13)
        + _path("M94 104Q78 60 104 22q16 34 8 80z", _STEEL)
        + _path("M106 104q18-30 8-62-16 20-20 60z", "#8f99a3")
        + _circle(101, 102, 11, "#d9dee2")
        + _circle(101, 102, 4, _INK)
        + _line("M90 126l8 6-8 6 12 4", _STEEL, 3)
        + _shine("M114 122q8 20 6 44", 3),
    )


def _spade(ink: Ink) -> str:
    return _turn(
        24,
        _path("M78 22h44l-8 22h-28z", ink.main)
        + _path("M87 29h26l-4 10h-18z", "#fff")
        + _rect(95, 40, 10, 78, ink.main, 3)
        + _rect(100, 40, 5, 78, ink.dark, 2)
        + _path("M92 100h16l4 18h-24z", "#8f99a3")
        + _path("M72 114h56v34q0 24-28 40-28-16-28-40z", _STEEL)
        + _path("M100 114h28v34q0 24-28 40z", "#98a2ab")
        + _rect(68, 110, 64, 7, "#8f99a3", 3),
    )


def _garden_light(ink: Ink) -> str:
    return (
        _shadow(34, 172)
        + _circle(100, 84, 66, "#ffe6a355")
        + _circle(100, 84, 44, "#ffe6a388")
        + _rect(96, 116, 8, 58, ink.dark, 3)
        + _path("M74 62h52l-6 56H80z", _GLOW)
        + _circle(100, 92, 13, "#fff3cf")
        + _line("M76 62l6 56M124 62l-6 56M100 62v56", ink.main, 5)
        + _path("M64 62q4-26 36-28 32 2 36 28z", ink.main)
        + _path("M104 34q28 4 32 28h-20q0-18-12-28z", ink.dark)
        + _rect(76, 114, 48, 9, ink.main, 4)
        + _circle(100, 32, 5, ink.dark)
        + _path("M44 174q8-24 14 0zM58 174q6-14 12 0zM138 174q6-22 14 0z", _LEAF)
    )


def _bird_feeder(ink: Ink) -> str:
    bird = (
        _path("M52 128q2-22 24-20 16 2 14 18-2 16-20 16-8 0-12-6l-16 2z", "#d9783f")
        + _circle(80, 114, 2, _INK)
        + _path("M90 116l9 3-9 4z", "#f2b63c")
        + _path("M58 124q10-4 16 6-10 8-18 2z", "#7b5638")
    )
    return (
        _shadow(50, 174)
        + _rect(95, 20, 10, 18, _WOOD, 3)
        + _path("M58 84h84v64H58z", ink.main)
        + _path("M112 84h30v64h-30z", ink.dark)
        + _path("M100 30l60 52-8 10-52-44-52 44-8-10z", shade(ink.accent, -0.1))
        + _path("M100 48l44 37H56z", ink.light)
        + _circle(104, 106, 13, "#4a3a30")
        + _rect(44, 146, 112, 10, _WOOD, 4)
        + _rect(96, 156, 8, 20, "#a87f52")
        + (bird if ink.variant % 2 else _rect(98, 122, 28, 5, _WOOD, 2))
    )


def _garden_chair(ink: Ink) -> str:
    slats = "".join(
        _rect(x, 34, 14, 84, fill, 7)
        for x, fill in ((62, ink.main), (79, ink.light), (96, ink.main), (113, ink.light))
    )
    return (
        _shadow(58, 170)
        + _line("M70 130L56 168M128 130l16 38", ink.dark, 9)
        + slats
        + _rect(58, 58, 74, 7, ink.dark, 3)
        + _path("M52 116h90l10 20H42z", ink.main)
        + _path("M47 126h100l5 10H42z", ink.dark)
        + _rect(38, 92, 28, 9, ink.light, 4)
        + _rect(128, 92, 30, 9, ink.light, 4)
        + _line("M46 100v34M150 100v34", ink.dark, 7)
    )


def _seeds(ink: Ink) -> str:
    flower = "".join(
        f'<ellipse cx="100" cy="82" rx="9" ry="20" fill="{ink.main}" transform="rotate({angle} 100 100)"/>'
        for angle in range(0, 360, 60)
    ) + _circle(100, 100, 11, ink.accent)
    tomato = _circle(100, 98, 29, "#cf4a3c") + _path(
        "M100 76l-16-9 9 13zM100 76l16-9-9 13zM97 64h6v14h-6z", _LEAF
    )
    salad = "".join(
        _oval(x, y, 17, 26, fill)
        for x, y, fill in ((82, 92, _LEAF), (118, 92, "#7fa571"), (100, 84, "#9fbf87"))
    )
    picture = {"tomato seeds": tomato, "salad seeds": salad}.get(ink.kind, flower)
    packet = (
        '<rect x="56" y="32" width="96" height="140" rx="4" opacity=".1"/>'
        + _rect(52, 28, 96, 140, _PAPER, 4)
        + _path("M52 32q0-4 4-4h88q4 0 4 4v16H52z", ink.dark)
        + _rect(64, 34, 48, 6, "#fff9", 3)
        + _line("M100 112q4 20-2 44", _LEAF, 4)
        + _path("M98 144q-22 0-26-18 22 0 26 18zM100 138q18-2 20-18-18 2-20 18z", _LEAF)
        + picture
    )
    return _turn(-7 if ink.variant % 2 else 6, packet)


def _armchair(ink: Ink) -> str:
    return (
        _shadow(58, 170)
        + _line("M58 148l-6 22M142 148l6 22", "#7b5638", 7)
        + _path("M56 58q0-26 44-26t44 26v60H56z", ink.main)
        + _path("M122 36q22 6 22 22v60h-22z", ink.dark)
        + _rect(58, 104, 84, 28, ink.light, 9)
        + _path("M36 96q0-12 13-12t13 12v32h76V96q0-12 13-12t13 12v48q0 8-8 8H44q-8 0-8-8z", ink.main)
        + _path("M138 128V96q0-12 13-12t13 12v48q0 8-8 8h-18z", ink.dark)
        + (_rect(78, 78, 40, 34, ink.accent, 9) if ink.variant % 2 else _shine("M70 56q4-12 18-14"))
    )


def _sofa(ink: Ink) -> str:
    return (
        _shadow(80, 160)
        + _line("M40 142l-4 18M160 142l4 18", "#7b5638", 6)
        + _rect(34, 62, 132, 66, ink.main, 14)
        + _path("M100 62h52q14 0 14 14v52h-66z", ink.dark)
        + _rect(40, 104, 60, 26, ink.light, 8)
        + _rect(100, 104, 60, 26, ink.light, 8)
        + _path("M18 98q0-11 12-11t12 11v30h116V98q0-11 12-11t12 11v40q0 8-8 8H26q-8 0-8-8z", ink.main)
        + _path("M158 128V98q0-11 12-11t12 11v40q0 8-8 8h-16z", ink.dark)
        + _turn(-6, _rect(52, 74, 34, 30, ink.accent, 7))
        + (_turn(5, _rect(118, 72, 32, 28, _PAPER, 7)) if ink.variant % 2 else "")
    )


def _lamp(ink: Ink) -> str:
    paper = ink.accent if ink.variant % 2 else _PAPER
    if ink.kind == "floor lamp":
        return (
            _shadow(34, 178)
            + _path("M62 62h76l34 104H28z", "#ffe6a344")
            + _rect(97, 60, 6, 114, ink.main, 3)
            + _rect(74, 170, 52, 8, ink.dark, 4)
            + _path("M74 18h52l16 46H58z", paper)
            + _path("M59 58h82l2 6H57z", "#0002")
        )
    if ink.kind == "reading lamp":
        return (
            _shadow(44, 168, 88)
            + _path("M116 84l-42 78h112l-26-66z", "#ffe6a355")
            + _line("M78 162L56 96l56-44", ink.main, 7)
            + _circle(56, 96, 7, ink.dark)
            + _turn(28, _path("M116 26h24l20 40h-64z", ink.accent) + _path("M96 66h64v-6H99z", "#0002"))
            + _rect(48, 158, 62, 10, ink.dark, 5)
        )
    bodies = (
        _rect(96, 86, 8, 74, ink.main, 2),
        _path("M92 86h16q0 20 14 32 8 24-22 44-30-20-22-44 14-12 14-32z", ink.main)
        + _path("M102 86h6q0 20 14 32 8 24-22 44 16-40 2-76z", ink.dark),
        _circle(100, 106, 14, ink.main)
        + _circle(100, 136, 20, ink.main)
        + _path("M100 116a20 20 0 0 1 0 40z", ink.dark),
    )
    top = ("M70 32h60l22 54H48z", "M48 86q0-54 52-54t52 54z")[ink.variant % 2]
    return (
        _shadow(38, 168)
        + _path("M48 86h104l30 70H18z", "#ffe6a344")
        + bodies[ink.variant % 3]
        + _rect(68, 158, 64, 10, ink.dark, 5)
        + _path(top, paper)
        + _path("M48 80h104v6H48z", "#0002")
        + _shine("M76 44l-8 26", 4)
    )


def _cushion(ink: Ink) -> str:
    patterns = (
        _line("M56 72q44-8 88 0M52 100h96M56 130q44 8 88 0", ink.light, 7),
        "".join(
            _circle(x, y, 7, ink.light) for x, y in ((74, 74), (126, 74), (100, 100), (74, 128), (126, 128))
        ),
        _path("M100 62l38 38-38 38-38-38z", ink.light) + _path("M100 82l18 18-18 18-18-18z", ink.accent),
        _path("M100 52q40 4 52-2-6 50 2 98-10-4-54-4z", ink.dark),
    )
    return _shadow(58, 166) + _turn(
        -6 if ink.variant % 2 else 5,
        _path("M42 44q58 14 116 0-12 58 0 116-58-14-116 0 12-58 0-116z", ink.main)
        + patterns[ink.variant % 4]
        + _line("M52 56q48 9 96 0-8 44 0 92-48-9-96 0 8-46 0-92z", "#0001", 3),
    )


def _vase(ink: Ink) -> str:
    stems = (
        _line("M98 78Q90 44 70 34M102 78q4-32 30-44M100 78V24", _LEAF, 3.5)
        + "".join(
            _circle(x, y, 10, fill)
            for x, y, fill in ((68, 34, ink.accent), (134, 32, shade(ink.accent, 0.3)), (100, 22, ink.accent))
        ),
        _line("M100 80Q104 40 132 18", "#8a6a4a", 4)
        + "".join(_oval(x, y, 7, 11, _LEAF) for x, y in ((104, 52), (120, 44), (114, 30), (134, 22))),
        _line("M100 78V30", _LEAF, 4)
        + _path("M84 40q0-22 6-24 6 4 10 10 4-6 10-10 6 2 6 24-4 12-16 12t-16-12z", ink.accent),
    )
    bodies = (
        "M88 76h24q-2 18 14 32 22 26-2 52-24 6-48 0-24-26-2-52 16-14 14-32z",
        "M82 76h36l12 40q6 30-8 46-22 4-44 0-14-16-8-46z",
        "M90 70h20v30q26 8 26 36 0 20-18 26-18 2-36 0-18-6-18-26 0-28 26-36z",
    )
    variant = ink.variant // 3 % 3
    return (
        _shadow(36)
        + stems[ink.variant % 3]
        + _path(bodies[variant], ink.main)
        + _path("M112 104q22 24 2 56l8 2q26-24 8-50z", ink.dark)
        + _shine("M84 120q-8 14-2 28")
    )


def _rug(ink: Ink) -> str:
    patterns = (
        "".join(
            _rect(46, y, 108, 8, fill)
            for y, fill in (
                (52, ink.light),
                (72, ink.accent),
                (92, ink.light),
                (112, ink.accent),
                (132, ink.light),
            )
        ),
        _path("M100 46l48 54-48 54-48-54z", ink.light) + _path("M100 70l26 30-26 30-26-30z", ink.accent),
        _oval(78, 76, 26, 22, ink.light)
        + _oval(124, 120, 28, 24, ink.accent)
        + _oval(76, 132, 14, 12, ink.dark),
        _line(
            "M46 62l27 18 27-18 27 18 27-18M46 96l27 18 27-18 27 18 27-18M46 130l27 18 27-18 27 18 27-18",
            ink.light,
            6,
        ),
    )
    fringe = _line("M52 30v-8M68 30v-8M84 30v-8M100 30v-8M116 30v-8M132 30v-8M148 30v-8", _PAPER, 4)
    return _turn(
        -14,
        '<rect x="44" y="36" width="120" height="140" opacity=".1"/>'
        + fringe
        + f'<g transform="translate(0 146)">{fringe}</g>'
        + _rect(40, 28, 120, 144, ink.main, 3)
        + patterns[ink.variant % 4],
    )


def _shelf(ink: Ink) -> str:
    books = "".join(
        _rect(x, y, width, height, fill, 1)
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
        _shadow(54, 172)
        + _rect(48, 28, 104, 142, ink.main, 4)
        + _rect(56, 36, 88, 44, ink.dark, 2)
        + _rect(56, 87, 88, 36, ink.dark, 2)
        + _rect(56, 130, 88, 32, ink.dark, 2)
        + books
        + _path("M116 66h20l-4 14h-12z", "#c96f4a")
        + _path("M126 66q-16-6-12-22 14 6 12 22zM126 66q14-8 10-22-12 8-10 22z", "#86ad78")
        + _oval(76, 112, 11, 10, "#ece0c8")
        + _rect(62, 142, 34, 20, _WOOD, 3)
        + _rect(104, 142, 34, 20, _WOOD, 3)
    )


def _hand(angle: int, tip: int, width: int) -> str:
    return (
        f'<path d="M100 104V{tip}" stroke="{_INK}" stroke-width="{width}" stroke-linecap="round" '
        f'transform="rotate({angle} 100 100)"/>'
    )


def _clock(ink: Ink) -> str:
    ticks = (  # 12 dashes on a circle of 2 pi 48
        f'<circle cx="100" cy="100" r="48" fill="none" stroke="{_INK}" stroke-width="7" '
        'stroke-dasharray="3 22.13" stroke-dashoffset="1.5"/>'
    )
    hour = ink.variant % 12 * 30
    return (
        '<circle cx="104" cy="106" r="66" opacity=".1"/>'
        + _circle(100, 100, 66, ink.main)
        + _circle(100, 100, 56, _PAPER)
        + ticks
        + _hand(hour, 72, 6)
        + _hand(hour * 7 % 360, 58, 4)
        + _circle(100, 100, 5, ink.accent)
        + _shine("M50 78a56 56 0 0 1 26-28", 4)
    )


def _headphones(ink: Ink) -> str:
    return (
        _shadow(54, 172)
        + _line("M48 116V98q2-62 52-62t52 62v18", ink.dark, 11)
        + _line("M56 78q10-34 44-34t44 34", ink.main, 9)
        + _rect(34, 98, 30, 62, ink.main, 14)
        + _rect(136, 98, 30, 62, ink.dark, 14)
        + _rect(56, 102, 16, 54, ink.accent, 8)
        + _rect(128, 102, 16, 54, ink.accent, 8)
        + _shine("M42 114v26")
    )


def _earbuds(ink: Ink) -> str:
    return (
        _shadow(52, 168)
        + _path("M48 96q0-52 52-52t52 52z", ink.light)
        + _path("M58 92q2-38 42-38t42 38z", ink.dark)
        + _rect(44, 94, 112, 70, ink.main, 26)
        + _path("M112 94h18q26 0 26 26v18q0 26-26 26h-18z", ink.dark)
        + _circle(78, 86, 15, _PAPER)
        + _rect(72, 90, 12, 26, _PAPER, 6)
        + _circle(122, 86, 15, _PAPER)
        + _rect(116, 90, 12, 26, _PAPER, 6)
        + _oval(84, 82, 6, 8, "#c9ced3")
        + _oval(116, 82, 6, 8, "#c9ced3")
        + _path("M44 114h112v24q0 26-26 26H70q-26 0-26-26z", ink.main)
        + _circle(100, 132, 3.5, ink.accent)
    )


def _speakers(ink: Ink) -> str:
    def box(x: float, cone: float) -> str:
        return (
            _rect(x, 38, 58, 126, ink.main, 6)
            + _rect(x + 44, 38, 14, 126, ink.dark, 6)
            + _circle(x + 26, 66, 11, _INK)
            + _circle(x + 26, 66, 5, "#8d9298")
            + _circle(x + 26, 118, cone, _INK)
            + _circle(x + 26, 118, cone - 6, "#5a5f66")
            + _circle(x + 26, 118, 7, ink.accent)
        )

    return _shadow(74, 166) + box(32, 21) + box(110, 21)


def _portable_speaker(ink: Ink) -> str:
    mesh = (  # round caps of no length are dots
        '<path d="M62 94h78M62 108h78M62 122h78M62 136h78" stroke="#0003" stroke-width="6" '
        'stroke-linecap="round" stroke-dasharray="0 15"/>'
    )
    if ink.variant % 2:
        return (
            _shadow(42)
            + _line("M84 52q-30-30 16-30t16 30", ink.accent, 6)
            + _rect(56, 44, 88, 120, ink.main, 34)
            + _path("M112 44q32 2 32 34v52q0 32-32 34z", ink.dark)
            + f'<g transform="translate(30 6)scale(.7 .92)">{mesh}</g>'
            + _circle(100, 66, 9, ink.light)
            + _shine("M66 84v50")
        )
    return (
        _shadow(74, 158)
        + _line("M150 82q34-20 22 34", ink.accent, 6)
        + _rect(26, 76, 148, 78, ink.main, 39)
        + _path("M46 84h108q12 32 0 62H46q-12-30 0-62z", ink.dark)
        + mesh
        + _oval(34, 115, 7, 24, ink.light)
        + _oval(166, 115, 7, 24, ink.light)
        + _shine("M64 83h60", 4)
    )


def _turntable(ink: Ink) -> str:
    return (
        _shadow(76, 162)
        + _rect(26, 62, 148, 92, ink.main, 8)
        + _path("M26 140h148v6q0 8-8 8H34q-8 0-8-8z", ink.dark)
        + _rect(36, 152, 16, 10, _INK, 3)
        + _rect(148, 152, 16, 10, _INK, 3)
        + _oval(84, 101, 50, 34, "#2f3237")
        + _oval(84, 101, 40, 27, "#3d4147")
        + _oval(84, 101, 30, 20, "#2f3237")
        + _oval(84, 101, 15, 10, ink.accent)
        + _circle(84, 101, 2, "#fff")
        + _circle(152, 78, 9, _STEEL)
        + _line("M152 78l2 36-28 14", "#e3e7ea", 4)
        + _circle(152, 130, 5, _PAPER)
        + _shine("M46 88q10-12 26-14", 3)
    )


def _microphone(ink: Ink) -> str:
    return (
        _shadow(40, 172)
        + _rect(95, 128, 10, 38, "#7d848c")
        + _rect(66, 162, 68, 10, _INK, 5)
        + _line("M58 78v18q0 36 42 36t42-36V78", "#9aa2aa", 7)
        + _rect(70, 26, 60, 96, ink.main, 30)
        + _path("M104 26q26 2 26 30v36q0 28-26 30z", ink.dark)
        + _line("M74 50h52M72 62h56M74 38h52", "#fff5", 3)
        + _rect(70, 74, 60, 9, ink.accent)
        + _circle(100, 100, 5, ink.light)
    )


def _soundbar(ink: Ink) -> str:
    subwoofer = (
        _rect(142, 84, 36, 62, ink.main, 5) + _circle(160, 118, 12, ink.dark) if ink.variant % 3 == 0 else ""
    )
    return (
        _shadow(84, 162)
        + _rect(38, 30, 124, 78, "#2f3237", 5)
        + _path("M43 35h114v68H43z", shade(ink.accent, -0.2))
        + _path("M43 103V88l30-26 26 24 18-14 40 31z", shade(ink.accent, 0.25))
        + _circle(132, 54, 9, _GLOW)
        + _rect(84, 108, 32, 10, "#2f3237")
        + _rect(14, 138, 172, 24, ink.main, 12)
        + _path("M26 142h148q8 8 0 16H26q-8-8 0-16z", ink.dark)
        + "".join(_circle(x, 150, 2, "#fff7") for x in (90, 100, 110))
        + subwoofer
    )


def _radio(ink: Ink) -> str:
    return (
        _shadow(70, 164)
        + _line("M142 66l22-44", "#9aa2aa", 4)
        + _line("M60 66q0-24 40-24t40 24", ink.dark, 7)
        + _rect(26, 64, 148, 96, ink.main, 14)
        + _path("M26 144h148v2q0 14-14 14H40q-14 0-14-14z", ink.dark)
        + _circle(70, 110, 34, _PAPER)
        + _line("M46 96h48M40 106h60M40 116h60M46 126h48", ink.dark, 4)
        + _rect(114, 80, 48, 24, _GLOW, 4)
        + _line("M122 92h32M140 84v16", "#b5573f", 2.5)
        + _circle(126, 126, 10, ink.accent)
        + _circle(152, 126, 10, ink.accent)
        + _line("M126 126v-7M152 126l5-5", "#fff", 2.5)
    )


def _tent(ink: Ink) -> str:
    return (
        _path("M0 150l46-62 30 36 34-56 40 62 20-24 30 44v50H0z", "#0000000d")
        + _shadow(86, 166)
        + _path("M100 44l78 118H22z", ink.main)
        + _path("M100 44l78 118h-44z", ink.dark)
        + _path("M100 44l34 118H66z", ink.light)
        + _path("M100 78l22 84H78z", "#4a3f3a")
        + _path("M100 78l-4 84H78z", ink.accent)
        + _line("M100 44l-8-14M22 162l-14 6M178 162l14 6", _WOOD, 3)
    )


def _backpack(ink: Ink) -> str:
    return (
        _shadow(52, 170)
        + _line("M86 38q0-16 14-16t14 16", ink.dark, 6)
        + _rect(40, 96, 24, 52, ink.dark, 9)
        + _rect(136, 96, 24, 52, ink.dark, 9)
        + _path("M54 76q0-42 46-42t46 42v76q0 16-16 16H70q-16 0-16-16z", ink.main)
        + _path("M120 38q26 8 26 38v76q0 16-16 16h-14q8-60 4-130z", ink.dark)
        + _path("M54 74q0-40 46-40t46 40q-8 18-46 18T54 74z", ink.light)
        + _rect(68, 110, 64, 44, ink.accent, 10)
        + _line("M70 122h60", "#0003", 3)
        + _line("M82 86v22M118 86v22", _INK, 6)
        + _rect(77, 100, 10, 8, _STEEL, 2)
        + _rect(113, 100, 10, 8, _STEEL, 2)
    )


def _sleeping_bag(ink: Ink) -> str:
    return _turn(
        -20,
        '<rect x="62" y="22" width="84" height="164" rx="40" opacity=".1"/>'
        + _path("M60 66q0-46 40-46t40 46q4 60-12 100-4 12-28 12t-28-12q-16-40-12-100z", ink.main)
        + _path("M108 22q32 4 32 44 4 60-12 100-4 12-22 12 18-60 2-156z", ink.dark)
        + _oval(100, 54, 27, 25, ink.accent)
        + _oval(100, 58, 19, 17, shade(ink.accent, -0.35))
        + _line("M62 94q38 10 76 0M62 118q38 10 76 0M65 142q35 10 70 0", "#0002", 3)
        + _line("M100 78v60", _STEEL, 3),
    )


def _bottle(ink: Ink) -> str:
    return (
        _shadow(30, 172)
        + _path(
            "M84 52h32q0 14 10 20 6 6 6 16v72q0 12-12 12H80q-12 0-12-12V88q0-10 6-16 10-6 10-20z", ink.main
        )
        + _path("M106 52h10q0 14 10 20 6 6 6 16v72q0 12-12 12h-14z", ink.dark)
        + _rect(80, 30, 40, 22, ink.accent, 5)
        + _rect(80, 44, 40, 6, "#0002")
        + _line("M120 36q22-2 18 20", ink.accent, 5)
        + (
            _path("M74 138l14-22 9 12 10-16 19 26z", "#ffffff77")
            if ink.variant % 2
            else _rect(68, 112, 64, 10, "#ffffff66")
        )
        + _shine("M78 92v60")
    )


def _boots(ink: Ink) -> str:
    def boot(x: float, y: float, main: str, dark: str) -> str:
        return f'<g transform="translate({x:g} {y:g})">' + (
            _path("M46 40h44v40q6 14 34 20 24 6 24 28v12H42q-4-50 4-100z", main)
            + _path("M46 40h44v14H45z", dark)
            + _path("M42 140h108v12q0 6-6 6H48q-6 0-6-6z", _INK)
            + _path("M124 100q24 6 24 28v6q-22 0-36-30z", dark)
            + _line("M72 66l20-4M74 78l22-4M80 90l24-2", ink.accent, 4)
            + "</g>"
        )

    return (
        _shadow(74, 168, 106)
        + boot(26, -4, ink.dark, shade(ink.dark, -0.15))
        + boot(2, 8, ink.main, ink.dark)
    )


def _headlamp(ink: Ink) -> str:
    return (
        _circle(100, 112, 74, "#ffe6a344")
        + _path("M22 74q78-34 156 0v34q-78-30-156 0z", ink.main)
        + _path("M22 100q78-30 156 0v8q-78-30-156 0z", ink.dark)
        + _line("M24 86q76-32 152 0", ink.light, 4)
        + _rect(58, 72, 84, 74, _INK, 20)
        + _rect(68, 64, 24, 12, ink.accent, 5)
        + _circle(100, 109, 29, "#6b7077")
        + _circle(100, 109, 23, _GLOW)
        + _circle(100, 109, 11, "#fff")
        + _rect(50, 92, 8, 34, ink.dark, 4)
        + _rect(142, 92, 8, 34, ink.dark, 4)
    )


def _stove(ink: Ink) -> str:
    return (
        _shadow(52, 172)
        + _path("M62 44h76v48q0 12-12 12H74q-12 0-12-12z", ink.main)
        + _path("M114 44h24v48q0 12-12 12h-12z", ink.dark)
        + _rect(56, 38, 88, 10, ink.light, 5)
        + _line("M138 66h32", _INK, 8)
        + _path("M88 124q-4-14 6-20 2 8 6 8 0-10 6-14 12 12 6 26z", "#f0923c")
        + _path("M95 124q-2-8 5-12 7 6 4 12z", "#ffd36b")
        + _line("M70 110h60M80 124L60 166M120 124l20 42", _STEEL, 5)
        + _rect(78, 122, 44, 10, "#7d848c", 4)
        + _path("M76 134h48v30q0 8-8 8H84q-8 0-8-8z", ink.accent)
        + _path("M108 134h16v30q0 8-8 8h-8z", "#0002")
        + _line("M84 30q-6-8 0-14M100 30q-6-8 0-14M116 30q-6-8 0-14", "#fff", 4)
    )


def _jacket(ink: Ink) -> str:
    return (
        _path("M72 40L44 58 22 128l24 10 16-44zM128 40l28 18 22 70-24 10-16-44z", ink.dark)
        + _path("M70 38h60l14 18v108q0 4-4 4H60q-4 0-4-4V56z", ink.main)
        + _path("M102 38h28l14 18v108q0 4-4 4h-38z", ink.dark)
        + _path("M70 40q4-22 30-22t30 22l-30 22z", ink.light)
        + _path("M80 40q2-12 20-12t20 12l-20 16z", shade(ink.dark, -0.25))
        + _line("M100 58v108", ink.accent, 4)
        + _line("M66 126l22 6M134 126l-22 6", "#0003", 4)
        + _rect(110, 76, 18, 8, ink.accent, 2)
    )


def _blocks(ink: Ink) -> str:
    return (
        _shadow(66, 164)
        + _rect(40, 112, 50, 50, ink.main, 5)
        + _rect(96, 112, 64, 50, ink.accent, 5)
        + _path("M112 162v-16q0-16 16-16t16 16v16z", shade(ink.accent, -0.25))
        + _rect(58, 62, 48, 48, "#edc14b", 5)
        + _circle(82, 86, 13, "#fff8")
        + _path("M112 110l26-44 26 44z", "#8fb9d4")
        + _path("M54 60l28-34 28 34z", "#d8604c")
        + _path("M52 128h26v18H52z", ink.light)
        + _rect(82, 112, 8, 50, "#0001")
    )


def _bear(ink: Ink) -> str:
    return (
        _shadow(52, 174)
        + _circle(62, 44, 17, ink.main)
        + _circle(138, 44, 17, ink.main)
        + _circle(62, 44, 9, ink.light)
        + _circle(138, 44, 9, ink.light)
        + _oval(56, 124, 15, 24, ink.dark)
        + _oval(144, 124, 15, 24, ink.dark)
        + _oval(100, 134, 42, 38, ink.main)
        + _oval(100, 138, 25, 25, ink.light)
        + _oval(70, 164, 19, 13, ink.dark)
        + _oval(130, 164, 19, 13, ink.dark)
        + _circle(100, 72, 43, ink.main)
        + _oval(100, 84, 20, 16, ink.light)
        + _circle(82, 66, 4.5, _INK)
        + _circle(118, 66, 4.5, _INK)
        + _oval(100, 78, 7, 5, _INK)
        + _line("M100 84v4q-6 6-10 1M100 88q6 6 10 1", _INK, 2.5)
        + _path("M100 112l-20-9v18zM100 112l20-9v18z", ink.accent)
    )


def _puzzle(ink: Ink) -> str:
    return _turn(
        -8,
        _path("M40 44h56v22q20-8 20 8t-20 8v18H76q8 20-8 20t-8-20H40z", ink.main)
        + _path("M104 44h56v56h-18q8 20-8 20t-8-20h-22V88q24 8 24-14t-24-14z", ink.accent)
        + _path("M40 108h14q-4 24 14 24t14-24h14v20q20-8 20 8t-20 8v20H40z", "#edc14b")
        + _turn(
            10,
            _path("M114 120h22q-8-20 8-20t8 20h22v22q20-8 20 8t-20 8v22h-60v-22q-20 8-20-8t20-8z", "#8fb9d4"),
        )
        + _shine("M48 54h30", 4),
    )


def _balance_bike(ink: Ink) -> str:
    def wheel(x: float) -> str:
        return _circle(x, 132, 33, _INK) + _circle(x, 132, 24, _PAPER) + _circle(x, 132, 5, ink.dark)

    return (
        _shadow(82, 168)
        + wheel(50)
        + wheel(150)
        + _line("M50 132l24-44 58 4 18 40M50 132l82-38", ink.main, 9)
        + _line("M74 90l-6-22", "#9aa2aa", 6)
        + _line("M132 92l-8-42", ink.dark, 7)
        + _line("M124 50l-18 2M124 50l16-6", _INK, 7)
        + _path("M48 60q22-8 44 4-2 10-22 8-18 0-22-12z", ink.accent)
        + _circle(106, 52, 5, ink.accent)
        + _circle(140, 44, 5, ink.accent)
    )


def _picture_book(ink: Ink) -> str:
    return (
        _shadow(80, 162)
        + _path("M18 58q44-16 82 2 38-18 82-2v98q-44-14-82 4-38-18-82-4z", ink.dark)
        + _path("M24 52q40-14 76 4v98q-36-16-76-4z", ink.light)
        + _path("M176 52q-40-14-76 4v98q36-16 76-4z", _PAPER)
        + _circle(54, 78, 12, _GLOW)
        + _path("M24 122q20-26 40-10 16-20 36-2v44q-36-16-76-4z", ink.main)
        + _path("M76 130v-26l12 14z", _LEAF)
        + _line("M114 78q24-10 50-6M114 92q24-10 50-6M114 106q20-9 38-6", "#c9c2b4", 4)
        + _path("M124 134q2-16 18-14 16 2 14 14z", ink.accent)
        + _line("M156 134h10l4-10", ink.accent, 5)
        + _line("M100 58v96", "#0002", 3)
    )


def _toy_train(ink: Ink) -> str:
    return (
        _shadow(82, 168)
        + _rect(24, 150, 152, 10, _WOOD, 4)
        + _rect(36, 66, 56, 66, ink.main, 6)
        + _rect(46, 76, 36, 28, "#d9ecf2", 4)
        + _rect(28, 56, 72, 13, ink.accent, 6)
        + _rect(86, 88, 74, 44, ink.light, 14)
        + _path("M112 88h-2l-4-34h26l-4 34z", ink.dark)
        + _rect(100, 48, 38, 9, ink.accent, 4)
        + _circle(158, 108, 7, _GLOW)
        + _rect(30, 126, 136, 10, ink.dark, 4)
        + "".join(_circle(x, 142, 17, "#d8604c") + _circle(x, 142, 7, _PAPER) for x in (54, 100, 146))
        + "".join(
            _circle(x, y, radius, "#fff") for x, y, radius in ((126, 36, 8), (140, 26, 11), (160, 18, 8))
        )
    )


def _kite(ink: Ink) -> str:
    return (
        _oval(44, 46, 26, 11, "#fff")
        + _oval(62, 40, 20, 12, "#fff")
        + _oval(40, 150, 22, 9, "#fff")
        + _line("M92 142q-14 14 2 24t-14 24", _INK, 2.5)
        + _path("M90 150l-16-4 4 14zM90 150l14-6-2 14zM82 178l-14-4 4 13zM82 178l14-4-2 13z", ink.accent)
        + _path("M128 18L60 64l32 78z", ink.main)
        + _path("M128 18l36 62-72 62z", ink.accent)
        + _path("M128 18L60 64l46 22z", ink.light)
        + _path("M128 18l36 62-58 6z", shade(ink.accent, 0.3))
        + _line("M128 18L92 142M60 64l104 16", "#fff9", 3)
    )


def _night_light(ink: Ink) -> str:
    moon = (
        _path("M122 34a58 58 0 1 0 30 88 48 48 0 0 1-30-88z", ink.main)
        + _circle(84, 98, 4, _INK)
        + _line("M92 120q10 8 20 2", _INK, 3)
        + _circle(74, 112, 6, "#e58a7277")
    )
    cloud = (
        _circle(72, 112, 28, ink.main)
        + _circle(130, 114, 25, ink.main)
        + _circle(102, 92, 35, ink.main)
        + _rect(62, 106, 78, 34, ink.main, 16)
        + _line("M82 104q6 6 12 0M110 104q6 6 12 0M96 120q6 5 12 0", _INK, 3)
        + _circle(78, 118, 6, "#e58a7277")
        + _circle(128, 118, 6, "#e58a7277")
    )
    stars = "".join(
        _path(f"M{x} {y}l3 8 8 3-8 3-3 8-3-8-8-3 8-3z", "#fff") for x, y in ((148, 40), (36, 60), (164, 78))
    )
    return (
        _circle(100, 100, 84, "#33476b")
        + _circle(100, 100, 68, "#415880")
        + stars
        + (moon if ink.variant % 2 else cloud)
        + _rect(70, 156, 60, 12, _WOOD, 5)
    )


_DRAWINGS: dict[str, Callable[[Ink], str]] = {
    "pans": _pan,
    "pots": _pot,
    "knives": _knife,
    "kettles": _kettle,
    "coffee": _moka,
    "mugs": _mug,
    "boards": _board,
    "blenders": _blender,
    "planters": _planter,
    "watering-cans": _watering_can,
    "secateurs": _secateurs,
    "spades": _spade,
    "garden-lights": _garden_light,
    "bird-feeders": _bird_feeder,
    "garden-chairs": _garden_chair,
    "seeds": _seeds,
    "armchairs": _armchair,
    "sofas": _sofa,
    "lamps": _lamp,
    "cushions": _cushion,
    "vases": _vase,
    "rugs": _rug,
    "shelves": _shelf,
    "clocks": _clock,
    "headphones": _headphones,
    "earbuds": _earbuds,
    "speakers": _speakers,
    "portable-speakers": _portable_speaker,
    "turntables": _turntable,
    "microphones": _microphone,
    "soundbars": _soundbar,
    "radios": _radio,
    "tents": _tent,
    "backpacks": _backpack,
    "sleeping-bags": _sleeping_bag,
    "bottles": _bottle,
    "boots": _boots,
    "headlamps": _headlamp,
    "stoves": _stove,
    "jackets": _jacket,
    "blocks": _blocks,
    "soft-toys": _bear,
    "puzzles": _puzzle,
    "balance-bikes": _balance_bike,
    "picture-books": _picture_book,
    "toy-trains": _toy_train,
    "kites": _kite,
    "night-lights": _night_light,
}
