"""Is what plans a page compiled before a shopper waits for it, and is what was compiled never out of date?"""

from __future__ import annotations

import ast
import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from services.common.compiled import compiled
from services.policy import exploration, filling, recount, registry, search, servicer, space, wire
from services.policy.completion import Completion
from services.policy.exploration import Exploration, Mode
from services.policy.programme import Cascade
from services.policy.registry import Policy

FOLDER = Path(registry.__file__).parent


INNER = """
from services.common.compiled import compiled


@compiled
def times(number):
    return {factor} * number
"""
OUTER = """
from services.common.compiled import compiled
from twice import times


@compiled
def asked(number):
    return times(number)


print(asked(7), len(asked.stats.cache_hits))
"""


def compiled_of(path):
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [
        node
        for node in functions
        if any(isinstance(mark, ast.Name) and mark.id == "compiled" for mark in node.decorator_list)
    ]


def signature_counts():
    modules = (exploration, filling, recount, search, space, wire)
    found = [entry for module in modules for entry in vars(module).values() if hasattr(entry, "signatures")]
    return {entry.__name__: len(entry.signatures) for entry in found}


def cascade_values(facts):
    random = np.random.default_rng(1)
    cascade = Cascade.of(*random.uniform(0.1, 0.9, (4, 1, facts.shape.action_count)))
    return Completion(facts.shape, cascade)


@pytest.mark.parametrize("mode", Mode)
def test_a_warm_policy_compiles_nothing_more(build, mode):
    policy = Policy("cascade", cascade_values)
    registry._warm_up(policy)
    before = signature_counts()
    assert all(before[name] for name in ("filled", "_read", "_written")), before
    two = [("grid", 2, 2), ("list", 1, 1)]
    for module_count in (3, 40):
        modules = [build.module(f"m{index}", [index + 1, index + 2, 0], two) for index in range(module_count)]
        modules.append(build.module("filler", [0, 1, 2], is_filler=True))
        modules.append(build.module("spare", [9], [("grid", 0, 1)]))
        slots = [
            build.slot("a"),
            build.slot("b", ["m0", "m1", "filler"]),
            build.slot("c"),
            build.slot("d", pin="m2"),
        ]
        for last in ([], ["spare"]):  # which is kept for it
            request = build(modules, [*slots, build.slot("e", last)], 50, groups=[0] * 50, limits={0: 4})
            for request.seed in range(10):
                servicer.answer(request, policy, Exploration(mode, 0.2, 1.0))
    assert signature_counts() == before


def test_what_can_be_kept_nowhere_is_compiled_for_the_process():
    space = {}
    exec("def double(number):\n    return 2 * number", space)  # has no file to keep it beside
    assert compiled(space["double"])(21) == 42


def test_what_is_kept_is_renewed_when_another_source_of_the_folder_changes(tmp_path):
    (tmp_path / "twice.py").write_text(INNER.format(factor=2))
    (tmp_path / "user.py").write_text(OUTER)
    command = [sys.executable, "user.py"]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([str(tmp_path), *sys.path])}

    def asked():
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, check=True
        ).stdout.split()

    assert asked() == ["14", "0"]  # nothing was kept
    assert asked() == ["14", "1"]
    (tmp_path / "twice.py").write_text(INNER.format(factor=30))
    assert asked() == ["210", "0"]


def test_compiled_functions_call_none_of_another_folder():
    """What is kept on disk is renewed with the sources of the function's own folder alone."""
    found = 0
    for path in sorted(FOLDER.parents[1].glob("services/*/*.py")):
        tree, functions = ast.parse(path.read_text()), compiled_of(path)
        foreign = {
            name.asname or name.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom)
            and node.module.startswith("services.")
            and node.module.split(".")[1] != path.parent.name
            for name in node.names
        }
        found += len(functions)
        for node in functions:
            used = {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
            decorators = {mark.id for mark in node.decorator_list if isinstance(mark, ast.Name)}
            assert not used & foreign - decorators, (path.name, node.name)
    assert found > 30
