"""`eclare evaluate`: quality of a model on a data folder, as tables, JSON, HTML, raw predictions and a label table."""

from __future__ import annotations

import dataclasses
import hashlib
import json as json_text
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from eclare_py.cli.console import say, show_table
from eclare_py.cli.options import DropUnknown, Frequencies, TailBoost
from eclare_py.errors import DataError, UsageError
from eclare_py.metrics.document_scores import saved_scores
from eclare_py.metrics.evaluate import evaluate_trial
from eclare_py.metrics.label_table import LabelTable, check_table_path, label_table
from eclare_py.metrics.per_document import DocumentScores, documents_path, read_document_scores
from eclare_py.metrics.result import Evaluation, read_evaluation
from eclare_py.metrics.sections import against_section, examples_section, extremes_section, intervals_section
from eclare_py.metrics.trial import Trial, open_trial
from eclare_py.report.evaluation import headline_tables, write_html
from eclare_py.report.pictures.canvas import check_matplotlib

if TYPE_CHECKING:
    from eclare_py.data.dataset import DataFolder, Dataset
    from eclare_py.estimator import EclareClassifier
    from eclare_py.rank.models import Model
    from eclare_py.types import Ranking


def evaluate(
    model: Annotated[Path, typer.Argument(help="A model folder.", show_default=False)],
    data: Annotated[Path, typer.Option("--data", help="The data folder.", show_default=False)],
    split: Annotated[str, typer.Option("--split", help="tst, or trn: seen in training, so far too good.")] = "tst",
    json: Annotated[
        Path | None, typer.Option("--json", help="Result file to write.", show_default=False, dir_okay=False)
    ] = None,
    html: Annotated[
        Path | None, typer.Option("--html", help="Report page to write.", show_default=False, dir_okay=False)
    ] = None,
    predictions: Annotated[
        Path | None,
        typer.Option("--predictions", help="Scores to write: .npz, a scipy CSR (texts x labels), the best 100.",
                     show_default=False, dir_okay=False),
    ] = None,
    labels_table: Annotated[
        Path | None,
        typer.Option("--labels-table", help="Table of all labels to write, .csv or .parquet: counts, hits, confusions.",
                     show_default=False, dir_okay=False),
    ] = None,
    against: Annotated[
        Path | None,
        typer.Option("--against", help="Result file of another model on the same data: what is gained over it.",
                     show_default=False, dir_okay=False),
    ] = None,
    frequencies: Frequencies = "model",
    drop_unknown: DropUnknown = False,
    tail_boost: TailBoost = None,
) -> None:  # fmt: skip
    """Measure the quality of a model, by label frequency too.

    Labels of data and model are matched by id, or where one side has no ids, by text; their order does not count.
    Frequencies, in bins and propensities, are how often the model saw a label in training; one that it was never
    trained on (eclare labels add) is "unseen". --frequencies data counts them in the train split of the data instead:
    for models of other trainings to be compared by these figures too. Both agree where the model was trained on it.

    Filter pairs (filter_labels_*.txt, most often a document that is the label itself) are never predicted and not
    counted. The result file has metrics in percent with their intervals, bins by label frequency, thresholds,
    calibration, settings and the cost. Beside it RESULT.documents.npz keeps what each document adds to each figure, for
    comparing runs. The page shows the same with charts and documents to browse; it needs nothing from elsewhere.

    \b
    eclare evaluate models/debian --data data/debian --json result.json --html report.html
    eclare evaluate models/debian --data data/debian --predictions scores.npz --labels-table labels.csv
    eclare evaluate models/debian --data data/debian --html report.html --against no-graph.json
    eclare evaluate models/debian --data data/debian --tail-boost 1.2
    """
    base = _check_call(split, frequencies, labels_table, html, against)
    from eclare_py.data.dataset import load_dataset
    from eclare_py.estimator import EclareClassifier
    from eclare_py.labels import folder_into_label_space, names_in_data
    from eclare_py.rank.selection import with_score_quality
    from eclare_py.report.examples import choose_examples

    started = time.perf_counter()
    classifier = EclareClassifier.load(model, tail_boost=tail_boost)
    load_seconds = time.perf_counter() - started
    folder = load_dataset(data)
    named = names_in_data(_chosen(folder, split), classifier.pipeline.labels)  # refused where there is no such split
    folder = folder_into_label_space(folder, classifier.pipeline.labels, drop_unknown=drop_unknown)
    chosen = _chosen(folder, split)
    ranking, seconds = _answers(classifier, chosen)
    trial = _trial(folder, chosen, ranking, named, classifier.pipeline if frequencies == "model" else None)
    evaluation = with_score_quality(evaluate_trial(trial), classifier.pipeline, ranking, chosen.labels)
    evaluation = evaluation.with_cost(_cost(classifier, model, load_seconds, seconds, len(chosen)))
    title = f"{classifier.pipeline.recipe.get('name', model.name)} on {folder.name}"
    for table in headline_tables(evaluation):
        show_table(table)
    say(f"{title}: {len(chosen):,} documents in {seconds:.1f} s, {len(chosen) / seconds:,.0f} per second")
    evaluation.settings.update(frequencies=frequencies, test_set=trial.test_set, run=_origin(classifier))
    scores, labels = saved_scores(trial), _label_table(classifier, chosen, trial)
    evaluation = _with_sections(evaluation, scores, labels, base)
    evaluation = dataclasses.replace(evaluation, examples=examples_section(ranking, chosen.labels))
    if json is not None:
        _write_result(evaluation, scores, json)
    _write_tables(ranking, labels, predictions, labels_table)
    if html is not None:
        write_html(evaluation, html, title=title, examples=choose_examples(classifier, chosen, evaluation.examples))
        say(f"report written to {html}")


