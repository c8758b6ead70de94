from __future__ import annotations

import csv
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest
import scipy.sparse as sp
from typer.testing import CliRunner

from eclare_py import __version__
from eclare_py.cli import app as app_module
from eclare_py.cli.app import app
from eclare_py.errors import DataError
from eclare_py.metrics.per_document import documents_path, read_document_scores
from eclare_py.metrics.result import METRICS, read_evaluation
from eclare_py.storage import verify_manifest
from tests.integration.broken_cases import CASES, Broken, build_good, edit
from tests.integration.command import eclare, error_of
from tests.tiny import ROOT, python

# --- as a user starts it ---


def test_installed_command_is_this_one(tmp_path: Path) -> None:
    script = (ROOT / "pyproject.toml").read_text()
    assert 'eclare = "eclare_py.cli:main"' in script
    done = python("-m", "eclare_py.cli", "--version", cwd=tmp_path)
    assert (done.returncode, done.stdout.strip()) == (0, f"eclare_py {__version__}")


def test_answers_from_another_process_without_torch(tiny: Any, tmp_path: Path) -> None:
    script = "import sys; from eclare_py.cli import main\ntry: main()\nfinally: print('torch' in sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", script, "predict", str(tiny.model), "--top-k", "3"],
        input="some words\n", capture_output=True, text=True, cwd=tmp_path, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    line, torch_loaded = done.stdout.splitlines()
    assert len(json.loads(line)["labels"]) == 3
    assert torch_loaded == "False"


@pytest.mark.parametrize(
    "command", ["", "data", "data build", "data import", "data validate", "data info", "train", "predict", "evaluate",
                "compare", "explain", "inspect"],
)  # fmt: skip
def test_help_shows_an_example(command: str) -> None:
    text = eclare(*command.split(), "--help").stdout
    assert "Usage: " in text
    assert command == "data" or f"eclare {command}" in text


def test_wrong_calls_exit_with_2(tiny: Any, tmp_path: Path) -> None:
    calls = {
        "no such command": ["fly"],
        "no such option": ["data", "info", tiny.data, "--colour"],
        "no output": ["train", "eclare", "--data", tiny.data],
        "no number": ["predict", tiny.model, "--top-k", "many"],
        "no label": ["predict", tiny.model, "--top-k", "0"],
    }
    for name, call in calls.items():
        assert "Usage: " in eclare(*call, code=2).stderr, name


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (["data", "build", "debian-relatedd", "--out", "OUT"], "unknown data set"),
        (["data", "build", "EURLex-4K", "--out", "OUT"], "EURLex-4K"),
        (["data", "build", "synthetic", "--out", "OUT", "--set", "labels"], "not of the form name=value"),
        (["data", "build", "synthetic", "--out", "OUT", "--set", "lables=3"], "did you mean 'labels'"),
        (["data", "import", "table.xls", "--out", "OUT"], "name it .jsonl"),
        (["train", "eclair", "--data", "DATA", "--out", "OUT"], "did you mean 'eclare'"),
        (["train", "eclare", "--data", "DATA", "--out", "OUT", "--set", "seed=x"], "seed is 'x'"),
        (["train", "eclare", "--data", "DATA", "--out", "OUT", "--set", "seed"], "not of the form section.key=value"),
        (["train", "eclare", "--data", "DATA", "--out", "OUT", "--device", "tpu"], "choose auto, cpu or cuda"),
        (["train", "eclare", "--data", "DATA", "--out", "DATA"], "not replaced"),
        (["predict", "MODEL", "--format", "xml"], "choose jsonl or npz"),
        (["predict", "MODEL", "--format", "npz"], "needs a file"),
        (["evaluate", "MODEL", "--data", "DATA", "--split", "dev"], "choose tst or trn"),
        (["explain", "MODEL", "--text", "x", "--label", "nobody"], "there is no label 'nobody'"),
        (["inspect", "MODEL", "--estimate"], "is a model"),
    ],
)
def test_calls_at_fault_say_so_in_one_line(call: list[str], message: str, tiny: Any, tmp_path: Path) -> None:
    places = {"OUT": tmp_path / "out", "DATA": tiny.data, "MODEL": tiny.model}
    assert message in error_of(eclare(*(places.get(word, word) for word in call), code=2))
    assert list(tmp_path.iterdir()) == []


