import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from planogram.common.v1 import choices_pb2 as _choices_pb2
from planogram.common.v1 import context_pb2 as _context_pb2
from planogram.common.v1 import tensor_pb2 as _tensor_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class EventType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EVENT_TYPE_UNSPECIFIED: _ClassVar[EventType]
    EVENT_TYPE_IMPRESSION: _ClassVar[EventType]
    EVENT_TYPE_CLICK: _ClassVar[EventType]
    EVENT_TYPE_DWELL: _ClassVar[EventType]
    EVENT_TYPE_SEARCH: _ClassVar[EventType]
    EVENT_TYPE_CART_ADD: _ClassVar[EventType]
    EVENT_TYPE_PURCHASE: _ClassVar[EventType]
    EVENT_TYPE_RETURN: _ClassVar[EventType]
    EVENT_TYPE_RATING: _ClassVar[EventType]
    EVENT_TYPE_DISMISSAL: _ClassVar[EventType]
    EVENT_TYPE_HELPFUL: _ClassVar[EventType]
    EVENT_TYPE_REVIEW: _ClassVar[EventType]
EVENT_TYPE_UNSPECIFIED: EventType
EVENT_TYPE_IMPRESSION: EventType
EVENT_TYPE_CLICK: EventType
EVENT_TYPE_DWELL: EventType
EVENT_TYPE_SEARCH: EventType
EVENT_TYPE_CART_ADD: EventType
EVENT_TYPE_PURCHASE: EventType
EVENT_TYPE_RETURN: EventType
EVENT_TYPE_RATING: EventType
EVENT_TYPE_DISMISSAL: EventType
EVENT_TYPE_HELPFUL: EventType
EVENT_TYPE_REVIEW: EventType

class Exposure(_message.Message):
    __slots__ = ("page_id", "request_id", "time", "shopper_key", "session_key", "key_epoch", "context", "plan_request", "slots", "scoring_inputs", "scoring_version", "policy_version", "snapshot_version", "blueprint_version", "degraded", "is_propensity_void", "writer", "sequence", "experiment_arms", "exploration", "ranking_inputs")
    class ExperimentArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    REQUEST_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SHOPPER_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    PLAN_REQUEST_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    SCORING_INPUTS_FIELD_NUMBER: _ClassVar[int]
    SCORING_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    BLUEPRINT_VERSION_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    IS_PROPENSITY_VOID_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ARMS_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    RANKING_INPUTS_FIELD_NUMBER: _ClassVar[int]
    page_id: str
    request_id: str
    time: _timestamp_pb2.Timestamp
    shopper_key: str
    session_key: str
    key_epoch: str
    context: _context_pb2.PageContext
    plan_request: bytes
    slots: _containers.RepeatedCompositeFieldContainer[ExposedSlot]
    scoring_inputs: ScoringInputs
    scoring_version: str
    policy_version: str
    snapshot_version: str
    blueprint_version: str
    degraded: _containers.RepeatedScalarFieldContainer[str]
    is_propensity_void: bool
    writer: str
    sequence: int
    experiment_arms: _containers.ScalarMap[str, str]
    exploration: bytes
    ranking_inputs: bytes
    def __init__(self, page_id: _Optional[str] = ..., request_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shopper_key: _Optional[str] = ..., session_key: _Optional[str] = ..., key_epoch: _Optional[str] = ..., context: _Optional[_Union[_context_pb2.PageContext, _Mapping]] = ..., plan_request: _Optional[bytes] = ..., slots: _Optional[_Iterable[_Union[ExposedSlot, _Mapping]]] = ..., scoring_inputs: _Optional[_Union[ScoringInputs, _Mapping]] = ..., scoring_version: _Optional[str] = ..., policy_version: _Optional[str] = ..., snapshot_version: _Optional[str] = ..., blueprint_version: _Optional[str] = ..., degraded: _Optional[_Iterable[str]] = ..., is_propensity_void: _Optional[bool] = ..., writer: _Optional[str] = ..., sequence: _Optional[int] = ..., experiment_arms: _Optional[_Mapping[str, str]] = ..., exploration: _Optional[bytes] = ..., ranking_inputs: _Optional[bytes] = ...) -> None: ...

