"""A map of the label space: label vectors in the plane, their spanning tree, and communities as its countries."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eclare_py.graph.communities import Communities, most_frequent
from eclare_py.graph.spanning_tree import euclidean_spanning_tree
from eclare_py.report.pictures.canvas import HUES, INK, SOFT, new_figure, shorten, text_sizes, write
from eclare_py.report.pictures.places import place_texts
from eclare_py.types import IntArray

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_WIDTH, _HEIGHT = 10.0, 8.0  # inches
_MARGIN = 24.0  # points
_LETTERS = 24
_NAMED = 28  # communities with a name; the largest of them have a colour too
_STEPS = (5, 100)
_RADII = (1.1, 1.8, 2.8)  # in points, of labels with up to 5, up to 100 and more train documents


def draw_label_map(
    points: npt.NDArray[np.float64],
    labels: IntArray,
    communities: Communities,
    label_texts: Sequence[str],
    frequencies: IntArray,
) -> Figure:
    """Points coloured by community, joined by their Euclidean minimum spanning tree.

    The communities with the most labels on the map have a colour and the name of their most frequent label.

    Args:
        points: (n, 2) of `plane_layout`.
        labels: (n,) the label at each point.
        communities: Of all L labels.
        label_texts: L texts.
        frequencies: (L,) train documents.

    Returns:
        A figure for `to_svg` or `save_picture`.

    Raises:
        UsageError: matplotlib is missing.
    """
    figure, axes = new_figure(_WIDTH, _HEIGHT)
    places = _fit(points)
    member = communities.membership[labels]
    shown = np.bincount(member, minlength=len(communities.sizes))
    shown[communities.sizes < 2] = 0
    named = [one for one in np.argsort(-shown, kind="stable")[:_NAMED].tolist() if shown[one]]
    rank = np.full(len(shown), -1)
    rank[named[: len(HUES)]] = np.arange(min(len(named), len(HUES)))
    colour = rank[member]
    _tree(axes, places, colour)
    _points(axes, places, colour, np.searchsorted(_STEPS, frequencies[labels]))
    anchors = np.array([np.median(places[member == one], axis=0) for one in named]).reshape(-1, 2)
    texts = []
    for one in named:
        words = shorten(label_texts[most_frequent(communities, one, frequencies, 1)[0]], _LETTERS)
        coloured = rank[one] >= 0
        texts.append(
            write(axes, 0, 0, words, 8.5 if coloured else 7.5, colour=INK if coloured else SOFT,
                  weight="bold" if coloured else "normal", zorder=5)
        )  # fmt: skip
    sizes = np.array(text_sizes(figure, texts)).reshape(-1, 2)
    centres, clashes = place_texts(anchors, np.zeros(len(anchors)), sizes, (72 * _WIDTH, 72 * _HEIGHT), over=True)
    for text, centre, clash in zip(texts, centres, clashes.tolist(), strict=True):
        text.set_position(centre)
        text.set_visible(clash == 0)
    return figure


def _points(axes: Axes, places: npt.NDArray[np.float64], colour: IntArray, sizes: IntArray) -> None:
    for place in range(-1, len(HUES)):
        for size, radius in enumerate(_RADII):
            there = places[(colour == place) & (sizes == size)]
            if len(there):
                axes.plot(
                    *there.T, "o", markersize=2 * radius, color=SOFT if place < 0 else HUES[place], markeredgewidth=0,
                    alpha=0.45 if place < 0 else 0.85, zorder=2 if place < 0 else 3,
                )  # fmt: skip


def _fit(points: npt.NDArray[np.float64]) -> npt.NDArray[np.float64]:
    """Points of the picture in points of 1/72 inch, without changing their shape."""
    low, high = points.min(axis=0), points.max(axis=0)
    room = np.array([72 * _WIDTH - 2 * _MARGIN, 72 * _HEIGHT - 2 * _MARGIN])
    scale = (room / np.maximum(high - low, np.finfo(np.float64).tiny)).min() if (high > low).any() else 1.0
    return _MARGIN + room / 2 + (points - (low + high) / 2) * scale


def _tree(axes: Axes, places: npt.NDArray[np.float64], colour: IntArray) -> None:
    from matplotlib.collections import PathCollection
    from matplotlib.path import Path

    ends = euclidean_spanning_tree(places)
    group = np.where(colour[ends[:, 0]] == colour[ends[:, 1]], colour[ends[:, 0]], -1)
    for place in np.unique(group).tolist():
        lines = places[ends[group == place]].reshape(-1, 2)
        codes = np.tile([Path.MOVETO, Path.LINETO], len(lines) // 2)
        axes.add_collection(
            PathCollection(
                [Path(lines, codes)], facecolors="none", edgecolors=SOFT if place < 0 else HUES[place],
                linewidths=0.5 if place < 0 else 0.8, alpha=0.5, zorder=1,
            )
        )  # fmt: skip
