"""Which prices did a page of the log see, and what did it show?"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from google.protobuf.message import DecodeError

from planogram.events.v1 import events_pb2
from planogram.files import log as log_files
from planogram.layout.v1 import ranking_pb2
from planogram.policy.v1 import policy_pb2


@dataclass(frozen=True, slots=True)
class SeenPage:
    """One page. Columns of its N candidates are of equal length.

    Attributes:
        generation: snapshot and pushed changes that its prices are of.
        discount: shares of the list price.
        is_priced: false where the log holds no prices of its moment: the page was static or of an earlier
            version, or candidates of an earlier page stood in.
    """

    exposure: events_pb2.Exposure
    time_us: int
    item_ids: Sequence[str]
    price_micros: Sequence[int]
    discount: Sequence[float]
    category: Sequence[str]

    @property
    def page_id(self) -> str:
        return str(self.exposure.page_id)

    @property
    def generation(self) -> str:
        return str(self.exposure.snapshot_version)

    @property
    def is_priced(self) -> bool:
        return len(self.item_ids) > 0

    @property
    def segment(self) -> str:
        """The shopper's segment as the policy knew it; empty where none decided."""
        request = policy_pb2.PlanPageRequest.FromString(self.exposure.plan_request)
        return str(request.session.segment)


def pages(log_path: Path) -> Iterator[SeenPage]:
    """All pages of an exported log, in order of time.

    Raises:
        LogFileError: for a file or record that cannot be read.
    """
    for exposure in log_files.read_exposures(log_path):
        try:
            inputs = ranking_pb2.RankingInputs.FromString(
                zlib.decompress(exposure.ranking_inputs) if exposure.ranking_inputs else b""
            )
        except (zlib.error, DecodeError) as error:
            raise log_files.LogFileError(
                f"{log_path}: page {exposure.page_id}: ranking_inputs: {error}"
            ) from None
        if any(each.startswith("feature:") for each in exposure.degraded):
            inputs.Clear()  # kept candidates have the prices of their own time
        facts = inputs.item_facts
        yield SeenPage(
            exposure,
            log_files.micros(exposure.time),
            list(inputs.item_ids),
            list(facts.price_micros),
            list(facts.discount),
            list(facts.category),
        )
