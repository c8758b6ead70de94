"""From a spreadsheet and a thesaurus to a trained model, by the command line."""

from __future__ import annotations

import csv
import json
import shlex
from pathlib import Path
from typing import Any

import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.estimator import EclareClassifier
from eclare_py.train.prepare import prepare
from tests.integration.command import eclare
from tests.tiny import build_folder, write_recipe


@pytest.fixture(scope="module")
def table(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The tiny data set as products.csv, and its labels as thesaurus.ttl: each but the first has a broader one."""
    folder = tmp_path_factory.mktemp("own")
    train = load_dataset(build_folder(folder / "tiny")).train
    with open(folder / "products.csv", "w", encoding="utf-8", newline="") as stream:
        writer = csv.writer(stream)
        writer.writerow(["title", "description", "tags"])
        for row, text in enumerate(train.texts):
            labels = train.labels.indices[train.labels.indptr[row] : train.labels.indptr[row + 1]]
            writer.writerow([text, f"number {row}", "|".join(f"A{label}" for label in labels)])
        writer.writerow(["", "", "A0"])
    lines = ["@prefix skos: <http://www.w3.org/2004/02/skos/core#> ."]
    for label, text in enumerate(train.label_texts):
        broader = f" ; skos:broader <http://x.org/{label // 2}>" if label else ""
        lines.append(f'<http://x.org/{label}> a skos:Concept ; skos:notation "A{label}" ; '
                     f"skos:prefLabel {json.dumps(text)}@en{broader} .")  # fmt: skip
    (folder / "thesaurus.ttl").write_text("\n".join(lines), encoding="utf-8")
    return folder


def call(table: Path, *more: Any) -> list[Any]:
    return ["data", "import", table / "products.csv", "--text", "title,description", "--labels", "tags", "--sep", "|",
            "--label-file", table / "thesaurus.ttl", "--out", table / "products", *more]  # fmt: skip


def test_from_a_spreadsheet_and_a_thesaurus_to_a_model(table: Path, tmp_path: Path) -> None:
    shown = eclare(*call(table))
    assert "rows left out: empty text" in shown.stdout and "Import of products.csv" in shown.stdout
    assert "relations between labels" in shown.stdout
    following = [line.strip() for line in shown.stderr.splitlines() if line.startswith("  eclare")]
    assert [shlex.split(line)[1] for line in following] == ["inspect", "train", "evaluate"]
    eclare("data", "validate", table / "products")
    estimate = eclare(*shlex.split(following[0])[1:])
    assert "training time" in estimate.stdout and "relations between labels" in estimate.stdout
    model = tmp_path / "model"
    eclare(
        "train", write_recipe(tmp_path), "--data", table / "products", "--out", model, "--set", "graph.given_weight=0.5"
    )
    eclare("evaluate", model, "--data", table / "products", "--json", tmp_path / "r.json")
    assert json.loads((tmp_path / "r.json").read_text())["metrics"]["R@100"] > 0


def test_given_edges_are_in_the_graph_where_the_recipe_wants_them(table: Path) -> None:
    eclare(*call(table))
    train = load_dataset(table / "products").train
    edges = {(int(s), int(t)) for s, t, _ in train.label_edges}
    found = {}
    for weight in (0, 0.5):
        overrides = [f"graph.given_weight={weight}", "training.validation=0.1"]
        recipe = EclareClassifier.from_recipe("default", overrides).settings()
        graph = prepare(train, recipe, folder=None).graph
        found[weight] = {(label, int(other)) for label in range(train.n_labels) for other in graph.neighbours(label)[0]}
    assert edges and not edges <= found[0]
    assert edges | {(t, s) for s, t in edges} | found[0] == found[0.5]
    assert EclareClassifier.from_recipe("default").settings().graph.given_weight == 0.5
    assert EclareClassifier.from_recipe("default").settings().rank.support.given_weight == 0


def test_json_and_the_same_options_in_python(table: Path) -> None:
    few = ["--min-count", 12, "--max-rejected", 1]
    report = json.loads(eclare(*call(table, "--json", "--test-share", 0, *few)).stdout)
    assert report == json.loads((table / "products" / "import.json").read_text())
    assert report["options"]["separator"] == "|" and report["documents"]["test"] == 0
    assert report["labels"]["below_min_count"] > 0
    shown = eclare(*call(table, "--no-repair", "--no-alt-labels", *few)).stdout
    assert report["rows"]["read"] == json.loads((table / "products" / "import.json").read_text())["rows"]["read"]
    assert "labels left out" in shown


def test_mistakes_are_told_in_one_line(table: Path, tmp_path: Path) -> None:
    source = table / "products.csv"
    for arguments, code, said in (
        (["--text", "titel", "--labels", "tags"], 1, "no column 'titel', did you mean 'title'?"),
        (["--text", "title", "--labels", "Tag"], 1, "no column 'Tag', did you mean 'tags'?"),
        (["--text", "title", "--labels", str(table / "thesaurus.ttl")], 2, "label_file"),
        (["--text", "title", "--labels", "tags", "--test-share", "3"], 2, "test share is 3.0"),
        (["--text", "title", "--labels", "tags", "--test", source, "--test-share", "0.1"], 2, "not both"),
        (["--text", "title", "--labels", "tags", "--strict"], 1, "empty text"),
        (["--text", "title", "--labels", "tags", "--label-file", table / "none.ttl"], 1, "file is missing"),
    ):
        result = eclare("data", "import", source, "--out", tmp_path / "out", *arguments, code=code)
        assert said in result.stderr and len(result.stderr.strip().splitlines()) == 1
    assert not (tmp_path / "out").exists()


def test_few_rows_are_said_to_be_few(tmp_path: Path) -> None:
    (tmp_path / "r.tsv").write_text("text\tlabels\none\ta\n")
    shown = eclare("data", "import", tmp_path / "r.tsv", "--out", tmp_path / "out", "--test-share", 0)
    assert "too few train documents" in shown.stderr