def _write_result(evaluation: Evaluation, scores: DocumentScores, json: Path) -> None:
    evaluation.save(json)
    scores.save(documents_path(json))
    say(f"result written to {json}, document scores to {documents_path(json)}")


def _write_tables(ranking: Ranking, labels: LabelTable, predictions: Path | None, labels_table: Path | None) -> None:
    from eclare_py.cli.ranking_file import write_npz

    if predictions is not None:
        write_npz(predictions, ranking.to_csr(len(labels.columns["label"])))
        say(f"predictions written to {predictions}")
    if labels_table is not None:
        labels.save(labels_table)
        say(f"table of labels written to {labels_table}")


def _check_call(
    split: str, frequencies: str, labels_table: Path | None, html: Path | None, against: Path | None
) -> tuple[DocumentScores, str] | None:
    """Refuse at once what would fail at the end; returns the other run's document scores and its name."""
    if split not in ("tst", "trn"):
        raise UsageError(f"--split {split} is unknown: choose tst or trn")
    if frequencies not in ("model", "data"):
        raise UsageError(f"--frequencies {frequencies} is unknown: choose model or data")
    if labels_table is not None:
        check_table_path(labels_table)
    if html is not None:
        check_matplotlib()
    if against is None:
        return None
    run = read_evaluation(against).settings.get("run", {})
    return read_document_scores(documents_path(against)), run.get("recipe") or against.stem


def _answers(classifier: EclareClassifier, chosen: Dataset) -> tuple[Ranking, float]:
    """The best labels of all documents, and the seconds they took."""
    from eclare_py.estimator import RANKED

    classifier.predict(chosen.texts[:1])  # compiles, or reads what was compiled before: not part of the measurement
    started = time.perf_counter()
    ranking = classifier.predict(chosen.texts, RANKED, filter_pairs=chosen.filter_pairs)
    return ranking, time.perf_counter() - started


def _with_sections(
    evaluation: Evaluation, scores: DocumentScores, labels: LabelTable, base: tuple[DocumentScores, str] | None
) -> Evaluation:
    return dataclasses.replace(
        evaluation,
        intervals=intervals_section(scores),
        against={} if base is None else against_section(scores, *base),
        extremes=extremes_section(labels),
    )


def _chosen(folder: DataFolder, split: str) -> Dataset:
    from eclare_py.data.aggregated import AggregatedDataset

    if split == "trn":
        if isinstance(folder.train, AggregatedDataset):
            raise DataError("labels of its train split are of groups: evaluate --split tst", path=folder.path)
        return folder.train
    if folder.test is None:
        raise DataError("there is no test split: add tst.json.gz, or evaluate --split trn", path=folder.path)
    return folder.test


def _trial(
    folder: DataFolder, chosen: Dataset, ranking: Ranking, named: tuple[list[str], str], model: Model | None
) -> Trial:
    """The trial with frequencies as in the training of the model, or without it, those of the train split."""
    counted = folder.train.label_frequencies, folder.train.n_documents
    if model is not None:
        counted = model.frequencies, model.n_documents
    return open_trial(
        ranking, chosen.labels, *counted, filter_pairs=chosen.filter_pairs, propensity_a=folder.propensity_a,
        propensity_b=folder.propensity_b, names=named[0], known_as=named[1],
    )  # fmt: skip


def _label_table(classifier: EclareClassifier, chosen: Dataset, trial: Trial) -> LabelTable:
    graph = getattr(classifier.pipeline, "graph", None)  # the method linear has none
    adjacency = None if graph is None else graph.adjacency
    return label_table(trial, chosen.label_texts, ids=chosen.label_ids, graph=adjacency)


def _cost(classifier: EclareClassifier, model: Path, load_seconds: float, seconds: float, count: int) -> dict[str, Any]:
    from eclare_py.storage import part_sizes

    facts = classifier.pipeline.facts
    return {
        "load_seconds": round(load_seconds, 3),
        "predict_seconds": round(seconds, 3),
        "documents_per_second": round(count / max(seconds, 1e-9), 1),
        "model_MB": round(sum(part_sizes(model).values()) / 1e6, 3),
        "peak_memory_MB": _peak_memory(),
        "processors": os.cpu_count(),
        "train_seconds": facts.get("train_seconds"),
        "train_documents": facts.get("documents"),
        "train_device": facts.get("device"),
    }


def _peak_memory() -> float | None:
    """Largest memory of this process so far in MB; None where the system does not say."""
    try:
        import resource
    except ImportError:  # not a Unix
        return None
    return round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, 1)


def _origin(classifier: EclareClassifier) -> dict[str, Any]:
    """What tells runs apart: recipe, seed, a fingerprint of all its settings but those two, and the training data."""
    recipe, facts = classifier.pipeline.recipe, classifier.pipeline.facts
    others = {key: value for key, value in recipe.items() if key not in ("name", "seed")}
    plain = json_text.dumps(others, sort_keys=True)
    return {
        "recipe": recipe.get("name"),
        "seed": recipe.get("seed"),
        "settings": hashlib.sha256(plain.encode()).hexdigest()[:16],
        "data": facts.get("data"),
        "documents": facts.get("documents"),
    }
