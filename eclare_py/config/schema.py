"""From plain data to frozen dataclasses and back; the dataclass is the schema."""

from __future__ import annotations

import dataclasses
import difflib
import math
import types
import typing
from collections.abc import Iterator, Mapping
from typing import Any, Literal, TypeVar, Union

from eclare_py.errors import ConfigError

T = TypeVar("T")
_WORDS = {int: "a whole number", float: "a number", str: "text", bool: "true or false"}


def option(default: Any, help: str = "", *, low: float | None = None, high: float | None = None,
           choices: tuple[Any, ...] | None = None) -> Any:  # fmt: skip
    """Declare a dataclass field together with its limits and its line of documentation.

    Args:
        default: The value where a recipe says nothing.
        help: One line for the documentation.
        low: Least allowed value, inclusive; of each entry where the field is a tuple.
        high: Greatest allowed value, inclusive.
        choices: Allowed values; a `Literal` type says the same.
    """
    return dataclasses.field(default=default, metadata={"help": help, "low": low, "high": high, "choices": choices})


def load_config(cls: type[T], mapping: Mapping[str, Any], where: str = "recipe") -> T:
    """Build a dataclass, nested ones included, from plain data.

    Understands bool, int, float, str, Literal, Optional and unions, `tuple[X, ...]`, `tuple[X, Y]`, `list[X]`,
    `dict[str, X]`, `Any` and nested dataclasses. A whole number is taken for a float, nothing else is converted. A
    `ValueError` of `__post_init__` (keys that do not go together) becomes a ConfigError.

    Args:
        cls: The dataclass.
        mapping: Plain data, e.g. of `read_recipe`.
        where: What messages call the source, usually the file.

    Raises:
        ConfigError: An unknown or missing key, a wrong type, a value out of range; names source, key and value.
    """
    if not isinstance(mapping, Mapping):
        raise ConfigError(f"{where}: holds {mapping!r}, expected `key: value` lines")
    built: T = _build(cls, mapping, "", where, _all_keys(cls))
    return built


def to_mapping(config: Any) -> dict[str, Any]:
    """The plain data of a config (tuples as lists), such that `load_config(type(config), ...)` gives it back."""
    return {field.name: _plain(getattr(config, field.name)) for field in dataclasses.fields(config) if field.init}


@dataclasses.dataclass(frozen=True)
class KeyInfo:
    """One key of a config as documentation shows it."""

    key: str
    type: str
    default: Any
    help: str


def describe(cls: type[Any]) -> list[KeyInfo]:
    """Every key of a config class, sections first named by their dotted path, with type, default and help."""
    return list(_describe(cls, ""))


def _describe(cls: type[Any], prefix: str) -> Iterator[KeyInfo]:
    hints = typing.get_type_hints(cls)
    for field in dataclasses.fields(cls):
        section = _section(hints[field.name])
        if section is not None:
            yield from _describe(section, f"{prefix}{field.name}.")
        else:
            default = None if field.default is dataclasses.MISSING else _plain(field.default)
            kind = _type_name(hints[field.name], field.metadata)
            yield KeyInfo(prefix + field.name, kind, default, field.metadata.get("help", ""))


def _plain(value: Any) -> Any:
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        return to_mapping(value)
    if isinstance(value, tuple | list):
        return [_plain(item) for item in value]
    return {key: _plain(item) for key, item in value.items()} if isinstance(value, dict) else value


def _all_keys(cls: type[Any]) -> list[str]:
    return [info.key for info in describe(cls)]


def _section(hint: Any) -> type[Any] | None:
    """The dataclass of a hint `X` or `X | None`."""
    for one in _members(hint):
        if isinstance(one, type) and dataclasses.is_dataclass(one):
            return one
    return None


def _members(hint: Any) -> tuple[Any, ...]:
    """The alternatives of a union, the hint itself otherwise."""
    return typing.get_args(hint) if typing.get_origin(hint) in (Union, types.UnionType) else (hint,)


def _build(cls: type[Any], mapping: Mapping[str, Any], prefix: str, where: str, known: list[str]) -> Any:
    """One dataclass from its section; `prefix` is its dotted path with the last dot, `known` all keys of the config."""
    hints = typing.get_type_hints(cls)
    fields = {field.name: field for field in dataclasses.fields(cls) if field.init}
    for key, value in mapping.items():
        if key not in fields:
            raise ConfigError(
                f"{where}: unknown key {prefix}{key} (= {_short(value)}); {_hint(key, prefix, fields, known)}"
            )
    values: dict[str, Any] = {}
    for name, field in fields.items():
        if name in mapping:
            values[name] = _convert(hints[name], mapping[name], prefix + name, where, field.metadata, known)
        elif field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING:
            raise ConfigError(
                f"{where}: key {prefix}{name} is missing; it is {_type_name(hints[name], field.metadata)}"
            )
    try:
        return cls(**values)
    except ValueError as error:
        raise ConfigError(f"{where}: {prefix.rstrip('.') or 'recipe'}: {error}") from error


