"""Compiled beam search over the levels of a linear ranker; paths may end on any level."""

from __future__ import annotations

import numpy as np
from numba import njit

from eclare_py.index.selection import drain, offer
from eclare_py.linear.chunks import ChunkArrays
from eclare_py.linear.walks import add_products, choose
from eclare_py.threads import over_rows
from eclare_py.types import FloatArray, IntArray


@njit(cache=True, nogil=True)
def log_score(margin: float, power: int) -> float:
    """Log of f(v): -max(0, 1 - v)^power, or of the sigmoid where `power` is 0."""
    if power:
        below = max(0.0, 1.0 - margin)
        total = below
        for _ in range(power - 1):
            total *= below
        return -total
    if margin >= 0:
        return -np.log1p(np.exp(-margin))
    return margin - np.log1p(np.exp(margin))


@njit(cache=True, nogil=True)
def _select(
    first: int, last: int, parents: IntArray, above: FloatArray, child_ptr: IntArray, out_ptr: IntArray,
    margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    """The best children of one document's blocks; ties by node."""
    kept, places, size = np.empty(nodes.shape[0], np.float32), np.empty(nodes.shape[0], np.int64), 0
    for block in range(first, last):
        child = child_ptr[parents[block]] - out_ptr[block]
        for place in range(out_ptr[block], out_ptr[block + 1]):
            score = np.float32(above[block] + log_score(margins[place], power))
            if size < kept.shape[0] or score >= kept[0]:
                # The heap breaks ties by what it is given: node first, place in the low bits.
                size = offer(kept, places, size, score, ((child + place) << 32) | place)
    drain(kept, places, size)
    for i in range(size):
        nodes[i], scores[i], own[i] = places[i] >> 32, kept[i], margins[places[i] & 0xFFFFFFFF]


def select_rows(
    block_ptr: IntArray, parents: IntArray, above: FloatArray, child_ptr: IntArray, out_ptr: IntArray,
    margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    """The best children of every document.

    Args:
        block_ptr: (B+1,) blocks of each document.
        parents: (m,) parent of each block.
        above: (m,) log score of its path.
        child_ptr: (P+1,) children of all parents.
        out_ptr: (m+1,) products of each block.
        margins: The products.
        power: Of the score, see `log_score`.
        nodes: (B, b) receives children, score descending; holds -1 before.
        scores: (B, b) receives logs of their paths; holds -inf before.
        own: (B, b) receives their products.
    """
    arrays = (block_ptr, parents, above, child_ptr, out_ptr, margins, power, nodes, scores, own)
    over_rows(_select_rows, len(nodes), *arrays, at_once=64)


@njit(cache=True, nogil=True)
def _select_rows(
    start: int, stop: int, block_ptr: IntArray, parents: IntArray, above: FloatArray, child_ptr: IntArray,
    out_ptr: IntArray, margins: FloatArray, power: int, nodes: IntArray, scores: FloatArray, own: FloatArray,
) -> None:  # fmt: skip
    for row in range(start, stop):
        _select(
            block_ptr[row], block_ptr[row + 1], parents, above, child_ptr, out_ptr, margins, power, nodes[row],
            scores[row], own[row],
        )  # fmt: skip


@njit(cache=True, nogil=True)
def _search_row(
    x_columns: np.ndarray, x_values: FloatArray, depths: int, turns: IntArray, chunks: ChunkArrays, beam: int,
    power: int, close: float, labels: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """`search_rows` of one document: positions of labels.

    Scores only fall along a path, so a node worse than the last label that would be returned is not opened.
    """
    parents, above, done = np.zeros(1, np.int64), np.zeros(1, np.float32), 0
    for _ in range(depths):
        found, chances, size = np.empty(beam, np.int64), np.empty(beam, np.float32), 0
        for block in range(parents.shape[0]):
            if done == labels.shape[0] and above[block] < scores[0]:
                break
            chunk = parents[block]
            first, last = chunks.child_ptr[chunk], chunks.child_ptr[chunk + 1]
            margins = chunks.bias[first:last].copy()
            walk = choose(x_columns.shape[0], chunks.row_ptr[chunk + 1] - chunks.row_ptr[chunk], 1)
            add_products(chunk, walk, x_columns, x_values, chunks, margins)
            for child in range(first, last):
                score, turn = np.float32(above[block] + log_score(margins[child - first], power)), turns[child]
                if turn >= 0:
                    if size < beam or score >= chances[0]:
                        size = offer(chances, found, size, score, turn)
                elif done < labels.shape[0] or score >= scores[0]:
                    done = offer(scores, labels, done, score, -1 - turn)
        drain(chances, found, size)
        best = np.float32(-np.inf)
        if size:
            best = chances[0]
        for i in range(done):
            best = max(best, scores[i])
        while size and chances[size - 1] < best - np.float32(close):
            size -= 1
        parents, above = found[:size], chances[:size]
    drain(scores, labels, done)
    labels[done:], scores[done:] = -1, -np.inf


@njit(cache=True, nogil=True)
def search_rows(
    start: int, stop: int, x_ptr: np.ndarray, x_columns: np.ndarray, x_values: FloatArray, n_features: int,
    depths: int, turns: IntArray, chunks: ChunkArrays, beam: int, power: int, close: float, label_order: IntArray,
    labels: IntArray, scores: FloatArray,
) -> None:  # fmt: skip
    """Beam search of the documents start..stop-1 over joined levels, one after the other.

    Args:
        start: First of them.
        stop: Behind the last one.
        x_ptr: (B+1,) rows of B documents.
        x_columns: Their columns, ascending.
        x_values: Their values.
        n_features: Columns from here on have no weights, and are left out.
        depths: Number of levels.
        turns: (n,) chunk below each child, or -1 - (position of the label) where it is one.
        chunks: The joined levels.
        beam: Inner nodes kept on each level.
        power: Of the score, see `log_score`.
        close: Most that the log of a kept path may lie below the best one.
        label_order: (L,) label at each position.
        labels: (B, k) receives labels, best first, ties by position; -1 where fewer.
        scores: (B, k) receives the logs of their paths; -inf where fewer.
    """
    for row in range(start, stop):
        begin = x_ptr[row]
        end = begin + np.searchsorted(x_columns[begin : x_ptr[row + 1]], n_features)
        _search_row(
            x_columns[begin:end], x_values[begin:end], depths, turns, chunks, beam, power, close, labels[row],
            scores[row],
        )  # fmt: skip
        for i in range(labels.shape[1]):
            if labels[row, i] >= 0:
                labels[row, i] = label_order[labels[row, i]]
