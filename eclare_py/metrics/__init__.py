"""Ranking quality with a focus on rare labels, in numpy and scipy alone."""

from __future__ import annotations

from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.propensity import PROPENSITY, inverse_propensities
from eclare_py.metrics.rare import FrequencyBin
from eclare_py.metrics.report import Example, Prediction, write_html
from eclare_py.metrics.result import METRICS, Evaluation, read_evaluation

__all__ = [
    "METRICS",
    "PROPENSITY",
    "Evaluation",
    "Example",
    "FrequencyBin",
    "Prediction",
    "drop_filter_pairs",
    "evaluate",
    "inverse_propensities",
    "read_evaluation",
    "write_html",
]
