"""The label graph: built from train rows, kept as CSR, used by encoders, index and fusion.

Names are looked up lazily, so that `import eclare_py.graph` loads neither numba nor torch nor torch_geometric.
"""

from __future__ import annotations

from importlib import import_module
from typing import Any

_HOMES = {
    "GraphConfig": "build",
    "build_label_graph": "build",
    "LabelGraph": "label_graph",
    "walk_counts": "walks",
    "closed_form_walk": "closed_form",
    "cooccurrence_graph": "cooccurrence",
    "WEIGHTINGS": "cooccurrence",
    "prune_by_text": "edges",
    "normalize_edges": "normalize",
    "set_self_loops": "normalize",
    "Propagation": "propagate",
    "PropagationConfig": "propagate",
    "PROPAGATIONS": "propagate",
    "to_torch_csr": "propagate",
    "summary": "overview",
    "GraphSummary": "overview",
    "analyze": "analysis",
    "GraphAnalysis": "analysis",
    "find_communities": "communities",
    "Communities": "communities",
    "euclidean_spanning_tree": "spanning_tree",
    "plane_layout": "layout",
    "to_networkx": "export",
    "to_pyg_data": "export",
}
__all__ = sorted(_HOMES)


def __getattr__(name: str) -> Any:  # noqa: ANN401 - one door for values of many types
    """Import the module that holds `name` on first use."""
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
