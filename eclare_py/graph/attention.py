"""Graph attention over the edges of a CSR adjacency, with memory O(E + L d) instead of O(E d)."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor
from torch_geometric.nn import MessagePassing
from torch_geometric.utils import softmax

from eclare_py.graph.propagate import unchecked_csr

_EDGE_BLOCK = 65_536  # edges whose (d,) vectors are held at once in the backward pass
_TINY = 1e-30


class _WeightedSum(torch.autograd.Function):
    """out_l = sum_m weight_lm x_m with gradients to weights and x; torch's own would need sampled_addmm of MKL."""

    @staticmethod
    def forward(ctx: Any, adjacency: Tensor, weights: Tensor, x: Tensor) -> Tensor:
        ctx.save_for_backward(adjacency, weights, x)
        return unchecked_csr(adjacency, weights) @ x

    @staticmethod
    def backward(ctx: Any, *grads: Tensor) -> tuple[None, Tensor | None, Tensor | None]:
        (grad,) = grads
        adjacency, weights, x = ctx.saved_tensors
        grad_x = grad_weights = None
        if ctx.needs_input_grad[2]:
            grad_x = unchecked_csr(adjacency, weights).t() @ grad
        if ctx.needs_input_grad[1]:
            grad_weights = torch.empty_like(weights)
            rows, columns = edge_rows(adjacency), adjacency.col_indices()
            for first in range(0, len(weights), _EDGE_BLOCK):
                part = slice(first, first + _EDGE_BLOCK)
                grad_weights[part] = (grad[rows[part]] * x[columns[part]]).sum(dim=1)
        return None, grad_weights, grad_x


def edge_rows(adjacency: Tensor) -> Tensor:
    """(E,) row of every entry of a CSR tensor."""
    pointers = adjacency.crow_indices()
    return torch.repeat_interleave(torch.arange(len(pointers) - 1, device=pointers.device), pointers.diff())


class CsrAttention(MessagePassing):
    r"""One attention head over the label graph, after GAT (Velickovic et al., ICLR 2018, equations 1 to 4).

    .. math::
        x'_l = \sum_m \alpha_{lm} W x_m, \quad
        \alpha_{lm} = \mathrm{softmax}_m ( \mathrm{LeakyReLU}(a^T W x_l + b^T W x_m) + \log g_{lm} )

    Deviations from the paper and from PyG's GATConv: the logarithm of the edge weight g is added, W starts as identity
    and a, b as zeros, so that training starts from the row-normalised graph; there is one head and no non-linearity.
    GATConv wants an edge list and holds an (E, d) message matrix; here only (E,) attention values exist.

    Args:
        dim: d.

    Shapes:
        x (L, d) and a sparse CSR adjacency (L, L) of positive weights -> (L, d); rows without edges give zeros.
    """

    def __init__(self, dim: int) -> None:
        super().__init__(aggr="sum")
        self.weight = torch.nn.Parameter(torch.eye(dim))
        self.to_label = torch.nn.Parameter(torch.zeros(dim))
        self.to_neighbour = torch.nn.Parameter(torch.zeros(dim))

    def forward(self, x: Tensor, adjacency: Tensor) -> Tensor:
        """Attend over the stored entries of each row."""
        transformed = x @ self.weight.T
        return self.propagate(adjacency, x=transformed, attention=self.coefficients(transformed, adjacency))

    def coefficients(self, transformed: Tensor, adjacency: Tensor) -> Tensor:
        """(E,) attention of every edge, summing to 1 over each row; `transformed` is W x."""
        rows, columns = edge_rows(adjacency), adjacency.col_indices()
        match = (transformed @ self.to_label)[rows] + (transformed @ self.to_neighbour)[columns]
        prior = adjacency.values().clamp_min(_TINY).log()
        logits = torch.nn.functional.leaky_relu(match, 0.2) + prior
        return softmax(logits, rows, num_nodes=adjacency.shape[0])

    def message_and_aggregate(self, adj_t: Tensor, x: Tensor, attention: Tensor) -> Tensor:
        """Called by PyG in place of message() and aggregate(), so that no (E, d) tensor is made."""
        return _WeightedSum.apply(adj_t, attention, x)
