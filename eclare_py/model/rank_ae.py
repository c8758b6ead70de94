"""The network of Rank-AE: documents and label sets in one latent space, and a decoder from there to label scores."""

from __future__ import annotations

import math

import numpy as np
import torch
from torch import Tensor
from torch.nn.functional import mse_loss

from eclare_py.model.bag import BagOfEmbeddings, drop_entries
from eclare_py.model.rank_ae_config import RankAeConfig
from eclare_py.model.rank_losses import AtHand, RankLoss, weighted_bce
from eclare_py.model.word_attention import WordAttention
from eclare_py.types import Csr, FloatArray, IntArray


class RankAutoencoder(torch.nn.Module):
    """x_h = sigma(F(x)), y_h = sigma(E(y)), y' = D(h).

    F  word vectors under dual attention, normalised, then a linear map to the latent space
    E  sum of the label vectors of a document's labels, normalised, ReLU, then a linear map to the latent space
    D  linear map, normalised, ReLU, then <v_l, .> + b_l for every label l
    L  = mean (x_h - y_h)^2 + lambda (L_r(y, D(y_h)) + omega L_r(y, D(x_h)))

    with L_r of `RankLoss`. An answer is D(F(x)); E is thrown away. The objective `bce` trains D(F(x)) alone, by binary
    cross entropy: the same network without the autoencoder, for comparison.

    Source: Rank-AE (Wang et al., NAACL 2019; methods.md 6). Deviations: layers normalise each document by itself, not
    over the batch, since the decoder meets label sets in training but documents in an answer; omega, the share of
    the documents' own decoding, is ours (0 is the paper's); so is `label_dropout`, which makes E(y) an incomplete set
    that D has to complete (a denoising autoencoder: what labels know of each other). Label sets come sparse and label
    vectors learn by row-wise Adagrad where they are at hand: a step costs the labels at hand, not L.

    Args:
        n_terms: V.
        dim: c, length of the word vectors.
        bias: (L,) start of the b_l.
        config: Sizes, weights.
        dropout: Share of the document's gated sum dropped in training.
        term_dropout: Share of a document's words left out in training.
        seed: Of the start values.
    """

    def __init__(
        self, n_terms: int, dim: int, bias: FloatArray, config: RankAeConfig, *, dropout: float, term_dropout: float,
        seed: int,
    ) -> None:  # fmt: skip
        super().__init__()
        torch.manual_seed(seed)
        self.config, self.term_dropout = config, term_dropout
        latent, length, n_labels = config.latent, config.decoder, len(bias)
        self.ranking = RankLoss(
            config.margin, config.softness, config.lowest == "mean", config.trim, config.bounded
        )
        self.words = WordAttention(n_terms, dim, squeeze=config.squeeze, kind=config.attention)
        self.norm, self.dropout = torch.nn.LayerNorm(dim), torch.nn.Dropout(dropout)
        self.document = torch.nn.Linear(dim, latent)
        self.sets = BagOfEmbeddings(n_labels, length, scale=length**-0.5)
        self.set_norm, self.label_set = torch.nn.LayerNorm(length), torch.nn.Linear(length, latent)
        self.hidden = torch.nn.Sequential(
            torch.nn.Linear(latent, length), torch.nn.LayerNorm(length), torch.nn.ReLU()
        )
        self.labels = BagOfEmbeddings(n_labels, length, scale=math.sqrt(2 / (n_labels + length)))
        self.bias = torch.nn.Parameter(torch.from_numpy(bias.copy()))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.bias.device

    def encode_documents(self, rows: Csr) -> Tensor:
        """x_h: (B, V) TF-IDF -> (B, h) in 0..1."""
        if self.training and self.term_dropout:
            rows = drop_entries(rows, self.term_dropout)
        return torch.sigmoid(self.document(self.dropout(self.norm(self.words(rows)))))

    def encode_sets(self, labels: Csr) -> Tensor:
        """y_h: (B, L) label sets -> (B, h) in 0..1."""
        if self.training and self.config.label_dropout:
            labels = drop_entries(labels, self.config.label_dropout)
        return torch.sigmoid(self.label_set(torch.relu(self.set_norm(self.sets(labels)))))

    def decode(self, latent: Tensor) -> Tensor:
        """(B, h) -> (B, d), what the label vectors are multiplied with."""
        # Centred: with 0.5 in every place, the first layer would see much the same vector for all documents.
        decoded: Tensor = self.hidden(2 * latent - 1)
        return decoded

    def scores(self, latent: Tensor, at_hand: IntArray) -> Tensor:
        """y': (B, h) and (u,) labels -> (B, u)."""
        n_labels = len(self.bias)
        pointers = np.arange(len(at_hand) + 1)
        rows = Csr((np.ones(len(at_hand), np.float32), at_hand, pointers), shape=(len(at_hand), n_labels))
        places = torch.from_numpy(at_hand).to(self.device)
        scores: Tensor = self.decode(latent) @ self.labels(rows).T + self.bias[places]
        return scores

    def loss(self, rows: Csr, labels: Csr, at_hand: IntArray, judged: AtHand) -> Tensor:
        """What a step makes smaller.

        Args:
            rows: (B, V) TF-IDF of documents.
            labels: (B, L) their relevant labels.
            at_hand: (u,) labels that are scored.
            judged: What these are to the documents.
        """
        config, documents = self.config, self.encode_documents(rows)
        if config.objective == "bce":
            return weighted_bce(self.scores(documents, at_hand), judged)
        sets = self.encode_sets(labels)
        decoded = self.ranking(self.scores(sets, at_hand), judged)
        if config.document_weight:
            decoded = decoded + config.document_weight * self.ranking(self.scores(documents, at_hand), judged)
        return mse_loss(documents, sets) + config.autoencoder_weight * decoded

    def dense_parameters(self) -> list[torch.nn.Parameter]:
        """All but the tables, which step for themselves."""
        tables = {id(table.weight) for table in (self.words.bag, self.sets, self.labels)}
        return [parameter for parameter in self.parameters() if id(parameter) not in tables]

    def step(self, table_rate: float, label_rate: float) -> None:
        """Update the tables by what the last backward pass noted."""
        self.words.bag.step(table_rate)
        self.sets.step(label_rate)
        self.labels.step(label_rate)
