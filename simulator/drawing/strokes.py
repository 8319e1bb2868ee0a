"""What are pictures drawn with: colours, and shapes on a canvas of 200 x 200?"""

from __future__ import annotations

from dataclasses import dataclass

INK = "#3b3f46"
STEEL = "#b9c1c9"
WOOD = "#c59a66"
PAPER = "#fbf8f2"
LEAF = "#6f9463"
GLOW = "#ffe6a3"


@dataclass(frozen=True, slots=True)
class Ink:
    """The colours of one picture and the number that picks its small variations."""

    main: str
    dark: str
    light: str
    accent: str
    variant: int
    kind: str = ""


def shade(colour: str, amount: float) -> str:
    """A hex colour moved towards white (amount above 0) or black (below), by -1 to 1."""
    target = 255 if amount > 0 else 0
    share = abs(amount)
    parts = (int(colour[index : index + 2], 16) for index in (1, 3, 5))
    return "#" + "".join(f"{round(part + (target - part) * share):02x}" for part in parts)


def rect(x: float, y: float, width: float, height: float, fill: str, radius: float = 0) -> str:
    rounded = f' rx="{radius:g}"' if radius else ""
    return f'<rect x="{x:g}" y="{y:g}" width="{width:g}" height="{height:g}"{rounded} fill="{fill}"/>'


def circle(x: float, y: float, radius: float, fill: str) -> str:
    return f'<circle cx="{x:g}" cy="{y:g}" r="{radius:g}" fill="{fill}"/>'


def oval(x: float, y: float, across: float, down: float, fill: str) -> str:
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{across:g}" ry="{down:g}" fill="{fill}"/>'


def path(points: str, fill: str) -> str:
    return f'<path d="{points}" fill="{fill}"/>'


def line(points: str, colour: str, width: float) -> str:
    return (
        f'<path d="{points}" fill="none" stroke="{colour}" stroke-width="{width:g}" '
        'stroke-linecap="round" stroke-linejoin="round"/>'
    )


def turn(angle: float, body: str) -> str:
    return f'<g transform="rotate({angle:g} 100 100)">{body}</g>'


def shadow(across: float = 56, y: float = 164, x: float = 100) -> str:
    return f'<ellipse cx="{x:g}" cy="{y:g}" rx="{across:g}" ry="7" opacity=".1"/>'


def shine(points: str, width: float = 5) -> str:
    return (
        f'<path d="{points}" fill="none" stroke="#fff" stroke-width="{width:g}" '
        'stroke-linecap="round" opacity=".4"/>'
    )
