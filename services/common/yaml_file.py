"""How is a YAML file read so that every mistake names its file, line and key?"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Any, TypeVar

import yaml
from pydantic import BaseModel, ConfigDict, ValidationError

from services.common.errors import ConfigurationError

M = TypeVar("M", bound="Document")

MAX_CHARACTERS = 10_000_000
"""With what aliases stand for: a few lines can name gigabytes."""


MAX_DEPTH = 100
"""Of what stands within each other: libyaml composes a tree on the stack of the process."""

MAX_TOLD_CHARACTERS = 200
"""Of a value that is refused."""


class Document(BaseModel):
    """Base of everything that is read from YAML: unknown keys, and numbers without end, are mistakes."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


def read(path: Path, kind: type[M], filled: Callable[[str], str] = str) -> M:
    """The file's content as `kind`.

    Args:
        filled: what is read in place of the file's text, line by line the same.

    Raises:
        ConfigurationError: naming file, line, key, what was found and what is wanted.
    """
    try:
        text = filled(path.read_text("utf-8"))
        node, data = _parsed(path, text)
    except OSError as error:
        raise ConfigurationError(f"{path}: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigurationError(f"{path}:{line}: {error.problem}") from None
    except UnicodeDecodeError as error:
        line = error.object[: error.start].count(b"\n") + 1
        raise ConfigurationError(
            f"{path}:{line}: byte {error.object[error.start]:#04x} is not UTF-8"
        ) from None
    except yaml.reader.ReaderError as error:
        line = text.count("\n", 0, error.position) + 1
        raise ConfigurationError(f"{path}:{line}: character {error.character:#04x} is not allowed") from None
    except RecursionError:
        raise ConfigurationError(f"{path}: an alias stands within itself, or it is nested too deep") from None
    try:
        return kind.model_validate(data)
    except RecursionError:
        raise ConfigurationError(f"{path}: an alias stands within itself, or it is nested too deep") from None
    except ValidationError as error:
        raise ConfigurationError(
            "\n".join(_describe(path, node, problem) for problem in error.errors())
        ) from None


def _parsed(path: Path, text: str) -> tuple[yaml.Node | None, Any]:
    """The file's tree and its content.

    libyaml takes a tenth of the time; what it refuses is read again, for messages that do not depend on it.
    """
    try:
        loader = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
        _refuse_deep(path, text, loader)
        return _parsed_by(loader, path, text)
    except (yaml.YAMLError, UnicodeError):
        return _parsed_by(yaml.SafeLoader, path, text)


def _refuse_deep(path: Path, text: str, loader: Any) -> None:
    depth = 0
    for event in yaml.parse(text, Loader=loader):
        depth += isinstance(event, yaml.CollectionStartEvent) - isinstance(event, yaml.CollectionEndEvent)
        if depth > MAX_DEPTH:
            line = event.start_mark.line + 1 if event.start_mark else 1
            raise ConfigurationError(f"{path}:{line}: file: nested deeper than {MAX_DEPTH} levels")


def _parsed_by(kind: Any, path: Path, text: str) -> tuple[yaml.Node | None, Any]:
    loader = kind(text)
    try:
        node = loader.get_single_node()
        if _weight(node, {}) > MAX_CHARACTERS:
            raise ConfigurationError(
                f"{path}:1: file: its aliases stand for more than {MAX_CHARACTERS:,} characters"
            )
        _refuse_twice(path, node)
        return node, None if node is None else _constructed(loader, path, node)
    finally:
        loader.dispose()


def _constructed(loader: Any, path: Path, node: yaml.Node) -> Any:
    """The content of a tree; YAML takes `2026-13-45` for a date, and fails at it as Python does."""
    try:
        return loader.construct_document(node)
    except (ValueError, ArithmeticError, LookupError, TypeError) as error:
        for scalar in _scalars(node, set()):
            try:
                yaml.SafeLoader("").construct_object(scalar)
            except (ValueError, ArithmeticError, LookupError, TypeError) as problem:
                line, kind = scalar.start_mark.line + 1, scalar.tag.rpartition(":")[2]
                raise ConfigurationError(
                    f"{path}:{line}: got {_told(scalar.value)}, which YAML takes for a value of type {kind}: "
                    f"{problem}; a text stands in quotes"
                ) from None
        raise ConfigurationError(f"{path}: cannot be read: {error}") from None


def _scalars(node: yaml.Node, seen: set[int]) -> Iterator[yaml.ScalarNode]:
    """All single values of a tree, keys among them, each once."""
    if id(node) in seen:
        return
    seen.add(id(node))
    if isinstance(node, yaml.ScalarNode):
        yield node
    elif isinstance(node, yaml.CollectionNode):
        for child in node.value:
            for one in child if isinstance(child, tuple) else (child,):
                yield from _scalars(one, seen)


def _told(value: Any) -> str:
    """A value as messages show it, in so many characters."""
    shown = repr(value)
    is_long = len(shown) > MAX_TOLD_CHARACTERS
    return f"{shown[:MAX_TOLD_CHARACTERS]}... ({len(shown)} characters)" if is_long else shown


def mistake(path: Path, keys: Sequence[str | int], message: str) -> ConfigurationError:
    """What is wrong with a file that could be read, with the line where these keys lead."""
    line = _line(yaml.compose(path.read_text("utf-8"), Loader=yaml.SafeLoader), keys)
    return ConfigurationError(f"{path}:{line}: {'.'.join(map(str, keys))}: {message}")


def _describe(path: Path, root: yaml.Node | None, problem: Any) -> str:
    keys = [str(part) for part in problem["loc"]]
    line = _line(root, problem["loc"])
    found = "" if problem["type"] in ("missing", "extra_forbidden") else f" (got {_told(problem['input'])})"
    return f"{path}:{line}: {'.'.join(keys) or 'file'}: {problem['msg']}{found}"


def _line(root: yaml.Node | None, keys: Sequence[str | int]) -> int:
    """The line, from 1, of the last of the keys that is there."""
    line = 1
    node: Any = root
    for part in keys:
        if isinstance(node, yaml.MappingNode):
            pair = next(((k, v) for k, v in node.value if k.value == str(part)), None)
            if pair is None:
                node = None
                continue
            line, node = pair[0].start_mark.line + 1, pair[1]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int) and part < len(node.value):
            node = node.value[part]
            line = node.start_mark.line + 1
    return line


def _weight(node: yaml.Node | None, known: dict[int, int]) -> int:
    """Characters and nodes of a tree whose aliases are written out."""
    if node is None:
        return 0
    if isinstance(node, yaml.ScalarNode):
        return 1 + len(node.value)
    if id(node) not in known:
        children = (
            node.value if isinstance(node, yaml.SequenceNode) else [n for pair in node.value for n in pair]
        )
        known[id(node)] = 1 + sum(_weight(child, known) for child in children)
    return known[id(node)]


def _refuse_twice(path: Path, node: yaml.Node | None) -> None:
    """YAML lets a second key replace the first in silence; here it is a mistake."""
    if isinstance(node, yaml.MappingNode):
        seen: dict[str, int] = {}
        for key, value in node.value:
            line = key.start_mark.line + 1
            if not isinstance(key, yaml.ScalarNode):
                raise ConfigurationError(f"{path}:{line}: file: got a list or mapping as a key, want a text")
            if key.value in seen:
                raise ConfigurationError(
                    f"{path}:{line}: {key.value}: stands in line {seen[key.value]} already"
                )
            seen[key.value] = line
            _refuse_twice(path, value)
    elif isinstance(node, yaml.SequenceNode):
        for child in node.value:
            _refuse_twice(path, child)
