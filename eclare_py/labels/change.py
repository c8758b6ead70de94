"""Taking labels out of a finished model, renaming them, and merging them; nothing is trained."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace

import numpy as np
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.index.clustering import unit_rows
from eclare_py.labels.take import keep, label_level, with_last_level
from eclare_py.linear import LinearRanker
from eclare_py.quantize import coarse_matrix, rounded
from eclare_py.rank.models import Model, method_of
from eclare_py.rank.pipeline import LabelTable, Pipeline
from eclare_py.types import Csr, FloatArray, IntArray, as_csr


def check_kind(model: Model, verb: str) -> None:
    """Refuse a model whose labels cannot be added to, removed or merged.

    Args:
        model: The model.
        verb: "add", "remove" or "merge".

    Raises:
        UsageError: It is not of the fusion, or labels have no vectors of their texts in it.
    """
    if not isinstance(model, Pipeline):
        raise UsageError(
            f"labels {verb} needs label vectors from text, as models of the method fusion have them (recipes default, "
            f"eclare); this one is of the method {method_of(model)}, of which labels can only be renamed"
        )
    if verb == "add" and not model.recipe["label"]["text"]:
        raise UsageError("this model was trained with label.text=false: it has no label vectors from text; train again")


def remove_labels(pipeline: Pipeline, labels: IntArray) -> Pipeline:
    """The model without some labels; what is known of the others stays as it is.

    A hidden label (filter pair) never comes up either, but still takes a place in the beams and is a neighbour; a
    removed one is gone, and so are its text and the train documents that were kept for it alone.

    Args:
        pipeline: The model.
        labels: Rows that go.

    Raises:
        UsageError: No label would be left.
    """
    rows = np.setdiff1d(np.arange(pipeline.n_labels), labels)
    if not len(rows):
        raise UsageError(f"all {pipeline.n_labels} labels would go: leave one at least")
    return pipeline if len(rows) == pipeline.n_labels else keep(pipeline, rows)


def rename_labels(
    pipeline: Model, *, ids: Mapping[int, str] | None = None, texts: Mapping[int, str] | None = None
) -> Model:
    """Other ids or texts for some labels (by row); answers stay the same but for these names.

    A text is what people read: the label's vector stays that of the text it was trained with.

    Raises:
        UsageError: An id that another label has, ids for a model without, an empty text.
    """
    table = pipeline.labels
    new_texts = [(texts or {}).get(row, text) for row, text in enumerate(table.texts)]
    if not all(text.strip() for text in new_texts):
        raise UsageError("a label needs a text that is not empty")
    if ids and table.ids is None:
        raise UsageError("the labels of this model have no ids: give new texts")
    new_ids = None if table.ids is None else [(ids or {}).get(row, name) for row, name in enumerate(table.ids)]
    if new_ids is not None and len(set(new_ids)) < len(new_ids):
        twice = next(name for row, name in enumerate(new_ids) if new_ids.index(name) != row)
        raise UsageError(f"two labels would have the id {twice!r}: remove or merge one of them, or choose another id")
    return replace(pipeline, labels=LabelTable(new_texts, new_ids))


def merge_labels(pipeline: Pipeline, into: Mapping[int, int]) -> Pipeline:
    """Let some labels become part of others, whose name and place in the tree they take.

    Of a merged label and those it takes in, with n train documents each:

    - train documents add up, at most to N (documents that had both count twice: the model does not know which);
    - vector and centroid are means weighted by 1 + n, of length one;
    - the linear classifier takes of every weight the largest, so that a text which was like one of them is like it;
    - edges of both graphs go to it, of two to the same label the heavier; votes and train documents are those of all.

    Args:
        pipeline: The model.
        into: Row of a label that goes -> row of the one it becomes part of.

    Raises:
        UsageError: A label that goes into itself, or into one that goes too.
    """
    for source, target in into.items():
        if source == target or target in into:
            name = pipeline.labels.name
            raise UsageError(f"{name(source)!r} cannot go into {name(target)!r}, which goes itself: name the last one")
    if not into:
        return pipeline
    home = np.arange(pipeline.n_labels)
    home[list(into)] = list(into.values())
    together = _joined(pipeline, home)
    return keep(together, np.setdiff1d(np.arange(pipeline.n_labels), list(into)))


def _joined(pipeline: Pipeline, home: IntArray) -> Pipeline:
    """The model with what the targets get; the others are still there."""
    ranker = pipeline.ranker
    scorer, profile, n_labels = ranker.scorer, ranker.profile, pipeline.n_labels
    shares = (1 + profile.frequencies).astype(np.float32)
    grouped = as_csr(sp.coo_array((shares, (home, np.arange(n_labels))), shape=(n_labels, n_labels)))
    targets = np.flatnonzero(np.bincount(home, minlength=n_labels) > 1)

    def mean(matrix: FloatArray, bits: int) -> FloatArray:
        out = matrix.copy()
        out[targets] = rounded(unit_rows(np.asarray(grouped[targets] @ matrix, dtype=np.float32)), bits)
        return out

    def summed(counts: IntArray) -> IntArray:
        totals = np.bincount(home, counts, minlength=n_labels).astype(np.int64)
        return np.where(np.isin(np.arange(n_labels), targets), np.minimum(totals, ranker.n_documents), counts)

    adjacency = as_csr(_moved(pipeline.graph.adjacency, home))
    graph = type(pipeline.graph).from_adjacency(
        adjacency, kind=pipeline.graph.kind, normalization=pipeline.graph.normalization
    )
    assumed = None if profile.assumed is None else summed(profile.assumed)
    profile = replace(
        profile, frequencies=summed(profile.frequencies), assumed=assumed, centroids=mean(profile.centroids, 4)
    )
    voters = ranker.neighbours
    if voters is not None:
        voters = replace(voters, labels=_votes(voters.labels, home))
    ranker = replace(
        ranker, scorer=replace(scorer, vectors=mean(scorer.vectors, 8)), profile=profile, graph=graph.normalized,
        support=coarse_matrix(_moved(ranker.support, home)), neighbours=voters,
        linear=None if ranker.linear is None else _merged_classifiers(ranker.linear, home, targets),
    )  # fmt: skip
    pairs = pipeline.documents.pairs
    pairs = np.unique(np.stack([home[pairs[:, 0]], pairs[:, 1]], axis=1), axis=0)
    return replace(pipeline, ranker=ranker, graph=graph, documents=replace(pipeline.documents, pairs=pairs))


def _moved(matrix: Csr, home: IntArray) -> Csr:
    """A graph with both ends of every edge at home: the heaviest stays of those that meet, and no loop comes up."""
    coo = matrix.tocoo()
    rows, columns = home[coo.row], home[coo.col]
    kept = (rows != columns) | (coo.row == coo.col)
    rows, columns, weights = rows[kept], columns[kept], coo.data[kept]
    order = np.lexsort((-weights, columns, rows))
    rows, columns, weights = rows[order], columns[order], weights[order]
    first = np.ones(len(rows), dtype=np.bool_)
    first[1:] = (np.diff(rows) != 0) | (np.diff(columns) != 0)
    return as_csr(sp.coo_array((weights[first], (rows[first], columns[first])), shape=matrix.shape))


def _votes(labels: Csr, home: IntArray) -> Csr:
    """(N, L) labels of documents at their homes, each once."""
    moved = as_csr(Csr((labels.data, home[labels.indices], labels.indptr), shape=labels.shape))
    return Csr((np.ones_like(moved.data), moved.indices, moved.indptr), shape=labels.shape)


def _merged_classifiers(linear: LinearRanker, home: IntArray, targets: IntArray) -> LinearRanker:
    """The linear ranker in which each target has the largest of all weights and biases that go to it."""
    last, position = label_level(linear), np.argsort(linear.label_order)
    matrix, bias = last.matrix(), last.bias.copy()
    rows, source = [matrix], np.arange(len(bias))
    for place, target in enumerate(targets.tolist()):
        members = position[np.flatnonzero(home == target)]
        widest = as_csr(matrix[members[:1]])
        for member in members[1:].tolist():
            widest = as_csr(widest.maximum(matrix[[member]]))
        rows.append(widest)
        source[position[target]] = len(bias) + place
        bias[position[target]] = last.bias[members].max()
    weights = as_csr(sp.vstack(rows, format="csr"))[source]
    return with_last_level(linear, as_csr(weights), bias, last.child_ptr, linear.label_order)
