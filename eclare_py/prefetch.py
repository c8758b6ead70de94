"""Ask for memory before it is read: loops over rows in no order mostly wait for the next row."""

from __future__ import annotations

from typing import Any

from llvmlite import ir
from numba import types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.registers import Building

AHEAD = 8  # rows asked for before the one that is read: enough to hide a fetch, few enough to stay in the nearest cache
_LINE = 64  # bytes that are fetched at once


class _Fetching(Building):
    """Builds requests for memory."""

    def ask(self, start: Any, offset: Any) -> None:
        """Have what lies so many bytes behind `start` fetched."""
        byte, number = ir.IntType(8).as_pointer(), ir.IntType(32)
        function = ir.FunctionType(ir.VoidType(), [byte, number, number, number])
        fetch = self.builder.module.declare_intrinsic("llvm.prefetch", [byte], function)
        pointer = self.builder.gep(self.builder.bitcast(start, byte), [offset])
        self.builder.call(fetch, [pointer, number(0), number(3), number(1)])  # for reading, to all caches, data


@intrinsic
def prefetch(typingctx: Any, array: Any, place: Any) -> Any:
    """Have an element of a flat array fetched. Changes no result; an address out of bounds is no fault."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = _Fetching(context, builder, signature, arguments)
        start, _ = own.array(0)
        own.ask(start, builder.mul(arguments[1], arguments[1].type(own.item_size(0))))
        return context.get_dummy_value()

    return types.void(array, types.intp), build


@intrinsic
def prefetch_row(typingctx: Any, array: Any, row: Any) -> Any:
    """Have a row of a C-contiguous (n, d) array fetched; no view of it is made, which would be counted twice."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        own = _Fetching(context, builder, signature, arguments)
        start, (_, length) = own.array(0)
        size = builder.mul(length, length.type(own.item_size(0)))
        begin = builder.mul(arguments[1], size)
        with cgutils.for_range_slice(builder, begin, builder.add(begin, size), size.type(_LINE)) as (offset, _):
            own.ask(start, offset)
        return context.get_dummy_value()

    return types.void(array, types.intp), build
