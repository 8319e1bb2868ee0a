"""How does logistic regression do (scikit-learn)?"""

from __future__ import annotations

import numpy as np
from scipy import sparse

from services.local.bench.click.case import Answer, Case
from services.local.bench.click.flat import CODES, Flat
from services.local.bench.click.peers.reading import logloss, milliseconds, platt

_STRENGTHS = (0.003, 0.03, 0.3)
"""Inverse regularisation, of which the held-out loss takes one."""


def fit(case: Case, seed: int) -> Answer:
    """Logistic regression on scaled numbers and one column for each value of each code."""
    from sklearn.linear_model import LogisticRegression

    learned, valid, test = case.flat
    mean, scale = learned.numbers.mean(0), np.maximum(learned.numbers.std(0), 1e-3)

    def table(rows: Flat) -> sparse.csr_matrix:
        numbers = np.clip((rows.numbers - mean) / scale, -5, 5)
        count = len(numbers)
        codes = [
            sparse.csr_matrix(
                (np.ones(count, np.float32), (np.arange(count), rows.codes[name])), (count, values)
            )
            for name, values in CODES.items()
        ]
        return sparse.hstack([sparse.csr_matrix(numbers), *codes], format="csr")

    tables = [table(rows) for rows in (learned, valid, test)]
    models = [
        LogisticRegression(C=strength, max_iter=200, tol=1e-3).fit(tables[0], learned.click)
        for strength in _STRENGTHS
    ]
    model = min(models, key=lambda one: logloss(one.predict_proba(tables[1])[:, 1], valid.click))
    mend = platt(model.predict_proba(tables[1])[:, 1], valid.click)
    page = table(case.page)
    return Answer(
        valid=mend(model.predict_proba(tables[1])[:, 1]),
        test=mend(model.predict_proba(tables[2])[:, 1]),
        parameter_count=int(np.count_nonzero(model.coef_)) + 1,
        page_ms=milliseconds(lambda: model.predict_proba(page)),
    )
