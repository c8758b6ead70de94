"""Where document vectors come from while LightXML trains: a bag of words, a tuned transformer or a frozen one."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from eclare_py.data.dataset import Dataset
from eclare_py.errors import ConfigError
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tokens import Tokens
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.inputs import Inputs
from eclare_py.train.optimizer import transformer_groups
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, IntArray


class BagSide(torch.nn.Module):
    """ECLARE's bag of embeddings over TF-IDF rows: quick, for large data; LightXML itself has transformers alone."""

    def __init__(self, rows: Csr, recipe: Recipe) -> None:
        super().__init__()
        document = recipe.document
        torch.manual_seed(recipe.seed)
        self.bag = BagOfEmbeddings(
            rows.shape[1], document.dim, scale=document.dim**-0.5, dropout=document.term_dropout
        )
        self.documents = DocumentEncoder(self.bag, document.dim, dropout=0.0)  # the heads drop
        self.rows, self.recipe, self.dim = rows, recipe, document.dim

    def forward(self, rows: IntArray) -> Tensor:
        """(B,) documents -> (B, d) unit vectors."""
        return self.encode(self.rows[rows])

    def encode(self, rows: Csr) -> Tensor:
        """(B, V) TF-IDF -> (B, d) unit vectors."""
        vectors: Tensor = self.documents(Inputs(rows))
        return vectors

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser."""
        return [{"params": list(self.documents.block.parameters()), "height": self.recipe.training.dense_rate}]

    def step(self, share: float) -> None:
        """Update what has no optimiser, at this share of its rate."""
        self.bag.step(self.recipe.training.table_rate * share)


class TunedSide(torch.nn.Module):
    """A transformer that learns with the heads."""

    def __init__(self, transformer: TextTransformer, tokens: Tokens, recipe: Recipe) -> None:
        super().__init__()
        self.transformer, self.tokens = transformer, tokens
        self.settings, self.dim = recipe.transformer, transformer.dim

    def forward(self, rows: IntArray) -> Tensor:
        """(B,) documents -> (B, t) unit vectors."""
        vectors: Tensor = self.transformer(self.tokens[rows])
        return vectors

    def groups(self) -> list[dict[str, Any]]:
        """Parameter groups of the optimiser: only matrices decay."""
        settings = self.settings
        return transformer_groups(
            self.transformer.parameters(), settings, height=settings.rate, warmup=settings.warmup
        )

    def step(self, share: float) -> None:
        """All of it is the optimiser's."""


class FrozenSide(torch.nn.Module):
    """Vectors of a transformer that stays as it is, made once."""

    def __init__(self, transformer: TextTransformer, tokens: Tokens) -> None:
        super().__init__()
        self.vectors: FloatArray = transformer.encode(tokens)
        self.dim = transformer.dim
        self.register_buffer("place", torch.zeros(0), persistent=False)  # moves with the module: where results go
        self.place: Tensor

    def forward(self, rows: IntArray) -> Tensor:
        """(B,) documents -> (B, t) unit vectors."""
        return torch.from_numpy(self.vectors[rows]).to(self.place.device)

    def groups(self) -> list[dict[str, Any]]:
        """There is nothing to learn."""
        return []

    def step(self, share: float) -> None:
        """There is nothing to learn."""


Side = BagSide | TunedSide | FrozenSide


def make_side(
    dataset: Dataset, rows: Csr, recipe: Recipe, device: torch.device
) -> tuple[Side, TextTransformer | None]:
    """The documents of a training, and the transformer they go through, if any.

    Raises:
        ConfigError: Bag and transformer fused, or a tuning that this method does not have.
        ModelError: The transformer does not load.
    """
    kind, tuning = recipe.document.kind, recipe.transformer.tuning
    if kind == "bag":
        return BagSide(rows, recipe).to(device), None
    if kind == "both":
        raise ConfigError("document.kind=both: the method lightxml reads bag or transformer, not both")
    if tuning == "lora":
        raise ConfigError("transformer.tuning=lora: the method lightxml has full or frozen")
    transformer = TextTransformer.load(recipe.transformer).to(device)
    tokens = transformer.tokens(dataset.texts)
    if tuning == "frozen":
        return FrozenSide(transformer, tokens).to(device), transformer
    return TunedSide(transformer, tokens, recipe), transformer
