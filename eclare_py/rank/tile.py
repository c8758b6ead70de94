"""The inner loop of a dense layer: a tile of 4 rows and 16 units whose sums stay in registers."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

ROWS, UNITS = 4, 16  # of a tile
_LANES = 8  # float32 numbers of a register (AVX); other processors split or join them
_FLOAT, _INT = ir.FloatType(), ir.IntType(32)
_VECTOR = ir.VectorType(_FLOAT, _LANES)


@intrinsic
def relu_tile(
    typingctx: Any, x: Any, first: Any, last: Any, weights: Any, bias: Any, unit: Any, out: Any
) -> Any:  # fmt: skip
    """out[i, unit : unit + 16] = relu(x[first + i, :f] @ weights[:, unit : unit + 16] + bias), i = 0..3.

    Compiled loops over arrays write sums back after every step, since they can't know where arrays overlap; written
    for registers the layer runs at several times the pace. A row is added up in the order of its inputs, whatever rows
    are beside it.

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
        def array_of(place: int) -> tuple[Any, list[Any]]:
            array = context.make_array(signature.args[place])(context, builder, arguments[place])
            return array.data, cgutils.unpack_tuple(builder, array.shape)

        def vector_at(pointer: Any, offset: Any) -> Any:
            return builder.bitcast(builder.gep(pointer, [offset]), _VECTOR.as_pointer())

        (inputs, (_, stride)), (factors, (n_inputs, width)), (bases, _), (results, (_, pitch)) = map(
            array_of, (0, 3, 4, 6)
        )
        first, last, unit = arguments[1], arguments[2], arguments[5]
        places = [builder.add(unit, unit.type(lane)) for lane in range(0, UNITS, _LANES)]
        rows = []
        for i in range(ROWS):
            row = builder.add(first, first.type(i))
            row = builder.select(builder.icmp_signed("<", row, last), row, last)
            rows.append(builder.gep(inputs, [builder.mul(row, stride)]))
        sums = [[cgutils.alloca_once(builder, _VECTOR) for _ in places] for _ in rows]
        starts = [builder.load(vector_at(bases, place), align=4) for place in places]
        for row_sums in sums:
            for start, total in zip(starts, row_sums, strict=True):
                builder.store(start, total)
        kind = ir.FunctionType(_VECTOR, [_VECTOR] * 3)
        multiply_add = cgutils.get_or_insert_function(builder.module, kind, f"llvm.fmuladd.v{_LANES}f32")
        same, undefined = ir.Constant(ir.VectorType(_INT, _LANES), [0] * _LANES), ir.Constant(_VECTOR, ir.Undefined)
        with cgutils.for_range(builder, n_inputs) as loop:
            line = builder.mul(loop.index, width)
            weight = [builder.load(vector_at(factors, builder.add(line, place)), align=4) for place in places]
            for row, row_sums in zip(rows, sums, strict=True):
                value = builder.load(builder.gep(row, [loop.index]))
                spread = builder.insert_element(undefined, value, _INT(0))
                spread = builder.shuffle_vector(spread, undefined, same)
                for one, total in zip(weight, row_sums, strict=True):
                    builder.store(builder.call(multiply_add, [spread, one, builder.load(total)]), total)
        zero = ir.Constant(_VECTOR, [0.0] * _LANES)
        for i, row_sums in enumerate(sums):
            for place, total in zip(places, row_sums, strict=True):
                value = builder.load(total)
                value = builder.select(builder.fcmp_ordered(">", value, zero), value, zero)
                offset = builder.add(builder.mul(pitch.type(i), pitch), place)
                builder.store(value, vector_at(results, offset), align=4)
        return context.get_dummy_value()

    return types.void(x, types.intp, types.intp, weights, bias, types.intp, out), build
