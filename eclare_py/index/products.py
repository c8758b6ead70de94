"""The inner loop of a search: products of four rows, vectors of nodes or labels, with one document.

Rows come as float32, as int8 codes, or as codes of 4 bits two to a byte. Codes are multiplied and added up as whole
numbers, many at a time and exact, so that the order of a sum, the number of threads and the processor change nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ClassVar, cast

from llvmlite import binding, ir
from numba import config, types
from numba.core import cgutils
from numba.extending import intrinsic

from eclare_py.quantize import NIBBLES
from eclare_py.registers import INT, LANES, Building

ROWS = 4  # multiplied at a time: a number of the document that is read serves four of them
_BYTE, _SHORT = ir.IntType(8), ir.IntType(16)


class _Products(Building):
    """Builds a loop that leaves four sums of products."""

    step: ClassVar[int]  # elements of a row read at a time
    number: ClassVar[ir.Type] = INT  # of the sums

    def __init__(self, context: Any, builder: Any, signature: Any, arguments: Any) -> None:
        super().__init__(context, builder, signature, arguments)
        self.rows, (_, self.length) = self.array(0)
        self.document = self.array(4)[0]

    def write(self) -> None:
        """The whole loop."""
        builder, which, out = self.builder, self.array(1)[0], self.array(5)[0]
        first, last, place = self.arguments[2], self.arguments[3], self.arguments[6]
        starts = []
        for r in range(ROWS):
            at = builder.add(first, first.type(r))
            at = builder.select(builder.icmp_signed("<", at, last), at, last)
            row = builder.load(builder.gep(which, [at]))
            starts.append(builder.gep(self.rows, [builder.mul(row, self.length)]))
        four = self.sums(starts)
        if self.number == INT:
            four = builder.sitofp(four, ir.VectorType(ir.FloatType(), ROWS))
        target = builder.bitcast(builder.gep(out, [place]), four.type.as_pointer())
        builder.store(four, target, align=4)

    def sums(self, starts: list[Any]) -> Any:
        """The four sums: whole steps, then what is left one by one."""
        builder, zero = self.builder, ir.Constant(ir.VectorType(self.number, LANES), [0] * LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in starts]
        step = self.length.type(self.step)
        whole = builder.sub(self.length, builder.urem(self.length, step))
        with cgutils.for_range_slice(builder, self.length.type(0), whole, step) as (j, _):
            self.add_steps(starts, j, sums)
        totals = cgutils.alloca_once_value(builder, self.side_by_side([builder.load(total) for total in sums]))
        with cgutils.for_range_slice(builder, whole, self.length, step.type(1)) as (j, _):
            total, other = builder.load(totals), builder.gep(self.document, [j])
            for r, start in enumerate(starts):
                sum_so_far = builder.extract_element(total, INT(r))
                added = self.add_one(builder.gep(start, [j]), other, sum_so_far)
                total = builder.insert_element(total, added, INT(r))
            builder.store(total, totals)
        return builder.load(totals)

    def add_steps(self, starts: list[Any], j: Any, sums: list[Any]) -> None:
        """Products of a step from element j on, into the sums."""
        raise NotImplementedError

    def add_one(self, one: Any, other: Any, total: Any) -> Any:
        """A sum and the product of two numbers more."""
        raise NotImplementedError

    def plus(self, a: Any, b: Any) -> Any:
        """The sum of two registers, or numbers."""
        return (self.builder.add if self.number == INT else self.builder.fadd)(a, b)

    def side_by_side(self, sums: list[Any]) -> Any:
        """Four registers, each added up, in one of four."""
        a, b, c, d = sums
        four = self._neighbours(self._neighbours(a, b), self._neighbours(c, d))
        return self.plus(self.chosen(four, range(ROWS)), self.chosen(four, range(ROWS, LANES)))

    def _neighbours(self, a: Any, b: Any) -> Any:
        even = (0, 2, 8, 10, 4, 6, 12, 14)
        return self.plus(self.chosen(a, even, b), self.chosen(a, [lane + 1 for lane in even], b))

    def chosen(self, a: Any, lanes: Any, b: Any = None) -> Any:
        """A register of some lanes of one, or of two."""
        lanes = list(lanes)
        return self.builder.shuffle_vector(a, a if b is None else b, ir.Constant(ir.VectorType(INT, len(lanes)), lanes))

    def codes_at(self, start: Any, kind: ir.Type, count: int) -> Any:
        """Some whole numbers that begin at `start`."""
        return self.builder.load(self.builder.bitcast(start, ir.VectorType(kind, count).as_pointer()), align=1)

    def widened(self, codes: Any) -> Any:
        """These as numbers of 32 bits."""
        return self.builder.sext(codes, ir.VectorType(INT, codes.type.count))

    def sum_of_pairs(self, a: Any, b: Any) -> Any:
        """a[0] b[0] + a[1] b[1], a[2] b[2] + a[3] b[3], ... of 32 bits; one instruction where the processor has it."""
        products = self.builder.mul(self.widened(a), self.widened(b))
        return self.builder.add(*(self.chosen(products, range(start, a.type.count, 2)) for start in (0, 1)))


class _Floats(_Products):
    """Numbers of float32: products are added up in one order, whatever rows are beside them."""

    step, number = LANES, ir.FloatType()

    def add_steps(self, starts: list[Any], j: Any, sums: list[Any]) -> None:
        factor = self.builder.load(self.vector_at(self.document, j), align=4)
        for start, total in zip(starts, sums, strict=True):
            row = self.builder.load(self.vector_at(start, j), align=4)
            self.builder.store(self.multiply_add(row, factor, self.builder.load(total)), total)

    def add_one(self, one: Any, other: Any, total: Any) -> Any:
        return self.plus(total, self.builder.fmul(self.builder.load(one), self.builder.load(other)))


class _Bytes(_Products):
    """Codes of 8 bits, the document's of 16."""

    step = 2 * LANES

    def add_steps(self, starts: list[Any], j: Any, sums: list[Any]) -> None:
        factor = self.codes_at(self.builder.gep(self.document, [j]), _SHORT, self.step)
        for start, total in zip(starts, sums, strict=True):
            row = self.builder.sext(self.codes_at(self.builder.gep(start, [j]), _BYTE, self.step), factor.type)
            self.builder.store(self.plus(self.builder.load(total), self.sum_of_pairs(row, factor)), total)

    def add_one(self, one: Any, other: Any, total: Any) -> Any:
        a, b = (self.builder.sext(self.builder.load(code), INT) for code in (one, other))
        return self.plus(total, self.builder.mul(a, b))


