"""Broken data folders: what is done to a good one, and where the error must point.

`CASES` is used by the tests of the loader, the validator and the command line: `case.build(folder)` makes the folder.
"""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

LABELS = [{"uid": f"l{i}", "title": f"label number {i}"} for i in range(4)]
TRAIN = [{"uid": f"d{i}", "title": f"train text {i}", "target_ind": [i % 4, (i + 1) % 4]} for i in range(6)]
TEST = [{"uid": f"t{i}", "title": f"test text {i}", "target_ind": [i]} for i in range(3)]


@dataclass(frozen=True)
class Broken:
    """One way to break a folder.

    Attributes:
        name: For the test's id.
        break_it: Changes a good folder.
        file: The file the first error must name, "" for the folder itself.
        line: Its line, None for the whole file.
        fragment: Words of the message.
        sparse: Start from a folder in the XC sparse format.
    """

    name: str
    break_it: Callable[[Path], None]
    file: str
    line: int | None
    fragment: str
    sparse: bool = False

    def build(self, folder: Path) -> Path:
        """Make the folder, break it, return it."""
        (build_sparse if self.sparse else build_good)(folder)
        self.break_it(folder)
        return folder


def pack(path: Path, rows: list[Any]) -> None:
    path.write_bytes(gzip.compress("".join(json.dumps(row) + "\n" for row in rows).encode(), mtime=0))


def build_good(folder: Path) -> Path:
    """A folder in the LF raw format without any problem, not even a warning."""
    folder.mkdir(parents=True)
    for name, rows in (("lbl", LABELS), ("trn", TRAIN), ("tst", TEST)):
        pack(folder / f"{name}.json.gz", rows)
    (folder / "filter_labels_train.txt").write_text("0 3\n5 0\n")
    (folder / "filter_labels_test.txt").write_text("2 1\n")
    (folder / "card.json").write_text('{"name": "good",\n "propensity": {"A": 0.6, "B": 2.6}}\n')
    return folder


def build_sparse(folder: Path) -> Path:
    """The same folder in the XC sparse format."""
    (folder / "raw").mkdir(parents=True)
    for name, rows in (("Y", LABELS), ("trn_X", TRAIN), ("tst_X", TEST)):
        (folder / "raw" / f"{name}.txt").write_text("".join(f"{row['title']}\n" for row in rows))
    for name, rows in (("trn", TRAIN), ("tst", TEST)):
        lines = [" ".join(f"{label}:1.0" for label in row["target_ind"]) for row in rows]
        (folder / f"{name}_X_Y.txt").write_text(f"{len(rows)} 4\n" + "".join(f"{line}\n" for line in lines))
    return folder


def lines_of(path: Path) -> list[bytes]:
    data = path.read_bytes()
    return (gzip.decompress(data) if path.suffix == ".gz" else data).splitlines(keepends=True)


def put(name: str, line: int, content: bytes | None) -> Callable[[Path], None]:
    """Replace a line (counted from 1), or remove it where `content` is None."""

    def change(folder: Path) -> None:
        lines = lines_of(folder / name)
        lines[line - 1 : line] = [] if content is None else [content + b"\n"]
        data = b"".join(lines)
        (folder / name).write_bytes(gzip.compress(data, mtime=0) if name.endswith(".gz") else data)

    return change


def edit(name: str, line: int, **values: Any) -> Callable[[Path], None]:
    """Set keys of the JSON object on a line; the value `...` removes the key."""

    def change(folder: Path) -> None:
        row = json.loads(lines_of(folder / name)[line - 1]) | values
        row = {key: value for key, value in row.items() if value is not ...}
        put(name, line, json.dumps(row).encode())(folder)

    return change


def cut(name: str, share: float) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = (folder / name).read_bytes()
        (folder / name).write_bytes(data[: int(len(data) * share)])

    return change


