"""How does a feature's type stand in Arrow's tables and in Feast's messages?"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pyarrow as pa
from feast import FeatureView
from feast.protos.feast.types.EntityKey_pb2 import EntityKey
from feast.protos.feast.types.Value_pb2 import FloatList, StringList, Value

from services.feature.storage.repo.definitions import TIMESTAMP

TIME = pa.timestamp("us", tz="UTC")

_ARROW_TYPES = {
    "String": pa.string(),
    "Int64": pa.int64(),
    "Float32": pa.float32(),
    "Bool": pa.bool_(),
    "Bytes": pa.binary(),
    "Array(Float32)": pa.list_(pa.float32()),
    "Array(String)": pa.list_(pa.string()),
}
_MAKERS: Mapping[str, Callable[[Any], Value]] = {
    "String": lambda value: Value(string_val=value),
    "Int64": lambda value: Value(int64_val=value),
    "Float32": lambda value: Value(float_val=value),
    "Bool": lambda value: Value(bool_val=value),
    "Bytes": lambda value: Value(bytes_val=value),
    "Array(Float32)": lambda value: Value(float_list_val=FloatList(val=value)),
    "Array(String)": lambda value: Value(string_list_val=StringList(val=value)),
}


def arrow_schema_of(view: FeatureView) -> pa.Schema:
    """The entity key, the features and event_timestamp of a view, as offline files hold them."""
    fields = [(join_key_of(view), pa.string())]
    fields += [(feature.name, _ARROW_TYPES[str(feature.dtype)]) for feature in view.features]
    return pa.schema([*fields, (TIMESTAMP, TIME)])


def makers_of(view: FeatureView) -> dict[str, Callable[[Any], Value]]:
    """What makes Feast's message of a plain value, by feature in the view's order."""
    return {feature.name: _MAKERS[str(feature.dtype)] for feature in view.features}


def plain(value: Any) -> Any:
    """The value in one of Feast's messages; None in an empty one."""
    kind = value.WhichOneof("val")
    if kind is None:
        return None
    found = getattr(value, kind)
    return list(found.val) if kind.endswith("_list_val") else found


def entity_key_of(view: FeatureView, key: str) -> EntityKey:
    """Feast's message of an entity's name."""
    return EntityKey(join_keys=[join_key_of(view)], entity_values=[Value(string_val=key)])


def join_key_of(view: FeatureView) -> str:
    """The column that holds the entity's name; each view has one."""
    (name,) = view.join_keys
    return str(name)
