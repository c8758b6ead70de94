"""How much can be automated at a promised precision, and what do ALC and TCM add to it?

    python experiments/automation.py --data build/debian build/yso
    python experiments/automation.py --part --data build/debian --seeds 0 --variants "without" "mined, ALC + TCM"

Two questions that share trained networks: the recipe eclare, and the recipe default, which has a linear ranker besides.
*Mined*: the training ends with epochs against the hardest of all labels for each document, besides those of the batch.
Thresholds are chosen on the documents that training held out, what they give is measured on the test split.
"""

from __future__ import annotations

import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
from runner import Change, Experiment, Results, Variant, main, plots

from eclare_py import Dataset, Ranking
from eclare_py.config import load_config
from eclare_py.data import DataFolder
from eclare_py.index import exact_search
from eclare_py.metrics.bin_thresholds import own_thresholds, threshold_spread
from eclare_py.metrics.filters import drop_filter_pairs
from eclare_py.metrics.selective import Scored, lowest_threshold, risk_coverage, select
from eclare_py.rank.models import Model
from eclare_py.rank.pipeline import Pipeline
from eclare_py.rank.selection import automatable, choose_thresholds, held_out_scores
from eclare_py.train.prepare import held_out_size
from eclare_py.train.recipe import Recipe

GOALS = (0.5, 0.7, 0.8, 0.9)
WITHOUT = "without"
SPARE = 50  # labels ranked by cosine, so that one is left where filter pairs go
SHOWN = (
    "P@1", "P@5", "C@1(90)", "realised(90)", "spread(90)", "AURC", "dense P@1", "dense C@1(90)", "dense realised(90)",
    "dense spread(90)", "dense AURC", "C@1(50)", "realised(50)", "dense C@1(50)", "dense realised(50)",
)  # fmt: skip


def coverage_figures(model: Model, train: Dataset, folder: DataFolder, ranking: Ranking) -> dict[str, float]:
    """What the first prediction of each test document could be automated at, for the model and for its cosine alone."""
    assert isinstance(model, Pipeline) and folder.test is not None
    validation = held_out_scores(model, 1)
    assert validation is not None
    test = Scored.of(ranking.top(1), folder.test.labels, model.frequencies)
    found = figures(test, validation)
    for goal in GOALS:
        marks = automatable(ranking, choose_thresholds(model, goal, 1), model.frequencies)
        found[f"marked({100 * goal:.0f})"] = 100 * float(marks.mean())
        if marks.any():
            found[f"marked realised({100 * goal:.0f})"] = 100 * float(test.hit[marks].mean())
    sides = (dense(model, part) for part in (folder.test, held_out(train, model)))
    return found | {f"dense {name}": value for name, value in figures(*sides).items()}


def figures(test: Scored, validation: Scored) -> dict[str, float]:
    """C@1, realised precision and spread of thresholds at each precision, AURC and P@1; in percent but for spreads."""
    found: dict[str, float | None] = {"P@1": 100 * float(test.hit.mean()), "AURC": 100 * risk_coverage(test).area}
    for goal in GOALS:
        kept, name = select(test, lowest_threshold(validation, goal)), f"({100 * goal:.0f})"
        found[f"C@1{name}"] = 100 * kept.share
        found[f"realised{name}"] = None if kept.precision is None else 100 * kept.precision
        found[f"best C@1{name}"] = 100 * select(test, lowest_threshold(test, goal)).share
        found[f"spread{name}"] = threshold_spread(test, goal)
        found[f"relative spread{name}"] = relative_spread(test, goal)
        for number, own in enumerate(own_thresholds(test, goal)):
            found[f"threshold{name} of bin {number}"] = own
    return {name: value for name, value in found.items() if value is not None}


def relative_spread(test: Scored, goal: float) -> float | None:
    """The spread in standard deviations of the scores: a model with all scores close together has no easier task."""
    spread = threshold_spread(test, goal)
    return None if spread is None else spread / float(np.std(test.scores[test.there]))


def held_out(train: Dataset, model: Pipeline) -> Dataset:
    """The train documents that neither encoders nor label vectors were trained on."""
    recipe = recipe_of(model)
    return train.split(held_out_size(train.n_documents, recipe), seed=recipe.seed)[1]


