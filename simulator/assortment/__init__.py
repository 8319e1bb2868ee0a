"""What does the synthetic shop sell: its categories, subcategories, brands and sellers?"""

from __future__ import annotations

from simulator.assortment import audio, garden, kids, kitchen, living, outdoor
from simulator.assortment.kinds import Subcategory

CATEGORIES = ("kitchen", "garden", "living", "audio", "outdoor", "kids")

SUBCATEGORIES: tuple[Subcategory, ...] = (
    *kitchen.SUBCATEGORIES,
    *garden.SUBCATEGORIES,
    *living.SUBCATEGORIES,
    *audio.SUBCATEGORIES,
    *outdoor.SUBCATEGORIES,
    *kids.SUBCATEGORIES,
)

BRANDS = {
    "kitchen": kitchen.BRANDS,
    "garden": garden.BRANDS,
    "living": living.BRANDS,
    "audio": audio.BRANDS,
    "outdoor": outdoor.BRANDS,
    "kids": kids.BRANDS,
}
"""Brands of each category, dearest last but one."""

LINES = (
    "Alta", "Linden", "Fjord", "Solis", "Marlow", "Juniper", "Onda", "Ridge", "Harbour", "Ines",
    "Otto", "Mira", "Tove", "Vale", "Cove", "Bram", "Saga", "Elba", "Nova", "Piet",
    "Luna", "Hazel", "Rowan", "Aspen", "Lark", "Isla", "Bruno", "Freja", "Theo", "Wilma",
    "Arlo", "Dune", "Sten", "Vera", "Nils", "Ada", "Milo", "Greta",
)  # fmt: skip
"""Names of product lines; each brand has a few of them."""

SELLERS = (
    "planogram",
    "kessler-trading",
    "nordhandel",
    "corner-and-co",
    "bluebird-goods",
    "marktplatz-7",
    "atelier-supply",
    "harbour-lane",
    "twelve-oaks",
    "fairweather",
    "paper-moon",
    "south-yard",
)
"""Sellers; the first is the shop itself."""

ARTICLES: tuple[tuple[str, str], ...] = (
    ("How to choose {a_noun}", "What matters, what does not, and three questions to ask yourself first."),
    ("{question}?", "A short answer, a long answer, and what our buyers do at home."),
    ("Caring for {plural}: what really helps", "Ten minutes now save you a new one. Our workshop shows how."),
    (
        "Our test: eight {plural} in daily use",
        "Four weeks, eight candidates, one clear favourite and one surprise.",
    ),
    ("{Plural} under the loupe: where the money goes", "We took one apart and asked what every part costs."),
    ("Buy once: {plural} that last", "Signs of good work that you can see, hear and feel in the shop."),
    (
        "A visit to {brand}, who make {plural}",
        "A morning in the workshop, with a lot of tea and some sawdust.",
    ),
    ("Small budget, good {plural}", "Where saving is easy, and where it comes back to haunt you."),
    ("The gift guide: {plural} for people you like", "From a small thank-you to a big birthday."),
    ("Five mistakes everybody makes with {plural}", "We have made all of them, so that you need not."),
    ("From our letters: questions about {plural}", "Readers ask, our buyers answer, sometimes at length."),
)
"""Titles and teasers of articles."""