def truncate_late(folder: Path) -> None:
    """Cut a gzip file of many rows behind its 100th row: stored blocks make the place of the cut exact."""
    rows = [json.dumps(TRAIN[i % 6] | {"uid": f"d{i}", "title": f"text {i}"}) + "\n" for i in range(400)]
    packed = gzip.compress("".join(rows).encode(), compresslevel=0, mtime=0)
    header = 10 + 5  # gzip header, header of the first stored block
    (folder / "trn.json.gz").write_bytes(packed[: header + len("".join(rows[:100])) + 7])


def flip_byte(name: str, place: int) -> Callable[[Path], None]:
    def change(folder: Path) -> None:
        data = bytearray((folder / name).read_bytes())
        data[place] ^= 0xFF
        (folder / name).write_bytes(bytes(data))

    return change


def remove(name: str) -> Callable[[Path], None]:
    return lambda folder: (folder / name).unlink()


def write(name: str, content: bytes) -> Callable[[Path], None]:
    return lambda folder: (folder / name).write_bytes(content) and None


def empty_folder(folder: Path) -> None:
    for path in folder.iterdir():
        path.unlink()


def unpack_all(folder: Path) -> None:
    for name in ("trn", "lbl", "tst"):
        packed = folder / f"{name}.json.gz"
        (folder / f"{name}.json").write_bytes(gzip.decompress(packed.read_bytes()))
        packed.unlink()


TRN, TST, LBL, FILTER = "trn.json.gz", "tst.json.gz", "lbl.json.gz", "filter_labels_train.txt"

INDEX_CASES = [
    Broken("index out of range", edit(TRN, 3, target_ind=[0, 4]), TRN, 3, "4, outside the labels 0..3"),
    Broken("index out of range in test", edit(TST, 2, target_ind=[99]), TST, 2, "99, outside the labels 0..3"),
    Broken("index beyond 64 bit", edit(TRN, 1, target_ind=[10**30]), TRN, 1, "outside the labels"),
    Broken("negative index", edit(TRN, 5, target_ind=[-1, 2]), TRN, 5, "negative index -1"),
    Broken("index twice", edit(TRN, 2, target_ind=[1, 2, 1]), TRN, 2, "holds 1 twice"),
    Broken("boolean index", edit(TRN, 2, target_ind=[True]), TRN, 2, "True, which is not an integer"),
    Broken("float index", edit(TRN, 4, target_ind=[1.0]), TRN, 4, "1.0, which is not an integer"),
    Broken("text as index", edit(TRN, 4, target_ind=["1"]), TRN, 4, "'1', which is not an integer"),
    Broken("null index", edit(TRN, 4, target_ind=[None]), TRN, 4, "None, which is not an integer"),
    Broken("indices no list", edit(TRN, 6, target_ind=3), TRN, 6, "target_ind is 3: it must be a list"),
    Broken("indices a mapping", edit(TRN, 6, target_ind={"1": 1}), TRN, 6, "it must be a list"),
    Broken("no indices", edit(TRN, 3, target_ind=...), TRN, 3, "key target_ind is missing"),
    Broken("relevance NaN", edit(TRN, 3, target_rel=[float("nan"), 1]), TRN, 3, "target_rel holds nan"),
    Broken("relevance infinite", edit(TRN, 3, target_rel=[1, float("inf")]), TRN, 3, "target_rel holds inf"),
    Broken("relevance zero", edit(TRN, 3, target_rel=[1, 0]), TRN, 3, "target_rel holds 0"),
    Broken("relevance a word", edit(TRN, 3, target_rel=[1, "high"]), TRN, 3, "target_rel holds 'high'"),
    Broken("relevance too short", edit(TRN, 3, target_rel=[1.0]), TRN, 3, "target_rel is 1 values"),
]

