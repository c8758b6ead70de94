"""Whole folders: a kill, a full disk or an error leaves a complete old or a complete new one, and no litter."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest

from eclare_py.errors import DataError, ModelError, UsageError
from eclare_py.storage import (
    State,
    atomic_file,
    atomic_folder,
    read_json,
    read_state,
    recover,
    verify_manifest,
    write_json,
    write_state,
)
from eclare_py.storage.fault import arm

SCRIPT = Path(__file__).with_name("crash_save.py")
ROOT = Path(__file__).resolve().parents[2]


def save(path: Path, content: int, *, manifest: bool = True) -> None:
    with atomic_folder(path, manifest=manifest) as partial:
        write_state(partial, "part", State({"a": np.full(64, content, np.int64)}, {"content": str(content)}))
        (partial / "more").mkdir()
        (partial / "more" / "text.txt").write_text(str(content) * 10)


def content_of(path: Path) -> str:
    """The content of a folder, whose three files must agree."""
    state = read_state(path, "part")
    values = {str(value) for value in state.arrays["a"]} | {state.meta["content"]}
    values |= set((path / "more" / "text.txt").read_text())
    assert len(values) == 1
    return values.pop()


def snapshot(path: Path) -> dict[str, bytes]:
    return {str(file.relative_to(path)): file.read_bytes() for file in sorted(path.rglob("*")) if file.is_file()}


def crash(path: Path, content: int, step: int, *extra: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, str(SCRIPT), str(path), str(content), str(step), *extra]
    env = {**os.environ, "PYTHONPATH": str(ROOT)}
    return subprocess.run(command, capture_output=True, text=True, env=env, check=False)


def fork_crash(path: Path, content: int, step: int, *, manifest: bool = True) -> int | None:
    """As `crash`, by a fork instead of a new interpreter: the signal that killed the save, None where it lived."""
    pid = os.fork()
    if pid == 0:
        arm(f"kill:{step}")
        try:
            save(path, content, manifest=manifest)
            os._exit(0)
        finally:
            os._exit(1)
    _, status = os.waitpid(pid, 0)
    assert status in (0, 9)
    return status or None


@pytest.mark.parametrize("manifest", [True, False])
def test_a_kill_at_every_step_leaves_old_or_new(tmp_path: Path, manifest: bool) -> None:
    seen: list[str] = []
    step = 0
    while True:
        step += 1
        base = tmp_path / str(step)
        save(base / "model", 1, manifest=manifest)
        killed = fork_crash(base / "model", 2, step, manifest=manifest)
        if manifest:
            verify_manifest(base / "model")
        recover(base / "model")
        seen.append(content_of(base / "model"))
        save(base / "model", 3, manifest=manifest)
        assert content_of(base / "model") == "3"
        assert [entry.name for entry in base.iterdir()] == ["model"], "litter after the next save"
        if killed is None:
            break
    assert len(seen) >= 18 and seen == sorted(seen) and set(seen) == {"1", "2"}


def test_a_kill_of_the_first_save_leaves_nothing_that_loads(tmp_path: Path) -> None:
    for step in range(1, 6):
        assert fork_crash(tmp_path / "model", 1, step) == 9
        with pytest.raises(ModelError, match="there is no model"):
            verify_manifest(tmp_path / "model")
    save(tmp_path / "model", 2)
    assert os.listdir(tmp_path) == ["model"]


def test_a_kill_in_a_process_of_its_own(tmp_path: Path) -> None:
    lived = crash(tmp_path / "model", 1, 0)
    assert lived.returncode == 0, lived.stderr
    last = int(lived.stdout)
    died = crash(tmp_path / "model", 2, last - 2)  # between moving the old folder aside and moving the new one in
    assert died.returncode == -9 and not (tmp_path / "model").exists()
    verify_manifest(tmp_path / "model")
    assert content_of(tmp_path / "model") == "1"


FULL_DISK = """
import resource, sys
import numpy as np
from eclare_py.errors import ModelError
from eclare_py.storage import State, atomic_folder, write_state
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[2]), int(sys.argv[2])))
try:
    with atomic_folder(sys.argv[1]) as partial:
        write_state(partial, "part", State({"a": np.zeros(5000)}, {"long": "x" * 50_000}))
except ModelError as error:
    print(error)
    sys.exit(7)
