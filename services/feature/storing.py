"""How is a profile kept, and how is what pages need read without the rest?

A profile is JSON. The second key holds what pages need, in a form that is read several times as fast; it is
named anew when that form changes. Readers that do not know the key pass it over, and write without it.
"""

from __future__ import annotations

from binascii import a2b_base64, b2a_base64
from dataclasses import fields

import msgspec

from services.feature.known import Known, known_of
from services.feature.profile import Profile

_FORMAT = 2
_READABLE_FORMATS = (1, _FORMAT)
"""Format 1 knew nothing of what was done recently; a session that it holds goes on without."""


def dumps(profile: Profile) -> bytes:
    """The stored form of a profile."""
    rest = msgspec.json.encode({each.name: getattr(profile, each.name) for each in fields(Profile)})
    page = b2a_base64(_PACKED.encode(known_of(profile)), newline=False)
    return b'%s%s",%s' % (_WITH_PAGE, page, rest[1:])


def loads(data: bytes) -> Profile:
    """The profile of its stored form.

    Raises:
        ValueError: where it is of another format.
    """
    if not data.startswith(_BEGINNING):
        found = _FORMAT_OF.decode(data).format
        if found not in _READABLE_FORMATS:
            raise ValueError(f"profile of format {found!r}, want one of {_READABLE_FORMATS}")
    return _PROFILE_OF.decode(data)


def loads_known(data: bytes) -> Known:
    """What pages need of a profile in its stored form.

    Raises:
        ValueError: where it is of another format.
    """
    if data.startswith(_WITH_PAGE):
        start = len(_WITH_PAGE)
        return _KNOWN_OF.decode(a2b_base64(data[start : data.index(b'"', start)]))
    return known_of(loads(data))


class _Head(msgspec.Struct):
    """What says how to read the rest of a stored profile."""

    format: int | None = None


_BEGINNING = b'{"format":%d,' % _FORMAT
_WITH_PAGE = _BEGINNING + b'"page-1":"'
_FORMAT_OF = msgspec.json.Decoder(_Head)
_PROFILE_OF = msgspec.json.Decoder(Profile)
_PACKED = msgspec.msgpack.Encoder()
_KNOWN_OF = msgspec.msgpack.Decoder(Known)
