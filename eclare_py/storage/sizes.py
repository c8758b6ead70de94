"""What the parts of a saved folder take on disk."""

from __future__ import annotations

from pathlib import Path

from eclare_py.storage.manifest import MANIFEST


def part_sizes(path: str | Path) -> dict[str, int]:
    """Bytes of each part of a saved folder, largest first: files of one name together, folders with all in them."""
    sizes: dict[str, int] = {}
    for part in sorted(Path(path).iterdir()):
        if part.name != MANIFEST and not part.name.startswith("."):
            files = [part] if part.is_file() else [file for file in part.rglob("*") if file.is_file()]
            sizes[part.stem] = sizes.get(part.stem, 0) + sum(file.stat().st_size for file in files)
    return dict(sorted(sizes.items(), key=lambda item: -item[1]))