class _Nibbles(_Products):
    """Codes of 4 bits as `quantize.in_nibbles` packs them, plus 8 each; the document's of 8."""

    step = NIBBLES // 2

    def add_steps(self, starts: list[Any], j: Any, sums: list[Any]) -> None:
        for factor, rows in self.halves(starts, j):
            for row, total in zip(rows, sums, strict=True):
                pairs = self.sum_of_pairs(self._unsigned(row), self._signed(factor))
                for part in (range(LANES), range(LANES, 2 * LANES)):
                    self.builder.store(self.plus(self.builder.load(total), self.chosen(pairs, part)), total)

    def add_one(self, one: Any, other: Any, total: Any) -> Any:
        return total  # rows are whole steps

    def halves(self, starts: list[Any], j: Any) -> Any:
        """For the lower and the upper halves of the bytes: the document's codes, and the rows' behind them."""
        rows = [self.codes_at(self.builder.gep(start, [j]), _BYTE, self.step) for start in starts]
        at = self.builder.mul(j, j.type(2))
        for half in (0, 1):
            place = self.builder.add(at, at.type(half * self.step))
            factor = self.codes_at(self.builder.gep(self.document, [place]), _BYTE, self.step)
            yield factor, [self._half(row, half) for row in rows]

    def _half(self, row: Any, half: int) -> Any:
        operation, number = (self.builder.lshr, 4) if half else (self.builder.and_, 15)
        return operation(row, ir.Constant(row.type, [number] * self.step))

    def _signed(self, codes: Any) -> Any:
        return self.builder.sext(codes, ir.VectorType(_SHORT, self.step))

    def _unsigned(self, codes: Any) -> Any:
        return self.builder.zext(codes, ir.VectorType(_SHORT, self.step))


