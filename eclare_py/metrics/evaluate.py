"""All figures of one ranking on one test set."""

from __future__ import annotations

import numpy.typing as npt

from eclare_py.metrics.coverage import count_labels, coverage, macro_f1
from eclare_py.metrics.document_scores import ratio_of
from eclare_py.metrics.per_document import ALL
from eclare_py.metrics.rare import TAIL, decile_edges, frequency_bins, percent, tail_mask
from eclare_py.metrics.result import METRICS, Evaluation
from eclare_py.metrics.trial import Trial, open_trial
from eclare_py.types import Csr, IntArray, Ranking


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
    that are relevant somewhere in test. A ratio over nothing (no tail label in test, say) is None, in bins as over all.

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
    return evaluate_trial(
        open_trial(
            ranking, labels, train_frequencies, n_train,
            filter_pairs=filter_pairs, propensity_a=propensity_a, propensity_b=propensity_b, tail=tail,
        )
    )  # fmt: skip


def evaluate_trial(trial: Trial) -> Evaluation:
    """All figures of a trial; see `evaluate`."""
    counts = {k: count_labels(trial.judged, k) for k in (5, 10, 100)}
    rare = tail_mask(trial.frequencies, trial.tail)
    of_labels = {
        "coverage@10": coverage(counts[10]),
        "tail_coverage@10": coverage(counts[10], rare),
        "macro_F1@5": macro_f1(counts[5]),
    }
    shares = {name: of_labels[name] if name in of_labels else _share(trial, name) for name in METRICS}
    frequencies, inverse = trial.frequencies, trial.weights.inverse
    edges = decile_edges(frequencies, counts[5].relevant)
    return Evaluation(
        metrics={name: percent(share) for name, share in shares.items()},
        bins=frequency_bins(frequencies, inverse, counts),
        settings=dict(trial.settings),
        deciles=frequency_bins(frequencies, inverse, counts, edges),
    )


def _share(trial: Trial, name: str) -> float | None:
    """A figure that is a ratio of sums over documents; None where nothing was possible."""
    ratio = ratio_of(trial, (name, ALL))
    return ratio.share if ratio.possible.any() else None
