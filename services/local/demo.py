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
from services.local.supervisor import PROGRAMS, STOP_TIMEOUT_S, STOREFRONT, Supervisor, clean_environment

DAY_ZERO_PAGE_VIEWS = 20_000
LIVE_PAGE_VIEWS = 300
SHARDS = 2
"""Day-zero traffic runs in so many processes, each with shoppers of its own."""


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


LEARN = (
    Step("catalogue", "a shop with 10,000 items", (Command(("make-catalogue",)),)),
    Step("features", "what is known of items before anybody came", (Command(("build-features",)),)),
    Step(
        "day-zero",
        f"{DAY_ZERO_PAGE_VIEWS:,} page views through the real composer: uniform policy, popularity scores",
        tuple(
            Command(
                (
                    *("simulate", "--in-process", "--page-views", str(DAY_ZERO_PAGE_VIEWS)),
                    *("--concurrency", "8", "--shard", f"{shard}/{SHARDS}"),
                ),
                has_own_features=shard > 0,
            )
            for shard in range(SHARDS)
        ),
    ),
    Step("log", "exposures and events as Parquet", (Command(("export-log",)),)),
    Step("profiles", "what the log tells of items and shoppers", (Command(("build-features",)),)),
    Step(
        "models",
        "the click model and the Q-network, from those exposures",
        (Command(("train", "click")), Command(("train", "policy"))),
    ),
)
LIVE = Step(
    "live",
    f"{LIVE_PAGE_VIEWS} page views over gRPC, decided by what was learned",
    (Command(("simulate", "--page-views", str(LIVE_PAGE_VIEWS), "--days", "0", "--concurrency", "4")),),
)


class Demo:
    """Runs the steps that were not done before, then serves."""

    def __init__(self, state: Path, console: Console) -> None:
        self._state = state
        self._journal = state / "demo.json"
        self._logs = state / "run"
        self._console = console
        self._seconds: dict[str, float] = {}
        self._done: list[str] = json.loads(self._journal.read_text()) if self._journal.exists() else []
        self.supervisor = Supervisor(self._logs)

    def learn(self) -> None:
        """From nothing to published models; what is done already is passed over."""
        for number, step in enumerate(LEARN, 1):
            if step.name in self._done:
                continue
            self._headline(number, f"{step.name}: {step.about}")
            self._run(step)
            self._done.append(step.name)
            self._journal.parent.mkdir(parents=True, exist_ok=True)
            self._journal.write_text(json.dumps(self._done))

    def serve(self) -> None:
        """Starts the four services and the storefront, each a process of its own."""
        self._headline(len(LEARN) + 1, "services: four processes and the storefront")
        begun = time.monotonic()
        programs = (*PROGRAMS, STOREFRONT)
        with self._console.status("starting"):
            self.supervisor.start(programs)
            self.supervisor.wait_ready(programs)
        self._seconds["services"] = time.monotonic() - begun
        for program in programs:
            self._console.print(
                f"  {program.name:<11} {program.address}   log {self.supervisor.log_path(program)}"
            )

    def live(self) -> None:
        """Sends shoppers to the running services."""
        self._headline(len(LEARN) + 2, f"{LIVE.name}: {LIVE.about}")
        self._run(LIVE)

    def show(self) -> None:
        """Prints one page, what took how long, and where to look."""
        self._run(Step("page", "", (Command(("compose", "--user", "shopper-00042")),)))
        if self._seconds:
            table = Table("step", "seconds", title="Time taken", title_justify="left")
            for name, seconds in self._seconds.items():
                table.add_row(name, f"{seconds:.1f}")
            table.add_row("together", f"{sum(self._seconds.values()):.1f}")
            self._console.print(table)
        self._console.print(
            f"\nThe shop is open: [bold]http://{STOREFRONT.address}[/bold]    Ctrl-C closes it.",
            highlight=False,
        )

    def stop(self) -> None:
        """Ends every process that was started."""
        with self._console.status("closing"):
            self.supervisor.stop((STOREFRONT, *reversed(PROGRAMS)))

    def _headline(self, number: int, text: str) -> None:
        self._console.rule(f"[bold]{number} of {len(LEARN) + 2}[/bold]  {text}", align="left")

    def _run(self, step: Step) -> None:
        """Runs a step's commands at once; the first has the terminal.

        Raises:
            ConfigurationError: where a command failed.
        """
        begun = time.monotonic()
        self._logs.mkdir(parents=True, exist_ok=True)
        with contextlib.ExitStack() as stack:
            first = stack.enter_context(_running(step.commands[0], {}, None))
            running: list[tuple[Command, subprocess.Popen[bytes], Path | None]] = [
                (step.commands[0], first, None)
            ]
            for number, command in enumerate(step.commands[1:], 1):
                path = self._logs / f"{step.name}-{number}.log"
                log = stack.enter_context(path.open("wb"))
                environment = self._own_features(number) if command.has_own_features else {}
                running.append((command, stack.enter_context(_running(command, environment, log)), path))
            for command, process, output in running:
                if output is None:
                    code = process.wait()
                else:
                    with self._console.status(str(command)):
                        code = process.wait()
                    self._console.print(output.read_text().rstrip(), markup=False, highlight=False)
                if code != 0:
                    raise ConfigurationError(f"`{command}` failed; its output is above")
        self._seconds[step.name] = time.monotonic() - begun

    def _own_features(self, number: int) -> dict[str, str]:
        """Settings that give a command a copy of the features."""
        copy = self._state / "day-zero" / f"feature-{number}"
        shutil.rmtree(copy, ignore_errors=True)
        shutil.copytree(self._state / "feature", copy)
        return {"PLANOGRAM_FEATURE_STATE_PATH": str(copy)}


@contextlib.contextmanager
def _running(
    command: Command, environment: Mapping[str, str], log: IO[bytes] | None
) -> Iterator[subprocess.Popen[bytes]]:
    """A command as a process, which does not outlive the block."""
    process = subprocess.Popen(  # noqa: S603 - our own module
        [sys.executable, "-m", "services.common.cli", *command.arguments],
        env=clean_environment() | dict(environment),
        stdout=log,
        stderr=log,
    )
    try:
        yield process
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(STOP_TIMEOUT_S)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait()
