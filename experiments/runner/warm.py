"""Compiling what cells will run before a clock starts: else the first of them pays for all."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace

from eclare_py import Dataset, EclareClassifier
from eclare_py.train.recipe import Recipe

_DOCUMENTS, _LABELS = 120, 24


def warm_up(settings: Iterable[tuple[Recipe, int]]) -> None:
    """Train and ask a model of a toy data set for each kind of recipe.

    Args:
        settings: Recipes, and how many labels the data have that they are for: few are not searched through a tree.
    """
    toy = _toy()
    for recipe in dict.fromkeys(_short(recipe, n_labels) for recipe, n_labels in settings):
        EclareClassifier(recipe, device="cpu").fit(toy).predict(toy.texts)


def _short(recipe: Recipe, n_labels: int) -> Recipe:
    """The same code in as few steps as can be; recipes that differ in sizes alone become equal."""
    training = replace(recipe.training, surrogate_epochs=1, ranker_epochs=min(recipe.training.ranker_epochs, 1))
    index = replace(recipe.index, beam=2, exact_below=0 if n_labels >= recipe.index.exact_below else _LABELS + 1)
    return replace(
        recipe, name="toy", seed=0, document=replace(recipe.document, dim=8), training=training, index=index,
        rank=replace(recipe.rank, steps=2, tail_boost=0.0), lightxml=replace(recipe.lightxml, epochs=1),
        rank_ae=replace(recipe.rank_ae, epochs=1), resolutions=replace(recipe.resolutions, epochs=1, last_epochs=1),
    )  # fmt: skip


def _toy() -> Dataset:
    words = [f"word{number}" for number in range(_LABELS)]
    pairs = [sorted({row % _LABELS, (row * 7 + 3) % _LABELS}) for row in range(_DOCUMENTS)]
    return Dataset.from_texts([" ".join(words[label] for label in pair) for pair in pairs], pairs, words)
