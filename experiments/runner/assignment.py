"""How right imputed labels are, by the true ones, which the imputation never sees."""

from __future__ import annotations

import numpy as np

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.train.imputation.self_training import look_up
from eclare_py.types import Csr


def assignment(imputed: Csr, data: AggregatedDataset, truth: Csr) -> dict[str, float]:
    """Percentages of imputed labels.

    Args:
        imputed: (N, L) imputed labels; the member of the greatest value is the one that a label was assigned to.
        data: The groups.
        truth: (N, L) labels of the same documents.

    Returns:
        `assignment`: labels of groups whose assigned member carries them (the mean, where several share the greatest
        value; wrong, where nobody got the label); `label_precision`: pairs given that are true; `label_recall`: true
        pairs that are given.
    """
    pairs = MemberPairs.of(data)
    values = look_up(imputed, pairs.documents, pairs.labels)
    right = look_up(truth, pairs.documents, pairs.labels) != 0
    greatest = np.zeros(pairs.n_bags, dtype=np.float32)
    np.maximum.at(greatest, pairs.bags, values)
    first = (values > 0) & (values == greatest[pairs.bags])
    assigned = pairs.sums(first.astype(np.float32))
    shares = (pairs.sums((first & right).astype(np.float32)) / np.maximum(assigned, 1))[np.diff(pairs.bag_pairs) > 0]
    given = values > 0
    return {
        "assignment": 100 * float(shares.mean()),
        "label_precision": 100 * float(right[given].mean()),
        "label_recall": 100 * float((given & right).sum() / max(truth.nnz, 1)),
    }
