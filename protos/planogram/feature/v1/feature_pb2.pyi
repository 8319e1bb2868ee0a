import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from planogram.common.v1 import context_pb2 as _context_pb2
from planogram.common.v1 import tensor_pb2 as _tensor_pb2
from planogram.events.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class CandidateSource(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CANDIDATE_SOURCE_UNSPECIFIED: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_RECENTLY_VIEWED: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_FOR_YOU: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_SIMILAR: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_BOUGHT_TOGETHER: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_BESTSELLERS: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_TRENDING: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_NEW_ARRIVALS: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_DEALS: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_BUY_AGAIN: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_SEARCH: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_SPONSORED: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_ARTICLES: _ClassVar[CandidateSource]
    CANDIDATE_SOURCE_LIST: _ClassVar[CandidateSource]

class Entity(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    ENTITY_UNSPECIFIED: _ClassVar[Entity]
    ENTITY_SHOPPER: _ClassVar[Entity]
    ENTITY_ITEM: _ClassVar[Entity]
CANDIDATE_SOURCE_UNSPECIFIED: CandidateSource
CANDIDATE_SOURCE_RECENTLY_VIEWED: CandidateSource
CANDIDATE_SOURCE_FOR_YOU: CandidateSource
CANDIDATE_SOURCE_SIMILAR: CandidateSource
CANDIDATE_SOURCE_BOUGHT_TOGETHER: CandidateSource
CANDIDATE_SOURCE_BESTSELLERS: CandidateSource
CANDIDATE_SOURCE_TRENDING: CandidateSource
CANDIDATE_SOURCE_NEW_ARRIVALS: CandidateSource
CANDIDATE_SOURCE_DEALS: CandidateSource
CANDIDATE_SOURCE_BUY_AGAIN: CandidateSource
CANDIDATE_SOURCE_SEARCH: CandidateSource
CANDIDATE_SOURCE_SPONSORED: CandidateSource
CANDIDATE_SOURCE_ARTICLES: CandidateSource
CANDIDATE_SOURCE_LIST: CandidateSource
ENTITY_UNSPECIFIED: Entity
ENTITY_SHOPPER: Entity
ENTITY_ITEM: Entity

class GatherPageRequest(_message.Message):
    __slots__ = ("shopper", "context", "modules", "schema_fingerprints")
    SHOPPER_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    SCHEMA_FINGERPRINTS_FIELD_NUMBER: _ClassVar[int]
    shopper: _context_pb2.Shopper
    context: _context_pb2.PageContext
    modules: _containers.RepeatedCompositeFieldContainer[ModuleRequest]
    schema_fingerprints: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, shopper: _Optional[_Union[_context_pb2.Shopper, _Mapping]] = ..., context: _Optional[_Union[_context_pb2.PageContext, _Mapping]] = ..., modules: _Optional[_Iterable[_Union[ModuleRequest, _Mapping]]] = ..., schema_fingerprints: _Optional[_Iterable[str]] = ...) -> None: ...

class ModuleRequest(_message.Message):
    __slots__ = ("module_id", "source", "limit", "category", "item_ids")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    LIMIT_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    source: CandidateSource
    limit: int
    category: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, module_id: _Optional[str] = ..., source: _Optional[_Union[CandidateSource, str]] = ..., limit: _Optional[int] = ..., category: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class GatherPageResponse(_message.Message):
    __slots__ = ("item_ids", "modules", "feature_sets", "item_facts", "session", "snapshot_version", "snapshot_age_s", "is_profile_stale", "past")
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    FEATURE_SETS_FIELD_NUMBER: _ClassVar[int]
    ITEM_FACTS_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_AGE_S_FIELD_NUMBER: _ClassVar[int]
    IS_PROFILE_STALE_FIELD_NUMBER: _ClassVar[int]
    PAST_FIELD_NUMBER: _ClassVar[int]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    modules: _containers.RepeatedCompositeFieldContainer[ModuleCandidates]
    feature_sets: _containers.RepeatedCompositeFieldContainer[FeatureSet]
    item_facts: ItemFacts
    session: _context_pb2.SessionState
    snapshot_version: str
    snapshot_age_s: float
    is_profile_stale: bool
    past: ShopperPast
    def __init__(self, item_ids: _Optional[_Iterable[str]] = ..., modules: _Optional[_Iterable[_Union[ModuleCandidates, _Mapping]]] = ..., feature_sets: _Optional[_Iterable[_Union[FeatureSet, _Mapping]]] = ..., item_facts: _Optional[_Union[ItemFacts, _Mapping]] = ..., session: _Optional[_Union[_context_pb2.SessionState, _Mapping]] = ..., snapshot_version: _Optional[str] = ..., snapshot_age_s: _Optional[float] = ..., is_profile_stale: _Optional[bool] = ..., past: _Optional[_Union[ShopperPast, _Mapping]] = ...) -> None: ...

class ShopperPast(_message.Message):
    __slots__ = ("purchased_rows", "purchased_unix_s", "dismissed_rows", "dismissed_unix_s")
    PURCHASED_ROWS_FIELD_NUMBER: _ClassVar[int]
    PURCHASED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    DISMISSED_ROWS_FIELD_NUMBER: _ClassVar[int]
    DISMISSED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    purchased_rows: _containers.RepeatedScalarFieldContainer[int]
    purchased_unix_s: _containers.RepeatedScalarFieldContainer[int]
    dismissed_rows: _containers.RepeatedScalarFieldContainer[int]
    dismissed_unix_s: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, purchased_rows: _Optional[_Iterable[int]] = ..., purchased_unix_s: _Optional[_Iterable[int]] = ..., dismissed_rows: _Optional[_Iterable[int]] = ..., dismissed_unix_s: _Optional[_Iterable[int]] = ...) -> None: ...

