"""Would the images build, and does each hold only what its service needs?

No container engine is needed: every COPY must exist, the linter must be content, and the light images are
made of their pip line and their folders; of the heavy ones pip resolves the line without installing it.
"""

from __future__ import annotations

import os
import re
import shlex
import shutil
import socket
import subprocess
import sys
import time
import venv
from pathlib import Path

import pytest
import yaml

from services.common import probe

ROOT = Path(__file__).parents[2]
SERVICES = ("feature", "scoring", "policy", "layout")
BIN = Path(sys.executable).parent


def lines(service):
    text = (ROOT / f"docker/{service}.Dockerfile").read_text()
    return [line.split(maxsplit=1) for line in text.replace("\\\n", " ").splitlines() if line.strip()]


def copied(service):
    return [argument.split()[0] for instruction, argument in lines(service) if instruction == "COPY"]


def pip_arguments(service):
    (line,) = [argument for instruction, argument in lines(service) if argument.startswith("pip install")]
    return shlex.split(line)[2:]


@pytest.mark.parametrize("service", SERVICES)
def test_everything_that_an_image_copies_exists(service):
    assert [path for path in copied(service) if not (ROOT / path).exists()] == []


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_holds_contracts_plumbing_and_its_own_folder(service):
    folders = {path for path in copied(service) if (ROOT / path).is_dir()}
    assert folders == {"protos", "services/common", f"services/{service}"}


@pytest.mark.parametrize("service", SERVICES)
def test_an_image_listens_where_the_readme_says(service):
    port = dict(zip(SERVICES, (7071, 7072, 7073, 7070), strict=True))[service]
    text = (ROOT / f"docker/{service}.Dockerfile").read_text()
    assert f"LISTEN=0.0.0.0:{port}" in text
    assert re.search(rf"^EXPOSE {port}\b", text, re.MULTILINE)


@pytest.mark.parametrize("service", SERVICES)
def test_the_linter_is_content(service):
    command = [str(BIN / "hadolint"), "--failure-threshold", "warning", f"docker/{service}.Dockerfile"]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60)
    assert result.returncode == 0, result.stdout


def test_compose_runs_all_four_and_sets_nothing_unknown():
    import importlib

    document = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())
    assert set(SERVICES) | {"redis", "fill"} == set(document["services"])
    for name in SERVICES:
        entry = document["services"][name]
        assert (ROOT / "docker" / entry["build"]["context"] / entry["build"]["dockerfile"]).is_file()
        settings = importlib.import_module(f"services.{name}.__main__").SERVICE.settings
        prefix = settings.model_config["env_prefix"]
        known = {f"{prefix}{field}".upper() for field in settings.model_fields}
        assert set(entry["environment"]) <= known


def test_every_file_that_compose_needs_exists_or_has_an_example():
    from services.common import callers

    folder = ROOT / "docker"
    document = yaml.safe_load((folder / "compose.yaml").read_text())
    mounted = {
        volume.split(":")[0] for entry in document["services"].values() for volume in entry.get("volumes", ())
    }
    assert {path for path in mounted if path.startswith(".")} == {"../var", "./tokens.yaml"}
    assert not callers.load(folder / "tokens.example.yaml").is_open
    named = set(re.findall(r"\$\{(\w+)", (folder / "compose.yaml").read_text()))
    examples = re.findall(r"^(\w+)=", (folder / ".env.example").read_text(), re.MULTILINE)
    assert named == set(examples)


def test_redis_is_filled_before_the_feature_service_starts():
    services = yaml.safe_load((ROOT / "docker/compose.yaml").read_text())["services"]
    assert services["feature"]["depends_on"]["fill"] == {"condition": "service_completed_successfully"}
    name = "PLANOGRAM_FEATURE_REDIS_URL"
    assert services["fill"]["environment"][name] == services["feature"]["environment"][name]
    assert all(services[each]["user"] == "${UID:-1000}:${GID:-1000}" for each in (*SERVICES, "fill"))


