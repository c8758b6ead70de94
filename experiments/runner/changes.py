"""Changes of the train split: fewer documents, lost pairs, labels held out, added later or known for groups alone.

Test data are never touched.

With one seed a smaller share is part of a larger one: the documents of 10 % are among those of 25 %, the pairs lost or
replaced at 10 % are so at 30 %. So a curve over shares shows the share and not the luck of the draw.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py import Dataset
from eclare_py.data.aggregated import aggregate
from eclare_py.data.rows import compact_csr
from eclare_py.finetune import finetune
from eclare_py.labels import add_labels, match_labels
from eclare_py.labels.match import renumbered
from eclare_py.rank.models import Model
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.train.imputation.grouping import form_groups
from eclare_py.types import IntArray, as_csr

BoolArray = npt.NDArray[np.bool_]


@dataclass(frozen=True)
class Change:
    """What is done to the train split.

    Attributes:
        kind: "none", "documents" (keep a share of the documents), "pairs" (lose a share of the (document, label)
            pairs), "replaced" (put a random other label in place of a share of them), "labels" (lose all pairs of a
            share of the labels), "added" (train without these labels, which the finished model gets by their texts),
            "tuned" (train on a share of the documents, with the labels that occur there; the finished model is
            fine-tuned on the others), "random groups" or "similar groups" (labels are known for groups of documents
            alone).
        share: Between 0 and 1.
        size: Members of a group.
    """

    kind: str = "none"
    share: float = 1.0
    size: int = 1

    def __post_init__(self) -> None:
        if self.kind not in (*CHANGES, *GROUPED):
            raise ValueError(f"change {self.kind!r} is unknown: choose {', '.join((*CHANGES, *GROUPED))}")
        if not 0 < self.share <= 1:
            raise ValueError(f"share {self.share} is outside 0..1")

    def apply(self, train: Dataset, seed: int) -> Dataset:
        """The changed train split; all labels and their texts stay, but for those that are added later."""
        if self.kind in GROUPED:
            return aggregate(train, form_groups(train, size=self.size, by=GROUPED[self.kind], seed=seed))
        return CHANGES[self.kind](train, self.share, seed)

    def finish(self, model: Model, train: Dataset, seed: int) -> Model:
        """The model with the labels or documents that the change has left for later."""
        if self.kind == "tuned":
            old = _documents(train, self.share, seed)
            return finetune(model, train.subset(_others(train, self.share, seed)), old=old)
        if self.kind != "added" or not isinstance(model, Pipeline):
            return model
        known = match_labels(LabelTable(train.label_texts, train.label_ids), model.labels.texts, model.labels.ids)
        late = np.setdiff1d(np.arange(train.n_labels), known).tolist()
        ids = None if train.label_ids is None else [train.label_ids[row] for row in late]
        return add_labels(model, LabelTable([train.label_texts[row] for row in late], ids))


def _documents(train: Dataset, share: float, seed: int) -> Dataset:
    return train.subset(~_others(train, share, seed))


def _others(train: Dataset, share: float, seed: int) -> BoolArray:
    """(N,) the documents that a change of kind "documents" takes away."""
    others = np.ones(train.n_documents, dtype=np.bool_)
    order = _stream(seed, "documents").permutation(train.n_documents)
    others[order[: round(share * train.n_documents)]] = False
    return others


def _first_part(train: Dataset, share: float, seed: int) -> Dataset:
    """The documents of `_documents`, and no label that none of them has."""
    part = _documents(train, share, seed)
    return _with_labels(part, np.flatnonzero(part.label_frequencies))


def _pairs(train: Dataset, share: float, seed: int) -> Dataset:
    return _keep(train, _stream(seed, "pairs").random(train.labels.nnz) >= share)


def _replaced(train: Dataset, share: float, seed: int) -> Dataset:
    """A new label is drawn uniformly from all that its document does not have, and is the same at every share."""
    matrix, n_labels, stream = train.labels, train.n_labels, _stream(seed, "replaced")
    counts = np.diff(matrix.indptr)
    if 2 * counts.max(initial=0) > n_labels:
        raise ValueError(f"a document has {counts.max()} of {n_labels} labels: there are not as many others")
    hit = stream.random(matrix.nnz) < share
    rows = np.repeat(np.arange(matrix.shape[0], dtype=np.int64), counts)
    known = rows * n_labels + matrix.indices
    fresh = rows * n_labels + stream.integers(0, n_labels, matrix.nnz)
    while (bad := np.isin(fresh, known) | _repeated(fresh)).any():
        fresh[bad] = rows[bad] * n_labels + stream.integers(0, n_labels, int(bad.sum()))
    pairs = np.where(hit, fresh, known)
    changed = sp.coo_array((matrix.data, (pairs // n_labels, pairs % n_labels)), shape=matrix.shape)
    return replace(train, labels=as_csr(changed))


def _repeated(values: IntArray) -> BoolArray:
    """True for all but the first of equal values."""
    mask = np.ones(len(values), dtype=np.bool_)
    mask[np.unique(values, return_index=True)[1]] = False
    return mask


def _labels(train: Dataset, share: float, seed: int) -> Dataset:
    return _keep(train, ~held_out_labels(train.n_labels, share, seed)[train.labels.indices])


def _unknown(train: Dataset, share: float, seed: int) -> Dataset:
    """The labels of `_labels` go from the list of labels too."""
    known = np.flatnonzero(~held_out_labels(train.n_labels, share, seed))
    return _with_labels(_labels(train, share, seed), known)


def _with_labels(train: Dataset, known: IntArray) -> Dataset:
    """The documents, with some of the labels alone."""
    found = np.full(train.n_labels, -1, dtype=np.int64)
    found[known] = np.arange(len(known))
    ids = None if train.label_ids is None else [train.label_ids[row] for row in known]
    return renumbered(train, found, LabelTable([train.label_texts[row] for row in known], ids))


def held_out_labels(n_labels: int, share: float, seed: int) -> BoolArray:
    """(L,) the labels that a change of kind "labels" takes from the train split."""
    mask = np.zeros(n_labels, dtype=np.bool_)
    mask[_stream(seed, "labels").permutation(n_labels)[: round(share * n_labels)]] = True
    return mask


def _keep(train: Dataset, kept: BoolArray) -> Dataset:
    """Some of the (document, label) pairs; documents left without any go, as nobody would train on them."""
    matrix = train.labels
    ends = np.concatenate([[0], np.cumsum(kept)])[matrix.indptr]
    labels = compact_csr(matrix.data[kept], matrix.indices[kept], ends, train.n_labels)
    emptied = (np.diff(matrix.indptr) > 0) & (np.diff(ends) == 0)
    return replace(train, labels=labels).subset(~emptied)


def _stream(seed: int, kind: str) -> np.random.Generator:
    return np.random.default_rng((seed, *kind.encode()))


CHANGES: dict[str, Callable[[Dataset, float, int], Dataset]] = {
    "none": lambda train, share, seed: train,
    "documents": _documents,
    "pairs": _pairs,
    "replaced": _replaced,
    "labels": _labels,
    "added": _unknown,
    "tuned": _first_part,
}
GROUPED = {"random groups": "random", "similar groups": "similar"}
AS_IS = Change()
