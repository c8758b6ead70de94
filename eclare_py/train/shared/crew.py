"""A training step on several processes: each encodes its documents and scores its labels, and the sums are shared.

All processes know the whole batch (documents, labels at hand) from the seed. Process r encodes the documents i with
i mod R = r, and the label vectors l with l mod R = r. Document vectors go to all, so that each scores all B documents
for its own labels; the sums of the softmax and the slopes of the document vectors are added up. What every process has
(word table, blocks, attention, scale) then takes the same step everywhere, by the sum of all gradients; free vectors
and biases belong to one process each, and so do their optimiser's moments. Up to the order of sums this is the step of
one process: the same batch, the same negatives, the same dropout.

Source: the split of a classifier's columns over processes is that of Megatron-LM's vocabulary-parallel cross entropy
(Shoeybi et al., 2019); that only texts' gradients travel for a sparse table, and not those of its rows, is ours.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import scipy.sparse as sp
import torch
from torch import Tensor

from eclare_py.distributed import Group, Shard
from eclare_py.distributed.gradients import gathered
from eclare_py.model.bag import BagOfEmbeddings
from eclare_py.model.chance import PartialChance, PartialDropout
from eclare_py.model.hops import FoldedHops
from eclare_py.model.inputs import Inputs
from eclare_py.model.network import EclareNetwork
from eclare_py.train.batches import Batch
from eclare_py.train.objective import Objective
from eclare_py.types import Csr, IntArray


class Crew:
    """The processes at work on one network.

    Args:
        group: The processes, more than one.
        network: Holds the labels of this process; its dropout is made a part of that of the whole batch.
    """

    def __init__(self, group: Group, network: EclareNetwork) -> None:
        self.group, self.labels, self.chance = group, network.shard, PartialChance()
        self.sizes: IntArray = np.empty(0, dtype=np.int64)
        network.bag.chance = network.label_encoder.chance = self.chance
        dropout = network.documents.dropout
        assert isinstance(dropout, torch.nn.Dropout)
        network.documents.dropout = PartialDropout(dropout.p, self.chance)

    def begin(self, inputs: Inputs, n_documents: int) -> None:
        """Learn the sizes of all documents of a stage, which dropout draws for.

        Args:
            inputs: The documents of this process.
            n_documents: Documents of all processes.
        """
        sizes = self.group.gather_all(np.diff(inputs.rows.indptr).astype(np.int64))[0]
        self.sizes = Shard.of(n_documents, self.group).whole(sizes)

    def loss(self, network: EclareNetwork, objective: Objective, inputs: Inputs, batch: Batch, half: bool) -> Tensor:
        """The part of the loss of a batch that falls to the labels of this process.

        Args:
            network: The network.
            objective: What is made smaller.
            inputs: The documents of this process.
            batch: All documents, and the labels of this process.
            half: Multiply in bfloat16.
        """
        owners = batch.documents % self.group.world
        own = owners == self.group.rank
        with torch.autocast(network.device.type, dtype=torch.bfloat16, enabled=half):
            self.chance.begin(own, [self.sizes[batch.documents]])
            encoded = network.documents(inputs[batch.documents[own] // self.group.world])
            documents = gathered(encoded, owners, self.group)
            at_hand = batch.labels if batch.at_hand is None else batch.at_hand
            hops = network.hops
            assert isinstance(hops, FoldedHops)
            self.chance.begin(self.labels.mine(at_hand), [sizes[at_hand] for sizes in hops.sizes])
            scores = network.scores(documents, network.label_vectors(batch.labels), batch.labels)
        return objective.shared_loss(scores, batch, self.group)

    def total(self, loss: Tensor) -> float:
        """The loss of all processes."""
        return float(self.group.sum(loss.detach().clone()))

    @torch.no_grad()
    def merge(self, network: EclareNetwork) -> None:
        """After the backward pass: add up the gradients of what all processes have."""
        bias = network.label_encoder.bias
        shared = [p for p in (*network.dense_parameters(), *network.transformer_parameters()) if p is not bias]
        # A process without a text in the batch has no slopes for a transformer; what nobody uses must not decay.
        used = self.group.any(*(p.grad is not None for p in shared))
        shared = [p for p, one in zip(shared, used, strict=True) if one]
        flat = torch.cat([(torch.zeros_like(p) if p.grad is None else p.grad).reshape(-1) for p in shared])
        parts = self.group.sum(flat).split([p.numel() for p in shared])
        for parameter, part in zip(shared, parts, strict=True):
            parameter.grad = part.view_as(parameter)
        exchange_notes(network.bag, self.group)


def exchange_notes(bag: BagOfEmbeddings, group: Group) -> None:
    """Give every process the notes of all, those of process 0 first, so that all take the same step.

    A batch's texts are far fewer than the terms in them: their gradients are what is cheap to send.
    """
    rows, gradients = _joined(bag.notes, bag.weight)
    counts, columns, values = group.gather_all(
        np.diff(rows.indptr).astype(np.int32), rows.indices.astype(np.int32), rows.data.astype(np.float32)
    )
    parts = group.gather_rows(gradients.float(), [len(count) for count in counts])
    indptr = np.concatenate([[0], np.cumsum(np.concatenate(counts), dtype=np.int64)])
    entries = (np.concatenate(values), np.concatenate(columns).astype(np.int64), indptr)
    whole = Csr(entries, shape=(len(indptr) - 1, len(bag.weight)))
    bag.notes = [(whole, torch.cat(parts))]


def _joined(notes: Sequence[tuple[Csr, Tensor]], weight: Tensor) -> tuple[Csr, Tensor]:
    """All notes as one; none make (0, V) rows."""
    rows = [Csr((0, len(weight)), dtype=np.float32), *(note[0] for note in notes)]
    empty = weight.new_empty((0, weight.shape[1]))
    return sp.vstack(rows, format="csr"), torch.cat([empty, *(note[1].float() for note in notes)])
