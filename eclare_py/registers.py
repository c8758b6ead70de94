"""Building blocks of compiled loops that are written for registers, shared by all packages that have such loops.

Compiled loops over arrays write sums back after every step, since they can't know where arrays overlap, and do short
rows of numbers one after the other. Where that is most of the time, the loop is built here from vectors of eight.
"""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba.core import cgutils

LANES = 8  # float32 numbers of a register (AVX); other processors split or join them
INT = ir.IntType(32)
VECTOR, INTS = ir.VectorType(ir.FloatType(), LANES), ir.VectorType(INT, LANES)


class Building:
    """What an intrinsic builds with: numba's context and builder, and the arguments of the call."""

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        self.builder, self.arguments = builder, arguments
        self._context, self._kinds = context, signature.args

    def array(self, place: int) -> tuple[Any, list[Any]]:
        """Where the numbers of the array begin that is argument number `place`, and its shape."""
        array = self._context.make_array(self._kinds[place])(self._context, self.builder, self.arguments[place])
        return array.data, cgutils.unpack_tuple(self.builder, array.shape)

    def item_size(self, place: int) -> int:
        """Bytes of a number of that array."""
        return int(self._context.get_abi_sizeof(self._context.get_data_type(self._kinds[place].dtype)))

    def vector_at(self, start: Any, offset: Any = None) -> Any:
        """The eight numbers that begin at `start`, or so many numbers behind it."""
        start = start if offset is None else self.builder.gep(start, [offset])
        return self.builder.bitcast(start, VECTOR.as_pointer())

    def in_all_lanes(self, number: Any, lanes: int = LANES) -> Any:
        """A number eight times, or as often as said."""
        undefined = ir.Constant(ir.VectorType(number.type, lanes), ir.Undefined)
        first = self.builder.insert_element(undefined, number, INT(0))
        return self.builder.shuffle_vector(first, undefined, ir.Constant(ir.VectorType(INT, lanes), [0] * lanes))

    def multiply_add(self, one: Any, other: Any, total: Any) -> Any:
        """The sum of `total` and the product of the others, in one rounding where the processor can."""
        kind = ir.FunctionType(total.type, [total.type] * 3)
        name = f"llvm.fmuladd.v{total.type.count}f32"
        function = cgutils.get_or_insert_function(self.builder.module, kind, name)
        return self.builder.call(function, [one, other, total])
