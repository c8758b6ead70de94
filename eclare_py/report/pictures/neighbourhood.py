"""A picture of the labels around one label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from eclare_py.errors import UsageError
from eclare_py.graph.edges import undirected
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.report.pictures.canvas import INK, LINE, MAIN, PALE, SOFT, new_figure, shorten, text_sizes, write
from eclare_py.report.pictures.places import place_texts
from eclare_py.types import Csr, IntArray

if TYPE_CHECKING:
    from matplotlib.figure import Figure

MAX_LABELS = 40
_WIDTH, _HEIGHT = 10.0, 7.0  # inches
_MARGIN = np.array([50.0, 20.0])  # points
_LETTERS = 30


@dataclass(frozen=True, eq=False)
class Neighbourhood:
    """A label and the labels around it, edges taken without direction.

    Attributes:
        labels: (n,) ids; the label itself, then its neighbours, then theirs, each by weight.
        hops: (n,) 0, 1 or 2.
        ends: (m, 2) places in `labels` of the edges among them.
        weights: (m,) their weights, both directions averaged.
        left_out: Neighbours of the label itself that are not shown.
    """

    labels: IntArray
    hops: IntArray
    ends: IntArray
    weights: npt.NDArray[np.float64]
    left_out: int


def neighbourhood(graph: LabelGraph, label: int, *, hops: int = 2, limit: int = MAX_LABELS) -> Neighbourhood:
    """The strongest part of what is around a label.

    Args:
        graph: The graph.
        label: Label id.
        hops: 1: its neighbours, and labels whose neighbour it is; 2: theirs too, which then have at least half of the
            places.
        limit: Labels at most, itself included.

    Raises:
        UsageError: There is no such label, or hops is not 1 or 2, or limit below 2.
    """
    if not 0 <= label < graph.n_labels:
        raise UsageError(f"label {label} is outside the labels 0..{graph.n_labels - 1}")
    return strongest_around(undirected(graph.adjacency), label, hops=hops, limit=limit)


def strongest_around(weights: Csr, label: int, *, hops: int = 2, limit: int = MAX_LABELS) -> Neighbourhood:
    """`neighbourhood` from the (L, L) `undirected` edges, for those who ask often.

    Raises:
        UsageError: hops is not 1 or 2, or limit below 2.
    """
    if hops not in (1, 2) or limit < 2:
        raise UsageError(f"hops={hops}, limit={limit}: hops must be 1 or 2, limit at least 2")
    near = weights[[label]]
    first = near.indices[np.lexsort((near.indices, -near.data))][: limit - 1 if hops == 1 else max(limit // 2, 1)]
    labels = np.concatenate([[label], first]).astype(np.int64)
    if hops == 2 and len(first):
        reach = weights[[label]][:, first].toarray().ravel()
        score = weights[first].multiply(reach[:, None]).max(axis=0).toarray().ravel()
        score[labels] = 0
        order = np.lexsort((np.arange(len(score)), -score))[: limit - len(labels)]
        labels = np.concatenate([labels, order[score[order] > 0]])
    inner = weights[labels][:, labels].tocoo()
    once = inner.row < inner.col
    return Neighbourhood(
        labels=labels,
        hops=np.repeat([0, 1, 2], [1, len(first), len(labels) - 1 - len(first)]),
        ends=np.stack([inner.row[once], inner.col[once]], axis=1).astype(np.int64),
        weights=inner.data[once].astype(np.float64),
        left_out=near.nnz - len(first),
    )


def draw_neighbourhood(
    around: Neighbourhood, label_texts: Sequence[str], frequencies: IntArray, *, seed: int = 0
) -> Figure:
    """Discs as large as the labels are frequent, lines as wide as the edges are heavy.

    Args:
        around: What to show.
        label_texts: L texts.
        frequencies: (L,) train documents.
        seed: Of the spring layout (Fruchterman and Reingold 1991); the same seed gives the same picture.

    Returns:
        A figure for `to_svg` or `save_picture`.

    Raises:
        UsageError: matplotlib is missing.
    """
    figure, axes = new_figure(_WIDTH, _HEIGHT)
    places = _layout(around, seed)
    radii = 3.0 + 2.2 * np.log10(1 + frequencies[around.labels])
    heaviest = around.weights.max(initial=0.0) or 1.0
    for (left, right), weight in zip(around.ends.tolist(), (around.weights / heaviest).tolist(), strict=True):
        x, y = places[[left, right]].T
        own = left == 0  # the label itself stands first
        axes.plot(x, y, color=SOFT if own else LINE, linewidth=0.6 + 3.0 * weight, zorder=2 if own else 1,
                  solid_capstyle="round")  # fmt: skip
    for place, radius, hop in zip(places, radii.tolist(), around.hops.tolist(), strict=True):
        fill, rim = ((INK, INK), (MAIN, MAIN), (PALE, MAIN))[hop]
        axes.plot(*place, "o", markersize=2 * radius, color=fill, markeredgecolor=rim, markeredgewidth=0.8, zorder=3)
    texts = [
        write(axes, 0, 0, shorten(label_texts[label], _LETTERS), 10 if hop == 0 else 7.5, zorder=4,
              colour=INK if hop < 2 else SOFT, weight="bold" if hop == 0 else "normal")
        for label, hop in zip(around.labels.tolist(), around.hops.tolist(), strict=True)
    ]  # fmt: skip
    sizes = np.array(text_sizes(figure, texts))
    centres, _ = place_texts(places, radii, sizes, (72 * _WIDTH, 72 * _HEIGHT))
    for text, centre in zip(texts, centres, strict=True):
        text.set_position(centre)
    return figure


def _layout(around: Neighbourhood, seed: int) -> npt.NDArray[np.float64]:
    """(n, 2) places in points, spread over the picture."""
    import networkx as nx

    network = nx.Graph()
    network.add_nodes_from(range(len(around.labels)))
    heaviest = around.weights.max(initial=0.0) or 1.0
    edges = zip(around.ends.tolist(), (around.weights / heaviest).tolist(), strict=True)
    # Roots keep light edges from being drawn out to the rim.
    network.add_weighted_edges_from((*ends, weight**0.5) for ends, weight in edges)
    begun = nx.kamada_kawai_layout(network, weight=None)
    found = nx.spring_layout(network, pos=begun, k=2.0 / len(network) ** 0.5, iterations=15, seed=seed)
    places = np.array([found[node] for node in network])
    low, high = places.min(axis=0), places.max(axis=0)
    room = np.array([72 * _WIDTH, 72 * _HEIGHT]) - 2 * _MARGIN
    middle = np.where(high > low, (places - low) / np.where(high > low, high - low, 1), 0.5)
    return _MARGIN + middle * room
