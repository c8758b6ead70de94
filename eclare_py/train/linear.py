"""Training of a model of the method `linear`: features, trees, classifiers; no steps, so no checkpoints."""

from __future__ import annotations

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.features.dense_columns import DenseColumns
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.linear import LinearRanker, fit_linear, pifa_tree
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.rank.pipeline import LabelTable
from eclare_py.train.events import EventLog
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr


def train_linear(dataset: Dataset, recipe: Recipe, log: EventLog) -> LinearPipeline:
    """Train XR-Linear on all documents; with `linear.dense` on their sentence vectors too.

    Raises:
        TrainingError: There is no document with a label, or no word.
        ModelError: With `linear.dense`, there is no such transformer.
    """
    check_labelled(dataset)
    log("stage", name="prepare", epochs=1, steps=1)
    # Before anything that takes long, as the model may not be there.
    dense = load_frozen(recipe) if recipe.linear.dense else None
    features = TfidfFeatures.fit(dataset.texts, config=recipe.features)
    rows = features.transform(dataset.texts)
    log("note", documents=dataset.n_documents, labels=dataset.n_labels, features=features.n_features)
    return rank_linearly(dataset, recipe, log, features, rows, dense)


def check_labelled(dataset: Dataset) -> None:
    """Refuse data that nothing can be learned from.

    Raises:
        TrainingError: There is no document with a label.
    """
    if not dataset.labels.nnz:
        raise TrainingError("no train document has a label: there is nothing to learn from")


def load_frozen(recipe: Recipe) -> DenseColumns:
    """The transformer that the recipe names, as it is."""
    # Only now, as it loads torch.
    from eclare_py.features.text_transformer import TextTransformer

    return DenseColumns.of(TextTransformer.load(recipe.transformer), recipe.linear.dense_weight)


def rank_linearly(
    dataset: Dataset, recipe: Recipe, log: EventLog, features: TfidfFeatures, rows: Csr, dense: DenseColumns | None
) -> LinearPipeline:
    """Trees and rankers over TF-IDF, or TF-IDF and sentence vectors; each tree has a seed of its own.

    Args:
        dataset: All N train documents.
        recipe: Settings.
        log: Told of every tree.
        features: What made `rows`.
        rows: (N, V) TF-IDF of the documents.
        dense: What gives the dense columns.
    """
    log("stage", name="linear", epochs=1, steps=recipe.linear.trees)
    if dense is not None:
        rows = dense.append(rows, dataset.texts)
    trees: list[LinearRanker] = []
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
        LabelTable(dataset.label_texts, dataset.label_ids), facts, dense,
    )  # fmt: skip
