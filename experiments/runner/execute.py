"""Running cells: those that differ in index or ranking alone share one trained network."""

from __future__ import annotations

import statistics
import time
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py import Dataset, Ranking, evaluate
from eclare_py.config import to_mapping
from eclare_py.data import DataFolder
from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.errors import EclareError
from eclare_py.labels import match_labels
from eclare_py.rank.models import Model
from eclare_py.storage import exclusive, recover, remove_whole
from eclare_py.train import lightxml
from eclare_py.train.assembly import assemble
from eclare_py.train.events import EventLog
from eclare_py.train.fit import choose_device, train, train_network
from eclare_py.train.imputation.impute import imputed
from eclare_py.train.recipe import Recipe
from eclare_py.types import PADDING
from runner.assignment import assignment
from runner.plan import Cell, network_recipe
from runner.progress import Display
from runner.store import Store
from runner.warm import warm_up

RANKED = 100  # labels ranked per test document
_SINGLE = 200  # texts answered one by one, for the time of a single one
_WARM_UP = 64  # texts answered before the clock starts


def run(
    cells: Sequence[Cell], folders: Mapping[str, DataFolder], store: Store, display: Display, *, device: str = "auto"
) -> list[str]:
    """Run what is not there yet; a cell that fails does not keep the others from running.

    Returns:
        What failed, a line each.
    """
    todo = {cell.key: cell for cell in cells if not store.done(cell.key)}  # one cell may be part of many experiments
    order = {network: place for place, network in enumerate(dict.fromkeys(cell.network for cell in todo.values()))}
    display.total(len(todo), skipped=len({cell.key for cell in cells}) - len(todo))
    display.begin("warming up")
    warm_up((cell.recipe, folders[cell.data].train.n_labels) for cell in todo.values())
    failed = []
    for _, group in groupby(sorted(todo.values(), key=lambda cell: order[cell.network]), lambda cell: cell.network):
        together = list(group)
        try:
            _run_group(together, folders[together[0].data], store, display, device)
        except (EclareError, OSError) as error:
            failed += [f"{cell.title}: {error}" for cell in together if not store.done(cell.key)]
            display.say(f"failed: {together[0].title}: {error}")
    return failed


def _run_group(cells: list[Cell], folder: DataFolder, store: Store, display: Display, device: str) -> None:
    """Train once, then index, rank and evaluate every cell. All cells have the same data, change, seed and network."""
    first = cells[0]
    changed = first.change.apply(folder.train, first.seed)
    display.begin(first.title)
    dataset, found, before = _labelled(changed, first.recipe, folder, display, device)
    if first.recipe.method not in ("fusion", "lightxml"):
        for cell in cells:
            clock = Clock()
            pipeline = train(dataset, cell.recipe, device=device, listener=display)
            _finish(cell, pipeline, dataset, folder, store, display, {"train": clock, **before}, found)
        return
    work = store.work(first.network)
    with exclusive(work), EventLog(work / "events.jsonl", display) as log:
        clock = Clock()
        recover(work / "checkpoint")
        resumed = (work / "checkpoint").exists()
        finish = _train_shared(dataset, network_recipe(first.recipe), log, work, device)
        clock.stop()
        for cell in cells:
            display.begin(cell.title)
            own = Clock()
            # A resumed training was measured from its checkpoint on: that is no cost of a training.
            clocks = {"assemble": own, **({} if resumed else {"network": clock, **before})}
            _finish(cell, finish(cell.recipe), dataset, folder, store, display, clocks, found)
        with suppress(OSError):  # all cells are there
            remove_whole(work)


def _labelled(
    data: Dataset, recipe: Recipe, folder: DataFolder, display: Display, device: str
) -> tuple[Dataset, dict[str, float], dict[str, Clock]]:
    """Documents with labels of their own; where these were imputed, how right they are and what it took."""
    if not isinstance(data, AggregatedDataset):
        return data, {}, {}
    clock = Clock()
    dataset, facts = imputed(data, recipe, log=EventLog(None, display), train=train, device=device)
    clock.stop()
    found = {"imputation_s": facts["seconds"], **assignment(dataset, data, folder.train.labels)}
    return dataset, found, {"imputation": clock}


