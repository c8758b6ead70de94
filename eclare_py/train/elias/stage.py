"""The training loop of a stage of ELIAS."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
import torch
from torch import Tensor

from eclare_py.model.losses import decoupled_softmax
from eclare_py.model.shortlist_loss import members, shortlist_loss
from eclare_py.sparse import row_ids
from eclare_py.train.batches import BatchSource
from eclare_py.train.elias.clusters import TEMPERATURE
from eclare_py.train.elias.config import EliasConfig
from eclare_py.train.elias.session import LEARNED, WARM, EliasSession
from eclare_py.train.epochs import Epochs
from eclare_py.train.optimizer import rise_and_fall
from eclare_py.types import Csr, IntArray, as_csr


class Stage:
    """One stage under way: seeded batches, one update each; the same seed, stage, epoch and step do the same anywhere.

    Args:
        session: The run; its cursor says where the stage stands.
        name: Name of the stage.
        epochs: Epochs to train.
    """

    def __init__(self, session: EliasSession, name: str, epochs: int) -> None:
        self.session, self.name, self.epochs = session, name, epochs
        self.settings, train = session.recipe.elias, session.prepared.train
        self.labels = as_csr(train.labels)
        self.source = BatchSource(
            train.labels, train.filter_pairs, batch_size=self.settings.batch_size, seed=session.recipe.seed, stage=name
        )
        self.frame = Epochs(
            name, epochs, train.n_documents, self.settings.batch_size, session.recipe.seed, session.cursor, session.log,
            step=self.step, save=session.save, begin=self.begin, lower="elias.table_rate or elias.cluster_rate",
            checkpoint_seconds=session.recipe.training.checkpoint_seconds,
        )  # fmt: skip

    def run(self, after: Callable[[], None]) -> None:
        """Train from the session's cursor to the end, see `Epochs.run`; `after` is called after each epoch."""
        self.frame.after = after
        self.frame.run()

    def begin(self) -> None:
        """Before an epoch."""
        self.session.network.train()
        if not self.session.cursor.step:
            self.session.network.graph.refresh()

    def step(self, chosen: IntArray, step: int) -> float:
        """One update; returns the loss, and leaves the parameters alone where it is not finite."""
        session, settings = self.session, self.settings
        torch.manual_seed(self.frame.torch_seed(step))
        loss = self.text_loss(chosen, step) if on_texts(settings, self.name) else self.index_loss(chosen)
        value = float(loss.detach())
        if not np.isfinite(value):
            return value
        session.optimizer.zero_grad()
        loss.backward()
        self._update(step)
        return value

    def index_loss(self, chosen: IntArray) -> Tensor:
        """The loss of ELIAS over the shortlists of some documents."""
        prepared, network, settings = self.session.prepared, self.session.network, self.settings
        relevant = self.labels[chosen]
        encoded = network.encode(prepared.inputs[chosen])
        gates = network.gates(encoded)
        parents = parents_of(relevant, network.graph.kept_parents)
        clusters = network.forced(gates, parents, settings.beam, settings.extra_clusters)
        found = network.score(encoded, gates, clusters, settings.shortlist)
        weight = settings.learned_weight if self.name == LEARNED else settings.fixed_weight
        return shortlist_loss(
            found, members(relevant, found.labels), members(self.source.filters[chosen], found.labels), weight=weight
        )

    def text_loss(self, chosen: IntArray, step: int) -> Tensor:
        """Documents against the label texts of the batch: what stands in for a pre-trained encoder.

        Our deviation: ELIAS starts from BERT. A bag of embeddings starts from nothing, and the index's loss alone shows
        it too few labels to learn which words mean the same.
        """
        prepared, network = self.session.prepared, self.session.network
        batch = self.source.batch(chosen, self.frame.random(step))
        documents = network.encode(prepared.inputs[batch.documents]) / network.scale
        texts = network.encode(prepared.label_inputs[batch.labels]) / network.scale
        positives, ignored = (torch.from_numpy(m).to(documents.device) for m in (batch.positives, batch.ignored))
        return decoupled_softmax(documents @ texts.T / TEMPERATURE, positives, ignored)

    def _update(self, step: int) -> None:
        session, settings = self.session, self.settings
        steps = self.frame.steps
        progress = (session.cursor.epoch * steps + step) / (self.epochs * steps)
        share = rise_and_fall(progress + 0.5 / (self.epochs * steps), settings.warm_up)
        for group in session.optimizer.param_groups:
            group["lr"] = share * group["rate"]
        session.optimizer.step()
        factor = settings.learned_factor if self.name == LEARNED else 1.0
        rates = (factor * settings.table_rate, settings.label_rate)
        for bag, rate in zip(session.network.bags(), rates, strict=True):
            bag.step(share * rate)


def on_texts(settings: EliasConfig, stage: str) -> bool:
    """Whether a stage trains the encoder alone, on label texts."""
    return stage == WARM and settings.warm == "text"


def parents_of(labels: Csr, parents: IntArray) -> IntArray:
    """(B, p) cluster of each positive of the (B, L) rows, -1 where there are fewer."""
    counts = np.diff(labels.indptr)
    found = np.full((len(counts), max(int(counts.max(initial=0)), 1)), -1, dtype=np.int64)
    rows = row_ids(labels)
    found[rows, np.arange(len(rows)) - np.repeat(labels.indptr[:-1], counts)] = parents[labels.indices]
    return found
