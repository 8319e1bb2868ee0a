"""Do the services that make and read item and shopper tensors mean the same by them?"""

from __future__ import annotations

from services.common.tensors import fingerprint
from services.feature.items import schema
from services.scoring import signature


def test_feature_schema_equals_scoring_signature() -> None:
    assert schema.SPECS == signature.SPECS
    assert schema.REVISION == signature.REVISION


def test_fingerprints_are_equal() -> None:
    made, read = (fingerprint(each.SPECS, each.REVISION) for each in (schema, signature))
    assert made == read == schema.FINGERPRINT
