"""Ask for memory before it is read: loops over rows in no order mostly wait for the next row."""

from __future__ import annotations

from typing import Any

import numpy as np
from llvmlite import ir
from numba import njit, types
from numba.core import cgutils
from numba.extending import intrinsic

AHEAD = 8  # rows asked for before the one that is read: enough to hide a fetch, few enough to stay in the nearest cache
_LINE = 64  # bytes that are fetched at once


@intrinsic
def prefetch(typingctx: Any, array: Any, place: Any) -> Any:
    """Have an element of a flat array fetched. Changes no result; an address out of bounds is no fault."""

    def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
        kind = signature.args[0]
        data = context.make_array(kind)(context, builder, arguments[0])
        pointer = cgutils.get_item_pointer(context, builder, kind, data, [arguments[1]], wraparound=False)
        byte, number = builder.bitcast(pointer, ir.IntType(8).as_pointer()), ir.IntType(32)
        function = ir.FunctionType(ir.VoidType(), [byte.type, number, number, number])
        fetch = builder.module.declare_intrinsic("llvm.prefetch", [byte.type], function)
        builder.call(fetch, [byte, number(0), number(3), number(1)])  # for reading, to all caches, data
        return context.get_dummy_value()

    return types.void(array, types.intp), build


@njit(cache=True, nogil=True)
def prefetch_row(array: np.ndarray, row: int) -> None:
    """Have a row of a C-contiguous (n, d) array fetched."""
    values = array[row]
    for place in range(0, values.shape[0], _LINE // array.itemsize):
        prefetch(values, place)
