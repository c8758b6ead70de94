"""Models of the fusion on disk."""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py.errors import ModelError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index import LabelTree
from eclare_py.linear import LinearConfig
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.persist.checks import MEND, are_texts, checked_array, count_of, frequencies_of, section
from eclare_py.persist.linear import TRANSFORMER, read_linear
from eclare_py.quantize import to_arrays
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.held_out import HeldOut
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.pipeline import LabelTable, Pipeline, TrainDocuments, transformer_config
from eclare_py.rank.ranker import LabelScorer, Ranker
from eclare_py.storage import State, about_part, csr_from_arrays, csr_to_arrays, read_part, read_state
from eclare_py.storage.vectors import read_dense, read_rows, vectors_to_arrays
from eclare_py.types import Csr

HELD_OUT = "held_out"
NEIGHBOURS = "neighbours"


def fusion_states(pipeline: Pipeline) -> dict[str, State]:
    """What is saved of a model of the fusion, by part."""
    ranker, documents = pipeline.ranker, pipeline.documents
    scorer, profile = ranker.scorer, ranker.profile
    tree = scorer.tree.state()
    states = {
        "features": pipeline.features.state(),
        "encoder": pipeline.encoder.state(),
        "scorer": State(
            vectors_to_arrays("vectors", scorer.vectors) | {"bias": scorer.bias},
            {"beam": scorer.beam, "n_documents": ranker.n_documents},
        ),
        "profile": State(
            csr_to_arrays("terms", profile.terms)
            | vectors_to_arrays("centroids", profile.centroids)
            | {"frequencies": profile.frequencies}
            | ({} if profile.assumed is None else {"assumed": profile.assumed})
        ),
        "tree": State(tree.arrays | vectors_to_arrays("routers", tree.arrays["routers"]), tree.meta),
        "graph": pipeline.graph.state(),
        "support": State(csr_to_arrays("support", ranker.support)),
        "network": State(dict(pipeline.network)),
        "documents": State(
            to_arrays("vectors", documents.vectors) | {"pairs": documents.pairs}, {"names": documents.names}
        ),
    }
    states["calibration"] = ranker.calibration.state()
    if pipeline.held_out is not None:
        states[HELD_OUT] = pipeline.held_out.state()
    if ranker.linear is not None:
        states["linear"] = ranker.linear.state()
    if ranker.neighbours is not None:
        states[NEIGHBOURS] = ranker.neighbours.state()
    for name, network in (("first", ranker.first), ("final", ranker.final)):
        if network is not None:
            states[name] = network.state()
    return states


def fusion_pipeline(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures, table: LabelTable, facts: dict[str, Any]
) -> Pipeline:
    """Read a model of the fusion."""
    n_labels = len(table.texts)
    encoder = read_encoder(folder, features)
    scorer, n_documents = _scorer(folder, n_labels, encoder.dim)
    profile = _profile(folder, n_labels, encoder.dim, features.n_features, n_documents)
    graph = read_part(folder, "graph", LabelGraph.from_state)
    if graph.n_labels != n_labels:
        raise ModelError(f"{folder / 'graph.safetensors'}: the label graph has {graph.n_labels} labels, the model "
                         f"{n_labels}; {MEND}")  # fmt: skip
    return Pipeline(
        recipe=recipe,
        features=features,
        encoder=encoder,
        ranker=_ranker(folder, recipe, scorer, profile, graph, n_documents, features.n_features),
        graph=graph,
        labels=table,
        network=_network(folder, n_labels, encoder.dim),
        documents=_documents(folder, n_labels, encoder.dim),
        facts=facts,
        # Models saved before there were held-out scores do not have the files.
        held_out=read_part(folder, HELD_OUT, HeldOut.from_state) if (folder / f"{HELD_OUT}.json").exists() else None,
        tuned=_tuned(folder, recipe),
    )


def _tuned(folder: Path, recipe: dict[str, Any]) -> SentenceEncoder | None:
    """The transformer inside a model folder, read when it is first needed."""
    inside = folder / TRANSFORMER
    return SentenceEncoder(transformer_config(recipe), folder=inside) if inside.is_dir() else None


def read_encoder(folder: Path, features: TfidfFeatures) -> FrozenEncoder:
    """Read a document encoder that belongs to these features."""
    state = read_state(folder, "encoder")
    dim = len(checked_array(folder, "encoder", state, "bias", np.float32, (None,)))
    for name, shape in (("weight", (dim, dim)), ("projection", (None, dim))):
        checked_array(folder, "encoder", state, name, np.float32, shape)
    with about_part(folder, "encoder"):
        encoder = FrozenEncoder.from_state(state)
    # Compiled sums do not look at bounds: a table with fewer rows would be read beyond its end.
    if encoder.n_terms not in (0, features.n_features) or not encoder.n_terms + len(encoder.projection):
        raise ModelError(
            f"{folder / 'encoder.safetensors'}: the encoder knows {encoder.n_terms} terms, the features "
            f"{features.n_features}; {MEND}"
        )
    return encoder


