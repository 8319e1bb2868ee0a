from planogram.common.v1 import tensor_pb2 as _tensor_pb2
from planogram.feature.v1 import feature_pb2 as _feature_pb2
from planogram.layout.v1 import layout_pb2 as _layout_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class RankingInputs(_message.Message):
    __slots__ = ("blueprint", "caller_modules", "slot_count", "is_continued", "shown_module_ids", "shown_item_digests", "item_ids", "modules", "item_facts", "click_probability", "purchase_probability", "promise_factors", "is_hurried", "past", "answers")
    class PromiseFactorsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    BLUEPRINT_FIELD_NUMBER: _ClassVar[int]
    CALLER_MODULES_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    IS_CONTINUED_FIELD_NUMBER: _ClassVar[int]
    SHOWN_MODULE_IDS_FIELD_NUMBER: _ClassVar[int]
    SHOWN_ITEM_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    ITEM_FACTS_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PROMISE_FACTORS_FIELD_NUMBER: _ClassVar[int]
    IS_HURRIED_FIELD_NUMBER: _ClassVar[int]
    PAST_FIELD_NUMBER: _ClassVar[int]
    ANSWERS_FIELD_NUMBER: _ClassVar[int]
    blueprint: str
    caller_modules: _containers.RepeatedCompositeFieldContainer[_layout_pb2.CallerModule]
    slot_count: int
    is_continued: bool
    shown_module_ids: _containers.RepeatedScalarFieldContainer[str]
    shown_item_digests: bytes
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    modules: _containers.RepeatedCompositeFieldContainer[_feature_pb2.ModuleCandidates]
    item_facts: _feature_pb2.ItemFacts
    click_probability: _tensor_pb2.Tensor
    purchase_probability: _tensor_pb2.Tensor
    promise_factors: _containers.ScalarMap[str, float]
    is_hurried: bool
    past: _feature_pb2.ShopperPast
    answers: _containers.RepeatedCompositeFieldContainer[OfferedAnswer]
    def __init__(self, blueprint: _Optional[str] = ..., caller_modules: _Optional[_Iterable[_Union[_layout_pb2.CallerModule, _Mapping]]] = ..., slot_count: _Optional[int] = ..., is_continued: _Optional[bool] = ..., shown_module_ids: _Optional[_Iterable[str]] = ..., shown_item_digests: _Optional[bytes] = ..., item_ids: _Optional[_Iterable[str]] = ..., modules: _Optional[_Iterable[_Union[_feature_pb2.ModuleCandidates, _Mapping]]] = ..., item_facts: _Optional[_Union[_feature_pb2.ItemFacts, _Mapping]] = ..., click_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., purchase_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., promise_factors: _Optional[_Mapping[str, float]] = ..., is_hurried: _Optional[bool] = ..., past: _Optional[_Union[_feature_pb2.ShopperPast, _Mapping]] = ..., answers: _Optional[_Iterable[_Union[OfferedAnswer, _Mapping]]] = ...) -> None: ...

class OfferedAnswer(_message.Message):
    __slots__ = ("answer_id", "relevance", "topic")
    ANSWER_ID_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    answer_id: str
    relevance: float
    topic: str
    def __init__(self, answer_id: _Optional[str] = ..., relevance: _Optional[float] = ..., topic: _Optional[str] = ...) -> None: ...
