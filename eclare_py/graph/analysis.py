"""A label graph looked at from all sides: one value, plain enough for JSON."""

from __future__ import annotations

import dataclasses
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from eclare_py.errors import UsageError
from eclare_py.graph.agreement import DocumentAgreement, TextAgreement, document_agreement, text_agreement
from eclare_py.graph.communities import Communities, find_communities, most_frequent
from eclare_py.graph.distribution import DegreeBin, Hub, SizeBin, component_sizes, degree_distribution, hubs
from eclare_py.graph.edges import undirected
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.graph.overview import GraphSummary, summary
from eclare_py.sparse import row_ids
from eclare_py.types import Csr, IntArray

LARGEST = 12  # communities and hubs that are listed
_EXAMPLES = 5


@dataclass(frozen=True)
class Community:
    """One community.

    Attributes:
        labels: Its labels.
        documents: Train documents of its labels, added up.
        inside: Share of the edge weight of its labels that stays inside.
        examples: Texts of its most frequent labels; the first one names it.
    """

    labels: int
    documents: int
    inside: float
    examples: list[str]


@dataclass(frozen=True)
class GraphAnalysis:
    """What is known of a label graph; shares are 0 to 1.

    Attributes:
        kind: What its weights are.
        seed: Of the communities and of the random pairs.
        summary: Counts.
        degrees: Labels by number of neighbours, and by number of labels whose neighbour they are.
        components: Components by size.
        communities: Communities of at least two labels.
        modularity: Of the division into communities.
        largest_communities: The largest of them.
        hubs: The labels that are the neighbour of most others.
        text: Agreement of edges with label texts.
        documents: Agreement of edges with test documents; None without these.
    """

    kind: str
    seed: int
    summary: GraphSummary
    degrees: list[DegreeBin]
    components: list[SizeBin]
    communities: int
    modularity: float
    largest_communities: list[Community]
    hubs: list[Hub]
    text: list[TextAgreement]
    documents: list[DocumentAgreement] | None

    def to_mapping(self) -> dict[str, Any]:
        """Plain data."""
        return dataclasses.asdict(self)


def analyze(
    graph: LabelGraph,
    label_texts: Sequence[str],
    text_vectors: Csr,
    frequencies: IntArray,
    *,
    test_labels: Csr | None = None,
    communities: Communities | None = None,
    seed: int = 0,
) -> GraphAnalysis:
    """Look at a label graph from all sides.

    Args:
        graph: The graph.
        label_texts: L texts.
        text_vectors: (L, V) TF-IDF of them.
        frequencies: (L,) train documents.
        test_labels: (N, L) label matrix of documents that the graph was not built from.
        communities: Where they are known already.
        seed: Of the communities and of the random pairs; the same seed gives the same analysis.

    Raises:
        UsageError: The parts do not have one number of labels.
    """
    for name, count in (("label_texts", len(label_texts)), ("text_vectors", text_vectors.shape[0])):
        if count != graph.n_labels:
            raise UsageError(f"{name} has {count} entries, the graph {graph.n_labels} labels")
    counts = summary(graph, frequencies)
    communities = communities or find_communities(graph, seed=seed)
    return GraphAnalysis(
        kind=graph.kind,
        seed=seed,
        summary=counts,
        degrees=degree_distribution(graph),
        components=component_sizes(graph),
        communities=int((communities.sizes > 1).sum()),
        modularity=communities.modularity,
        largest_communities=_largest(graph, communities, label_texts, frequencies),
        hubs=hubs(graph, label_texts, frequencies, top=LARGEST),
        text=text_agreement(graph, label_texts, text_vectors, frequencies, seed=seed),
        documents=None if test_labels is None else document_agreement(graph, test_labels, frequencies, seed=seed),
    )


def _largest(
    graph: LabelGraph, communities: Communities, label_texts: Sequence[str], frequencies: IntArray
) -> list[Community]:
    weights = undirected(graph.normalized)
    member, sizes = communities.membership, communities.sizes
    home = member[row_ids(weights)]
    inside = np.bincount(home, weights.data * (home == member[weights.indices]), minlength=len(sizes))
    total = np.bincount(home, weights.data, minlength=len(sizes))
    documents = np.bincount(member, frequencies, minlength=len(sizes))
    return [
        Community(
            labels=int(sizes[place]),
            documents=int(documents[place]),
            inside=float(inside[place] / total[place]),
            examples=[label_texts[label] for label in most_frequent(communities, place, frequencies, _EXAMPLES)],
        )
        for place in range(min(LARGEST, int((sizes > 1).sum())))
    ]
