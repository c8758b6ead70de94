"""Label encoder: text, its hops over the label graph, documents and free vectors, combined by attention per label."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from eclare_py.graph.propagate import Propagation
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.chance import Chance
from eclare_py.model.config import LabelEncoderConfig
from eclare_py.model.residual import ResidualBlock
from eclare_py.types import BoolArray

_TEXT_HEAD_START = 1.0  # logit of hop 0 before training; the others start at 0


@dataclass(frozen=True)
class LabelParts:
    """Components of label vectors, v = sum_s alpha_s c_s.

    Attributes:
        components: (l, S, d) the S components c_s: hop 0, hop 1, ..., prototype, shared vector, free vector, as far as
            the recipe has them.
        weights: (l, S) attention alpha, rows sum to 1.
    """

    components: Tensor
    weights: Tensor

    def vectors(self) -> Tensor:
        """(l, d) unit label vectors."""
        # eps bounds the slope where a label has nothing yet, or its first gradient would freeze its Adagrad row.
        return torch.nn.functional.normalize((self.weights[..., None] * self.components).sum(dim=1), dim=1, eps=1e-2)


class LabelEncoder(torch.nn.Module):
    """v_l = normalize(sum_s alpha_s c_s), c = (R_0(e), R_1(G e), ..., w_l).

    Source: ECLARE (WWW 2021), section 3: graph convolution on the raw text embedding, a residual block per hop, softmax
    attention per label. Deviations: attention also sees how often the label occurs (rare labels lean on neighbours,
    frequent ones on themselves), its two maps are folded into one, the free vector starts at zero, joins in the
    ranker stage or before, and may be left to labels with documents enough. Two components more, on wish: the
    prototype, a mean of the label's documents (PRIME, NAACL 2025),
    taken as it is, and a free vector shared by a cluster of labels (DEXA, KDD 2023), which starts at zero.

    Args:
        n_labels: L, or the labels that this process holds.
        dim: d.
        config: Which components there are.
    """

    def __init__(self, n_labels: int, dim: int, config: LabelEncoderConfig) -> None:
        super().__init__()
        self.config, self.chance = config, Chance()
        self.propagation = Propagation(dim, config.propagation)
        hops = config.propagation.hops + 1
        self.first_hop = 0 if config.text else 1
        self.blocks = torch.nn.ModuleList(ResidualBlock(dim) for _ in range(self.first_hop, hops))
        self.free = BagOfEmbeddings(n_labels, dim, scale=0.0) if config.free else None
        self.shared = BagOfEmbeddings(config.shared, dim, scale=0.0) if config.shared else None
        if config.shared:
            self.register_buffer("clusters", torch.zeros(n_labels, dtype=torch.int64))
        n_components = len(self.blocks) + config.prototype + (self.shared is not None) + (self.free is not None)
        self.bias = torch.nn.Parameter(torch.zeros(n_labels), requires_grad=config.bias)
        # Logits of the attention: a map of all components and of the label's frequency features.
        self.attention = torch.nn.Linear(n_components * dim + 2, n_components)
        torch.nn.init.zeros_(self.attention.weight)
        torch.nn.init.zeros_(self.attention.bias)
        with torch.no_grad():
            self.attention.bias[0] = _TEXT_HEAD_START
        self.attention.requires_grad_(config.attention == "learned")

    def drop(self, n_labels: int) -> Tensor | None:
        """(l, S) components that each of l labels does without in this step, on the CPU; None outside training.

        A rare label's neighbours and free vector give its few train documents away: lean on them, and the text is never
        learned. So each label does without them now and then. The first component always stays.
        """
        share, (n_components, _) = self.config.component_dropout, self.attention.weight.shape
        if not self.training or not share or n_components == 1:
            return None
        dropped = self.chance.like(torch.empty(n_labels, n_components)) < share
        dropped[:, 0] = False
        return dropped

    def without_free(self, dropped: Tensor | None, own: BoolArray | None) -> Tensor | None:
        """(l, S) components that do not count, once (l,) labels `own` a free vector and the others do not."""
        n_components = self.attention.weight.shape[0]
        if own is None or n_components == 1 or own.all():
            return dropped
        dropped = torch.zeros(len(own), n_components, dtype=torch.bool) if dropped is None else dropped
        dropped[:, -1] |= torch.from_numpy(~own)
        return dropped

    def forward(
        self,
        hops: list[Tensor],
        free: Tensor | None,
        rarity: Tensor,
        more: Sequence[Tensor] = (),
        dropped: Tensor | None = None,
    ) -> LabelParts:
        """Components and weights of l labels.

        Args:
            hops: Raw vectors (l, d) of every hop, hop 0 (their own text) first.
            free: (l, d) free vectors, if the encoder has such.
            rarity: (l, 2) frequency features, see `rarity_features`.
            more: (l, d) prototypes and (l, d) shared vectors, as far as the encoder has them.
            dropped: (l, S) components that do not count, as `drop` gives them. A label left with the first one alone
                has weight 0 for all others, whatever they are, so they are not computed.
        """
        rows = None if dropped is None else torch.nonzero(beyond_first(dropped)).squeeze(1).to(rarity.device)
        parts = [block(hops[self.first_hop]) for block in self.blocks[:1]]
        parts += [_at(rows, block, hop) for block, hop in zip(self.blocks[1:], hops[self.first_hop + 1 :], strict=True)]
        parts += more
        if free is not None:
            parts.append(free)
        components = torch.stack(parts, dim=1)
        logits = self.attention(torch.cat([components.flatten(1), rarity], dim=1))
        if dropped is not None:
            logits = logits.masked_fill(dropped.to(logits.device), -torch.inf)
        return LabelParts(components, torch.softmax(logits, dim=1))


def beyond_first(dropped: Tensor) -> Tensor:
    """(l,) labels that are left with another component than the first."""
    return ~dropped[:, 1:].all(dim=1)


def _at(rows: Tensor | None, block: torch.nn.Module, values: Tensor) -> Tensor:
    """The block's output for some rows of (l, d) values, zeros elsewhere; None: for all."""
    found: Tensor = block(values if rows is None else values[rows])
    if rows is None:
        return found
    return values.new_zeros(values.shape, dtype=found.dtype).index_copy(0, rows, found)


def rarity_features(frequencies: Tensor) -> Tensor:
    """(l,) train frequencies -> (l, 2): ln(1 + n) / 5 and 1 / (1 + n)."""
    counts = frequencies.float()
    return torch.stack([torch.log1p(counts) / 5, 1 / (1 + counts)], dim=1)
