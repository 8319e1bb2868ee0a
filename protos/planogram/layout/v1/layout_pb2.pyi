import datetime

from google.protobuf import timestamp_pb2 as _timestamp_pb2
from planogram.common.v1 import context_pb2 as _context_pb2
from planogram.events.v1 import events_pb2 as _events_pb2
from google.protobuf.internal import containers as _containers
from google.protobuf.internal import enum_type_wrapper as _enum_type_wrapper
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable, Mapping as _Mapping
from typing import ClassVar as _ClassVar, Optional as _Optional, Union as _Union

DESCRIPTOR: _descriptor.FileDescriptor

class Fallback(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    FALLBACK_UNSPECIFIED: _ClassVar[Fallback]
    FALLBACK_CACHED_CANDIDATES: _ClassVar[Fallback]
    FALLBACK_POPULAR_ORDER: _ClassVar[Fallback]
    FALLBACK_EDITORIAL_ORDER: _ClassVar[Fallback]
    FALLBACK_STATIC_PAGE: _ClassVar[Fallback]
FALLBACK_UNSPECIFIED: Fallback
FALLBACK_CACHED_CANDIDATES: Fallback
FALLBACK_POPULAR_ORDER: Fallback
FALLBACK_EDITORIAL_ORDER: Fallback
FALLBACK_STATIC_PAGE: Fallback

class ComposePageRequest(_message.Message):
    __slots__ = ("shopper", "context", "blueprint", "slot_count", "modules", "cursor", "overrides")
    SHOPPER_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    BLUEPRINT_FIELD_NUMBER: _ClassVar[int]
    SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    OVERRIDES_FIELD_NUMBER: _ClassVar[int]
    shopper: _context_pb2.Shopper
    context: _context_pb2.PageContext
    blueprint: str
    slot_count: int
    modules: _containers.RepeatedCompositeFieldContainer[CallerModule]
    cursor: str
    overrides: Overrides
    def __init__(self, shopper: _Optional[_Union[_context_pb2.Shopper, _Mapping]] = ..., context: _Optional[_Union[_context_pb2.PageContext, _Mapping]] = ..., blueprint: _Optional[str] = ..., slot_count: _Optional[int] = ..., modules: _Optional[_Iterable[_Union[CallerModule, _Mapping]]] = ..., cursor: _Optional[str] = ..., overrides: _Optional[_Union[Overrides, _Mapping]] = ...) -> None: ...

class StreamPageRequest(_message.Message):
    __slots__ = ("page", "first_slot_count")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    FIRST_SLOT_COUNT_FIELD_NUMBER: _ClassVar[int]
    page: ComposePageRequest
    first_slot_count: int
    def __init__(self, page: _Optional[_Union[ComposePageRequest, _Mapping]] = ..., first_slot_count: _Optional[int] = ...) -> None: ...

class StreamPageResponse(_message.Message):
    __slots__ = ("page", "is_last")
    PAGE_FIELD_NUMBER: _ClassVar[int]
    IS_LAST_FIELD_NUMBER: _ClassVar[int]
    page: Page
    is_last: bool
    def __init__(self, page: _Optional[_Union[Page, _Mapping]] = ..., is_last: _Optional[bool] = ...) -> None: ...

class CallerModule(_message.Message):
    __slots__ = ("module_id", "title", "item_ids")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    title: str
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    def __init__(self, module_id: _Optional[str] = ..., title: _Optional[str] = ..., item_ids: _Optional[_Iterable[str]] = ...) -> None: ...

class Overrides(_message.Message):
    __slots__ = ("scoring_version", "policy_version", "is_greedy", "is_preview", "configuration")
    class ConfigurationEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    SCORING_VERSION_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_GREEDY_FIELD_NUMBER: _ClassVar[int]
    IS_PREVIEW_FIELD_NUMBER: _ClassVar[int]
    CONFIGURATION_FIELD_NUMBER: _ClassVar[int]
    scoring_version: str
    policy_version: str
    is_greedy: bool
    is_preview: bool
    configuration: _containers.ScalarMap[str, str]
    def __init__(self, scoring_version: _Optional[str] = ..., policy_version: _Optional[str] = ..., is_greedy: _Optional[bool] = ..., is_preview: _Optional[bool] = ..., configuration: _Optional[_Mapping[str, str]] = ...) -> None: ...

class ComposePageResponse(_message.Message):
    __slots__ = ("page",)
    PAGE_FIELD_NUMBER: _ClassVar[int]
    page: Page
    def __init__(self, page: _Optional[_Union[Page, _Mapping]] = ...) -> None: ...

class Page(_message.Message):
    __slots__ = ("page_id", "slots", "experiment_arms", "versions", "degraded", "cursor", "is_exposure_unlogged", "rule_effects", "rule_conflicts", "quality", "is_repeat")
    class ExperimentArmsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    EXPERIMENT_ARMS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    CURSOR_FIELD_NUMBER: _ClassVar[int]
    IS_EXPOSURE_UNLOGGED_FIELD_NUMBER: _ClassVar[int]
    RULE_EFFECTS_FIELD_NUMBER: _ClassVar[int]
    RULE_CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    QUALITY_FIELD_NUMBER: _ClassVar[int]
    IS_REPEAT_FIELD_NUMBER: _ClassVar[int]
    page_id: str
    slots: _containers.RepeatedCompositeFieldContainer[Slot]
    experiment_arms: _containers.ScalarMap[str, str]
    versions: Versions
    degraded: _containers.RepeatedCompositeFieldContainer[Degradation]
    cursor: str
    is_exposure_unlogged: bool
    rule_effects: _containers.RepeatedCompositeFieldContainer[RuleEffect]
    rule_conflicts: _containers.RepeatedCompositeFieldContainer[RuleConflict]
    quality: float
    is_repeat: bool
    def __init__(self, page_id: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[Slot, _Mapping]]] = ..., experiment_arms: _Optional[_Mapping[str, str]] = ..., versions: _Optional[_Union[Versions, _Mapping]] = ..., degraded: _Optional[_Iterable[_Union[Degradation, _Mapping]]] = ..., cursor: _Optional[str] = ..., is_exposure_unlogged: _Optional[bool] = ..., rule_effects: _Optional[_Iterable[_Union[RuleEffect, _Mapping]]] = ..., rule_conflicts: _Optional[_Iterable[_Union[RuleConflict, _Mapping]]] = ..., quality: _Optional[float] = ..., is_repeat: _Optional[bool] = ...) -> None: ...

