"""Batches: some documents, the labels at hand, and which of these are relevant or ignored."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from eclare_py.distributed import Shard
from eclare_py.sparse import among, mask_among, pair_matrix
from eclare_py.train.bags import Bags, BatchBags
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True)
class Batch:
    """One step's worth.

    Attributes:
        documents: (B,) rows of the train set.
        labels: (l,) ascending ids of the labels at hand: every positive, the negatives of every document, and random
            ones that fill l up to a multiple.
        positives: (B, l) true where relevant and not ignored.
        ignored: (B, l) true for filter pairs.
        soft: (S,) rows, columns and targets of the pairs that are relevant in part, or None.
        bags: Groups whose labels count instead of those of documents, or None.
        at_hand: Labels at hand of all processes; `labels` are those of them that this process holds.
    """

    documents: IntArray
    labels: IntArray
    positives: BoolArray
    ignored: BoolArray
    soft: tuple[IntArray, IntArray, FloatArray] | None = None
    bags: BatchBags | None = None
    at_hand: IntArray | None = None


class BatchSource:
    """Seeded batches of an epoch; the same (seed, stage, epoch, step) gives the same batch in any process.

    Args:
        labels: (N, L) label matrix.
        filter_pairs: (F, 2) pairs that are neither positive nor negative.
        batch_size: Documents per step.
        seed: Seed.
        stage: Name of the stage, so that stages do not repeat each other's order.
        at_hand: Labels at hand at least, as far as there are more.
        multiple: Labels at hand are filled up to a multiple of this, as far as there are more. Matrix products are
            compiled for every new shape: with shapes that come again, a step takes a fifth less.
        soft: (N, L) targets between 0 and 1 of pairs that are neither relevant nor filtered; one label of each document
            is drawn to the labels at hand.
        bags: Groups that batches take whole, with labels of theirs.
        shard: Labels that this process scores; None: all. The documents are those of all processes.
    """

    def __init__(
        self,
        labels: Csr,
        filter_pairs: IntArray,
        *,
        batch_size: int,
        seed: int,
        stage: str,
        at_hand: int = 0,
        multiple: int = 128,
        soft: Csr | None = None,
        bags: Bags | None = None,
        shard: Shard | None = None,
    ) -> None:
        self.labels, self.soft, self.bags = labels, soft, bags
        self.shard = shard or Shard(labels.shape[1])
        self.filters = pair_matrix(filter_pairs, labels.shape)
        self.batch_size, self.at_hand, self.multiple = min(batch_size, labels.shape[0]), at_hand, multiple
        self.entropy = (seed, *stage.encode())

    @property
    def steps(self) -> int:
        """Batches in an epoch, of equal size up to one document, so that an epoch sees every document once."""
        return -(-self.labels.shape[0] // self.batch_size)

    def epoch(
        self,
        epoch: int,
        *,
        start: int = 0,
        negatives: IntArray | None = None,
        drawn: int = 0,
        clusters: IntArray | None = None,
    ) -> Iterator[tuple[int, Batch]]:
        """Batches of an epoch from step `start` on.

        Args:
            epoch: Number of the epoch.
            start: First step, when training goes on in the middle.
            negatives: (N, M) mined hard labels of every document, -1 where there are fewer.
            drawn: Of these, drawn anew for each document.
            clusters: (N,) cluster of every document, see `clusters.clustered`; None: documents come together by chance.
        """
        if self.bags is not None:
            clusters = self.bags.groups
        order, ends = self._order(np.random.default_rng((*self.entropy, epoch)), clusters)
        for step in range(start, self.steps):
            chosen = np.sort(order[ends[step] : ends[step + 1]])
            rng, hard = np.random.default_rng((*self.entropy, epoch, step)), None
            if negatives is not None and drawn:
                slots = rng.integers(0, negatives.shape[1], size=(len(chosen), drawn))
                hard = np.take_along_axis(negatives[chosen], slots, axis=1)
            yield step, self.batch(chosen, rng, hard)

    def _order(self, rng: np.random.Generator, clusters: IntArray | None) -> tuple[IntArray, IntArray]:
        """(N,) documents in the order of an epoch, and the (steps + 1,) ends of its batches in it."""
        n_documents = self.labels.shape[0]
        bounds = np.arange(self.steps + 1, dtype=np.int64)
        if clusters is None:
            return rng.permutation(n_documents), bounds * n_documents // self.steps
        sizes = np.bincount(clusters)
        drawn = rng.permutation(len(sizes))
        place = np.empty(len(sizes), dtype=np.int64)
        place[drawn] = np.arange(len(sizes))
        ends = np.concatenate([[0], np.cumsum(sizes[drawn])])[bounds * len(sizes) // self.steps]
        return np.argsort(place[clusters], kind="stable"), ends

    def batch(self, documents: IntArray, rng: np.random.Generator, hard: IntArray | None = None) -> Batch:
        """The batch of some documents, with hard labels (B, m) where given."""
        relevant, filtered = self.labels[documents], self.filters[documents]
        pool = [relevant.indices] if hard is None else [relevant.indices, hard[hard >= 0]]
        if self.bags is not None:
            pool.append(self.bags.beliefs[documents].indices)
        graded = None if self.soft is None else self.soft[documents]
        if graded is not None:
            pool.append(_one_of_each(graded, rng))
        everywhere = self._filled(np.unique(np.concatenate(pool)).astype(np.int64), rng)
        at_hand = everywhere if self.shard.world == 1 else everywhere[self.shard.mine(everywhere)]
        ignored = mask_among(filtered, at_hand)
        soft = None
        if graded is not None:
            rows, columns, found = among(graded, at_hand)
            soft = (rows, columns, graded.data[found])
        bags = None if self.bags is None else self.bags.batch(documents, at_hand, ignored)
        return Batch(documents, at_hand, mask_among(relevant, at_hand) & ~ignored, ignored, soft, bags, everywhere)

    def _filled(self, at_hand: IntArray, rng: np.random.Generator) -> IntArray:
        """The labels with random others, up to the least number and the next multiple, or to all there are."""
        n_labels = self.labels.shape[1]
        wanted = min(-(-max(len(at_hand), self.at_hand) // self.multiple) * self.multiple, n_labels)
        if wanted == n_labels:
            return np.arange(n_labels, dtype=np.int64)
        while len(at_hand) < wanted:
            at_hand = np.union1d(at_hand, rng.integers(0, n_labels, wanted - len(at_hand)))
        return at_hand


def split_filtered(labels: Csr, filter_pairs: IntArray) -> tuple[Csr, Csr]:
    """Relevant labels without filter pairs, and the filter pairs, both (N, L)."""
    ignored, relevant = pair_matrix(filter_pairs, labels.shape), as_csr(labels != 0)
    relevant = as_csr(relevant - relevant.multiply(ignored != 0))
    relevant.eliminate_zeros()
    return relevant, ignored


def _one_of_each(matrix: Csr, rng: np.random.Generator) -> IntArray:
    """A random column of every row that has one."""
    counts = np.diff(matrix.indptr)
    drawn = matrix.indptr[:-1] + (rng.random(len(counts)) * counts).astype(np.int64)
    return np.asarray(matrix.indices[drawn[counts > 0]], dtype=np.int64)
