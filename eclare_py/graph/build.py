"""GraphConfig and the one entry that builds a label graph from it."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import Any

from eclare_py.distributed import Group
from eclare_py.errors import ConfigError, UsageError
from eclare_py.graph.bipartite import HEAD_MODES, HUB_MODES
from eclare_py.graph.closed_form import closed_form_walk
from eclare_py.graph.cooccurrence import WEIGHTINGS, cooccurrence_graph
from eclare_py.graph.edges import prune_by_text
from eclare_py.graph.given import join_given
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.graph.normalize import NORMALIZATIONS, SELF_LOOPS, set_self_loops
from eclare_py.graph.walks import walk_counts
from eclare_py.sparse import top_k_rows
from eclare_py.types import Csr, FloatArray, IntArray

KINDS = ("walk", "walk-exact", *WEIGHTINGS)
# Pruning comes before the top-k, as in ECLARE; so many times top_k edges are counted for it to choose from.
_PRUNE_CANDIDATES = 4


@dataclass(frozen=True)
class GraphConfig:
    """How the label graph is made; the defaults are ECLARE's.

    Attributes:
        kind: "walk" (sampled), "walk-exact" (its expectation, for small sets) or a co-occurrence weighting.
        walk_length: Hops of the walk from each label ("walk").
        restart: Probability to return to the start before a hop ("walk", "walk-exact").
        top_k: Neighbours kept per label besides itself.
        head_threshold: Labels with more train documents are head labels; None: no label is.
        head_mode: "isolate": a self loop only; "source": neighbours, but nobody's neighbour; "keep": as any label.
        hub_documents: Documents with more labels are hubs; None: no document is.
        hub_mode: "skip" hubs or "weight" them by hub_documents / labels.
        min_count: Documents a pair of labels must share (co-occurrence weightings only).
        prune_below: Edges with a smaller cosine of the label texts are dropped; None: no pruning.
        self_loops: "keep", "max", "one" or "none", see `set_self_loops`.
        normalization: "symmetric", "row" or "none".
        given_weight: Weight of an edge that the data bring along (a thesaurus), against the mean edge of its label; 0:
            not used. Pruning and the head threshold do not touch these edges.
    """

    kind: str = field(default="walk", metadata={"choices": KINDS})
    walk_length: int = field(default=400, metadata={"low": 1})
    restart: float = field(default=0.8, metadata={"low": 0.01, "high": 1.0})
    top_k: int = field(default=10, metadata={"low": 1})
    head_threshold: int | None = field(default=500, metadata={"low": 1})
    head_mode: str = field(default="isolate", metadata={"choices": HEAD_MODES})
    hub_documents: int | None = field(default=None, metadata={"low": 1})
    hub_mode: str = field(default="skip", metadata={"choices": HUB_MODES})
    min_count: float = field(default=1.0, metadata={"low": 0.0})
    prune_below: float | None = field(default=None, metadata={"low": -1.0, "high": 1.0})
    self_loops: str = field(default="keep", metadata={"choices": SELF_LOOPS})
    normalization: str = field(default="symmetric", metadata={"choices": NORMALIZATIONS})
    given_weight: float = field(default=0.0, metadata={"low": 0.0, "high": 100.0})

    def __post_init__(self) -> None:
        for entry in fields(self):
            value, rules = getattr(self, entry.name), entry.metadata
            if value is None:
                continue
            if "choices" in rules and value not in rules["choices"]:
                choices = ", ".join(rules["choices"])
                raise ConfigError(f"graph.{entry.name}={value!r} is unknown: choose one of {choices}")
            if "low" in rules and not rules["low"] <= value <= rules.get("high", float("inf")):
                raise ConfigError(
                    f"graph.{entry.name}={value} is outside {rules['low']}..{rules.get('high', 'infinity')}"
                )


def _raw_graph(labels: Csr, config: GraphConfig, top_k: int, seed: int, group: Group | None) -> Csr:
    """Weights before pruning and self loops."""
    treated: dict[str, Any] = {
        "head_threshold": config.head_threshold, "head_mode": config.head_mode,
        "hub_documents": config.hub_documents, "hub_mode": config.hub_mode,
    }  # fmt: skip
    if config.kind == "walk":
        return walk_counts(
            labels, walk_length=config.walk_length, restart=config.restart, top_k=top_k, seed=seed, **treated
        )
    if config.kind == "walk-exact":
        return closed_form_walk(labels, restart=config.restart, top_k=top_k, **treated)
    return cooccurrence_graph(
        labels, weighting=config.kind, top_k=top_k, min_count=config.min_count, group=group, **treated
    )


def build_label_graph(
    labels: Csr,
    config: GraphConfig | None = None,
    *,
    label_vectors: FloatArray | Csr | None = None,
    given: IntArray | None = None,
    seed: int = 0,
    group: Group | None = None,
) -> LabelGraph:
    """Build the label graph of a training set.

    Args:
        labels: (N, L) label matrix of the train documents only.
        config: How; ECLARE's own settings where not given.
        label_vectors: (L, d) dense or (L, V) sparse label text vectors, needed for pruning.
        given: (E, 3) edges of the data, see `join_given`; they count where `given_weight` is above 0.
        seed: Seed of the walks; the other kinds are deterministic.
        group: Processes that build the same graph together; walks, which each does whole, are not shared out.

    Returns:
        The graph with raw and normalised weights. Every label has a row; labels without documents have a self loop
        only (nothing at all with self_loops="none").

    Raises:
        UsageError: Pruning is asked for without label vectors, or these do not fit the labels.
    """
    config = config or GraphConfig()
    pruned = config.prune_below is not None
    if pruned and label_vectors is None:
        raise UsageError(f"prune_below={config.prune_below} needs label_vectors; pass them or set it to None")
    graph = _raw_graph(labels, config, config.top_k * (_PRUNE_CANDIDATES if pruned else 1), seed, group)
    if config.prune_below is not None and label_vectors is not None:
        graph = top_k_rows(prune_by_text(graph, label_vectors, config.prune_below), config.top_k)
    if given is not None:
        graph = join_given(graph, given, weight=config.given_weight, top_k=config.top_k)
    graph = set_self_loops(graph, config.self_loops)
    return LabelGraph.from_adjacency(graph, kind=config.kind, normalization=config.normalization)