class RuleEffect(_message.Message):
    __slots__ = ("rule", "action", "count")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    rule: str
    action: str
    count: int
    def __init__(self, rule: _Optional[str] = ..., action: _Optional[str] = ..., count: _Optional[int] = ...) -> None: ...

class RuleConflict(_message.Message):
    __slots__ = ("rules", "problem")
    RULES_FIELD_NUMBER: _ClassVar[int]
    PROBLEM_FIELD_NUMBER: _ClassVar[int]
    rules: _containers.RepeatedScalarFieldContainer[str]
    problem: str
    def __init__(self, rules: _Optional[_Iterable[str]] = ..., problem: _Optional[str] = ...) -> None: ...

class Slot(_message.Message):
    __slots__ = ("slot_id", "module_id", "template_id", "title", "items", "reason", "tracking_token", "propensity", "is_explored", "is_ad", "family", "column_count", "answer")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    TITLE_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    TRACKING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    IS_EXPLORED_FIELD_NUMBER: _ClassVar[int]
    IS_AD_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    COLUMN_COUNT_FIELD_NUMBER: _ClassVar[int]
    ANSWER_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    module_id: str
    template_id: str
    title: str
    items: _containers.RepeatedCompositeFieldContainer[Item]
    reason: str
    tracking_token: str
    propensity: float
    is_explored: bool
    is_ad: bool
    family: str
    column_count: int
    answer: Answer
    def __init__(self, slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., template_id: _Optional[str] = ..., title: _Optional[str] = ..., items: _Optional[_Iterable[_Union[Item, _Mapping]]] = ..., reason: _Optional[str] = ..., tracking_token: _Optional[str] = ..., propensity: _Optional[float] = ..., is_explored: _Optional[bool] = ..., is_ad: _Optional[bool] = ..., family: _Optional[str] = ..., column_count: _Optional[int] = ..., answer: _Optional[_Union[Answer, _Mapping]] = ...) -> None: ...

