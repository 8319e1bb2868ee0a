"""What does an item look like: a flat SVG picture of its kind in its own colour?

Pictures have a canvas of 200 x 200, a tinted background, a soft shadow on the ground, and light from
the upper left: each body has a darker side and a pale highlight.
"""

from __future__ import annotations

from simulator.drawing import audio, garden, kids, kitchen, living, outdoor
from simulator.drawing.strokes import Ink, circle, rect, shade

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

_DRAWINGS = {
    **kitchen.DRAWINGS,
    **garden.DRAWINGS,
    **living.DRAWINGS,
    **audio.DRAWINGS,
    **outdoor.DRAWINGS,
    **kids.DRAWINGS,
}


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
    sun = circle((70, 130, 100)[variant % 3], 86, 66, shade(ground, 0.82))
    lines = rect(24, 168, 96, 7, "#fff", 3) + rect(24, 181, 60, 5, shade(ground, 0.5), 2)
    mark = f'<path d="M158 0h20v40l-10-9-10 9z" fill="{shade(ground, 0.55)}"/>'
    picture = (
        f'<g transform="translate({(4, 64, 34)[variant % 3]} 18)scale(.66)">{_DRAWINGS[subcategory](ink)}</g>'
    )
    return _svg(ground, sun + mark + picture + lines)


def _svg(ground: str, body: str) -> str:
    return (
        '<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 200 200">'
        f'<path fill="{ground}" d="M0 0h200v200H0z"/>{body}</svg>'
    )
