"""Communities of a label graph: groups of labels with more edges inside than chance would give."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from eclare_py.graph.edges import undirected
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.types import IntArray


@dataclass(frozen=True, eq=False)
class Communities:
    """A division of the labels into groups.

    Attributes:
        membership: (L,) community of each label; 0 is the largest, ties by their first label. A label without an edge
            is a community of its own.
        modularity: Q of Newman (2004): share of edge weight inside communities, less what chance would put there.
    """

    membership: IntArray
    modularity: float

    @property
    def sizes(self) -> IntArray:
        """Labels of each community, largest first."""
        return np.bincount(self.membership).astype(np.int64)


def find_communities(graph: LabelGraph, *, seed: int = 0) -> Communities:
    """Louvain communities (Blondel et al., J. Stat. Mech. 2008) of the undirected graph.

    Edge weights are the normalised ones, both directions averaged: with symmetric normalisation hubs do not swallow
    everything around them, and a pair that is seen once does not outweigh the rest.

    Args:
        graph: The graph; 100,000 edges take a few seconds, ten million would take many minutes.
        seed: Of the order in which labels are visited.
    """
    import networkx as nx

    network = nx.from_scipy_sparse_array(undirected(graph.normalized))
    groups = nx.community.louvain_communities(network, seed=seed)
    modularity = nx.community.modularity(network, groups) if network.size() else 0.0
    membership = np.empty(graph.n_labels, dtype=np.int64)
    for place, group in enumerate(sorted(groups, key=lambda group: (-len(group), min(group)))):
        membership[list(group)] = place
    return Communities(membership, float(modularity))


def most_frequent(communities: Communities, place: int, frequencies: IntArray, top: int) -> list[int]:
    """The labels of a community with the most train documents, ties by lower id."""
    labels = np.flatnonzero(communities.membership == place)
    return labels[np.argsort(-frequencies[labels], kind="stable")][:top].tolist()
