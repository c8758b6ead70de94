"""The inner loop of a dense layer: a tile of 4 rows and 16 units whose sums stay in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.registers import LANES, VECTOR, Building

ROWS, UNITS = 4, 2 * LANES  # of a tile


@intrinsic
def relu_tile(
    typingctx: Any, x: Any, first: Any, last: Any, weights: Any, bias: Any, unit: Any, out: Any
) -> Any:  # fmt: skip
    """out[i, unit : unit + 16] = relu(x[first + i, :f] @ weights[:, unit : unit + 16] + bias), i = 0..3.

    A row is added up in the order of its inputs, whatever rows are beside it.

    Args:
        typingctx: Of numba.
        x: (m, F) C-contiguous float32 inputs, F >= f.
        first: First row.
        last: Last row there is: rows behind it are taken for it.
        weights: (f, h) C-contiguous, h a multiple of 16.
        bias: (h,).
        unit: First unit, a multiple of 16.
        out: (4, h) C-contiguous; receives the values.
    """

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = Building(context, builder, signature, arguments)
        (inputs, (_, stride)), (factors, (n_inputs, width)), (bases, _), (results, (_, pitch)) = map(
            own.array, (0, 3, 4, 6)
        )
        first, last, unit = arguments[1], arguments[2], arguments[5]
        places = [builder.add(unit, unit.type(lane)) for lane in range(0, UNITS, LANES)]
        starts = [builder.load(own.vector_at(bases, place), align=4) for place in places]
        rows = []
        for i in range(ROWS):
            row = builder.add(first, first.type(i))
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            rows.append(builder.gep(inputs, [builder.mul(row, stride)]))
        sums = [[cgutils.alloca_once_value(builder, start) for start in starts] for _ in rows]
        with cgutils.for_range(builder, n_inputs) as loop:
            line = builder.mul(loop.index, width)
            weight = [builder.load(own.vector_at(factors, builder.add(line, place)), align=4) for place in places]
            for row, row_sums in zip(rows, sums, strict=True):
                value = own.in_all_lanes(builder.load(builder.gep(row, [loop.index])))
                for one, total in zip(weight, row_sums, strict=True):
                    builder.store(own.multiply_add(value, one, builder.load(total)), total)
        zero = ir.Constant(VECTOR, [0.0] * LANES)
        for i, row_sums in enumerate(sums):
            for place, total in zip(places, row_sums, strict=True):
                value = builder.load(total)
                value = builder.select(builder.fcmp_ordered(">", value, zero), value, zero)
                offset = builder.add(builder.mul(pitch.type(i), pitch), place)
                builder.store(value, own.vector_at(results, offset), align=4)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, weights, bias, types.intp, out), build
