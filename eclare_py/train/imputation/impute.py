"""From aggregated labels to a plain data set, by the recipe's section `imputation`."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.config import to_mapping
from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.imputed import ImputedDataset
from eclare_py.errors import TrainingError
from eclare_py.features.tfidf import FeatureConfig, TfidfFeatures
from eclare_py.train.events import EventLog
from eclare_py.train.imputation import keeping
from eclare_py.train.imputation.config import ImputationConfig
from eclare_py.train.imputation.embedding import likeness_of
from eclare_py.train.imputation.pairs import MemberPairs
from eclare_py.train.imputation.posterior import noisy_or, share_out
from eclare_py.train.imputation.projection import project
from eclare_py.train.imputation.self_training import Ranker, Trainer, model_log_odds
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray

_MANY = 1000  # documents from which on a word of a single text is left out


def imputed(
    data: AggregatedDataset,
    recipe: Recipe,
    *,
    log: EventLog,
    train: Callable[..., Ranker],
    folder: Path | None = None,
    resume: bool = False,
    device: str = "auto",
) -> tuple[ImputedDataset, dict[str, Any]]:
    """Hand the labels of groups to members.

    Args:
        data: Documents whose labels are of groups.
        recipe: Its section `imputation` and its seed; self-training trains it whole.
        log: Told what is done.
        train: Trains a recipe on documents with labels of their own, see `fit.train`.
        folder: Where the labels are kept for a run that goes on; None keeps none.
        resume: Take those that are kept there.
        device: Of self-training.

    Returns:
        The documents with labels of their own, and groups, pairs and seconds for the log and the model. With the method
        `soft` a label's value is the probability that it is one.

    Raises:
        TrainingError: No group has a label.
    """
    if not data.group_labels.nnz:
        raise TrainingError("no group of the train split has a label: there is nothing to learn from")
    started = time.perf_counter()
    log("stage", name="imputation", epochs=1, steps=1)

    def pass_on(event: str, values: dict[str, Any]) -> None:
        if event in ("stage", "step", "epoch"):
            log(event, log=False, **values)

    settings = to_mapping(recipe)
    pairs, config = MemberPairs.of(data), recipe.imputation
    beliefs = keeping.load(folder, data, settings, len(pairs)) if resume and folder is not None else None
    if beliefs is None:
        beliefs = _beliefs(
            data, pairs, config, recipe.seed, log,
            lambda part: train(part, recipe, device=device, listener=pass_on),
        )  # fmt: skip
        if folder is not None:
            keeping.save(folder, beliefs, data, settings)
    labels = chosen(pairs, beliefs, config, recipe.seed)
    facts = {
        "method": recipe.imputation.method,
        "groups": data.n_groups,
        "group_labels": int(data.group_labels.nnz),
        "imputed_labels": int(labels.nnz),
        "seconds": round(time.perf_counter() - started, 1),
    }
    log("note", imputation=facts)
    dataset = ImputedDataset(
        data.texts, labels, data.label_texts, data.ids, data.label_ids, data.filter_pairs, data.label_edges,
        groups=data.groups, beliefs=pairs.matrix(np.ones(len(pairs), dtype=np.bool_), beliefs),
    )  # fmt: skip
    return dataset, facts


def _beliefs(
    data: AggregatedDataset, pairs: MemberPairs, config: ImputationConfig, seed: int, log: EventLog, train: Trainer
) -> FloatArray:
    """(P,) probability that a document carries a label of its group; all alike where the method asks for none."""
    if config.method in ("union", "random"):
        return np.ones(len(pairs), dtype=np.float32)
    log_odds = document_log_odds(data, pairs, config, seed)
    for number in range(config.self_training):
        beliefs = noisy_or(pairs, log_odds)
        log("note", self_training=number + 1, of=config.self_training)
        labels = chosen(pairs, beliefs, config, seed)
        scores = model_log_odds(data, pairs, labels, train, seed=seed + number)
        weight = np.float32(config.self_training_weight)
        log_odds = (1 - weight) * log_odds + weight * scores
    return noisy_or(pairs, log_odds)


def document_log_odds(
    data: AggregatedDataset, pairs: MemberPairs, config: ImputationConfig, seed: int
) -> FloatArray:
    """(P,) log-odds that a document carries a label of its group: stages A and B of EAGLE, without any recipe."""
    # Words and pairs of words, whatever the recipe reads.
    reading = FeatureConfig(min_df=2 if data.n_documents >= _MANY else 1)
    features = TfidfFeatures.fit(data.texts, data.label_texts, config=reading)
    rows, label_rows = features.transform(data.texts), features.transform(data.label_texts)
    vectors = project(rows, config.dimensions, seed=seed)
    likeness = likeness_of(data, pairs, rows, label_rows, vectors, config)
    return share_out(pairs, likeness, vectors, config)


def chosen(pairs: MemberPairs, beliefs: FloatArray, config: ImputationConfig, seed: int) -> Csr:
    """(N, L) the labels that members get; values are beliefs, at least a hundredth.

    Args:
        pairs: P pairs.
        beliefs: (P,) probability of each.
        config: Which members get a label, and whether all documents get one.
        seed: Decides between equal members.
    """
    kept = np.full(len(pairs), config.method == "union")
    if config.method != "union":
        kept[pairs.best(beliefs, seed=seed)] = True
    if config.method == "soft":  # a wrong label costs more than one that is missing
        kept &= beliefs >= config.doubt
        kept |= beliefs >= config.least
    if config.cover:
        kept[_uncovered(pairs, kept, beliefs)] = True
    plain = config.method != "soft"
    values = np.ones(len(pairs), np.float32) if plain else np.clip(beliefs, np.float32(0.01), np.float32(1))
    return pairs.matrix(kept, values)


def _uncovered(pairs: MemberPairs, kept: np.ndarray, beliefs: FloatArray) -> np.ndarray:
    """The likeliest pair of each document that has none, where it has one that may be."""
    order = np.lexsort((-beliefs, pairs.documents))
    documents, first = np.unique(pairs.documents[order], return_index=True)
    without = np.bincount(pairs.documents[kept], minlength=pairs.n_documents)[documents] == 0
    return np.asarray(order[first[without]])