class Answer(_message.Message):
    __slots__ = ("answer_id", "text", "action_label", "action_link", "relevance", "topic")
    ANSWER_ID_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    ACTION_LABEL_FIELD_NUMBER: _ClassVar[int]
    ACTION_LINK_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    TOPIC_FIELD_NUMBER: _ClassVar[int]
    answer_id: str
    text: str
    action_label: str
    action_link: str
    relevance: float
    topic: str
    def __init__(self, answer_id: _Optional[str] = ..., text: _Optional[str] = ..., action_label: _Optional[str] = ..., action_link: _Optional[str] = ..., relevance: _Optional[float] = ..., topic: _Optional[str] = ...) -> None: ...

class Item(_message.Message):
    __slots__ = ("item_id", "tracking_token", "charge_micros")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    TRACKING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    CHARGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    tracking_token: str
    charge_micros: int
    def __init__(self, item_id: _Optional[str] = ..., tracking_token: _Optional[str] = ..., charge_micros: _Optional[int] = ...) -> None: ...

class Versions(_message.Message):
    __slots__ = ("scoring", "policy", "snapshot", "blueprint")
    SCORING_FIELD_NUMBER: _ClassVar[int]
    POLICY_FIELD_NUMBER: _ClassVar[int]
    SNAPSHOT_FIELD_NUMBER: _ClassVar[int]
    BLUEPRINT_FIELD_NUMBER: _ClassVar[int]
    scoring: str
    policy: str
    snapshot: str
    blueprint: str
    def __init__(self, scoring: _Optional[str] = ..., policy: _Optional[str] = ..., snapshot: _Optional[str] = ..., blueprint: _Optional[str] = ...) -> None: ...

class Degradation(_message.Message):
    __slots__ = ("upstream", "reason", "fallback")
    UPSTREAM_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    FALLBACK_FIELD_NUMBER: _ClassVar[int]
    upstream: str
    reason: str
    fallback: Fallback
    def __init__(self, upstream: _Optional[str] = ..., reason: _Optional[str] = ..., fallback: _Optional[_Union[Fallback, str]] = ...) -> None: ...

class RecordEventsRequest(_message.Message):
    __slots__ = ("events",)
    EVENTS_FIELD_NUMBER: _ClassVar[int]
    events: _containers.RepeatedCompositeFieldContainer[ShopperEvent]
    def __init__(self, events: _Optional[_Iterable[_Union[ShopperEvent, _Mapping]]] = ...) -> None: ...

class ShopperEvent(_message.Message):
    __slots__ = ("event_id", "time", "type", "tracking_token", "shopper", "item_id", "dwell_ms", "quantity", "price_micros", "margin_micros", "query", "rating", "text", "language")
    EVENT_ID_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    TYPE_FIELD_NUMBER: _ClassVar[int]
    TRACKING_TOKEN_FIELD_NUMBER: _ClassVar[int]
    SHOPPER_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    DWELL_MS_FIELD_NUMBER: _ClassVar[int]
    QUANTITY_FIELD_NUMBER: _ClassVar[int]
    PRICE_MICROS_FIELD_NUMBER: _ClassVar[int]
    MARGIN_MICROS_FIELD_NUMBER: _ClassVar[int]
    QUERY_FIELD_NUMBER: _ClassVar[int]
    RATING_FIELD_NUMBER: _ClassVar[int]
    TEXT_FIELD_NUMBER: _ClassVar[int]
    LANGUAGE_FIELD_NUMBER: _ClassVar[int]
    event_id: str
    time: _timestamp_pb2.Timestamp
    type: _events_pb2.EventType
    tracking_token: str
    shopper: _context_pb2.Shopper
    item_id: str
    dwell_ms: int
    quantity: int
    price_micros: int
    margin_micros: int
    query: str
    rating: float
    text: str
    language: str
    def __init__(self, event_id: _Optional[str] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., type: _Optional[_Union[_events_pb2.EventType, str]] = ..., tracking_token: _Optional[str] = ..., shopper: _Optional[_Union[_context_pb2.Shopper, _Mapping]] = ..., item_id: _Optional[str] = ..., dwell_ms: _Optional[int] = ..., quantity: _Optional[int] = ..., price_micros: _Optional[int] = ..., margin_micros: _Optional[int] = ..., query: _Optional[str] = ..., rating: _Optional[float] = ..., text: _Optional[str] = ..., language: _Optional[str] = ...) -> None: ...

