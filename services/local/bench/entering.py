"""Who takes part in a contest, and is what they need installed?"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from importlib.util import find_spec
from typing import Protocol, TypeVar

from services.common.errors import ConfigurationError


class Entrant(Protocol):
    """Who can be asked for by name, and may need a package that planogram does not bring."""

    @property
    def name(self) -> str: ...
    @property
    def package(self) -> str: ...


E = TypeVar("E", bound=Entrant)


def named(entrants: Sequence[E], own: str, names: Sequence[str]) -> list[E]:
    """Some of the entrants, and our own; all where no name is given.

    Raises:
        ConfigurationError: for a name that nobody has.
    """
    known = {entrant.name for entrant in entrants}
    for name in names:
        if name not in known:
            raise ConfigurationError(f"--entrants: got {name!r}, want some of {sorted(known)}")
    return [entrant for entrant in entrants if not names or entrant.name in (own, *names)]


def check_installed(entrants: Iterable[Entrant], target: str) -> None:
    """Refuses to begin what would stop for want of a package.

    Args:
        target: of the Makefile, whose environment has all packages.

    Raises:
        ConfigurationError: naming what is missing, and how to install it.
    """
    wanted = sorted({entrant.package for entrant in entrants} - {""})
    missing = [package for package in wanted if find_spec(package) is None]
    if missing:
        raise ConfigurationError(
            f"{', '.join(missing)} not installed; `make {target}` has an environment for them, "
            "or: pip install '.[peers]'"
        )
