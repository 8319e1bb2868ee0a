from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class TrackingToken(_message.Message):
    __slots__ = ("issued_unix_s", "page_id", "shopper_key", "session_key", "key_epoch", "policy_version", "scoring_version", "slot_id", "module_id", "family", "propensity", "item_id", "category", "charge_micros")
    ISSUED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    PAGE_ID_FIELD_NUMBER: _ClassVar[int]
    SHOPPER_KEY_FIELD_NUMBER: _ClassVar[int]
    SESSION_KEY_FIELD_NUMBER: _ClassVar[int]
    KEY_EPOCH_FIELD_NUMBER: _ClassVar[int]
    POLICY_VERSION_FIELD_NUMBER: _ClassVar[int]
    SCORING_VERSION_FIELD_NUMBER: _ClassVar[int]
    SLOT_ID_FIELD_NUMBER: _ClassVar[int]
    MODULE_ID_FIELD_NUMBER: _ClassVar[int]
    FAMILY_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    ITEM_ID_FIELD_NUMBER: _ClassVar[int]
    CATEGORY_FIELD_NUMBER: _ClassVar[int]
    CHARGE_MICROS_FIELD_NUMBER: _ClassVar[int]
    issued_unix_s: int
    page_id: str
    shopper_key: str
    session_key: str
    key_epoch: str
    policy_version: str
    scoring_version: str
    slot_id: str
    module_id: str
    family: str
    propensity: float
    item_id: str
    category: str
    charge_micros: int
    def __init__(self, issued_unix_s: _Optional[int] = ..., page_id: _Optional[str] = ..., shopper_key: _Optional[str] = ..., session_key: _Optional[str] = ..., key_epoch: _Optional[str] = ..., policy_version: _Optional[str] = ..., scoring_version: _Optional[str] = ..., slot_id: _Optional[str] = ..., module_id: _Optional[str] = ..., family: _Optional[str] = ..., propensity: _Optional[float] = ..., item_id: _Optional[str] = ..., category: _Optional[str] = ..., charge_micros: _Optional[int] = ...) -> None: ...

class PageCursor(_message.Message):
    __slots__ = ("issued_unix_s", "blueprint", "module_ids", "item_ids", "item_digests")
    ISSUED_UNIX_S_FIELD_NUMBER: _ClassVar[int]
    BLUEPRINT_FIELD_NUMBER: _ClassVar[int]
    MODULE_IDS_FIELD_NUMBER: _ClassVar[int]
    ITEM_IDS_FIELD_NUMBER: _ClassVar[int]
    ITEM_DIGESTS_FIELD_NUMBER: _ClassVar[int]
    issued_unix_s: int
    blueprint: str
    module_ids: _containers.RepeatedScalarFieldContainer[str]
    item_ids: _containers.RepeatedScalarFieldContainer[str]
    item_digests: bytes
    def __init__(self, issued_unix_s: _Optional[int] = ..., blueprint: _Optional[str] = ..., module_ids: _Optional[_Iterable[str]] = ..., item_ids: _Optional[_Iterable[str]] = ..., item_digests: _Optional[bytes] = ...) -> None: ...
