"""`eclare compare` as a user runs it, on small results made here and on those of `eclare evaluate`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.estimator import EclareClassifier
from eclare_py.labels import add_labels, remove_labels
from eclare_py.metrics.per_document import DocumentScores, documents_path, read_document_scores
from eclare_py.metrics.result import Evaluation
from eclare_py.persist import save_pipeline
from eclare_py.rank.pipeline import LabelTable
from tests.integration.test_cli import eclare, error_of

CELLS = (("P@1", "all"), ("R@10", "all"), ("R@10", "1-5"))


def write(
    path: Path, seed: int, gain: float = 0.0, *, settings: str = "s", name: str = "r", test_set: str = "t",
    n: int = 150, **more: Any,
) -> Path:  # fmt: skip
    """A result whose R@10 on rare labels is so many points better."""
    shared, own = np.random.default_rng(0), np.random.default_rng(seed)
    scores = np.stack([shared.normal(0.5 + by / 100, 0.3, n) for by in (0, 0, gain)]) + own.normal(0, 0.1, (3, n))
    DocumentScores(CELLS, scores, np.ones_like(scores), test_set).save(documents_path(path))
    origin = {"recipe": name, "seed": seed, "settings": settings, "data": "d", "documents": 9}
    Evaluation({"P@1": 50.0}, [], {"run": origin, "train_documents": 9, **more}).save(path)
    return path


@pytest.fixture
def results(tmp_path: Path) -> list[Path]:
    base = [write(tmp_path / f"base-{seed}.json", seed) for seed in (0, 1, 2)]
    return base + [write(tmp_path / f"graph-{s}.json", s, 15, settings="g", name="graph") for s in (13, 14, 15)]


def test_runs_are_grouped_by_recipe_and_compared_to_the_first(results: list[Path], tmp_path: Path) -> None:
    out, page = tmp_path / "out.json", tmp_path / "out.html"
    result = eclare("compare", *results, "--json", out, "--html", page)
    lines = result.stdout.splitlines()
    assert "graph against r" in lines
    assert lines[-3].startswith("  better: R@10 [1-5: +1") and lines[-2] == "  worse: nothing"
    assert lines[-1].startswith("  noise: 2 of 3 figures; the largest is")
    assert "Variation over seeds" in result.stdout and "r, 3 runs" in result.stdout
    assert result.stderr.splitlines() == [f"comparison written to {out}", f"page written to {page}"]
    found = json.loads(out.read_text())
    assert found["groups"] == {"r": [str(path) for path in results[:3]], "graph": [str(path) for path in results[3:]]}
    assert [one["verdict"] for one in found["comparisons"][0]["differences"]] == ["noise", "noise", "better"]
    assert found["summary"][0]["better"] in page.read_text()


def test_one_group_shows_its_spread(results: list[Path]) -> None:
    shown = eclare("compare", *results[:3]).stdout
    assert "Figures by group" in shown and "Variation over seeds" in shown
    assert "against" not in shown


def test_single_runs_come_with_a_warning(results: list[Path]) -> None:
    result = eclare("compare", results[0], results[3])
    assert "One run each, graph against r: variation over seeds is not covered" in result.stderr
    said = eclare("compare", *results[:4]).stderr
    assert (
        said.startswith("One run on one side, graph against r: its seeds are taken to vary as those")
        and "each" not in said
    )
    assert eclare("compare", *results).stderr == ""
    apart = eclare("compare", *results[:3], "--by", "file", "--only", "R*").stdout
    assert "base-1 against base-0" in apart and "base-2 against base-0" in apart and "P@1" not in apart


def test_groups_by_name_and_by_pattern(results: list[Path], tmp_path: Path) -> None:
    other = write(tmp_path / "other.json", 9, settings="o")
    assert f"r ({tmp_path / 'other'}) against r ({tmp_path / 'base-0'})" in eclare("compare", results[0], other).stdout
    assert "against" not in eclare("compare", results[0], other, "--by", "name").stdout
    named = eclare(
        "compare", "--group", f"all={tmp_path}/base-*.json", "--group", f"all={tmp_path}/graph-*", "--json",
        tmp_path / "o", other, results[0], code=1,
    )  # fmt: skip
    assert "documents.npz" in error_of(named)  # the pattern takes in more than results
    patterns = [f"g={tmp_path}/graph-??.json", f"b={tmp_path}/base-?.json"]
    shown = eclare("compare", "--group", patterns[0], other, *results, "--group", patterns[1]).stdout.splitlines()
    assert [line for line in shown if "against" in line and "│" not in line][-2:] == ["b against g", "r against g"]


def test_matched_runs_pair_by_seed(tmp_path: Path) -> None:
    groups = {name: [write(tmp_path / f"{name}{s}.json", s, by, settings=name, name=name) for s in (2, 0, 1)]
              for name, by in (("a", 0), ("b", 9))}  # fmt: skip
    results = [*groups["a"], *reversed(groups["b"])]
    out = tmp_path / "out"
    eclare("compare", *results, "--matched", "--json", out)
    found = json.loads(out.read_text())
    assert found["settings"]["matched"] is True
    assert [one["verdict"] for one in found["comparisons"][0]["differences"]] == ["noise", "noise", "better"]
    assert [Path(path).name for path in found["groups"]["b"]] == ["b0.json", "b1.json", "b2.json"]
    said = error_of(eclare("compare", *results[:-1], "--matched", code=2))
    assert "--matched needs the same seeds once in each group: b has [1, 0]" in said


def test_other_bins_and_propensities_are_told(tmp_path: Path, results: list[Path]) -> None:
    other = write(tmp_path / "other.json", 9, settings="o", train_documents=10)
    assert "differ in train documents (10, 9)" in eclare("compare", *results[:3], other).stderr


def test_calls_at_fault(results: list[Path], tmp_path: Path) -> None:
    one = results[0]
    beside = tmp_path / "sub" / ".." / one.name
    (tmp_path / "sub").mkdir()
    assert "one result alone cannot be compared: name two or more" in error_of(eclare("compare", one, code=2))
    assert "no result is given: name two or more" in error_of(eclare("compare", code=2))
    folder = error_of(eclare("compare", tmp_path / "sub", one, code=1))
    assert folder == f"{tmp_path / 'sub'}: is a folder: name a result file that `eclare evaluate --json` wrote"
    assert "are the same file" in error_of(eclare("compare", one, beside, code=2))
    assert "choose settings, name, file" in error_of(eclare("compare", *results, "--by", "seed", code=2))
    assert "not of the form NAME=GLOB" in error_of(eclare("compare", *results, "--group", "base", code=2))
    assert "no file matches" in error_of(eclare("compare", "--group", f"x={tmp_path}/y*", code=2))
    assert "no figure to compare" in error_of(eclare("compare", *results, "--only", "Z", code=2))


def test_results_at_fault(results: list[Path], tmp_path: Path) -> None:
    one = results[0]
    other = write(tmp_path / "other.json", 9, test_set="u")
    said = error_of(eclare("compare", one, other, code=1))
    assert str(one) in said and str(other) in said and "other test sets" in said
    longer = write(tmp_path / "longer.json", 9, n=151)
    assert "(151 and 150 documents)" in error_of(eclare("compare", one, longer, code=1))
    assert str(tmp_path / "none.json") in error_of(eclare("compare", one, tmp_path / "none.json", code=1))
    documents_path(other).unlink()
    said = error_of(eclare("compare", one, other, code=1))
    assert said == f"{other}: other.documents.npz is missing beside it: evaluate again with this version"
    documents_path(other).write_bytes(b"PK")
    assert "does not hold document scores" in error_of(eclare("compare", one, other, code=1))
    other.write_text("{}")
    assert "is not a result of `evaluate`" in error_of(eclare("compare", one, other, code=1))


def test_results_without_a_recipe_stand_by_themselves(tmp_path: Path) -> None:
    paths = [write(tmp_path / name, seed) for seed, name in enumerate(("x.json", "y.json"))]
    for path in paths:
        Evaluation({"P@1": 50.0}, [], {}).save(path)
    assert "y against x" in eclare("compare", *paths).stdout


def test_evaluate_tells_what_compare_groups_by(tiny: Any, tmp_path: Path) -> None:
    origins = []
    for name, options in (("a", ()), ("b", ()), ("c", ("--tail-boost", "1"))):
        eclare("evaluate", tiny.model, "--data", tiny.data, "--json", tmp_path / name, *options)
        origins.append(json.loads((tmp_path / name).read_text())["settings"]["run"])
    assert origins[0] == origins[1]
    assert {key for key in origins[0] if origins[0][key] != origins[2][key]} == {"settings"}
    assert (origins[0]["recipe"], origins[0]["seed"]) == ("tiny", 0)
    assert origins[0]["documents"] == len(tiny.folder.train)


@pytest.fixture(scope="module")
def successors(tiny: Any, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """What a model becomes, each by the way of its result: more labels, other order and no ids, more documents."""
    root, train = tmp_path_factory.mktemp("successors"), tiny.folder.train
    more = add_labels(tiny.classifier.pipeline, LabelTable(["an addition to all that"]))
    save_pipeline(more, root / "more")
    names = [train.label_texts[row] for row in range(90)]
    rows = np.split(train.labels.indices, train.labels.indptr[1:-1])
    lists = [[names[label] for label in reversed(row.tolist())] for row in rows]
    again = EclareClassifier(tiny.recipe, device="cpu").fit(list(train.texts), lists)
    assert again.pipeline.labels.texts != names
    again.save(root / "again")
    tuned = EclareClassifier.load(tiny.model)
    tuned.device = "cpu"
    tuned.finetune(train.subset(np.arange(200)), replay=train).save(root / "tuned")
    for name, model in (("base", tiny.model), *((name, root / name) for name in ("more", "again", "tuned"))):
        for counted in ("model", "data"):
            result = root / f"{name}-{counted}.json"
            eclare("evaluate", model, "--data", tiny.data, "--json", result, "--frequencies", counted)
    return {path.stem: path for path in root.glob("*.json")}


def test_a_model_is_compared_with_its_successor(successors: dict[str, Path], tmp_path: Path) -> None:
    def differences(one: str, other: str) -> tuple[set[str], str]:
        result = eclare("compare", successors[one], successors[other], "--by", "file", "--json", tmp_path / "c")
        found = json.loads((tmp_path / "c").read_text())["comparisons"][0]["differences"]
        return {f"{each['metric']} {each['bin']}" for each in found}, result.stderr

    for name in ("more", "again"):  # seen as often, so that bins and propensities are the same
        shown, said = differences("base-model", f"{name}-model")
        assert {"PSP@5 all", "R@10 6-10", "P@1 all"} <= shown and "left out" not in said
    shown, said = differences("base-model", "tuned-model")
    assert {"P@1 all", "R@100 all", "coverage@10 all"} <= shown and not {"PSP@5 all", "R@10 6-10"} & shown
    assert "evaluate all with --frequencies data" in said and "differ in train documents" not in said
    shown, said = differences("base-data", "tuned-data")
    assert {"PSP@5 all", "R@10 6-10", "P@1 all"} <= shown and "left out" not in said


def test_frequencies_are_those_of_the_model_unless_asked(successors: dict[str, Path], tiny: Any) -> None:
    found = {name: json.loads(path.read_text()) for name, path in successors.items()}
    model, data = found["base-model"], found["base-data"]
    assert (model["metrics"], model["bins"]) == (data["metrics"], data["bins"])  # trained on this folder
    assert (model["settings"]["frequencies"], data["settings"]["frequencies"]) == ("model", "data")
    settings = [found[name]["settings"]["train_documents"] for name in ("tuned-model", "tuned-data")]
    assert settings == [len(tiny.folder.train) + 200, len(tiny.folder.train)]
    said = error_of(eclare("evaluate", tiny.model, "--data", tiny.data, "--frequencies", "both", code=2))
    assert "--frequencies both is unknown: choose model or data" in said


def test_a_model_against_its_successor_in_one_report(successors: dict[str, Path], tiny: Any, tmp_path: Path) -> None:
    base = successors["again-model"]
    eclare("evaluate", tiny.model, "--data", tiny.data, "--against", base, "--json", tmp_path / "r")
    against = json.loads((tmp_path / "r").read_text())["against"]
    assert against["left_out"] == "" and {one["bin"] for one in against["differences"]} > {"all", "6-10"}


def test_results_of_earlier_versions_are_compared_with_each_other_alone(
    successors: dict[str, Path], tmp_path: Path
) -> None:
    for name in ("a.json", "b.json"):
        (tmp_path / name).write_bytes(successors["base-model"].read_bytes())
        scores = read_document_scores(documents_path(successors["base-model"]))
        with documents_path(tmp_path / name).open("wb") as file:
            np.savez(file, cells=np.asarray(scores.cells), gained=scores.gained, possible=scores.possible,
                     test_set=np.asarray("0123456789abcdef"))  # fmt: skip
    assert "b against a" in eclare("compare", tmp_path / "a.json", tmp_path / "b.json", "--by", "file").stdout
    said = error_of(eclare("compare", tmp_path / "a.json", successors["again-model"], code=1))
    assert "one is of an earlier version" in said and said.endswith("evaluate both again")


def test_pairs_that_were_left_out_are_told(successors: dict[str, Path], tiny: Any, tmp_path: Path) -> None:
    fewer = remove_labels(tiny.classifier.pipeline, np.array([int(tiny.folder.test.labels.indices[0])]))
    save_pipeline(fewer, tmp_path / "fewer")
    eclare("evaluate", tmp_path / "fewer", "--data", tiny.data, "--drop-unknown", "--json", tmp_path / "fewer.json")
    said = error_of(eclare("compare", successors["base-model"], tmp_path / "fewer.json", code=1))
    assert "if --drop-unknown left out labels of one, add these to its model first (eclare labels add)" in said


def test_models_of_one_seed_are_compared_and_not_pooled(tmp_path: Path) -> None:
    """A model and its successor, or one at two lifts: the settings are the same, and so is the seed."""
    first, second = write(tmp_path / "before.json", 0), write(tmp_path / "after.json", 0, 15)
    other = [write(tmp_path / f"other-{seed}.json", seed, settings="o", name="other") for seed in (1, 2)]
    out = tmp_path / "out.json"
    eclare("compare", first, second, *other, "--json", out)
    found = json.loads(out.read_text())["groups"]
    assert [len(one) for one in found.values()] == [1, 1, 2]