def _scorer(folder: Path, n_labels: int, dim: int) -> tuple[LabelScorer, int]:
    """The dense side, and the number of documents trained on."""
    state = read_state(folder, "scorer")
    vectors = read_dense(folder, "scorer", state, "vectors", n_labels, dim)
    bias = checked_array(folder, "scorer", state, "bias", np.float32, (n_labels,))
    beam, n_documents = (count_of(folder, "scorer", state, name) for name in ("beam", "n_documents"))
    tree_state = read_state(folder, "tree")
    routers = read_dense(folder, "tree", tree_state, "routers", None, dim)
    with about_part(folder, "tree"):
        tree = LabelTree.from_state(State(tree_state.arrays | {"routers": routers}, tree_state.meta))
    if tree.n_labels != n_labels or tree.routers.shape[1] != dim:
        raise ModelError(
            f"{folder / 'tree.safetensors'}: the tree is over {tree.n_labels} labels of {tree.routers.shape[1]} "
            f"dimensions, the model has {n_labels} of {dim}; {MEND}"
        )
    return LabelScorer(vectors, bias, tree, beam), n_documents


def _profile(folder: Path, n_labels: int, dim: int, n_features: int, n_documents: int) -> LabelProfile:
    state = read_state(folder, "profile")
    frequencies = frequencies_of(folder, "profile", state, n_labels, n_documents)
    centroids = read_dense(folder, "profile", state, "centroids", n_labels, dim)
    with about_part(folder, "profile"):
        terms = csr_from_arrays(state.arrays, "terms", "terms of the labels", shape=(n_labels, n_features))
    assumed = None
    if "assumed" in state.arrays:  # of labels that came later
        assumed = frequencies_of(folder, "profile", state, n_labels, n_documents, name="assumed")
    return LabelProfile(frequencies, centroids, Csr(terms, dtype=np.float32), assumed)


def _ranker(
    folder: Path,
    recipe: dict[str, Any],
    scorer: LabelScorer,
    profile: LabelProfile,
    graph: LabelGraph,
    n_documents: int,
    n_features: int,
) -> Ranker:
    config = section(folder, recipe, RankConfig, "rank")
    shape = (len(scorer.vectors), len(scorer.vectors))
    with about_part(folder, "support"):
        support = csr_from_arrays(read_state(folder, "support").arrays, "support", "support graph", shape=shape)
    support = Csr(support, dtype=np.float32)
    if support.nnz and not (np.isfinite(support.data).all() and support.data.min() > 0):
        raise ModelError(f"{folder / 'support.safetensors'}: weights must be above 0 and finite; {MEND}")
    linear = None
    if config.linear:
        settings = section(folder, recipe, LinearConfig, "linear")
        linear = read_linear(folder, "linear", settings, len(scorer.vectors), n_features)
    votes = config.neighbours and (folder / f"{NEIGHBOURS}.json").exists()  # few documents have none
    neighbours = _neighbours(folder, scorer, n_documents) if votes else None
    ranker = Ranker(scorer, profile, graph.normalized, support, config, n_documents, linear, neighbours=neighbours)
    ranker = replace(
        ranker,
        first=_fusion(folder, "first", ranker.first_columns),
        calibration=read_part(folder, "calibration", Calibration.from_state),
    )
    return replace(ranker, final=_fusion(folder, "final", ranker.final_columns)) if ranker.uses_graph else ranker


def _neighbours(folder: Path, scorer: LabelScorer, n_documents: int) -> Neighbours:
    n_labels, dim = scorer.vectors.shape
    found = read_part(folder, NEIGHBOURS, partial(Neighbours.from_state, dim=dim, n_labels=n_labels))
    if len(found) != n_documents:
        path = folder / f"{NEIGHBOURS}.safetensors"
        raise ModelError(f"{path}: {len(found)} documents vote, the model was trained on {n_documents}; {MEND}")
    return found


def _fusion(folder: Path, name: str, columns: tuple[str, ...]) -> FusionNetwork:
    network = read_part(folder, name, FusionNetwork.from_state)
    if network.columns != columns:
        raise ModelError(f"{folder / name}.json: columns {network.columns} are not {columns} of this version; {MEND}")
    return network


def _network(folder: Path, n_labels: int, dim: int) -> dict[str, npt.NDArray[Any]]:
    state = read_state(folder, "network")
    checked_array(folder, "network", state, "label_encoder.bias", np.float32, (n_labels,))
    if "label_encoder.free.weight" in state.arrays:
        checked_array(folder, "network", state, "label_encoder.free.weight", np.float32, (n_labels, dim))
    if "label_encoder.shared.weight" in state.arrays:
        shared = checked_array(folder, "network", state, "label_encoder.shared.weight", np.float32, (None, dim))
        clusters = checked_array(folder, "network", state, "label_encoder.clusters", np.int64, (n_labels,))
        if len(clusters) and not 0 <= clusters.min() <= clusters.max() < len(shared):
            raise ModelError(
                f"{folder / 'network.safetensors'}: clusters lie outside the {len(shared)} shared vectors; {MEND}"
            )
    return state.arrays


def _documents(folder: Path, n_labels: int, dim: int) -> TrainDocuments:
    state = read_state(folder, "documents")
    names = state.meta.get("names")
    if not are_texts(names):
        raise ModelError(f"{folder / 'documents.json'}: names must be a list of texts; {MEND}")
    vectors = read_rows(folder, "documents", state, "vectors", len(names), dim)
    pairs = checked_array(folder, "documents", state, "pairs", np.int64, (None, 2))
    if len(pairs) and (
        pairs.min() < 0 or np.any(pairs.max(axis=0) >= (n_labels, len(names))) or np.any(np.diff(pairs[:, 0]) < 0)
    ):
        raise ModelError(
            f"{folder / 'documents.safetensors'}: pairs are not sorted, or outside {n_labels} labels and "
            f"{len(names)} documents; {MEND}"
        )
    return TrainDocuments(names, vectors, pairs)
