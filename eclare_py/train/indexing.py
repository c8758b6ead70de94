"""The index stage: a tree over joint label representations, and what is searched in it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import numpy as np

from eclare_py.data.dataset import Dataset
from eclare_py.distributed import Group
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.graph.normalize import set_self_loops
from eclare_py.index import LabelTree, build_tree, label_centroids, label_representations, mass_routers
from eclare_py.index.descent import assist
from eclare_py.linear import LinearRanker, fit_linear
from eclare_py.model.network import EclareNetwork
from eclare_py.quantize import coarse_matrix, rounded
from eclare_py.rank.candidates import strongest
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.filtered import without
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.ranker import LabelScorer
from eclare_py.sparse import select_entries
from eclare_py.storage.spool import stacked_rows
from eclare_py.train.prepare import Prepared
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, as_csr, row_blocks

_BLOCK = 8192  # rows copied at once


def build_scorer(
    network: EclareNetwork,
    documents: FloatArray,
    prepared: Prepared,
    recipe: Recipe,
    group: Group | None = None,
    *,
    place: Callable[[FloatArray], LabelTree] | None = None,
) -> LabelScorer:
    """Encode the labels as the network stands, cluster them, set the routers.

    A label is clustered by its vector (text, hops, free vector), by the centroid of its documents, and by both of its
    neighbours in the label graph. The routers aim at the labels' own scores, see `mass_routers`.

    Args:
        network: The network.
        documents: (N, d) vectors of the train documents, from `encode_train`.
        prepared: The data.
        recipe: Settings.
        group: Processes that help, see `help_index`.
        place: Gives the tree for (L, d) label vectors, where they are not to be clustered.
    """
    if network.label_encoder.config.prototype:
        network.prototypes = label_centroids(documents, prepared.train.labels)
    vectors = rounded(network.encode_labels())
    scale = float(network.log_scale.detach().exp())
    return scorer_of(vectors, label_bias(network), scale, documents, prepared, recipe, group, place=place)


def label_bias(network: EclareNetwork) -> FloatArray:
    """Biases of the labels that are here, in units of the cosine; zero before the ranker stage."""
    if not network.per_label:
        return np.zeros(len(network.shard), dtype=np.float32)
    scale = float(network.log_scale.detach().exp())
    return np.asarray((network.label_encoder.bias.detach() / scale).cpu().numpy())


def scorer_of(
    vectors: FloatArray, bias: FloatArray, scale: float, documents: FloatArray, prepared: Prepared, recipe: Recipe,
    group: Group | None = None, *, place: Callable[[FloatArray], LabelTree] | None = None,
) -> LabelScorer:  # fmt: skip
    """The same from rounded label vectors (L, d), biases (L,) and the scale of their logits."""
    tree = _cluster(vectors, documents, prepared, recipe, group) if place is None else place(vectors)
    if recipe.index.score == "last":
        tree = tree.with_routers(mass_routers(tree, np.float32(scale) * vectors, np.float32(scale) * bias))
    tree = replace(tree, routers=rounded(tree.routers, 4))
    beam = max(1, min(recipe.index.beam, int(recipe.index.beam_share * tree.n_leaves)))
    return LabelScorer(vectors, bias, tree, beam)


def _cluster(
    vectors: FloatArray, documents: FloatArray, prepared: Prepared, recipe: Recipe, group: Group | None
) -> LabelTree:
    representations = label_representations(
        documents=documents, labels=prepared.train.labels, texts=vectors,
        graph=set_self_loops(prepared.graph.normalized, "none"), config=recipe.index,
    )  # fmt: skip
    counts = prepared.train.label_frequencies
    return build_tree(
        representations, recipe.index, seed=recipe.seed, router_vectors=vectors, counts=counts, group=group
    )


def help_index(recipe: Recipe, group: Group) -> None:
    """What the other processes do while process 0 is in `build_scorer`; an uneven tree it builds alone."""
    if recipe.index.latency.frequency == 0:
        assist(group)


def build_linear(
    tree: LabelTree, rows: Sequence[Csr], train: Dataset, features: TfidfFeatures, recipe: Recipe
) -> LinearRanker | None:
    """Train the linear ranker over the upper levels of the tree; None where the recipe has none.

    It sees the word features (all, where the recipe has no words). Character n-grams would make it six times as costly
    and hardly better: the label vectors know them already.

    Args:
        tree: The label tree.
        rows: TF-IDF rows (n, V) of the documents, part after part.
        train: These documents.
        features: What made the rows.
        recipe: Settings.
    """
    if not recipe.rank.linear:
        return None
    words = _leading(rows, features.n_words or features.n_features)
    return fit_linear(
        words, train.labels, tree.cut(recipe.linear.max_leaf), recipe.linear, filter_pairs=train.filter_pairs,
        seed=recipe.seed,
    )  # fmt: skip


def _leading(parts: Sequence[Csr], width: int) -> Csr:
    """(n, width) the first columns of all parts, part after part; in blocks, as they may be too large for memory."""
    if len(parts) == 1 and width == parts[0].shape[1]:
        return parts[0]
    blocks = (_leading_columns(part[rows], width) for part in parts for rows in row_blocks(part, _BLOCK))
    return stacked_rows(blocks, width)


def _leading_columns(rows: Csr, width: int) -> Csr:
    if width == rows.shape[1]:
        return rows
    kept = select_entries(rows, rows.indices < width)
    return Csr((kept.data, kept.indices, kept.indptr), shape=(rows.shape[0], width))


def build_neighbours(documents: FloatArray, train: Dataset, recipe: Recipe) -> Neighbours:
    """Store the documents that vote. A label of a filter pair gets no vote for it.

    Args:
        documents: (N, d) vectors.
        train: These documents.
        recipe: Settings.
    """
    return Neighbours.of(documents, without(train.labels, train.filter_pairs), seed=recipe.seed)


def label_profile(documents: FloatArray, labels: Csr, terms: Csr, config: RankConfig) -> LabelProfile:
    """Frequencies and centroids of the labels beside their texts; what the settings leave out is zero.

    Args:
        documents: (N, d) document vectors.
        labels: (N, L) their labels.
        terms: (L, V) from `label_terms`.
        config: What the fusion may see.
    """
    centroids = label_centroids(documents, labels)
    return LabelProfile(
        np.bincount(labels.indices, minlength=labels.shape[1]).astype(np.int64),
        # 4 bits do, where vectors that rank by themselves need 8: they are one piece of evidence among many.
        rounded(centroids, 4) if config.documents else np.zeros_like(centroids),
        terms,
    )


def label_terms(label_rows: Csr, config: RankConfig) -> Csr:
    """(L, V) the heaviest terms of the label texts as they are stored; none where the settings leave words out."""
    if not config.words:
        return Csr(label_rows.shape, dtype=np.float32)
    return coarse_matrix(strongest(as_csr(label_rows), config.label_terms))


def encode_train(network: EclareNetwork, prepared: Prepared) -> FloatArray:
    """(N, d) vectors of the train documents."""
    return network.encode_documents(prepared.inputs)
