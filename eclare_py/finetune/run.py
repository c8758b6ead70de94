"""Fine-tuning: a finished model learns from new documents, and for new labels, at a fraction of a training."""

from __future__ import annotations

import time
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any

from eclare_py.config import load_config, to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import ConfigError, ModelError, UsageError
from eclare_py.finetune.config import FinetuneConfig
from eclare_py.finetune.prepare import TuningData, prepare_tuning
from eclare_py.finetune.renew import renewed
from eclare_py.finetune.together import Together, bring_together
from eclare_py.finetune.warm import fill_network
from eclare_py.rank.models import Model, method_of
from eclare_py.rank.pipeline import Pipeline
from eclare_py.train.events import EventLog, Listener
from eclare_py.train.fit import train_prepared
from eclare_py.train.prepare import fingerprint
from eclare_py.train.recipe import Recipe


def finetune(
    model: Model,
    new: Dataset,
    *,
    old: Dataset | None = None,
    config: FinetuneConfig | None = None,
    folder: Path | None = None,
    resume: bool = False,
    device: str = "auto",
    listener: Listener | None = None,
) -> Pipeline:
    """Go on training a model on new documents.

    1. Labels: those of the new documents are all there, old or new. Other labels of the model stay where old documents
       are given, and go where none are.
    2. Features: n-grams of the new texts join; those that are known keep their column and weight.
    3. Encoders go on from the model for an epoch or more, over the new documents and a sample of the old ones, without
       which they would forget.
    4. What is counted (frequencies, centroids, both graphs, linear ranker) is counted anew in all documents.
    5. The tree keeps its shape and the fusion its weights, see `FinetuneConfig`.

    (Ours; no paper. Rehearsal against forgetting: Robins, Connection Science 1995.)

    Args:
        model: A model of the method fusion.
        new: New documents, over any labels of which the model knows some.
        old: The documents that the model was trained on.
        config: Settings.
        folder: Where checkpoints and the event log are kept; None keeps none.
        resume: Go on from the checkpoint in `folder`, if there is one.
        device: "auto" (a GPU where there is one), "cpu" or "cuda".
        listener: Told of progress.

    Raises:
        UsageError: A model that cannot be tuned, labels of groups, an unknown device.
        DataError: No label of the data is known to the model.
        TrainingError: Too few documents, a loss that is not finite, a checkpoint of something else.
    """
    started = time.perf_counter()
    model, config = _checked(model), config or FinetuneConfig()
    recipe = _recipe(model)
    with EventLog(None if folder is None else folder / "events.jsonl", listener) as log:
        log("start", recipe=to_mapping(recipe), finetune=to_mapping(config))
        log("stage", name="prepare", epochs=1, steps=1)
        data = bring_together(model.labels, new, old)
        log("note", labels_known=len(data.model_rows) - data.n_added, added=data.n_added, dropped=data.n_dropped)
        ready = prepare_tuning(model, data, recipe, config, folder=folder)
        start = partial(fill_network, model=model, features=ready.whole.features, model_rows=data.model_rows)
        session = train_prepared(
            ready.steps, _steps(recipe, config), log=log, folder=folder, resume=resume, device=device, start=start
        )
        tuned = renewed(model, session, ready.whole, data, recipe, config)
        seconds = round(time.perf_counter() - started, 1)
        target = session.network.device.type
        log("done", train_seconds=seconds, device=target)
    return replace(tuned, facts={**tuned.facts, **_facts(model, data, ready, new, seconds, device=target)})


def _checked(model: Model) -> Pipeline:
    if not isinstance(model, Pipeline):
        raise UsageError(
            f"fine-tuning goes on with label vectors, as models of the method fusion have them (recipes default, "
            f"eclare); this one is of the method {method_of(model)}: train it anew on all documents"
        )
    if model.tuned is not None:
        raise UsageError("the transformer of this model learned with it, and does not learn on yet: train anew")
    return model


def _recipe(model: Pipeline) -> Recipe:
    try:
        return load_config(Recipe, model.recipe, "recipe.json")
    except ConfigError as error:
        raise ModelError(f"{error}; restore the model from its source or train again") from error


def _steps(recipe: Recipe, config: FinetuneConfig) -> Recipe:
    """The recipe as its last stage is trained now."""
    training, rate = recipe.training, config.rate
    return replace(
        recipe,
        training=replace(
            training,
            surrogate_epochs=config.epochs, ranker_epochs=config.epochs if training.ranker_epochs else 0,
            table_rate=rate * training.table_rate, dense_rate=rate * training.dense_rate,
            free_rate=rate * training.free_rate,
        ),
    )  # fmt: skip


def _facts(
    model: Pipeline, data: Together, ready: TuningData, new: Dataset, seconds: float, *, device: str
) -> dict[str, Any]:
    whole = ready.whole
    step = {
        "documents": new.n_documents,
        "replayed": ready.n_replayed,
        "labels_added": data.n_added,
        "labels_dropped": data.n_dropped,
    }
    return {
        "data": fingerprint(new),
        "documents": whole.train.n_documents + whole.held_out.n_documents,
        "held_out": whole.held_out.n_documents,
        "labels": whole.train.n_labels,
        "features": whole.features.n_features,
        "edges": whole.graph.n_edges,
        "train_seconds": seconds,
        "device": device,
        "finetuned": [*model.facts.get("finetuned", []), step],
    }