"""


@pytest.mark.parametrize("limit", [0, 100, 40_010, 45_000])
def test_a_full_disk_leaves_the_old_model_bit_identical(tmp_path: Path, limit: int) -> None:
    save(tmp_path / "model", 1)
    before = snapshot(tmp_path / "model")
    command = [sys.executable, "-c", FULL_DISK, str(tmp_path / "model"), str(limit)]
    done = subprocess.run(
        command, capture_output=True, text=True, env={**os.environ, "PYTHONPATH": str(ROOT)}, check=False
    )
    assert done.returncode == 7 and "cannot write" in done.stdout, done.stdout + done.stderr
    assert snapshot(tmp_path / "model") == before and os.listdir(tmp_path) == ["model"]


@pytest.mark.parametrize(("manifest", "error"), [(True, ModelError), (False, DataError)])
def test_an_error_of_the_disk_is_told_with_the_mend(tmp_path: Path, manifest: bool, error: type[Exception]) -> None:
    save(tmp_path / "model", 1, manifest=manifest)
    before = snapshot(tmp_path / "model")
    with pytest.raises(error, match="No space left.*unchanged"), atomic_folder(tmp_path / "model", manifest=manifest):
        raise OSError(28, "No space left on device")
    assert snapshot(tmp_path / "model") == before and os.listdir(tmp_path) == ["model"]


def test_an_error_in_the_block_changes_nothing(tmp_path: Path) -> None:
    save(tmp_path / "model", 1)
    with pytest.raises(KeyboardInterrupt), atomic_folder(tmp_path / "model") as partial:
        (partial / "half").touch()
        raise KeyboardInterrupt
    assert content_of(tmp_path / "model") == "1" and os.listdir(tmp_path) == ["model"]


def test_a_failed_swap_puts_the_old_folder_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    save(tmp_path / "model", 1)
    rename = Path.rename

    def refuse(self: Path, target: Path) -> Path:
        if ".tmp-" in self.name:
            raise OSError(5, "Input/output error")
        return rename(self, target)

    monkeypatch.setattr(Path, "rename", refuse)
    with pytest.raises(ModelError, match="Input/output error"):
        save(tmp_path / "model", 2)
    assert content_of(tmp_path / "model") == "1" and os.listdir(tmp_path) == ["model"]


def test_folders_of_others_are_never_replaced(tmp_path: Path) -> None:
    home = tmp_path / "home"
    home.mkdir()
    (home / "letter.txt").write_text("dear")
    with pytest.raises(UsageError, match="not empty and no saved model"):
        save(home, 1)
    with pytest.raises(UsageError, match=r"letter\.txt would be lost"):
        save(home, 1, manifest=False)
    with pytest.raises(UsageError, match="is a file"):
        save(home / "letter.txt", 1)
    assert snapshot(tmp_path) == {"home/letter.txt": b"dear"}
    save(tmp_path / "model", 1)
    (tmp_path / "model" / "notes.txt").write_text("mine")
    with pytest.raises(UsageError, match=r"notes\.txt is not part of the saved model and would be lost"):
        save(tmp_path / "model", 2)
    assert (tmp_path / "model" / "notes.txt").read_text() == "mine"


def test_an_empty_folder_and_missing_parents_are_fine(tmp_path: Path) -> None:
    (tmp_path / "empty").mkdir()
    save(tmp_path / "empty", 1)
    save(tmp_path / "a" / "b" / "model", 1)
    assert content_of(tmp_path / "empty") == content_of(tmp_path / "a" / "b" / "model") == "1"


def test_a_link_keeps_pointing_to_the_folder(tmp_path: Path) -> None:
    save(tmp_path / "v1", 1)
    (tmp_path / "current").symlink_to("v1")
    save(tmp_path / "current", 2)
    assert (tmp_path / "current").is_symlink() and content_of(tmp_path / "v1") == "2"


def test_two_saves_of_one_folder_in_one_process_are_refused(tmp_path: Path) -> None:
    with atomic_folder(tmp_path / "model") as partial:
        (partial / "a.txt").write_text("a")
        with pytest.raises(UsageError, match="being written"), atomic_folder(tmp_path / "model"):
            raise AssertionError("not reached")
    assert snapshot(tmp_path / "model").keys() == {"a.txt", "manifest.json"}


def test_a_live_writer_is_not_cleaned_away(tmp_path: Path) -> None:
    writer = subprocess.Popen([sys.executable, "-c", "import sys; sys.stdin.read()"], stdin=subprocess.PIPE)
    try:
        live = tmp_path / f"model.tmp-{writer.pid}"
        live.mkdir()
        (tmp_path / f"model.tmp-{os.getpid()}").mkdir()  # of an earlier process that had our number
        save(tmp_path / "model", 1)
        assert sorted(os.listdir(tmp_path)) == ["model", live.name]
    finally:
        writer.communicate()
    save(tmp_path / "model", 2)
    assert os.listdir(tmp_path) == ["model"]


def test_neighbours_with_like_names_are_left_alone(tmp_path: Path) -> None:
    names = ["model.tmp-x", "model.old-", "model2.tmp-999999999", "model.old-1a", "xmodel.old-999999999"]
    for name in names:
        (tmp_path / name).mkdir()
    save(tmp_path / "model", 1)
    assert sorted(os.listdir(tmp_path)) == sorted([*names, "model"])


def test_devices_pipes_and_folders_are_never_replaced(tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe")
    for place, message in (("pipe", "Not a regular file"), (".", "Is a directory")):
        with pytest.raises(OSError, match=message), atomic_file(tmp_path / place):
            raise AssertionError("not reached")
    assert (tmp_path / "pipe").is_fifo() and os.listdir(tmp_path) == ["pipe"]


def test_atomic_file_replaces_or_keeps(tmp_path: Path) -> None:
    path = tmp_path / "out.json"
    write_json(path, {"a": 1})
    with pytest.raises(RuntimeError), atomic_file(path) as handle:
        handle.write("half")
        raise RuntimeError
    assert read_json(path) == {"a": 1}
    (tmp_path / "out.json.tmp-999999999").touch()
    (tmp_path / "link").symlink_to("out.json")
    with atomic_file(tmp_path / "link", "wb") as handle:
        handle.write(b"[2]")
    assert read_json(path) == [2] and sorted(os.listdir(tmp_path)) == ["link", "out.json"]
    with pytest.raises(ValueError, match="mode"), atomic_file(path, "a"):
        raise AssertionError("not reached")
    with pytest.raises(ValueError, match="already"), atomic_file(path), atomic_file(path):
        raise AssertionError("not reached")
