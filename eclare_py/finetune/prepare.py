"""What fine-tuning needs before the first step: grown features, a replayed sample, the label graph of all documents."""

from __future__ import annotations

import hashlib
import json
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.features.growth import grown
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.finetune.config import FinetuneConfig
from eclare_py.finetune.together import Together
from eclare_py.graph.build import build_label_graph
from eclare_py.model.inputs import Inputs
from eclare_py.rank.pipeline import Pipeline
from eclare_py.storage.texts import join_texts
from eclare_py.train.prepare import Prepared, fingerprint, held_out_size, read_by_transformer
from eclare_py.train.recipe import Recipe
from eclare_py.types import IntArray


@dataclass(frozen=True)
class TuningData:
    """The data of a fine-tuning, twice.

    Attributes:
        whole: All documents: what is counted, is counted in them.
        steps: New documents and a sample of the old ones: what the encoders see.
        n_replayed: Documents in the sample.
    """

    whole: Prepared
    steps: Prepared
    n_replayed: int


def prepare_tuning(
    model: Pipeline, data: Together, recipe: Recipe, config: FinetuneConfig, *, folder: Path | None
) -> TuningData:
    """Split, grow the features, count the graph, draw the replayed documents.

    A part of the new documents is held out, as in a training.

    Args:
        model: The model.
        data: The documents.
        recipe: Settings of the model.
        config: Settings of the tuning.
        folder: Where sentence embeddings are cached, if any.

    Raises:
        TrainingError: Too few new documents to hold some out.
    """
    wanted = held_out_size(data.new.n_documents, recipe)
    if wanted * 2 > data.new.n_documents:
        raise TrainingError(
            f"{data.new.n_documents} new documents are too few: {wanted} are held out, and at least as many must be "
            f"left; give {2 * wanted} or more"
        )
    new, held_out = data.new.split(wanted, seed=recipe.seed)
    train = new if data.old is None else data.old.followed_by(new)
    features = _features(model, data, new)
    inputs = _inputs(features, [train, held_out], recipe, folder)
    digest = hashlib.sha256(fingerprint(train.followed_by(held_out)).encode())
    for name in sorted(model.network):
        digest.update(np.ascontiguousarray(model.network[name]).tobytes())
    digest.update(model.encoder.table.codes.tobytes())
    digest.update(json.dumps(to_mapping(config)).encode())
    whole = Prepared(
        train=train, held_out=held_out, features=features, inputs=inputs[0], held_out_inputs=inputs[1],
        label_inputs=inputs[2],
        graph=build_label_graph(
            train.labels, recipe.graph, label_vectors=inputs[2].rows, given=train.label_edges, seed=recipe.seed
        ),
        frequencies=train.label_frequencies, fingerprint=digest.hexdigest(),
    )  # fmt: skip
    sample = _sample(train.n_documents - new.n_documents, new.n_documents, config.replay, recipe.seed)
    steps = replace(whole, train=train.subset(sample), inputs=whole.inputs[sample])
    return TuningData(whole, steps, len(sample) - new.n_documents)


def _features(model: Pipeline, data: Together, new: Dataset) -> TfidfFeatures:
    added = data.new.label_texts[data.new.n_labels - data.n_added :]
    return grown(model.features, join_texts(new.texts, added), n_known=model.n_documents + model.n_labels)


def _inputs(features: TfidfFeatures, parts: list[Dataset], recipe: Recipe, folder: Path | None) -> list[Inputs]:
    """Documents part after part, then the label texts."""
    texts = [*(part.texts for part in parts), parts[0].label_texts]
    inputs = [Inputs(features.transform(part)) for part in texts]
    return inputs if recipe.document.kind == "bag" else read_by_transformer(inputs, texts, recipe, folder)


def _sample(n_old: int, n_new: int, replay: float, seed: int) -> IntArray:
    """Rows of the replayed old documents, drawn evenly, and of all new ones behind them."""
    wanted = min(n_old, round(replay * n_new))
    drawn = np.sort(np.random.default_rng(seed).choice(n_old, wanted, replace=False)).astype(np.int64)
    return np.concatenate([drawn, n_old + np.arange(n_new, dtype=np.int64)])
