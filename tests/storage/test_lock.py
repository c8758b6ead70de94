"""One writer at a time: who holds an output, what a dead holder leaves, what a fork inherits."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

from eclare_py.errors import ModelError, UsageError
from eclare_py.storage import atomic_folder, exclusive
from tests.tiny import HOLD, ROOT


def holder(path: Path) -> subprocess.Popen[str]:
    """Another process that holds the lock until its stdin ends."""
    process = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert process.stdout is not None and process.stdout.readline() == "held\n"
    return process


def in_fork(path: Path) -> str:
    """What a forked child hears that wants the lock; "" where it gets it."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        try:
            with exclusive(path):
                pass
        except UsageError as error:
            os.write(writer, str(error).encode())
        finally:
            os._exit(0)
    os.close(writer)
    os.waitpid(pid, 0)
    with os.fdopen(reader) as said:
        return said.read()


def test_another_process_is_refused_with_the_number_of_the_holder(tmp_path: Path) -> None:
    target = tmp_path / "model"
    process = holder(target)
    try:
        with pytest.raises(UsageError, match=f"being written by process {process.pid}: wait"), exclusive(target):
            raise AssertionError("not reached")
        (tmp_path / "link").symlink_to("model")
        with pytest.raises(UsageError, match="being written by process"), atomic_folder(tmp_path / "link"):
            raise AssertionError("not reached")
        with exclusive(tmp_path / "other"):
            assert os.listdir(tmp_path).count("other.lock") == 1
    finally:
        process.communicate("")
    with exclusive(target):
        assert in_fork(target).startswith(f"{target} is being written by process {os.getpid()}")
    assert in_fork(target) == ""
    assert os.listdir(tmp_path) == ["link"]


def test_the_lock_of_a_killed_process_is_no_obstacle_and_goes(tmp_path: Path) -> None:
    process = holder(tmp_path / "model")
    process.send_signal(signal.SIGKILL)
    process.communicate()
    assert (tmp_path / "model.lock").read_text() == f"{process.pid}\n"
    with exclusive(tmp_path / "model"):
        assert (tmp_path / "model.lock").read_text() == f"{os.getpid()}\n"
    assert os.listdir(tmp_path) == []


def test_a_lock_file_of_nobody_is_taken_over(tmp_path: Path) -> None:
    (tmp_path / "model.lock").write_text("1\nof a process that lives, but does not hold it")
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "a").touch()
    assert os.listdir(tmp_path) == ["model"]


def test_who_holds_it_may_enter_again(tmp_path: Path) -> None:
    with exclusive(tmp_path / "new" / "model"):
        with exclusive(tmp_path / "new" / "model"), atomic_folder(tmp_path / "new" / "model") as partial:
            (partial / "a").touch()
        assert in_fork(tmp_path / "new" / "model") != ""  # leaving the inner one did not let go
    assert os.listdir(tmp_path / "new") == ["model"]


def test_a_link_in_place_of_the_lock_is_not_followed(tmp_path: Path) -> None:
    (tmp_path / "model.lock").symlink_to("victim")
    with pytest.raises(ModelError, match="cannot write"), atomic_folder(tmp_path / "model"):
        raise AssertionError("not reached")
    assert os.listdir(tmp_path) == ["model.lock"]