class RecordEventsResponse(_message.Message):
    __slots__ = ("stored_count", "duplicate_count")
    STORED_COUNT_FIELD_NUMBER: _ClassVar[int]
    DUPLICATE_COUNT_FIELD_NUMBER: _ClassVar[int]
    stored_count: int
    duplicate_count: int
    def __init__(self, stored_count: _Optional[int] = ..., duplicate_count: _Optional[int] = ...) -> None: ...

class ForgetShopperRequest(_message.Message):
    __slots__ = ("user_id",)
    USER_ID_FIELD_NUMBER: _ClassVar[int]
    user_id: str
    def __init__(self, user_id: _Optional[str] = ...) -> None: ...

class ForgetShopperResponse(_message.Message):
    __slots__ = ("deleted_count",)
    DELETED_COUNT_FIELD_NUMBER: _ClassVar[int]
    deleted_count: int
    def __init__(self, deleted_count: _Optional[int] = ...) -> None: ...

class ExplainPageRequest(_message.Message):
    __slots__ = ("page_id", "has_attributions", "has_shadow_prices")
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    HAS_ATTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    HAS_SHADOW_PRICES_FIELD_NUMBER: _ClassVar[int]
    page_id: str
    has_attributions: bool
    has_shadow_prices: bool
    def __init__(self, page_id: _Optional[str] = ..., has_attributions: _Optional[bool] = ..., has_shadow_prices: _Optional[bool] = ...) -> None: ...

class ExplainPageResponse(_message.Message):
    __slots__ = ("page_id", "slots", "versions", "degraded", "time", "is_replay_exact", "replay", "rules", "rule_conflicts")
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    VERSIONS_FIELD_NUMBER: _ClassVar[int]
    DEGRADED_FIELD_NUMBER: _ClassVar[int]
    TIME_FIELD_NUMBER: _ClassVar[int]
    IS_REPLAY_EXACT_FIELD_NUMBER: _ClassVar[int]
    REPLAY_FIELD_NUMBER: _ClassVar[int]
    RULES_FIELD_NUMBER: _ClassVar[int]
    RULE_CONFLICTS_FIELD_NUMBER: _ClassVar[int]
    page_id: str
    slots: _containers.RepeatedCompositeFieldContainer[SlotReceipt]
    versions: Versions
    degraded: _containers.RepeatedScalarFieldContainer[str]
    time: _timestamp_pb2.Timestamp
    is_replay_exact: bool
    replay: str
    rules: _containers.RepeatedCompositeFieldContainer[RuleReceipt]
    rule_conflicts: _containers.RepeatedCompositeFieldContainer[RuleConflict]
    def __init__(self, page_id: _Optional[str] = ..., slots: _Optional[_Iterable[_Union[SlotReceipt, _Mapping]]] = ..., versions: _Optional[_Union[Versions, _Mapping]] = ..., degraded: _Optional[_Iterable[str]] = ..., time: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ..., is_replay_exact: _Optional[bool] = ..., replay: _Optional[str] = ..., rules: _Optional[_Iterable[_Union[RuleReceipt, _Mapping]]] = ..., rule_conflicts: _Optional[_Iterable[_Union[RuleConflict, _Mapping]]] = ...) -> None: ...

