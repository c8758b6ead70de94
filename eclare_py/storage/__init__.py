"""Low-level saving: plain arrays and JSON, atomic files and folders, checksums. Nothing here can run code on load."""

from __future__ import annotations

from eclare_py.storage.files import atomic_file, read_json, remove_stale, render_json, write_json
from eclare_py.storage.folder import atomic_folder, check_target, recover
from eclare_py.storage.growing import GrowingFile, growing_file
from eclare_py.storage.lock import exclusive
from eclare_py.storage.manifest import MANIFEST, SCHEMA, read_manifest, verify_manifest
from eclare_py.storage.recovery import remove_whole
from eclare_py.storage.sizes import part_sizes
from eclare_py.storage.state import (
    JSON,
    State,
    about_part,
    csr_from_arrays,
    csr_to_arrays,
    read_part,
    read_state,
    write_state,
)

__all__ = [
    "JSON",
    "MANIFEST",
    "SCHEMA",
    "GrowingFile",
    "State",
    "about_part",
    "atomic_file",
    "atomic_folder",
    "check_target",
    "csr_from_arrays",
    "csr_to_arrays",
    "exclusive",
    "growing_file",
    "part_sizes",
    "read_json",
    "read_manifest",
    "read_part",
    "read_state",
    "recover",
    "remove_stale",
    "remove_whole",
    "render_json",
    "verify_manifest",
    "write_json",
    "write_state",
]
