from __future__ import annotations

import csv
import io
from pathlib import Path

import numpy as np
import pytest

from eclare_py.data.importing.tables import read_table
from eclare_py.data.importing.tally import Tally


def read(path: Path, content: bytes, encoding: str | None = None) -> tuple[list[tuple[int | None, list[str]]], Tally]:
    path.write_bytes(content)
    tally = Tally()
    rows = read_table(path, ["a", "b"], tally, encoding=encoding)
    return [(place.line, list(values)) for place, values in rows], tally


def told(tally: Tally) -> list[tuple[str, int]]:
    return [(one.reason, one.count) for one in tally.findings]


def test_well_formed_tables_are_read_as_csv_reads_them(tmp_path: Path) -> None:
    rng = np.random.default_rng(2)
    cells = ["x", 'say "hi"', "a,b", "two\nlines", "", '"', "\u00e9", "tab\there"]
    rows = [[str(rng.choice(cells)), str(rng.choice(cells)) + "."] for _ in range(200)]
    stream = io.StringIO(newline="")
    csv.writer(stream).writerows([["a", "b"], *rows])
    found, tally = read(tmp_path / "t.csv", stream.getvalue().encode())
    assert [values for _, values in found] == rows
    assert told(tally) == []


def test_a_stray_quote_costs_its_own_line_only(tmp_path: Path) -> None:
    content = b'a,b\n1,one\n"two,2\n3,three\n"4","four"\n"5\nstill five",f\n"6,six,s\n7,"seven\n8,eight\n'
    found, tally = read(tmp_path / "t.csv", content)
    assert found == [
        (2, ["1", "one"]), (3, ['"two', "2"]), (4, ["3", "three"]), (5, ["4", "four"]), (6, ["5\nstill five", "f"]),
        (9, ["7", '"seven']), (10, ["8", "eight"]),
    ]  # fmt: skip
    assert told(tally) == [("broken quotes", 1), ("stray quote", 2)]


@pytest.mark.parametrize("delimiter", [";", "\t", "|"])
def test_another_delimiter_is_found_by_the_header(tmp_path: Path, delimiter: str) -> None:
    found, tally = read(tmp_path / "t.csv", delimiter.join("ab").encode() + b"\nx" + delimiter.encode() + b"y,z\n")
    assert found == [(2, ["x", "y,z"])]
    assert told(tally) == ([] if delimiter == "\t" else [("other delimiter", 1)])


@pytest.mark.parametrize(
    ("content", "encoding", "reasons"),
    [
        ("a,b\nx,caf\u00e9\n".encode("utf-8-sig"), None, []),
        ("a,b\nx,caf\u00e9\n".encode("cp1252"), None, [("read as Windows-1252", 1)]),
        ("a,b\nx,caf\u00e9\n".encode("cp1252"), "latin-1", []),
        ("a,b\r\nx,caf\u00e9\r\n".encode("utf-16"), None, []),
        ("a,b\nx,caf\u00e9\n".encode("utf-16-le"), "utf-16-le", []),
        ("a,b\nx,caf\u00e9\n".encode(), "UTF8", []),
    ],
)
def test_encodings(tmp_path: Path, content: bytes, encoding: str | None, reasons: list[tuple[str, int]]) -> None:
    found, tally = read(tmp_path / "t.csv", content, encoding)
    assert found == [(2, ["x", "caf\u00e9"])]
    assert told(tally) == reasons


def test_a_long_file_of_another_encoding_is_read_whole(tmp_path: Path) -> None:
    rows = [f"{number},\u20ac {number}" for number in range(60_000)]
    found, _ = read(tmp_path / "t.csv", "\n".join(["a,b", *rows]).encode("utf-16"))
    assert [",".join(values) for _, values in found] == rows


def test_optional_columns_and_blank_lines(tmp_path: Path) -> None:
    path = tmp_path / "t.csv"
    path.write_text("b,a,c\n1,2,3\n\n4,5,6\n")
    rows = [list(values) for _, values in read_table(path, ["a"], Tally(), optional=["d", "c"])]
    assert rows == [["2", None, "3"], ["5", None, "6"]]


def test_empty_cells_behind_the_last_column_are_no_cells(tmp_path: Path) -> None:
    found, tally = read(tmp_path / "t.csv", b"a,b\n1,one,\n2,two\n3,three,, \n4,four,more\n")
    assert found == [(2, ["1", "one"]), (3, ["2", "two"]), (4, ["3", "three"])]
    assert told(tally) == [("wrong number of cells", 1), ("empty cells behind the last column", 2)]
