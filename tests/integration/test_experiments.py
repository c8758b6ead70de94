"""The runner of the experiments: what is done is skipped, a kill costs one cell, figures add up."""

from __future__ import annotations

import importlib
import json
import re
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py import EclareClassifier, Ranking
from eclare_py.types import as_csr
from tests.tiny import ROOT, python

SCRIPTS = ROOT / "experiments"
sys.path.insert(0, str(SCRIPTS))  # the scripts are no package

from runner import (  # noqa: E402
    AS_IS,
    Change,
    Experiment,
    Results,
    Variant,
    app,
    execute,
    main,
)
from runner.changes import held_out_labels  # noqa: E402
from runner.leaderboard import as_html, as_markdown, collect  # noqa: E402
from runner.plan import Cell, cells_of  # noqa: E402
from runner.progress import Display  # noqa: E402
from runner.results import Spread  # noqa: E402
from runner.store import Store  # noqa: E402

NAMES = ("ablation", "rare_labels", "cost_of_quality", "data_size", "missing_labels", "new_labels", "add_labels",
         "frontier", "rank_ae", "tree_frontier", "automation", "finetune")  # fmt: skip
# A matrix of two variants that share a network, as a script that can be killed after its first cell.
SCRIPT = """
import os, signal, sys
sys.path.insert(0, {scripts!r})
from runner import Experiment, Variant, main, plots, store

def draw(results, path):
    path.write_text("<svg/>")

EXPERIMENT = Experiment(
    name="toy", question="Does it run?", base="whole", shown=("P@1", "R@10"), draw=draw,
    variants=(Variant("whole"), Variant("no graph features", ("rank.graph_features=false",))),
)
if __name__ == "__main__":
    kept = store.Store.save
    def save(*arguments):
        kept(*arguments)
        os.kill(os.getpid(), signal.SIGKILL)
    store.Store.save = save
    main(EXPERIMENT, words=sys.argv[1:])
"""


def words(tiny: Any, folder: Path, *more: str) -> list[str]:
    return [
        "--data", str(tiny.data), "--recipe", str(tiny.recipe), "--seeds", "0", "1", "--device", "cpu",
        "--out", str(folder / "out"), "--results", str(folder / "results"), *more,
    ]  # fmt: skip


def cell(recipe: Any, *, change: Change = AS_IS, experiment: str = "e", variant: str = "v") -> Cell:
    return Cell(experiment, variant, "data", "fingerprint", recipe, change)


def settings(*overrides: str) -> Any:
    return EclareClassifier.from_recipe("default", overrides).settings()