class ExposedSlot(_message.Message):
    __slots__ = ("slot_id", "module_id", "template_id", "family", "items", "propensity", "q_value", "is_explored", "module_index", "template_index", "feasible")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_EXPLORED_FIELD_NUMBER: _ClassVar[int]
    MODULE_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    module_id: str
    template_id: str
    family: str
    items: _containers.RepeatedCompositeFieldContainer[ExposedItem]
    propensity: float
    q_value: float
    is_explored: bool
    module_index: int
    template_index: int
    feasible: _choices_pb2.FeasibleChoices
    def __init__(self, slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., template_id: _Optional[str] = ..., family: _Optional[str] = ..., items: _Optional[_Iterable[_Union[ExposedItem, _Mapping]]] = ..., propensity: _Optional[float] = ..., q_value: _Optional[float] = ..., is_explored: _Optional[bool] = ..., module_index: _Optional[int] = ..., template_index: _Optional[int] = ..., feasible: _Optional[_Union[_choices_pb2.FeasibleChoices, _Mapping]] = ...) -> None: ...

class ExposedItem(_message.Message):
    __slots__ = ("item_id", "scoring_row", "click_probability", "purchase_probability", "plan_row", "charge_micros")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    SCORING_ROW_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PLAN_ROW_FIELD_NUMBER: _ClassVar[int]
    CHARGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    scoring_row: int
    click_probability: float
    purchase_probability: float
    plan_row: int
    charge_micros: int
    def __init__(self, item_id: _Optional[str] = ..., scoring_row: _Optional[int] = ..., click_probability: _Optional[float] = ..., purchase_probability: _Optional[float] = ..., plan_row: _Optional[int] = ..., charge_micros: _Optional[int] = ...) -> None: ...

class ScoringInputs(_message.Message):
    __slots__ = ("schema_fingerprint", "shopper_tensors", "item_tensors")
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
    schema_fingerprint: str
    shopper_tensors: _containers.MessageMap[str, _tensor_pb2.Tensor]
    item_tensors: _containers.MessageMap[str, _tensor_pb2.Tensor]
    def __init__(self, schema_fingerprint: _Optional[str] = ..., shopper_tensors: _Optional[_Mapping[str, _tensor_pb2.Tensor]] = ..., item_tensors: _Optional[_Mapping[str, _tensor_pb2.Tensor]] = ...) -> None: ...

class Event(_message.Message):
    __slots__ = ("event_id", "time", "shopper_key", "session_key", "key_epoch", "page_id", "slot_id", "module_id", "family", "item_id", "type", "dwell_ms", "quantity", "price_micros", "margin_micros", "query", "rating", "writer", "sequence", "category", "charge_micros", "text", "language")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    SHOPPER_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    DWELL_MS_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    WRITER_FIELD_NUMBER: _ClassVar[int]
    SEQUENCE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CHARGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    time: _timestamp_pb2.Timestamp
    shopper_key: str
    session_key: str
    key_epoch: str
    page_id: str
    slot_id: str
    module_id: str
    family: str
    item_id: str
    type: EventType
    dwell_ms: int
    quantity: int
    price_micros: int
    margin_micros: int
    query: str
    rating: float
    writer: str
    sequence: int
    category: str
    charge_micros: int
    text: str
    language: str
    def __init__(self, event_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., shopper_key: _Optional[str] = ..., session_key: _Optional[str] = ..., key_epoch: _Optional[str] = ..., page_id: _Optional[str] = ..., slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., family: _Optional[str] = ..., item_id: _Optional[str] = ..., type: _Optional[_Union[EventType, str]] = ..., dwell_ms: _Optional[int] = ..., quantity: _Optional[int] = ..., price_micros: _Optional[int] = ..., margin_micros: _Optional[int] = ..., query: _Optional[str] = ..., rating: _Optional[float] = ..., writer: _Optional[str] = ..., sequence: _Optional[int] = ..., category: _Optional[str] = ..., charge_micros: _Optional[int] = ..., text: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...
