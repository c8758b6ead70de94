"""The steps of Rank-AE, and the choice of the best epoch."""

from __future__ import annotations

import numpy as np
import torch

from eclare_py.index import exact_search
from eclare_py.model.rank_losses import AtHand
from eclare_py.train.batches import Batch
from eclare_py.train.best_epoch import every_judged, remember_best
from eclare_py.train.epochs import Epochs
from eclare_py.train.freezing import as_array
from eclare_py.train.rank_ae.session import STAGE, Session
from eclare_py.types import Csr, FloatArray, IntArray

_BLOCK = 4096  # documents encoded at once


def run(session: Session) -> None:
    """Train from the cursor to the end; the best epoch by nDCG@5 on held-out documents stays.

    Raises:
        TrainingError: The loss is not finite; the last checkpoint was made before that step.
        KeyboardInterrupt: Ctrl-C, with a checkpoint behind it.
    """
    settings = session.recipe.rank_ae
    frame = Epochs(
        STAGE, settings.epochs, session.prepared.train.n_documents, settings.batch_size, session.recipe.seed,
        session.cursor, session.log, step=lambda documents, step: update(session, frame, documents, step),
        save=session.save, begin=session.network.train, after=lambda: judge(session),
        lower="rank_ae.table_rate, rank_ae.label_rate or rank_ae.dense_rate",
        checkpoint_seconds=session.recipe.training.checkpoint_seconds,
    )  # fmt: skip
    frame.run()
    if session.best_state and session.best["epoch"] != settings.epochs:
        session.network.load_state_dict(session.best_state)
        session.best_state = {}


def update(session: Session, frame: Epochs, documents: IntArray, step: int) -> float:
    """One update of everything; returns the loss, and leaves the parameters alone where it is not finite."""
    settings, network = session.recipe.rank_ae, session.network
    torch.manual_seed(frame.torch_seed(step))
    batch = session.source.batch(documents, frame.random(step))
    labels = session.labels[documents]
    judged = judge_labels(batch, labels, session.trust, network.device)
    loss = network.loss(session.prepared.rows[documents], labels, batch.labels, judged)
    value = float(loss.detach())
    if not np.isfinite(value):
        return value
    session.optimizer.zero_grad()
    loss.backward()
    fall = (1 - frame.progress) ** 0.5
    for group in session.optimizer.param_groups:
        group["lr"] = fall * settings.dense_rate
    session.optimizer.step()
    network.step(fall * settings.table_rate, fall * settings.label_rate)
    return value


def judge_labels(batch: Batch, labels: Csr, trust: FloatArray | None, device: torch.device) -> AtHand:
    """What the labels at hand are to the documents of a batch.

    Args:
        batch: Labels at hand, positives and filter pairs.
        labels: (B, L) relevant labels.
        trust: (L,) see `Session`.
        device: Of the network.
    """
    own = np.isin(batch.labels, labels.indices)
    drawn, left = int((~own).sum()), labels.shape[1] - int(own.sum())
    weights = np.where(own, 1.0, left / max(drawn, 1)).astype(np.float32)
    arrays = batch.positives, ~(batch.positives | batch.ignored), weights
    positives, negatives, factors = (torch.from_numpy(array).to(device) for array in arrays)
    own_trust = None if trust is None else torch.from_numpy(trust[batch.labels]).to(device)
    return AtHand(positives, negatives, factors, own_trust)


@torch.no_grad()
def document_vectors(session: Session, rows: Csr) -> FloatArray:
    """(n, V) TF-IDF -> (n, d) what label vectors are multiplied with."""
    network = session.network.eval()
    starts = range(0, rows.shape[0], _BLOCK)
    parts = [network.decode(network.encode_documents(rows[start : start + _BLOCK])) for start in starts]
    return np.concatenate([as_array(part) for part in parts])


def judge(session: Session) -> None:
    """Validate on the held-out documents and remember the best epoch."""
    prepared, network = session.prepared, session.network
    shown = every_judged(prepared.held_out.n_documents)
    vectors = document_vectors(session, prepared.held_out_rows[shown])
    tables = as_array(network.labels.weight), as_array(network.bias)
    ranking = exact_search(vectors, label_vectors=tables[0], label_bias=tables[1], k=50)
    remember_best(session, STAGE, ranking, prepared.held_out.labels[shown])
