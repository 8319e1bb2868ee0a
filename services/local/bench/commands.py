"""Which benchmarks does `planogram bench` have?"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

bench = typer.Typer(help="Measure one thing against its floor, in one run.", no_args_is_help=True)


@bench.command("page")
def bench_page(
    windows: Annotated[int, typer.Option(min=1, help="Turns of each side.")] = 8,
    window_s: Annotated[float, typer.Option(min=0.5, help="Seconds of a turn.")] = 4.0,
    in_flight: Annotated[int, typer.Option(min=2, help="Calls at once, in the loaded half.")] = 16,
    seed: Annotated[int, typer.Option(help="Which shoppers come, in which order.")] = 0,
) -> None:
    """The real page against the null pipeline: the same processes, contracts and sizes, empty handlers."""
    from services.local.bench import page

    page.run(windows, window_s, in_flight, seed)


@bench.command("front")
def bench_front(
    windows: Annotated[int, typer.Option(min=1, help="Turns of each figure.")] = 5,
    window_s: Annotated[float, typer.Option(min=0.1, help="Seconds of a turn.")] = 2.0,
    sessions: Annotated[int, typer.Option(min=1, help="Sessions of the vector environment.")] = 64,
    seed: Annotated[int, typer.Option(min=0, help="Which shoppers come, and which actions are tried.")] = 0,
) -> None:
    """The synthetic shop for learners: page views of one core, and slot steps through Gymnasium."""
    import sys

    from services.local.bench import front

    front.run(windows, window_s, sessions, seed, " ".join(["planogram", *sys.argv[1:]]))


@bench.command("layout")
def bench_layout(
    pages: Annotated[int, typer.Option(min=2, help="Pages, each with and without rules.")] = 1_000,
    seed: Annotated[int, typer.Option(help="Of the pages.")] = 0,
) -> None:
    """CPU of layout's own part of a page under twenty rules, in process."""
    from services.local.bench import layout

    layout.run(pages, seed, f"planogram bench layout --pages {pages} --seed {seed}")


@bench.command("plan")
def bench_plan(
    pages: Annotated[int, typer.Option(min=10, help="Pages to plan.")] = 1_000,
    modules: Annotated[int, typer.Option(min=2, max=64, help="Modules of a page, two templates each.")] = 40,
    slots: Annotated[int, typer.Option(min=1, max=40, help="Slots of a page.")] = 10,
    models: Annotated[
        Path | None, typer.Option(help="Store whose current policy plans. Default: an untrained one.")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="Which pages.")] = 0,
) -> None:
    """One page decided in process, on one core, by a policy that thinks in pages."""
    import sys

    from services.local.bench import plan

    plan.run(pages, modules, slots, models, seed, " ".join(["planogram", *sys.argv[1:]]))


@bench.command("feature")
def bench_feature(
    items: Annotated[int, typer.Option(min=300, help="Items of the shop.")] = 100_000,
    pages: Annotated[int, typer.Option(min=20, help="Calls behind each figure.")] = 2_000,
    redis: Annotated[bool, typer.Option(help="On Redis as well.")] = True,
    swaps: Annotated[int, typer.Option(min=0, help="Snapshots built and taken over under load.")] = 10,
    seed: Annotated[int, typer.Option(min=0, help="Which shop and shoppers.")] = 0,
) -> None:
    """GatherPage against Feast's read of one shopper, stock Feast and an echo, and its tail during swaps."""
    import sys

    from services.local.bench.feature import run

    run.run(items, swaps, pages, redis, seed, " ".join(["planogram", *sys.argv[1:]]))


@bench.command("nearest")
def bench_nearest(
    sizes: Annotated[str, typer.Option(help="Numbers of products.")] = "2000,5000,10000,100000,1000000",
    seed: Annotated[int, typer.Option(min=0, help="Which products and tastes.")] = 0,
) -> None:
    """Inverted lists against comparing a taste with all products: time, and what is found."""
    import sys

    from services.local.bench.feature import nearest

    nearest.run([int(size) for size in sizes.split(",")], seed, " ".join(["planogram", *sys.argv[1:]]))


@bench.command("cold-start")
def bench_cold_start(
    items: Annotated[int, typer.Option(min=300, help="Items of the shop.")] = 1_500,
    pages: Annotated[int, typer.Option(min=1_000, help="Page views of the log.")] = 20_000,
    seed: Annotated[int, typer.Option(min=0, help="Which shop, shoppers and items.")] = 0,
) -> None:
    """What "for you" finds for shoppers with 0 to 10 clicks, and who new items stand beside."""
    import sys

    from services.local.bench import cold_start

    cold_start.run(items, pages, seed, " ".join(["planogram", *sys.argv[1:]]), say=typer.echo)


