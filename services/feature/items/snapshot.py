"""How is a published snapshot mapped?

A snapshot is a folder of arrays that every worker maps, and never changes.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import fields, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from services.common import artifacts
from services.common.errors import Incompatible
from services.feature.indexes import neighbours
from services.feature.indexes.search import SearchIndex
from services.feature.indexes.wording import Language, Wording
from services.feature.items import schema
from services.feature.items.derived import discount_of, item_rows, offer_facts, shown
from services.feature.items.facts import Facts
from services.feature.items.generation import RANKED, Columns, Generation, RankedIndex
from services.feature.shoppers.taste import Demand

KEPT_COUNT = 2
"""Snapshots that stay on disk: the one that serves and the one before."""
LAYOUT = 3
"""Version of the folder's layout; a server refuses any other."""
INDEX_FILE = "neighbours.faiss"
"""Absent from the snapshot of a small shop."""


def load(root: Path, version: str) -> Generation:
    """Maps a published snapshot, verified against its manifest.

    Raises:
        NotFound, Incompatible: as artifacts.load does, and for another layout or schema, or files that do not
            belong together.
    """
    artifact = artifacts.load(root, version)
    layout = artifact.manifest.get("layout")
    if layout != LAYOUT:
        raise Incompatible(f"{artifact.path}: layout {layout!r}, want {LAYOUT}")
    try:
        return _mapped(artifact)
    except Exception as error:  # what numpy, tantivy and usearch say of such files shares no base below
        raise Incompatible(f"{artifact.path}: {type(error).__name__}: {error}") from None


def _mapped(artifact: artifacts.Artifact) -> Generation:
    manifest = artifact.manifest

    def array(name: str) -> NDArray[Any]:
        mapped = np.load(artifact.file(f"{name}.npy"), mmap_mode="r", allow_pickle=False)
        # A plain view: every index into numpy's memmap class costs a Python call.
        return np.asarray(mapped)

    columns = Columns(**{each.name: array(each.name) for each in fields(Columns)})
    vocabularies = json.loads(artifact.file("vocabularies.json").read_text())
    wording = Wording(Language(vocabularies["language"]), vocabularies["synonyms"])
    categories, brands, sellers = (
        np.array(vocabularies[name], np.object_) for name in ("categories", "brands", "sellers")
    )
    discount = discount_of(columns.price_micros, columns.list_price_micros)
    ranked = {name: RankedIndex(array(f"{name}_offsets"), array(f"{name}_rows")) for name in RANKED}
    index = neighbours.read(artifact.file(INDEX_FILE)) if INDEX_FILE in manifest["files"] else None
    generation = Generation(
        snapshot_version=artifact.version,
        sequence=0,
        built_s=float(manifest["built_s"]),
        build_s=float(manifest.get("build_s", 0.0)),
        columns=columns,
        categories=categories,
        brands=brands,
        sellers=sellers,
        category_place={name: place for place, name in enumerate(categories.tolist())},
        category_log_median=array("category_log_median"),
        ranked=ranked,
        demand=Demand.of(ranked["bestsellers"].of(0), columns.category, len(categories)),
        search=SearchIndex(artifact.path, wording),
        discount=discount,
        newest_s=float(columns.first_seen_unix_s.max(initial=0)),
        is_under_review=np.zeros(len(columns.ids), bool),
        alarm_sequence=0,
        facts=Facts.of(
            columns.ids,
            ((brands, columns.brand), (sellers, columns.seller), (categories, columns.category)),
            {
                "age_rating": columns.age_rating,
                "bid_micros": columns.bid_micros,
                "first_seen_unix_s": columns.first_seen_unix_s,
                "popularity": columns.click_rate,
                **offer_facts(columns, discount),
            },
        ),
        encoded={},
        vectors_by_width=columns.item_vector.T if index else np.ascontiguousarray(columns.item_vector.T),
        **shown(columns, index),
    )
    # A snapshot of another release may lack an encoding: what it says of the items is encoded here then.
    stored: Mapping[str, Sequence[str]] = manifest["encodings"]
    encoded = {
        one.fingerprint: {
            name.removeprefix(encoded_name(one.fingerprint, "")): array(name)
            for name in stored[one.fingerprint]
        }
        if one.fingerprint in stored
        else one.items(item_rows(generation, np.arange(generation.count)))
        for one in schema.SERVED
    }
    return replace(generation, encoded=encoded)


def encoded_name(fingerprint: str, tensor: str) -> str:
    """The name under which a snapshot keeps a tensor of an encoding."""
    return f"encoded-{fingerprint[:16]}-{tensor}"
