from google.protobuf.internal import containers as _containers
from google.protobuf import descriptor as _descriptor
from google.protobuf import message as _message
from collections.abc import Iterable as _Iterable
from typing import ClassVar as _ClassVar, Optional as _Optional

DESCRIPTOR: _descriptor.FileDescriptor

class FeasibleChoices(_message.Message):
    __slots__ = ("module_index", "template_index", "propensity", "q_value")
    MODULE_INDEX_FIELD_NUMBER: _ClassVar[int]
    TEMPLATE_INDEX_FIELD_NUMBER: _ClassVar[int]
    PROPENSITY_FIELD_NUMBER: _ClassVar[int]
    Q_VALUE_FIELD_NUMBER: _ClassVar[int]
    module_index: _containers.RepeatedScalarFieldContainer[int]
    template_index: _containers.RepeatedScalarFieldContainer[int]
    propensity: _containers.RepeatedScalarFieldContainer[float]
    q_value: _containers.RepeatedScalarFieldContainer[float]
    def __init__(self, module_index: _Optional[_Iterable[int]] = ..., template_index: _Optional[_Iterable[int]] = ..., propensity: _Optional[_Iterable[float]] = ..., q_value: _Optional[_Iterable[float]] = ...) -> None: ...
