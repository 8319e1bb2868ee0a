"""Does the tree keep the rules that make the services deployable apart?"""

from __future__ import annotations

import ast
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SERVICES = ("feature", "scoring", "policy", "layout")
FEATURE_FOLDERS = (
    *("storage", "indexes", "shoppers", "reviews", "items", "pages"),
    *("pipeline", "importing", "offers"),
)
"""In the order of services/feature/README.md: each may import itself and those before it."""
FIXED = (
    "protos",
    "services/feature",
    "services/scoring",
    "services/policy",
    "services/layout",
    "tests",
    "docker",
)


def modules(folder):
    return sorted(path for path in (ROOT / folder).rglob("*.py") if "/v1/" not in str(path))


def imports(path):
    """Every module that a file imports, inside functions as well."""
    for node in ast.walk(ast.parse(path.read_text())):
        if isinstance(node, ast.Import):
            yield from (name.name for name in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module:
            yield node.module
            yield from (f"{node.module}.{name.name}" for name in node.names)


def ours(name):
    return name.split(".")[0] in ("services", "simulator", "storefront", "planogram")


def strays(folder, allowed):
    return sorted(
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(folder)
        for name in imports(path)
        if ours(name)
        and name != "services"
        and not any(f"{name}.".startswith(f"{prefix}.") for prefix in allowed)
    )


@pytest.mark.parametrize("service", SERVICES)
def test_a_service_imports_itself_the_plumbing_and_the_contracts(service):
    assert strays(f"services/{service}", (f"services.{service}", "services.common", "planogram")) == []


def test_the_plumbing_imports_no_service():
    assert strays("services/common", ("services.common", "planogram.common")) == []


def test_contracts_and_client_import_nothing_of_the_services():
    assert strays("protos", ("planogram",)) == []


@pytest.mark.parametrize("client", ["simulator", "storefront"])
def test_clients_know_the_public_contract_alone(client):
    found = [
        line
        for line in strays(client, (client, "planogram"))
        if not (line.startswith(f"{client}/commands.py") and "services.local" in line)
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_serving_never_imports_training_or_evaluation(service):
    found = [
        f"{path.relative_to(ROOT)} imports {name}"
        for path in modules(f"services/{service}")
        if not {"training", "evaluation"} & set(path.parts) and path.name != "commands.py"
        for name in imports(path)
        if ".training" in name or ".evaluation" in name
    ]
    assert found == []


def test_feast_is_imported_by_the_store_and_the_repository_alone():
    users = {
        str(path.relative_to(ROOT))
        for folder in ("services", "simulator", "storefront", "protos")
        for path in modules(folder)
        if any(name.split(".")[0] == "feast" for name in imports(path))
    }
    store, repository = "services/feature/storage/store.py", "services/feature/storage/repo/"
    assert store in users
    assert all(user == store or user.startswith(repository) for user in users)


def test_folders_of_feature_import_those_before_them_alone():
    """All may count into the service's metrics, and `commands.py` read its settings."""
    found = []
    for place, folder in enumerate(FEATURE_FOLDERS):
        before = tuple(f"services.feature.{each}." for each in (*FEATURE_FOLDERS[: place + 1], "metrics"))
        found += [
            f"{path.relative_to(ROOT)} imports {name}"
            for path in modules(f"services/feature/{folder}")
            for name in imports(path)
            if name.startswith("services.feature.")
            and not f"{name}.".startswith(before)
            and not (path.name == "commands.py" and name.startswith("services.feature.settings"))
        ]
    assert found == []
    folders = {path.name for path in (ROOT / "services/feature").iterdir() if list(path.rglob("*.py"))}
    assert folders == set(FEATURE_FOLDERS)
    readme = (ROOT / "services/feature/README.md").read_text()
    assert tuple(re.findall(r"^\| \[?`(\w+)/`", readme, re.MULTILINE)) == FEATURE_FOLDERS


def test_compiled_functions_name_what_is_of_their_own_folder_alone():
    """What is kept of them is renewed when a source of that folder changes, and of no other."""
    strays = []
    for path in modules("services"):
        own, tree = ".".join(path.relative_to(ROOT).parent.parts), ast.parse(path.read_text())
        foreign = {
            alias.asname or alias.name
            for node in tree.body
            if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("services.")
            for alias in node.names
            if own not in (node.module, (node.module or "").rpartition(".")[0])
        }
        strays += [
            f"{path}: {function.name}: {name.id}"
            for function in tree.body
            if isinstance(function, ast.FunctionDef)
            and any(isinstance(mark, ast.Name) and mark.id == "compiled" for mark in function.decorator_list)
            for statement in function.body
            for name in ast.walk(statement)
            if isinstance(name, ast.Name) and name.id in foreign
        ]
    assert strays == []


def test_torch_is_imported_by_training_evaluation_and_benchmarks_alone():
    users = [
        str(path.relative_to(ROOT))
        for folder in ("services", "simulator", "storefront", "protos")
        for path in modules(folder)
        if any(name.split(".")[0] == "torch" for name in imports(path))
        and not ({"training", "evaluation", "bench"} & set(path.parts) or path.name.startswith("training_"))
    ]
    assert users == []


@pytest.mark.parametrize("service", SERVICES)
def test_cores_import_no_grpc(service):
    """`upstreams.py`, `breaker.py` and `relay.py` are layout's seam: they tell failures of calls apart by code."""
    edges = {"__main__.py", "servicer.py", "upstreams.py", "breaker.py", "relay.py", "commands.py"}
    found = [
        str(path.relative_to(ROOT))
        for path in modules(f"services/{service}")
        if path.name not in edges and any(name.split(".")[0] == "grpc" for name in imports(path))
    ]
    assert found == []


@pytest.mark.parametrize("service", SERVICES)
def test_who_knows_one_service_knows_four(service):
    names = {path.name for path in (ROOT / "services" / service).iterdir()}
    assert {"__main__.py", "settings.py", "servicer.py", "requirements.txt", "README.md"} <= names


@pytest.mark.parametrize("service", SERVICES)
def test_only_settings_read_the_environment(service):
    """`repo/loading.py` mends what importing feast leaves in it."""
    found = [
        str(path.relative_to(ROOT))
        for path in modules(f"services/{service}")
        if path.name not in ("settings.py", "loading.py")
        and re.search(r"os\.(environ|getenv)", path.read_text())
    ]
    assert found == []


def test_the_fixed_folders_are_there_and_services_is_no_package():
    assert [folder for folder in FIXED if not (ROOT / folder).is_dir()] == []
    assert not list((ROOT / "services").rglob("__init__.py"))


def test_every_module_says_what_it_answers():
    silent = [
        str(path.relative_to(ROOT))
        for folder in ("services", "simulator", "storefront", "protos")
        for path in modules(folder)
        if not ast.get_docstring(ast.parse(path.read_text()))
    ]
    assert silent == []


def test_no_module_is_a_drawer():
    drawers = {"utils.py", "helpers.py", "util.py", "misc.py", "manager.py"}
    assert [str(path) for path in modules("services") if path.name in drawers] == []