class ModuleCandidates(_message.Message):
    __slots__ = ("module_id", "rows")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    rows: _containers.RepeatedScalarFieldContainer[int]
    def __init__(self, module_id: _Optional[str] = ..., rows: _Optional[_Iterable[int]] = ...) -> None: ...

class FeatureSet(_message.Message):
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

class ItemFacts(_message.Message):
    __slots__ = ("brand", "seller", "category", "price_micros", "margin_micros", "stock", "age_rating", "bid_micros", "first_seen_unix_s", "popularity", "discount", "is_under_review")
    BRAND_FIELD_NUMBER: _ClassVar[int]
    SELLER_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MICROS_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    AGE_RATING_FIELD_NUMBER: _ClassVar[int]
    BID_MICROS_FIELD_NUMBER: _ClassVar[int]
    FIRST_SEEN_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    POPULARITY_FIELD_NUMBER: _ClassVar[int]
    DISCOUNT_FIELD_NUMBER: _ClassVar[int]
    IS_UNDER_REVIEW_FIELD_NUMBER: _ClassVar[int]
    brand: _containers.RepeatedScalarFieldContainer[str]
    seller: _containers.RepeatedScalarFieldContainer[str]
    category: _containers.RepeatedScalarFieldContainer[str]
    price_micros: _containers.RepeatedScalarFieldContainer[int]
    margin_micros: _containers.RepeatedScalarFieldContainer[int]
    stock: _containers.RepeatedScalarFieldContainer[int]
    age_rating: _containers.RepeatedScalarFieldContainer[int]
    bid_micros: _containers.RepeatedScalarFieldContainer[int]
    first_seen_unix_s: _containers.RepeatedScalarFieldContainer[int]
    popularity: _containers.RepeatedScalarFieldContainer[float]
    discount: _containers.RepeatedScalarFieldContainer[float]
    is_under_review: _containers.RepeatedScalarFieldContainer[bool]
    def __init__(self, brand: _Optional[_Iterable[str]] = ..., seller: _Optional[_Iterable[str]] = ..., category: _Optional[_Iterable[str]] = ..., price_micros: _Optional[_Iterable[int]] = ..., margin_micros: _Optional[_Iterable[int]] = ..., stock: _Optional[_Iterable[int]] = ..., age_rating: _Optional[_Iterable[int]] = ..., bid_micros: _Optional[_Iterable[int]] = ..., first_seen_unix_s: _Optional[_Iterable[int]] = ..., popularity: _Optional[_Iterable[float]] = ..., discount: _Optional[_Iterable[float]] = ..., is_under_review: _Optional[_Iterable[bool]] = ...) -> None: ...

