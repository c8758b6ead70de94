"""Relations between labels that the data bring along, e.g. those of a thesaurus: label_edges.txt of a data folder.

A line is "source target relation": two row numbers of the label file, counted from 0, and one of `RELATIONS`.
"12 7 broader" says that label 7 is broader than label 12. One direction is enough: an edge holds both ways.
"""

from __future__ import annotations

from array import array
from collections.abc import Iterable
from pathlib import Path

import numpy as np

from eclare_py.data.lines import LineReader
from eclare_py.data.problems import Place, Report, show
from eclare_py.data.settings import did_you_mean
from eclare_py.types import IntArray

EDGES = "label_edges.txt"
# A relation is kept as its place here. The order is that of preference where a label may keep only some of its edges:
# what it is a kind of tells more about a label than the many kinds there are of it.
RELATIONS = ("broader", "related", "narrower")


def no_edges() -> IntArray:
    """(0, 3) label edges."""
    return np.empty((0, 3), dtype=np.int64)


def sorted_edges(edges: Iterable[tuple[int, int, int]] | IntArray) -> IntArray:
    """(E, 3) int64, sorted and unique, of any edges."""
    found = np.array(edges if isinstance(edges, np.ndarray) else list(edges), dtype=np.int64).reshape(-1, 3)
    return np.unique(found, axis=0) if len(found) else no_edges()


def check_edges(edges: IntArray, n_labels: int) -> None:
    """Check edges that came from outside.

    Raises:
        ValueError: Not (E, 3) int64 sorted and unique, an end outside the labels, a self loop, an unknown relation.
    """
    if edges.ndim != 2 or edges.shape[1] != 3 or edges.dtype != np.int64:
        raise ValueError(f"label_edges must be (E, 3) int64, got {edges.shape} {edges.dtype}")
    if not len(edges):
        return
    if edges.min() < 0 or edges[:, :2].max() >= n_labels or edges[:, 2].max() >= len(RELATIONS):
        raise ValueError(
            f"label_edges reach {edges.max(axis=0).tolist()}, outside {n_labels} labels and {len(RELATIONS)} relations"
        )
    if np.any(edges[:, 0] == edges[:, 1]):
        raise ValueError("label_edges hold an edge from a label to itself")
    keys = (edges[:, 0] * n_labels + edges[:, 1]) * len(RELATIONS) + edges[:, 2]
    if np.any(np.diff(keys) <= 0):
        raise ValueError("label_edges must be sorted and unique")


def read_edges(path: Path, n_labels: int | None, report: Report) -> IntArray:
    """Read label_edges.txt.

    Args:
        path: The file; its lines may stand in any order, and may repeat.
        n_labels: L; None where the labels could not be read, then row numbers have no upper end.
        report: Told every problem.

    Returns:
        (E, 3) int64, sorted and unique: source, target, place in `RELATIONS`.
    """
    place, flat = Place(path, report), array("q")
    for place.line, line in LineReader(path, report):
        if line is not None and (edge := _edge(line, n_labels, place)) is not None:
            flat.extend(edge)
    return sorted_edges(np.array(flat, dtype=np.int64))


def _edge(line: str, n_labels: int | None, place: Place) -> tuple[int, int, int] | None:
    words = line.split()
    if len(words) != 3 or not all(word.isascii() and word.isdigit() and len(word) < 19 for word in words[:2]):
        place.fault(f'{show(line)} is no edge: write "source target relation", both row numbers counted from 0')
        return None
    source, target = int(words[0]), int(words[1])
    if words[2] not in RELATIONS:
        guess = did_you_mean(words[2], RELATIONS)
        place.fault(f"relation {show(words[2])} is unknown{guess}: choose one of {', '.join(RELATIONS)}")
        return None
    for label in (source, target):
        if n_labels is not None and label >= n_labels:
            place.fault(f"label {label} is outside 0..{n_labels - 1}: remove the line or correct it")
            return None
    if source == target:
        place.fault(f"label {source} is {words[2]} to itself: remove the line")
        return None
    return source, target, RELATIONS.index(words[2])
