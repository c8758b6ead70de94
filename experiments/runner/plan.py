"""What is to be run: experiments, their variants, and the cells of the matrix with the keys they are kept under."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any, TypeAlias

from eclare_py import Dataset, EclareClassifier, Ranking
from eclare_py.config import to_mapping
from eclare_py.data import DataFolder
from eclare_py.rank.models import Model
from eclare_py.train.prepare import fingerprint
from eclare_py.train.recipe import Recipe
from runner.changes import AS_IS, Change

if TYPE_CHECKING:
    from runner.results import Results


VERSION = 1  # of what a cell is; raised by hand where the code changes so that old results no longer stand


Study: TypeAlias = Callable[[Model, Dataset, DataFolder, Ranking], Mapping[str, float | None]]


@dataclass(frozen=True)
class Variant:
    """One line of an experiment.

    Attributes:
        name: What tables and figures call it.
        overrides: Settings laid over the recipe, `section.key=value`.
        recipe: Name of a recipe; None: the one that the command line names.
        change: What is done to the train split.
    """

    name: str
    overrides: tuple[str, ...] = ()
    recipe: str | None = None
    change: Change = AS_IS


@dataclass(frozen=True)
class Experiment:
    """One question.

    Attributes:
        name: Of its files.
        question: In one line.
        variants: What is compared.
        base: The variant that the others are compared with, seed by seed.
        bases: Variants that are compared with another one.
        shown: Metrics of the table.
        draw: Draws the figure into an SVG file.
        notes: What a reader has to know to read the table right.
        extra: Names of the variants that only run when asked for (`--variants all`).
        more: Gives lines of Markdown that go under the table of a data set.
        measure: More figures of a cell: called with its ranking, the data and the seed.
        study: More figures of a cell, for which its model is needed: called when it is run, with the model, what it was
            trained on, the data, and its ranking.
    """

    name: str
    question: str
    variants: tuple[Variant, ...]
    base: str
    shown: tuple[str, ...]
    draw: Callable[[Results, Path], None]
    notes: str = ""
    extra: frozenset[str] = frozenset()
    more: Callable[[Results, str], list[str]] | None = None
    measure: Callable[[Ranking, DataFolder, int], Mapping[str, float]] | None = None
    study: Study | None = None
    bases: Mapping[str, str] = field(default_factory=dict)

    def base_of(self, variant: str) -> str:
        """What a variant is compared with."""
        return self.bases.get(variant, self.base)

    def chosen(self, names: Iterable[str] | None) -> tuple[Variant, ...]:
        """The variants of some names; None: those that run by default, "all": every one."""
        wanted = None if names is None else set(names)
        if wanted is None:
            return tuple(one for one in self.variants if one.name not in self.extra)
        return tuple(one for one in self.variants if one.name in wanted or "all" in wanted)


@dataclass(frozen=True)
class Cell:
    """One training and its evaluation.

    Attributes:
        experiment: Name of the experiment.
        variant: Name of the variant.
        data: Name of the data set.
        fingerprint: Of the data set.
        recipe: All settings, the seed among them.
        change: What is done to the train split.
        study: What is measured beside the metrics.
    """

    experiment: str
    variant: str
    data: str
    fingerprint: str
    recipe: Recipe
    change: Change = field(default=AS_IS)
    study: Study | None = field(default=None, compare=False)

    @property
    def seed(self) -> int:
        """Seed of training and of the change."""
        return self.recipe.seed

    @property
    def key(self) -> str:
        """What the result is kept under: the same settings on the same data have the same, whatever they are called."""
        return self._digest(self.recipe)

    @property
    def setting(self) -> str:
        """The same for every seed."""
        return self._digest(replace(self.recipe, seed=0))

    @property
    def network(self) -> str:
        """The same for cells that can share one trained network, as they differ in index or ranking alone."""
        return self._digest(network_recipe(self.recipe))

    @property
    def title(self) -> str:
        """For people."""
        return f"{self.variant}, {self.data}, seed {self.seed}"

    def _digest(self, recipe: Recipe) -> str:
        settings = {**to_mapping(recipe), "name": ""}
        parts = [VERSION, settings, self.change.kind, self.change.share, self.fingerprint]
        parts += [self.change.size] if self.change.size > 1 else []  # results kept from before there were groups stand
        if self.study is not None:  # where it is not measured, the cell is another
            parts.append(self.study.__name__)
        return hashlib.sha256(json.dumps(parts, sort_keys=True).encode()).hexdigest()[:20]


def network_recipe(recipe: Recipe) -> Recipe:
    """The recipe with the settings that the network does not depend on at their defaults.

    The index counts where negatives are mined with it. Of LightXML the serving alone is left out; a model of another
    method has no network to share.
    """
    plain = Recipe()
    if recipe.method == "lightxml":
        serving = replace(recipe.lightxml, beam=plain.lightxml.beam, generator_only=False)
        return replace(recipe, name="network", lightxml=serving)
    if recipe.method != "fusion" or recipe.imputation.self_training:  # which trains whole models on the way
        return recipe
    mined = recipe.training.ranker_epochs > 0
    index = recipe.index if mined else plain.index
    return replace(recipe, name="network", rank=plain.rank, linear=plain.linear, index=index)


def cells_of(
    experiment: Experiment,
    folders: Iterable[DataFolder],
    seeds: Iterable[int],
    *,
    recipe: str = "default",
    overrides: Iterable[str] = (),
    names: Iterable[str] | None = None,
) -> Iterator[Cell]:
    """The matrix of one experiment, seed by seed, so that a first seed of everything is there early.

    Args:
        experiment: The experiment.
        folders: Data sets.
        seeds: Seeds.
        recipe: Of the variants that name none.
        overrides: Settings of all variants; their own come after.
        names: Variants wanted, see `Experiment.chosen`.
    """
    seeds, overrides = list(seeds), list(overrides)
    for folder in folders:
        digest = data_fingerprint(folder)
        for seed in seeds:
            for variant in experiment.chosen(names):
                words = [*overrides, *variant.overrides, f"seed={seed}"]
                settings = EclareClassifier.from_recipe(variant.recipe or recipe, words).settings()
                yield Cell(
                    experiment.name, variant.name, folder.name, digest, settings, variant.change, experiment.study
                )  # fmt: skip


def data_fingerprint(folder: DataFolder) -> str:
    """SHA-256 of both splits and of the propensity model.

    Raises:
        SystemExit: There is no test split.
    """
    if folder.test is None:
        raise SystemExit(f"{folder.path} has no test split")
    parts: list[Any] = [fingerprint(folder.train), fingerprint(folder.test), folder.propensity_a, folder.propensity_b]
    return hashlib.sha256(json.dumps(parts).encode()).hexdigest()
