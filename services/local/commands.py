"""Which verbs run the whole system on one machine?"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from services.common.commands import group
from services.local.bench.commands import bench

if TYPE_CHECKING:
    from services.local.supervisor import Program

Run = Annotated[Path, typer.Option(help="Folder of pid files and logs.")]
RUN = Path("var/run")


def register(app: typer.Typer) -> None:
    """Adds demo, up, down, status, bench, and open-bandit to import."""
    app.command("demo")(demo)
    app.command("up")(up)
    app.command("down")(down)
    app.command("status")(status)
    app.add_typer(bench, name="bench")
    group(app, "import", "Turn a shop's own files into this system's.").command("open-bandit")(
        import_open_bandit
    )


def demo(
    once: Annotated[bool, typer.Option(help="Exit after the page instead of keeping the shop open.")] = False,
    state: Annotated[Path, typer.Option(help="Folder of all data; `down --run STATE/run` stops it.")] = Path(
        "var"
    ),
) -> None:
    """Data, training, the four services, live traffic, a page: everything on this machine."""
    from rich.console import Console

    from services.common.errors import ConfigurationError
    from services.local.demo import Demo
    from services.local.signals import Interrupted, interruptible

    console = Console()
    running = Demo(state, console)
    try:
        with interruptible():
            try:
                running.learn()
                running.serve()
                running.live()
                running.show()
                if not once:
                    running.stay_open()
            finally:
                running.stop()
    except Interrupted as interrupted:
        console.print("interrupted")
        raise typer.Exit(interrupted.code) from None
    except ConfigurationError as error:
        typer.echo(f"planogram demo: {error}", err=True)
        raise typer.Exit(1) from None
    if once:
        console.print("The shop is closed again; `planogram demo` opens it in seconds.")


def up(run: Run = RUN) -> None:
    """Starts the four services in the background, and waits until they serve.

    Where one does not come up, those that were started are stopped again.
    """
    from rich.console import Console

    from services.common.errors import ConfigurationError
    from services.local.signals import Interrupted, interruptible
    from services.local.supervisor import PROGRAMS, Supervisor

    supervisor = Supervisor(run)
    console = Console()
    try:
        with interruptible(), console.status("starting"):
            try:
                started = supervisor.start(PROGRAMS)
                supervisor.wait_ready(PROGRAMS)
            except BaseException:
                _tell_stopped(supervisor.stop_own())
                raise
    except Interrupted as interrupted:
        raise typer.Exit(interrupted.code) from None
    except ConfigurationError as error:
        typer.echo(f"planogram up: {error}", err=True)
        raise typer.Exit(1) from None
    for program in PROGRAMS:
        note = "started" if program in started else "was running"
        console.print(f"{program.name:<8} {program.address}  {note}; log {supervisor.log_path(program)}")


def down(run: Run = RUN) -> None:
    """Stops what `up` and `demo` started."""
    from services.local.supervisor import PROGRAMS, STOREFRONT, Supervisor

    stopped = Supervisor(run).stop((STOREFRONT, *reversed(PROGRAMS)))
    typer.echo(
        f"stopped {', '.join(program.name for program in stopped)}" if stopped else "nothing was running"
    )


def status(run: Run = RUN) -> None:
    """Prints which services run, and whether they serve; exits 1 where one does not."""
    from rich.console import Console
    from rich.table import Table

    from services.local.supervisor import PROGRAMS, STOREFRONT, Supervisor
    from services.local.supervisor import status as status_of

    supervisor = Supervisor(run)
    table = Table("service", "address", "pid", "health", "log")
    is_whole = True
    for program in (*PROGRAMS, STOREFRONT):
        pid, health = supervisor.pid(program), status_of(program)
        if program is not STOREFRONT:
            is_whole = is_whole and health == "SERVING"
        table.add_row(
            program.name,
            program.address,
            str(pid or "-"),
            health,
            str(supervisor.log_path(program)) if pid else "-",
        )
    Console().print(table)
    if not is_whole:
        raise typer.Exit(1)


def import_open_bandit(
    state: Annotated[Path, typer.Option(help="Folder of all that is fetched and made.")] = Path(
        "var/open-bandit"
    ),
    wheel: Annotated[
        Path | None, typer.Option(help="Wheel of obp 0.4.1, where it is at hand; pip fetches it otherwise.")
    ] = None,
) -> None:
    """Real logs, imported, learned from, and a page of their items.

    Fetches the package obp 0.4.1 (1.3 MB), which holds 60,000 rows of the Open
    Bandit Dataset of ZOZO, Inc., without installing it. Imports its files with
    mappings as any shop would write them, trains the click model and a bandit,
    composes a page in this process and prints it with what the rows support.
    Takes about two minutes; touches nothing outside --state.

    \b
      planogram import open-bandit
      planogram import open-bandit --wheel obp-0.4.1-py3-none-any.whl
    """
    from rich.console import Console

    from services.local import open_bandit

    console = Console()
    outcome = open_bandit.run(state, console, wheel)
    open_bandit.print_outcome(console, open_bandit.State(state), outcome)


def _tell_stopped(programs: Sequence[Program]) -> None:
    if programs:
        names = ", ".join(program.name for program in programs)
        typer.echo(f"stopped what this command had started: {names}", err=True)
