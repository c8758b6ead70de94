from __future__ import annotations

import gzip
import random
from pathlib import Path

import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError
from tests.integration.broken_cases import CASES, Broken, build_good, build_sparse, edit, pack, put


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_first_error_names_file_line_and_fault(case: Broken, tmp_path: Path) -> None:
    folder = case.build(tmp_path / "data")
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    assert caught.value.path == str(folder / case.file)
    assert caught.value.line == case.line
    assert case.fragment in str(caught.value)
    assert caught.value.exit_code == 1


@pytest.mark.parametrize("case", CASES, ids=lambda case: case.name)
def test_validator_lists_the_same_error_first(case: Broken, tmp_path: Path) -> None:
    folder = case.build(tmp_path / "data")
    with pytest.raises(DataError) as caught:
        load_dataset(folder)
    errors = [problem for problem in validate_folder(folder) if problem.severity == "error"]
    first = errors[0]
    place = first.path if first.line is None else f"{first.path}:{first.line}"
    assert f"{place}: {first.message}" == str(caught.value)


def test_names_of_cases_are_distinct() -> None:
    assert len({case.name for case in CASES}) == len(CASES) >= 30


@pytest.mark.parametrize("build", [build_good, build_sparse])
def test_the_unbroken_folder_has_no_problem(build: object, tmp_path: Path) -> None:
    folder = build(tmp_path / "data")  # type: ignore[operator]
    assert validate_folder(folder) == []
    assert len(load_dataset(folder).train) == 6


def test_a_single_fault_is_told_once_and_brings_no_other(tmp_path: Path) -> None:
    single = [
        case for case in CASES if case.name in {"index out of range", "empty text", "truncated gzip", "train missing"}
    ]
    assert len(single) == 4
    for number, case in enumerate(single):
        assert len(validate_folder(case.build(tmp_path / str(number)))) == 1, case.name


def test_validator_lists_all_errors_in_order(tmp_path: Path) -> None:
    folder = build_good(tmp_path / "data")
    edit("lbl.json.gz", 3, title="")(folder)
    edit("trn.json.gz", 2, title="", target_ind=[-1, 9, 0, 0])(folder)
    put("trn.json.gz", 4, b"{")(folder)
    edit("tst.json.gz", 1, target_ind=...)(folder)
    put("filter_labels_train.txt", 1, b"9 9")(folder)
    found = [(Path(p.path).name, p.line) for p in validate_folder(folder)]
    assert found == [
        ("lbl.json.gz", 3),
        ("trn.json.gz", 2),
        ("trn.json.gz", 2),
        ("trn.json.gz", 2),
        ("trn.json.gz", 2),
        ("trn.json.gz", 4),
        ("tst.json.gz", 1),
        ("filter_labels_train.txt", 1),
    ]


def test_warnings_are_summaries_and_do_not_stop_loading(tmp_path: Path) -> None:
    folder = build_good(tmp_path / "data")
    rows = [{"title": f"text {i % 7}", "target_ind": [i % 4] if i % 5 else []} for i in range(10)]
    pack(folder / "trn.json.gz", rows)
    pack(folder / "tst.json.gz", [{"title": f"text {i}", "target_ind": [0]} for i in range(5, 9)])
    pack(folder / "lbl.json.gz", [{"title": title} for title in ("a", "b", "b", "b")])
    warnings = validate_folder(folder)
    assert {problem.severity for problem in warnings} == {"warning"}
    told = {(Path(p.path).name, p.line, p.message.split(" ")[0], "leak" in p.message) for p in warnings}
    assert told == {
        ("trn.json.gz", 8, "3", False),  # texts 0, 1 and 2 again
        ("trn.json.gz", 1, "2", False),  # rows 0 and 5 have no label
        ("lbl.json.gz", 3, "2", False),
        ("tst.json.gz", 1, "2", True),  # texts 5 and 6 are in train
    }
    assert load_dataset(folder).train.n_documents == 10
    assert "(lines 8, 9, 10)" in next(p.message for p in warnings if p.line == 8)


def test_many_rows_in_a_warning_are_cut_short(tmp_path: Path) -> None:
    folder = build_good(tmp_path / "data")
    pack(folder / "trn.json.gz", [{"title": "same", "target_ind": [0]}] * 50)
    (folder / "filter_labels_train.txt").unlink()
    [warning] = validate_folder(folder)
    assert warning.message.startswith("49 rows repeat")
    assert "(lines 2, 3, 4, 5, 6, ...)" in warning.message
    assert warning.to_json()["severity"] == "warning"


@pytest.mark.parametrize("target", ["missing", "file"])
def test_no_folder(target: str, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("x")
    with pytest.raises(DataError, match="is not a folder"):
        load_dataset(tmp_path / target)
    assert [p.severity for p in validate_folder(tmp_path / target)] == ["error"]


JUNK = (b"NaN", b"-", b"1e999", b'"', b"[", b"{}", b"\n", b"\\ud800", b"\xff", b":", b",", b"9" * 30, b"null", b"true")


@pytest.mark.parametrize("build", [build_good, build_sparse])
def test_random_damage_is_a_data_error_or_nothing(build: object, tmp_path: Path) -> None:
    folder, random_ = build(tmp_path / "data"), random.Random(0)  # type: ignore[operator]
    files = sorted(path for path in folder.rglob("*") if path.is_file())
    refused = 0
    for _ in range(250):
        path = random_.choice(files)
        before = path.read_bytes()
        inside = path.suffix == ".gz" and random_.random() < 0.8
        data = bytearray(gzip.decompress(before) if inside else before)
        for _ in range(random_.randint(1, 3)):
            place = random_.randrange(len(data))
            data[place : place + random_.randint(0, 3)] = random_.choice(JUNK)
        path.write_bytes(gzip.compress(data) if inside else data)
        try:
            load_dataset(folder)
            told = None
        except DataError as error:
            told, refused = str(error), refused + 1
        errors = [problem for problem in validate_folder(folder) if problem.severity == "error"]
        assert (not errors) == (told is None)
        assert told is None or (told.startswith(errors[0].path) and told.endswith(errors[0].message))
        path.write_bytes(before)
    assert refused > 100
