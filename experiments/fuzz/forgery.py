"""Model folders that fit their manifest and are wrong inside: the work of somebody who means it."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from eclare_py.storage.state import ARRAY_TYPES
from fuzz import objects
from fuzz.damage import RAW, Mutation, files_of
from fuzz.sealing import MANIFEST, assemble, pieces, read_raw, reseal, write_manifest, write_raw

Array = np.ndarray[Any, Any]
TYPES = ARRAY_TYPES
NAMES = {np.dtype(kind): name for name, kind in TYPES.items()}


def element(array: Array, random: Random) -> Array:
    """One or some elements become what they must not be."""
    if not array.size:
        return array
    flat = array.reshape(-1).copy()
    if array.dtype.kind == "f":
        choices: list[Any] = [np.nan, np.inf, -np.inf, -1.0, 0.0, 1e30, -1e30, float(np.finfo(array.dtype).max)]
    elif array.dtype.kind == "b":
        choices = [True, False]
    else:
        limits = np.iinfo(array.dtype)
        choices = [limits.min, limits.max, 0, 1, len(flat), int(flat.max()) + 1, int(flat.min()) - 1, 2**31 - 1, 2**31]
        choices = [value for value in choices if limits.min <= value <= limits.max]
    for _ in range(random.choice((1, 1, 3, len(flat)))):
        with np.errstate(over="ignore"):
            flat[random.choice((0, len(flat) - 1, random.randrange(len(flat))))] = random.choice(choices)
    return flat.reshape(array.shape)


def everything(array: Array, random: Random) -> Array:
    """All elements alike, or out of order."""
    flat = array.reshape(-1)
    if not flat.size:
        return array
    changed = random.choice((
        lambda: np.zeros_like(flat), lambda: np.full_like(flat, flat[-1]), lambda: flat[::-1].copy(),
        lambda: np.sort(flat), lambda: np.roll(flat, 1),
        lambda: flat[np.array(random.sample(range(len(flat)), len(flat)))],
    ))()  # fmt: skip
    return np.asarray(changed).reshape(array.shape)


def shape(array: Array, random: Random) -> Array:
    """The same numbers in another shape, or more or fewer of them."""
    first = array if array.ndim else array.reshape(1)
    change: Callable[[], Array] = random.choice((
        lambda: first[:-1], lambda: first[:0], lambda: np.concatenate([first, first]), lambda: first[None],
        lambda: first[:, None], lambda: first.T, lambda: first.reshape(-1), lambda: np.concatenate([first, first[-1:]]),
        lambda: np.asarray(first.reshape(-1)[:1].reshape(()) if first.size else first), lambda: first[..., :-1],
    ))  # fmt: skip
    return np.ascontiguousarray(change())


def kind(array: Array, random: Random) -> Array:
    """The same numbers in another type."""
    with np.errstate(all="ignore"):
        return array.astype(random.choice(list(TYPES.values())))


ARRAYS = (element, element, element, everything, shape, kind)


def array(folder: Path, random: Random) -> str:
    """An array that is not what it should be."""
    path = random.choice(files_of(folder, ".safetensors"))
    header, body = read_raw(path)
    arrays = pieces(header, body)
    if not arrays:
        return f"{path.name} has no array"
    name = random.choice(sorted(arrays))
    dtype, form, raw = arrays[name]
    change = random.choice(ARRAYS)
    new = change(np.frombuffer(raw, TYPES[dtype]).reshape(form), random)
    arrays[name] = (NAMES[new.dtype], list(new.shape), new.tobytes())
    assemble(path, arrays, header.get("__metadata__"))
    return f"{path.name} {name} {change.__name__}"


def several(folder: Path, random: Random) -> str:
    """Some arrays at once."""
    return "; ".join(array(folder, random) for _ in range(random.randint(2, 5)))


def catalogue(folder: Path, random: Random) -> str:
    """Arrays missing, renamed, exchanged, added; types in the header that lie."""
    path = random.choice(files_of(folder, ".safetensors"))
    header, body = read_raw(path)
    arrays, metadata = pieces(header, body), header.get("__metadata__")
    names = sorted(arrays)
    what = random.choice(("drop", "rename", "exchange", "add", "types", "types", "empty"))
    if what == "types" or not names:
        lie = random.choice(('{"a": "object"}', "[]", "{", "[" * 100_000, '{"a": 1}', '{"a": "float64"}', "null"))
        if names and random.random() < 0.6:
            kinds = ("int64", "uint64", "float32", "int16", "bool", "S1")
            lie = json.dumps({name: random.choice(kinds) for name in names})
        metadata = {"types": lie}
    elif what == "drop":
        del arrays[random.choice(names)]
    elif what == "rename":
        arrays[random.choice(("x", "", "__metadata", "é" * 50))] = arrays.pop(random.choice(names))
    elif what == "exchange":
        one, other = random.choice(names), random.choice(names)
        arrays[one], arrays[other] = arrays[other], arrays[one]
    elif what == "add":
        arrays["more"] = ("U8", [1 << 20], bytes(1 << 20))
    else:
        arrays = {}
    assemble(path, arrays, metadata)
    return f"{path.name} {what}"


def header(folder: Path, random: Random) -> str:
    """A header that lies about what follows."""
    path = random.choice(files_of(folder, ".safetensors"))
    head, body = read_raw(path)
    text = json.dumps(head)
    what = random.choice(("length", "text", "shape", "repeat", "offsets", "deep"))
    if what == "length":
        size = random.choice((0, 1, 2**31, 2**40, 2**63, 2**64 - 1, len(text) + 1, len(text) + len(body) + 1))
        path.write_bytes(size.to_bytes(8, "little") + text.encode() + body)
    elif what == "text":
        write_raw(path, objects.damaged(text, random)[0].encode("utf-8", "surrogatepass"), body)
    elif what == "repeat":
        write_raw(path, ("{" + text[1:-1] + ", " + text[1:-1] + "}").encode(), body)
    elif what == "deep":
        write_raw(path, b'{"a":' * 100_000, body)
    else:
        name = random.choice([name for name in head if name != "__metadata__"] or ["a"])
        entry = head.setdefault(name, {"dtype": "F32", "shape": [1], "data_offsets": [0, 4]})
        if what == "shape":
            entry["shape"] = random.choice(([2**40], [2**32, 2**32], [0, 2**62], [-1], [1] * 80, [2**64], [1.5]))
        else:
            entry["data_offsets"] = random.choice(([0, 2**60], [-4, 0], [8, 4], [0], [2**64, 2**64 + 4]))
        write_raw(path, head, body)
    return f"{path.name} {what}"


def plain_data(folder: Path, random: Random) -> str:
    """One value of a JSON file that is not what it should be."""
    paths = [path for path in files_of(folder, ".json") if path.name != MANIFEST]
    path = random.choice(paths)
    text, what = objects.damaged(path.read_text(), random)
    path.write_bytes(text.encode("utf-8", "surrogatepass"))
    return f"{path.name} {what}"


def sealed(change: Mutation) -> Mutation:
    """A change, and a manifest that fits it."""

    def changed(folder: Path, random: Random) -> str:
        told = change(folder, random)
        reseal(folder)
        return told

    changed.__name__ = f"sealed {change.__name__}"
    return changed


def manifest(folder: Path, random: Random) -> str:
    """A manifest that fits itself and lies about the files."""
    value = json.loads((folder / MANIFEST).read_text())
    files = value["files"]
    name = random.choice(sorted(files))
    entry = files[name]
    what = random.choice(("bytes", "sha256", "entry", "name", "value", "value", "value", "many"))
    if what == "bytes":
        entry["bytes"] = random.choice((-1, 0, 2**63, 10**30, 1.5, "1", None, True, [entry["bytes"]]))
    elif what == "sha256":
        entry["sha256"] = random.choice((None, "", "0" * 64, 0, [], entry["sha256"].upper(), "\ud800"))
    elif what == "entry":
        files[name] = random.choice((None, [], {}, "x", 1, {"bytes": 1}, {"sha256": ""}, {"bytes": entry["bytes"]}))
    elif what == "name":
        other = ("../" + name, "/etc/passwd", "", ".", "..", "a\0b", name.upper(), "x/" * 3000, "\ud800")
        files[random.choice(other)] = entry
    elif what == "many":
        files.update({f"file{number}": entry for number in range(50_000)})
    else:
        text, told = objects.damaged(json.dumps(value), random)
        try:
            value = json.loads(text)
            if isinstance(value, dict):
                write_manifest(folder, value)
                return told
        except Exception:  # nothing that the library would write
            pass
        (folder / MANIFEST).write_bytes(text.encode("utf-8", "surrogatepass"))
        return told
    write_manifest(folder, value)
    return f"{name} {what}"


FORGED: tuple[Mutation, ...] = (
    *(sealed(change) for change in (array, array, array, several, catalogue, header, plain_data, plain_data)), manifest,
)  # fmt: skip
MODEL: tuple[Mutation, ...] = (*FORGED, *FORGED, *RAW, *(sealed(change) for change in RAW))
