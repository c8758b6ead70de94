"""Training of a model of the method `linear`: features, trees, classifiers; no steps, so no checkpoints."""

from __future__ import annotations

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.linear import fit_linear, pifa_tree
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.train.events import EventLog
from eclare_py.train.recipe import Recipe


def train_linear(dataset: Dataset, recipe: Recipe, log: EventLog) -> LinearPipeline:
    """Train XR-Linear on all documents; each tree has a seed of its own.

    Raises:
        TrainingError: There is no document with a label, or no word.
    """
    if not dataset.labels.nnz:
        raise TrainingError("no train document has a label: there is nothing to learn from")
    log("stage", name="prepare", epochs=1, steps=1)
    features = TfidfFeatures.fit(dataset.texts, config=recipe.features)
    rows = features.transform(dataset.texts)
    log("note", documents=dataset.n_documents, labels=dataset.n_labels, features=features.n_features)
    log("stage", name="linear", epochs=1, steps=recipe.linear.trees)
    trees = []
    for number in range(recipe.linear.trees):
        seed = recipe.seed + 1000 * number
        tree = pifa_tree(rows, dataset.labels, recipe.linear, seed=seed)
        trees.append(
            fit_linear(rows, dataset.labels, tree, recipe.linear, filter_pairs=dataset.filter_pairs, seed=seed)
        )
        log("step", log=False, stage="linear", epoch=1, step=number + 1, loss=0.0)
    facts = {
        "documents": dataset.n_documents,
        "held_out": 0,
        "labels": dataset.n_labels,
        "features": features.n_features,
    }
    return LinearPipeline(
        to_mapping(recipe), features, trees, dataset.label_frequencies, dataset.n_documents,
        LabelTable(dataset.label_texts, dataset.label_ids), facts,
    )  # fmt: skip
