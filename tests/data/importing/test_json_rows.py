"""Files of JSON: an object a line, or one array of objects."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.importing import import_table, json_rows
from eclare_py.errors import DataError

ARRAY = [{"text": "one", "labels": ["a"]}, "no row", {"text": "two", "labels": ["b", "a"]}, {"text": "", "labels": []}]


@pytest.mark.parametrize("indent", [None, 2])
def test_a_json_array_of_rows_is_a_table(tmp_path: Path, indent: int | None) -> None:
    (tmp_path / "r.json").write_text(json.dumps(ARRAY, indent=indent))
    summary = import_table(tmp_path / "r.json", tmp_path / "d", test_share=0)
    assert load_dataset(tmp_path / "d").train.texts == ["one", "two"]
    examples = {one["reason"]: one["examples"] for one in summary.report["findings"]}
    assert examples == {"no JSON object": ["r.json:2: 'no row' is not a JSON object"], "empty text": ["r.json:4"]}


def test_lines_of_which_the_first_is_an_array_are_lines(tmp_path: Path) -> None:
    (tmp_path / "r.jsonl").write_text('["x"]\n\n{"text": "one", "labels": ["a"]}\n{"text": "two", "labels": ["a"]}\n')
    summary = import_table(tmp_path / "r.jsonl", tmp_path / "d", test_share=0)
    assert load_dataset(tmp_path / "d").train.texts == ["one", "two"]
    (found,) = summary.report["findings"]
    assert found["examples"] == ["r.jsonl:1: ['x'] is not a JSON object: write one object on each line"]


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        ('[\n{"text": "x", "labels": ["a"]}\n{"text": "y"}\n]', 3, r"broken JSON array .*jq -c '\.\[\]' FILE"),
        ('[{"text": "x", "labels": ["a"]},', 1, "broken JSON array"),
        ("[" * 100_000, None, "JSON that cannot be taken in"),
        ("[]", None, "no rows in it"),
        ('[{"text": "x", "tags": ["a"]}]', None, "no row has the key 'labels'"),
    ],
)
def test_arrays_at_fault(tmp_path: Path, content: str, line: int | None, said: str) -> None:
    (tmp_path / "r.json").write_text(content)
    with pytest.raises(DataError, match=said) as caught:
        import_table(tmp_path / "r.json", tmp_path / "d", test_share=0)
    assert caught.value.line == line


def test_an_array_too_long_to_be_read_whole_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(json_rows, "_LONGEST", 100)
    rows = [{"text": f"text {row}", "labels": ["a"]} for row in range(20)]
    (tmp_path / "r.json").write_text(json.dumps(rows, indent=1))
    with pytest.raises(DataError, match="more than 100 characters: write one object on each line"):
        import_table(tmp_path / "r.json", tmp_path / "d", test_share=0)
    (tmp_path / "r.json").write_text("\n".join(map(json.dumps, rows)))
    assert import_table(tmp_path / "r.json", tmp_path / "d", test_share=0).train == 20
