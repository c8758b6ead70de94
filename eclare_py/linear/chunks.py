"""The weights of one tree level in chunks: siblings side by side, rows are features (MSCM; Etter et al., WWW 2022).

A column layout (CSC) walks the features of a document and of a child anew for every child. Siblings are trained on the
same documents, so they share most of their features: a chunk keeps one list of features for all of them, which is
walked once, and what is found lies side by side in memory.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from typing import NamedTuple

import numpy as np
from numba import njit

from eclare_py.errors import ModelError
from eclare_py.index.selection import ascending
from eclare_py.linear.config import MAX_CHILDREN
from eclare_py.sparse import owners
from eclare_py.storage import State
from eclare_py.storage.distinct import distinct_from_arrays, distinct_to_arrays
from eclare_py.storage.gaps import pack_gaps, unpack_gaps
from eclare_py.threads import over_rows
from eclare_py.types import Csr, FloatArray, IntArray


class ChunkArrays(NamedTuple):
    """`Chunks` as compiled code takes them: the arrays of that name, and their hash tables.

    Attributes:
        child_ptr: (P+1,) children of each parent.
        bias: (n,) of each child.
        row_ptr: (P+1,) rows of each chunk.
        features: (R,) of the rows.
        entry_ptr: (R+1,) entries of the rows.
        offsets: (E,) children of the entries.
        values: (E,) weights.
        hash_ptr: (P+1,) hash table of each chunk.
        slots: The tables, feature -> row + 1, 0 where a slot is empty.
    """

    child_ptr: IntArray
    bias: FloatArray
    row_ptr: IntArray
    features: np.ndarray
    entry_ptr: IntArray
    offsets: np.ndarray
    values: FloatArray
    hash_ptr: IntArray
    slots: np.ndarray


@dataclass(frozen=True, eq=False)
class Chunks:
    """Sparse weights (V, n) of the n children on one level, one chunk per parent.

    Attributes:
        child_ptr: (P+1,) children of parent p are `child_ptr[p]` .. `child_ptr[p+1] - 1`.
        row_ptr: (P+1,) rows of chunk p.
        features: (R,) int32 feature of each row, ascending inside a chunk.
        entry_ptr: (R+1,) entries of each row.
        offsets: (E,) uint16 child of each entry, counted inside the chunk, ascending inside a row.
        values: (E,) weights.
        bias: (n,) added to every product.
        n_features: V.
    """

    child_ptr: IntArray
    row_ptr: IntArray
    features: np.ndarray
    entry_ptr: IntArray
    offsets: np.ndarray
    values: FloatArray
    bias: FloatArray
    n_features: int

    @property
    def n_chunks(self) -> int:
        """Parents P."""
        return len(self.child_ptr) - 1

    @property
    def n_children(self) -> int:
        """Children n."""
        return len(self.bias)

    @cached_property
    def arrays(self) -> ChunkArrays:
        """For compiled code, with open-addressing tables for look-ups by hash."""
        sizes = np.diff(self.row_ptr)
        room = np.where(sizes > 0, 1 << np.ceil(np.log2(np.maximum(2 * sizes, 2))).astype(np.int64), 1)
        pointers = np.concatenate([[0], np.cumsum(room)]).astype(np.int64)
        slots = np.zeros(pointers[-1], dtype=np.int32)
        _fill_hashes(self.row_ptr, self.features, pointers, slots)
        return ChunkArrays(
            self.child_ptr, self.bias, self.row_ptr, self.features, self.entry_ptr, self.offsets, self.values,
            pointers, slots,
        )  # fmt: skip

    @classmethod
    def of_columns(
        cls, pointers: IntArray, features: np.ndarray, values: FloatArray, bias: FloatArray, child_ptr: IntArray,
        n_features: int,
    ) -> Chunks:  # fmt: skip
        """From a CSC (V, n): column pointers (n+1,), ascending features and values of each column.

        Raises:
            ValueError: A parent has more children than an offset can count.
        """
        widest = int(np.diff(child_ptr).max(initial=0))
        if widest > MAX_CHILDREN:
            raise ValueError(f"a node has {widest} children, at most {MAX_CHILDREN} fit a chunk: build a deeper tree")
        entries, rows = len(values), np.zeros(len(child_ptr), dtype=np.int64)
        order, starts = np.empty(entries, np.int64), np.zeros(entries, np.bool_)
        over_rows(_sort_chunks, len(child_ptr) - 1, pointers, features, child_ptr, order, starts, rows, at_once=16)
        inside = (np.arange(len(pointers) - 1) - np.repeat(child_ptr[:-1], np.diff(child_ptr))).astype(np.uint16)
        first = np.flatnonzero(starts)
        return cls(
            child_ptr=child_ptr,
            row_ptr=np.cumsum(rows),
            features=features[order[first]].astype(np.int32, copy=False),
            entry_ptr=np.concatenate([first, [entries]]).astype(np.int64),
            offsets=np.repeat(inside, np.diff(pointers))[order],
            values=values[order].astype(np.float32, copy=False),
            bias=np.asarray(bias, dtype=np.float32),
            n_features=n_features,
        )

    @classmethod
    def join(cls, levels: list[Chunks]) -> Chunks:
        """All levels as one: children are numbered over all levels, those of child c are chunk c + 1, the root's 0."""
        children, rows, entries = (
            np.concatenate([[0], np.cumsum([len(getattr(level, name)) for level in levels])])
            for name in ("bias", "features", "values")
        )

        def pointers(name: str, starts: np.ndarray) -> IntArray:
            parts = [getattr(level, name)[:-1] + start for level, start in zip(levels, starts[:-1], strict=True)]
            return np.concatenate([*parts, starts[-1:]]).astype(np.int64)

        def joined(name: str) -> np.ndarray:
            return np.concatenate([getattr(level, name) for level in levels])

        return cls(
            child_ptr=pointers("child_ptr", children),
            row_ptr=pointers("row_ptr", rows),
            features=joined("features"),
            entry_ptr=pointers("entry_ptr", entries),
            offsets=joined("offsets"),
            values=joined("values"),
            bias=joined("bias"),
            n_features=levels[0].n_features,
        )

    def matrix(self) -> Csr:
        """(n, V) CSR of the weights, one row a child: the plain form, for comparison."""
        rows = owners(self.entry_ptr)
        child = self.child_ptr[owners(self.row_ptr)[rows]] + self.offsets
        order = np.lexsort((self.features[rows], child))
        counts = np.bincount(child, minlength=self.n_children)
        pointers = np.concatenate([[0], np.cumsum(counts)])
        shape = (self.n_children, self.n_features)
        return Csr((self.values[order], self.features[rows][order], pointers), shape=shape)

    def state(self, name: str) -> dict[str, np.ndarray]:
        """What is saved, under `name`."""
        parts = ("child_ptr", "row_ptr", "offsets", "bias")
        # Entries of each row, not pointers, and gaps between its features: the file takes a byte or two for each.
        small = {
            f"{name}.entries": np.diff(self.entry_ptr),
            f"{name}.features": pack_gaps(self.features, self.row_ptr),
        }
        small |= distinct_to_arrays(f"{name}.values", self.values)
        return small | {f"{name}.{part}": getattr(self, part) for part in parts}

    @classmethod
    def from_state(cls, state: State, name: str, n_features: int) -> Chunks:
        """Load, checking all that compiled loops rely on.

        Raises:
            ModelError: An array is missing, or pointers, features or offsets are out of bounds.
        """
        types = {
            "child_ptr": np.int64, "row_ptr": np.int64, "features": np.uint8, "entries": np.int64,
            "offsets": np.uint16, "values": np.float32, "bias": np.float32,
        }  # fmt: skip
        arrays: dict[str, np.ndarray] = {}
        values = distinct_from_arrays(state.arrays, f"{name}.values", owner=f"linear weights {name}")
        for part, kind in types.items():
            array = values if part == "values" else state.arrays.get(f"{name}.{part}")
            if array is None or array.dtype != kind or array.ndim != 1:
                raise ModelError(f"linear weights {name}: {part} is missing or not one row of {np.dtype(kind)}")
            arrays[part] = array
        counts = arrays.pop("entries")
        if len(counts) and counts.min() < 0:
            raise ModelError(f"linear weights {name}: a row has {counts.min()} entries")
        entry_ptr = np.concatenate([[0], np.cumsum(counts)]).astype(np.int64)
        try:
            features = unpack_gaps(arrays["features"], arrays["row_ptr"])
        except ValueError as error:
            raise ModelError(f"linear weights {name}: features do not fit row_ptr ({error})") from error
        arrays["features"] = np.minimum(features, n_features).astype(np.int32)  # too large ones are refused below
        chunks = cls(**arrays, entry_ptr=entry_ptr, n_features=n_features)
        chunks.check(name)
        return chunks

    def check(self, name: str) -> None:
        """Refuse arrays that point outside of each other.

        Raises:
            ModelError: Says what is wrong.
        """
        for pointers, total, what in (
            (self.child_ptr, len(self.bias), "child_ptr"),
            (self.row_ptr, len(self.features), "row_ptr"),
            (self.entry_ptr, len(self.values), "entry_ptr"),
        ):
            if not len(pointers) or pointers[0] != 0 or pointers[-1] != total or np.any(np.diff(pointers) < 0):
                raise ModelError(f"linear weights {name}: {what} does not fit {total} entries")
        if len(self.row_ptr) != len(self.child_ptr) or len(self.entry_ptr) != len(self.features) + 1:
            raise ModelError(f"linear weights {name}: pointers of different lengths")
        if len(self.offsets) != len(self.values):
            raise ModelError(f"linear weights {name}: {len(self.offsets)} offsets for {len(self.values)} values")
        if len(self.features) and (self.features.min() < 0 or self.features.max() >= self.n_features):
            raise ModelError(f"linear weights {name}: a feature lies outside 0..{self.n_features - 1}")
        rising = np.diff(self.features) > 0
        rising[self.row_ptr[1:-1][(self.row_ptr[1:-1] > 0) & (self.row_ptr[1:-1] < len(self.features))] - 1] = True
        if not rising.all():
            raise ModelError(f"linear weights {name}: features of a chunk do not ascend")
        width = np.repeat(np.diff(self.child_ptr), np.diff(self.row_ptr))
        if np.any(self.offsets >= np.repeat(width, np.diff(self.entry_ptr))):
            raise ModelError(f"linear weights {name}: an offset lies outside its chunk")
        if not (np.isfinite(self.values).all() and np.isfinite(self.bias).all()):
            raise ModelError(f"linear weights {name}: weights hold NaN or infinity")


