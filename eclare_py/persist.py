"""Saving and loading a whole model: one folder of safetensors and JSON, with a manifest; nothing in it can run code.

A model folder holds, beside `manifest.json`:
- a pair NAME.safetensors, NAME.json for each of features, encoder, scorer, profile, tree, graph, support, network,
  documents, calibration, and for linear, first and final (the fusion networks) and held_out where the model has them;
- of the method `linear`: features, labels_seen and linear0 ..; of gated clusters: features, encoder, clusters,
  classifiers, and pairs and mixture where a second ranking follows;
- `labels.json` (texts and ids of the labels), `recipe.json`, `facts.json` (what is known of the training);
- `transformer/`, a sentence-transformers model, where one learned with the model or gives the dense columns of a linear
  ranker; it is read at the first answer. One that stayed frozen in a fusion is not stored: the recipe names its folder,
  which has to be there for an answer;
- `events.jsonl`, the log of the training, where there is one.

Loading needs neither torch nor scikit-learn.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from eclare_py import __version__
from eclare_py.config import load_config
from eclare_py.errors import ConfigError, ModelError
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.features.transformer_config import TransformerConfig
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index import LabelTree
from eclare_py.linear import LinearConfig, LinearRanker
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.quantize import to_arrays
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.cluster_state import cluster_pipeline, cluster_states
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.held_out import HeldOut
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.models import Model
from eclare_py.rank.pipeline import LabelTable, Pipeline, TrainDocuments, transformer_config
from eclare_py.rank.ranker import LabelScorer, Ranker
from eclare_py.storage import (
    State,
    atomic_folder,
    csr_from_arrays,
    csr_to_arrays,
    read_json,
    read_state,
    verify_manifest,
    write_json,
    write_state,
)
from eclare_py.storage.vectors import read_dense, read_rows, vectors_to_arrays
from eclare_py.types import Csr, IntArray

KIND = "model"
LOG = "events.jsonl"
HELD_OUT = "held_out"
TRANSFORMER = "transformer"
T = TypeVar("T")
_MEND = "restore the folder from its source or train again"


def save_pipeline(pipeline: Model, path: str | Path, *, log: str | Path | None = None) -> None:
    """Write a model, all or nothing; an earlier model at `path` is replaced, anything else there is refused.

    Args:
        pipeline: The trained model.
        path: The model folder.
        log: Event log of the training, kept with the model.

    Raises:
        UsageError: `path` holds something that is not a model.
        ModelError: The disk is full, or a part holds NaN; what was at `path` is unchanged.
    """
    extra = {
        "version": __version__,
        "recipe": pipeline.recipe.get("name", ""),
        "labels": pipeline.n_labels,
        "documents": pipeline.facts.get("documents", 0),
    }
    if not isinstance(pipeline, LinearPipeline):
        extra["dim"] = pipeline.encoder.dim
    with atomic_folder(path, kind=KIND, extra=extra) as folder:
        for name, state in _states(pipeline).items():
            write_state(folder, name, state)
        transformer = _transformer(pipeline)
        if transformer is not None:
            transformer.save(folder / TRANSFORMER)
        write_json(folder / "labels.json", {"texts": pipeline.labels.texts, "ids": pipeline.labels.ids})
        write_json(folder / "recipe.json", pipeline.recipe, indent=1)
        write_json(folder / "facts.json", pipeline.facts, indent=1)
        if log is not None and Path(log).is_file():
            shutil.copyfile(log, folder / LOG)


def load_pipeline(path: str | Path) -> Model:
    """Read a model that `save_pipeline` wrote, after checking every file against the manifest and the parts together.

    Raises:
        ModelError: Missing, damaged, of a newer version, or parts that do not belong together; names the file.
    """
    folder = Path(path)
    verify_manifest(folder, KIND)
    recipe, facts, labels = (_mapping(folder, name) for name in ("recipe", "facts", "labels"))
    table = _label_table(folder, labels)
    n_labels = len(table.texts)
    features = TfidfFeatures.from_state(read_state(folder, "features"))
    if recipe.get("method") in ("linear", "xr_transformer"):
        return _linear_pipeline(folder, recipe, features, table, facts)
    if (folder / "clusters.json").exists():
        vectors = _encoder(folder, features) if (folder / "encoder.json").exists() else _own_vectors(folder, recipe)
        return cluster_pipeline(partial(read_state, folder), recipe, features, vectors, table, facts)
    encoder = _encoder(folder, features)
    scorer, n_documents = _scorer(folder, n_labels, encoder.dim)
    profile = _profile(folder, n_labels, encoder.dim, features.n_features, n_documents)
    graph = LabelGraph.from_state(read_state(folder, "graph"))
    if graph.n_labels != n_labels:
        raise ModelError(f"{folder}: the label graph has {graph.n_labels} labels, the model {n_labels}; {_MEND}")
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
        held_out=HeldOut.from_state(read_state(folder, HELD_OUT)) if (folder / f"{HELD_OUT}.json").exists() else None,
        tuned=_tuned(folder, recipe),
    )


def _tuned(folder: Path, recipe: dict[str, Any]) -> SentenceEncoder | None:
    """The transformer inside a model folder, read when it is first needed."""
    inside = folder / TRANSFORMER
    return SentenceEncoder(transformer_config(recipe), folder=inside) if inside.is_dir() else None


def _linear_pipeline(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures, table: LabelTable, facts: dict[str, Any]
) -> LinearPipeline:
    config = _section(folder, recipe, LinearConfig, "linear")
    state = read_state(folder, "labels_seen")
    dense = None
    if "dense" in state.meta:
        dim = _count(folder, "labels_seen", state, "dense")
        # Nothing of the transformer is read before the first text is.
        transformer = _section(folder, recipe, TransformerConfig, "transformer")
        dense = DenseColumns(transformer, dim, config.dense_weight, folder=folder / TRANSFORMER)
    n_features = features.n_features + (0 if dense is None else dense.dim)
    trees = [_linear(folder, f"linear{i}", config, len(table.texts), n_features) for i in range(config.trees)]
    n_documents = _count(folder, "labels_seen", state, "n_documents")
    frequencies = _frequencies(folder, "labels_seen", state, len(table.texts), n_documents)
    if dense is not None and any(tree.n_features != n_features for tree in trees):
        raise ModelError(f"{folder}: the trees do not have the {dense.dim} dense columns of the model; {_MEND}")
    return LinearPipeline(recipe, features, trees, frequencies, n_documents, table, facts, dense)



def _transformer(pipeline: Model) -> DenseColumns | SentenceEncoder | None:
    """The transformer that is saved with a model, if any."""
    if isinstance(pipeline, LinearPipeline):
        return pipeline.dense
    if isinstance(pipeline, Pipeline):
        return pipeline.tuned
    return pipeline.encoder if isinstance(pipeline.encoder, DenseColumns) else None


def _own_vectors(folder: Path, recipe: dict[str, Any]) -> DenseColumns:
    """The transformer whose vectors are those of the documents; nothing of it is read before the first text is."""
    dim = _count(folder, "classifiers", read_state(folder, "classifiers"), "dense")
    config = _section(folder, recipe, TransformerConfig, "transformer")
    return DenseColumns(config, dim, 1.0, folder=folder / TRANSFORMER)


def _states(pipeline: Model) -> dict[str, State]:
    if isinstance(pipeline, ClusterPipeline):
        return cluster_states(pipeline)
    if isinstance(pipeline, LinearPipeline):
        dense = {} if pipeline.dense is None else {"dense": pipeline.dense.dim}
        seen = State({"frequencies": pipeline.frequencies}, {"n_documents": pipeline.n_documents, **dense})
        trees = {f"linear{i}": tree.state() for i, tree in enumerate(pipeline.trees)}
        return {"features": pipeline.features.state(), "labels_seen": seen, **trees}
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
    for name, network in (("first", ranker.first), ("final", ranker.final)):
        if network is not None:
            states[name] = network.state()
    return states


def _mapping(folder: Path, name: str) -> dict[str, Any]:
    file = folder / f"{name}.json"
    value = read_json(file)
    if not isinstance(value, dict):
        raise ModelError(f"{file} holds a {type(value).__name__}, not an object; {_MEND}")
    return value


def _label_table(folder: Path, labels: dict[str, Any]) -> LabelTable:
    texts, ids = labels.get("texts"), labels.get("ids")
    if not _are_texts(texts) or not texts:
        raise ModelError(f"{folder / 'labels.json'}: texts must be a list of at least one text; {_MEND}")
    if ids is not None and (not _are_texts(ids) or len(ids) != len(texts)):
        raise ModelError(f"{folder / 'labels.json'}: ids must be one text for each of {len(texts)} labels; {_MEND}")
    return LabelTable(texts, ids)


def _are_texts(values: Any) -> TypeGuard[list[str]]:
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def _encoder(folder: Path, features: TfidfFeatures) -> FrozenEncoder:
    state = read_state(folder, "encoder")
    dim = len(_array(folder, "encoder", state, "bias", np.float32, (None,)))
    for name, shape in (("weight", (dim, dim)), ("projection", (None, dim))):
        _array(folder, "encoder", state, name, np.float32, shape)
    encoder = FrozenEncoder.from_state(state)
    # Compiled sums do not look at bounds: a table with fewer rows would be read beyond its end.
    if encoder.n_terms not in (0, features.n_features) or not encoder.n_terms + len(encoder.projection):
        raise ModelError(
            f"{folder}: the encoder knows {encoder.n_terms} terms, the features {features.n_features}; {_MEND}"
        )
    return encoder


def _scorer(folder: Path, n_labels: int, dim: int) -> tuple[LabelScorer, int]:
    """The dense side, and the number of documents trained on."""
    state = read_state(folder, "scorer")
    vectors = read_dense(folder, "scorer", state, "vectors", n_labels, dim)
    bias = _array(folder, "scorer", state, "bias", np.float32, (n_labels,))
    beam, n_documents = (_count(folder, "scorer", state, name) for name in ("beam", "n_documents"))
    tree_state = read_state(folder, "tree")
    routers = read_dense(folder, "tree", tree_state, "routers", None, dim)
    tree = LabelTree.from_state(State(tree_state.arrays | {"routers": routers}, tree_state.meta))
    if tree.n_labels != n_labels or tree.routers.shape[1] != dim:
        raise ModelError(
            f"{folder}: the tree is over {tree.n_labels} labels of {tree.routers.shape[1]} dimensions, the model has "
            f"{n_labels} of {dim}; {_MEND}"
        )
    return LabelScorer(vectors, bias, tree, beam), n_documents


def _count(folder: Path, part: str, state: State, name: str) -> int:
    value: Any = state.meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"{folder / part}.json: {name} is {value!r}, expected a whole number from 1; {_MEND}")
    return value


def _profile(folder: Path, n_labels: int, dim: int, n_features: int, n_documents: int) -> LabelProfile:
    state = read_state(folder, "profile")
    frequencies = _frequencies(folder, "profile", state, n_labels, n_documents)
    centroids = read_dense(folder, "profile", state, "centroids", n_labels, dim)
    terms = csr_from_arrays(state.arrays, "terms", "terms of the labels", shape=(n_labels, n_features))
    return LabelProfile(frequencies, centroids, Csr(terms, dtype=np.float32))


def _frequencies(folder: Path, part: str, state: State, n_labels: int, n_documents: int) -> IntArray:
    frequencies = _array(folder, part, state, "frequencies", np.int64, (n_labels,))
    if frequencies.min() < 0 or frequencies.max() > n_documents:
        worst = frequencies.min() if frequencies.min() < 0 else frequencies.max()
        raise ModelError(f"{folder / part}.safetensors: frequencies holds {worst}, not 0 to {n_documents}; {_MEND}")
    return frequencies


def _section(folder: Path, recipe: dict[str, Any], kind: type[T], name: str) -> T:
    try:
        return load_config(kind, recipe.get(name, {}), str(folder / "recipe.json"))
    except ConfigError as error:
        raise ModelError(f"{error}; {_MEND}") from error


def _linear(folder: Path, part: str, config: LinearConfig, n_labels: int, n_features: int) -> LinearRanker:
    linear = LinearRanker.from_state(read_state(folder, part), config)
    if len(linear.label_order) != n_labels or linear.n_features > n_features:
        raise ModelError(
            f"{folder}: {part} is over {len(linear.label_order)} labels and {linear.n_features} features, the model "
            f"has {n_labels} and {n_features}; {_MEND}"
        )
    return linear


def _ranker(
    folder: Path,
    recipe: dict[str, Any],
    scorer: LabelScorer,
    profile: LabelProfile,
    graph: LabelGraph,
    n_documents: int,
    n_features: int,
) -> Ranker:
    config = _section(folder, recipe, RankConfig, "rank")
    shape = (len(scorer.vectors), len(scorer.vectors))
    support = csr_from_arrays(read_state(folder, "support").arrays, "support", "support graph", shape=shape)
    support = Csr(support, dtype=np.float32)
    if support.nnz and not (np.isfinite(support.data).all() and support.data.min() > 0):
        raise ModelError(f"{folder / 'support.safetensors'}: weights must be above 0 and finite; {_MEND}")
    linear = None
    if config.linear:
        settings = _section(folder, recipe, LinearConfig, "linear")
        linear = _linear(folder, "linear", settings, len(scorer.vectors), n_features)
    ranker = Ranker(scorer, profile, graph.normalized, support, config, n_documents, linear)
    ranker = replace(
        ranker,
        first=_fusion(folder, "first", ranker.first_columns),
        calibration=Calibration.from_state(read_state(folder, "calibration")),
    )
    return replace(ranker, final=_fusion(folder, "final", ranker.final_columns)) if ranker.uses_graph else ranker


def _fusion(folder: Path, name: str, columns: tuple[str, ...]) -> FusionNetwork:
    network = FusionNetwork.from_state(read_state(folder, name))
    if network.columns != columns:
        raise ModelError(f"{folder / name}.json: columns {network.columns} are not {columns} of this version; {_MEND}")
    return network


def _network(folder: Path, n_labels: int, dim: int) -> dict[str, npt.NDArray[Any]]:
    state = read_state(folder, "network")
    _array(folder, "network", state, "label_encoder.bias", np.float32, (n_labels,))
    if "label_encoder.free.weight" in state.arrays:
        _array(folder, "network", state, "label_encoder.free.weight", np.float32, (n_labels, dim))
    if "label_encoder.shared.weight" in state.arrays:
        shared = _array(folder, "network", state, "label_encoder.shared.weight", np.float32, (None, dim))
        clusters = _array(folder, "network", state, "label_encoder.clusters", np.int64, (n_labels,))
        if len(clusters) and not 0 <= clusters.min() <= clusters.max() < len(shared):
            raise ModelError(
                f"{folder / 'network.safetensors'}: clusters lie outside the {len(shared)} shared vectors; {_MEND}"
            )
    return state.arrays


def _documents(folder: Path, n_labels: int, dim: int) -> TrainDocuments:
    state = read_state(folder, "documents")
    names = state.meta.get("names")
    if not _are_texts(names):
        raise ModelError(f"{folder / 'documents.json'}: names must be a list of texts; {_MEND}")
    vectors = read_rows(folder, "documents", state, "vectors", len(names), dim)
    pairs = _array(folder, "documents", state, "pairs", np.int64, (None, 2))
    if len(pairs) and (
        pairs.min() < 0 or np.any(pairs.max(axis=0) >= (n_labels, len(names))) or np.any(np.diff(pairs[:, 0]) < 0)
    ):
        raise ModelError(
            f"{folder / 'documents.safetensors'}: pairs are not sorted, or outside {n_labels} labels and "
            f"{len(names)} documents; {_MEND}"
        )
    return TrainDocuments(names, vectors, pairs)


def _array(
    folder: Path, part: str, state: State, name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """An array of a part, checked for type and shape; None in the shape is any length."""
    array, file = state.arrays.get(name), folder / f"{part}.safetensors"
    if array is None:
        raise ModelError(f"{file}: array {name} is missing; {_MEND}")
    fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if array.dtype != dtype or not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ModelError(f"{file}: {name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {wanted}; {_MEND}")
    return array
