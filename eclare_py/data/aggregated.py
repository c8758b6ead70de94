"""Aggregated labels: a group of documents has a set of labels, and nobody says which member carries which.

On disk the train split of such a data folder is two files. `groups.json.gz` has an object a line:

    {"members": [0, 7, 12], "target_ind": [3, 41, 88]}        # optional "uid"

`members` are rows of `trn.json.gz` and `target_ind` rows of `lbl.json.gz`, both from 0. Every train document is in
exactly one group; a group of one is a document whose labels are known. The documents of `trn.json.gz` have no
`target_ind`: their own labels must not be in the folder. Test documents keep theirs.

Source: Shen, Yu, Sanghavi and Dhillon, ICML 2020 (EAGLE), the setting AL-XMC.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.data.dataset import Dataset, no_pairs
from eclare_py.data.label_edges import no_edges
from eclare_py.errors import UsageError
from eclare_py.storage.texts import collect_texts
from eclare_py.types import Csr, IntArray, as_csr, check_csr


def no_groups() -> IntArray:
    """(0,) groups."""
    return np.empty(0, dtype=np.int64)


def _no_labels() -> Csr:
    return sp.csr_array((0, 0), dtype=np.float32)


@dataclass(frozen=True, eq=False)
class AggregatedDataset(Dataset):
    """Documents whose labels are known for groups of them; `of` builds one.

    What does not know of groups sees every member with all labels of its group, but for those that a filter pair takes
    from it; label frequencies count groups.

    Attributes:
        groups: (N,) int64 group 0..M-1 of each document; every group has a member.
        group_labels: (M, L) CSR float32, entries 1: labels that at least one member carries.

    Raises:
        ValueError: The parts do not fit each other.
    """

    groups: IntArray = field(default_factory=no_groups)
    group_labels: Csr = field(default_factory=_no_labels)

    def __post_init__(self) -> None:
        super().__post_init__()
        check_csr(self.group_labels, name="group_labels")
        n_groups, n_labels = self.group_labels.shape
        if n_labels != self.n_labels:
            raise ValueError(f"group_labels has {n_labels} columns for {self.n_labels} labels")
        if self.groups.shape != (self.n_documents,) or self.groups.dtype != np.int64:
            raise ValueError(f"groups must be ({self.n_documents},) int64, got {self.groups.shape} {self.groups.dtype}")
        if self.n_documents and (self.groups.min() < 0 or self.groups.max() >= n_groups):
            raise ValueError(f"groups reach {int(self.groups.max())}, outside 0..{n_groups - 1}")
        empty = np.flatnonzero(np.bincount(self.groups, minlength=n_groups) == 0)
        if len(empty):
            raise ValueError(f"group {int(empty[0])} has no member")

    @classmethod
    def of(
        cls,
        texts: Sequence[str],
        groups: IntArray,
        group_labels: Csr,
        label_texts: Sequence[str],
        *,
        ids: Sequence[str] | None = None,
        label_ids: list[str] | None = None,
        filter_pairs: IntArray | None = None,
        label_edges: IntArray | None = None,
    ) -> AggregatedDataset:
        """From N texts, their groups (N,), and the labels (M, L) of the groups; the rest as in `Dataset`."""
        pairs = no_pairs() if filter_pairs is None else filter_pairs
        edges = no_edges() if label_edges is None else label_edges
        labels = labels_of_members(groups, group_labels, pairs)
        return cls(
            collect_texts(texts), labels, list(label_texts), ids, label_ids, pairs, edges, groups=groups,
            group_labels=group_labels,
        )  # fmt: skip

    @property
    def n_groups(self) -> int:
        """M."""
        return int(self.group_labels.shape[0])

    @cached_property
    def label_frequencies(self) -> IntArray:
        """(L,) int64, groups of each label: how many documents it has is not known."""
        return np.bincount(self.group_labels.indices, minlength=self.n_labels).astype(np.int64)

    def with_labels(self, labels: Csr) -> Dataset:
        """The same documents with labels (N, L) of their own."""
        return Dataset(
            self.texts, labels, self.label_texts, self.ids, self.label_ids, self.filter_pairs, self.label_edges
        )

    def subset(self, rows: npt.ArrayLike) -> AggregatedDataset:
        """The documents `rows`; groups are taken whole, as the labels of a part of a group are not known.

        Raises:
            UsageError: A group is taken in part, or a document twice.
        """
        picked = np.asarray(rows)
        picked = np.flatnonzero(picked) if picked.dtype == np.bool_ else picked.astype(np.int64)
        part = self.with_labels(self.labels).subset(picked)
        numbers, counts = np.unique(self.groups[picked], return_counts=True)
        sizes = np.bincount(self.groups, minlength=self.n_groups)[numbers]
        if len(np.unique(picked)) < len(picked) or np.any(counts != sizes):
            at = int(numbers[np.argmax(counts != sizes)]) if np.any(counts != sizes) else int(numbers[0])
            raise UsageError(f"labels are of groups: take all members of group {at}, once each, or none")
        return AggregatedDataset.of(
            part.texts, np.searchsorted(numbers, self.groups[picked]).astype(np.int64),
            as_csr(self.group_labels[numbers]), part.label_texts, ids=part.ids, label_ids=part.label_ids,
            filter_pairs=part.filter_pairs, label_edges=part.label_edges,
        )  # fmt: skip

    def split(self, validation: int | float, *, seed: int) -> tuple[AggregatedDataset, AggregatedDataset]:
        """Set random groups aside, as `Dataset.split` does documents: until they hold as many as are wanted.

        Raises:
            UsageError: One of the two parts would be empty.
        """
        wanted = validation if isinstance(validation, int) else round(validation * len(self))
        sizes = np.bincount(self.groups, minlength=self.n_groups)
        order = np.random.default_rng(seed).permutation(self.n_groups)
        held = int(np.searchsorted(np.cumsum(sizes[order]), wanted)) + 1
        if not 0 < wanted < len(self) or held >= self.n_groups:
            raise UsageError(f"validation={validation!r} of {self.n_groups} groups leaves one part empty")
        chosen = np.isin(self.groups, order[:held])
        return self.subset(~chosen), self.subset(chosen)


def labels_of_members(groups: IntArray, group_labels: Csr, filter_pairs: IntArray) -> Csr:
    """(N, L) all that the members of groups may carry: the labels of their group without their filter pairs."""
    everything = as_csr(group_labels[groups])
    if not len(filter_pairs):
        return everything
    documents = np.repeat(np.arange(len(groups)), np.diff(everything.indptr))
    width = np.int64(group_labels.shape[1])
    found = np.isin(documents * width + everything.indices, filter_pairs[:, 0] * width + filter_pairs[:, 1])
    ends = np.concatenate([[0], np.cumsum(~found)])[everything.indptr]
    return as_csr(
        sp.csr_array((everything.data[~found], everything.indices[~found], ends), shape=everything.shape)
    )


def aggregate(dataset: Dataset, groups: IntArray) -> AggregatedDataset:
    """Forget which member of a group carries which label.

    Args:
        dataset: Documents with labels of their own.
        groups: (N,) group 0..M-1 of each.
    """
    n_groups = int(groups.max(initial=-1)) + 1
    members = sp.csr_array(
        (np.ones(len(groups), np.float32), (groups, np.arange(len(groups)))), shape=(n_groups, len(groups))
    )
    together = as_csr(members @ as_csr(dataset.labels != 0))
    together.data[:] = 1
    return AggregatedDataset.of(
        dataset.texts, groups.astype(np.int64), together, dataset.label_texts, ids=dataset.ids,
        label_ids=dataset.label_ids, filter_pairs=dataset.filter_pairs, label_edges=dataset.label_edges,
    )  # fmt: skip