TEXT_CASES = [
    Broken("empty text", edit(TRN, 4, title=""), TRN, 4, "document text is empty"),
    Broken("blank text", edit(TST, 1, title=" \t "), TST, 1, "document text is empty"),
    Broken("no title", edit(TRN, 4, title=..., text="x"), TRN, 4, "key title is missing"),
    Broken("title a number", edit(TRN, 4, title=7), TRN, 4, "title is 7: it must be a string"),
    Broken("content a list", edit(TRN, 4, content=["x"]), TRN, 4, "content is ['x']"),
    Broken("label without text", edit(LBL, 2, title=""), LBL, 2, "label text is empty"),
    Broken("label without title", edit(LBL, 2, title=...), LBL, 2, "key title is missing"),
    Broken("lone surrogate", edit(TRN, 2, title="a \ud83d b"), TRN, 2, "lone surrogate \\ud83d"),
    Broken("lone surrogate in label", edit(LBL, 2, title="\udc00"), LBL, 2, "lone surrogate \\udc00"),
    Broken("invalid UTF-8", put(TRN, 2, b'{"title": "caf\xe9", "target_ind": []}'), TRN, 2, "byte 0xe9 at column 15"),
    Broken("label uid twice", edit(LBL, 4, uid="l1"), LBL, 4, "duplicate label uid 'l1', first on line 2"),
    Broken("uid missing", edit(TRN, 4, uid=...), TRN, 4, "uid is missing"),
    Broken("uid empty", edit(TRN, 4, uid=""), TRN, 4, "uid is ''"),
]

LINE_CASES = [
    Broken("invalid JSON", put(TRN, 3, b'{"title": "x", "target_ind": [1,}'), TRN, 3, "invalid JSON at column 33"),
    Broken("JSON cut off", put(TRN, 6, b'{"title": "x", "targ'), TRN, 6, "invalid JSON"),
    Broken("JSON no object", put(TRN, 3, b"[1, 2]"), TRN, 3, "[1, 2] is not a JSON object"),
    Broken("JSON number too long", put(TRN, 3, b'{"title": ' + b"9" * 5000 + b"}"), TRN, 3, "cannot be taken in"),
    Broken("JSON too deep", put(TRN, 3, b"[" * 200_000), TRN, 3, "JSON"),
    Broken("empty line", put(TRN, 2, b""), TRN, 2, "empty line"),
    Broken("byte order mark", put(TRN, 1, b'\xef\xbb\xbf{"title": "x"}'), TRN, 1, "BOM"),
    Broken("UTF-16", write(LBL, gzip.compress('{"title": "x"}\n'.encode("utf-16"))), LBL, 1, "invalid UTF-8"),
]

FILE_CASES = [
    Broken("truncated gzip", truncate_late, TRN, 101, "damaged gzip file"),
    Broken("truncated small gzip", cut(TST, 0.5), TST, 1, "damaged gzip file"),
    Broken("gzip without its checksum", cut(LBL, 0.99), LBL, 5, "damaged gzip file"),
    Broken("gzip with a wrong checksum", flip_byte(LBL, -8), LBL, 5, "CRC check failed"),
    Broken("not gzip", write(TRN, b'{"title": "x", "target_ind": [0]}\n'), TRN, 1, "damaged gzip file"),
    Broken("empty file", write(TRN, b""), TRN, None, "no documents in it"),
    Broken("no labels in the file", write(LBL, gzip.compress(b"")), LBL, None, "no labels in it"),
    Broken("train missing", remove(TRN), TRN, None, "file is missing"),
    Broken("labels missing", remove(LBL), LBL, None, "file is missing"),
    Broken("nothing in the folder", empty_folder, "", None, "no data set in it"),
    Broken("files not packed", unpack_all, "", None, "pack trn.json and lbl.json with gzip"),
    Broken("test filter without test", remove(TST), "filter_labels_test.txt", None, "there is no tst.json.gz"),
    Broken("filter document out of range", put(FILTER, 2, b"6 0"), FILTER, 2, "document 6 is outside 0..5"),
    Broken("filter label out of range", put(FILTER, 2, b"5 4"), FILTER, 2, "label 4 is outside 0..3"),
    Broken("filter with one number", put(FILTER, 1, b"3"), FILTER, 1, "'3' is not two row numbers"),
    Broken("filter with three numbers", put(FILTER, 1, b"3 1 1"), FILTER, 1, "is not two row numbers"),
    Broken("filter negative", put(FILTER, 2, b"-1 2"), FILTER, 2, "is not two row numbers"),
    Broken("filter with a float", put(FILTER, 2, b"1.0 2"), FILTER, 2, "is not two row numbers"),
    Broken("filter empty line", put(FILTER, 2, b""), FILTER, 2, "is not two row numbers"),
    Broken("filter invalid UTF-8", put(FILTER, 2, b"\xff 2"), FILTER, 2, "invalid UTF-8"),
    Broken("card invalid", put("card.json", 2, b'"propensity": }'), "card.json", 2, "invalid JSON"),
    Broken("card no object", write("card.json", b"[]"), "card.json", None, "not a JSON object"),
    Broken("card name", write("card.json", b'{"name": 3}'), "card.json", None, "name is 3"),
    Broken("card propensity", write("card.json", b'{"propensity": {"A": -1}}'), "card.json", None, "A is -1"),
    Broken("card propensity NaN", write("card.json", b'{"propensity": {"B": NaN}}'), "card.json", None, "B is nan"),
]

