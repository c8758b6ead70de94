"""The manifest: whatever was changed, added or taken away is named, and nothing in a folder is ever run."""

from __future__ import annotations

import json
import os
import pickle
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.errors import ModelError
from eclare_py.storage import State, atomic_folder, read_state, verify_manifest, write_state
from eclare_py.storage.manifest import build_manifest


@pytest.fixture
def model(tmp_path: Path) -> Path:
    with atomic_folder(tmp_path / "model", extra={"recipe": "eclare", "numbers": [1, 2.5]}) as partial:
        write_state(partial, "part", State({"a": (np.arange(40, dtype=np.float32) / 3).reshape(5, 8)}, {"b": "text"}))
        (partial / "words").mkdir()
        (partial / "words" / "list.txt").write_text("one\ntwo\n")
    return tmp_path / "model"


def test_what_a_manifest_says(model: Path) -> None:
    manifest = verify_manifest(model)
    assert (manifest["schema"], manifest["kind"]) == (1, "model")
    assert manifest["extra"] == {"recipe": "eclare", "numbers": [1, 2.5]}
    assert sorted(manifest["files"]) == ["part.json", "part.safetensors", "words/list.txt"]
    assert manifest["files"]["part.safetensors"]["arrays"] == {"a": "F32 [5, 8]"}
    assert manifest["files"]["words/list.txt"]["bytes"] == 8


def test_every_flipped_bit_is_refused(model: Path) -> None:
    random = np.random.default_rng(11)
    files = sorted(file for file in model.rglob("*") if file.is_file())
    for trial in range(240):
        file = files[trial % len(files)]
        whole = file.read_bytes()
        damaged = bytearray(whole)
        damaged[random.integers(len(whole))] ^= 1 << random.integers(8)
        file.write_bytes(damaged)
        with pytest.raises(ModelError) as caught:
            verify_manifest(model)
        assert str(model) in str(caught.value)
        file.write_bytes(whole)
    verify_manifest(model)


@pytest.mark.parametrize("name", ["part.json", "part.safetensors", "words/list.txt"])
def test_changed_truncated_and_missing_files_are_named(model: Path, name: str) -> None:
    whole = (model / name).read_bytes()
    for content, message in ((whole[:-1], "bytes"), (whole + b"x", "bytes"), (whole[:-1] + b"\x01", "SHA-256")):
        (model / name).write_bytes(content)
        with pytest.raises(ModelError, match=rf"{name}.*{message}.*; restore the folder"):
            verify_manifest(model)
    (model / name).unlink()
    with pytest.raises(ModelError, match=rf"{name} is missing; restore"):
        verify_manifest(model)


@pytest.mark.parametrize("name", ["extra.txt", "part.pkl", "words/more.pt", "deep/er/x.npy"])
def test_files_that_are_not_listed_are_named(model: Path, name: str) -> None:
    (model / name).parent.mkdir(parents=True, exist_ok=True)
    (model / name).touch()
    with pytest.raises(ModelError, match=rf"{name} is not part of the saved model; move it"):
        verify_manifest(model)


def test_hidden_files_of_other_tools_are_left_alone(model: Path) -> None:
    (model / ".gitattributes").touch()
    (model / ".git").mkdir()
    (model / ".git" / "HEAD").touch()
    verify_manifest(model)


def test_pipes_and_linked_folders_are_refused_and_linked_files_are_read(model: Path, tmp_path: Path) -> None:
    shutil.move(model / "part.json", tmp_path / "blob")
    (model / "part.json").symlink_to(tmp_path / "blob")
    verify_manifest(model)  # as the folders of a download cache look
    (model / "part.json").unlink()
    os.mkfifo(model / "part.json")
    with pytest.raises(ModelError, match="not a regular file"):
        verify_manifest(model)
    (model / "part.json").unlink()
    shutil.move(tmp_path / "blob", model / "part.json")
    shutil.move(model / "words", tmp_path / "words")
    (model / "words").symlink_to(tmp_path / "words")
    with pytest.raises(ModelError, match="words/list.txt is missing"):
        verify_manifest(model)