@bench.command("offers")
def bench_offers(
    shops: Annotated[int, typer.Option(min=1, help="Shops, by seeds from 0.")] = 4,
    items: Annotated[int, typer.Option(min=200, help="Items of a shop.")] = 600,
    views: Annotated[int, typer.Option(min=1, help="Views of items a week.")] = 4_000_000,
    weeks: Annotated[int, typer.Option(min=2, help="Weeks, each with a price list of its own.")] = 26,
) -> None:
    """What learned price cuts earn beside list prices, one cut for all, and the best by the hidden law."""
    import sys

    from services.local.bench import offers

    command = " ".join(["planogram", *sys.argv[1:]])
    offers.run(range(shops), items, views, weeks, command, say=typer.echo)


@bench.command("reviews")
def bench_reviews(
    archive: Annotated[
        Path, typer.Option(help="vaderSentiment's source; pip gets it where it is not.")
    ] = Path("var/reviews/vaderSentiment-3.3.2.tar.gz"),
    items: Annotated[int, typer.Option(min=20, help="Items behind each figure of surges.")] = 200,
    seed: Annotated[int, typer.Option(min=0, help="Which halves and streams.")] = 0,
) -> None:
    """Verdicts on labelled reviews, and false alarms and delays of surges made of them."""
    import sys

    from services.local.bench.reviews import run

    run.run(archive, items, seed, " ".join(["planogram", *sys.argv[1:]]), say=typer.echo)


@bench.command("scoring")
def bench_scoring(
    windows: Annotated[int, typer.Option(min=1, help="Turns of each figure.")] = 7,
    window_s: Annotated[float, typer.Option(min=0.5, help="Seconds of a turn under load.")] = 4.0,
    calls: Annotated[int, typer.Option(min=2, help="Calls of a turn of CPU time.")] = 300,
    peer: Annotated[Path, typer.Option(help="MLServer's Python: `make bench-scoring` installs it.")] = Path(
        ".venv-mlserver/bin/python"
    ),
    has_peer: Annotated[bool, typer.Option("--with-peer/--no-peer", help="Compare with MLServer.")] = True,
    seed: Annotated[int, typer.Option(min=0, help="Weights of the network, and the page.")] = 0,
) -> None:
    """ScoreItems of 200 items against the bare graph, against a tiled one, and against MLServer."""
    import sys

    from services.local.bench.scoring import run

    command = " ".join(["planogram", *sys.argv[1:]])
    run.run(windows, window_s, calls, peer if has_peer else None, seed, command)


@bench.command("policy")
def bench_policy(
    worlds: Annotated[str, typer.Option(help="Seeds: 100-104, or 100,103.")] = "100-101",
    regime: Annotated[
        str, typer.Option(help="Laws of the shop: see simulator/regimes.py; or rich.")
    ] = "base",
    quick: Annotated[bool, typer.Option(help="Small logs and few steps: shows that it runs.")] = False,
    peers: Annotated[bool, typer.Option(help="Our own against other libraries and simple rankings.")] = False,
    seeds: Annotated[int, typer.Option(min=1, help="With --peers: how often each learns.")] = 1,
    workers: Annotated[int, typer.Option(min=1, help="With --peers: processes; above 1 by Ray.")] = 1,
    entrants: Annotated[str, typer.Option(help="With --peers: names, by semicolons; all if empty.")] = "",
) -> None:
    """Cascade SlateQ against greedy click order and the oracle, in synthetic worlds; minutes a world.

    With --peers, instead: against d3rlpy, Stable-Baselines3, Vowpal Wabbit, bandits and simple rankings, all
    with one log. Worlds 0 to 9 are for tuning, 100 to 119 for reports. Each result is kept below
    reports/bench-policy, and a run that was stopped goes on where it was.
    """
    import sys

    from services.common.errors import ConfigurationError
    from services.local.bench.policy import contest, run
    from services.local.bench.policy.log import SHOPS
    from services.local.bench.policy.sizes import QUICK, Size

    if regime not in SHOPS:
        raise ConfigurationError(f"--regime: got {regime!r}, want one of {sorted(SHOPS)}")
    command, size = " ".join(["planogram", *sys.argv[1:]]), QUICK if quick else Size()
    if peers:
        names = [name.strip() for name in entrants.split(";") if name.strip()]
        contest.run(_seeds(worlds), seeds, regime, size, names, workers, command, say=typer.echo)
    else:
        run.run(_seeds(worlds), regime, size, command, say=typer.echo)


@bench.command("evaluation")
def bench_evaluation(
    world: Annotated[int, typer.Option(help="Seed: 0 to 9 for tuning, 100 to 119 for reports.")] = 100,
    quick: Annotated[bool, typer.Option(help="Small logs and few of them: shows that it runs.")] = False,
) -> None:
    """What the evaluation says against what is true, in a synthetic world; most of an hour.

    How far estimates are off and how often their intervals hold, what the gate promotes that is worse and
    what that is better, how near the click head comes to the exact filter, what shoppers bring of whom
    nothing is known, and whether a log says that learning whole sessions pays. Each step is kept below
    reports/bench-evaluation, and a run that was stopped goes on where it was.
    """
    import sys

    from services.local.bench.evaluation import run
    from services.local.bench.evaluation.sizes import QUICK, Size

    command = " ".join(["planogram", *sys.argv[1:]])
    run.run(world, QUICK if quick else Size(), command, say=typer.echo)


