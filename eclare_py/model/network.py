"""The trainable whole: document encoder, label encoder and the temperature between them."""

from __future__ import annotations

import math
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from eclare_py.distributed import Shard, current
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.graph import LabelGraph
from eclare_py.model.auxiliary import AuxiliaryTasks
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.config import DocumentEncoderConfig, LabelEncoderConfig
from eclare_py.model.document_encoder import DocumentEncoder
from eclare_py.model.hops import HopVectors, hop_vectors
from eclare_py.model.inputs import Inputs
from eclare_py.model.label_encoder import LabelEncoder, LabelParts, beyond_first, rarity_features
from eclare_py.storage.spool import empty
from eclare_py.types import BoolArray, Csr, FloatArray, IntArray, row_blocks

_BLOCK = 8192  # labels or documents encoded at once without gradients


@dataclass(frozen=True)
class LabelSide:
    """What is known of the labels before training.

    Attributes:
        texts: The L label texts.
        graph: The label graph.
        frequencies: (L,) train frequencies.
    """

    texts: Inputs
    graph: LabelGraph
    frequencies: IntArray


class EclareNetwork(torch.nn.Module):
    """score(x, l) = exp(s) <x, v_l> + b_l, with a learned scale s; b_l joins in the ranker stage.

    Args:
        labels: The label side.
        document: Settings of the document encoder.
        label: Settings of the label encoder.
        hop_features: Heaviest features kept per label and folded hop; None keeps all.
        temperature: 1 / exp(s) at the start.
        seed: Seed of the start values.
        transformer: The transformer, where it learns; its parameters become part of the network.
        auxiliary: Auxiliary tasks of the training, likewise; no part of what answers.
        shard: Labels whose free vectors, biases and hops are here; None: all.
    """

    def __init__(
        self,
        labels: LabelSide,
        document: DocumentEncoderConfig,
        label: LabelEncoderConfig,
        *,
        hop_features: int | None = 64,
        temperature: float = 0.05,
        seed: int = 0,
        transformer: TextTransformer | None = None,
        auxiliary: AuxiliaryTasks | None = None,
        shard: Shard | None = None,
    ) -> None:
        super().__init__()
        torch.manual_seed(seed)
        n_labels, n_features = labels.texts.rows.shape
        stored = labels.texts.embeddings
        transformer_dim = transformer.dim if transformer is not None else 0 if stored is None else stored.shape[1]
        self.bag = BagOfEmbeddings(
            n_features if document.kind != "transformer" else 1, document.dim, scale=document.dim**-0.5,
            dropout=document.term_dropout, coded=document.coded,
        )  # fmt: skip
        self.documents = DocumentEncoder(
            self.bag,
            document.dim,
            dropout=document.dropout,
            transformer_dim=transformer_dim,
            use_bag=document.kind != "transformer",
            transformer=transformer,
        )
        self.shard = shard or Shard(n_labels)
        self.label_encoder = LabelEncoder(len(self.shard), document.dim, label)
        self.log_scale = torch.nn.Parameter(torch.tensor(math.log(1 / temperature)))
        self.auxiliary = auxiliary
        self.side, self.hop_features = labels, hop_features
        self.prototypes: FloatArray | None = None  # (L, d), set from outside as training goes on
        self.per_label = False  # biases join in the ranker stage, free vectors with them or before
        self._hops: HopVectors | None = None
        self._renew = transformer is not None  # the hops' transformer vectors are not those of the cache
        if transformer is not None:
            # A buffer, so that it is part of checkpoints: a resumed epoch goes on with the vectors it began with.
            self.register_buffer("label_cache", torch.zeros(n_labels, transformer_dim))
            self.label_cache: Tensor
            self.register_load_state_dict_post_hook(lambda *_: setattr(self, "_renew", True))

    @property
    def transformer(self) -> TextTransformer | None:
        """The transformer, where it learns."""
        return self.documents.transformer

    @property
    def hops(self) -> HopVectors:
        """Raw hop vectors of labels."""
        if self._hops is None:
            live = 0 if self.transformer is None else -(-self.transformer.config.label_texts // self.shard.world)
            self._hops = hop_vectors(
                self.documents, self.side.texts, self.side.graph, self.label_encoder.propagation,
                max_features=self.hop_features, live=live, shard=self.shard,
            )  # fmt: skip
        if self._renew:
            self._hops.renew(self.label_cache.cpu().numpy())
            self._renew = False
        return self._hops

    def forget_hops(self) -> None:
        """Free the hops, which are as large as the label texts; they are made again once they are asked for."""
        self._hops = None
        self._renew = self.transformer is not None

    def refresh_labels(self) -> None:
        """Encode all label texts with the transformer as it stands, where it learns.

        Hops, and label vectors outside training, use these vectors until the next call. Of several processes each
        encodes its labels; all get the vectors, as hops reach the labels of others.
        """
        tokens = self.side.texts.tokens
        if self.transformer is not None and tokens is not None:
            own = self.transformer.encode(tokens if self.shard.world == 1 else tokens[self.shard.ids])
            whole = own if self.shard.world == 1 else self.shard.whole(current().gather_all(own)[0])
            self.label_cache.copy_(torch.from_numpy(whole))
            self._renew = True

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.log_scale.device

    def label_parts(self, labels: IntArray, prototypes: FloatArray | None = None) -> LabelParts:
        """Components and attention weights of (l,) labels that are here.

        Args:
            labels: Ids.
            prototypes: (l, d) to use instead of the network's own, if the recipe has prototypes.
        """
        more = []
        if self.label_encoder.config.prototype:
            if prototypes is None and self.prototypes is not None:
                prototypes = self.prototypes[labels]
            if prototypes is None:
                prototypes = np.zeros((len(labels), self.bag.weight.shape[1]), dtype=np.float32)
            more.append(torch.from_numpy(prototypes).to(self.device))
        if self.label_encoder.shared is not None:
            clusters = self.label_encoder.get_buffer("clusters").cpu().numpy()[labels]
            more.append(self.label_encoder.shared(_identity(clusters, len(self.label_encoder.shared.weight))))
        frequencies = self.side.frequencies[labels]
        dropped = self.label_encoder.drop(len(labels))
        free = None
        if self.label_encoder.free is not None:
            own = self._have_free(labels, frequencies)
            rows = _identity(self.shard.places(labels), len(self.shard))
            joined = self.per_label or self.label_encoder.config.free_stage == "surrogate"
            free = self.label_encoder.free(rows, own) if joined else torch.zeros(
                len(labels), self.bag.weight.shape[1], device=self.device
            )  # fmt: skip
            dropped = self.label_encoder.without_free(dropped, own)
        rarity = rarity_features(torch.from_numpy(frequencies)).to(self.device)
        # Without label texts the first component is a hop itself.
        wanted = None if dropped is None or not self.label_encoder.config.text else beyond_first(dropped).numpy()
        return self.label_encoder(self.hops(labels, wanted), free, rarity, more, dropped)

    def _have_free(self, labels: IntArray, frequencies: IntArray) -> BoolArray | None:
        """(l,) which labels have a free vector; None: all.

        In training those with documents enough, and those that have learned one before: of a model that learns on,
        few documents are at hand.
        """
        least, table = self.label_encoder.config.free_least, self.label_encoder.free
        if not least or table is None:
            return None
        places = torch.from_numpy(self.shard.places(labels)).to(self.device)
        learned: BoolArray = table.weight.detach()[places].any(dim=1).cpu().numpy()
        return learned | (frequencies >= least) if self.training else learned

    def label_vectors(self, labels: IntArray, prototypes: FloatArray | None = None) -> Tensor:
        """(l,) label ids, and prototypes as in `label_parts` -> (l, d) unit vectors."""
        return self.label_parts(labels, prototypes).vectors()

    def scores(self, documents: Tensor, vectors: Tensor, labels: IntArray) -> Tensor:
        """(B, d) documents, (l, d) vectors of the (l,) labels -> (B, l) logits."""
        cosines = self.log_scale.exp() * documents @ vectors.T
        if not self.per_label:
            return cosines
        return cosines + self.label_encoder.bias[torch.from_numpy(self.shard.places(labels)).to(self.device)]

    @torch.no_grad()
    def encode_labels(self) -> FloatArray:
        """(L, d) vectors of all labels, or of those that are here."""
        was_training, _ = self.training, self.eval()
        ids = self.shard.ids
        out = np.empty((len(ids), self.bag.weight.shape[1]), dtype=np.float32)
        for start in range(0, len(ids), _BLOCK):
            out[start : start + _BLOCK] = self.label_vectors(ids[start : start + _BLOCK]).cpu().numpy()
        self.train(was_training)
        return out

    @torch.no_grad()
    def encode_documents(self, inputs: Inputs) -> FloatArray:
        """N texts -> (N, d) unit vectors."""
        was_training, _ = self.training, self.eval()
        out = empty((len(inputs), self.bag.weight.shape[1]), np.float32)
        for part in row_blocks(inputs.rows, _BLOCK):
            out[part] = self.documents(inputs[part]).cpu().numpy()
        self.train(was_training)
        return out

    def bags(self) -> list[BagOfEmbeddings]:
        """The tables that `step` for themselves; all other parameters belong to the dense optimiser."""
        return [self.bag, *(one for one in (self.label_encoder.free, self.label_encoder.shared) if one is not None)]

    def dense_parameters(self) -> list[torch.nn.Parameter]:
        """Parameters of the dense optimiser, without those of a transformer."""
        apart = {id(bag.weight) for bag in self.bags()} | {id(p) for p in self.transformer_parameters()}
        return [p for p in self.parameters() if id(p) not in apart and p.requires_grad]

    def transformer_parameters(self) -> list[torch.nn.Parameter]:
        """What of a transformer learns; it has learning rates of its own."""
        return [] if self.transformer is None else [p for p in self.transformer.parameters() if p.requires_grad]


def _identity(labels: IntArray, n_labels: int) -> Csr:
    ones = np.ones(len(labels), dtype=np.float32)
    return Csr((ones, labels.astype(np.int64), np.arange(len(labels) + 1)), shape=(len(labels), n_labels))