XY, TX = "trn_X_Y.txt", "raw/trn_X.txt"

SPARSE_CASES = [
    Broken("header with too many rows", put(XY, 1, b"7 4"), XY, 1, "header says 7 rows, the file has 6", True),
    Broken("header with too few rows", put(XY, 1, b"5 4"), XY, 7, "header says 5 rows, here is one more", True),
    Broken("header with too few columns", put(XY, 1, b"6 3"), XY, 4, "index 3 is outside 0..2", True),
    Broken("header with too many columns", put(XY, 1, b"6 5"), XY, 1, "raw/Y.txt has 4 lines", True),
    Broken("header a word", put(XY, 1, b"six 4"), XY, 1, "'six 4': it must be \"rows columns\"", True),
    Broken("header missing", put(XY, 1, None), XY, 1, 'it must be "rows columns"', True),
    Broken("matrix empty", write(XY, b""), XY, 1, "header is ''", True),
    Broken("matrix row missing", put(XY, 3, None), XY, 1, "the file has 5", True),
    Broken("text row missing", put(TX, 3, None), XY, 1, "trn_X.txt has 5 lines", True),
    Broken("sparse index twice", put(XY, 3, b"1:1 1:1"), XY, 3, "index 1 stands twice", True),
    Broken("sparse negative index", put(XY, 3, b"-1:1"), XY, 3, "'-1:1' has a negative index", True),
    Broken("sparse index a float", put(XY, 3, b"1.5:1"), XY, 3, "has an index that is no integer", True),
    Broken("sparse value NaN", put(XY, 5, b"0:1 2:nan"), XY, 5, "'2:nan' has a value that is no finite number", True),
    Broken("sparse value infinite", put(XY, 5, b"0:1e999"), XY, 5, "relevance of label 0 is inf", True),
    Broken("sparse value negative", put(XY, 5, b"0:-1"), XY, 5, "relevance of label 0 is -1.0", True),
    Broken("sparse word without colon", put(XY, 2, b"0:1 3"), XY, 2, "'3' is not index:value", True),
    Broken("sparse underscore", put(XY, 2, b"0_1:1"), XY, 2, "'0_1:1' has an index that is no integer", True),
    Broken("sparse text empty", put(TX, 4, b""), TX, 4, "document text is empty", True),
    Broken("sparse label text empty", put("raw/Y.txt", 2, b" "), "raw/Y.txt", 2, "label text is empty", True),
    Broken("sparse text invalid UTF-8", put(TX, 4, b"\xc3("), TX, 4, "invalid UTF-8", True),
    Broken("sparse texts missing", remove(TX), TX, None, "file is missing", True),
]

CASES = INDEX_CASES + TEXT_CASES + LINE_CASES + FILE_CASES + SPARSE_CASES
