"""A matrix of vectors in one byte for every four numbers: what a sum over many rows can bear.

Each row is scaled to a root mean square of 1 and cut into groups of four numbers; a group becomes the number of the
nearest of 256 patterns. One codebook serves all groups of all rows (vector quantisation; product quantisation, Jegou et
al., TPAMI 2011, has one per group: here they would not fit what a processor keeps at hand, and the dimensions of a
trained table are alike). The scale of a row is the one that fits it best to its patterns.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, NamedTuple, cast

import numpy as np
import numpy.typing as npt
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.quantize import significant, with_zero_rows
from eclare_py.registers import Building
from eclare_py.threads import over_rows
from eclare_py.types import FloatArray

GROUP = 4  # numbers behind one byte
_PATTERNS = 256
_AT_ONCE = 8  # groups summed together
_SAMPLE = 100_000  # groups that the codebook is fitted on
_ROUNDS = 15
_SCALE_BITS = 11  # as many as half precision has: two bytes on disk
_BLOCK = 8192  # rows coded at once
_POSITIVE = np.float32(1e-3)  # far above the rounding of a distance between scaled groups, far below what matters


class Groups(NamedTuple):
    """A matrix (n, d) as compiled code reads it.

    Attributes:
        codes: (n, ceil(d / 4)) uint8 number of each group's pattern.
        scale: (n,) float32 factor of each row; 0 for a row of zeros.
        patterns: (256, 4) float32.
        dim: d.
    """

    codes: npt.NDArray[np.uint8]
    scale: FloatArray
    patterns: FloatArray
    dim: int

    def dense(self, rows: npt.NDArray[np.integer] | slice = slice(None)) -> FloatArray:
        """(n, d) float32, of all rows or of some."""
        codes, scale = self.codes[rows], self.scale[rows]
        out = np.empty((len(codes), self.dim), dtype=np.float32)
        for start in range(0, len(codes), _BLOCK):
            part = slice(start, start + _BLOCK)
            values = self.patterns[codes[part]].reshape(len(codes[part]), -1)[:, : self.dim]
            np.multiply(values, scale[part, None], out=out[part])
        return out


def group(matrix: FloatArray, *, seed: int = 0) -> Groups:
    """The nearest patterns of a matrix (n, d), after fitting them to it.

    Args:
        matrix: Finite values.
        seed: Picks the rows that the patterns are fitted on.

    Raises:
        ValueError: A value is not finite.
    """
    n, dim = matrix.shape
    if not np.isfinite(matrix).all():
        row = int(np.argmin(np.isfinite(matrix).all(axis=1)))
        raise ValueError(f"row {row} holds NaN or infinity and cannot be quantised")
    size = np.sqrt(np.einsum("ij,ij->i", matrix, matrix) / max(dim, 1)).astype(np.float32)
    patterns = _fit(_sampled(matrix, size, seed))
    codes = np.empty((n, -(-dim // GROUP)), dtype=np.uint8)
    scale = np.empty(n, dtype=np.float32)
    for start in range(0, n, _BLOCK):  # in pieces, as memory is what this waits for
        part = slice(start, start + _BLOCK)
        codes[part], scale[part] = _coded(matrix[part], size[part], patterns)
    return Groups(codes, scale, patterns, dim)


def _scaled(matrix: FloatArray, size: FloatArray) -> FloatArray:
    """(n, g, 4) groups of the rows over their size, filled up with zeros."""
    n, dim = matrix.shape
    width = -(-dim // GROUP)
    scaled = np.zeros((n, width * GROUP), dtype=np.float32)
    scaled[:, :dim] = matrix / np.where(size > 0, size, 1)[:, None]
    return scaled.reshape(n, width, GROUP)


def _sampled(matrix: FloatArray, size: FloatArray, seed: int) -> FloatArray:
    """Some groups of the rows that are not zero, in the order in which they were drawn."""
    rows, width = np.flatnonzero(size > 0), -(-matrix.shape[1] // GROUP)
    total = len(rows) * width
    drawn = np.random.default_rng(seed).choice(total, min(_SAMPLE, total), replace=False)
    chosen, place = np.unique(rows[drawn // max(width, 1)], return_inverse=True)
    return _scaled(matrix[chosen], size[chosen])[place, drawn % max(width, 1)]


def _coded(
    matrix: FloatArray, size: FloatArray, patterns: FloatArray
) -> tuple[npt.NDArray[np.uint8], FloatArray]:
    """Codes and scales of some rows."""
    n, dim = matrix.shape
    scaled = _scaled(matrix, size)
    codes = _nearest(scaled.reshape(-1, GROUP), patterns).reshape(n, scaled.shape[1])
    fitted = patterns[codes].reshape(n, codes.shape[1] * GROUP)[:, :dim]
    square = np.einsum("ij,ij->i", fitted, fitted)
    best = np.maximum(np.einsum("ij,ij->i", fitted, matrix) / np.where(square > 0, square, 1), 0)
    scale = significant(best.astype(np.float32), _SCALE_BITS)
    codes[scale == 0] = 0  # as they come back from the disk, which leaves such rows out
    return codes, scale


def _fit(sample: FloatArray) -> FloatArray:
    """(256, 4) patterns by k-means; fewer groups than patterns are patterns themselves."""
    patterns = np.zeros((_PATTERNS, GROUP), dtype=np.float32)
    start = sample[: min(_PATTERNS, len(sample))]
    patterns[: len(start)] = start
    for _ in range(_ROUNDS if len(sample) > _PATTERNS else 0):
        owner = _nearest(sample, patterns).astype(np.int64)
        counts = np.bincount(owner, minlength=_PATTERNS)
        sums = np.stack([np.bincount(owner, sample[:, j], _PATTERNS) for j in range(GROUP)], axis=1)
        patterns[counts > 0] = (sums[counts > 0] / counts[counts > 0, None]).astype(np.float32)
    # Half precision is what the disk holds; rounded here, a model answers the same before and after it was saved.
    return patterns.astype(np.float16).astype(np.float32)


def _nearest(groups: FloatArray, patterns: FloatArray) -> npt.NDArray[np.uint8]:
    """Number of the pattern nearest to each group, the first of equals: least |g - p|^2 / 2.

    Without `SUM_FLAGS`: with them this kernel, just compiled, has given other bits than from numba's cache.

    The least of floats, and its place, is searched one by one; of positive ones the bits, read as integers, are in the
    same order, and those are compared eight at a time. That is nine times as fast.
    """
    flat = np.ascontiguousarray(patterns.T)
    p0, p1, p2, p3 = flat[0], flat[1], flat[2], flat[3]
    halves = np.float32(0.5) * (p0 * p0 + p1 * p1 + p2 * p2 + p3 * p3) + _POSITIVE
    found = np.empty(len(groups), np.uint8)
    over_rows(_search, len(groups), groups, flat, halves, found, at_once=_BLOCK)
    return found


@njit(cache=True, nogil=True)
def _search(
    start: int, stop: int, groups: FloatArray, flat: FloatArray, halves: FloatArray, found: npt.NDArray[np.uint8]
) -> None:
    p0, p1, p2, p3 = flat[0], flat[1], flat[2], flat[3]
    n_patterns = halves.shape[0]
    distance = np.empty(n_patterns, np.float32)
    bits = distance.view(np.int32)
    for i in range(start, stop):
        g0, g1, g2, g3 = groups[i, 0], groups[i, 1], groups[i, 2], groups[i, 3]
        own = np.float32(0.5) * (g0 * g0 + g1 * g1 + g2 * g2 + g3 * g3)
        for k in range(n_patterns):
            distance[k] = (own + halves[k]) - ((g0 * p0[k] + g1 * p1[k]) + (g2 * p2[k] + g3 * p3[k]))
        least = bits[0]
        for k in range(n_patterns):
            least = min(least, bits[k])
        first = np.int32(n_patterns)
        for k in range(n_patterns):
            first = min(first, np.int32(k) if bits[k] == least else np.int32(n_patterns))
        found[i] = first


@njit(cache=True, nogil=True)
def _sum_many(
    start: int, stop: int, indptr: np.ndarray, indices: np.ndarray, values: FloatArray,
    codes: npt.NDArray[np.uint8], scale: FloatArray, patterns: FloatArray, out: FloatArray,
) -> None:  # fmt: skip
    whole = codes.shape[1] - codes.shape[1] % _AT_ONCE
    for row in range(start, stop):
        begin, end = indptr[row], indptr[row + 1]
        scaled = np.empty(end - begin, np.float32)
        for entry in range(begin, end):
            scaled[entry - begin] = values[entry] * scale[indices[entry]]
        for first in range(0, whole, _AT_ONCE):
            _sum_some(indices, begin, scaled, codes, patterns, first, out[row])
        for first in range(whole, codes.shape[1]):
            _sum_one(indices, begin, scaled, codes, patterns, first, out[row])


def _summing(count: int) -> Callable[..., None]:
    """The inner loop: `count` groups of all rows, whose sums stay in registers."""

    @intrinsic
    def sum_patterns(
        typingctx: Any, indices: Any, start: Any, values: Any, codes: Any, patterns: Any, first: Any, out: Any
    ) -> Any:  # fmt: skip
        """out[4 k + j] = sum_i values[i] * patterns[codes[indices[start + i], k], j], first <= k < first + count."""

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            own = Building(context, builder, signature, arguments)
            (rows, _), (factors, (n,)), (numbers, (_, width)), (table, _), (target, _) = map(own.array, (0, 2, 3, 4, 6))
            start, first = arguments[1], arguments[5]
            four = ir.VectorType(ir.FloatType(), GROUP)
            sums = [cgutils.alloca_once_value(builder, ir.Constant(four, [0.0] * GROUP)) for _ in range(count)]
            with cgutils.for_range(builder, n) as loop:
                row = builder.load(builder.gep(rows, [builder.add(start, loop.index)]))
                row = row if row.type == n.type else builder.sext(row, n.type)
                line = builder.gep(numbers, [builder.add(builder.mul(row, width), first)])
                value = own.in_all_lanes(builder.load(builder.gep(factors, [loop.index])), GROUP)
                for k, total in enumerate(sums):
                    number = builder.zext(builder.load(builder.gep(line, [n.type(k)])), n.type)
                    place = builder.gep(table, [builder.mul(number, n.type(GROUP))])
                    pattern = builder.load(builder.bitcast(place, four.as_pointer()), align=4)
                    builder.store(own.multiply_add(value, pattern, builder.load(total)), total)
            for k, total in enumerate(sums):
                place = builder.gep(target, [builder.mul(builder.add(first, first.type(k)), first.type(GROUP))])
                builder.store(builder.load(total), builder.bitcast(place, four.as_pointer()), align=4)
            return context.get_dummy_value()

        return types.void(indices, types.intp, values, codes, patterns, types.intp, out), build

    return cast("Callable[..., None]", sum_patterns)


_sum_some, _sum_one = _summing(_AT_ONCE), _summing(1)


def sum_groups(
    indptr: np.ndarray, indices: np.ndarray, values: FloatArray, table: Groups, n_rows: int
) -> FloatArray:
    """(B, d) out[i] = sum_j values[j] * table[indices[j]] over the entries j of row i of a CSR matrix.

    Indices must be rows of the table: compiled code does not check.
    """
    out = np.empty((n_rows, table.codes.shape[1] * GROUP), dtype=np.float32)
    arrays = (indptr, indices, values, table.codes, table.scale, table.patterns)
    over_rows(_sum_many, len(out), *arrays, out, at_once=64)
    return out[:, : table.dim]


def to_arrays(name: str, groups: Groups) -> dict[str, npt.NDArray[Any]]:
    """Codes, scales and patterns for the disk; rows of zeros are left out."""
    return {
        name: groups.codes[groups.scale > 0],
        f"{name}_scale": groups.scale,
        f"{name}_patterns": groups.patterns.astype(np.float16),
    }


def from_arrays(arrays: Mapping[str, npt.NDArray[Any]], name: str, dim: int) -> Groups:
    """What `to_arrays` was given.

    Args:
        arrays: The arrays.
        name: The name given there.
        dim: Length d of the vectors.

    Raises:
        ValueError: An array is missing, or types and shapes do not fit; says which.
    """
    for part in (name, f"{name}_scale", f"{name}_patterns"):
        if part not in arrays:
            raise ValueError(f"array {part} is missing")
    packed, scale, patterns = arrays[name], arrays[f"{name}_scale"], arrays[f"{name}_patterns"]
    if scale.dtype != np.float32 or scale.ndim != 1 or (len(scale) and not scale.min() >= 0):
        raise ValueError(f"{name}_scale must be one row of float32, none below 0")
    if patterns.shape != (_PATTERNS, GROUP) or not np.isfinite(patterns.astype(np.float32)).all():
        raise ValueError(f"{name}_patterns is {patterns.dtype} {patterns.shape}, expected {_PATTERNS} of {GROUP}")
    width = -(-dim // GROUP)
    if packed.dtype != np.uint8 or packed.shape != (int((scale > 0).sum()), width):
        raise ValueError(f"{name} is {packed.dtype} {packed.shape}, no codes of {len(scale)} rows of {dim} numbers")
    return Groups(with_zero_rows(packed, scale), scale, np.ascontiguousarray(patterns, dtype=np.float32), dim)
