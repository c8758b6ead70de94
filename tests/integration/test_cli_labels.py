"""`eclare labels`: from a table of new labels to a model that finds them; names changed in place; calls at fault."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from typer.testing import CliRunner

from eclare_py.cli.app import app
from eclare_py.estimator import EclareClassifier
from tests.tiny import arrays_of


def eclare(*words: str | Path, code: int = 0) -> str:
    result = CliRunner().invoke(app, [str(word) for word in words])
    assert result.exit_code == code, result.output
    return result.output


def table(path: Path, *rows: str) -> Path:
    path.write_text("\n".join(rows) + "\n")
    return path


def test_add_remove_and_evaluate(tiny: Any, tmp_path: Path) -> None:
    labels = EclareClassifier.load(tiny.model).pipeline.labels
    names = labels.ids or labels.texts
    before = arrays_of(tiny.model)
    said = eclare("labels", "remove", tiny.model, "--label", names[3], "--label", names[80], "--out", tmp_path / "less")
    assert "2 labels removed: 88 labels" in said
    refused = eclare("evaluate", tmp_path / "less", "--data", tiny.data, code=1)
    assert "are not in the model" in refused.replace("\n", " ")
    rows = [json.dumps({"label": names[row], "text": labels.texts[row]}) for row in (3, 80)]
    new = table(tmp_path / "new.jsonl", *rows)
    edges = table(tmp_path / "edges.csv", "label,other,weight", f'"{names[3]}","{names[5]}",0.5')
    words = ["labels", "add", tmp_path / "less", "--labels", new, "--edges", edges]
    assert "2 labels added: 90 labels" in eclare(*words, "--out", tmp_path / "more")
    found = EclareClassifier.load(tmp_path / "more")
    assert found.pipeline.labels.texts[88:] == [labels.texts[3], labels.texts[80]]
    assert found.pipeline.graph.neighbours(88)[0].tolist() == [4]  # row 5 of old, less the 3 before it
    assert found.pipeline.facts["label_changes"] == ["2 labels removed", "2 labels added"]
    eclare("evaluate", tmp_path / "more", "--data", tiny.data, "--json", tmp_path / "result.json")
    bins = json.loads((tmp_path / "result.json").read_text())["bins"]
    assert next(one for one in bins if one["name"] == "unseen")["labels"] >= 2
    assert "label_changes" in eclare("inspect", tmp_path / "more").replace(" ", "_")
    assert arrays_of(tiny.model) == before
    again = eclare(*words, "--in-place")
    assert "model written to" in again and EclareClassifier.load(tmp_path / "less").n_labels == 90
    taken = eclare("labels", "add", tmp_path / "more", "--labels", new, "--in-place", code=1)
    assert "new.jsonl:1" in taken and "is there already" in taken


def test_rename_and_merge(tiny: Any, tmp_path: Path) -> None:
    labels = EclareClassifier.load(tiny.model).pipeline.labels
    eclare("labels", "rename", tiny.model, "--label", "7", "--text", "quite another text", "--out", tmp_path / "m")
    texts = tiny.folder.test.texts
    renamed, first = EclareClassifier.load(tmp_path / "m"), EclareClassifier.load(tiny.model)
    np.testing.assert_array_equal(renamed.predict(texts, 5).scores, first.predict(texts, 5).scores)
    assert renamed.pipeline.labels.texts[7] == "quite another text"
    pairs = table(tmp_path / "pairs.jsonl", json.dumps({"label": labels.name(9), "into": labels.name(60)}))
    said = eclare("labels", "merge", tmp_path / "m", "--table", pairs, "--in-place")
    assert "1 labels merged into others: 89 labels" in said
    assert labels.texts[9] not in EclareClassifier.load(tmp_path / "m").pipeline.labels.texts


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["remove", "MODEL", "--label", "3"], "say where the model goes"),
        (["remove", "MODEL", "--label", "3", "--out", "MODEL"], "say --in-place to replace it"),
        (["remove", "MODEL", "--label", "nobody", "--out", "OUT"], "there is no label 'nobody'"),
        (["rename", "MODEL", "--out", "OUT"], "say what is renamed"),
        (["rename", "MODEL", "--label", "3", "--to", "a", "--text", "b", "--out", "OUT"], "give one of --to and"),
        (["merge", "MODEL", "--label", "3", "--out", "OUT"], "say what is merged"),
        (["merge", "MODEL", "--label", "3", "--into", "3", "--out", "OUT"], "which goes itself"),
    ],
)
def test_calls_at_fault_write_nothing(words: list[str], said: str, tiny: Any, tmp_path: Path) -> None:
    places = {"MODEL": str(tiny.model), "OUT": str(tmp_path / "out")}
    output = eclare("labels", *(places.get(word, word) for word in words), code=2)
    assert said in output.replace("\n", " ") and not (tmp_path / "out").exists()


def test_tables_at_fault_name_the_line(tiny: Any, tmp_path: Path) -> None:
    labels = EclareClassifier.load(tiny.model).pipeline.labels
    empty = table(tmp_path / "empty.jsonl", json.dumps({"label": "new", "text": " "}))
    words = ["labels", "add", tiny.model, "--out", tmp_path / "out"]
    assert "empty.jsonl:1" in eclare(*words, "--labels", empty, code=1)
    new = table(tmp_path / "new.jsonl", json.dumps({"label": "new", "text": "new"}))
    for row, fault in (
        ({"label": "new", "other": "nobody", "weight": 1}, "there is no label 'nobody'"),
        ({"label": "new", "other": labels.name(3), "weight": 2}, "above 0 and at most 1"),
        ({"label": labels.name(4), "other": labels.name(3), "weight": 1}, "must join a new label"),
    ):
        edges = table(tmp_path / "edges.jsonl", json.dumps(row))
        said = eclare(*words, "--labels", new, "--edges", edges, code=1).replace("\n", " ")
        assert fault in said and "edges.jsonl:1" in said
    both = [json.dumps({"label": labels.name(4), "to": to, "into": to}) for to in (labels.name(7), labels.name(8))]
    twice = table(tmp_path / "twice.jsonl", both[0], both[0], both[1])
    for verb, column in (("rename", "to"), ("merge", "into")):
        said = eclare("labels", verb, tiny.model, "--table", twice, "--out", tmp_path / "out", code=1)
        assert "twice.jsonl:3" in said and f"has another {column} above" in said.replace("\n", " ")
    assert not (tmp_path / "out").exists()
