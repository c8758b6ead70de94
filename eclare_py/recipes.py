"""The recipes that come with the package, and settings laid over them."""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

from eclare_py.errors import ConfigError

Overrides = Mapping[str, Any] | Iterable[str]


def recipes() -> dict[str, Path]:
    """The recipes that come with the package, by name."""
    # An installed package holds a copy; a checkout where links cannot be made has the folder one level up.
    here = Path(__file__).resolve().parent
    folder = here / "configs" if (here / "configs").is_dir() else here.parent / "configs"
    return {path.stem: path for path in sorted(folder.glob("*.yaml"))}


def find_recipe(recipe: str | Path) -> Path:
    """The file of a recipe given by name or path.

    Raises:
        ConfigError: There is none; names those that there are.
    """
    path = Path(recipe)
    if path.suffix in (".yaml", ".yml") or len(path.parts) > 1 or path.is_file():
        return path
    known = recipes()
    if str(recipe) not in known:
        near = difflib.get_close_matches(str(recipe), known, n=1)
        hint = f"did you mean {near[0]!r}?" if near else f"recipes here: {', '.join(known)}, or the path of a YAML file"
        raise ConfigError(f"there is no recipe {str(recipe)!r}; {hint}")
    return known[str(recipe)]


def override_words(overrides: Overrides) -> list[str]:
    """Overrides as `section.key=value` words."""
    if isinstance(overrides, str):
        raise ConfigError(f"overrides is the string {overrides!r}; pass a list of such, or a mapping")
    if isinstance(overrides, Mapping):
        return [f"{key}={json.dumps(value)}" for key, value in overrides.items()]
    return list(overrides)
