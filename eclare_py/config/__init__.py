"""Typed, frozen configuration from YAML data: unknown keys, wrong types and values out of range are errors."""

from __future__ import annotations

from eclare_py.config.recipe import apply_overrides, merge, read_recipe
from eclare_py.config.schema import KeyInfo, describe, load_config, option, to_mapping

__all__ = ["KeyInfo", "apply_overrides", "describe", "load_config", "merge", "option", "read_recipe", "to_mapping"]
