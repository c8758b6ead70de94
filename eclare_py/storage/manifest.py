"""The manifest of a saved folder: schema version, kind, and size and SHA-256 of every file."""

from __future__ import annotations

import hashlib
import os
import stat
from pathlib import Path, PurePosixPath
from typing import Any

from safetensors import safe_open

from eclare_py.errors import ModelError
from eclare_py.storage import recovery
from eclare_py.storage.files import read_json, render_json

MANIFEST = "manifest.json"
UNCHECKED = "README.md"  # a card, which people go on editing; nothing reads it
SCHEMA = 1
MAX_BYTES = 4 << 20  # of the manifest: a hundred times that of a large model
_APART = (MANIFEST, UNCHECKED)
_MEND = "restore the folder from its source or save it again"


def list_files(folder: Path) -> dict[str, Path]:
    """All files below a folder by their name relative to it ("/" between parts); folders behind links are not entered.

    A link, a pipe or a device is listed too: it is for the caller to refuse.
    """
    found: dict[str, Path] = {}
    for parent, folders, names in os.walk(folder):
        linked = [name for name in folders if (Path(parent) / name).is_symlink()]
        for name in names + linked:
            path = Path(parent) / name
            found[path.relative_to(folder).as_posix()] = path
    return dict(sorted(found.items()))


def build_manifest(folder: Path, *, kind: str, extra: dict[str, Any] | None) -> str:
    """The text of the manifest of a finished folder.

    Raises:
        ModelError: A file cannot be part of a saved folder, or `extra` is not JSON data.
    """
    files = {name: _describe(path) for name, path in list_files(folder).items() if name not in _APART}
    return _render({"schema": SCHEMA, "kind": kind, "extra": extra or {}, "files": files})


def _render(manifest: dict[str, Any]) -> str:
    """The one way a manifest is written; `verify_manifest` insists on it byte by byte."""
    body = {key: value for key, value in manifest.items() if key != "sha256"}
    digest = hashlib.sha256(render_json(body).encode()).hexdigest()
    return render_json({**body, "sha256": digest}, indent=1)


def _describe(path: Path) -> dict[str, Any]:
    """Size, checksum and, where it holds arrays, their types and shapes."""
    if not stat.S_ISREG(path.stat().st_mode):
        raise ModelError(f"{path} is not a regular file and cannot be saved")
    entry: dict[str, Any] = {"bytes": path.stat().st_size, "sha256": _digest(path)}
    if path.suffix == ".safetensors":
        with safe_open(path, framework="numpy") as file:
            slices = {key: file.get_slice(key) for key in sorted(file.keys())}
            entry["arrays"] = {key: f"{part.get_dtype()} {part.get_shape()}" for key, part in slices.items()}
    return entry


def _digest(path: Path) -> str:
    with open(path, "rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def read_manifest(path: str | Path, kind: str) -> dict[str, Any]:
    """Read and check the manifest alone, without hashing the files it lists (for `inspect`).

    Raises:
        ModelError: No such folder, no manifest, a changed manifest, another kind, or an unknown schema version.
    """
    folder = Path(path)
    recovery.recover(folder)
    if not folder.is_dir():
        raise ModelError(f"there is no {kind} at {folder}; check the path")
    file = folder / MANIFEST
    if not file.is_file():
        raise ModelError(f"{folder} is not a saved {kind}: it has no {MANIFEST}; check the path")
    if file.stat().st_size > MAX_BYTES:
        raise ModelError(f"{file} has {file.stat().st_size} bytes, more than {MAX_BYTES}; {_MEND}")
    manifest: dict[str, Any] = read_json(file)
    schema = manifest.get("schema") if isinstance(manifest, dict) else None
    if type(schema) is not int or schema < 1:
        raise ModelError(f"{file} names no schema version; {_MEND}")
    if schema > SCHEMA:
        raise ModelError(f"{file} has schema version {schema}, this program reads up to {SCHEMA}; update eclare_py")
    if file.read_bytes() != _render(manifest).encode() or not isinstance(manifest.get("files"), dict):
        raise ModelError(f"{file} was changed after it was saved; {_MEND}")
    if not isinstance(manifest.get("extra"), dict):
        raise ModelError(f"{file}: `extra` is no object; {_MEND}")
    for name, entry in manifest["files"].items():
        if not _is_inside(name) or not _is_entry(entry):
            raise ModelError(f"{file}: entry {name!r} is no file of this folder with size and checksum; {_MEND}")
    if manifest.get("kind") != kind:
        raise ModelError(f"{folder} holds a {manifest.get('kind')}, expected a {kind}; check the path")
    return manifest


def verify_manifest(path: str | Path, kind: str = "model") -> dict[str, Any]:
    """Check that a folder is exactly what was saved, before anything in it is read.

    A save that was killed in the instant of its swap is brought back first. Files of version control and desktops
    at the top (names that start with a dot) are left alone: nothing reads them.

    Returns:
        The manifest: `schema`, `kind`, `extra` (what the writer added), `files` by relative name, `sha256`.

    Raises:
        ModelError: What `read_manifest` raises, or a file is missing, unexpected, or of other content; names it.
    """
    manifest = read_manifest(path, kind)
    folder = Path(path)
    listed: dict[str, dict[str, Any]] = manifest["files"]
    present = {name: file for name, file in list_files(folder).items() if name not in _APART and name[0] != "."}
    for name in listed:
        if name not in present:
            raise ModelError(f"{folder / name} is missing; {_MEND}")
    for name, file in present.items():
        if name not in listed:
            raise ModelError(f"{file} is not part of the saved {kind}; move it out of the folder")
    for name, entry in listed.items():
        try:
            _check_file(present[name], entry)
        except OSError as error:
            raise ModelError(f"{present[name]} cannot be read ({error.strerror or error}); {_MEND}") from error
    return manifest


def _check_file(file: Path, entry: dict[str, Any]) -> None:
    """Check a file against its line of the manifest."""
    if not stat.S_ISREG(file.stat().st_mode):
        raise ModelError(f"{file} is not a regular file; {_MEND}")
    if file.stat().st_size != entry["bytes"]:
        raise ModelError(f"{file} has {file.stat().st_size} bytes, {entry['bytes']} were saved; {_MEND}")
    if _digest(file) != entry["sha256"]:
        raise ModelError(f"{file} was changed after it was saved (its SHA-256 differs); {_MEND}")


def _is_inside(name: str) -> bool:
    """Whether a name is that of a file in the folder, written in the one plain way."""
    path = PurePosixPath(name)
    return path.as_posix() == name and not path.is_absolute() and ".." not in path.parts and bool(path.parts)


def _is_entry(entry: Any) -> bool:
    """Whether this may stand beside a file's name."""
    return isinstance(entry, dict) and type(entry.get("bytes")) is int and isinstance(entry.get("sha256"), str)