class GetFeaturesRequest(_message.Message):
    __slots__ = ("entity", "ids", "features")
    ENTITY_FIELD_NUMBER: _ClassVar[int]
    IDS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    entity: Entity
    ids: _containers.RepeatedScalarFieldContainer[str]
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, entity: _Optional[_Union[Entity, str]] = ..., ids: _Optional[_Iterable[str]] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class GetFeaturesResponse(_message.Message):
    __slots__ = ("rows", "features")
    ROWS_FIELD_NUMBER: _ClassVar[int]
    FEATURES_FIELD_NUMBER: _ClassVar[int]
    rows: _containers.RepeatedCompositeFieldContainer[FeatureRow]
    features: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, rows: _Optional[_Iterable[_Union[FeatureRow, _Mapping]]] = ..., features: _Optional[_Iterable[str]] = ...) -> None: ...

class FeatureRow(_message.Message):
    __slots__ = ("id", "is_present", "values")
    ID_FIELD_NUMBER: _ClassVar[int]
    IS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    VALUES_FIELD_NUMBER: _ClassVar[int]
    id: str
    is_present: bool
    values: _containers.RepeatedCompositeFieldContainer[FeatureValue]
    def __init__(self, id: _Optional[str] = ..., is_present: _Optional[bool] = ..., values: _Optional[_Iterable[_Union[FeatureValue, _Mapping]]] = ...) -> None: ...

class FeatureValue(_message.Message):
    __slots__ = ("text", "number", "integer", "numbers", "texts")
    TEXT_FIELD_NUMBER: _ClassVar[int]
    NUMBER_FIELD_NUMBER: _ClassVar[int]
    INTEGER_FIELD_NUMBER: _ClassVar[int]
    NUMBERS_FIELD_NUMBER: _ClassVar[int]
    TEXTS_FIELD_NUMBER: _ClassVar[int]
    text: str
    number: float
    integer: int
    numbers: NumberList
    texts: TextList
    def __init__(self, text: _Optional[str] = ..., number: _Optional[float] = ..., integer: _Optional[int] = ..., numbers: _Optional[_Union[NumberList, _Mapping]] = ..., texts: _Optional[_Union[TextList, _Mapping]] = ...) -> None: ...

class NumberList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, values: _Optional[_Iterable[float]] = ...) -> None: ...

class TextList(_message.Message):
    __slots__ = ("values",)
    VALUES_FIELD_NUMBER: _ClassVar[int]
    values: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, values: _Optional[_Iterable[str]] = ...) -> None: ...

class GetProfileRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class GetProfileResponse(_message.Message):
    __slots__ = ("lines", "session", "updated", "recent_item_ids")
    LINES_FIELD_NUMBER: _ClassVar[int]
    SESSION_FIELD_NUMBER: _ClassVar[int]
    UPDATED_FIELD_NUMBER: _ClassVar[int]
    RECENT_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    lines: _containers.RepeatedCompositeFieldContainer[ProfileLine]
    session: _context_pb2.SessionState
    updated: _timestamp_pb2.Timestamp
    recent_item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, lines: _Optional[_Iterable[_Union[ProfileLine, _Mapping]]] = ..., session: _Optional[_Union[_context_pb2.SessionState, _Mapping]] = ..., updated: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., recent_item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class ProfileLine(_message.Message):
    __slots__ = ("subject", "text", "value", "evidence_count")
    SUBJECT_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    EVIDENCE_COUNT_FIELD_NUMBER: _ClassVar[int]
    subject: str
    text: str
    value: float
    evidence_count: int
    def __init__(self, subject: _Optional[str] = ..., text: _Optional[str] = ..., value: _Optional[float] = ..., evidence_count: _Optional[int] = ...) -> None: ...

class UpdateProfilesRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[_events_pb2.Event]
    def __init__(self, events: _Optional[_Iterable[_Union[_events_pb2.Event, _Mapping]]] = ...) -> None: ...

class UpdateProfilesResponse(_message.Message):
    __slots__ = ("applied_count", "duplicate_count", "ignored_count", "review_count")
    APPLIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    IGNORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_COUNT_FIELD_NUMBER: _ClassVar[int]
    applied_count: int
    duplicate_count: int
    ignored_count: int
    review_count: int
    def __init__(self, applied_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ..., ignored_count: _Optional[int] = ..., review_count: _Optional[int] = ...) -> None: ...

class UpdateItemsRequest(_message.Message):
    __slots__ = ("items",)
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    items: _containers.RepeatedCompositeFieldContainer[ItemUpdate]
    def __init__(self, items: _Optional[_Iterable[_Union[ItemUpdate, _Mapping]]] = ...) -> None: ...

class ItemUpdate(_message.Message):
    __slots__ = ("item_id", "price_micros", "stock", "is_active", "is_under_review")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    STOCK_FIELD_NUMBER: _ClassVar[int]
    IS_ACTIVE_FIELD_NUMBER: _ClassVar[int]
    IS_UNDER_REVIEW_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    price_micros: int
    stock: int
    is_active: bool
    is_under_review: bool
    def __init__(self, item_id: _Optional[str] = ..., price_micros: _Optional[int] = ..., stock: _Optional[int] = ..., is_active: _Optional[bool] = ..., is_under_review: _Optional[bool] = ...) -> None: ...

class UpdateItemsResponse(_message.Message):
    __slots__ = ("applied_count", "unknown_item_ids", "snapshot_version")
    APPLIED_COUNT_FIELD_NUMBER: _ClassVar[int]
    UNKNOWN_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_VERSION_FIELD_NUMBER: _ClassVar[int]
    applied_count: int
    unknown_item_ids: _containers.RepeatedScalarFieldContainer[str]
    snapshot_version: str
    def __init__(self, applied_count: _Optional[int] = ..., unknown_item_ids: _Optional[_Iterable[str]] = ..., snapshot_version: _Optional[str] = ...) -> None: ...

class ListReviewAlarmsRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class ListReviewAlarmsResponse(_message.Message):
    __slots__ = ("alarms",)
    ALARMS_FIELD_NUMBER: _ClassVar[int]
    alarms: _containers.RepeatedCompositeFieldContainer[ReviewAlarm]
    def __init__(self, alarms: _Optional[_Iterable[_Union[ReviewAlarm, _Mapping]]] = ...) -> None: ...

class ReviewAlarm(_message.Message):
    __slots__ = ("item_id", "bad_count", "review_count", "usual_share", "raised", "since", "text")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    BAD_COUNT_FIELD_NUMBER: _ClassVar[int]
    REVIEW_COUNT_FIELD_NUMBER: _ClassVar[int]
    USUAL_SHARE_FIELD_NUMBER: _ClassVar[int]
    RAISED_FIELD_NUMBER: _ClassVar[int]
    SINCE_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    bad_count: int
    review_count: int
    usual_share: float
    raised: _timestamp_pb2.Timestamp
    since: _timestamp_pb2.Timestamp
    text: str
    def __init__(self, item_id: _Optional[str] = ..., bad_count: _Optional[int] = ..., review_count: _Optional[int] = ..., usual_share: _Optional[float] = ..., raised: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., since: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., text: _Optional[str] = ...) -> None: ...

class ForgetShopperRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ForgetShopperResponse(_message.Message):
    __slots__ = ("was_present",)
    WAS_PRESENT_FIELD_NUMBER: _ClassVar[int]
    was_present: bool
    def __init__(self, was_present: _Optional[bool] = ...) -> None: ...