def test_what_is_secret_or_large_stays_out_of_the_images():
    ignored = (ROOT / ".dockerignore").read_text().split()
    assert {".git", ".venv", "var", "docker/.env", "docker/tokens.yaml"} <= set(ignored)


@pytest.fixture(scope="session")
def clean_environment(tmp_path_factory):
    """An environment with nothing but pip."""
    folder = tmp_path_factory.mktemp("clean")
    venv.create(folder, with_pip=True)
    return folder / "bin" / "python"


@pytest.mark.parametrize("service", ["feature", "scoring"])
def test_the_pip_line_of_an_image_can_be_installed(clean_environment, service):
    command = [clean_environment, "-m", "pip", "install", "--dry-run", "--quiet", *pip_arguments(service)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.fixture
def own_environment(tmp_path):
    """An environment of this test's own; the value is its interpreter."""
    venv.create(tmp_path / "own", with_pip=True)
    return str(tmp_path / "own" / "bin" / "python")


@pytest.mark.slow
@pytest.mark.parametrize("service", ["layout", "policy"])
def test_an_image_serves_with_what_it_installs_and_copies(own_environment, tmp_path, service):
    install(own_environment, *pip_arguments(service))
    names = installed(own_environment)
    assert not names & (HEAVY - {"onnxruntime"})
    assert ("onnxruntime" in names) == (service == "policy")
    image = tmp_path / "image"
    for path in copied(service):
        if (ROOT / path).is_dir():  # with what numba compiled of it, which takes a minute
            shutil.copytree(ROOT / path, image / path, ignore=shutil.ignore_patterns("*.pyc"))
    serves(own_environment, service, tmp_path, {"PYTHONPATH": f"{image}{os.pathsep}{image / 'protos'}"})


@pytest.mark.slow
def test_the_package_with_the_layout_extra_alone_serves_pages(own_environment, tmp_path):
    """`pip install '.[layout]'` brings no heavy package, and all files that the service reads."""
    source = tmp_path / "source"
    for name in ("protos", "services", "simulator", "storefront"):
        shutil.copytree(ROOT / name, source / name, ignore=shutil.ignore_patterns("__pycache__"))
    for name in ("pyproject.toml", "README.md", "LICENSE"):
        shutil.copy(ROOT / name, source)
    install(own_environment, f"{source}[layout]")
    names = installed(own_environment)
    assert {"planogram", "grpcio", "pyarrow"} <= names
    assert not names & HEAVY
    serves(own_environment, "layout", tmp_path, {})


HEAVY = {"torch", "feast", "onnxruntime", "onnxruntime-gpu", "duckdb", "pandas"}


def install(python, *arguments):
    command = [python, "-m", "pip", "install", "--quiet", "--disable-pip-version-check", *arguments]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


def installed(python):
    command = [python, "-m", "pip", "list", "--format", "freeze", "--disable-pip-version-check"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True)
    return {line.partition("==")[0].partition(" @ ")[0].lower() for line in listed.stdout.splitlines()}


def serves(python, service, folder, environment):
    """Asserts that a service starts in an empty folder with these variables and no others, and stops."""
    with socket.socket() as listener:
        listener.bind(("127.0.0.1", 0))
        address = f"127.0.0.1:{listener.getsockname()[1]}"
    empty = folder / "empty"
    empty.mkdir()
    variables = {"PATH": os.environ["PATH"], f"PLANOGRAM_{service.upper()}_LISTEN": address, **environment}
    process = subprocess.Popen([python, "-m", f"services.{service}"], cwd=empty, env=variables)
    try:
        end_s = time.monotonic() + 240  # a first start compiles
        while probe.status(address) != "SERVING":
            assert process.poll() is None and time.monotonic() < end_s
            time.sleep(0.1)
    finally:
        process.terminate()
        assert process.wait(20) == 0