class RuleReceipt(_message.Message):
    __slots__ = ("rule", "action", "count", "shadow_price")
    RULE_FIELD_NUMBER: _ClassVar[int]
    ACTION_FIELD_NUMBER: _ClassVar[int]
    COUNT_FIELD_NUMBER: _ClassVar[int]
    SHADOW_PRICE_FIELD_NUMBER: _ClassVar[int]
    rule: str
    action: str
    count: int
    shadow_price: float
    def __init__(self, rule: _Optional[str] = ..., action: _Optional[str] = ..., count: _Optional[int] = ..., shadow_price: _Optional[float] = ...) -> None: ...

class SlotReceipt(_message.Message):
    __slots__ = ("slot_id", "module_id", "template_id", "reason", "propensity", "q_value", "is_explored", "runners_up", "masked", "items")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    IS_EXPLORED_FIELD_NUMBER: _ClassVar[int]
    RUNNERS_UP_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    module_id: str
    template_id: str
    reason: str
    propensity: float
    q_value: float
    is_explored: bool
    runners_up: _containers.RepeatedCompositeFieldContainer[RunnerUp]
    masked: _containers.RepeatedCompositeFieldContainer[MaskedModule]
    items: _containers.RepeatedCompositeFieldContainer[ItemReceipt]
    def __init__(self, slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., template_id: _Optional[str] = ..., reason: _Optional[str] = ..., propensity: _Optional[float] = ..., q_value: _Optional[float] = ..., is_explored: _Optional[bool] = ..., runners_up: _Optional[_Iterable[_Union[RunnerUp, _Mapping]]] = ..., masked: _Optional[_Iterable[_Union[MaskedModule, _Mapping]]] = ..., items: _Optional[_Iterable[_Union[ItemReceipt, _Mapping]]] = ...) -> None: ...

class RunnerUp(_message.Message):
    __slots__ = ("module_id", "template_id", "q_value", "propensity")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    template_id: str
    q_value: float
    propensity: float
    def __init__(self, module_id: _Optional[str] = ..., template_id: _Optional[str] = ..., q_value: _Optional[float] = ..., propensity: _Optional[float] = ...) -> None: ...

class MaskedModule(_message.Message):
    __slots__ = ("module_id", "reason")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    reason: str
    def __init__(self, module_id: _Optional[str] = ..., reason: _Optional[str] = ...) -> None: ...

class ItemReceipt(_message.Message):
    __slots__ = ("item_id", "click_probability", "purchase_probability", "attributions", "displaced", "charge_micros")
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    ATTRIBUTIONS_FIELD_NUMBER: _ClassVar[int]
    DISPLACED_FIELD_NUMBER: _ClassVar[int]
    CHARGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    item_id: str
    click_probability: float
    purchase_probability: float
    attributions: _containers.RepeatedCompositeFieldContainer[Attribution]
    displaced: str
    charge_micros: int
    def __init__(self, item_id: _Optional[str] = ..., click_probability: _Optional[float] = ..., purchase_probability: _Optional[float] = ..., attributions: _Optional[_Iterable[_Union[Attribution, _Mapping]]] = ..., displaced: _Optional[str] = ..., charge_micros: _Optional[int] = ...) -> None: ...

class Attribution(_message.Message):
    __slots__ = ("feature", "value")
    FEATURE_FIELD_NUMBER: _ClassVar[int]
    VALUE_FIELD_NUMBER: _ClassVar[int]
    feature: str
    value: float
    def __init__(self, feature: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...

class GetConfigurationRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetConfigurationResponse(_message.Message):
    __slots__ = ("version", "files")
    class FilesEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: str
        def __init__(self, key: _Optional[str] = ..., value: _Optional[str] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    FILES_FIELD_NUMBER: _ClassVar[int]
    version: str
    files: _containers.ScalarMap[str, str]
    def __init__(self, version: _Optional[str] = ..., files: _Optional[_Mapping[str, str]] = ...) -> None: ...
