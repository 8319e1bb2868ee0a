import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from planogram.common.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Device(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_UNSPECIFIED: _ClassVar[Device]
    DEVICE_CPU: _ClassVar[Device]
    DEVICE_CUDA: _ClassVar[Device]
DEVICE_UNSPECIFIED: Device
DEVICE_CPU: Device
DEVICE_CUDA: Device

class ScoreItemsRequest(_message.Message):
    __slots__ = ("schema_fingerprint", "shopper_tensors", "item_tensors", "model_version")
    class ShopperTensorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _tensor_pb2.Tensor
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...
    class ItemTensorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: _tensor_pb2.Tensor
        def __init__(self, key: _Optional[str] = ..., value: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...
    SCHEMA_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    SHOPPER_TENSORS_FIELD_NUMBER: _ClassVar[int]
    ITEM_TENSORS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    schema_fingerprint: str
    shopper_tensors: _containers.MessageMap[str, _tensor_pb2.Tensor]
    item_tensors: _containers.MessageMap[str, _tensor_pb2.Tensor]
    model_version: str
    def __init__(self, schema_fingerprint: _Optional[str] = ..., shopper_tensors: _Optional[_Mapping[str, _tensor_pb2.Tensor]] = ..., item_tensors: _Optional[_Mapping[str, _tensor_pb2.Tensor]] = ..., model_version: _Optional[str] = ...) -> None: ...

class ScoreItemsResponse(_message.Message):
    __slots__ = ("click_probability", "purchase_probability", "model_version", "device")
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    click_probability: _tensor_pb2.Tensor
    purchase_probability: _tensor_pb2.Tensor
    model_version: str
    device: Device
    def __init__(self, click_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., purchase_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., model_version: _Optional[str] = ..., device: _Optional[_Union[Device, str]] = ...) -> None: ...

class ExplainScoresRequest(_message.Message):
    __slots__ = ("inputs", "rows")
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    inputs: ScoreItemsRequest
    rows: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, inputs: _Optional[_Union[ScoreItemsRequest, _Mapping]] = ..., rows: _Optional[_Iterable[int]] = ...) -> None: ...

class ExplainScoresResponse(_message.Message):
    __slots__ = ("items", "model_version")
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODEL_VERSION_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ScoreExplanation]
    model_version: str
    def __init__(self, items: _Optional[_Iterable[_Union[ScoreExplanation, _Mapping]]] = ..., model_version: _Optional[str] = ...) -> None: ...

class ScoreExplanation(_message.Message):
    __slots__ = ("row", "click_probability", "baseline", "attributions")
    ROW_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    BASELINE_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    row: int
    click_probability: float
    baseline: float
    attributions: _containers.RepeatedCompositeFieldContainer[Attribution]
    def __init__(self, row: _Optional[int] = ..., click_probability: _Optional[float] = ..., baseline: _Optional[float] = ..., attributions: _Optional[_Iterable[_Union[Attribution, _Mapping]]] = ...) -> None: ...

class Attribution(_message.Message):
    __slots__ = ("feature", "value")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    feature: str
    value: float
    def __init__(self, feature: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class GetModelRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetModelResponse(_message.Message):
    __slots__ = ("models",)
    MODELS_FIELD_NUMBER: _ClassVar[int]
    models: _containers.RepeatedCompositeFieldContainer[Model]
    def __init__(self, models: _Optional[_Iterable[_Union[Model, _Mapping]]] = ...) -> None: ...

class Model(_message.Message):
    __slots__ = ("version", "schema_fingerprint", "device", "is_current", "metrics", "trained", "inputs")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    IS_CURRENT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TRAINED_FIELD_NUMBER: _ClassVar[int]
    INPUTS_FIELD_NUMBER: _ClassVar[int]
    version: str
    schema_fingerprint: str
    device: Device
    is_current: bool
    metrics: _containers.ScalarMap[str, float]
    trained: _timestamp_pb2.Timestamp
    inputs: _containers.RepeatedCompositeFieldContainer[TensorSpec]
    def __init__(self, version: _Optional[str] = ..., schema_fingerprint: _Optional[str] = ..., device: _Optional[_Union[Device, str]] = ..., is_current: _Optional[bool] = ..., metrics: _Optional[_Mapping[str, float]] = ..., trained: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., inputs: _Optional[_Iterable[_Union[TensorSpec, _Mapping]]] = ...) -> None: ...

class TensorSpec(_message.Message):
    __slots__ = ("name", "dtype", "shape")
    NAME_FIELD_NUMBER: _ClassVar[int]
    DTYPE_FIELD_NUMBER: _ClassVar[int]
    SHAPE_FIELD_NUMBER: _ClassVar[int]
    name: str
    dtype: _tensor_pb2.DataType
    shape: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, name: _Optional[str] = ..., dtype: _Optional[_Union[_tensor_pb2.DataType, str]] = ..., shape: _Optional[_Iterable[int]] = ...) -> None: ...
