"""Ranking quality with a focus on rare labels, in numpy and scipy alone.

Where published definitions differ, both are here by name. pyxclib is the evaluation code of the Extreme Classification
Repository (version 0.97), napkinXC another (0.7.2); what they do is in the tests, with numbers recorded from them.

===================== ================================== ================================== ==========================
figure                pyxclib                            napkinXC                           here
===================== ================================== ================================== ==========================
P, short rows         divided by k                       divided by k                       `precision`
nDCG                  ideal over min(k, relevant)        the same                           `ndcg`
documents without     0 in `ndcg`, `recall`, `hits`      `zero_division=0` or another       `without_labels="zero"`
labels                ..                                 `zero_division=1`                  `without_labels="one"`
..                    left out: `recall_at_k`,           no                                 `without_labels="skip"`
                      `Metrics(remove_invalid=True)`
PSP, PSnDCG, PSR      sum / best sum of the whole set    the same: `normalize=True`         `normalization="set"`
..                    no                                 mean: `normalize=False`            `normalization="none"`
PSnDCG by the paper   no                                 `psdcg_at_k`, divided by k         `psdcg`, divided by the
                                                         and not by the discounts           sum of k discounts
hit rate              `hits`                             `AbandonmentAtK`                   `hit_rate`
micro F1              no                                 2 hits / (predicted + relevant)    `micro_f1`
macro F1              no                                 all labels, 0 or `zero_division`   `macro_f1(over="all")`
                                                         for those never seen
..                    no                                 no                                 `macro_f1(over="relevant")`
coverage              no                                 `CoverageAtK`                      `coverage`
propensity            sums the values of the labels,     the same                           counts train documents;
                      below 1 for N < 3                                                     at least 1
ties                  order not defined                  order not defined                  by label, ascending
===================== ================================== ================================== ==========================

Figures of a result file are those of `evaluate`: "zero", "set" and "relevant" of the choices above.
"""

from __future__ import annotations

from eclare_py.metrics.document_scores import document_scores
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.label_table import LabelTable, label_table
from eclare_py.metrics.per_document import DocumentScores, documents_path, read_document_scores
from eclare_py.metrics.propensity import PROPENSITY, inverse_propensities
from eclare_py.metrics.rare import FrequencyBin
from eclare_py.metrics.report import Example, Prediction, write_html
from eclare_py.metrics.result import METRICS, Evaluation, read_evaluation
from eclare_py.metrics.trial import Trial, open_trial

__all__ = [
    "METRICS",
    "PROPENSITY",
    "DocumentScores",
    "Evaluation",
    "Example",
    "FrequencyBin",
    "LabelTable",
    "Prediction",
    "Trial",
    "document_scores",
    "documents_path",
    "drop_filter_pairs",
    "evaluate",
    "inverse_propensities",
    "label_table",
    "open_trial",
    "read_document_scores",
    "read_evaluation",
    "write_html",
]