class _NibblesOfAvx2(_Nibbles):
    """The same by instructions of AVX2 that multiply 32 bytes and add up pairs, which no pattern of LLVM leads to."""

    _together = 4  # steps whose sums fit into 16 bits: 4 * 2 * 2 * 15 * 127 is below 2^15

    def sums(self, starts: list[Any]) -> Any:
        """Sums of 16 bits for some steps, added up in 32."""
        builder = self.builder
        zero = ir.Constant(ir.VectorType(INT, LANES), [0] * LANES)
        nothing = ir.Constant(ir.VectorType(_SHORT, 2 * LANES), [0] * 2 * LANES)
        sums = [cgutils.alloca_once_value(builder, zero) for _ in starts]
        small = [cgutils.alloca_once_value(builder, nothing) for _ in starts]
        step, most = self.length.type(self.step), self.length.type(self._together * self.step)
        with cgutils.for_range_slice(builder, self.length.type(0), self.length, most) as (begin, _):
            for total in small:
                builder.store(nothing, total)
            end = builder.add(begin, most)
            end = builder.select(builder.icmp_signed("<", end, self.length), end, self.length)
            with cgutils.for_range_slice(builder, begin, end, step) as (j, _):
                for factor, rows in self.halves(starts, j):
                    for row, total in zip(rows, small, strict=True):
                        pairs = self._call("ub.sw", [row, factor], nothing.type)
                        builder.store(builder.add(builder.load(total), pairs), total)
            ones = ir.Constant(nothing.type, [1] * 2 * LANES)
            for part, total in zip(small, sums, strict=True):
                pairs = self._call("wd", [builder.load(part), ones], zero.type)
                builder.store(builder.add(builder.load(total), pairs), total)
        return self.side_by_side([builder.load(total) for total in sums])

    def _call(self, name: str, arguments: list[Any], kind: ir.Type) -> Any:
        function = ir.FunctionType(kind, [arguments[0].type] * 2)
        function = cgutils.get_or_insert_function(self.builder.module, function, f"llvm.x86.avx2.pmadd.{name}")
        return self.builder.call(function, arguments)


def _made(nibbles: type[_Products]) -> Callable[..., None]:
    kinds: dict[Any, type[_Products]] = {types.float32: _Floats, types.int8: _Bytes, types.uint8: nibbles}

    @intrinsic
    def multiply(
        typingctx: Any, rows: Any, which: Any, first: Any, last: Any, x: Any, out: Any, place: Any
    ) -> Any:  # fmt: skip
        """out[place + r] = <rows[which[min(first + r, last)]], x>, r = 0..3.

        Args:
            typingctx: Of numba.
            rows: (n, w) C-contiguous values of `Rows`: float32, int8, or uint8 of `quantize.in_nibbles`.
            which: int64 numbers of rows.
            first: Where the four begin there.
            last: Where the last row there is stands.
            x: Values of one of the `Multiplicands` for such rows.
            out: float32; receives the products.
            place: Where they begin.
        """

        def build(context: Any, builder: Any, signature: Any, arguments: Any) -> Any:
            kinds[rows.dtype](context, builder, signature, arguments).write()
            return context.get_dummy_value()

        return types.void(rows, which, types.intp, types.intp, x, out, types.intp), build

    return cast("Callable[..., None]", multiply)


multiply_rows_anywhere = _made(_Nibbles)
_own_processor = config.CPU_NAME is None and config.CPU_FEATURES is None  # numba may be told to compile for another
_with_avx2 = _own_processor and binding.get_host_cpu_features().get("avx2", False)
multiply_rows = _made(_NibblesOfAvx2) if _with_avx2 else multiply_rows_anywhere
