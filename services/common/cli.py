"""Which verbs does the `planogram` command have?

Every package with a `commands` module adds its verbs: `register(app)` gets the typer application. A
`commands` module imports heavy things inside its functions, so that help prints at once.
"""

from __future__ import annotations

import importlib
import importlib.util
import sys
import traceback
from pathlib import Path

import typer

from services.common.errors import ConfigurationError, ServiceError

PACKAGES = ("services", "simulator", "storefront")


def application() -> typer.Typer:
    """The command line, with the verbs of every installed package."""
    app = typer.Typer(
        name="planogram",
        help="Pages laid out for the shopper in front of them.",
        no_args_is_help=True,
        pretty_exceptions_show_locals=False,
    )
    for name in command_modules():
        try:
            module = importlib.import_module(name)
        except ModuleNotFoundError as error:
            if (error.name or "").split(".")[0] in PACKAGES:
                raise
            continue
        module.register(app)
    return app


def command_modules() -> list[str]:
    """Names of the `commands` modules that are on the path, in a stable order."""
    found = set()
    for package in PACKAGES:
        spec = importlib.util.find_spec(package)
        for location in (spec and spec.submodule_search_locations) or ():
            for path in (*Path(location).glob("commands.py"), *Path(location).glob("*/commands.py")):
                found.add(".".join((package, *path.relative_to(location).with_suffix("").parts)))
    return sorted(found)


def main() -> None:
    """Runs the command line; errors that the user can mend are one line, without a traceback."""
    try:
        application()()
    except (ConfigurationError, ServiceError) as error:
        print(f"planogram: {error}", file=sys.stderr)
        sys.exit(2)
    except OSError as error:
        # A file that the user named; an error without one is ours, and keeps its traceback.
        path = error.filename2 or error.filename
        if path is None:
            raise
        print(f"planogram: {path}: {error.strerror}", file=sys.stderr)
        sys.exit(2)
    except ModuleNotFoundError as error:
        extra = _extra_of(error)
        if extra is None:
            raise
        package = (error.name or "").split(".")[0]
        print(
            f"planogram: this needs {package}, which is not installed: pip install 'planogram[{extra}]'",
            file=sys.stderr,
        )
        sys.exit(2)


# What an installation lacks where code of a package finds a module missing; the longest name counts.
_EXTRAS = {
    "services.common.inference": "cpu",
    "services.common.training_checkpoint": "training",
    "services.common.training_output": "training",
    "services.feature": "feature",
    "services.layout": "layout",
    "services.local": "local,cpu",
    "services.policy": "policy",
    "services.policy.evaluation": "evaluation",
    "services.policy.training": "training",
    "services.scoring": "scoring",
    "services.scoring.training": "training",
    "simulator": "simulator",
    "storefront": "storefront",
}


def _extra_of(error: ModuleNotFoundError) -> str | None:
    """The extra that brings the missing module; None where it is one of ours, which none brings."""
    if (error.name or "").split(".")[0] in (*PACKAGES, "planogram"):
        return None
    found = None
    for frame, _ in traceback.walk_tb(error.__traceback__):
        name = str(frame.f_globals.get("__name__", ""))
        owners = [package for package in _EXTRAS if f"{name}.".startswith(f"{package}.")]
        if owners:
            found = _EXTRAS[max(owners, key=len)]
    return found


if __name__ == "__main__":
    main()
