"""Propagation of label vectors over the label graph, by PyG layers on a `torch.sparse_csr` adjacency.

PyG calls the sparse matrix it wants `adj_t`: row = receiving node, column = sending node. A `LabelGraph` holds the
neighbours that label l listens to in row l, so its CSR is passed as it is and a layer computes `normalized @ x`:
there is nothing to transpose, symmetric or not. The adjacency is normalised once, beforehand; the layers
do not do it again. The edge-list path of the same layers takes several times the time and memory, because it holds
(E, d) messages.
"""

from __future__ import annotations

import warnings
from collections.abc import Callable
from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from eclare_py.errors import ConfigError
from eclare_py.types import Csr, check_csr


def unchecked_csr(pattern: Tensor, values: Tensor) -> Tensor:
    """A CSR tensor with the structure of an already checked one and other values."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        return torch.sparse_csr_tensor(
            pattern.crow_indices(), pattern.col_indices(), values, size=pattern.shape, check_invariants=False
        )


def to_torch_csr(matrix: Csr, *, device: torch.device | str | None = None) -> Tensor:
    """Checked CSR to a float32 `torch.sparse_csr` tensor.

    Args:
        matrix: (L, L) CSR, or any other shape.
        device: Where to put it.

    Raises:
        ValueError: The CSR is not valid; torch itself would read outside its memory.
    """
    check_csr(matrix, name="adjacency")
    pointers, indices = (torch.from_numpy(part.astype(np.int64)) for part in (matrix.indptr, matrix.indices))
    values = torch.from_numpy(matrix.data.astype(np.float32))
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Sparse CSR tensor support is in beta")
        tensor = torch.sparse_csr_tensor(pointers, indices, values, size=matrix.shape, check_invariants=True)
    return tensor if device is None else tensor.to(device)


def _simple(dim: int) -> torch.nn.Module:
    """X' = G x, no parameters (PyG SimpleConv; ECLARE's graph convolution on the raw text embedding)."""
    from torch_geometric.nn import SimpleConv

    return SimpleConv(aggr="sum")


def _light(dim: int) -> torch.nn.Module:
    """X' = G x, no parameters (PyG LGConv; LightGCN, He et al. 2020); the values of "simple" from another layer."""
    from torch_geometric.nn import LGConv

    return LGConv(normalize=False)


def _gcn(dim: int) -> torch.nn.Module:
    """X' = G x W^T + b (PyG GCNConv; Kipf and Welling 2017). W starts as identity: training starts from "simple"."""
    from torch_geometric.nn import GCNConv

    layer = GCNConv(dim, dim, normalize=False)
    with torch.no_grad():
        layer.lin.weight.copy_(torch.eye(dim))
    return layer


def _attention(dim: int) -> torch.nn.Module:
    """See `CsrAttention`; starts from the row-normalised graph."""
    from eclare_py.graph.attention import CsrAttention

    return CsrAttention(dim)


# One layer per hop, made from d; called as layer(x, adjacency).
PROPAGATIONS: dict[str, Callable[[int], torch.nn.Module]] = {
    "simple": _simple,
    "light": _light,
    "gcn": _gcn,
    "attention": _attention,
}
LEARNED = ("gcn", "attention")  # kinds with parameters


@dataclass(frozen=True)
class PropagationConfig:
    """How label vectors travel over the graph.

    Attributes:
        kind: "simple" or "light" (no parameters), "gcn" (a matrix per hop) or "attention" (learned edge weights).
        hops: Hops; ECLARE uses 1.
    """

    kind: str = field(default="simple", metadata={"choices": tuple(PROPAGATIONS)})
    hops: int = field(default=1, metadata={"low": 0, "high": 8})

    def __post_init__(self) -> None:
        if self.kind not in PROPAGATIONS:
            raise ConfigError(f"propagation.kind={self.kind!r} is unknown: choose one of {', '.join(PROPAGATIONS)}")
        if not 0 <= self.hops <= 8:
            raise ConfigError(f"propagation.hops={self.hops} is outside 0..8")


class Propagation(torch.nn.Module):
    """Vectors of every hop: [x, h(x), h(h(x)), ...].

    Args:
        dim: d.
        config: Kind and number of hops.

    Shapes:
        x (L, d), adjacency sparse CSR (L, L) -> list of hops + 1 tensors (L, d). Gradients flow to x, and to the
        parameters of the kinds that have some; never to the adjacency.
    """

    def __init__(self, dim: int, config: PropagationConfig | None = None) -> None:
        super().__init__()
        self.config = config or PropagationConfig()
        self.dim = dim
        # Layers without parameters are made when they are first called, which is never where hops are folded into
        # features: importing PyG takes seconds.
        learned = self.config.kind in LEARNED
        self.layers = torch.nn.ModuleList(self._layer() for _ in range(self.config.hops if learned else 0))

    def _layer(self) -> torch.nn.Module:
        return PROPAGATIONS[self.config.kind](self.dim)

    def forward(self, x: Tensor, adjacency: Tensor) -> list[Tensor]:
        """Propagate; the input is hop 0.

        Raises:
            ValueError: The adjacency is not a CSR tensor that fits x.
        """
        if adjacency.layout != torch.sparse_csr or tuple(adjacency.shape) != (len(x), len(x)):
            raise ValueError(
                f"adjacency is {adjacency.layout} {tuple(adjacency.shape)}, expected sparse_csr {(len(x), len(x))}: "
                "make it with to_torch_csr"
            )
        vectors = [x]
        layers = self.layers if self.config.kind in LEARNED else [self._layer()] * self.config.hops
        for layer in layers:
            vectors.append(layer(vectors[-1], adjacency))
        return vectors
