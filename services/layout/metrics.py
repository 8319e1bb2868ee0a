"""What does layout count beside what every service counts?"""

from __future__ import annotations

from prometheus_client import Counter, Gauge

DEGRADED_PAGES = Counter(
    "planogram_degraded_pages_total",
    "Pages that used something in place of an answer.",
    ("upstream", "fallback"),
)
UNLOGGED_EXPOSURES = Counter("planogram_unlogged_exposures_total", "Pages that the full log did not take.")
RULE_EFFECTS = Counter("planogram_rule_effects_total", "Pages that a rule changed.", ("rule", "action"))
RULE_CONFLICTS = Counter("planogram_rule_conflicts_total", "Pages on which a rule gave way.", ("rule",))
CONFIGURATION_IS_REFUSED = Gauge(
    "planogram_configuration_is_refused",
    "1 while the configuration's folder holds a mistake and an earlier one serves.",
)
OPEN_BREAKERS = Gauge(
    "planogram_breaker_is_open", "1 while a service is not asked, since it failed of late.", ("upstream",)
)
QUALITY = Gauge("planogram_page_quality", "Share of the candidates that pages ask for; below 1 under load.")
KEPT_SHARES = Gauge(
    "planogram_kept_share",
    "Shown over wanted share of what a rule promises or keeps fair, of the one that is farthest behind.",
    ("rule",),
)