def test_a_killed_run_goes_on_and_ends_as_an_undisturbed_one(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (tmp_path / "toy_experiment.py").write_text(SCRIPT.format(scripts=str(SCRIPTS)))
    killed = python(str(tmp_path / "toy_experiment.py"), *words(tiny, tmp_path / "killed"), cwd=tmp_path)
    assert killed.returncode == -9, killed.stderr
    cells = tmp_path / "killed" / "out" / "cells"
    (first,) = cells.glob("*.json")
    before = first.read_bytes()
    monkeypatch.syspath_prepend(tmp_path)
    experiment = importlib.import_module("toy_experiment").EXPERIMENT
    trained, train_network = [], execute.train_network

    def count(*arguments: Any, **options: Any) -> Any:
        trained.append(arguments[1].seed)
        return train_network(*arguments, **options)

    monkeypatch.setattr(execute, "train_network", count)
    main(experiment, words=words(tiny, tmp_path / "killed"))
    assert "3 cells to run, 1 done before" in capsys.readouterr().err
    assert trained == [0, 1]
    assert first.read_bytes() == before and len(list(cells.glob("*.json"))) == 4
    assert not list((tmp_path / "killed" / "out" / "work").iterdir())
    main(experiment, words=words(tiny, tmp_path / "whole"))
    assert trained == [0, 1, 0, 1]
    main(experiment, words=words(tiny, tmp_path / "whole"))
    assert trained == [0, 1, 0, 1] and "0 cells to run, 4 done before" in capsys.readouterr().err
    found = [Results.read(Store(tmp_path / name / "out"), experiment, {}) for name in ("killed", "whole")]
    metrics = [{place: {s: c["metrics"] for s, c in cs.items()} for place, cs in one.cells.items()} for one in found]
    assert metrics[0] == metrics[1]
    # The network of seed 0 went on from its checkpoint for the second variant: its time is not known.
    costs = found[0].values("synthetic", "no graph features", "train_cpu_s")
    assert costs[0] is None and costs[1] > 0


def test_a_cell_is_what_the_classifier_gives(tiny: Any, tmp_path: Path) -> None:
    experiment = Experiment("shared", "?", (Variant("a"), Variant("b", ("rank.tail_boost=0", "rank.linear=false"))),
                            "a", ("P@1",), lambda results, path: None)  # fmt: skip
    main(experiment, words=[*words(tiny, tmp_path), "--seeds", "0"])
    results = Results.read(Store(tmp_path / "out"), experiment, {})
    alone = EclareClassifier.from_recipe(tiny.recipe, ["rank.tail_boost=0", "rank.linear=false"], device="cpu")
    assert results.cells["synthetic", "b"][0]["metrics"] == alone.fit(tiny.folder).evaluate(tiny.folder).metrics
    assert results.cells["synthetic", "a"][0]["metrics"] == tiny.classifier.evaluate(tiny.folder).metrics
    summary = json.loads((tmp_path / "results" / "shared.json").read_text())
    assert [row["variant"] for row in summary["rows"]] == ["a", "b"]


def test_a_failing_cell_leaves_the_others_alone(tiny: Any, tmp_path: Path) -> None:
    variants = (Variant("too small", change=Change("documents", 0.05)), Variant("fine", recipe="xr_linear"))
    experiment = Experiment("failing", "?", variants, "fine", ("P@1",), lambda results, path: None)
    with pytest.raises(SystemExit, match=r"failed:\ntoo small, synthetic, seed 0: .*documents are too few"):
        main(experiment, words=[*words(tiny, tmp_path), "--seeds", "0"])
    assert list(Results.read(Store(tmp_path / "out"), experiment, {}).cells) == [("synthetic", "fine")]


def test_keys_tell_settings_apart_and_nothing_else() -> None:
    one = cell(settings("seed=1"))
    assert one.key == cell(settings("seed=1", "name=other"), experiment="another", variant="another").key
    different = [
        cell(settings("seed=2")),
        cell(settings("seed=1", "rank.seeds=3")),
        cell(settings("seed=1"), change=Change("pairs", 0.1)),
        cell(settings("seed=1"), change=Change("pairs", 0.3)),
        replace(one, fingerprint="other"),
    ]
    assert len({one.key, *(other.key for other in different)}) == 6
    assert one.setting == different[0].setting != different[1].setting
    assert one.network == different[1].network
    assert len({one.network, *(other.network for other in different[2:])}) == 4


def test_a_network_is_shared_unless_its_training_would_differ() -> None:
    base, mined = cell(settings()), "training.ranker_epochs=1"
    assert base.network == cell(settings("index.beam=50", "linear.beam=3")).network
    assert base.network != cell(settings("document.dim=64")).network
    assert (
        cell(settings(mined)).network != cell(settings(mined, "index.beam=50")).network
    )  # negatives come from the index
    linear = [cell(EclareClassifier.from_recipe("xr_linear", [f"linear.beam={beam}"]).settings()) for beam in (5, 10)]
    assert linear[0].network != linear[1].network


def test_recall_of_new_labels_equals_a_loop(tiny: Any) -> None:
    measure = importlib.import_module("new_labels").measure
    test = tiny.folder.test
    ranking = tiny.classifier.predict(test.texts, 40)
    found = measure(Ranking(ranking.indices, ranking.scores), tiny.folder, 5)
    mask = held_out_labels(90, 0.1, 5)
    truth = test.labels.toarray() > 0
    for name, wanted in (("new", mask), ("others", ~mask)):
        hit = [
            label in ranking.indices[row, :10]
            for row in range(len(test)) for label in range(90) if truth[row, label] and wanted[label]
        ]  # fmt: skip
        assert hit and found[f"{name}_R@10"] == pytest.approx(100 * sum(hit) / len(hit))


@pytest.mark.parametrize("name", NAMES)
def test_declarations_are_sound(name: str, tiny: Any) -> None:
    experiment = importlib.import_module(name).EXPERIMENT
    variants = [one.name for one in experiment.variants]
    assert experiment.name == name and experiment.base in variants and len(set(variants)) == len(variants)
    cells = list(cells_of(experiment, [tiny.folder], [0, 1], names=["all"]))
    assert [one.variant for one in cells] == [*variants, *variants] and {one.seed for one in cells} == {0, 1}
    assert len({one.key for one in cells}) == len(cells)
    assert set(experiment.chosen(None)) <= set(experiment.chosen(["all"]))


def test_the_help_names_every_question_and_variant(capsys: pytest.CaptureFixture[str]) -> None:
    experiments = [importlib.import_module(name).EXPERIMENT for name in NAMES]
    with pytest.raises(SystemExit, match="0"):
        app.parse(experiments, ["--help"])
    shown = " ".join(capsys.readouterr().out.split())
    assert all(one.question in shown for one in experiments) and "10 % of documents" in shown


def test_a_study_adds_figures_of_its_own(tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    frontier = importlib.import_module("tree_frontier")
    monkeypatch.setattr(frontier, "QUERIES", 5)
    small = ["--set", "linear.max_leaf=4", "--set", "linear.branching=2"]
    names = ["balanced", "mass 1.0", "fast"]
    main(frontier.EXPERIMENT, words=[*words(tiny, tmp_path, *small), "--variants", *names])
    rows = json.loads((tmp_path / "results/tree_frontier.json").read_text())["rows"]
    assert [row["variant"] for row in rows] == names
    for row in rows:
        assert {"walk_products", "beam_products", "search_us"} <= set(row["metrics"])
        assert row["metrics"]["search_us"][0] > 0
    assert rows[1]["metrics"]["walk_products"] != rows[0]["metrics"]["walk_products"]
    assert "search_us" in (tmp_path / "results/tree_frontier.md").read_text()


def result(value: float, cost: float | None) -> dict[str, Any]:
    bins = [{"name": "1-5", "pairs": 4, "metrics": {"R@10": value / 2, "R@100": None}}]
    facts = {"train_documents": 9, "train_pairs": 20}
    return {"metrics": {"P@1": value, "PSP@5": value}, "bins": bins, "cost": {"train_cpu_s": cost}, "facts": facts}


def test_what_a_run_left_of_a_done_training_is_removed(tmp_path: Path) -> None:
    store = Store(tmp_path)
    for name in ("key", "key.tmp-999999999", "other"):
        store.work(name).mkdir(parents=True)
    store.work("key.lock").write_text("999999999\n")
    store.forget("key")
    store.forget("unknown")
    assert [path.name for path in store.work("key").parent.iterdir()] == ["other"]


def test_means_spreads_and_gains_by_hand() -> None:
    variants = (Variant("base"), Variant("new"))
    experiment = Experiment("e", "?", variants, "base", ("P@1",), lambda results, path: None)
    cells = {
        ("d", "new"): {0: result(14.0, None), 1: result(17.0, 2.0)},
        ("d", "base"): {0: result(10.0, 1.0), 1: result(12.0, 1.0), 2: result(50.0, 1.0)},
    }
    results = Results(experiment, cells)
    assert results.variants("d") == ["base", "new"]
    assert results.spread("d", "new", "P@1") == Spread(15.5, pytest.approx(4.5**0.5), 2)
    assert results.gain("d", "new", "P@1") == Spread(4.5, pytest.approx(0.5**0.5), 2)  # seed 2 has no partner
    assert results.spread("d", "new", "train_cpu_s") == Spread(2.0, None, 1)
    assert results.spread("d", "new", "R@10[1-5]").mean == 7.75
    assert results.spread("d", "new", "R@100[1-5]") is results.spread("d", "none", "P@1") is None
    assert results.gain("d", "new", "P@1").text(sign=True) == "+4.50 ± 0.71"
    own = Results(replace(experiment, bases={"base": "new"}), cells)
    assert own.gain("d", "base", "P@1") == Spread(-4.5, pytest.approx(0.5**0.5), 2)


def test_the_leaderboard_joins_names_of_one_setting(tmp_path: Path) -> None:
    store, empty = Store(tmp_path), Ranking.empty(1, 3)
    better, worse = settings("rank.seeds=5"), settings("rank.seeds=6")
    plans = {
        "one": [cell(better, variant="best <b>"), cell(worse, variant="second")],
        "two": [cell(replace(better, seed=4), variant="same"), cell(replace(worse, seed=4), variant="not yet there")],
    }
    for name, plan in plans.items():
        store.add_plan(name, plan)
    for one, value in zip([*plans["one"], plans["two"][0]], (30.0, 20.0, 34.0), strict=True):
        store.save(one.key, empty, result(value, 1.0))
    board = collect(store)
    assert [line.names for line in board["data"]] == [["best <b> (one)", "same (two)"], ["second (one)"]]
    text = as_markdown(board)
    rows = [[part.strip() for part in line.split("|")[1:4]] for line in text.splitlines() if line.startswith("| ")]
    assert rows[1:] == [["best <b> (one), same (two)", "2", "32.00 ± 2.83"], ["second (one)", "1", "20.00"]]
    page = as_html(board)
    assert "best &lt;b&gt; (one)" in page and '<td class="best">32.00 ± 2.83</td>' in page
    assert not re.search(r"https?://|<script", page)
    assert '<td class="best">–</td>' not in page  # where no line has a figure, as of rare labels, none is the best


def test_progress_of_cells_tells_what_there_is() -> None:
    told: list[str] = []
    display = Display()
    display.say = told.append  # type: ignore[method-assign]
    display.done("a cell", {"P@1": 50.0, "tail_R@10": None})
    assert told == ["a cell: P@1 50.00, tail_R@10 n/a"]


def test_rankings_come_back(tmp_path: Path) -> None:
    ranking = Ranking.from_csr(as_csr([[0, 0.5, 0.9, 0], [0.1, 0, 0, 0]]), 3)
    store = Store(tmp_path)
    assert not store.done("key")
    store.save("key", ranking, {"metrics": {}})
    back = store.ranking("key")
    assert store.done("key") and np.array_equal(back.indices, ranking.indices)
    assert np.array_equal(np.isinf(back.scores), np.isinf(ranking.scores))
    assert (np.diff(back.scores[0, :2]) < 0).all()


def test_automation_trains_each_network_once_for_both_of_its_questions(tiny: Any) -> None:
    automation = importlib.import_module("automation")
    sides = [
        list(cells_of(one, [tiny.folder], [0])) for one in (automation.EXPERIMENT, automation.DEFAULT)
    ]
    networks = [[cell.network for cell in side] for side in sides]
    assert networks[0] == networks[1] and len(set(networks[0])) == len(automation.VARIANTS)
    assert len({cell.key for side in sides for cell in side}) == 2 * len(automation.VARIANTS)
    part = automation.on_part(automation.EXPERIMENT)
    assert part.name == "automation_part" and {one.change for one in part.variants} == {Change("documents", 0.3)}


def test_a_study_sees_the_model_and_makes_the_cell_another(tiny: Any, tmp_path: Path) -> None:
    automation = importlib.import_module("automation")
    variants = (Variant("a"),)
    asked = Experiment("asked", "?", variants, "a", ("AURC",), lambda *_: None, study=automation.coverage_figures)
    plain = replace(asked, name="plain", study=None)
    main(asked, words=[*words(tiny, tmp_path), "--seeds", "0"])
    found = Results.read(Store(tmp_path / "out"), asked, {}).cells["synthetic", "a"][0]["metrics"]
    plans = [next(cells_of(one, [tiny.folder], [0], recipe=str(tiny.recipe))) for one in (asked, plain)]
    assert plans[0].key != plans[1].key and Store(tmp_path / "out").done(plans[0].key)
    assert not Store(tmp_path / "out").done(plans[1].key)
    pipeline, test = tiny.classifier.pipeline, tiny.folder.test
    kept = tiny.classifier.evaluate(tiny.folder).selective["first"]
    assert found["AURC"] == pytest.approx(100 * kept["area"], abs=1e-3)
    (target,) = (one for one in kept["targets"] if one["target"] == 0.8)
    assert found["C@1(80)"] == pytest.approx(100 * target["share"], abs=1e-3)
    products = pipeline.encode(test.texts).vectors @ pipeline.ranker.scorer.vectors.T + pipeline.ranker.scorer.bias
    products[test.filter_pairs[:, 0], test.filter_pairs[:, 1]] = -np.inf
    best = products.argmax(axis=1)
    right = test.labels.toarray()[np.arange(len(test)), best] > 0
    assert found["dense P@1"] == pytest.approx(100 * right.mean(), abs=1e-3)


def test_held_out_documents_are_those_of_the_training(tiny: Any) -> None:
    automation = importlib.import_module("automation")
    train, pipeline = tiny.folder.train, tiny.classifier.pipeline
    held_out = automation.held_out(train, pipeline)
    assert held_out.n_documents == pipeline.facts["held_out"] == len(pipeline.held_out.indptr) - 1
    # What the model knows of them, every second one first, is what their labels say.
    seen, rows = pipeline.held_out, np.arange(held_out.n_documents)
    hits = np.add.reduceat(np.append(seen.relevant, 0), seen.indptr[:-1]) * (np.diff(seen.indptr) > 0)
    there = np.diff(held_out.labels.indptr)[np.concatenate([rows[::2], rows[1::2]])]
    assert np.all(hits <= there) and hits.sum() > 0.5 * there.sum()
