"""A training of LightXML in memory: its parts, its checkpoints, its averaged weights."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.errors import TrainingError
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.index import balanced_kmeans
from eclare_py.linear import projected_means
from eclare_py.model.lightxml import LightHeads
from eclare_py.train import checkpoint
from eclare_py.train.adam import AdamW
from eclare_py.train.batches import split_filtered
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.events import EventLog
from eclare_py.train.lightxml.candidates import Groups
from eclare_py.train.lightxml.sides import Side, make_side
from eclare_py.train.optimizer import Optimizer, optimizer_state, restore_optimizer
from eclare_py.train.prepare import fingerprint
from eclare_py.train.recipe import Recipe
from eclare_py.types import Csr, FloatArray, IntArray

STAGE = "lightxml"


@dataclass
class Session:
    """What is trained, on what, and how far.

    Attributes:
        recipe: All settings.
        dataset: The train documents.
        features: Their TF-IDF, which groups are made from; a bag reads it too.
        groups: The label groups.
        labels: (N, L) relevant labels, and the (N, L) filter pairs.
        side: Where document vectors come from.
        heads: Generator and discriminator.
        transformer: What `side` runs, if it runs one.
        optimizer: Of all but the tables.
        folder: Where checkpoints are kept.
        fingerprint: SHA-256 of the train documents.
        cursor: Steps that are done.
        average: Mean of the weights of past epochs, and of how many.
    """

    recipe: Recipe
    dataset: Dataset
    features: TfidfFeatures
    groups: Groups
    labels: tuple[Csr, Csr]
    side: Side
    heads: LightHeads
    transformer: TextTransformer | None
    optimizer: Optimizer
    folder: Path | None
    fingerprint: str
    cursor: Cursor = field(default_factory=lambda: Cursor(STAGE))
    average: tuple[dict[str, torch.Tensor], int] = field(default_factory=lambda: ({}, 0))

    @property
    def device(self) -> torch.device:
        """Where the parameters are."""
        return self.heads.generator.weight.device

    def tensors(self) -> Iterator[tuple[str, torch.Tensor]]:
        """Parameters and buffers by name."""
        for prefix, module in (("side", self.side), ("heads", self.heads)):
            for name, value in module.state_dict().items():
                yield f"{prefix}/{name}", value

    @torch.no_grad()
    def restore(self, tensors: dict[str, torch.Tensor]) -> None:
        """Take over parameters and buffers."""
        for prefix, module in (("side", self.side), ("heads", self.heads)):
            own = f"{prefix}/"
            module.load_state_dict(
                {key.removeprefix(own): value for key, value in tensors.items() if key.startswith(own)}
            )

    @torch.no_grad()
    def take_average(self) -> None:
        """Let the weights of the epoch that is over into the mean, where it is among the last that count."""
        settings = self.recipe.lightxml
        if settings.averaged_epochs < 2 or self.cursor.epoch <= settings.epochs - settings.averaged_epochs:
            return
        means, count = self.average
        for name, value in self.tensors():
            if count and value.is_floating_point():
                means[name] += (value - means[name]) / (count + 1)
            else:
                means[name] = value.clone()
        self.average = (means, count + 1)

    def save(self) -> None:
        """Write a checkpoint, where there is a place for it."""
        if self.folder is None:
            return
        means, count = self.average
        checkpoint.save(
            self.folder / "checkpoint",
            Checkpoint(
                self.cursor, to_mapping(self.recipe), self.fingerprint, dict(self.tensors()),
                optimizer_state(self.optimizer), None, {"averaged": count}, means,
            ),
        )  # fmt: skip


def open_session(
    dataset: Dataset, recipe: Recipe, device: torch.device, log: EventLog, folder: Path | None, resume: bool
) -> Session:
    """Make groups and network, or go on from a checkpoint.

    Raises:
        TrainingError: No document has a label; a checkpoint of something else.
        ConfigError: An encoder that this method does not have.
        ModelError: The transformer does not load.
    """
    if not dataset.labels.nnz:
        raise TrainingError("no train document has a label: there is nothing to learn from")
    log("stage", name="prepare", epochs=1, steps=1)
    features = TfidfFeatures.fit(dataset.texts, dataset.label_texts, config=recipe.features)
    rows = features.transform(dataset.texts)
    groups = make_groups(rows, features.transform(dataset.label_texts), dataset.labels, recipe)
    labels = split_filtered(dataset.labels, dataset.filter_pairs)
    side, transformer = make_side(dataset, rows, recipe, device)
    shares = np.asarray(groups.relevant(labels[0]).mean(axis=0), dtype=np.float32)
    heads = LightHeads(side.dim, shares, dataset.n_labels, recipe.lightxml, seed=recipe.seed).to(device)
    learned = [*heads.generator.parameters(), *heads.bottleneck.parameters()]
    parts = [*side.groups(), {"params": learned, "height": recipe.lightxml.head_rate}]
    made = AdamW if transformer is None else torch.optim.AdamW  # of many tensors that is the faster one on a GPU
    optimizer = made([{"weight_decay": 0.0, "warmup": 0.0, **part} for part in parts])
    log(
        "note", documents=dataset.n_documents, labels=dataset.n_labels, groups=len(groups.members), dimensions=side.dim
    )
    session = Session(
        recipe, dataset, features, groups, labels, side, heads, transformer, optimizer, folder, fingerprint(dataset)
    )
    if resume and folder is not None:
        _go_on(session, log)
    return session


def make_groups(rows: Csr, label_rows: Csr, labels: Csr, recipe: Recipe) -> Groups:
    """Balanced groups of labels by the TF-IDF of their documents; a label without any by that of its own text.

    Args:
        rows: (N, V) TF-IDF of the documents.
        label_rows: (L, V) TF-IDF of the label texts.
        labels: (N, L).
        recipe: Most labels in a group, seed.
    """
    points: FloatArray = projected_means(rows, labels, label_rows, seed=recipe.seed)
    of_label: IntArray = balanced_kmeans(points, max_leaf=recipe.lightxml.max_group, seed=recipe.seed)
    return Groups.of(of_label)


def _go_on(session: Session, log: EventLog) -> None:
    assert session.folder is not None
    point = checkpoint.load(session.folder / "checkpoint")
    if point is None:
        return
    checkpoint.check_same(point, to_mapping(session.recipe), session.fingerprint)
    session.restore(point.network)
    restore_optimizer(session.optimizer, point.optimizer)
    session.cursor = point.cursor
    session.average = (point.best_network, int(point.best["averaged"]))
    log("note", resumed=vars(point.cursor))
