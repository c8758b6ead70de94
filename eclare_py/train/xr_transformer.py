"""XR-Transformer: a transformer tuned on clusters of labels, coarse to fine; XR-Linear on TF-IDF and its vectors.

Zhang, Chang, Yu, Dhillon, NeurIPS 2021; PECOS' xtransformer. With one resolution this is X-Transformer (Chang et al.,
KDD 2020). Deviations from PECOS: the vectors are unit-length already in training, so that classifiers are bootstrapped
on just what they go on with; a held-out part watches each resolution; one encoder rather than an ensemble of three.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import torch

from eclare_py.config import to_mapping
from eclare_py.data.dataset import Dataset
from eclare_py.features.dense_columns import DenseColumns, append_dense
from eclare_py.features.text_transformer import TextTransformer
from eclare_py.features.tfidf import TfidfFeatures
from eclare_py.features.tokens import Tokens
from eclare_py.linear.model import Beam
from eclare_py.model.level_head import LevelHead
from eclare_py.rank.linear_pipeline import LinearPipeline
from eclare_py.train import checkpoint
from eclare_py.train.best_epoch import every_judged
from eclare_py.train.bootstrap import linear_head, matcher_beam
from eclare_py.train.checkpoint import Checkpoint, Cursor
from eclare_py.train.epochs import Epochs
from eclare_py.train.events import EventLog
from eclare_py.train.linear import check_labelled, load_frozen, rank_linearly
from eclare_py.train.optimizer import optimizer_state, restore_optimizer
from eclare_py.train.precision import in_bfloat16
from eclare_py.train.prepare import fingerprint
from eclare_py.train.recipe import Recipe
from eclare_py.train.resolutions import Resolution, capped, make_resolutions, seen_parents
from eclare_py.train.transformer_tuning import Tuning, encode, make_optimizer, update
from eclare_py.train.watching import cluster_recall
from eclare_py.types import Csr, IntArray

_WATCHED = 1000  # most held-out documents of a validation
_DEPTH = 10  # clusters that count in it


@dataclass
class _Session:
    """A training run in memory.

    Attributes:
        rows: (N, V) TF-IDF of all documents.
        tokens: All documents for the transformer.
        trained: (n,) documents that the transformer learns from.
        watched: (H,) documents that only validate it.
        levels: Resolutions, coarse to fine.
        head: Classifiers of the resolution under way.
        beam: Clusters of the next coarser resolution that a linear model picks for each document.
    """

    recipe: Recipe
    dataset: Dataset
    data: str
    rows: Csr
    tokens: Tokens
    trained: IntArray
    watched: IntArray
    levels: list[Resolution]
    model: TextTransformer
    log: EventLog
    folder: Path | None
    half: bool
    cursor: Cursor = field(default_factory=lambda: Cursor(""))
    head: LevelHead | None = None
    beam: Beam | None = None
    optimizer: torch.optim.Optimizer | None = None


def train_xr_transformer(
    dataset: Dataset,
    recipe: Recipe,
    log: EventLog,
    *,
    folder: Path | None = None,
    resume: bool = False,
    device: torch.device | str = "cpu",
) -> LinearPipeline:
    """Tune and rank; where `transformer.tuning` is frozen, rank alone.

    Args:
        dataset: The train split.
        recipe: Settings.
        log: Told of progress.
        folder: Where checkpoints are kept; None keeps none.
        resume: Go on from the checkpoint there, if there is one.
        device: Of the tuning.

    Raises:
        TrainingError: No document with a label, a loss that is not finite, a checkpoint of something else.
        ModelError: No such transformer.
        ConfigError: Resolutions that there cannot be.
    """
    check_labelled(dataset)
    log("stage", name="prepare", epochs=1, steps=1)
    frozen = recipe.transformer.tuning == "frozen"
    # Before anything that takes long, as the model may not be there.
    dense = load_frozen(recipe)
    features = TfidfFeatures.fit(dataset.texts, config=recipe.features)
    rows = features.transform(dataset.texts)
    if not frozen:
        session = _open(dataset, recipe, log, rows, dense.encoder.network.to(device), folder)
        log(
            "note", documents=len(session.trained), held_out=len(session.watched), labels=dataset.n_labels,
            features=features.n_features,
        )  # fmt: skip
        if resume and folder is not None:
            _restore(session, folder)
        for number in range(len(session.levels)):
            _level(session, number)
        dense = DenseColumns.of(session.model, recipe.linear.dense_weight)
    return rank_linearly(dataset, recipe, log, features, rows, dense)


def _open(
    dataset: Dataset, recipe: Recipe, log: EventLog, rows: Csr, model: TextTransformer, folder: Path | None
) -> _Session:
    held_out = int(min(recipe.training.validation * len(dataset), recipe.training.max_validation))
    order = np.random.default_rng((recipe.seed, *b"watched")).permutation(len(dataset))
    # A document without a label teaches nothing.
    labelled = np.flatnonzero(np.diff(dataset.labels.indptr))
    watched = np.intersect1d(order[:held_out], labelled)
    trained = np.setdiff1d(labelled, watched)
    if not len(trained):
        watched, trained = watched[:0], labelled
    levels = make_resolutions(rows, dataset.labels, recipe.resolutions, seed=recipe.seed)
    return _Session(
        recipe, dataset, fingerprint(dataset), rows, model.tokens(dataset.texts), trained, watched, levels, model, log,
        folder, in_bfloat16(recipe.training.precision, model.device),
    )  # fmt: skip


def _level(session: _Session, number: int) -> None:
    """Train one resolution, or what is left of it."""
    recipe, level = session.recipe, session.levels[number]
    settings, name = recipe.resolutions, f"level{number + 1}"
    last = number == len(session.levels) - 1
    epochs = settings.last_epochs if last else settings.epochs
    begun = int(session.cursor.stage.removeprefix("level") or 0)
    if begun > number + 1 or (begun == number + 1 and session.cursor.epoch >= epochs):
        return
    counts = level.counts(session.dataset.labels)
    if begun <= number:
        _begin(session, number, counts)
        session.cursor, session.optimizer = Cursor(name), make_optimizer(session.model, recipe)
    assert session.head is not None and session.optimizer is not None
    candidates = None
    if number:
        seen = _seen(session, number)
        candidates = capped(level.below(seen), counts, settings.max_active, seed=recipe.seed)
    tuning = Tuning(
        session.model, session.head, session.optimizer, recipe, session.tokens, counts, candidates, session.half
    )
    frame = Epochs(
        name, epochs, session.trained, settings.batch_size, recipe.seed, session.cursor, session.log,
        step=lambda documents, step: update(tuning, frame, documents, step), save=lambda: _save(session),
        begin=session.model.train, after=lambda: _watch(session, number, counts),
        lower="transformer.rate or resolutions.head_rate",
        checkpoint_seconds=recipe.training.checkpoint_seconds, save_end=True,
        title=f"transformer on {level.n_clusters:,} clusters",
    )  # fmt: skip
    frame.run()


def _begin(session: _Session, number: int, counts: Csr) -> None:
    """The classifiers of a resolution at their start, and what a linear model picks at the coarser one."""
    settings, level = session.recipe.resolutions, session.levels[number]
    vectors = encode(session.model, session.tokens, half=session.half)
    if number:
        above = session.levels[number - 1]
        session.beam = matcher_beam(
            append_dense(session.rows, vectors, session.recipe.linear.dense_weight), above,
            above.counts(session.dataset.labels), _seen(session, number - 1), session.beam, session.trained,
            session.recipe,
        )  # fmt: skip
    if settings.bootstrap == "zero":
        width = vectors.shape[1]
        shape = (level.n_clusters, width)
        session.head = LevelHead(np.zeros(shape, np.float32), np.zeros(shape[0], np.float32), session.model.device)
    elif settings.bootstrap == "inherit" and session.head is not None:
        session.head = session.head.inherited(level.parents)
    else:
        rows = session.trained
        session.head = linear_head(
            vectors[rows], _seen(session, number)[rows], counts[rows], level.child_ptr, session.recipe,
            session.model.device,
        )  # fmt: skip


def _seen(session: _Session, number: int) -> Csr:
    """M: (N, P) ones at the clusters of the coarser resolution whose parts a document tells apart."""
    if not number:
        return Csr(np.ones((len(session.dataset), 1), np.float32))
    own = session.levels[number - 1].counts(session.dataset.labels)
    picked = None if session.beam is None else session.beam.nodes
    return seen_parents(own, picked, session.recipe.resolutions.negatives)


def _watch(session: _Session, number: int, counts: Csr) -> None:
    """Tell how many clusters of held-out documents are found among those that the linear model leads to."""
    shown = session.watched[every_judged(len(session.watched), _WATCHED)]
    if not len(shown) or session.head is None:
        return
    level, candidates = session.levels[number], None
    if number and session.beam is not None:
        parents = Csr((len(shown), len(level.child_ptr) - 1), dtype=np.float32)
        candidates = level.below(seen_parents(parents, session.beam.nodes[shown], "man"))
    vectors = encode(session.model, session.tokens[shown], half=session.half)
    figure = cluster_recall(session.head, vectors, counts[shown], candidates, _DEPTH)
    session.log(
        "validation", stage=session.cursor.stage, epoch=session.cursor.epoch,
        metrics={f"R@{_DEPTH}": round(100 * figure, 3)}, clusters=level.n_clusters,
    )  # fmt: skip


def _save(session: _Session) -> None:
    if session.folder is None:
        return
    assert session.head is not None and session.optimizer is not None
    network = {f"transformer/{name}": value for name, value in session.model.state_dict().items()}
    network |= {f"head/{name}": value for name, value in session.head.state().items()}
    if session.beam is not None:
        filled = session.beam.nodes >= 0
        network["beam/nodes"] = torch.from_numpy(session.beam.nodes)
        # What is saved must be finite.
        network["beam/scores"] = torch.from_numpy(np.where(filled, session.beam.scores, 0))
    checkpoint.save(
        session.folder / "checkpoint",
        Checkpoint(
            session.cursor, to_mapping(session.recipe), session.data, network,
            optimizer_state(session.optimizer), None, {}, {},
        ),
    )  # fmt: skip


def _restore(session: _Session, folder: Path) -> None:
    point = checkpoint.load(folder / "checkpoint")
    if point is None:
        return
    checkpoint.check_same(point, to_mapping(session.recipe), session.data)

    def part(prefix: str) -> dict[str, torch.Tensor]:
        return {name.removeprefix(prefix): one for name, one in point.network.items() if name.startswith(prefix)}

    session.model.load_state_dict(part("transformer/"))
    session.head, beam = LevelHead.from_state(part("head/"), session.model.device), part("beam/")
    if beam:
        nodes = beam["nodes"].numpy()
        scores = np.where(nodes >= 0, beam["scores"].numpy(), -np.inf).astype(np.float32)
        session.beam = Beam(nodes, scores, np.zeros_like(scores))
    session.optimizer = make_optimizer(session.model, session.recipe)
    restore_optimizer(session.optimizer, point.optimizer)
    session.cursor = point.cursor
    session.log("note", resumed=vars(point.cursor))
