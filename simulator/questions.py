"""Why do shoppers ask for help, and in which words: needs, each with the answer that meets it?

None of these questions stands in a shop's own list of questions, nor among those that its search is measured
by.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

LANGUAGES = ("en", "de")
BROWSING, CARTED, BOUGHT = range(3)
"""How far somebody is who asks: nothing chosen, something in the cart, something bought lately."""


@dataclass(frozen=True, slots=True)
class Need:
    """Something that a shopper wants to know.

    Attributes:
        answer_id: the answer that meets it. also: those that help at times.
        weight: how often those who are BROWSING, CARTED and BOUGHT feel it, relative to other needs.
        questions: by language, ways of asking it.
    """

    answer_id: str
    weight: tuple[float, float, float]
    questions: Mapping[str, Sequence[str]]
    also: tuple[str, ...] = field(default=())


NEEDS = (
    Need(
        "where-is-my-order",
        (0.1, 0.1, 5.0),
        {
            "en": (
                "where has my order got to",
                "courier still not here with my package",
                "no sign of the parcel yet",
            ),
            "de": ("Wo steckt mein Paket gerade?", "Mein Päckchen kommt einfach nicht"),
        },
        ("delivery-time",),
    ),
    Need(
        "return-an-order",
        (0.3, 0.3, 4.0),
        {
            "en": (
                "I would like to return what I bought",
                "sending back a purchase, how",
                "take back the lamp please",
            ),
            "de": ("Ware zurückschicken, wie geht das?", "Ich will die Lampe zurückgeben"),
        },
        ("exchange", "refund"),
    ),
    Need(
        "refund",
        (0.0, 0.1, 2.0),
        {
            "en": ("my money for the returned chair", "refund has not shown up on my account"),
            "de": ("Rückzahlung ist noch nicht da", "Geld für den zurückgeschickten Stuhl"),
        },
        ("return-an-order",),
    ),
    Need(
        "damaged-or-wrong",
        (0.1, 0.1, 1.5),
        {
            "en": ("the parcel came with broken cups", "wrong colour was in the box"),
            "de": ("Tassen kamen zerbrochen an", "Im Paket lag das falsche Teil"),
        },
        ("return-an-order", "warranty"),
    ),
    Need(
        "change-or-cancel",
        (0.0, 0.4, 1.5),
        {
            "en": ("cancel what I just ordered", "change the order I placed an hour ago"),
            "de": ("Eben bestellt, jetzt stornieren", "Bestellung von vorhin ändern"),
        },
    ),
    Need(
        "delivery-address",
        (0.1, 0.5, 1.0),
        {
            "en": ("deliver it to my office address instead", "parcel should go to another street"),
            "de": ("Bitte an meine Büroadresse liefern", "Lieferadresse soll eine andere sein"),
        },
        ("change-or-cancel",),
    ),
    Need(
        "invoice",
        (0.1, 0.2, 1.0),
        {
            "en": ("invoice with my company name", "bill for the tax office"),
            "de": ("Rechnung mit Firmennamen", "Beleg fürs Finanzamt"),
        },
    ),
    Need(
        "warranty",
        (0.4, 0.2, 1.0),
        {
            "en": ("how long does the guarantee on a mixer last", "is there a warranty on headphones"),
            "de": ("Wie lange Garantie auf Kopfhörer?", "Gewährleistung beim Mixer"),
        },
        ("damaged-or-wrong",),
    ),
    Need(
        "delivery-time",
        (2.0, 2.0, 0.5),
        {
            "en": (
                "how many days until delivery",
                "how quickly would an order get here",
                "does shipping take long",
            ),
            "de": ("Wie viele Tage bis zur Lieferung?", "Wie schnell wäre eine Bestellung hier?"),
        },
        ("where-is-my-order",),
    ),
    Need(
        "delivery-costs",
        (2.0, 3.0, 0.1),
        {
            "en": (
                "how expensive is postage",
                "price of shipping for a small order",
                "free delivery from when",
            ),
            "de": ("Wie teuer ist der Versand?", "Versand gratis ab wann?"),
        },
    ),
    Need(
        "payment-methods",
        (1.5, 2.5, 0.1),
        {
            "en": ("which cards can I pay with", "is paying on invoice offered", "pay with paypal possible"),
            "de": ("Mit welchen Karten kann ich zahlen?", "Geht Zahlung per Rechnung?"),
        },
        ("payment-failed",),
    ),
    Need(
        "payment-failed",
        (0.1, 2.0, 0.3),
        {
            "en": ("payment rejected at checkout", "credit card does not go through"),
            "de": ("Zahlung an der Kasse abgelehnt", "Kreditkarte geht nicht durch"),
        },
        ("payment-methods",),
    ),
    Need(
        "vouchers",
        (1.5, 3.0, 0.2),
        {
            "en": ("where does my voucher code go", "the promo code gets refused", "use a gift card"),
            "de": ("Wohin mit dem Gutscheincode?", "Aktionscode wird abgelehnt"),
        },
    ),
    Need(
        "sizes",
        (2.5, 0.8, 0.3),
        {
            "en": (
                "how tall and wide is the shelf",
                "which size suits a child of ten",
                "dimensions of the desk",
            ),
            "de": ("Wie breit ist das Regal?", "Welche Größe für ein Kind von zehn?"),
        },
    ),
    Need(
        "in-stock",
        (2.0, 0.4, 0.1),
        {
            "en": ("the lamp is sold out, when is it back", "will you have more of these soon"),
            "de": ("Lampe ausverkauft, wann wieder da?", "Kommt der Artikel bald wieder?"),
        },
    ),
    Need(
        "exchange",
        (0.2, 0.1, 1.0),
        {
            "en": ("exchange it for a bigger size", "swap the red jacket for a green one"),
            "de": ("Umtausch gegen eine größere", "Rote Jacke gegen grüne tauschen"),
        },
        ("return-an-order", "sizes"),
    ),
)

VAGUE = {
    "en": {
        "order": ("where-is-my-order", "change-or-cancel", "delivery-time", "delivery-address"),
        "parcel": ("where-is-my-order", "delivery-address", "return-an-order"),
        "delivery": ("where-is-my-order", "delivery-time", "delivery-costs", "delivery-address"),
        "how long does it take": ("delivery-time", "refund", "where-is-my-order"),
        "shipping": ("delivery-time", "delivery-costs", "where-is-my-order"),
        "money": ("refund", "payment-methods", "payment-failed"),
        "card": ("payment-methods", "payment-failed", "vouchers"),
        "payment": ("payment-methods", "payment-failed"),
        "code": ("vouchers",),
        "return": ("return-an-order", "refund", "exchange"),
        "it does not fit": ("sizes", "exchange", "return-an-order"),
        "broken": ("damaged-or-wrong", "warranty"),
        "bill": ("invoice", "payment-methods"),
        "when is it here": ("where-is-my-order", "delivery-time", "in-stock"),
    },
    "de": {
        "Bestellung": ("where-is-my-order", "change-or-cancel", "delivery-time", "delivery-address"),
        "Paket": ("where-is-my-order", "delivery-address", "return-an-order"),
        "Lieferung": ("where-is-my-order", "delivery-time", "delivery-costs", "delivery-address"),
        "Wie lange dauert das?": ("delivery-time", "refund", "where-is-my-order"),
        "Versand": ("delivery-time", "delivery-costs", "where-is-my-order"),
        "Geld": ("refund", "payment-methods", "payment-failed"),
        "Karte": ("payment-methods", "payment-failed", "vouchers"),
        "Zahlung": ("payment-methods", "payment-failed"),
        "Code": ("vouchers",),
        "zurück": ("return-an-order", "refund", "exchange"),
        "passt nicht": ("sizes", "exchange", "return-an-order"),
        "kaputt": ("damaged-or-wrong", "warranty"),
        "Rechnung": ("invoice", "payment-methods"),
        "Wann ist es da?": ("where-is-my-order", "delivery-time", "in-stock"),
    },
}
"""By language, words that say too little, and the answers that those look for who use them."""
