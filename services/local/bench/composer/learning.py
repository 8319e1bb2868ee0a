"""What does a shop learn from the pages that its composer made?"""

from __future__ import annotations

import contextlib
import io
import shutil

from services.common import artifacts
from services.feature.commands import build_features
from services.layout.export import PREFIX, export
from services.local.bench.composer.shop import Shop, environment
from services.local.bench.composer.sizes import Size
from services.policy.training import train as policy
from services.scoring.training import train as click
from services.scoring.training.recipe import Recipe


def know_the_past(shop: Shop) -> None:
    """Exports the log, where there is one, and builds features from it."""
    if shop.state.segments.exists():
        export(shop.state.segments, shop.state.log)
    with environment(shop.state.variables), contextlib.redirect_stdout(io.StringIO()):
        build_features()


def learn_clicks(shop: Shop, size: Size) -> dict[str, float]:
    """Publishes a click model; its metrics."""
    return click.train(shop.state.log, shop.state.click_models, Recipe(epoch_count=size.epoch_count)).metrics


def begin_another_log(shop: Shop) -> None:
    """Sets what was logged apart: features are built from it as well, but policies do not learn from it, for
    its pages were scored by other means than those that come."""
    shutil.rmtree(shop.state.segments)
    for path in shop.state.log.glob(f"*-{PREFIX}*"):
        path.rename(path.with_name(path.name.replace(PREFIX, "first-")))


def learn_policies(shop: Shop, size: Size) -> tuple[artifacts.Artifact, artifacts.Artifact]:
    """Publishes cascade SlateQ, learned from the latest log, and the click order of the same network."""
    log = shop.state.root / "log" / "latest"
    export(shop.state.segments, log)
    settings = policy.Settings(step_count=size.step_count)
    models = shop.state.policy_models
    cascade = policy.train(log, models, policy.Learner.SLATEQ, settings).artifact
    return cascade, policy.click_order_of(cascade, models)