def test_data_or_model_at_fault_exit_with_1(tiny: Any, tmp_path: Path) -> None:
    missing = tmp_path / "missing"
    assert "is not a folder" in error_of(eclare("data", "info", missing, code=1))
    assert "no model at" in error_of(eclare("predict", missing, code=1))
    assert "not a saved model" in error_of(eclare("explain", tiny.data, "--text", "x", code=1))
    assert "file is missing" in error_of(eclare("predict", tiny.model, "--input", missing, code=1))
    other = build_good(tmp_path / "other")
    assert "none of the 4" in error_of(eclare("evaluate", tiny.model, "--data", other, code=1))
    (other / "tst.json.gz").unlink()
    (other / "filter_labels_test.txt").unlink()
    assert "no test split" in error_of(eclare("evaluate", tiny.model, "--data", other, code=1))
    said = eclare("train", "eclare", "--data", other, "--out", tmp_path / "m", code=1).stderr.splitlines()
    assert said[-1].startswith("error: 6 train documents are too few") and len(said) == 2
    assert sorted(path.name for path in tmp_path.iterdir()) == ["other"]


def test_debug_shows_the_traceback(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    call = ["data", "info", str(tmp_path / "missing")]
    assert isinstance(CliRunner().invoke(app, ["--debug", *call]).exception, DataError)
    monkeypatch.setenv("ECLARE_DEBUG", "1")
    assert isinstance(CliRunner().invoke(app, call).exception, DataError)


def test_out_of_memory_is_one_line_that_says_what_takes_less(
    tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    def load(path: Path) -> None:
        np.empty(1 << 62, dtype=np.uint8)

    monkeypatch.setattr("eclare_py.data.dataset.load_dataset", load)
    said = error_of(eclare("train", tiny.recipe, "--data", tiny.data, "--out", tmp_path / "model", code=1))
    assert said.startswith("Unable to allocate") and "--spool" in said


def test_a_place_that_cannot_be_written_is_one_line(tiny: Any) -> None:
    assert "/dev/null" in error_of(eclare("predict", tiny.model, "--output", "/dev/null/x", text="a\n", code=1))


# --- data ---


def test_build_info_and_validate(tmp_path: Path) -> None:
    out = tmp_path / "data"
    said = eclare("data", "build", "synthetic", "--out", out, "--set", "labels=40", "--set", "documents=120").stderr
    assert "96 train and 24 test documents, 40 labels" in said
    facts = json.loads(eclare("data", "info", out, "--json").stdout)
    assert (facts["labels"]["count"], facts["train"]["documents"]) == (40, 96)
    assert "rare labels (1 to 5 train documents)" in eclare("data", "info", out).stdout
    report = json.loads(eclare("data", "validate", out, "--json").stdout)
    assert (report["error"], report["problems"]) == (0, [])
    assert "no problem found" in eclare("data", "validate", out).stderr


def test_build_falls_back_to_synthetic_only_when_asked(tmp_path: Path) -> None:
    out, settings = tmp_path / "data", ["--set", f"lists={tmp_path / 'none'}", "--set", "labels=30"]
    assert "apt" in error_of(eclare("data", "build", "debian-related", "--out", out, *settings, code=1))
    assert not out.exists()
    eclare("data", "build", "debian-related", "--out", out, *settings, "--or-synthetic")
    assert json.loads(eclare("data", "info", out, "--json").stdout)["name"] == "synthetic"


def test_import_of_own_tables(tmp_path: Path) -> None:
    table, out = tmp_path / "tickets.csv", tmp_path / "data"
    rows = [f"ticket number {i},{'printing;hardware' if i % 2 else 'network'}" for i in range(40)]
    table.write_text("message,tags\n" + "\n".join(rows) + "\n")
    columns = ["--text-column", "message", "--labels-column", "tags"]
    said = eclare(
        "data", "import", table, "--out", out, *columns, "--test-fraction", "0.25", "--name", "tickets"
    ).stderr
    assert "3 labels" in said
    assert json.loads(eclare("data", "info", out, "--json").stdout)["name"] == "tickets"
    table.write_text("message,tags\nfirst,network\n,network\n")
    message = error_of(eclare("data", "import", table, "--out", tmp_path / "bad", *columns, "--strict", code=1))
    assert message.startswith(f"{table}:3: ")
    assert not (tmp_path / "bad").exists()


def test_warnings_count_as_problems_unless_ignored(tmp_path: Path) -> None:
    folder = build_good(tmp_path / "data")
    edit("tst.json.gz", 2, title="train text 0")(folder)
    result = eclare("data", "validate", folder, code=1)
    assert f"{folder / 'tst.json.gz'}:2: warning: 1 documents have a text that is also in trn.json.gz" in result.stdout
    assert eclare("data", "validate", folder, "--ignore-warnings").stdout == result.stdout


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_broken_folders_stop_validate_and_train(case: Broken, tmp_path: Path) -> None:
    folder = case.build(tmp_path / "data")
    place = f"{folder / case.file}" if case.line is None else f"{folder / case.file}:{case.line}"
    result = eclare("data", "validate", folder, code=1)
    assert f"{place}: error: " in result.stdout and case.fragment in result.stdout
    problems = json.loads(eclare("data", "validate", folder, "--json", code=1).stdout)["problems"]
    assert any(case.fragment in problem["message"] for problem in problems)
    message = error_of(eclare("train", "eclare", "--data", folder, "--out", tmp_path / "model", code=1))
    assert message.startswith(f"{place}: ") and case.fragment in message
    assert [path.name for path in tmp_path.iterdir()] == ["data"]


# --- train, predict, evaluate, explain, inspect ---


def test_training_leaves_one_complete_folder(tiny: Any, tmp_path: Path) -> None:
    model = tmp_path / "models" / "tiny"
    result = eclare("train", tiny.recipe, "--data", tiny.data, "--out", model, "--set", "training.ranker_epochs=1",
                    "--device", "cpu")  # fmt: skip
    said = result.stderr.splitlines()
    assert result.stdout == ""
    assert said[0] == "stage prepare: reading, features, label graph"
    assert any(line.startswith("ranker: epoch 1 of 1, loss ") for line in said)
    assert said[-1] == f"model written to {model}"
    assert [path.name for path in model.parent.iterdir()] == ["tiny"]
    files = verify_manifest(model)["files"]
    events = [json.loads(line) for line in (model / "events.jsonl").read_text().splitlines()]
    assert "events.jsonl" in files
    assert events[-1]["event"] == "done"
    recipe = json.loads((model / "recipe.json").read_text())
    assert (recipe["name"], recipe["training"]["ranker_epochs"]) == ("tiny", 1)
    eclare("train", tiny.recipe, "--data", tiny.data, "--out", model, "--set", "training.ranker_epochs=0")
    assert json.loads((model / "recipe.json").read_text())["training"]["ranker_epochs"] == 0


def test_evaluate_writes_result_page_and_predictions(tiny: Any, tmp_path: Path) -> None:
    result, page, scores = (tmp_path / name for name in ("result.json", "report.html", "scores.npz"))
    shown = eclare(
        "evaluate", tiny.model, "--data", tiny.data, "--json", result, "--html", page, "--predictions", scores
    ).stdout
    assert "Quality by label frequency" in shown and "PSnDCG" in shown
    found = json.loads(result.read_text())
    assert list(found) == [
        "metrics",
        "bins",
        "settings",
        "cost",
        "deciles",
        "selective",
        "calibration",
        "intervals",
        "against",
        "extremes",
        "examples",
    ]
    browsed = found["examples"]["documents"]
    assert len(browsed) == 30 and [one["row"] for one in browsed] == sorted({one["row"] for one in browsed})
    answers = tiny.classifier.predict(tiny.folder.test.texts, 5, filter_pairs=tiny.folder.test.filter_pairs)
    for one in browsed:
        truth = set(tiny.folder.test.labels[[one["row"]]].indices.tolist())
        assert one["labels"] == answers.indices[one["row"]].tolist()
        assert one["relevant"] == [label in truth for label in one["labels"]]
        assert set(one["missed"]) == truth - set(one["labels"])
        assert f"{one['scores'][0]:.3f}" in page.read_text()
    assert list(found["metrics"]) == list(METRICS)
    assert found["cost"]["predict_seconds"] >= 0 and found["cost"]["train_seconds"] > 0
    assert found["cost"]["model_MB"] > 0
    expected = tiny.classifier.evaluate(tiny.folder)
    assert found["metrics"] == expected.metrics
    assert read_evaluation(result).bins == expected.bins
    assert (found["selective"], found["calibration"]) == (expected.selective, expected.calibration)
    assert [one["target"] for one in found["selective"]["first"]["targets"]] == [0.8, 0.9, 0.95, 0.99]
    documents = read_document_scores(documents_path(result))
    assert documents.n_documents == len(tiny.folder.test)
    kept = dict(zip(documents.cells, documents.figures(), strict=True))
    for metric in ("P@1", "PSP@5", "R@100", "coverage@10", "macro_F1@5"):
        assert kept[metric, "all"] == pytest.approx(expected.metrics[metric], abs=1e-4)
    assert "tiny on synthetic" in page.read_text() and tiny.folder.test.texts[0] in page.read_text()
    matrix = sp.load_npz(scores)
    assert matrix.shape == (len(tiny.folder.test), 90)
    assert np.diff(matrix.indptr).max() <= 100
    assert (matrix[[0, 2, 7], [3, 5, 0]] == 0).all()  # filter pairs


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_evaluate_writes_a_table_of_labels(tiny: Any, tmp_path: Path, suffix: str) -> None:
    path = tmp_path / f"labels{suffix}"
    eclare("evaluate", tiny.model, "--data", tiny.data, "--labels-table", path)
    if suffix == ".csv":
        with open(path, encoding="utf-8", newline="") as file:
            rows = list(csv.DictReader(file))
        near = [json.loads(row["neighbours"]) for row in rows]
    else:
        rows = pq.read_table(path).to_pylist()
        near = [row["neighbours"] for row in rows]
    assert [row["text"] for row in rows] == tiny.folder.test.label_texts
    assert [int(row["test_positives"]) for row in rows] == tiny.folder.test.label_frequencies.tolist()
    graph = tiny.classifier.pipeline.graph
    assert near == [[rows[label]["text"] for label in graph.neighbours(row, 5)[0]] for row in range(90)]
    assert any(near)


def test_evaluate_refuses_another_kind_of_table_at_once(tiny: Any, tmp_path: Path) -> None:
    call = ("evaluate", tiny.model, "--data", tiny.data, "--labels-table", tmp_path / "labels.txt")
    assert "a table is written as .csv or .parquet" in error_of(eclare(*call, code=2))


def test_evaluate_the_train_split(tiny: Any, tmp_path: Path) -> None:
    result = tmp_path / "result.json"
    eclare("evaluate", tiny.model, "--data", tiny.data, "--split", "trn", "--json", result)
    assert json.loads(result.read_text())["settings"]["test_documents"] == len(tiny.folder.train)


def test_explain(tiny: Any) -> None:
    text = tiny.folder.test.texts[1]
    shown = eclare("explain", tiny.model, "--text", text).stdout
    for title in (
        "Where the dense score comes from",
        "Neighbours in the label graph",
        "Nearest of its train documents",
    ):
        assert title in " ".join(shown.split())
    best = tiny.classifier.predict([text], 1)
    found = json.loads(eclare("explain", tiny.model, "--text", text, "--json").stdout)
    assert found["label"] == best.indices[0, 0]
    assert found["probability"] == pytest.approx(float(best.scores[0, 0]), abs=1e-6)
    assert sum(found["split"].values()) == pytest.approx(found["dense"], abs=1e-5)
    outside = int(np.setdiff1d(np.arange(90), tiny.classifier.predict([text], 90).indices[0])[0])
    result = eclare("explain", tiny.model, "--text", text, "--label", outside)
    assert "is not among the" in result.stderr


def test_inspect(tiny: Any) -> None:
    shown = eclare("inspect", tiny.model).stdout
    assert "label graph" in shown and "On disk" in shown
    facts = json.loads(eclare("inspect", tiny.data, "--estimate", "--json").stdout)
    training = facts["Training with default"]
    assert training["labels"] == 90
    assert training["peak memory"].endswith("MB")
    smaller = json.loads(eclare("inspect", tiny.data, "--estimate", "--set", "document.dim=8", "--json").stdout)[
        "Training with default"
    ]
    assert smaller["parameters"] < training["parameters"]
    assert "method linear" in eclare("inspect", tiny.data, "--estimate", "--recipe", "xr_linear", code=2).stderr
    assert "Training with" not in eclare("inspect", tiny.data).stdout


def test_interrupt_elsewhere_is_130(tiny: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def stop(*_: Any, **__: Any) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("eclare_py.estimator.EclareClassifier.load", stop)
    result = eclare("predict", tiny.model, code=app_module.INTERRUPTED)
    assert result.stderr == "interrupted\n"


@pytest.mark.parametrize(("given", "used"), [(None, "PASSIVE"), ("ACTIVE", "ACTIVE")])
def test_threads_sleep_while_they_wait_unless_told_otherwise(tmp_path: Path, given: str | None, used: str) -> None:
    code = (
        "import os, sys; from eclare_py.cli import main; sys.argv = ['eclare', '--version']\n"
        "try: main()\nexcept SystemExit: pass\nsys.stdout.write(os.environ['OMP_WAIT_POLICY'])"
    )
    environment = {key: value for key, value in os.environ.items() if key != "OMP_WAIT_POLICY"}
    environment |= {} if given is None else {"OMP_WAIT_POLICY": given}
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, cwd=ROOT, env=environment)
    assert done.stdout.endswith(used)
