"""The pairs of members and labels that a group's labels may belong to, in flat arrays: never groups x labels."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.sparse import owners, row_ids
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True, eq=False)
class MemberPairs:
    """Bags: a (group, label) that was observed, with the members that may carry the label (filter pairs are out).

    Pairs are sorted by label, then group, then document, so that the bags of a label lie side by side.

    Attributes:
        label_bags: (L+1,) bags of each label.
        bag_pairs: (B+1,) pairs of each bag; a bag may be empty.
        documents: (P,) document of each pair.
        n_documents: N.
    """

    label_bags: IntArray
    bag_pairs: IntArray
    documents: IntArray
    n_documents: int

    @classmethod
    def of(cls, data: AggregatedDataset) -> MemberPairs:
        """All bags of a data set."""
        by_label = data.group_labels.tocsc()
        by_label.sort_indices()
        bag_label = owners(by_label.indptr)
        bag_group = by_label.indices.astype(np.int64)
        bag_of = bag_label * data.n_groups + bag_group  # ascending, as the bags are sorted
        # The labels of the members are those of their groups without filter pairs, see `AggregatedDataset`.
        documents = row_ids(data.labels)
        bags = np.searchsorted(bag_of, data.labels.indices.astype(np.int64) * data.n_groups + data.groups[documents])
        order = np.argsort(bags, kind="stable")
        ends = np.concatenate([[0], np.cumsum(np.bincount(bags, minlength=len(bag_of)))])
        return cls(by_label.indptr.astype(np.int64), ends.astype(np.int64), documents[order], data.n_documents)

    def __len__(self) -> int:
        return len(self.documents)

    @property
    def n_labels(self) -> int:
        """L."""
        return len(self.label_bags) - 1

    @property
    def n_bags(self) -> int:
        """Bags that were observed."""
        return len(self.bag_pairs) - 1

    @cached_property
    def bags(self) -> IntArray:
        """(P,) bag of each pair."""
        return owners(self.bag_pairs)

    @cached_property
    def labels(self) -> IntArray:
        """(P,) label of each pair."""
        return owners(self.label_bags)[self.bags]

    @cached_property
    def groups_of_label(self) -> IntArray:
        """(P,) how many bags the pair's label has."""
        return np.diff(self.label_bags)[self.labels]

    def sums(self, values: npt.NDArray[np.floating[Any]]) -> npt.NDArray[np.float64]:
        """(B,) sums over the pairs of each bag."""
        return np.bincount(self.bags, weights=values, minlength=self.n_bags).astype(np.float64)

    def best(self, scores: FloatArray, *, seed: int = 0) -> IntArray:
        """The pair of the greatest score of each bag that is not empty; among equal ones the choice is random."""
        order = np.lexsort((np.random.default_rng(seed).random(len(scores)), -scores, self.bags))
        filled = np.diff(self.bag_pairs) > 0
        return np.asarray(order[self.bag_pairs[:-1][filled]], dtype=np.int64)

    def softmax(self, scores: npt.NDArray[np.floating[Any]]) -> FloatArray:
        """(P,) softmax within each bag."""
        filled = np.flatnonzero(np.diff(self.bag_pairs) > 0)
        if not len(filled):
            return np.zeros(0, dtype=np.float32)
        greatest = np.zeros(self.n_bags)
        greatest[filled] = np.maximum.reduceat(scores, self.bag_pairs[filled])
        raised = np.exp(scores - greatest[self.bags])
        return (raised / self.sums(raised)[self.bags]).astype(np.float32)

    def matrix(self, kept: BoolArray, values: FloatArray) -> Csr:
        """(N, L) label matrix of some pairs."""
        rows, columns = self.documents[kept], self.labels[kept]
        order = np.lexsort((columns, rows))
        ends = np.concatenate([[0], np.cumsum(np.bincount(rows, minlength=self.n_documents))])
        return as_csr(Csr((values[kept][order], columns[order], ends), shape=(self.n_documents, self.n_labels)))
