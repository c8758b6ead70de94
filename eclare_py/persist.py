"""Saving and loading a whole model: one folder of safetensors and JSON, with a manifest; nothing in it can run code.

A model folder holds, beside `manifest.json`:
- a pair NAME.safetensors, NAME.json for each of features, encoder, scorer, profile, tree, graph, support, network,
  documents, calibration, and for linear, neighbours, first and final (the fusion networks) and held_out where the
  model has them;
- `labels.json` (texts and ids of the labels), `recipe.json`, `facts.json` (what is known of the training);
- `events.jsonl`, the log of the training, where there is one.

Loading needs neither torch nor scikit-learn.
"""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt

from eclare_py import __version__
from eclare_py.config import load_config
from eclare_py.errors import ConfigError, ModelError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.index import LabelTree
from eclare_py.linear import LinearConfig, LinearRanker
from eclare_py.model.frozen import FrozenEncoder
from eclare_py.quantize import Rows, codes_of, from_arrays, to_arrays
from eclare_py.rank.calibration import Calibration
from eclare_py.rank.config import RankConfig
from eclare_py.rank.evidence import LabelProfile
from eclare_py.rank.fusion import FusionNetwork
from eclare_py.rank.held_out import HeldOut
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.neighbours import Neighbours
from eclare_py.rank.pipeline import LabelTable, Pipeline, TrainDocuments
from eclare_py.rank.ranker import LabelScorer, Ranker
from eclare_py.storage import (
    MANIFEST,
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
from eclare_py.types import Csr, FloatArray, IntArray

KIND = "model"
LOG = "events.jsonl"
HELD_OUT = "held_out"
_MEND = "restore the folder from its source or train again"


def save_pipeline(pipeline: Pipeline | LinearPipeline, path: str | Path, *, log: str | Path | None = None) -> None:
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
    if isinstance(pipeline, Pipeline):
        extra["dim"] = pipeline.encoder.dim
    with atomic_folder(path, kind=KIND, extra=extra) as folder:
        for name, state in _states(pipeline).items():
            write_state(folder, name, state)
        write_json(folder / "labels.json", {"texts": pipeline.labels.texts, "ids": pipeline.labels.ids})
        write_json(folder / "recipe.json", pipeline.recipe, indent=1)
        write_json(folder / "facts.json", pipeline.facts, indent=1)
        if log is not None and Path(log).is_file():
            shutil.copyfile(log, folder / LOG)


def load_pipeline(path: str | Path) -> Pipeline | LinearPipeline:
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
    if recipe.get("method") == "linear":
        return _linear_pipeline(folder, recipe, features, table, facts)
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
    )


def model_sizes(path: str | Path) -> dict[str, int]:
    """Bytes of each part of a model folder on disk, largest first."""
    sizes: dict[str, int] = {}
    for file in sorted(Path(path).iterdir()):
        if file.is_file() and file.name != MANIFEST and not file.name.startswith("."):
            sizes[file.stem] = sizes.get(file.stem, 0) + file.stat().st_size
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))


def _linear_pipeline(
    folder: Path, recipe: dict[str, Any], features: TfidfFeatures, table: LabelTable, facts: dict[str, Any]
) -> LinearPipeline:
    config = _linear_config(folder, recipe)
    trees = [_linear(folder, f"linear{i}", config, len(table.texts), features.n_features) for i in range(config.trees)]
    state = read_state(folder, "labels_seen")
    n_documents = _count(folder, "labels_seen", state, "n_documents")
    frequencies = _frequencies(folder, "labels_seen", state, len(table.texts), n_documents)
    return LinearPipeline(recipe, features, trees, frequencies, n_documents, table, facts)


