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

class ExplorationMode(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    EXPLORATION_MODE_UNSPECIFIED: _ClassVar[ExplorationMode]
    EXPLORATION_MODE_GREEDY: _ClassVar[ExplorationMode]
    EXPLORATION_MODE_EPSILON_GREEDY: _ClassVar[ExplorationMode]
    EXPLORATION_MODE_SOFTMAX: _ClassVar[ExplorationMode]

class MaskReason(int, metaclass=_enum_type_wrapper.EnumTypeWrapper):
    __slots__ = ()
    MASK_REASON_UNSPECIFIED: _ClassVar[MaskReason]
    MASK_REASON_NOT_ALLOWED: _ClassVar[MaskReason]
    MASK_REASON_PLACED: _ClassVar[MaskReason]
    MASK_REASON_TOO_FEW_ITEMS: _ClassVar[MaskReason]
    MASK_REASON_PINNED: _ClassVar[MaskReason]
    MASK_REASON_RESERVED: _ClassVar[MaskReason]
    MASK_REASON_CROWDED: _ClassVar[MaskReason]
EXPLORATION_MODE_UNSPECIFIED: ExplorationMode
EXPLORATION_MODE_GREEDY: ExplorationMode
EXPLORATION_MODE_EPSILON_GREEDY: ExplorationMode
EXPLORATION_MODE_SOFTMAX: ExplorationMode
MASK_REASON_UNSPECIFIED: MaskReason
MASK_REASON_NOT_ALLOWED: MaskReason
MASK_REASON_PLACED: MaskReason
MASK_REASON_TOO_FEW_ITEMS: MaskReason
MASK_REASON_PINNED: MaskReason
MASK_REASON_RESERVED: MaskReason
MASK_REASON_CROWDED: MaskReason

class PlanPageRequest(_message.Message):
    __slots__ = ("session", "context", "items", "modules", "slots", "exploration", "seed", "policy_version", "group_limits", "module_limits")
    SESSION_FIELD_NUMBER: _ClassVar[int]
    CONTEXT_FIELD_NUMBER: _ClassVar[int]
    ITEMS_FIELD_NUMBER: _ClassVar[int]
    MODULES_FIELD_NUMBER: _ClassVar[int]
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    SEED_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    GROUP_LIMITS_FIELD_NUMBER: _ClassVar[int]
    MODULE_LIMITS_FIELD_NUMBER: _ClassVar[int]
    session: _context_pb2.SessionState
    context: _context_pb2.PageContext
    items: ItemPredictions
    modules: _containers.RepeatedCompositeFieldContainer[Module]
    slots: _containers.RepeatedCompositeFieldContainer[Slot]
    exploration: Exploration
    seed: int
    policy_version: str
    group_limits: _containers.RepeatedCompositeFieldContainer[GroupLimit]
    module_limits: _containers.RepeatedCompositeFieldContainer[ModuleLimit]
    def __init__(self, session: _Optional[_Union[_context_pb2.SessionState, _Mapping]] = ..., context: _Optional[_Union[_context_pb2.PageContext, _Mapping]] = ..., items: _Optional[_Union[ItemPredictions, _Mapping]] = ..., modules: _Optional[_Iterable[_Union[Module, _Mapping]]] = ..., slots: _Optional[_Iterable[_Union[Slot, _Mapping]]] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ..., seed: _Optional[int] = ..., policy_version: _Optional[str] = ..., group_limits: _Optional[_Iterable[_Union[GroupLimit, _Mapping]]] = ..., module_limits: _Optional[_Iterable[_Union[ModuleLimit, _Mapping]]] = ...) -> None: ...

class ItemPredictions(_message.Message):
    __slots__ = ("click_probability", "purchase_probability", "margin", "freshness", "group_id")
    CLICK_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    PURCHASE_PROBABILITY_FIELD_NUMBER: _ClassVar[int]
    MARGIN_FIELD_NUMBER: _ClassVar[int]
    FRESHNESS_FIELD_NUMBER: _ClassVar[int]
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    click_probability: _tensor_pb2.Tensor
    purchase_probability: _tensor_pb2.Tensor
    margin: _tensor_pb2.Tensor
    freshness: _tensor_pb2.Tensor
    group_id: _tensor_pb2.Tensor
    def __init__(self, click_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., purchase_probability: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., margin: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., freshness: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ..., group_id: _Optional[_Union[_tensor_pb2.Tensor, _Mapping]] = ...) -> None: ...

class Module(_message.Message):
    __slots__ = ("module_id", "family", "source", "category", "templates", "rows", "is_filler", "relevance")
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    SOURCE_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    TEMPLATES_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    IS_FILLER_FIELD_NUMBER: _ClassVar[int]
    RELEVANCE_FIELD_NUMBER: _ClassVar[int]
    module_id: str
    family: str
    source: str
    category: str
    templates: _containers.RepeatedCompositeFieldContainer[Template]
    rows: _containers.RepeatedScalarFieldContainer[int]
    is_filler: bool
    relevance: float
    def __init__(self, module_id: _Optional[str] = ..., family: _Optional[str] = ..., source: _Optional[str] = ..., category: _Optional[str] = ..., templates: _Optional[_Iterable[_Union[Template, _Mapping]]] = ..., rows: _Optional[_Iterable[int]] = ..., is_filler: _Optional[bool] = ..., relevance: _Optional[float] = ...) -> None: ...

class Template(_message.Message):
    __slots__ = ("template_id", "min_item_count", "max_item_count")
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    MIN_ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    template_id: str
    min_item_count: int
    max_item_count: int
    def __init__(self, template_id: _Optional[str] = ..., min_item_count: _Optional[int] = ..., max_item_count: _Optional[int] = ...) -> None: ...

class Slot(_message.Message):
    __slots__ = ("slot_id", "allowed_module_ids", "allowed_template_ids", "pinned_module_id")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_MODULE_IDS_FIELD_NUMBER: _ClassVar[int]
    ALLOWED_TEMPLATE_IDS_FIELD_NUMBER: _ClassVar[int]
    PINNED_MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    allowed_module_ids: _containers.RepeatedScalarFieldContainer[str]
    allowed_template_ids: _containers.RepeatedScalarFieldContainer[str]
    pinned_module_id: str
    def __init__(self, slot_id: _Optional[str] = ..., allowed_module_ids: _Optional[_Iterable[str]] = ..., allowed_template_ids: _Optional[_Iterable[str]] = ..., pinned_module_id: _Optional[str] = ...) -> None: ...

class GroupLimit(_message.Message):
    __slots__ = ("group_id", "max_item_count")
    GROUP_ID_FIELD_NUMBER: _ClassVar[int]
    MAX_ITEM_COUNT_FIELD_NUMBER: _ClassVar[int]
    group_id: int
    max_item_count: int
    def __init__(self, group_id: _Optional[int] = ..., max_item_count: _Optional[int] = ...) -> None: ...

class ModuleLimit(_message.Message):
    __slots__ = ("module_ids", "max_module_count", "min_gap", "first_slot")
    MODULE_IDS_FIELD_NUMBER: _ClassVar[int]
    MAX_MODULE_COUNT_FIELD_NUMBER: _ClassVar[int]
    MIN_GAP_FIELD_NUMBER: _ClassVar[int]
    FIRST_SLOT_FIELD_NUMBER: _ClassVar[int]
    module_ids: _containers.RepeatedScalarFieldContainer[str]
    max_module_count: int
    min_gap: int
    first_slot: int
    def __init__(self, module_ids: _Optional[_Iterable[str]] = ..., max_module_count: _Optional[int] = ..., min_gap: _Optional[int] = ..., first_slot: _Optional[int] = ...) -> None: ...

class Exploration(_message.Message):
    __slots__ = ("mode", "epsilon", "temperature")
    MODE_FIELD_NUMBER: _ClassVar[int]
    EPSILON_FIELD_NUMBER: _ClassVar[int]
    TEMPERATURE_FIELD_NUMBER: _ClassVar[int]
    mode: ExplorationMode
    epsilon: float
    temperature: float
    def __init__(self, mode: _Optional[_Union[ExplorationMode, str]] = ..., epsilon: _Optional[float] = ..., temperature: _Optional[float] = ...) -> None: ...

class PlanPageResponse(_message.Message):
    __slots__ = ("slots", "policy_version", "exploration")
    SLOTS_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    EXPLORATION_FIELD_NUMBER: _ClassVar[int]
    slots: _containers.RepeatedCompositeFieldContainer[SlotDecision]
    policy_version: str
    exploration: Exploration
    def __init__(self, slots: _Optional[_Iterable[_Union[SlotDecision, _Mapping]]] = ..., policy_version: _Optional[str] = ..., exploration: _Optional[_Union[Exploration, _Mapping]] = ...) -> None: ...

class SlotDecision(_message.Message):
    __slots__ = ("slot_id", "module_id", "template_id", "rows", "q_value", "propensity", "is_explored", "feasible", "masked")
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_ID_FIELD_NUMBER: _ClassVar[int]
    ROWS_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    IS_EXPLORED_FIELD_NUMBER: _ClassVar[int]
    FEASIBLE_FIELD_NUMBER: _ClassVar[int]
    MASKED_FIELD_NUMBER: _ClassVar[int]
    slot_id: str
    module_id: str
    template_id: str
    rows: _containers.RepeatedScalarFieldContainer[int]
    q_value: float
    propensity: float
    is_explored: bool
    feasible: _choices_pb2.FeasibleChoices
    masked: MaskedModules
    def __init__(self, slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., template_id: _Optional[str] = ..., rows: _Optional[_Iterable[int]] = ..., q_value: _Optional[float] = ..., propensity: _Optional[float] = ..., is_explored: _Optional[bool] = ..., feasible: _Optional[_Union[_choices_pb2.FeasibleChoices, _Mapping]] = ..., masked: _Optional[_Union[MaskedModules, _Mapping]] = ...) -> None: ...

class MaskedModules(_message.Message):
    __slots__ = ("module_index", "reason")
    MODULE_INDEX_FIELD_NUMBER: _ClassVar[int]
    REASON_FIELD_NUMBER: _ClassVar[int]
    module_index: _containers.RepeatedScalarFieldContainer[int]
    reason: _containers.RepeatedScalarFieldContainer[MaskReason]
    def __init__(self, module_index: _Optional[_Iterable[int]] = ..., reason: _Optional[_Iterable[_Union[MaskReason, str]]] = ...) -> None: ...

class GetPolicyRequest(_message.Message):
    __slots__ = ()
    def __init__(self) -> None: ...

class GetPolicyResponse(_message.Message):
    __slots__ = ("policies",)
    POLICIES_FIELD_NUMBER: _ClassVar[int]
    policies: _containers.RepeatedCompositeFieldContainer[Policy]
    def __init__(self, policies: _Optional[_Iterable[_Union[Policy, _Mapping]]] = ...) -> None: ...

class Policy(_message.Message):
    __slots__ = ("version", "is_current", "space_fingerprint", "metrics", "trained")
    class MetricsEntry(_message.Message):
        __slots__ = ("key", "value")
        KEY_FIELD_NUMBER: _ClassVar[int]
        VALUE_FIELD_NUMBER: _ClassVar[int]
        key: str
        value: float
        def __init__(self, key: _Optional[str] = ..., value: _Optional[float] = ...) -> None: ...
    VERSION_FIELD_NUMBER: _ClassVar[int]
    IS_CURRENT_FIELD_NUMBER: _ClassVar[int]
    SPACE_FINGERPRINT_FIELD_NUMBER: _ClassVar[int]
    METRICS_FIELD_NUMBER: _ClassVar[int]
    TRAINED_FIELD_NUMBER: _ClassVar[int]
    version: str
    is_current: bool
    space_fingerprint: str
    metrics: _containers.ScalarMap[str, float]
    trained: _timestamp_pb2.Timestamp
    def __init__(self, version: _Optional[str] = ..., is_current: _Optional[bool] = ..., space_fingerprint: _Optional[str] = ..., metrics: _Optional[_Mapping[str, float]] = ..., trained: _Optional[_Union[datetime.datetime, _timestamp_pb2.Timestamp, _Mapping]] = ...) -> None: ...
