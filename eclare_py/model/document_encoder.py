"""Document encoder: bag of embeddings, a frozen sentence encoder, or both fused."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.residual import ResidualBlock
from eclare_py.types import Csr, FloatArray


class DocumentEncoder(torch.nn.Module):
    """x = normalize(R(E^T x_tfidf [+ P e_transformer])).

    The bag part is ECLARE's (WWW 2021, section 3): TF-IDF weighted sum of term embeddings and a residual block. The
    transformer part takes embeddings of a frozen sentence-transformers model through a linear map P into the same
    space; with both, the two are added before the residual block, so that either can explain what the other misses.

    Args:
        bag: Shared embedding table (V, d); documents and label texts use the same one.
        dim: d.
        dropout: Share of output dimensions dropped in training.
        transformer_dim: Length of the frozen embeddings; 0 where there are none.
        use_bag: Use the TF-IDF part.
    """

    def __init__(
        self, bag: BagOfEmbeddings, dim: int, *, dropout: float, transformer_dim: int = 0, use_bag: bool = True
    ) -> None:
        super().__init__()
        self.bag, self.use_bag = bag, use_bag
        self.project = torch.nn.Linear(transformer_dim, dim, bias=False) if transformer_dim else None
        self.block = ResidualBlock(dim)
        self.dropout = torch.nn.Dropout(dropout)

    def raw(self, rows: Csr, embeddings: FloatArray | None = None) -> Tensor:
        """Input of the residual block, for documents and label texts alike: (B, V), (B, t) -> (B, d)."""
        parts = [self.bag(rows)] if self.use_bag else []
        if self.project is not None:
            if embeddings is None:
                raise ValueError("this encoder was built with transformer embeddings, none were given")
            frozen = torch.from_numpy(embeddings).to(self.project.weight.device)
            parts.append(self.project(frozen).float())  # autocast's bfloat16 does not go into a sparse product
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]

    def forward(self, rows: Csr, embeddings: FloatArray | None = None) -> Tensor:
        """(B, V) CSR and (B, t) embeddings -> (B, d), unit rows (before dropout)."""
        encoded: Tensor = self.dropout(self.block(self.raw(rows, embeddings)))
        return encoded
