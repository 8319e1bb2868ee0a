"""Is what plans a page compiled before a shopper waits for it, and is what was compiled never out of date?"""

from __future__ import annotations

import ast
from pathlib import Path

import numpy as np
import pytest

from services.common.compiled import compiled
from services.policy import exploration, planner, recount, registry, search, servicer, wire
from services.policy.completion import Completion
from services.policy.exploration import Exploration, Mode
from services.policy.programme import Cascade
from services.policy.registry import Policy

FOLDER = Path(registry.__file__).parent


def compiled_of(path):
    functions = [node for node in ast.parse(path.read_text()).body if isinstance(node, ast.FunctionDef)]
    return [
        node
        for node in functions
        if any(isinstance(mark, ast.Name) and mark.id == "compiled" for mark in node.decorator_list)
    ]


def signature_counts():
    modules = (exploration, planner, recount, search, wire)
    found = [entry for module in modules for entry in vars(module).values() if hasattr(entry, "signatures")]
    return {entry.__name__: len(entry.signatures) for entry in found}


def cascade_values(facts):
    random = np.random.default_rng(1)
    cascade = Cascade.of(*random.uniform(0.1, 0.9, (4, 1, facts.shape.action_count)))
    return Completion(facts.shape, cascade).values


@pytest.mark.parametrize("mode", Mode)
def test_a_warm_policy_compiles_nothing_more(build, mode):
    policy = Policy("cascade", cascade_values)
    registry._warm_up(policy)
    before = signature_counts()
    assert before["climbed"] == before["gone_on"] == before["choice_values"] == before["_drawn"] == 1, before
    two = [("grid", 2, 2), ("list", 1, 1)]
    for module_count in (3, 40):
        modules = [build.module(f"m{index}", [index + 1, index + 2, 0], two) for index in range(module_count)]
        modules.append(build.module("filler", [0, 1, 2], is_filler=True))
        slots = [
            build.slot("a"),
            build.slot("b", ["m0", "m1", "filler"]),
            build.slot("c"),
            build.slot("d", pin="m2"),
        ]
        request = build(modules, slots, 50, groups=[0] * 50, limits={0: 4})
        for request.seed in range(10):
            servicer.answer(request, policy, Exploration(mode, 0.2, 1.0))
    assert signature_counts() == before


def test_what_can_be_kept_nowhere_is_compiled_for_the_process():
    space = {}
    exec("def double(number):\n    return 2 * number", space)  # has no file to keep it beside
    assert compiled(space["double"])(21) == 42


def test_compiled_functions_call_none_of_another_file():
    """What is kept on disk is renewed with the function's own file alone."""
    names = {path: {node.name for node in compiled_of(path)} for path in FOLDER.glob("*.py")}
    assert sum(map(len, names.values())) > 10
    for path in names:
        foreign = set().union(*(found for other, found in names.items() if other != path))
        for node in compiled_of(path):
            used = {leaf.id for leaf in ast.walk(node) if isinstance(leaf, ast.Name)}
            assert not used & (foreign - names[path]), (path.name, node.name)
