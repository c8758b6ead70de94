"""A metric as scikit-learn wants it: a callable of an estimator, texts and labels."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.result import METRICS
from eclare_py.types import Csr, IntArray, as_csr

_RANKED = 100  # what R@100 needs


@dataclass(frozen=True)
class MetricScorer:
    """Scores a classifier by a metric of `evaluate`, in percent; more is better.

        grid = {"document.dim": [64, 128]}
        GridSearchCV(EclareClassifier("eclare"), grid, scoring=MetricScorer("PSP@5"), cv=KFold(3)).fit(texts, labels)

    Label frequencies and propensities are those of the documents that the classifier was trained on. Labels that it
    does not know can only be missed.

    Args:
        metric: "P@1", "nDCG@5", "PSP@5", "R@100", "tail_R@10", ...

    Raises:
        UsageError: There is no such metric.
    """

    metric: str

    def __post_init__(self) -> None:
        if self.metric not in METRICS:
            raise UsageError(f"metric {self.metric!r} is unknown: choose one of {', '.join(METRICS)}")

    def __call__(self, classifier: Any, texts: Sequence[str], labels: Any) -> float:
        """The metric for N texts and their labels: an (N, L) matrix, or lists of names or rows.

        NaN where there is nothing to find, as for "tail_R@10" in a test without rare labels.
        """
        model = classifier.pipeline
        truth = _truth(labels, list(classifier.classes_))
        unknown = np.zeros(truth.shape[1] - model.n_labels, dtype=np.int64)
        frequencies: IntArray = np.concatenate([model.frequencies, unknown])
        result = evaluate(classifier.predict(texts, _RANKED), truth, frequencies, model.n_documents)
        value = result.metrics[self.metric]
        return math.nan if value is None else value


def _truth(labels: Any, names: list[str]) -> Csr:
    """(N, L and more) label matrix; names that the classifier does not know get columns behind its own."""
    if sp.issparse(labels) or (isinstance(labels, np.ndarray) and labels.ndim == 2):
        if labels.shape[1] != len(names):
            raise UsageError(f"the labels have {labels.shape[1]} columns, the classifier knows {len(names)} labels")
        return as_csr(sp.csr_array(labels, dtype=np.float32))
    rows, columns = [], []
    known = {name: column for column, name in enumerate(names)}
    for row, some in enumerate(labels):
        for label in some:
            rows.append(row)
            columns.append(known.setdefault(label, len(known)) if isinstance(label, str) else int(label))
    shape = (len(labels), max(len(known), 1 + max(columns, default=0)))
    return as_csr(sp.csr_array((np.ones(len(rows), dtype=np.float32), (rows, columns)), shape=shape))