def _hint(key: Any, prefix: str, fields: Mapping[str, Any], known: list[str]) -> str:
    """What may have been meant by an unknown key."""
    elsewhere = [one for one in known if one.rpartition(".")[2] == key]
    close = difflib.get_close_matches(str(key), list(fields), n=1)
    meant = [prefix + close[0]] if close else elsewhere[:1] or difflib.get_close_matches(prefix + str(key), known, n=1)
    return f"did you mean {meant[0]}?" if meant else f"keys here: {', '.join(fields)}"


def _convert(hint: Any, value: Any, key: str, where: str, metadata: Mapping[str, Any], known: list[str]) -> Any:
    """`value` as the type `hint`, checked against the limits in `metadata`."""
    section = _section(hint)
    if section is not None and isinstance(value, Mapping):
        return _build(section, value, key + ".", where, known)
    for member in _members(hint):
        matched, result = _match(member, value, key, where, metadata, known)
        if matched:
            _check_limits(result, key, where, metadata)
            return result
    close = (
        difflib.get_close_matches(value, [str(one) for one in _choices(hint, metadata)], 1) if _is_text(value) else []
    )
    meant = f"; did you mean {close[0]}?" if close else ""
    expected = "a section with keys" if section is not None else _type_name(hint, metadata)
    raise ConfigError(f"{where}: {key} is {_short(value)}, expected {expected}{meant}")


def _match(
    hint: Any, value: Any, key: str, where: str, metadata: Mapping[str, Any], known: list[str]
) -> tuple[bool, Any]:
    """Whether `value` is of one plain type, and the value in that type."""
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if hint is Any:
        return True, value
    if hint is type(None):
        return value is None, None
    if origin is Literal:
        return any(value == one and type(value) is type(one) for one in args), value
    if origin in (tuple, list) and isinstance(value, list | tuple):
        inner = [args[0]] * len(value) if origin is list or args[-1] is Ellipsis else list(args)
        if len(inner) != len(value):
            return False, value
        pairs = enumerate(zip(inner, value, strict=True))
        return True, origin(_convert(one, item, f"{key}[{i}]", where, metadata, known) for i, (one, item) in pairs)
    if origin is dict and isinstance(value, Mapping):
        return True, {
            name: _convert(args[1], one, f"{key}.{name}", where, metadata, known) for name, one in value.items()
        }
    if hint is float and type(value) in (int, float):
        return math.isfinite(value), float(value)
    return type(value) is hint, value


def _check_limits(value: Any, key: str, where: str, metadata: Mapping[str, Any]) -> None:
    """Range and choices of one plain value (the entries of a tuple have been through here one by one)."""
    if isinstance(value, tuple | list | dict) or value is None:
        return
    low, high, choices = (metadata.get(name) for name in ("low", "high", "choices"))
    if choices is not None and value not in choices:
        close = difflib.get_close_matches(str(value), [str(one) for one in choices], 1)
        meant = f"; did you mean {close[0]}?" if close else ""
        raise ConfigError(f"{where}: {key} is {_short(value)}, expected one of {', '.join(map(str, choices))}{meant}")
    if isinstance(value, bool | str):
        return
    if (low is not None and value < low) or (high is not None and value > high):
        limits = (
            f"from {low} to {high}"
            if None not in (low, high)
            else f"{low} or more"
            if high is None
            else f"{high} or less"
        )
        raise ConfigError(f"{where}: {key} is {_short(value)}, expected {limits}")


def _choices(hint: Any, metadata: Mapping[str, Any]) -> tuple[Any, ...]:
    literal = tuple(
        one for member in _members(hint) if typing.get_origin(member) is Literal for one in typing.get_args(member)
    )
    return literal or metadata.get("choices") or ()


def _type_name(hint: Any, metadata: Mapping[str, Any]) -> str:
    """A type in words, for messages and documentation."""
    names: list[str] = []
    for member in _members(hint):
        origin, args = typing.get_origin(member), typing.get_args(member)
        if origin is Literal:
            names.append("one of " + ", ".join(str(one) for one in args))
        elif origin in (tuple, list):
            each = _type_name(args[0], {})
            names.append(
                f"a list of {each}" if origin is list or args[-1] is Ellipsis else f"a list of {len(args)} values"
            )
        elif member is type(None):
            names.append("null")
        else:
            names.append(
                "a section" if origin is dict else _WORDS.get(member, getattr(member, "__name__", str(member)))
            )
    choices = metadata.get("choices")
    return "one of " + ", ".join(map(str, choices)) if choices else " or ".join(names)


def _short(value: Any) -> str:
    text = repr(value)
    return text if len(text) <= 60 else text[:57] + "..."


def _is_text(value: Any) -> bool:
    return isinstance(value, str)
