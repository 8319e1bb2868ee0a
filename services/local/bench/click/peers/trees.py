"""How do gradient-boosted trees do (LightGBM, Ke et al. 2017)?"""

from __future__ import annotations

import numpy as np

from services.local.bench.click.case import Answer, Case
from services.local.bench.click.flat import CODES, Array, Flat
from services.local.bench.click.peers.reading import milliseconds, platt

_ROUND_COUNT, _PATIENCE = 600, 30
_PARAMETERS = {
    "objective": "binary",
    "metric": "binary_logloss",
    "learning_rate": 0.05,
    "num_leaves": 31,
    "min_data_in_leaf": 200,
    "feature_fraction": 0.7,
    "bagging_fraction": 0.8,
    "bagging_freq": 1,
    "cat_smooth": 50,
    "lambda_l2": 5.0,
    "num_threads": 1,
    "verbosity": -1,
}
_LEFT_OUT = ("item", "slot", "place")
"""Items are so many that trees learn them by heart; slot and place are there as numbers, which trees cut."""


def fit(case: Case, seed: int) -> Answer:
    """Trees on all rows, stopped by the held-out loss."""
    import lightgbm

    learned, valid, test = case.flat
    names = [name for name in CODES if name not in _LEFT_OUT]
    categorical = list(range(len(names)))
    data = lightgbm.Dataset(_table(learned, names), learned.click, categorical_feature=categorical)
    watched = lightgbm.Dataset(_table(valid, names), valid.click, reference=data)
    booster = lightgbm.train(
        {**_PARAMETERS, "seed": seed},
        data,
        _ROUND_COUNT,
        valid_sets=[watched],
        callbacks=[lightgbm.early_stopping(_PATIENCE, verbose=False)],
    )
    mend = platt(booster.predict(_table(valid, names)), valid.click)
    page = _table(case.page, names)
    leaves = sum(int(tree["num_leaves"]) for tree in booster.dump_model()["tree_info"])
    return Answer(
        valid=mend(booster.predict(_table(valid, names))),
        test=mend(booster.predict(_table(test, names))),
        parameter_count=2 * leaves,  # a value, and a threshold on the way to it
        page_ms=milliseconds(lambda: booster.predict(page, num_threads=1)),
    )


def _table(rows: Flat, names: list[str]) -> Array:
    """(R, C) float32, codes first: all of them are whole numbers below 2 ** 24."""
    return np.column_stack([*(rows.codes[name] for name in names), rows.numbers]).astype(np.float32)