def _train_shared(
    dataset: Dataset, recipe: Recipe, log: EventLog, work: Path, device: str
) -> Callable[[Recipe], Model]:
    """Train what cells share; what comes back makes the model of one of them."""
    if recipe.method == "lightxml":
        light = lightxml.open_session(dataset, recipe, choose_device(device), log, work, True)
        lightxml.run(light, log)
        return lambda own: lightxml.assemble(light, own)
    session = train_network(dataset, recipe, log=log, folder=work, resume=True, device=device)
    return lambda own: assemble(session, own)


@dataclass
class Clock:
    """Seconds since it was made: of the wall, and of all processors."""

    wall: float = field(default_factory=time.perf_counter)
    cpu: float = field(default_factory=time.process_time)
    stopped: bool = False

    def stop(self) -> None:
        """Turn the moments into durations; a second call changes nothing."""
        if not self.stopped:
            self.wall, self.cpu = time.perf_counter() - self.wall, time.process_time() - self.cpu
            self.stopped = True


def _finish(
    cell: Cell,
    pipeline: Model,
    dataset: Dataset,
    folder: DataFolder,
    store: Store,
    display: Display,
    clocks: dict[str, Clock],
    found: dict[str, float],
) -> None:
    for clock in clocks.values():
        clock.stop()
    pipeline = cell.change.finish(pipeline, folder.train, cell.seed)
    ranking, predicting = _predict(pipeline, folder)
    single = _one_by_one(pipeline, folder)
    test, full = folder.test, folder.train
    assert test is not None
    # Frequencies and propensities of the whole train split, whatever was trained on: a rare label is the same label in
    # every variant, and figures stay comparable.
    result = evaluate(
        ranking, test.labels, full.label_frequencies, full.n_documents, filter_pairs=test.filter_pairs,
        propensity_a=folder.propensity_a, propensity_b=folder.propensity_b,
    )  # fmt: skip
    whole = "network" in clocks or "train" in clocks
    cost: dict[str, float | None] = {
        "train_cpu_s": round(sum(clock.cpu for clock in clocks.values()), 2) if whole else None,
        "train_s": round(sum(clock.wall for clock in clocks.values()), 2) if whole else None,
        "assemble_cpu_s": round(clocks["assemble"].cpu, 2) if "assemble" in clocks else None,
        "cpu_ms_a_document": round(1000 * predicting.cpu / len(test), 4),
        "documents_a_s": round(len(test) / predicting.wall, 1),
        "ms_one_document": round(1000 * single, 3),
    }
    shown = result.to_mapping()
    shown["metrics"] |= found
    if cell.study is not None:
        shown["metrics"] |= cell.study(pipeline, dataset, folder, ranking)
    facts = {"train_documents": dataset.n_documents, "train_pairs": int(dataset.labels.nnz)}
    store.save(
        cell.key,
        ranking,
        {
            "data": cell.data, "seed": cell.seed, "change": vars(cell.change), "recipe": to_mapping(cell.recipe),
            **shown, "cost": cost, "facts": facts,
        },
    )  # fmt: skip
    display.done(cell.title, result.metrics)


def _predict(pipeline: Model, folder: DataFolder) -> tuple[Ranking, Clock]:
    """The ranking of the test documents, by the rows that the data have for the labels, and what it took."""
    test: Any = folder.test
    rows = match_labels(pipeline.labels, test.label_texts, test.label_ids)
    hidden = np.stack([test.filter_pairs[:, 0], rows[test.filter_pairs[:, 1]]], axis=1)
    pipeline.rank(test.texts[:_WARM_UP], RANKED)
    clock = Clock()
    ranking = pipeline.rank(test.texts, RANKED, hidden=hidden)
    clock.stop()
    back = np.argsort(rows)
    return Ranking(np.where(ranking.indices >= 0, back[ranking.indices], PADDING), ranking.scores), clock


def _one_by_one(pipeline: Model, folder: DataFolder) -> float:
    """Median seconds of a call with one document."""
    test: Any = folder.test
    clocks = []
    for text in test.texts[:_SINGLE]:
        clock = Clock()
        pipeline.rank([text], 10)
        clock.stop()
        clocks.append(clock.wall)
    return statistics.median(clocks)
