"""Reading recipes: YAML as plain data, `extends:`, and overrides from the command line."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any

import yaml

from eclare_py.errors import ConfigError

MAX_BYTES = 1 << 20
MAX_EXTENDS = 8
_PLAIN = "tag:yaml.org,2002:"


class _Composer(yaml.SafeLoader):
    """Composes YAML nodes with the scalar types of YAML 1.2 and without aliases.

    PyYAML follows YAML 1.1, where `1e-3` is a string, `no` is false, `010` is 8 and `1:30` is 90. Aliases are refused:
    a few lines of them expand to gigabytes.
    """

    yaml_implicit_resolvers: dict[str, Any] = {}

    def compose_node(self, parent: yaml.Node | None, index: Any) -> yaml.Node | None:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(None, None, "aliases (*name) are refused", self.peek_event().start_mark)
        return super().compose_node(parent, index)


for _tag, _pattern, _first in (
    ("null", r"|~|null|Null|NULL", ["~", "n", "N", ""]),
    ("bool", r"true|True|TRUE|false|False|FALSE", list("tTfF")),
    ("int", r"[-+]?[0-9]{1,18}", list("-+0123456789")),
    ("float", r"[-+]?(\.[0-9]+|[0-9]+(\.[0-9]*)?)([eE][-+]?[0-9]+)?", list("-+.0123456789")),
):
    _Composer.add_implicit_resolver(_PLAIN + _tag, re.compile(f"^(?:{_pattern})$"), _first)


def _parse(text: str, where: str) -> Any:
    """The plain value of one YAML document.

    Raises:
        ConfigError: Not YAML, a repeated key, a tag, an alias, nested too deep; with the line.
    """
    try:
        composer = _Composer(text)
        try:
            node = composer.get_single_node()
        finally:
            composer.dispose()
        return None if node is None else _plain(node, where)
    except yaml.MarkedYAMLError as error:
        line = "" if error.problem_mark is None else f":{error.problem_mark.line + 1}"
        raise ConfigError(f"{where}{line}: not a valid YAML: {error.problem or error.context}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise ConfigError(f"{where}: not a valid YAML: {' '.join(str(error).split())}") from error


def _plain(node: yaml.Node, where: str) -> Any:
    """A composed node as dict, list, str, int, float, bool or None."""
    line = node.start_mark.line + 1
    if isinstance(node, yaml.SequenceNode) and node.tag == _PLAIN + "seq":
        return [_plain(item, where) for item in node.value]
    if isinstance(node, yaml.MappingNode) and node.tag == _PLAIN + "map":
        result: dict[str, Any] = {}
        for key_node, value_node in node.value:
            if not isinstance(key_node, yaml.ScalarNode):
                raise ConfigError(f"{where}:{key_node.start_mark.line + 1}: a key must be a plain word")
            if key_node.value in result:
                raise ConfigError(f"{where}:{key_node.start_mark.line + 1}: key {key_node.value!r} is given twice")
            result[key_node.value] = _plain(value_node, where)
        return result
    kind = node.tag.removeprefix(_PLAIN)
    if kind not in ("str", "null", "bool", "int", "float") or not isinstance(node, yaml.ScalarNode):
        raise ConfigError(f"{where}:{line}: tag {node.tag!r} is refused; a recipe is plain data")
    try:
        return _scalar(kind, node.value)
    except ValueError as error:
        raise ConfigError(f"{where}:{line}: {node.value!r} is not a {kind}") from error


def _scalar(kind: str, text: str) -> Any:
    match kind:
        case "null":
            return None
        case "bool":
            return text.lower() == "true"
        case "int":
            return int(text)
        case "float":
            return float(text)
        case _:
            return text


def read_recipe(path: str | Path) -> dict[str, Any]:
    """Read a recipe; where it says `extends: other.yaml`, it is laid over that one, section by section.

    Args:
        path: A YAML file. `extends` is relative to it, and may itself extend.

    Returns:
        The merged mapping, without `extends`.

    Raises:
        ConfigError: Missing, over 1 MB, not UTF-8, not YAML, repeated keys, aliases, tags, a circle of `extends`.
    """
    return _read(Path(path), ())


def _read(path: Path, seen: tuple[str, ...]) -> dict[str, Any]:
    real = os.path.realpath(path)
    if real in seen or len(seen) >= MAX_EXTENDS:
        chain = " -> ".join(Path(one).name for one in (*seen, real))
        reason = "in a circle" if real in seen else f"more than {MAX_EXTENDS} deep"
        raise ConfigError(f"{path}: `extends` goes {reason} ({chain})")
    try:
        if not path.is_file():
            raise ConfigError(f"{path}: there is no such recipe file")
        with open(path, "rb") as handle:
            raw = handle.read(MAX_BYTES + 1)
        text = raw.decode("utf-8")
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{path}: cannot be read as UTF-8 text ({error})") from error
    if len(raw) > MAX_BYTES:
        raise ConfigError(f"{path}: larger than {MAX_BYTES} bytes; that is not a recipe")
    value = _parse(text, str(path))
    mapping = {} if value is None else value
    if not isinstance(mapping, dict):
        raise ConfigError(f"{path}: holds {_name(mapping)}, expected `key: value` lines")
    base = mapping.pop("extends", None)
    if base is None:
        return mapping
    if not isinstance(base, str) or not base or Path(base).is_absolute():
        raise ConfigError(f"{path}: extends is {base!r}, expected the relative path of another recipe")
    return merge(_read(path.parent / base, (*seen, real)), mapping)


def merge(base: Mapping[str, Any], over: Mapping[str, Any]) -> dict[str, Any]:
    """`over` laid over `base`: sections are merged key by key, anything else (lists too) is replaced."""
    result = dict(base)
    for key, value in over.items():
        below = result.get(key)
        result[key] = merge(below, value) if isinstance(below, dict) and isinstance(value, dict) else value
    return result


def apply_overrides(mapping: Mapping[str, Any], overrides: Iterable[str]) -> dict[str, Any]:
    """Lay `section.key=value` strings over a mapping; the value is read as YAML.

    Returns:
        A new mapping; the given one is left as it is.

    Raises:
        ConfigError: No `=`, an empty key, a value that is not YAML, or a key below something that is no section.
    """
    result = dict(mapping)
    for text in overrides:
        key, equals, value = text.partition("=")
        parts = key.strip().split(".")
        if not equals or not all(parts):
            raise ConfigError(f"override {text!r} is not of the form section.key=value")
        nested: Any = _parse(value, f"override {text!r}")
        for depth in range(len(parts) - 1, 0, -1):
            nested = {parts[depth]: nested}
            _check_section(result, parts[:depth], text)
        result = merge(result, {parts[0]: nested})
    return result


def _check_section(mapping: Mapping[str, Any], parts: list[str], text: str) -> None:
    value: Any = mapping
    for part in parts:
        value = value.get(part) if isinstance(value, dict) else value
    if value is not None and not isinstance(value, dict):
        raise ConfigError(f"override {text!r}: {'.'.join(parts)} is {value!r}, not a section with keys of its own")


def _name(value: Any) -> str:
    return {list: "a list", str: "text", bool: "true or false", type(None): "nothing"}.get(type(value), "a number")
