import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class PageType(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    PAGE_TYPE_UNSPECIFIED: _ClassVar[PageType]
    PAGE_TYPE_HOME: _ClassVar[PageType]
    PAGE_TYPE_CATEGORY: _ClassVar[PageType]
    PAGE_TYPE_PRODUCT: _ClassVar[PageType]
    PAGE_TYPE_SEARCH: _ClassVar[PageType]
    PAGE_TYPE_CART: _ClassVar[PageType]
    PAGE_TYPE_CHECKOUT: _ClassVar[PageType]
    PAGE_TYPE_ARTICLE: _ClassVar[PageType]
    PAGE_TYPE_HELP: _ClassVar[PageType]

class Device(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    DEVICE_UNSPECIFIED: _ClassVar[Device]
    DEVICE_DESKTOP: _ClassVar[Device]
    DEVICE_PHONE: _ClassVar[Device]
    DEVICE_TABLET: _ClassVar[Device]

class Consent(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    CONSENT_UNSPECIFIED: _ClassVar[Consent]
    CONSENT_GRANTED: _ClassVar[Consent]
    CONSENT_REFUSED: _ClassVar[Consent]

class Outcome(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    OUTCOME_UNSPECIFIED: _ClassVar[Outcome]
    OUTCOME_CLICK: _ClassVar[Outcome]
    OUTCOME_PURCHASE: _ClassVar[Outcome]
    OUTCOME_STOP: _ClassVar[Outcome]
PAGE_TYPE_UNSPECIFIED: PageType
PAGE_TYPE_HOME: PageType
PAGE_TYPE_CATEGORY: PageType
PAGE_TYPE_PRODUCT: PageType
PAGE_TYPE_SEARCH: PageType
PAGE_TYPE_CART: PageType
PAGE_TYPE_CHECKOUT: PageType
PAGE_TYPE_ARTICLE: PageType
PAGE_TYPE_HELP: PageType
DEVICE_UNSPECIFIED: Device
DEVICE_DESKTOP: Device
DEVICE_PHONE: Device
DEVICE_TABLET: Device
CONSENT_UNSPECIFIED: Consent
CONSENT_GRANTED: Consent
CONSENT_REFUSED: Consent
OUTCOME_UNSPECIFIED: Outcome
OUTCOME_CLICK: Outcome
OUTCOME_PURCHASE: Outcome
OUTCOME_STOP: Outcome

class Shopper(_message.Message):
    __slots__ = ("user_id", "session_id", "consent")
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    SESSION_ID_FIELD_NUMBER: _ClassVar[int]
    CONSENT_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    session_id: str
    consent: Consent
    def __init__(self, user_id: _Optional[str] = ..., session_id: _Optional[str] = ..., consent: _Optional[_Union[Consent, str]] = ...) -> None: ...

class PageContext(_message.Message):
    __slots__ = ("page_type", "device", "locale", "time", "query", "category", "item_id", "cart_item_ids", "market")
    PAGE_TYPE_FIELD_NUMBER: _ClassVar[int]
    DEVICE_FIELD_NUMBER: _ClassVar[int]
    LOCALE_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CART_ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    MARKET_FIELD_NUMBER: _ClassVar[int]
    page_type: PageType
    device: Device
    locale: str
    time: _timestamp_pb2.Timestamp
    query: str
    category: str
    item_id: str
    cart_item_ids: _containers.RepeatedScalarFieldContainer[str]
    market: str
    def __init__(self, page_type: _Optional[_Union[PageType, str]] = ..., device: _Optional[_Union[Device, str]] = ..., locale: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., query: _Optional[str] = ..., category: _Optional[str] = ..., item_id: _Optional[str] = ..., cart_item_ids: _Optional[_Iterable[str]] = ..., market: _Optional[str] = ...) -> None: ...

class SessionState(_message.Message):
    __slots__ = ("segment", "is_known", "page_index", "click_count", "dwell_count", "cart_count", "purchase_count", "pages_without_click", "last_outcome", "category_click_counts", "category_dwell_counts", "family_click_counts", "family_stop_counts", "module_unclicked_counts", "category_affinities", "lifetime_event_count", "price_level", "category_recent_interests", "family_recent_stops", "category_passes", "family_passes", "last_click_category", "is_last_click_dwelled")
    class CategoryClickCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class CategoryDwellCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class FamilyClickCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class FamilyStopCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class ModuleUnclickedCountsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: int
        def __init__(self, key: _Optional[str] = ..., value: _Optional[int] = ...) -> None: ...
    class CategoryAffinitiesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class CategoryRecentInterestsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class FamilyRecentStopsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class CategoryPassesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    class FamilyPassesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    SEGMENT_FIELD_NUMBER: _ClassVar[int]
    IS_KNOWN_FIELD_NUMBER: _ClassVar[int]
    PAGE_INDEX_FIELD_NUMBER: _ClassVar[int]
    CLICK_COUNT_FIELD_NUMBER: _ClassVar[int]
    DWELL_COUNT_FIELD_NUMBER: _ClassVar[int]
    CART_COUNT_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_COUNT_FIELD_NUMBER: _ClassVar[int]
    PAGES_WITHOUT_CLICK_FIELD_NUMBER: _ClassVar[int]
    LAST_OUTCOME_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_CLICK_COUNTS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_DWELL_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_CLICK_COUNTS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_STOP_COUNTS_FIELD_NUMBER: _ClassVar[int]
    MODULE_UNCLICKED_COUNTS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_AFFINITIES_FIELD_NUMBER: _ClassVar[int]
    LIFETIME_EVENT_COUNT_FIELD_NUMBER: _ClassVar[int]
    PRICE_LEVEL_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_RECENT_INTERESTS_FIELD_NUMBER: _ClassVar[int]
    FAMILY_RECENT_STOPS_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_PASSES_FIELD_NUMBER: _ClassVar[int]
    FAMILY_PASSES_FIELD_NUMBER: _ClassVar[int]
    LAST_CLICK_CATEGORY_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_CLICK_DWELLED_FIELD_NUMBER: _ClassVar[int]
    segment: str
    is_known: bool
    page_index: int
    click_count: int
    dwell_count: int
    cart_count: int
    purchase_count: int
    pages_without_click: int
    last_outcome: Outcome
    category_click_counts: _containers.ScalarMap[str, int]
    category_dwell_counts: _containers.ScalarMap[str, int]
    family_click_counts: _containers.ScalarMap[str, int]
    family_stop_counts: _containers.ScalarMap[str, int]
    module_unclicked_counts: _containers.ScalarMap[str, int]
    category_affinities: _containers.ScalarMap[str, float]
    lifetime_event_count: int
    price_level: float
    category_recent_interests: _containers.ScalarMap[str, float]
    family_recent_stops: _containers.ScalarMap[str, float]
    category_passes: _containers.ScalarMap[str, float]
    family_passes: _containers.ScalarMap[str, float]
    last_click_category: str
    is_last_click_dwelled: bool
    def __init__(self, segment: _Optional[str] = ..., is_known: _Optional[bool] = ..., page_index: _Optional[int] = ..., click_count: _Optional[int] = ..., dwell_count: _Optional[int] = ..., cart_count: _Optional[int] = ..., purchase_count: _Optional[int] = ..., pages_without_click: _Optional[int] = ..., last_outcome: _Optional[_Union[Outcome, str]] = ..., category_click_counts: _Optional[_Mapping[str, int]] = ..., category_dwell_counts: _Optional[_Mapping[str, int]] = ..., family_click_counts: _Optional[_Mapping[str, int]] = ..., family_stop_counts: _Optional[_Mapping[str, int]] = ..., module_unclicked_counts: _Optional[_Mapping[str, int]] = ..., category_affinities: _Optional[_Mapping[str, float]] = ..., lifetime_event_count: _Optional[int] = ..., price_level: _Optional[float] = ..., category_recent_interests: _Optional[_Mapping[str, float]] = ..., family_recent_stops: _Optional[_Mapping[str, float]] = ..., category_passes: _Optional[_Mapping[str, float]] = ..., family_passes: _Optional[_Mapping[str, float]] = ..., last_click_category: _Optional[str] = ..., is_last_click_dwelled: _Optional[bool] = ...) -> None: ...
