"""Does the demo keep to its folder, show how far it is, and end cleanly however it is told to?"""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import click
import pytest
import typer

from services.common.cli import application
from services.common.settings import ServiceSettings
from services.feature.settings import FeatureSettings
from services.layout.settings import LayoutSettings
from services.local import demo
from services.local.state import State
from services.policy.settings import PolicySettings
from services.scoring.settings import ScoringSettings
from storefront.settings import StorefrontSettings
from tests.local.conftest import ROOT, interrupt, read_until, wait_for


@pytest.mark.parametrize(
    "kind", [FeatureSettings, ScoringSettings, PolicySettings, LayoutSettings, StorefrontSettings]
)
def test_every_setting_that_names_a_file_of_the_shop_follows_the_state(kind: type[ServiceSettings]):
    prefix = kind.model_config["env_prefix"]
    wanted = {
        f"{prefix}{name.upper()}": f"elsewhere/{field.default.relative_to('var')}"
        for name, field in kind.model_fields.items()
        if isinstance(field.default, Path) and field.default.parts[0] == "var"
    }
    assert wanted
    variables = State(Path("elsewhere")).variables
    assert {name: variables.get(name) for name in wanted} == wanted


def test_every_command_of_the_demo_gets_the_files_that_it_would_look_for_in_var():
    state = State(Path("elsewhere"))
    commands = [command for step in demo.learning(state) for command in step.commands]
    commands += demo.living(state).commands
    assert len(commands) > 6
    for command in commands:
        verb, arguments = typer.main.get_command(application()), list(command.arguments)
        while isinstance(verb, click.Group):
            verb = verb.commands[arguments.pop(0)]
        for option in verb.params:
            is_ours = str(option.default).startswith("var/") and not (
                option.name == "out" and verb.name == "simulate"  # of --vectorised alone
            )
            if is_ours:
                value = arguments[arguments.index(option.opts[0]) + 1]
                assert value == str(option.default).replace("var", "elsewhere", 1), command


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_signal_during_a_step_is_a_quiet_end(tmp_path, number):
    process = subprocess.Popen(
        [sys.executable, "-m", "services.common.cli", "demo", "--once", "--state", "elsewhere"],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": f"{ROOT}{os.pathsep}{ROOT / 'protos'}"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    read_until(process, "1 of 8")
    time.sleep(0.5)
    interrupt(process, number)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 128 + number
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == [tmp_path / "elsewhere"]


def test_ctrl_c_closes_the_open_shop(toys):
    shop = toys("first", "second", "store")
    process = shop.command("demo", "--state", "var")
    read_until(process, "Ctrl-C closes it")
    assert shop.alive() == {"first", "second", "store"}
    interrupt(process)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 0, output
    assert shop.alive() == set()


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_second_signal_does_not_leave_anything_running(toys, number):
    shop = toys("first", "deaf", "store")
    process = shop.command("demo", "--state", "var")
    read_until(process, "Ctrl-C closes it")
    interrupt(process)
    for _ in range(5):
        time.sleep(0.15)
        interrupt(process, number)
    output, _ = process.communicate(timeout=30)
    assert "Traceback" not in output
    assert shop.alive() == set()
    assert not list(shop.run.glob("*.pid"))


def test_a_demo_ends_with_an_error_code_where_it_is_interrupted_while_starting(toys):
    shop = toys("first", "second", "deaf", "store")
    process = shop.command("demo", "--state", "var")
    wait_for(lambda: bool(shop.alive()))
    interrupt(process)
    output, _ = process.communicate(timeout=30)
    assert process.returncode == 130
    assert "Traceback" not in output
    assert shop.alive() == set()


def test_a_demo_leaves_the_services_that_ran_before(toys):
    shop = toys("first", "second", "store")
    assert shop.done("up")[0] == 0
    code, output = shop.done("demo", "--once", "--state", "var")
    assert code == 0, output
    assert shop.alive() == {"first", "second"}
    assert "first, second ran before, and still run" in output
    assert shop.done("down")[0] == 0


def test_a_demo_ends_when_its_services_are_stopped(toys):
    shop = toys("first", "second", "store")
    process = shop.command("demo", "--state", "var")
    read_until(process, "Ctrl-C closes it")
    assert shop.done("down")[0] == 0
    output, _ = process.communicate(timeout=10)
    assert process.returncode == 0
    assert "The services were stopped" in output


def test_a_demo_of_one_page_does_not_promise_an_open_shop(toys):
    shop = toys("first", "second", "store")
    code, output = shop.done("demo", "--once", "--state", "var")
    assert code == 0
    assert "Ctrl-C" not in output and "The shop is closed again" in output
    assert shop.alive() == set()


def test_an_interrupt_of_make_alone_closes_the_shop(toys):
    shop = toys("first", "second", "store")
    (shop.folder / "Makefile").write_text(f"demo:\n\t@{sys.executable} driver.py demo --state var\n")
    process = subprocess.Popen(
        ["make", "demo"],
        cwd=shop.folder,
        env=shop.environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        start_new_session=True,
    )
    read_until(process, "Ctrl-C closes it")
    process.send_signal(signal.SIGINT)
    output, _ = process.communicate(timeout=20)
    assert shop.alive() == set(), output
