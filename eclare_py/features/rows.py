"""From the code points of texts to TF-IDF rows, one block of columns after the other."""

from __future__ import annotations

from functools import reduce
from typing import Any, TypeAlias

import numpy as np

from eclare_py.features.ngrams import CodeArray, HashArray, Int32Array, Int64Array, compiled, find_slices
from eclare_py.features.vocabulary import look_up
from eclare_py.types import BoolArray, FloatArray, IntArray

RowParts: TypeAlias = tuple[IntArray, Int32Array, FloatArray]  # entries of each row, columns, values


def side_by_side(parts: list[RowParts]) -> RowParts:
    """Join blocks of columns row by row."""
    counts = reduce(np.add, [part[0] for part in parts])
    if len(counts) == 1:  # one text is asked for often, and waited for
        return counts, np.concatenate([part[1] for part in parts]), np.concatenate([part[2] for part in parts])
    columns = np.empty(int(counts.sum()), dtype=np.int32)
    values = np.empty(len(columns), dtype=np.float32)
    begins = np.cumsum(counts) - counts
    for part_counts, part_columns, part_values in parts:
        shift = np.repeat(begins - (np.cumsum(part_counts) - part_counts), part_counts)
        places = shift + np.arange(len(part_columns))
        columns[places], values[places] = part_columns, part_values
        begins = begins + part_counts
    return counts, columns, values


@compiled
def block_rows(
    codes: CodeArray, bounds: Int64Array, classes: BoolArray, characters: bool, low: int, high: int,
    term_codes: CodeArray, term_bounds: Int64Array, table: HashArray, idf: FloatArray, offset: int, sublinear: bool,
    weight: float,
) -> Any:  # fmt: skip
    """One block of columns of a few texts.

    Args:
        codes: Of the texts, as `normalised` gives them.
        bounds: Likewise.
        classes: See `class_table`.
        characters: See `NgramRange`.
        low: Likewise.
        high: Likewise.
        term_codes: Of a vocabulary, see its `arrays`.
        term_bounds: Likewise.
        table: Likewise.
        idf: Of its terms.
        offset: First column.
        sublinear: See `FeatureConfig`.
        weight: l2 norm of a row.

    Returns:
        Entries per row, columns, values.
    """
    buffer, starts, lengths, hashes, pointers = find_slices(
        codes, bounds, classes, characters, low, high, np.uint64(0)
    )
    found = look_up(buffer, starts, lengths, hashes, term_codes, term_bounds, table)
    return _weigh(found, pointers, idf, offset, sublinear, weight)


@compiled
def _weigh(
    found: Int32Array, pointers: Int64Array, idf: FloatArray, offset: int, sublinear: bool, weight: float
) -> Any:
    """Count the columns of each text, weigh them and scale the row to l2 norm `weight`."""
    n_texts = len(pointers) - 1
    counts = np.zeros(n_texts, dtype=np.int64)
    columns = np.empty(len(found), dtype=np.int32)
    values = np.empty(len(found), dtype=np.float32)
    most = 0
    for text in range(n_texts):
        most = max(most, pointers[text + 1] - pointers[text])
    present = np.empty(most, dtype=np.int64)
    written = 0
    for text in range(n_texts):
        size = 0
        for position in range(pointers[text], pointers[text + 1]):
            present[size] = found[position]
            size += found[position] >= 0
        present[:size].sort()
        first, squares, position = written, 0.0, 0
        while position < size:
            column, start = present[position], position
            while position < size and present[position] == column:
                position += 1
            count = position - start
            value = float(idf[column])
            if count > 1:
                value *= 1.0 + np.log(count) if sublinear else float(count)
            columns[written], values[written] = offset + column, value
            squares += value * value
            written += 1
        scale = weight / np.sqrt(squares) if squares > 0 else 0.0
        for place in range(first, written):
            values[place] *= scale
        counts[text] = written - first
    return counts, columns[:written].copy(), values[:written].copy()
