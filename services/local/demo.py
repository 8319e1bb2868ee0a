"""How does a shop come to life on one machine, from no data at all to pages that were learned?"""

from __future__ import annotations

import contextlib
import json
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from rich.console import Console
from rich.table import Table

from services.common.errors import ConfigurationError
from services.local.signals import raise_if_make_was_interrupted, undisturbed
from services.local.state import State
from services.local.supervisor import PROGRAMS, STOP_TIMEOUT_S, STOREFRONT, Supervisor, clean_environment

DAY_ZERO_PAGE_VIEWS = 20_000
LIVE_PAGE_VIEWS = 300
SHARDS = 2
"""Day-zero traffic runs in so many processes, each with shoppers of its own."""
SHOP = (*PROGRAMS, STOREFRONT)
POLL_S = 0.5


@dataclass(frozen=True, slots=True)
class Command:
    """One `planogram` command."""

    arguments: tuple[str, ...]
    has_own_features: bool = False
    """Works on a copy of the features: profiles in SQLite have one writer."""

    def __str__(self) -> str:
        return f"planogram {' '.join(self.arguments)}"


@dataclass(frozen=True, slots=True)
class Step:
    """One stage: commands that run at once, and what to tell of them."""

    name: str
    about: str
    commands: tuple[Command, ...]
    """The first has the terminal; the output of the others is shown when they end."""


def learning(state: State) -> tuple[Step, ...]:
    """The stages from nothing to published models."""
    catalogue, segments, log = str(state.catalogue), str(state.segments), str(state.log)
    return (
        Step("catalogue", "a shop with 10,000 items", (Command(("make-catalogue", "--out", catalogue)),)),
        Step("features", "what is known of items before anybody came", (Command(("build-features",)),)),
        Step(
            "day-zero",
            f"{DAY_ZERO_PAGE_VIEWS:,} page views through the composer: uniform policy, popularity scores",
            tuple(
                Command(
                    (
                        *("simulate", "--in-process", "--page-views", str(DAY_ZERO_PAGE_VIEWS)),
                        *("--concurrency", "8", "--shard", f"{shard}/{SHARDS}", "--catalogue", catalogue),
                    ),
                    has_own_features=shard > 0,
                )
                for shard in range(SHARDS)
            ),
        ),
        Step(
            "log",
            "exposures and events as Parquet",
            (Command(("export-log", "--segments", segments, "--out", log)),),
        ),
        Step("profiles", "what the log tells of items and shoppers", (Command(("build-features",)),)),
        Step(
            "models",
            "the click model and the Q-network, from those exposures",
            (
                Command(("train", "click", "--log", log, "--models", str(state.click_models))),
                Command(("train", "policy", "--log", log, "--models", str(state.policy_models))),
            ),
        ),
    )


def living(state: State) -> Step:
    """Shoppers for the running services."""
    traffic = ("--page-views", str(LIVE_PAGE_VIEWS), "--days", "0", "--concurrency", "4")
    return Step(
        "live",
        f"{LIVE_PAGE_VIEWS} page views over gRPC, decided by what was learned",
        (Command(("simulate", *traffic, "--catalogue", str(state.catalogue))),),
    )


