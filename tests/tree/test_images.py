"""Would the images build, and does each hold only what its service needs?

No container engine is needed: every COPY must exist, the linter must be content, and each image's pip
line is run in a clean environment.
"""

from __future__ import annotations

import os
import re
import shlex
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


@pytest.mark.parametrize("service", ["feature", "scoring", "policy"])
def test_the_pip_line_of_an_image_can_be_installed(clean_environment, service):
    command = [clean_environment, "-m", "pip", "install", "--dry-run", "--quiet", *pip_arguments(service)]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr


@pytest.mark.slow
def test_layout_alone_installs_light_and_starts(clean_environment, tmp_path):
    python = str(clean_environment)
    result = subprocess.run(
        [python, "-m", "pip", "install", "--quiet", *pip_arguments("layout")],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=300,
    )
    assert result.returncode == 0, result.stderr
    listed = subprocess.run(
        [python, "-m", "pip", "list", "--format", "freeze"], capture_output=True, text=True
    )
    names = {line.partition("==")[0].lower() for line in listed.stdout.splitlines()}
    assert "grpcio" in names
    assert not names & {"torch", "feast", "onnxruntime", "onnxruntime-gpu", "duckdb", "pandas"}
    environment = {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}",
        "PLANOGRAM_LAYOUT_LISTEN": "127.0.0.1:17070",
    }
    process = subprocess.Popen([python, "-m", "services.layout"], cwd=tmp_path, env=environment)
    try:
        end_s = time.monotonic() + 30
        while probe.status("127.0.0.1:17070") != "SERVING":
            assert process.poll() is None and time.monotonic() < end_s
            time.sleep(0.1)
    finally:
        process.terminate()
        assert process.wait(20) == 0


@pytest.mark.slow
def test_the_package_installs_with_the_layout_extra_alone(clean_environment):
    """`pip install '.[layout]'` resolves to what the image has, and brings no heavy package."""
    command = [
        str(clean_environment),
        "-m",
        "pip",
        "install",
        "--dry-run",
        "--report",
        "-",
        "--quiet",
        ".[layout]",
    ]
    result = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=300)
    assert result.returncode == 0, result.stderr
    assert not re.search(r'"name": "(torch|feast|onnxruntime|onnxruntime-gpu)"', result.stdout)
