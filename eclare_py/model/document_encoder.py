"""Document encoder: bag of embeddings, a sentence transformer, or both fused."""

from __future__ import annotations

import torch
from torch import Tensor

from eclare_py.features.text_transformer import TextTransformer
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.inputs import Inputs
from eclare_py.model.residual import ResidualBlock
from eclare_py.types import BoolArray, Csr


class DocumentEncoder(torch.nn.Module):
    """x = normalize(R(E^T x_tfidf [+ P e_transformer])).

    The bag part is ECLARE's (WWW 2021, section 3): TF-IDF weighted sum of term embeddings and a residual block. The
    transformer part takes vectors of a sentence-transformers model, frozen or learning too, through a linear map P into
    the same space; with both, the two are added before the residual block, so that either can explain what the other
    misses.

    Args:
        bag: Shared embedding table (V, d); documents and label texts use the same one.
        dim: d.
        dropout: Share of output dimensions dropped in training.
        transformer_dim: t, length of the transformer's vectors; 0 where there are none.
        use_bag: Use the TF-IDF part.
        transformer: The transformer, where it learns; documents and label texts go through the same one.
    """

    def __init__(
        self,
        bag: BagOfEmbeddings,
        dim: int,
        *,
        dropout: float,
        transformer_dim: int = 0,
        use_bag: bool = True,
        transformer: TextTransformer | None = None,
    ) -> None:
        super().__init__()
        self.bag, self.use_bag, self.transformer = bag, use_bag, transformer
        self.project = torch.nn.Linear(transformer_dim, dim, bias=False) if transformer_dim else None
        self.block = ResidualBlock(dim)
        self.dropout: torch.nn.Module = torch.nn.Dropout(dropout)

    def vectors(self, inputs: Inputs) -> Tensor | None:
        """(B, t) vectors of the transformer; None where the encoder has none.

        Texts that come as tokens go through the transformer where gradients are wanted or nothing else is at hand.

        Raises:
            ValueError: Neither embeddings nor tokens that this encoder could read.
        """
        if self.project is None:
            return None
        stored = inputs.embeddings
        if self.transformer is not None and inputs.tokens is not None and (stored is None or torch.is_grad_enabled()):
            if torch.is_grad_enabled():
                live: Tensor = self.transformer(inputs.tokens)
                return live
            stored = self.transformer.encode(inputs.tokens)
        if stored is None:
            raise ValueError("this encoder was built with transformer embeddings, none were given")
        return torch.from_numpy(stored).to(self.project.weight.device)

    def join(self, rows: Csr, vectors: Tensor | None, wanted: BoolArray | None = None) -> Tensor:
        """(B, V) TF-IDF and (B, t) vectors -> (B, d), the input of the residual block.

        Of rows that are not (B,) `wanted` the bag is left out, as it is most of the work.
        """
        parts = [self.bag(rows, wanted)] if self.use_bag else []
        if self.project is not None:
            parts.append(self.project(vectors).float())  # autocast's bfloat16 does not go into a sparse product
        return torch.stack(parts).sum(dim=0) if len(parts) > 1 else parts[0]

    def raw(self, inputs: Inputs, wanted: BoolArray | None = None) -> Tensor:
        """Input of the residual block, for documents and label texts alike: B texts -> (B, d)."""
        return self.join(inputs.rows, self.vectors(inputs), wanted)

    def forward(self, inputs: Inputs) -> Tensor:
        """B texts -> (B, d), unit rows (before dropout)."""
        encoded: Tensor = self.dropout(self.block(self.raw(inputs)))
        return encoded