@bench.command("click")
def bench_click(
    log: Annotated[Path, typer.Option(help="Folder of the exported log.")] = Path("var/log/export"),
    seeds: Annotated[int, typer.Option(min=1, help="How often each learns.")] = 5,
    entrants: Annotated[str, typer.Option(help="Names, by semicolons; all if empty.")] = "",
) -> None:
    """The click model in all its variants against other libraries' models, on one log.

    All learn from the same pages, stop and are calibrated by the same later ones, are judged on the latest.
    Each result is kept below reports/bench-click, and a run that was stopped goes on where it was.
    """
    import sys

    from planogram.files.log import LogFileError
    from services.common.errors import ConfigurationError
    from services.local.bench.click import run

    names = [name.strip() for name in entrants.split(";") if name.strip()]
    try:
        run.run(log, seeds, names, " ".join(["planogram", *sys.argv[1:]]), say=typer.echo)
    except LogFileError as error:
        raise ConfigurationError(f"--log: {error}") from None


@bench.command("text")
def bench_text(
    log: Annotated[Path, typer.Option(help="Folder of the exported log.")] = Path("var/log/export"),
    catalogue: Annotated[Path, typer.Option(help="Items of that log.")] = Path("var/catalogue/items.parquet"),
    seeds: Annotated[int, typer.Option(min=1, help="How often each learns.")] = 2,
    entrants: Annotated[str, typer.Option(help="Names, by semicolons; all if empty.")] = "",
) -> None:
    """The click model with items' vectors from hashed words, n-grams, a small encoder, and none, on one log.

    A fifth of the items is held out of what is learned from; known and new ones are judged apart.
    """
    import sys

    from planogram.files.log import LogFileError
    from services.common.errors import ConfigurationError
    from services.local.bench.text import run

    names = [name.strip() for name in entrants.split(";") if name.strip()]
    try:
        run.run(log, catalogue, seeds, names, " ".join(["planogram", *sys.argv[1:]]), say=typer.echo)
    except LogFileError as error:
        raise ConfigurationError(f"--log: {error}") from None


@bench.command("composer")
def bench_composer(
    worlds: Annotated[str, typer.Option(help="Seeds: 100-102, or 100,102.")] = "100-102",
    log_sessions: Annotated[int, typer.Option(min=100, help="Sessions that policies learn from.")] = 6_000,
    test_sessions: Annotated[int, typer.Option(min=20, help="Sessions that value each policy.")] = 8_000,
    pages: Annotated[str, typer.Option(help="front: the front page alone; all: every page type.")] = "front",
    quick: Annotated[bool, typer.Option(help="Small logs and few steps: shows that it runs.")] = False,
) -> None:
    """Cascade SlateQ against greedy click order on pages of the real composer, and on the vectorised face.

    Both policies learn from exposures that the four services wrote, serve from their stores and meet the
    same shoppers with the same luck. Each world's result is kept below reports/bench-composer, and a run that
    was stopped goes on where it was.
    """
    import sys
    from dataclasses import replace

    from services.common.errors import ConfigurationError
    from services.local.bench.composer import run
    from services.local.bench.composer.sizes import QUICK, Pages, Size

    if pages not in list(Pages):
        raise ConfigurationError(f"--pages: got {pages!r}, want one of {[str(name) for name in Pages]}")
    size = QUICK if quick else Size(log_sessions=log_sessions, test_sessions=test_sessions)
    command = " ".join(["planogram", *sys.argv[1:]])
    run.run(_seeds(worlds), replace(size, pages=Pages(pages)), command, say=typer.echo)


@bench.command("help")
def bench_help(
    world: Annotated[int, typer.Option(help="Seed: 0 to 9 for tuning, 100 to 119 for reports.")] = 100,
    log_sessions: Annotated[int, typer.Option(min=100, help="Sessions that the policy learns from.")] = 4_000,
    test_sessions: Annotated[int, typer.Option(min=20, help="Sessions that ask in the test.")] = 1_000,
    quick: Annotated[bool, typer.Option(help="Small logs and few steps: shows that it runs.")] = False,
) -> None:
    """Answers in the order of their match, drawn, and as a policy learned to: what they bring who asks.

    All on the same help pages of the real composer, with the same questions, valued by the simulator's law.
    """
    import sys
    from dataclasses import replace

    from services.local.bench.help import run
    from services.local.bench.help.sizes import QUICK, Size

    size = QUICK if quick else replace(Size(), log_sessions=log_sessions, test_sessions=test_sessions)
    run.run(world, size, " ".join(["planogram", *sys.argv[1:]]), say=typer.echo)


def _seeds(text: str) -> list[int]:
    """Numbers of "100-104", or of "100,103".

    Raises:
        ConfigurationError: for anything else.
    """
    from services.common.errors import ConfigurationError

    try:
        first, dash, last = text.partition("-")
        seeds = list(range(int(first), int(last) + 1)) if dash else [int(part) for part in text.split(",")]
    except ValueError:
        seeds = []
    if not seeds:
        raise ConfigurationError(f"--worlds: got {text!r}, want seeds such as 100-104, or 100,103")
    return seeds
