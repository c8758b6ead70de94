"""All figures of one ranking on one test set."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.errors import DataError
from eclare_py.metrics import ranking as rk
from eclare_py.metrics.coverage import count_labels, coverage, macro_f1, micro_recall
from eclare_py.metrics.filters import drop_filter_pairs, filtered_slots
from eclare_py.metrics.propensity import best_gains, gains, inverse_propensities, psndcg_at, psp_at
from eclare_py.metrics.rare import TAIL, frequency_bins, percent, tail_mask
from eclare_py.metrics.result import METRICS, Evaluation
from eclare_py.types import Csr, IntArray, Ranking, check_csr

_TOP = (1, 3, 5)


def evaluate(
    ranking: Ranking,
    labels: Csr,
    train_frequencies: npt.ArrayLike,
    n_train: int,
    *,
    filter_pairs: IntArray | None = None,
    propensity_a: float = 0.55,
    propensity_b: float = 1.5,
    tail: int = TAIL,
) -> Evaluation:
    """Evaluate a ranking against the truth.

    Conventions are those of the Extreme Classification Repository: documents without labels stay in every mean and
    count as zero; a row shorter than k counts its empty slots as misses; PSP and PSnDCG are ratios over the whole set;
    filter pairs are dropped from the ranking and nowhere else. tail_R@10 is the share of (document, label) test pairs
    whose label has at most `tail` train documents that are in the top 10. coverage@10 and macro_F1@5 run over labels
    that are relevant somewhere in test. A ratio over nothing (no tail label in test, say) is reported as 0.

    Args:
        ranking: (N, k) predictions. R@100 needs k of at least 100 plus the filter pairs of a document; a narrower one
            is evaluated as it is, and `settings["ranked"]` says how wide it was.
        labels: (N, L) test label matrix; every stored value above 0 is relevant.
        train_frequencies: (L,) train documents of each label.
        n_train: Train documents in all.
        filter_pairs: (F, 2) of document row and label.
        propensity_a: A of the data set.
        propensity_b: B of the data set.
        tail: Greatest train frequency of a rare label.

    Raises:
        DataError: Shapes disagree, a label id is out of range or twice in a row, or there is nothing to evaluate.
    """
    truth, frequencies = _checked(ranking, labels, train_frequencies, n_train)
    pairs = np.empty((0, 2), dtype=np.int64) if filter_pairs is None else np.asarray(filter_pairs, dtype=np.int64)
    dropped = int(filtered_slots(ranking, pairs).sum())
    kept = drop_filter_pairs(ranking, pairs).top(100)
    hit = rk.hits(kept, truth)
    relevant = rk.relevant_counts(truth)
    inverse = inverse_propensities(frequencies, n_train, propensity_a, propensity_b)
    gained, best = gains(kept, hit, inverse, max(_TOP)), best_gains(truth, inverse, max(_TOP))
    at5, at10, at100 = (count_labels(kept, hit, truth, k) for k in (5, 10, 100))
    rare = tail_mask(frequencies, tail)
    shares: dict[str, float | None] = {}
    for k in _TOP:
        shares[f"P@{k}"] = rk.precision_at(hit, k)
        shares[f"nDCG@{k}"] = rk.ndcg_at(hit, relevant, k)
        shares[f"PSP@{k}"] = psp_at(gained, best, k)
        shares[f"PSnDCG@{k}"] = psndcg_at(gained, best, relevant, k)
    for k in (10, 100):
        shares[f"R@{k}"] = rk.recall_at(hit, relevant, k)
    shares["tail_R@10"] = micro_recall(at10, rare)
    shares["coverage@10"], shares["tail_coverage@10"] = coverage(at10), coverage(at10, rare)
    shares["macro_F1@5"] = macro_f1(at5)
    settings: dict[str, Any] = {
        "propensity_A": propensity_a,
        "propensity_B": propensity_b,
        "tail": tail,
        "train_documents": int(n_train),
        "test_documents": len(ranking),
        "test_documents_without_labels": int((relevant == 0).sum()),
        "labels": truth.shape[1],
        "labels_without_test_positives": int((at10.relevant == 0).sum()),
        "test_pairs": int(truth.nnz),
        "tail_test_pairs": int(at10.relevant[rare].sum()),
        "filter_pairs": len(pairs),
        "filter_pairs_dropped": dropped,
        "ranked": ranking.indices.shape[1],
    }
    metrics = {name: percent(shares[name]) or 0.0 for name in METRICS}
    return Evaluation(metrics, frequency_bins(frequencies, at5, at10, at100), settings)


def _checked(ranking: Ranking, labels: Csr, frequencies: npt.ArrayLike, n_train: int) -> tuple[Csr, IntArray]:
    """The label matrix without stored zeros, and the frequencies as an array; both fit the ranking.

    Raises:
        DataError: They do not.
    """
    n_documents, n_labels = labels.shape
    counts = np.asarray(frequencies, dtype=np.int64)
    if len(ranking) != n_documents:
        raise DataError(f"predictions are for {len(ranking)} documents, the test set has {n_documents}")
    if n_documents == 0 or n_labels == 0:
        raise DataError(f"nothing to evaluate: {n_documents} test documents, {n_labels} labels")
    if counts.shape != (n_labels,) or counts.min() < 0 or counts.max() > n_train:
        raise DataError(f"train frequencies must be {n_labels} counts from 0 to {n_train} (the train documents)")
    try:
        check_csr(labels, name="test labels")
    except ValueError as error:
        raise DataError(str(error)) from error
    _check_ranking(ranking, n_labels)
    if len(labels.data) and labels.data.min() <= 0:
        labels = labels.copy()  # the caller keeps his stored zeros
        labels.data[labels.data < 0] = 0
        labels.eliminate_zeros()
    return labels, counts


def _check_ranking(ranking: Ranking, n_labels: int) -> None:
    """Refuse label ids out of range, and labels named twice for a document: each would count as a hit."""
    ids = ranking.indices
    if ids.size and (ids.max() >= n_labels or ids.min() < -1):
        worst = int(ids.max() if ids.max() >= n_labels else ids.min())
        raise DataError(f"predictions name label {worst}, labels are 0..{n_labels - 1}")
    ordered = np.sort(ids, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(axis=1)
    if twice.any():
        raise DataError(f"predictions name a label twice for document {int(twice.argmax())}")
