"""Searching labels that processes hold in parts: each ranks its own, and the shortlists are put together."""

from __future__ import annotations

import json

import numpy as np

from eclare_py.distributed import Group, Shard
from eclare_py.index import LabelTree, beam_search, exact_search
from eclare_py.index.kernels import rank_leaves
from eclare_py.index.multiplicands import Multiplicands
from eclare_py.index.tree import SUMS
from eclare_py.model.inputs import Inputs
from eclare_py.model.network import EclareNetwork
from eclare_py.quantize import plain
from eclare_py.storage import State
from eclare_py.train.mining import hard_labels, known_labels
from eclare_py.train.prepare import Prepared
from eclare_py.types import PADDING, FloatArray, IntArray, Ranking, rank

_BLOCK = 8192  # documents whose vectors are everywhere at once


def best_of_all(found: Ranking, shard: Shard, group: Group) -> Ranking:
    """The best labels over all processes.

    Args:
        found: (B, k) the best of this process' labels, numbered as they lie here.
        shard: Its labels.
        group: The processes.

    Returns:
        (B, k) of all labels by their ids, ties by lower id; the same everywhere.
    """
    if group.world == 1:
        return found
    own = np.where(found.indices >= 0, found.indices * shard.world + shard.rank, PADDING)
    ids, scores = group.gather_all(own, found.scores)
    return rank(np.concatenate(scores, axis=1), found.indices.shape[1], np.concatenate(ids, axis=1))


def gathered_vectors(vectors: FloatArray, n: int, group: Group) -> FloatArray | None:
    """(n, d) vectors of which every process has some, at process 0; None elsewhere."""
    parts = group.gather(vectors)[0]
    return Shard.of(n, group).whole(parts) if group.leads else None


def share_tree(tree: LabelTree | None, group: Group) -> LabelTree:
    """The tree that process 0 built, everywhere."""
    state = None if tree is None else tree.state()
    sent = None
    if state is not None:
        told = {"meta": state.meta, "names": sorted(state.arrays)}
        sent = np.frombuffer(json.dumps(told).encode(), dtype=np.uint8).copy()
    told = json.loads(group.share(sent).tobytes())
    arrays = {name: group.share(None if state is None else state.arrays[name]) for name in told["names"]}
    return LabelTree.from_state(State(arrays=arrays, meta=told["meta"]))


class SharedScorer:
    """The labels of this process below the leaves of a tree that all have.

    Args:
        tree: The tree over all labels.
        vectors: (len(shard), d) vectors of the labels of this process.
        bias: (len(shard),) their biases.
        beam: Leaves searched per document.
        shard: The labels of this process.
        group: The processes.
    """

    def __init__(
        self, tree: LabelTree, vectors: FloatArray, bias: FloatArray, beam: int, shard: Shard, group: Group
    ) -> None:
        assert tree.score in SUMS
        self.tree, self.vectors, self.bias, self.beam = tree, vectors, bias, beam
        self.shard, self.group = shard, group
        kept = shard.mine(tree.label_order)
        self.leaf_ptr = np.concatenate([[0], np.cumsum(kept)])[tree.leaf_ptr]
        self.order = shard.places(tree.label_order[kept])

    def search(self, documents: FloatArray, k: int) -> Ranking:
        """(B, d) documents, the same everywhere -> (B, k) labels as `index.search` finds them; the same everywhere."""
        if self.tree.n_labels < self.tree.exact_below or self.beam >= self.tree.n_leaves:
            found = exact_search(documents, label_vectors=self.vectors, label_bias=self.bias, k=k)
            return best_of_all(found, self.shard, self.group)
        share = Shard.of(len(documents), self.group)
        leaves = share.whole(self.group.gather_all(beam_search(self.tree, documents[share.part], beam=self.beam)[0])[0])
        found, rows = Ranking.empty(len(documents), k), plain(self.vectors)
        arrays = (self.leaf_ptr, self.order, rows, self.bias, Multiplicands.of(documents, rows))
        rank_leaves(leaves, *arrays, found.indices, found.scores)
        return best_of_all(found, self.shard, self.group)


def mine_together(
    scorer: SharedScorer, network: EclareNetwork, inputs: Inputs, prepared: Prepared, *, count: int
) -> IntArray:
    """`mining.mine` on several processes: every block of documents goes to all, their labels' shortlists come back.

    Args:
        scorer: The labels of this process.
        network: Encodes.
        inputs: The train documents of this process.
        prepared: The data.
        count: Labels wanted per document.

    Returns:
        (N, count) of all documents, the same everywhere.
    """
    group, train = scorer.group, prepared.train
    known = known_labels(train.labels, train.filter_pairs)
    out = np.full((train.n_documents, count), PADDING, dtype=np.int64)
    block = _BLOCK // group.world * group.world
    for start in range(0, train.n_documents, block):
        rows = slice(start, min(start + block, train.n_documents))
        shard = Shard.of(rows.stop - rows.start, group)  # the same owners, as blocks begin with process 0
        own = network.encode_documents(inputs[start // group.world : start // group.world + len(shard)])
        documents = shard.whole(group.gather_all(own)[0])
        found = scorer.search(documents, min(count + 20, train.n_labels)).indices
        hard_labels(known[rows], found, out[rows])
    return out