def _states(pipeline: Pipeline | LinearPipeline) -> dict[str, State]:
    if isinstance(pipeline, LinearPipeline):
        seen = State({"frequencies": pipeline.frequencies}, {"n_documents": pipeline.n_documents})
        trees = {f"linear{i}": tree.state() for i, tree in enumerate(pipeline.trees)}
        return {"features": pipeline.features.state(), "labels_seen": seen, **trees}
    ranker, documents = pipeline.ranker, pipeline.documents
    scorer, profile = ranker.scorer, ranker.profile
    tree = scorer.tree.state()
    states = {
        "features": pipeline.features.state(),
        "encoder": pipeline.encoder.state(),
        "scorer": State(
            _codes("vectors", scorer.vectors) | {"bias": scorer.bias},
            {"beam": scorer.beam, "n_documents": ranker.n_documents},
        ),
        "profile": State(
            csr_to_arrays("terms", profile.terms)
            | _codes("centroids", profile.centroids)
            | {"frequencies": profile.frequencies}
        ),
        "tree": State(tree.arrays | _codes("routers", tree.arrays["routers"]), tree.meta),
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
        states["neighbours"] = ranker.neighbours.state()
    for name, network in (("first", ranker.first), ("final", ranker.final)):
        if network is not None:
            states[name] = network.state()
    return states


def _codes(name: str, matrix: FloatArray) -> dict[str, npt.NDArray[Any]]:
    """A matrix of vectors as one byte a number; `_dense` reads it back."""
    try:
        return to_arrays(name, codes_of(matrix))
    except ValueError as error:
        raise ModelError(f"{name}: {error}; train again") from error


def _rows(folder: Path, part: str, state: State, name: str, rows: int | None, dim: int) -> Rows:
    """Codes of `rows` vectors, where their number is known."""
    file = folder / f"{part}.safetensors"
    try:
        found = from_arrays(state.arrays, name, dim)
    except ValueError as error:
        raise ModelError(f"{file}: {error}; {_MEND}") from error
    if rows is not None and len(found.values) != rows:
        raise ModelError(f"{file}: {name} has {len(found.values)} rows, expected {rows}; {_MEND}")
    return found


def _dense(folder: Path, part: str, state: State, name: str, rows: int | None, dim: int) -> FloatArray:
    """A matrix that `_codes` wrote."""
    return _rows(folder, part, state, name, rows, dim).dense()


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


def _are_texts(values: Any) -> bool:
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
    vectors = _dense(folder, "scorer", state, "vectors", n_labels, dim)
    bias = _array(folder, "scorer", state, "bias", np.float32, (n_labels,))
    beam, n_documents = (_count(folder, "scorer", state, name) for name in ("beam", "n_documents"))
    tree_state = read_state(folder, "tree")
    routers = _dense(folder, "tree", tree_state, "routers", None, dim)
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
    centroids = _dense(folder, "profile", state, "centroids", n_labels, dim)
    terms = csr_from_arrays(state.arrays, "terms", "terms of the labels", shape=(n_labels, n_features))
    return LabelProfile(frequencies, centroids, Csr(terms, dtype=np.float32))


def _frequencies(folder: Path, part: str, state: State, n_labels: int, n_documents: int) -> IntArray:
    frequencies = _array(folder, part, state, "frequencies", np.int64, (n_labels,))
    if frequencies.min() < 0 or frequencies.max() > n_documents:
        worst = frequencies.min() if frequencies.min() < 0 else frequencies.max()
        raise ModelError(f"{folder / part}.safetensors: frequencies holds {worst}, not 0 to {n_documents}; {_MEND}")
    return frequencies


def _linear_config(folder: Path, recipe: dict[str, Any]) -> LinearConfig:
    try:
        return load_config(LinearConfig, recipe.get("linear", {}), str(folder / "recipe.json"))
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
    source = str(folder / "recipe.json")
    try:
        config = load_config(RankConfig, recipe.get("rank", {}), source)
    except ConfigError as error:
        raise ModelError(f"{error}; {_MEND}") from error
    shape = (len(scorer.vectors), len(scorer.vectors))
    support = csr_from_arrays(read_state(folder, "support").arrays, "support", "support graph", shape=shape)
    support = Csr(support, dtype=np.float32)
    if support.nnz and not (np.isfinite(support.data).all() and support.data.min() > 0):
        raise ModelError(f"{folder / 'support.safetensors'}: weights must be above 0 and finite; {_MEND}")
    linear = None
    if config.linear:
        linear = _linear(folder, "linear", _linear_config(folder, recipe), len(scorer.vectors), n_features)
    neighbours = _neighbours(folder, scorer, n_documents) if config.neighbours else None
    ranker = Ranker(scorer, profile, graph.normalized, support, config, n_documents, linear, neighbours=neighbours)
    ranker = replace(
        ranker,
        first=_fusion(folder, "first", ranker.first_columns),
        calibration=Calibration.from_state(read_state(folder, "calibration")),
    )
    return replace(ranker, final=_fusion(folder, "final", ranker.final_columns)) if ranker.uses_graph else ranker


def _neighbours(folder: Path, scorer: LabelScorer, n_documents: int) -> Neighbours:
    n_labels, dim = scorer.vectors.shape
    found = Neighbours.from_state(read_state(folder, "neighbours"), dim=dim, n_labels=n_labels)
    if len(found) != n_documents:
        raise ModelError(f"{folder}: {len(found)} documents vote, the model was trained on {n_documents}; {_MEND}")
    return found


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
    return state.arrays


def _documents(folder: Path, n_labels: int, dim: int) -> TrainDocuments:
    state = read_state(folder, "documents")
    names = state.meta.get("names")
    if not _are_texts(names):
        raise ModelError(f"{folder / 'documents.json'}: names must be a list of texts; {_MEND}")
    assert isinstance(names, list)
    vectors = _rows(folder, "documents", state, "vectors", len(names), dim)
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