class Demo:
    """Runs the steps that were not done before, then serves."""

    def __init__(self, root: Path, console: Console) -> None:
        self._state = State(root)
        self._journal = root / "demo.json"
        self._console = console
        self._steps = learning(self._state)
        self._seconds: dict[str, float] = {}
        self._done: list[str] = json.loads(self._journal.read_text()) if self._journal.exists() else []
        self.supervisor = Supervisor(self._state.run)

    def learn(self) -> None:
        """From nothing to published models; what is done already is passed over."""
        for number, step in enumerate(self._steps, 1):
            if step.name in self._done:
                continue
            self._headline(number, f"{step.name}: {step.about}")
            self._run(step)
            self._done.append(step.name)
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            self._journal.write_text(json.dumps(self._done))

    def serve(self) -> None:
        """Starts the four services and the storefront, each a process of its own."""
        self._headline(len(self._steps) + 1, "services: four processes and the storefront")
        begun = time.monotonic()
        with self._console.status("starting"):
            self.supervisor.start(SHOP, self._state.variables)
            self.supervisor.wait_ready(SHOP, tick=raise_if_make_was_interrupted)
        self._seconds["services"] = time.monotonic() - begun
        for program in SHOP:
            self._console.print(
                f"  {program.name:<11} {program.address}   log {self.supervisor.log_path(program)}"
            )

    def live(self) -> None:
        """Sends shoppers to the running services."""
        step = living(self._state)
        self._headline(len(self._steps) + 2, f"{step.name}: {step.about}")
        self._run(step)

    def show(self) -> None:
        """Prints one page, and what took how long."""
        command = Command(("compose", "--user", "shopper-00042", "--catalogue", str(self._state.catalogue)))
        self._run(Step("page", "", (command,)))
        if self._seconds:
            table = Table("step", "seconds", title="Time taken", title_justify="left")
            for name, seconds in self._seconds.items():
                table.add_row(name, f"{seconds:.1f}")
            table.add_row("together", f"{sum(self._seconds.values()):.1f}")
            self._console.print(table)

    def stay_open(self) -> None:
        """Returns when the shop is closed: by a signal, or by somebody who stopped all its processes."""
        try:
            self._console.print(
                f"\nThe shop is open: [bold]http://{STOREFRONT.address}[/bold]    Ctrl-C closes it.",
                highlight=False,
            )
            while any(self.supervisor.pid(program) is not None for program in SHOP):
                raise_if_make_was_interrupted()
                time.sleep(POLL_S)
        except KeyboardInterrupt:
            self._console.print()
        else:
            self._console.print("The services were stopped; the shop is closed.")

    def stop(self) -> None:
        """Ends every process that this run started; those that ran before go on."""
        with self._console.status("closing"):
            self.supervisor.stop_own()
        still = [program.name for program in SHOP if self.supervisor.pid(program) is not None]
        if still:
            self._console.print(f"{', '.join(still)} ran before, and still run; `planogram down` stops them.")

    def _headline(self, number: int, text: str) -> None:
        self._console.rule(f"[bold]{number} of {len(self._steps) + 2}[/bold]  {text}", align="left")

    def _run(self, step: Step) -> None:
        """Runs a step's commands at once; the first has the terminal.

        Raises:
            ConfigurationError: where a command failed.
        """
        begun = time.monotonic()
        self._state.run.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            running: list[tuple[Command, subprocess.Popen[bytes], Path | None]] = []
            for number, command in enumerate(step.commands):
                path = self._state.run / f"{step.name}-{number}.log" if number else None
                log = stack.enter_context(path.open("wb")) if path else None
                environment = self._environment(number if command.has_own_features else None)
                running.append((command, stack.enter_context(self._running(command, environment, log)), path))
            for command, process, output in running:
                if output is None:
                    code = _wait(process)
                else:
                    with self._console.status(str(command)):
                        code = _wait(process)
                    self._console.print(output.read_text().rstrip(), markup=False, highlight=False)
                if code != 0:
                    raise ConfigurationError(f"`{command}` failed; its output is above")
        self._seconds[step.name] = time.monotonic() - begun

    def _environment(self, copy: int | None) -> dict[str, str]:
        """Settings of a command; with the number of a copy, those that give it features of its own."""
        variables = clean_environment() | self._state.variables
        if copy is not None:
            folder = self._state.root / "day-zero" / f"feature-{copy}"
            shutil.rmtree(folder, ignore_errors=True)
            shutil.copytree(self._state.feature, folder)
            variables["PLANOGRAM_FEATURE_STATE_PATH"] = str(folder)
        return variables

    @contextlib.contextmanager
    def _running(
        self, command: Command, environment: Mapping[str, str], log: IO[bytes] | None
    ) -> Iterator[subprocess.Popen[bytes]]:
        """A command as a process, which does not outlive the block; the terminal's Ctrl-C is not for it."""
        process = None
        try:
            with undisturbed(is_late=True):
                process = subprocess.Popen(  # noqa: S603 - our own module
                    [sys.executable, "-m", "services.common.cli", *command.arguments],
                    env=environment,
                    stdout=log,
                    stderr=log,
                    stdin=subprocess.DEVNULL,
                    start_new_session=True,
                )
            yield process
        finally:
            if process is not None and process.poll() is None:
                with undisturbed():
                    _end(process)
                self._console.show_cursor()  # a progress bar that was cut off had hidden it


def _wait(process: subprocess.Popen[bytes]) -> int:
    """The exit code of a process, once it has ended."""
    while True:
        try:
            return process.wait(POLL_S)
        except subprocess.TimeoutExpired:
            raise_if_make_was_interrupted()


def _end(process: subprocess.Popen[bytes]) -> None:
    process.terminate()
    try:
        process.wait(STOP_TIMEOUT_S)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
