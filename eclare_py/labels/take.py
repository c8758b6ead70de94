"""The labels of a finished model, some taken out and some put in: every array that has a row for each label, made anew.

Nothing is trained or clustered again. What belongs to the labels that stay is copied bit by bit.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index import LabelTree
from eclare_py.linear import LinearRanker
from eclare_py.linear.chunks import Chunks
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.label_network import PER_LABEL
from eclare_py.rank.pipeline import LabelTable, Pipeline, TrainDocuments
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


@dataclass(frozen=True)
class Classifiers:
    """What new labels have in the linear ranker.

    Attributes:
        weights: (n, V) weights on the features.
        bias: (n,).
        parents: (n,) node of the last but one level each is put under.
    """

    weights: Csr
    bias: FloatArray
    parents: IntArray


@dataclass(frozen=True)
class Arrivals:
    """n labels to put in behind those that stay, of which there are L; L' = L + n.

    Attributes:
        names: Their texts and ids.
        vectors: (n, d).
        bias: (n,) added to their cosine.
        leaves: (n,) leaf of the tree each is put into.
        frequencies: (n,) train documents: 0 of a label that was never trained.
        assumed: (n,) frequencies as the fusion takes them.
        centroids: (n, d).
        terms: (n, V).
        graph: (n, L') rows of the label graph.
        support: (n, L') rows of the support graph.
        supporters: (L, n) columns of it: what the other labels give to these.
        classifiers: In the linear ranker, where there is one.
    """

    names: LabelTable
    vectors: FloatArray
    bias: FloatArray
    leaves: IntArray
    frequencies: IntArray
    assumed: IntArray
    centroids: FloatArray
    terms: Csr
    graph: Csr
    support: Csr
    supporters: Csr
    classifiers: Classifiers | None

    def __len__(self) -> int:
        """Number of labels, n."""
        return len(self.vectors)


def keep(pipeline: Pipeline, rows: IntArray) -> Pipeline:
    """The model with some of its labels alone.

    Args:
        pipeline: The model.
        rows: The labels that stay, ascending.
    """
    ranker, labels = pipeline.ranker, pipeline.labels
    scorer, profile, voters = ranker.scorer, ranker.profile, ranker.neighbours
    ids = None if labels.ids is None else [labels.ids[row] for row in rows]
    graph = _graph_of(pipeline.graph, as_csr(pipeline.graph.adjacency[rows][:, rows]))
    tree = keep_in_tree(scorer.tree, rows)
    ranker = replace(
        ranker,
        scorer=replace(scorer, vectors=scorer.vectors[rows], bias=scorer.bias[rows], tree=tree),
        profile=LabelProfile(
            profile.frequencies[rows], profile.centroids[rows], as_csr(profile.terms[rows]),
            None if profile.assumed is None else profile.assumed[rows],
        ),
        graph=graph.normalized,
        support=as_csr(ranker.support[rows][:, rows]),
        linear=None if ranker.linear is None else keep_classifiers(ranker.linear, rows),
        neighbours=None if voters is None else replace(voters, labels=as_csr(voters.labels[:, rows])),
    )  # fmt: skip
    return replace(
        pipeline,
        ranker=ranker,
        graph=graph,
        labels=LabelTable([labels.texts[row] for row in rows], ids),
        network=_parameters(pipeline.network, lambda values: values[rows]),
        documents=keep_documents(pipeline.documents, rows, pipeline.n_labels),
    )


def put_in(pipeline: Pipeline, new: Arrivals) -> Pipeline:
    """The model with more labels, behind its own."""
    ranker, labels = pipeline.ranker, pipeline.labels
    scorer, profile, size = ranker.scorer, ranker.profile, pipeline.n_labels + len(new)
    graph = _graph_of(pipeline.graph, _below(pipeline.graph.adjacency, new.graph, size))
    support = _below(as_csr(sp.hstack([ranker.support, new.supporters], format="csr")), new.support, size)
    linear = ranker.linear
    if linear is not None and new.classifiers is not None:
        linear = put_in_classifiers(linear, new.classifiers)
    voters = ranker.neighbours
    if voters is not None:
        voted = voters.labels
        wide = Csr((voted.data, voted.indices, voted.indptr), shape=(voted.shape[0], size))
        voters = replace(voters, labels=as_csr(wide))
    ranker = replace(
        ranker,
        scorer=replace(
            scorer, vectors=np.concatenate([scorer.vectors, new.vectors]), tree=put_in_tree(scorer.tree, new.leaves),
            bias=np.concatenate([scorer.bias, new.bias]),
        ),
        profile=LabelProfile(
            np.concatenate([profile.frequencies, new.frequencies]),
            np.concatenate([profile.centroids, new.centroids]),
            as_csr(sp.vstack([profile.terms, new.terms], format="csr")),
            np.concatenate([profile.priors, new.assumed]),
        ),
        graph=graph.normalized,
        support=support,
        linear=linear,
        neighbours=voters,
    )  # fmt: skip
    ids = None if labels.ids is None or new.names.ids is None else [*labels.ids, *new.names.ids]

    def longer(values: npt.NDArray[Any]) -> npt.NDArray[Any]:
        return np.concatenate([values, np.zeros((len(new), *values.shape[1:]), values.dtype)])

    return replace(
        pipeline,
        ranker=ranker,
        graph=graph,
        labels=LabelTable([*labels.texts, *new.names.texts], ids),
        network=_parameters(pipeline.network, longer),
    )


def keep_in_tree(tree: LabelTree, rows: IntArray) -> LabelTree:
    """The tree without the labels that go: leaves get shorter, or empty; nodes and routers stay."""
    fresh = np.full(tree.n_labels, -1, dtype=np.int64)
    fresh[rows] = np.arange(len(rows))
    order = fresh[tree.label_order]
    kept = order >= 0
    return replace(tree, label_order=order[kept], leaf_ptr=np.concatenate([[0], np.cumsum(kept)])[tree.leaf_ptr])


def put_in_tree(tree: LabelTree, leaves: IntArray) -> LabelTree:
    """The tree with the labels L, L + 1, ... behind those of their leaves; nodes and routers stay."""
    ordered = np.argsort(leaves, kind="stable")  # not by place: an empty leaf ends where the one before it ends
    order = np.insert(tree.label_order, tree.leaf_ptr[leaves[ordered] + 1], tree.n_labels + ordered)
    counts = np.diff(tree.leaf_ptr) + np.bincount(leaves, minlength=tree.n_leaves)
    return replace(tree, label_order=order, leaf_ptr=np.concatenate([[0], np.cumsum(counts)]).astype(np.int64))


def keep_classifiers(linear: LinearRanker, rows: IntArray) -> LinearRanker:
    """The linear ranker without the labels that go; a node may be left without children."""
    fresh = np.full(len(linear.label_order), -1, dtype=np.int64)
    fresh[rows] = np.arange(len(rows))
    order, last = fresh[linear.label_order], label_level(linear)
    kept = order >= 0
    child_ptr = np.concatenate([[0], np.cumsum(kept)])[last.child_ptr].astype(np.int64)
    return with_last_level(linear, as_csr(last.matrix()[np.flatnonzero(kept)]), last.bias[kept], child_ptr, order[kept])


def put_in_classifiers(linear: LinearRanker, new: Classifiers) -> LinearRanker:
    """The linear ranker with the labels L, L + 1, ... behind the children of their parents."""
    last, n_old = label_level(linear), len(linear.label_order)
    ordered = np.argsort(new.parents, kind="stable")
    both = as_csr(sp.vstack([last.matrix(), new.weights], format="csr"))
    order = np.insert(np.arange(n_old), last.child_ptr[new.parents[ordered] + 1], n_old + ordered)
    counts = np.diff(last.child_ptr) + np.bincount(new.parents, minlength=last.n_chunks)
    child_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
    bias = np.concatenate([last.bias, new.bias])[order]
    labels = np.concatenate([linear.label_order, np.arange(n_old, n_old + len(new.bias))])[order]
    return with_last_level(linear, as_csr(both[order]), bias, child_ptr, labels)


def keep_documents(documents: TrainDocuments, rows: IntArray, n_labels: int) -> TrainDocuments:
    """The train documents of the labels that stay; those of other labels alone go."""
    fresh = np.full(n_labels, -1, dtype=np.int64)
    fresh[rows] = np.arange(len(rows))
    pairs = documents.pairs[fresh[documents.pairs[:, 0]] >= 0]
    used, places = np.unique(pairs[:, 1], return_inverse=True)
    pairs = np.stack([fresh[pairs[:, 0]], places.astype(np.int64)], axis=1)
    vectors = type(documents.vectors)(documents.vectors.values[used], documents.vectors.scale[used])
    return TrainDocuments([documents.names[place] for place in used.tolist()], vectors, pairs)


def label_level(linear: LinearRanker) -> Chunks:
    """The last level, whose children are the labels.

    Raises:
        UsageError: Labels end on other levels too.
    """
    if linear.ends:
        raise UsageError(
            "the linear tree of this model has labels on several levels (linear.latency, index.latency): its labels "
            "cannot be changed; train with these settings left out"
        )
    return linear.levels[-1]


def with_last_level(
    linear: LinearRanker, weights: Csr, bias: FloatArray, child_ptr: IntArray, order: IntArray
) -> LinearRanker:
    """The linear ranker with other (n, V) weights on its last level."""
    chunks = Chunks.of_columns(
        weights.indptr.astype(np.int64), weights.indices, weights.data, bias, child_ptr, linear.n_features
    )
    return LinearRanker([*linear.levels[:-1], chunks], order.astype(np.int64), linear.config, linear.n_features)


def _graph_of(graph: LabelGraph, adjacency: Csr) -> LabelGraph:
    return LabelGraph.from_adjacency(adjacency, kind=graph.kind, normalization=graph.normalization)


def _below(upper: Csr, lower: Csr, size: int) -> Csr:
    """(size, size): the rows of one matrix, widened, above those of another."""
    wide = Csr((upper.data, upper.indices, upper.indptr), shape=(upper.shape[0], size))
    return as_csr(sp.vstack([wide, lower], format="csr"))


def _parameters(
    network: dict[str, npt.NDArray[Any]], change: Callable[[npt.NDArray[Any]], npt.NDArray[Any]]
) -> dict[str, npt.NDArray[Any]]:
    """The parameters of the network, those with a row for each label changed."""
    return {n: np.ascontiguousarray(change(value)) if n in PER_LABEL else value for n, value in network.items()}
