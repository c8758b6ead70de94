"""The hook of the crash tests: it does what it is told at the point it is told, and nothing without being told."""

from __future__ import annotations

import errno
from collections.abc import Iterator
from pathlib import Path

import pytest

from eclare_py.storage import atomic_file, fault, write_json
from tests.tiny import python


@pytest.fixture(autouse=True)
def disarmed() -> Iterator[None]:
    yield
    fault.arm("")


def test_points_are_counted_and_the_fault_comes_at_its_own() -> None:
    plan = fault.arm("raise:2")
    assert plan is not None
    fault.point("one")
    with pytest.raises(fault.InjectedFault, match="point 2, two"):
        fault.point("two")
    fault.point("three")
    assert plan.seen == ["one", "two", "three"]


def test_a_full_disk_stays_full_and_only_writers_notice(tmp_path: Path) -> None:
    write_json(tmp_path / "a.json", 1)
    fault.arm("enospc:2")
    fault.point("rename")
    fault.point("first", writes=True)
    fault.point("rename")
    for _ in range(2):
        with pytest.raises(OSError, match="No space left") as caught, atomic_file(tmp_path / "a.json") as handle:
            handle.write("2")
        assert caught.value.errno == errno.ENOSPC and caught.value.filename == str(tmp_path / "a.json")
    assert (tmp_path / "a.json").read_text() == "1\n" and len(list(tmp_path.iterdir())) == 1


def test_nothing_happens_unasked() -> None:
    assert fault.arm("") is None
    for _ in range(3):
        fault.point("one", writes=True)
    plan = fault.arm("count")
    fault.point("one")
    fault.point("two", writes=True)
    assert plan is not None and plan.seen == ["one", "two"] and plan.writes == 1


@pytest.mark.parametrize("words", ["kill", "kill:x", "kill:-1", "explode:3", "3"])
def test_a_misspelt_fault_is_refused(words: str) -> None:
    with pytest.raises(ValueError, match="ECLARE_FAULT"):
        fault.arm(words)


def test_a_process_is_told_by_its_environment(tmp_path: Path) -> None:
    code = "from eclare_py.storage import write_json; write_json('a.json', 1)"
    assert python("-c", code, cwd=tmp_path, ECLARE_FAULT="kill:3").returncode == -9
    assert [path.name.partition(".tmp-")[0] for path in tmp_path.iterdir()] == ["a.json"]
    assert not (tmp_path / "a.json").exists()
    assert python("-c", code, cwd=tmp_path, ECLARE_FAULT="kill:99").returncode == 0
    assert [path.name for path in tmp_path.iterdir()] == ["a.json"]