def recipe_of(model: Pipeline) -> Recipe:
    """The settings that a model was trained with."""
    found: Recipe = load_config(Recipe, model.recipe, "the model's recipe")
    return found


def dense(model: Pipeline, data: Dataset) -> Scored:
    """First predictions by the cosine of document and label vector alone."""
    scorer = model.ranker.scorer
    vectors = model.encode(data.texts).vectors
    ranking = exact_search(vectors, label_vectors=scorer.vectors, label_bias=scorer.bias, k=SPARE)
    return Scored.of(drop_filter_pairs(ranking, data.filter_pairs).top(1), data.labels, model.frequencies)


def draw(results: Results, path: Path) -> None:
    """Share automated over the promised precision, of the model and of its cosine alone."""
    figure, axes = plots.panels(len(results.data), 2)
    for row, data in zip(axes, results.data, strict=True):
        for panel, prefix, words in ((row[0], "", "the whole model"), (row[1], "dense ", "cosine alone")):
            for place, name in enumerate(results.variants(data)):
                shares = [results.spread(data, name, f"{prefix}C@1({100 * goal:.0f})") for goal in GOALS]
                plots.curve(panel, [100 * goal for goal in GOALS], shares, label=name, place=place)
            panel.set(xlabel="promised precision, %", ylabel="documents automated, %")
            panel.set_title(f"{data}: {words}", fontsize=9, color=plots.INK)
    plots.legend(figure, axes[0][0])
    plots.save(figure, results.experiment.question, path)


NO_TCM = ("training.threshold_margin.weight=0",)
NO_ALC = ("training.auxiliary.pair_weight=0", "training.auxiliary.context_weight=0")
IN_BATCH = ("training.ranker_epochs=0",)  # the stages of eclare: labels of the batch are the only negatives
VARIANTS = (
    Variant(WITHOUT, (*IN_BATCH, *NO_TCM, *NO_ALC), "alc"),
    Variant("TCM", (*IN_BATCH, *NO_ALC), "alc"),
    Variant("ALC", (*IN_BATCH, *NO_TCM), "alc"),
    Variant("ALC + TCM", IN_BATCH, "alc"),
    Variant("mined", (*NO_TCM, *NO_ALC), "alc"),
    Variant("mined, TCM", NO_ALC, "alc"),
    Variant("mined, ALC", NO_TCM, "alc"),
    Variant("mined, ALC + TCM", (), "alc"),
)
NOTES = (
    "`mined`: with two epochs on mined negatives at the end. "
    "`C@1(90)`: share of the test documents whose first label reaches the threshold for a precision of 90 % on "
    "held-out documents; `realised(90)`: precision of these labels; `AURC`: mean risk over all numbers automated "
    "(small is good); `spread(90)`: standard deviation of the best thresholds of the frequency bins. `dense`: by the "
    "cosine of document and label vector alone, as the paper has it. All in percent but the spreads."
)


def experiment(name: str, question: str, *settings: str) -> Experiment:
    """The variants with some more settings."""
    return Experiment(
        name=name,
        question=question,
        variants=tuple(replace(one, overrides=(*settings, *one.overrides)) for one in VARIANTS),
        base=WITHOUT,
        shown=SHOWN,
        draw=draw,
        notes=NOTES,
        study=coverage_figures,
    )


EXPERIMENT = experiment("automation", "What do ALC and TCM add to what can be automated?")
DEFAULT = experiment(
    "automation_default", "What do ALC and TCM add to what can be automated, with a linear ranker?",
    "rank.linear=true", "rank.shortlist=200",
)  # fmt: skip


def on_part(whole: Experiment) -> Experiment:
    """The same with three in ten of the train documents."""
    variants = tuple(replace(one, change=Change("documents", 0.3)) for one in whole.variants)
    notes = f"{whole.notes} Trained on three in ten of the train documents."
    return replace(whole, name=f"{whole.name}_part", variants=variants, notes=notes)


if __name__ == "__main__":
    both = (EXPERIMENT, DEFAULT)
    words = [word for word in sys.argv[1:] if word != "--part"]
    main(*(map(on_part, both) if "--part" in sys.argv else both), words=words)