def rewritten(model: Path, **changes: Any) -> None:
    """A manifest that is wrong by intent: its own checksum fits."""
    from eclare_py.storage import manifest

    (model / "manifest.json").write_text(
        manifest._render({**json.loads((model / "manifest.json").read_text()), **changes})
    )


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"schema": 2}, "schema version 2, this program reads up to 1; update"),
        ({"schema": "1"}, "names no schema version"),
        ({"kind": "dataset"}, "holds a dataset, expected a model"),
        ({"files": []}, "changed"),
        ({"files": {"../../../etc/passwd": {"bytes": 1, "sha256": ""}}}, "no file of this folder"),
        ({"files": {"/etc/passwd": {"bytes": 1, "sha256": ""}}}, "no file of this folder"),
        ({"files": {"": {"bytes": 1, "sha256": ""}}}, "no file of this folder"),
        ({"files": {"part.json": {"bytes": 1}}}, "'part.json' is no file of this folder with size and checksum"),
        ({"files": {"part.json": None}}, "with size and checksum"),
        ({"extra": []}, "`extra` is no object"),
        ({"schema": True}, "names no schema version"),
    ],
)
def test_other_manifests_are_refused(model: Path, changes: dict[str, Any], message: str) -> None:
    rewritten(model, **changes)
    with pytest.raises(ModelError, match=message):
        verify_manifest(model)


@pytest.mark.parametrize("text", ["", "[]", "null", "{}", "{", '{"schema": NaN}', "[" * 100_000])
def test_damaged_manifests_are_refused(model: Path, text: str) -> None:
    (model / "manifest.json").write_text(text)
    with pytest.raises(ModelError, match=r"manifest\.json"):
        verify_manifest(model)


def test_no_folder_and_no_manifest(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match="there is no model at"):
        verify_manifest(tmp_path / "absent")
    with pytest.raises(ModelError, match="no manifest.json"):
        verify_manifest(tmp_path)


class Bomb:
    """Touches its canary when it is unpickled."""

    def __init__(self, canary: Path) -> None:
        self.canary = str(canary)

    def __reduce__(self) -> tuple[Any, ...]:
        return Path.touch, (Path(self.canary),)


@pytest.mark.parametrize("listed", [False, True])
def test_booby_traps_are_never_sprung(model: Path, tmp_path: Path, listed: bool) -> None:
    canary = tmp_path / "canary"
    bomb = pickle.dumps(Bomb(canary))
    for name in ("model.pkl", "part.pt", "part.bin", "pytorch_model.bin"):
        (model / name).write_bytes(bomb)
    np.save(model / "part.npy", np.array([Bomb(canary)], dtype=object), allow_pickle=True)
    (model / "config.yaml").write_text(f"a: !!python/object/apply:os.system ['touch {canary}']\n")
    canary.unlink(missing_ok=True)
    if listed:
        (model / "manifest.json").unlink()
        (model / "manifest.json").write_text(build_manifest(model, kind="model", extra=None))
        verify_manifest(model)
    else:
        with pytest.raises(ModelError, match="is not part of the saved model"):
            verify_manifest(model)
    assert read_state(model, "part").meta == {"b": "text"}
    for file in ("part.safetensors", "part.json"):
        (model / file).write_bytes(bomb)
        with pytest.raises(ModelError):
            read_state(model, "part")
    assert not canary.exists()
    pickle.loads(bomb)
    assert canary.exists()  # the trap was live


def test_a_read_only_folder_is_verified_without_writing(model: Path) -> None:
    times = {file: file.stat().st_mtime_ns for file in [model, model.parent, *model.rglob("*")]}
    verify_manifest(model)
    assert times == {file: file.stat().st_mtime_ns for file in times}
