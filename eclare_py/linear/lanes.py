"""The inner loops of eight problems of coordinate descent side by side, a number of each in one register."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.registers import INT, INTS, LANES, VECTOR, Building


class _Entries(Building):
    """Builds a loop over entries of sparse rows: their value in all lanes, and the weights of their column."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        super().__init__(context, builder, signature, arguments)
        self.columns, self.values, self.weights, own = (self.array(place)[0] for place in (0, 1, 4, 5))
        self.own = self.vector_at(own)
        self.begin, self.end = arguments[2:4]

    def at(self, k: Any) -> tuple[Any, Any]:
        """Value of entry k in all lanes, and where the weights of its column lie."""
        builder = self.builder
        column = builder.zext(builder.load(builder.gep(self.columns, [k])), k.type)
        value = self.in_all_lanes(builder.load(builder.gep(self.values, [k])))
        return value, self.vector_at(self.weights, builder.mul(column, k.type(LANES)))


@intrinsic
def multiply_lanes(
    typingctx: Any, columns: Any, values: Any, begin: Any, end: Any, weights: Any, totals: Any
) -> Any:  # fmt: skip
    """totals[lane] += sum_k values[k] * weights[columns[k], lane], begin <= k < end, in the order of k.

    Args:
        typingctx: Of numba.
        columns: int32 columns of entries.
        values: float32 values.
        begin: First entry.
        end: Behind the last one.
        weights: (F, 8) C-contiguous float32.
        totals: (8,) float32.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries = _Entries(context, builder, signature, arguments)
        total = cgutils.alloca_once_value(builder, builder.load(entries.own, align=4))
        with cgutils.for_range_slice(builder, entries.begin, entries.end, entries.begin.type(1)) as (k, _):
            value, place = entries.at(k)
            weight = builder.load(place, align=4)
            builder.store(entries.multiply_add(value, weight, builder.load(total)), total)
        builder.store(builder.load(total), entries.own, align=4)
        return context.get_dummy_value()

    return types.void(columns, values, types.intp, types.intp, weights, totals), build


@intrinsic
def add_lanes(typingctx: Any, columns: Any, values: Any, begin: Any, end: Any, weights: Any, steps: Any) -> Any:
    """weights[columns[k], lane] += values[k] * steps[lane], begin <= k < end; arguments as of `multiply_lanes`."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        entries = _Entries(context, builder, signature, arguments)
        step = builder.load(entries.own, align=4)
        with cgutils.for_range_slice(builder, entries.begin, entries.end, entries.begin.type(1)) as (k, _):
            value, place = entries.at(k)
            added = entries.multiply_add(value, step, builder.load(place, align=4))
            builder.store(added, place, align=4)
        return context.get_dummy_value()

    return types.void(columns, values, types.intp, types.intp, weights, steps), build


@intrinsic
def move_lanes(
    typingctx: Any, bits: Any, square: Any, row: Any, totals: Any, signs: Any, halves: Any, limits: Any, alpha: Any,
    highest: Any, lowest: Any, steps: Any,
) -> Any:  # fmt: skip
    """One coordinate, that of a document, of each dual problem of the squared hinge; see `solver.squared_hinge`.

    Args:
        typingctx: Of numba.
        bits: Problems that look at the document, the lowest bit the first; those of the others stay as they are.
        square: float32 |x|^2 of the document.
        row: Its number i.
        totals: (8,) <w, x>.
        signs: (n, 8) y, of which row i counts, as of all these matrices.
        halves: (n, 8) 1 / 2C.
        limits: (8,) a document with alpha 0 and a gradient above this is set aside.
        alpha: (n, 8) dual variables; moved.
        highest: (8,) receives larger projected gradients.
        lowest: (8,) receives smaller ones.
        steps: (8,) receives the change of alpha times y, by which the document is added to the weights.

    Returns:
        Bits of the problems that set the document aside, and above these bits of those that moved.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = Building(context, builder, signature, arguments)

        def vector_of(place: int, offset: Any = None) -> Any:
            return own.vector_at(own.array(place)[0], offset)

        def bits_of(lanes: Any) -> Any:
            return builder.zext(builder.bitcast(lanes, ir.IntType(LANES)), arguments[0].type)

        bits, square, row = arguments[:3]
        offset = builder.mul(row, row.type(LANES))
        places = [vector_of(3), *(vector_of(i, offset) for i in (4, 5)), vector_of(6), vector_of(7, offset)]
        places += [vector_of(8), vector_of(9)]
        total, sign, half, limit, old, high, low = (builder.load(place, align=4) for place in places)
        zero, one = ir.Constant(VECTOR, [0.0] * LANES), ir.Constant(VECTOR, [1.0] * LANES)
        powers, none = ir.Constant(INTS, [1 << lane for lane in range(LANES)]), ir.Constant(INTS, [0] * LANES)
        flags = builder.and_(own.in_all_lanes(builder.trunc(bits, INT)), powers)
        looks = builder.icmp_unsigned("!=", flags, none)
        gradient = builder.fadd(builder.fsub(builder.fmul(sign, total), one), builder.fmul(half, old))
        at_zero = builder.fcmp_ordered("==", old, zero)
        aside = builder.and_(looks, builder.and_(at_zero, builder.fcmp_ordered(">", gradient, limit)))
        stays = builder.and_(looks, builder.not_(aside))
        outward = builder.and_(at_zero, builder.fcmp_ordered(">", gradient, zero))
        projected = builder.select(outward, zero, gradient)
        for place, known, order in ((places[5], high, ">"), (places[6], low, "<")):
            beyond = builder.and_(stays, builder.fcmp_ordered(order, projected, known))
            builder.store(builder.select(beyond, projected, known), place, align=4)
        new = builder.fsub(old, builder.fdiv(gradient, builder.fadd(own.in_all_lanes(square), half)))
        new = builder.select(builder.fcmp_ordered(">", new, zero), new, zero)
        new = builder.select(stays, new, old)
        builder.store(new, places[4], align=4)
        builder.store(builder.fmul(builder.fsub(new, old), sign), vector_of(10), align=4)
        moved = bits_of(builder.fcmp_unordered("!=", new, old))
        return builder.or_(bits_of(aside), builder.shl(moved, moved.type(LANES)))

    arrays = (totals, signs, halves, limits, alpha, highest, lowest, steps)
    return types.intp(types.intp, types.float32, types.intp, *arrays), build
