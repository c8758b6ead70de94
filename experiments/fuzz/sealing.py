"""Array files and manifests written as nobody of good will writes them."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

from eclare_py.storage.files import render_json
from eclare_py.storage.manifest import list_files

MANIFEST = "manifest.json"
Header = dict[str, Any]


def read_raw(path: Path) -> tuple[Header, bytes]:
    """Header and body of an array file."""
    whole = path.read_bytes()
    size = struct.unpack("<Q", whole[:8])[0]
    return json.loads(whole[8 : 8 + size]), whole[8 + size :]


def write_raw(path: Path, header: Header | bytes, body: bytes) -> None:
    """An array file of a header that need not fit its body."""
    text = header if isinstance(header, bytes) else json.dumps(header).encode()
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


def pieces(header: Header, body: bytes) -> dict[str, tuple[str, list[int], bytes]]:
    """Type, shape and bytes of every array."""
    return {
        name: (entry["dtype"], entry["shape"], body[slice(*entry["data_offsets"])])
        for name, entry in header.items() if name != "__metadata__"
    }  # fmt: skip


def assemble(path: Path, arrays: dict[str, tuple[str, list[int], bytes]], metadata: dict[str, str] | None) -> None:
    """An array file whose offsets fit, whatever types and shapes say."""
    header: Header = {} if metadata is None else {"__metadata__": metadata}
    body = b""
    for name, (kind, shape, raw) in arrays.items():
        header[name] = {"dtype": kind, "shape": shape, "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    write_raw(path, header, body)


def reseal(folder: Path, **changes: Any) -> None:
    """Write a manifest that fits the files as they are now, and its own checksum with it.

    Args:
        folder: A model folder.
        **changes: Keys of the manifest that are to be other than they were.
    """
    if (folder / MANIFEST).is_dir() and not (folder / MANIFEST).is_symlink():
        return
    (folder / MANIFEST).unlink(missing_ok=True)
    files = {
        name: {"bytes": path.stat().st_size, "sha256": hashlib.sha256(path.read_bytes()).hexdigest()}
        for name, path in list_files(folder).items() if name != MANIFEST and path.is_file()
    }  # fmt: skip
    write_manifest(folder, {"schema": 1, "kind": "model", "extra": {}, "files": files} | changes)


def write_manifest(folder: Path, manifest: dict[str, Any]) -> None:
    """A manifest as the library itself would write it."""
    body = {key: value for key, value in manifest.items() if key != "sha256"}
    digest = hashlib.sha256(render_json(body).encode()).hexdigest()
    (folder / MANIFEST).write_text(render_json({**body, "sha256": digest}, indent=1))