@njit(cache=True, nogil=True)
def _sort_chunks(
    first: int, stop: int, pointers: IntArray, features: np.ndarray, child_ptr: IntArray, order: IntArray,
    starts: np.ndarray, rows: IntArray,
) -> None:  # fmt: skip
    """Order the entries of each chunk by feature, then child; mark where a feature starts; count a chunk's rows."""
    for chunk in range(first, stop):
        begin, end = pointers[child_ptr[chunk]], pointers[child_ptr[chunk + 1]]
        inside = ascending(features[begin:end])  # entries of one feature stay in the order of the children
        last = -1
        for k in range(end - begin):
            order[begin + k] = begin + inside[k]
            feature = features[begin + inside[k]]
            if feature != last:
                starts[begin + k] = True
                rows[chunk + 1] += 1
            last = feature


@njit(cache=True)
def hash_place(feature: int, size: int) -> int:
    """First slot of a feature in a table of `size` slots, a power of two."""
    return int((np.uint64(feature) * np.uint64(0x9E3779B97F4A7C15)) >> np.uint64(40)) & (size - 1)


@njit(cache=True)
def _fill_hashes(row_ptr: IntArray, features: np.ndarray, pointers: IntArray, slots: np.ndarray) -> None:
    for chunk in range(row_ptr.shape[0] - 1):
        start, size = pointers[chunk], pointers[chunk + 1] - pointers[chunk]
        for row in range(row_ptr[chunk], row_ptr[chunk + 1]):
            place = hash_place(features[row], size)
            while slots[start + place] != 0:
                place = (place + 1) & (size - 1)
            slots[start + place] = row - row_ptr[chunk] + 1
