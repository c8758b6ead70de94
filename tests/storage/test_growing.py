"""Files that grow piece by piece: what is safe is gone on with, the rest cut off, what is not whole not there."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

import pytest

from eclare_py.storage import GrowingFile, growing_file
from eclare_py.storage.fault import InjectedFault, arm

PIECES = [f"piece {number}\n".encode() * (number + 1) for number in range(6)]
WHOLE = b"".join(PIECES)


class Stop(Exception):
    pass


def write(path: Path, *, stop: int = 99, job: str = "a", every: float = 0.0, **settings: Any) -> GrowingFile:
    """Add the pieces from where an earlier call was, up to `stop`."""
    with growing_file(path, {"job": job}, every=every, **settings) as growing:
        for number in range(growing.notes.get("pieces", 0), len(PIECES)):
            if number == stop:
                raise Stop
            growing.add(PIECES[number], {"pieces": number + 1})
    return growing


def stopped(path: Path, at: int, **settings: Any) -> None:
    with pytest.raises(Stop):
        write(path, stop=at, **settings)


def test_pieces_make_the_file_and_nothing_else_stays(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    write(path, every=99.0)
    assert path.read_bytes() == WHOLE and os.listdir(tmp_path) == ["out"]


def test_a_run_that_broke_off_is_gone_on_with(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    stopped(path, 4)
    assert path.read_bytes() == b"old"
    assert sorted(os.listdir(tmp_path)) == ["out", "out.partial", "out.partial.json"]
    with (tmp_path / "out.partial").open("ab") as file:
        file.write(b"what was not safe yet")
    growing = write(path)
    assert not growing.dropped and path.read_bytes() == WHOLE and os.listdir(tmp_path) == ["out"]


def test_an_error_before_anything_is_safe_leaves_nothing(tmp_path: Path) -> None:
    stopped(tmp_path / "out", 3, every=99.0)
    assert os.listdir(tmp_path) == []


@pytest.mark.parametrize("what", ["job", "bytes", "short", "journal", "notes", "no partial"])
def test_what_does_not_fit_is_begun_anew(what: str, tmp_path: Path) -> None:
    path, journal, partial = (tmp_path / name for name in ("out", "out.partial.json", "out.partial"))
    stopped(path, 4)
    state, kept = json.loads(journal.read_text()), partial.read_bytes()
    if what == "bytes":
        partial.write_bytes(b"X" + kept[1:])
    if what == "short":
        partial.write_bytes(kept[:-1])
    if what == "journal":
        journal.write_text(journal.read_text()[:-5])
    if what == "notes":
        journal.write_text(json.dumps({**state, "notes": [1]}))
    if what == "no partial":
        partial.unlink()
    growing = write(path, job="b" if what == "job" else "a")
    assert growing.dropped and path.read_bytes() == WHOLE and os.listdir(tmp_path) == ["out"]


def test_a_writer_may_give_up_what_is_there(tmp_path: Path) -> None:
    stopped(tmp_path / "out", 4)
    with growing_file(tmp_path / "out", {"job": "a"}, every=0.0) as growing:
        assert growing.notes == {"pieces": 4}
        growing.restart()
        assert growing.notes == {} and growing.dropped
        growing.add(b"other", {"pieces": 1})
    assert (tmp_path / "out").read_bytes() == b"other" and os.listdir(tmp_path) == ["out"]


def test_the_file_may_be_made_of_the_pieces(tmp_path: Path) -> None:
    path = tmp_path / "out"

    def count(partial: Path) -> None:
        path.write_text(str(len(partial.read_bytes())))

    stopped(path, 2, convert=count)
    write(path, convert=count)
    assert path.read_text() == str(len(WHOLE)) and os.listdir(tmp_path) == ["out"]


def test_a_fault_at_every_point_is_survived(tmp_path: Path) -> None:
    plan = arm("count")
    try:
        write(tmp_path / "whole")
        assert plan is not None and len(plan.seen) > 50
        for point in range(1, len(plan.seen) + 1):
            path = tmp_path / str(point)
            arm(f"raise:{point}")
            with pytest.raises(InjectedFault):
                write(path)
            assert not path.exists() or path.read_bytes() == WHOLE
            arm("")
            write(path)
            assert path.read_bytes() == WHOLE
    finally:
        arm("")
    assert sorted(os.listdir(tmp_path)) == sorted(["whole", *map(str, range(1, len(plan.seen) + 1))])


def test_a_full_disk_keeps_the_old_file_and_what_is_safe(tmp_path: Path) -> None:
    path = tmp_path / "out"
    path.write_bytes(b"old")
    arm("enospc:20")
    try:
        with pytest.raises(OSError, match="No space left") as caught:
            write(path)
    finally:
        arm("")
    assert caught.value.filename is not None and Path(caught.value.filename).parent == tmp_path
    assert path.read_bytes() == b"old"
    growing = write(path)
    assert not growing.dropped and path.read_bytes() == WHOLE
