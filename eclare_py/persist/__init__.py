"""Saving and loading a whole model: one folder of safetensors and JSON, with a manifest; nothing in it can run code.

A model folder holds, beside `manifest.json`:
- a pair NAME.safetensors, NAME.json for each of features, encoder, scorer, profile, tree, graph, support, network,
  documents, calibration, and for linear, neighbours, first and final (the fusion networks) and held_out where the
  model has them;
- of the method `linear`: features, labels_seen and linear0 ..; of gated clusters: features, encoder, clusters,
  classifiers, and pairs and mixture where a second ranking follows;
- `labels.json` (texts and ids of the labels), `recipe.json`, `facts.json` (what is known of the training), `times.json`
  (what it took: the one thing, with the log, that is not the same when the same training is run again);
- `transformer/`, a sentence-transformers model, where one learned with the model or gives the dense columns of a linear
  ranker; it is read at the first answer. One that stayed frozen in a fusion is not stored: the recipe names its folder,
  which has to be there for an answer;
- `events.jsonl`, the log of the training, where there is one;
- `README.md`, a card, where there is one; it may be edited.

Loading needs neither torch nor scikit-learn.
"""

from __future__ import annotations

import hashlib
import shutil
from collections.abc import Mapping
from pathlib import Path

from eclare_py import __version__
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.transformer import SentenceEncoder
from eclare_py.persist.checks import checked_recipe, label_table, mapping_of
from eclare_py.persist.cluster import cluster_pipeline, cluster_states
from eclare_py.persist.fusion import fusion_pipeline, fusion_states
from eclare_py.persist.linear import TRANSFORMER, linear_pipeline, linear_states
from eclare_py.rank.cluster_pipeline import ClusterPipeline
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.models import Model
from eclare_py.rank.pipeline import Pipeline
from eclare_py.storage import (
    State,
    atomic_folder,
    read_manifest,
    read_part,
    render_json,
    verify_manifest,
    write_json,
    write_state,
)

KIND = "model"
LOG = "events.jsonl"
TIMES_FILE = "times.json"
TIMES = ("train_seconds", "imputation_seconds")  # facts that differ from run to run


def save_pipeline(
    pipeline: Model, path: str | Path, *, log: str | Path | None = None, beside: Mapping[str, str] | None = None
) -> None:
    """Write a model, all or nothing; an earlier model at `path` is replaced, anything else there is refused.

    Args:
        pipeline: The trained model.
        path: The model folder.
        log: Event log of the training, kept with the model.
        beside: Texts of further files by name.

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
        times = {name: value for name, value in pipeline.facts.items() if name in TIMES}
        facts = {name: value for name, value in pipeline.facts.items() if name not in TIMES}
        write_json(folder / "facts.json", facts, indent=1)
        if times:
            write_json(folder / TIMES_FILE, times, indent=1)
        if log is not None and Path(log).is_file():
            shutil.copyfile(log, folder / LOG)
        for name, text in (beside or {}).items():
            (folder / name).write_text(text, encoding="utf-8")


def load_pipeline(path: str | Path) -> Model:
    """Read a model that `save_pipeline` wrote, after checking every file against the manifest and the parts together.

    Raises:
        ModelError: Missing, damaged, of a newer version, or parts that do not belong together; names the file.
    """
    folder = Path(path)
    verify_manifest(folder, KIND)
    recipe, labels, facts = checked_recipe(folder), mapping_of(folder, "labels"), mapping_of(folder, "facts")
    if (folder / TIMES_FILE).exists():  # models of earlier versions have them among the facts
        facts |= mapping_of(folder, Path(TIMES_FILE).stem)
    table = label_table(folder, labels)
    features = read_part(folder, "features", TfidfFeatures.from_state)
    if recipe.get("method") in ("linear", "xr_transformer"):
        return linear_pipeline(folder, recipe, features, table, facts)
    if (folder / "clusters.json").exists():
        return cluster_pipeline(folder, recipe, features, table, facts)
    return fusion_pipeline(folder, recipe, features, table, facts)


def fingerprint(path: str | Path) -> str:
    """SHA-256 of what a model folder says: the same for the same training, whenever and however long it ran.

    Left out are the log, `times.json` and the card. The files are not read: `load_pipeline` checks them.

    Raises:
        ModelError: There is no model, or its manifest is damaged.
    """
    files = read_manifest(path, KIND)["files"]
    kept = {name: entry["sha256"] for name, entry in sorted(files.items()) if name not in (LOG, TIMES_FILE)}
    return hashlib.sha256(render_json(kept).encode()).hexdigest()


def _states(pipeline: Model) -> dict[str, State]:
    if isinstance(pipeline, ClusterPipeline):
        return cluster_states(pipeline)
    return linear_states(pipeline) if isinstance(pipeline, LinearPipeline) else fusion_states(pipeline)


def _transformer(pipeline: Model) -> DenseColumns | SentenceEncoder | None:
    """The transformer that is saved with a model, if any."""
    if isinstance(pipeline, LinearPipeline):
        return pipeline.dense
    if isinstance(pipeline, Pipeline):
        return pipeline.tuned
    return pipeline.encoder if isinstance(pipeline.encoder, DenseColumns) else None
