"""A trained LightXML as the object that answers."""

from __future__ import annotations

from typing import Any

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.index import LabelTree
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.quantize import rounded
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.train.freezing import freeze_documents
from eclare_py.train.lightxml.candidates import Groups
from eclare_py.train.lightxml.session import Session
from eclare_py.train.lightxml.sides import BagSide
from eclare_py.train.recipe import Recipe
from eclare_py.types import FloatArray


def assemble(session: Session, recipe: Recipe | None = None) -> ClusterPipeline:
    """The pipeline: a label scores sigmoid(label) * sigmoid(group) within the best groups (methods.md 2.5).

    The bottleneck is folded into the label vectors, see `LightHeads.folded`: with a document vector of t dimensions a
    label takes t bytes. That is more than `lightxml.hidden` where the first tokens of several layers stand side by
    side, but keeps one vector a document for groups and labels.

    Args:
        session: What was trained.
        recipe: Other values of `lightxml.beam` and `lightxml.generator_only` than it was trained with.
    """
    recipe = recipe or session.recipe
    dataset, settings = session.dataset, recipe.lightxml
    (groups, group_bias), (vectors, bias) = session.heads.folded()
    if settings.generator_only:
        vectors, bias = np.zeros_like(vectors), _share_logits(session)
    index = _index(session.groups, groups, group_bias)
    facts: dict[str, Any] = {
        "documents": dataset.n_documents, "held_out": 0, "labels": dataset.n_labels,
        "features": session.features.n_features, "groups": index.n_leaves,
    }  # fmt: skip
    return ClusterPipeline(
        to_mapping(recipe), session.features, _encoder(session), index, rounded(vectors), bias,
        min(settings.beam, index.n_leaves), dataset.n_labels, dataset.label_frequencies, dataset.n_documents,
        LabelTable(dataset.label_texts, dataset.label_ids), facts,
    )  # fmt: skip


def _index(groups: Groups, routers: FloatArray, bias: FloatArray) -> LabelTree:
    """The groups as one level of clusters; their vectors are as they were learned, since there are few."""
    held = groups.members >= 0
    n_groups = len(held)
    return LabelTree(
        level_ptr=np.array([0, n_groups], dtype=np.int64),
        child_ptr=np.array([n_groups], dtype=np.int64),
        leaf_ptr=np.concatenate([[0], np.cumsum(held.sum(axis=1))]).astype(np.int64),
        label_order=groups.members[held],
        routers=routers,
        bias=bias,
        score="sigmoid",
    )


def _share_logits(session: Session) -> FloatArray:
    """(L,) logits of n_l / n_g: how often a document of a label's group has the label; the generator's own ranking."""
    relevant, groups = session.labels[0], session.groups
    of_label = np.bincount(relevant.indices, minlength=len(groups.of_label))
    of_group = groups.relevant(relevant).sum(axis=0)
    shares = (of_label + 0.5) / (of_group[groups.of_label] + 1.0)
    return np.log(shares / (1 - shares)).astype(np.float32)


def _encoder(session: Session) -> FrozenEncoder | DenseColumns:
    if isinstance(session.side, BagSide):
        return freeze_documents(session.side.documents)
    assert session.transformer is not None
    return DenseColumns.of(session.transformer, 1.0)
