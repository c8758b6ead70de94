"""`eclare predict` as a user runs it."""

from __future__ import annotations

import dataclasses
import gzip
import json
import os
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.engines.rows import CHUNK
from eclare_py.estimator import EclareClassifier
from eclare_py.metrics.result import read_evaluation
from eclare_py.persist import save_pipeline
from tests.integration.command import eclare, error_of


def test_predict_lines(tiny: Any, tmp_path: Path) -> None:
    texts = [*tiny.folder.test.texts[:5], "", "caf\u00e9 \u4e2d"]
    expected = tiny.classifier.predict(texts, 4)
    plain = eclare("predict", tiny.model, "--top-k", 4, text="\n".join(texts) + "\n")
    rows = [json.loads(line) for line in plain.stdout.splitlines()]
    names = tiny.folder.train.label_texts
    assert [[one["text"] for one in row["labels"]] for row in rows] == [
        [names[label] for label in row] for row in expected.indices.tolist()
    ]
    assert [one["score"] for one in rows[0]["labels"]] == pytest.approx(expected.scores[0].tolist(), abs=1e-6)
    source, target = tmp_path / "texts.jsonl.gz", tmp_path / "out.jsonl"
    lines = [json.dumps({"text": text, "uid": f"d{i}"}) for i, text in enumerate(texts)]
    source.write_bytes(gzip.compress("\n".join(lines).encode()))
    eclare("predict", tiny.model, "--input", source, "--output", target, "--top-k", 4)
    again = [json.loads(line) for line in target.read_text().splitlines()]
    assert [row.pop("uid") for row in again] == [f"d{i}" for i in range(7)]
    assert again == rows


def test_predict_data_folders_as_matrix(tiny: Any, tmp_path: Path) -> None:
    target = tmp_path / "scores"
    eclare("predict", tiny.model, "--input", tiny.data / "tst.json.gz", "--output", target, "--format", "npz")
    matrix = sp.load_npz(target)
    expected = tiny.classifier.predict(tiny.folder.test.texts, 10).to_csr(90)
    assert isinstance(matrix, sp.csr_array) and matrix.shape == expected.shape
    assert np.array_equal(matrix.toarray(), expected.toarray())
    assert [path.name for path in tmp_path.iterdir()] == ["scores"]


def test_predict_goes_chunk_by_chunk(tiny: Any) -> None:
    count = CHUNK + 3
    lines = eclare("predict", tiny.model, "--top-k", 1, text="some words\n" * count).stdout.splitlines()
    assert len(lines) == count
    assert len(set(lines)) == 1
    assert eclare("predict", tiny.model).stdout == ""


