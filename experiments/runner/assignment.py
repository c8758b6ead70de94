"""How right imputed labels are, by the true ones, which the imputation never sees."""

from __future__ import annotations

import numpy as np

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.imputed import ImputedDataset
from eclare_py.sparse import entries_at
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.types import Csr


def assignment(imputed: ImputedDataset, data: AggregatedDataset, truth: Csr) -> dict[str, float]:
    """Percentages of imputed labels.

    Args:
        imputed: What became of the groups.
        data: The groups.
        truth: (N, L) labels of the same documents.

    Returns:
        `assignment`: labels of groups whose likeliest member carries them, whether it got them or was in doubt (the
        mean, where several are equally likely); `label_precision`: pairs given that are true; `label_recall`: true
        pairs given.
    """
    pairs = MemberPairs.of(data)
    beliefs = entries_at(imputed.beliefs, pairs.documents, pairs.labels)
    right = entries_at(truth, pairs.documents, pairs.labels) != 0
    greatest = np.zeros(pairs.n_bags, dtype=np.float32)
    np.maximum.at(greatest, pairs.bags, beliefs)
    first = beliefs == greatest[pairs.bags]
    filled = np.diff(pairs.bag_pairs) > 0
    shares = pairs.sums((first & right).astype(np.float32))[filled] / pairs.sums(first.astype(np.float32))[filled]
    given = entries_at(imputed.labels, pairs.documents, pairs.labels) > 0
    return {
        "assignment": 100 * float(shares.mean()),
        "label_precision": 100 * float(right[given].mean()),
        "label_recall": 100 * float((given & right).sum() / max(truth.nnz, 1)),
    }
