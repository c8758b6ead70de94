"""Ranking quality with a focus on rare labels, in numpy and scipy alone.

Where published definitions differ, both are here by name. pyxclib (0.97) is the usual evaluation code of the Extreme
Classification Repository, napkinXC (0.7.2) another; the tests hold numbers recorded from both. They agree on P, nDCG,
R, hit rate, PSP, PSnDCG and PSR as `evaluate` and the defaults here have them, normalised by the best of the whole set.

================================ ============================================ ====================================
elsewhere                        what it does                                 here
================================ ============================================ ====================================
pyxclib `ndcg`, `recall`, ...    documents without labels count as 0          `without_labels="zero"`, the default
pyxclib `recall_at_k`,           leave them out                               `without_labels="skip"`
`Metrics(remove_invalid=True)`
napkinXC `zero_division=1`       counts them as 1 (0 is its default)          `without_labels="one"`
both, PS metrics                 sum over documents / greatest sum possible   `normalization="set"`, the default
napkinXC `normalize=False`       mean over documents                          `normalization="none"`
Jain et al., PSnDCG@k            divided by the k discounts' sum              `psdcg`
napkinXC `psdcg_at_k`            divided by k                                 `psdcg`, times that sum, by k
napkinXC macro F1                over all labels, `zero_division` for those   `macro_f1(over="all")`
                                 never seen; `..._at_k` ignores its k
`evaluate`                       over labels relevant in test                 `macro_f1(over="relevant")`, default
both, propensities               sum the stored values of a label             `inverse_propensities` of the number
                                                                              of documents, never below 1
both, ties                       no order defined                             by label, ascending
================================ ============================================ ====================================
"""

from __future__ import annotations

from eclare_py.metrics.document_scores import document_scores
from eclare_py.metrics.evaluate import evaluate
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.label_table import LabelTable, label_table
from eclare_py.metrics.per_document import DocumentScores, documents_path, read_document_scores
from eclare_py.metrics.propensity import PROPENSITY, inverse_propensities
from eclare_py.metrics.rare import FrequencyBin
from eclare_py.metrics.result import METRICS, Evaluation, read_evaluation
from eclare_py.metrics.scorer import MetricScorer
from eclare_py.metrics.trial import Trial, open_trial

__all__ = [
    "METRICS",
    "PROPENSITY",
    "DocumentScores",
    "Evaluation",
    "FrequencyBin",
    "LabelTable",
    "MetricScorer",
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
]