def test_pipes_are_written_to_and_folders_are_not_replaced(tiny: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    reader = os.open(pipe, os.O_RDONLY | os.O_NONBLOCK)
    eclare("predict", tiny.model, "--output", pipe, text="some words\n")
    with open(reader, encoding="utf-8") as stream:
        assert stream.read() == eclare("predict", tiny.model, text="some words\n").stdout
    assert pipe.is_fifo()
    said = error_of(eclare("predict", tiny.model, "--output", pipe, "--format", "npz", text="some words\n", code=1))
    assert said == f"[Errno 22] Not a regular file: '{pipe}'"
    said = error_of(eclare("predict", tiny.model, "--output", tmp_path, text="some words\n", code=1))
    assert said == f"[Errno 21] Is a directory: '{tmp_path}'"
    assert [path.name for path in tmp_path.iterdir()] == ["pipe"]


@pytest.mark.parametrize("format", ["jsonl", "npz"])
def test_an_interrupted_file_is_gone_on_with(
    format: str, tiny: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("eclare_py.cli.ranking_file.CHUNK", 16)
    monkeypatch.setattr("eclare_py.cli.ranking_file.SECONDS", 0.0)
    source, out, whole = tmp_path / "in.txt", tmp_path / "out", tmp_path / "whole"
    texts = tiny.folder.test.texts[:80]
    source.write_text("\n".join(texts))
    more = [] if format == "npz" else ["--min-precision", 0.3]
    common = ("predict", tiny.model, "--input", source, "--top-k", 3, "--format", format, *more, "--output")
    undisturbed = eclare(*common, whole)
    count = 0
    rank = EclareClassifier.predict

    def stop(self: EclareClassifier, *arguments: Any) -> Any:
        nonlocal count
        count += 1
        if count == 4:
            raise KeyboardInterrupt
        return rank(self, *arguments)

    def interrupt() -> None:
        nonlocal count
        count = 0
        with monkeypatch.context() as patch:
            patch.setattr(EclareClassifier, "predict", stop)
            said = eclare(*common, out, code=130).stderr
        assert f"48 texts are ranked and kept in {out}.partial: the same call goes on" in said and not out.exists()

    interrupt()
    done = eclare(*common, out)
    assert "48 texts were ranked before; going on behind them" in done.stderr
    assert done.stderr.splitlines()[1:-1] == undisturbed.stderr.splitlines()[:-1]  # marks are counted over both runs
    assert out.read_bytes() == whole.read_bytes()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["in.txt", "out", "whole"]
    # Other texts, and texts that have become fewer, are ranked from the beginning.
    for changed in (["another", *texts[1:]], texts[:20]):
        out.unlink()
        source.write_text("\n".join(texts))
        interrupt()
        source.write_text("\n".join(changed))
        eclare(*common, whole)
        assert "was of other texts" in eclare(*common, out).stderr
        assert out.read_bytes() == whole.read_bytes()
    out.unlink()
    source.write_text("\n".join(texts))
    interrupt()
    other = ("predict", tiny.model, "--input", source, "--top-k", 2, "--format", format, "--output")
    eclare(*other, whole)
    assert "settings" in eclare(*other, out).stderr and out.read_bytes() == whole.read_bytes()


@pytest.mark.parametrize(
    ("line", "message"),
    [
        (b"caf\xe9", "invalid UTF-8: byte 0xe9 at column 4"),
        (b'{"text": "a", }', "invalid JSON"),
        (b'{"name": "a"}', "text is missing"),
        (b'{"text": 3}', "text is 3: it must be a string"),
        (b'{"text": "\\ud800"}', "lone surrogate"),
    ],
)
def test_bad_input_names_the_line_and_writes_nothing(line: bytes, message: str, tiny: Any, tmp_path: Path) -> None:
    source = tmp_path / "in.txt"
    good = b'{"text": "good"}\n' if line.startswith(b"{") else b"good\n"
    source.write_bytes(good + line + b"\n")
    said = error_of(eclare("predict", tiny.model, "--input", source, "--output", tmp_path / "out.jsonl", code=1))
    assert said.startswith(f"{source}:2: ") and message in said
    assert [path.name for path in tmp_path.iterdir()] == ["in.txt"]
    assert error_of(eclare("predict", tiny.model, text=good + line + b"\n", code=1)).startswith("stdin:2: ")


def test_predict_at_a_precision(tiny: Any, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.write_text("\n".join(tiny.folder.test.texts))
    common = ("predict", tiny.model, "--input", texts, "--top-k", 4)
    everything = [json.loads(line)["labels"] for line in eclare(*common).stdout.splitlines()]
    thresholds = tiny.classifier.thresholds(0.6, 4)
    least = thresholds.of(tiny.classifier.pipeline.frequencies)
    texts_of = tiny.classifier.pipeline.labels.texts
    wanted = [[one for one in row if one["score"] >= least[texts_of.index(one["text"])]] for row in everything]
    kept = [json.loads(line)["labels"] for line in eclare(*common, "--precision", 0.6).stdout.splitlines()]
    assert kept == wanted and 0 < sum(map(len, kept)) < sum(map(len, everything)) and [] in kept
    npz = tmp_path / "scores.npz"
    eclare(*common, "--precision", 0.6, "--format", "npz", "--output", npz)
    assert np.diff(sp.load_npz(npz).indptr).tolist() == [len(row) for row in kept]
    assert "precision=0.0 must be above 0" in error_of(eclare(*common, "--precision", 0, code=2))


def test_predict_at_a_precision_out_of_reach_keeps_nothing(tiny: Any, tmp_path: Path) -> None:
    pipeline = tiny.classifier.pipeline
    seen = pipeline.held_out
    hopeless = dataclasses.replace(seen, relevant=np.zeros_like(seen.relevant))
    save_pipeline(dataclasses.replace(pipeline, held_out=hopeless), tmp_path / "hopeless")
    done = eclare("predict", tmp_path / "hopeless", "--precision", 0.2, text="some words\nother words\n")
    assert done.stdout == '{"labels": []}\n' * 2
    assert "no threshold reached a precision of 0.2" in done.stderr
    save_pipeline(dataclasses.replace(pipeline, held_out=None), tmp_path / "older")
    said = error_of(eclare("predict", tmp_path / "older", "--precision", 0.9, text="some words\n", code=1))
    assert "no held-out scores" in said and "train" in said
    assert len(json.loads(eclare("predict", tmp_path / "older", text="some words\n").stdout)["labels"]) == 10
    eclare("evaluate", tmp_path / "older", "--data", tiny.data, "--json", tmp_path / "result.json")
    found = read_evaluation(tmp_path / "result.json").selective
    assert found["validation_documents"] is None and found["first"]["targets"] == [] and found["first"]["area"] > 0


def test_predict_marks_what_can_be_automated(tiny: Any, tmp_path: Path) -> None:
    texts = tmp_path / "texts"
    texts.write_text("\n".join(tiny.folder.test.texts))
    common = ("predict", tiny.model, "--input", texts, "--top-k", 4)
    unmarked = [json.loads(line) for line in eclare(*common).stdout.splitlines()]
    done = eclare(*common, "--min-precision", 0.3)
    rows = [json.loads(line) for line in done.stdout.splitlines()]
    marks = [row.pop("automate") for row in rows]
    assert rows == unmarked  # nothing is left out, and a mark is all that is new
    thresholds, pipeline = tiny.classifier.thresholds(0.3, 1), tiny.classifier.pipeline
    least = thresholds.of(pipeline.frequencies)
    first = [row["labels"][0] for row in rows]
    assert marks == [one["score"] >= least[pipeline.labels.texts.index(one["text"])] for one in first]
    assert f"{sum(marks)} of {len(rows)} texts can be automated, {len(rows) - sum(marks)} are" in done.stderr
    assert 0 < sum(marks) < len(marks)
    ranking = tiny.classifier.predict(tiny.folder.test.texts, 2)
    assert tiny.classifier.automatable(ranking, 0.3).tolist() == marks
    named = tmp_path / "named.jsonl"
    named.write_text('{"uid": "a", "text": "some words"}\n')
    line = json.loads(eclare("predict", tiny.model, "--input", named, "--min-precision", 0.3).stdout)
    assert list(line) == ["uid", "labels", "automate"] and isinstance(line["automate"], bool)


def test_marks_out_of_reach_or_out_of_place(tiny: Any, tmp_path: Path) -> None:
    pipeline, texts = tiny.classifier.pipeline, "some words\nother words\n"
    hopeless = dataclasses.replace(pipeline.held_out, relevant=np.zeros_like(pipeline.held_out.relevant))
    save_pipeline(dataclasses.replace(pipeline, held_out=hopeless), tmp_path / "hopeless")
    done = eclare("predict", tmp_path / "hopeless", "--min-precision", 0.2, text=texts)
    assert [json.loads(line)["automate"] for line in done.stdout.splitlines()] == [False, False]
    assert "no threshold reached a precision of 0.2 on the held-out documents: nothing is automated" in done.stderr
    save_pipeline(dataclasses.replace(pipeline, held_out=None), tmp_path / "older")
    said = error_of(eclare("predict", tmp_path / "older", "--min-precision", 0.9, text=texts, code=1))
    assert "no held-out scores" in said
    for more in (("--precision", 0.9), ("--format", "npz", "--output", tmp_path / "out.npz")):
        said = error_of(eclare("predict", tiny.model, "--min-precision", 0.9, *more, text=texts, code=2))
        assert "--min-precision marks lines of jsonl" in said
    assert "precision=0.0 must be above 0" in error_of(eclare("predict", tiny.model, "--min-precision", 0, code=2))


def test_columns_of_a_table_are_joined_as_in_training(tiny: Any, tmp_path: Path) -> None:
    first, second = tiny.folder.test.texts[:2]
    table = tmp_path / "texts.csv"
    table.write_text(f'uid,name,note\na,"{first}","{second}"\n')
    plain = json.loads(eclare("predict", tiny.model, text=f"{first} {second}\n").stdout)
    said = eclare("predict", tiny.model, "--input", table, "--text", "name,note").stdout
    assert json.loads(said) == {"uid": "a", **plain}
    assert "--text NAME" in error_of(eclare("predict", tiny.model, "--input", table, code=1))
    (tmp_path / "in").mkdir()
    table.rename(tmp_path / "in" / "texts.csv")
    eclare("predict", tiny.model, "--input", tmp_path / "in", "--output", tmp_path / "out", "--text", "name,note")
    assert (tmp_path / "out" / "texts.jsonl").read_text() == said
    refused = eclare("predict", tiny.model, "--input", tmp_path / "in", "--output", tmp_path / "out", code=2)
    assert "another text" in error_of(refused)


def test_the_input_is_not_written_over(tiny: Any, tmp_path: Path) -> None:
    source, link = tmp_path / "texts.txt", tmp_path / "link.txt"
    source.write_text("some words\n")
    link.symlink_to(source)
    for target in (source, link):
        said = eclare("predict", tiny.model, "--input", source, "--output", target, code=2)
        assert "is the input itself" in error_of(said) and source.read_text() == "some words\n"


def test_standard_streams_by_their_names(tiny: Any) -> None:
    words = ("predict", tiny.model, "--input", "/dev/stdin", "--output", "/dev/stdout")
    assert eclare(*words, text="some words\n").stdout == eclare("predict", tiny.model, text="some words\n").stdout


def test_a_pipe_is_read_once(tiny: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe"
    os.mkfifo(pipe)
    with ThreadPoolExecutor(1) as pool:
        writing = pool.submit(pipe.write_text, "some words\nmore words\n")
        found = eclare("predict", tiny.model, "--input", pipe).stdout
        writing.result()
    assert found == eclare("predict", tiny.model, text="some words\nmore words\n").stdout


def test_the_name_of_the_output_says_the_format_and_more_labels_than_there_are_cost_nothing(
    tiny: Any, tmp_path: Path
) -> None:
    target = tmp_path / "scores.npz"
    eclare("predict", tiny.model, "--output", target, "--top-k", 10**12, text="some words\n")
    expected = tiny.classifier.predict(["some words"], 90).to_csr(90)
    assert np.array_equal(sp.load_npz(target).toarray(), expected.toarray())
    lines = eclare("predict", tiny.model, "--top-k", 10**12, text="some words\n").stdout
    assert len(json.loads(lines)["labels"]) == expected.nnz


def test_a_pipe_named_as_a_table_is_refused(tiny: Any, tmp_path: Path) -> None:
    pipe = tmp_path / "pipe.csv"
    os.mkfifo(pipe)
    said = error_of(eclare("predict", tiny.model, "--input", pipe, code=2))
    assert "is a pipe, which is read as lines or JSON objects, not as .csv" in said
