"""What is read from a model folder, checked; messages name the file and the mend."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeGuard, TypeVar

import numpy as np
import numpy.typing as npt

from eclare_py.config import load_config
from eclare_py.errors import ConfigError, ModelError
from eclare_py.rank.pipeline import LabelTable
from eclare_py.storage import State, read_json
from eclare_py.types import IntArray

MEND = "restore the folder from its source or train again"
T = TypeVar("T")
MOST_CHILDREN = 2**20
_LOOKED_UP: dict[tuple[str, str], Callable[[Any], bool]] = {
    ("document", "kind"): lambda value: isinstance(value, str),
    ("label", "text"): lambda value: isinstance(value, bool),
    ("index", "branching"): lambda value: type(value) is int and 2 <= value <= MOST_CHILDREN,
    ("index", "max_leaf"): lambda value: type(value) is int and 1 <= value <= MOST_CHILDREN,
}


def mapping_of(folder: Path, name: str) -> dict[str, Any]:
    """The JSON object of a file."""
    file = folder / f"{name}.json"
    value = read_json(file)
    if not isinstance(value, dict):
        raise ModelError(f"{file} holds a {type(value).__name__}, not an object; {MEND}")
    return value


def section(folder: Path, recipe: dict[str, Any], kind: type[T], name: str) -> T:
    """A section of a model's recipe as its config class."""
    try:
        return load_config(kind, recipe.get(name, {}), str(folder / "recipe.json"))
    except ConfigError as error:
        raise ModelError(f"{error}; {MEND}") from error


def checked_recipe(folder: Path) -> dict[str, Any]:
    """The recipe of a model, with the values that an answer or a description looks up.

    Only these are checked: a recipe of another version may have other keys.
    """
    recipe = mapping_of(folder, "recipe")
    for (name, key), fits in _LOOKED_UP.items():
        part = recipe.get(name)
        if not isinstance(part, dict) or not fits(part.get(key)):
            raise ModelError(f"{folder / 'recipe.json'}: {name}.{key} is missing or no such value; {MEND}")
    return recipe


def label_table(folder: Path, labels: dict[str, Any]) -> LabelTable:
    """Texts and ids of the labels."""
    texts, ids = labels.get("texts"), labels.get("ids")
    if not are_texts(texts) or not texts:
        raise ModelError(f"{folder / 'labels.json'}: texts must be a list of at least one text; {MEND}")
    if ids is not None and (not are_texts(ids) or len(ids) != len(texts)):
        raise ModelError(f"{folder / 'labels.json'}: ids must be one text for each of {len(texts)} labels; {MEND}")
    return LabelTable(texts, ids)


def are_texts(values: Any) -> TypeGuard[list[str]]:
    """Whether these are a list of texts."""
    return isinstance(values, list) and all(isinstance(value, str) for value in values)


def count_of(folder: Path, part: str, state: State, name: str) -> int:
    """A whole number from 1 in the meta of a part."""
    value: Any = state.meta.get(name)
    if isinstance(value, bool) or not isinstance(value, int) or value < 1:
        raise ModelError(f"{folder / part}.json: {name} is {value!r}, expected a whole number from 1; {MEND}")
    return value


def frequencies_of(
    folder: Path, part: str, state: State, n_labels: int, n_documents: int, *, name: str = "frequencies"
) -> IntArray:
    """(L,) train frequencies of the labels."""
    frequencies = checked_array(folder, part, state, name, np.int64, (n_labels,))
    if frequencies.min() < 0 or frequencies.max() > n_documents:
        worst = frequencies.min() if frequencies.min() < 0 else frequencies.max()
        raise ModelError(f"{folder / part}.safetensors: {name} holds {worst}, not 0 to {n_documents}; {MEND}")
    return frequencies


def checked_array(
    folder: Path, part: str, state: State, name: str, dtype: npt.DTypeLike, shape: tuple[int | None, ...]
) -> npt.NDArray[Any]:
    """An array of a part, checked for type and shape; None in the shape is any length."""
    array, file = state.arrays.get(name), folder / f"{part}.safetensors"
    if array is None:
        raise ModelError(f"{file}: array {name} is missing; {MEND}")
    fits = array.ndim == len(shape) and all(b in (None, a) for a, b in zip(array.shape, shape, strict=True))
    if array.dtype != dtype or not fits:
        wanted = " x ".join("any" if length is None else str(length) for length in shape)
        raise ModelError(f"{file}: {name} is {array.dtype} {array.shape}, expected {np.dtype(dtype)} {wanted}; {MEND}")
    return array
