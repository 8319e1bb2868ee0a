"""How is a profile kept, and how is what pages need read without the rest?

A profile is JSON. What pages need comes first, behind its length, and is read alone; its keys are named anew
when its form changes. Readers that do not know these keys pass them over, and write without them.
"""

from __future__ import annotations

from dataclasses import fields

import msgspec

from services.feature.shoppers.known import Known, known_of
from services.feature.shoppers.profile import Profile

_FORMAT = 2
_READABLE_FORMATS = (1, _FORMAT)
"""Format 1 knew nothing of what was done recently; a session that it holds goes on without."""


def dumps(profile: Profile, known: Known) -> bytes:
    """The stored form of a profile.

    Args:
        known: what pages need of it.
    """
    rest = msgspec.json.encode({each.name: getattr(profile, each.name) for each in fields(Profile)})
    page = msgspec.json.encode(known)
    return b"%s%d%s%s,%s" % (_BEFORE_LENGTH, len(page), _BEFORE_PAGE, page, rest[1:])


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
    if data.startswith(_BEFORE_LENGTH):
        end = data.index(b",", len(_BEFORE_LENGTH))
        start = end + len(_BEFORE_PAGE)
        return _KNOWN_OF.decode(data[start : start + int(data[len(_BEFORE_LENGTH) : end])])
    return known_of(loads(data))


class _Head(msgspec.Struct):
    """What says how to read the rest of a stored profile."""

    format: int | None = None


_BEGINNING = b'{"format":%d,' % _FORMAT
_BEFORE_LENGTH, _BEFORE_PAGE = _BEGINNING + b'"page-1-length":', b',"page-1":'
_FORMAT_OF = msgspec.json.Decoder(_Head)
_PROFILE_OF = msgspec.json.Decoder(Profile)
_KNOWN_OF = msgspec.json.Decoder(Known)
