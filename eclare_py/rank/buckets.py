"""Tables of numbered things whose few candidates for a key are compared all at once.

A bucket holds eight keys, as many as a register: a look-up compares all of them, where a chain of slots costs a wrong
guess of the processor for every other key that is there. A loop over sparse entries adds up products with what a table
holds for their columns, in registers.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.rank.tables import FACTOR
from eclare_py.registers import INT, INTS, LANES, VECTOR, Building
from eclare_py.types import FloatArray

_FULL = 3  # keys of a bucket at the most, in the mean


class Buckets(NamedTuple):
    """A table of keys with a number each.

    Attributes:
        keys: (m, 8) int32, -1 where there is none; m is a power of two.
        values: (m, 8) float32, of the keys.
        shift: 32 less the bits of m: what is left of a key's hash is its bucket.
    """

    keys: np.ndarray
    values: FloatArray
    shift: int


@njit(cache=True, nogil=True)
def buckets_of(keys: np.ndarray, values: FloatArray) -> Buckets:
    """A table of distinct keys from 0 on."""
    shift = 31
    while (_FULL << (32 - shift)) < keys.shape[0]:
        shift -= 1
    while True:
        m = 1 << (32 - shift)
        table, numbers = np.full((m, LANES), -1, np.int32), np.zeros((m, LANES), np.float32)
        sizes = np.zeros(m, np.int64)
        fits = True
        for i in range(keys.shape[0]):
            bucket = ((keys[i] * FACTOR) & 0xFFFFFFFF) >> shift
            if sizes[bucket] == LANES:
                fits = False
                break
            table[bucket, sizes[bucket]], numbers[bucket, sizes[bucket]] = keys[i], values[i]
            sizes[bucket] += 1
        if fits:
            return Buckets(table, numbers, int(shift))
        shift -= 1


class _Matching(Building):
    """Builds a loop over entries that finds their columns in a table."""

    def at(self, k: Any) -> Any:
        """What the table holds for the column of entry k, or 0: to the bit, wherever in its bucket the key is."""
        builder = self.builder
        keys, values, columns = (self.array(place)[0] for place in (0, 1, 3))
        column = builder.load(builder.gep(columns, [k]))
        bucket = builder.lshr(builder.mul(column, INT(FACTOR)), builder.trunc(self.arguments[2], INT))
        start = builder.mul(builder.zext(bucket, k.type), k.type(LANES))
        known = builder.load(builder.bitcast(builder.gep(keys, [start]), INTS.as_pointer()), align=4)
        value = builder.load(self.vector_at(values, start), align=4)
        same = builder.icmp_signed("==", known, self.in_all_lanes(column))
        return self._folded(builder.select(same, value, ir.Constant(VECTOR, [0.0] * LANES)))

    def number(self, place: int, k: Any) -> Any:
        """Number k of the array that is argument number `place`."""
        return self.builder.load(self.builder.gep(self.array(place)[0], [k]))

    def _folded(self, lanes: Any) -> Any:
        """The sum of all lanes of a register."""
        size = LANES
        while size > 1:
            size //= 2
            halves = [ir.Constant(ir.VectorType(INT, size), list(range(at, at + size))) for at in (0, size)]
            lanes = self.builder.fadd(*(self.builder.shuffle_vector(lanes, lanes, half) for half in halves))
        return self.builder.extract_element(lanes, INT(0))

    def larger(self, a: Any, b: Any) -> Any:
        """The larger one."""
        return self.builder.select(self.builder.fcmp_ordered(">", a, b), a, b)


@intrinsic
def sum_of_matches(
    typingctx: Any, keys: Any, values: Any, shift: Any, columns: Any, weights: Any, begin: Any, end: Any
) -> Any:  # fmt: skip
    """sum_k weights[k] * (what the table holds for columns[k]), begin <= k < end, in the order of k.

    Args:
        typingctx: Of numba.
        keys: The parts of `Buckets`.
        values: Likewise.
        shift: Likewise.
        columns: int32 columns of entries.
        weights: Their float32 weights.
        begin: First entry.
        end: Behind the last one.

    Returns:
        float32.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = _Matching(context, builder, signature, arguments)
        begin, end = arguments[5:7]
        total = cgutils.alloca_once_value(builder, ir.FloatType()(0.0))
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (k, _):
            builder.store(builder.fadd(builder.load(total), builder.fmul(own.number(4, k), own.at(k))), total)
        return builder.load(total)

    return types.float32(keys, values, types.intp, columns, weights, types.intp, types.intp), build


@intrinsic
def sum_and_best_of_matches(
    typingctx: Any, keys: Any, values: Any, shift: Any, columns: Any, weights: Any, others: Any, begin: Any, end: Any,
    out: Any,
) -> Any:  # fmt: skip
    """out[0] as `sum_of_matches`; out[1] the largest others[k] * (what the table holds for columns[k]), at least 0."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = _Matching(context, builder, signature, arguments)
        begin, end, out = arguments[6], arguments[7], own.array(8)[0]
        total, best = (cgutils.alloca_once_value(builder, ir.FloatType()(0.0)) for _ in range(2))
        with cgutils.for_range_slice(builder, begin, end, begin.type(1)) as (k, _):
            value = own.at(k)
            builder.store(builder.fadd(builder.load(total), builder.fmul(own.number(4, k), value)), total)
            builder.store(own.larger(builder.fmul(own.number(5, k), value), builder.load(best)), best)
        builder.store(builder.load(total), out)
        builder.store(builder.load(best), builder.gep(out, [begin.type(1)]))
        return context.get_dummy_value()

    return types.void(keys, values, types.intp, columns, weights, others, types.intp, types.intp, out), build
