"""Which epoch of a stage stays: the best by nDCG@5 on held-out documents."""

from __future__ import annotations

from typing import Any, Protocol

import torch

from eclare_py.metrics.judged import Judged
from eclare_py.metrics.ratios import ndcg, recall
from eclare_py.train.checkpoint import Cursor
from eclare_py.train.events import EventLog
from eclare_py.types import Csr, Ranking

# Most held-out documents that pick the best epoch: each is compared with all labels. With 1,000, chance took an earlier
# epoch in one of three trainings on debian-related, which cost 0.7 points of tail_R@10.
JUDGED = 2000


class Training(Protocol):
    """What a training run has to have."""

    cursor: Cursor
    log: EventLog
    best: dict[str, Any]
    best_state: dict[str, torch.Tensor]

    @property
    def network(self) -> torch.nn.Module: ...  # noqa: D102


class Kept(dict[str, torch.Tensor]):
    """A copy of all parameters, which the next copy may be written over."""

    @classmethod
    def of(cls, network: torch.nn.Module, before: dict[str, torch.Tensor]) -> Kept:
        """The parameters as they are now, in the memory of an earlier copy: new memory takes longer than to copy."""
        state = network.state_dict()
        shapes = {name: value.shape for name, value in state.items()}
        if not isinstance(before, Kept) or shapes != {name: value.shape for name, value in before.items()}:
            return cls({name: value.detach().clone() for name, value in state.items()})
        for name, value in state.items():
            before[name].copy_(value)
        return before


def every_judged(n_held_out: int, most: int = JUDGED) -> slice:
    """The held-out documents that judge: all, or evenly spread ones, `most` of them."""
    return slice(None, None, max(1, -(-n_held_out // most)))


def remember_best(session: Training, stage: str, ranking: Ranking, labels: Csr) -> None:
    """Log how good the finished epoch is, and keep its parameters where it is the best of the stage.

    Args:
        session: The run.
        stage: Name of the stage.
        ranking: 50 labels of each judged document.
        labels: Their true ones.
    """
    judged = Judged.of(ranking, labels)
    figures: dict[str, Any] = {"ndcg_at_5": ndcg(judged, 5).share, "recall_at_50": recall(judged, 50).share}
    percent: dict[str, Any] = {name: round(100 * value, 3) for name, value in figures.items()}
    session.log("validation", stage=stage, epoch=session.cursor.epoch, **percent)
    if not session.best or figures["ndcg_at_5"] > session.best["ndcg_at_5"]:
        session.best = {"stage": stage, "epoch": session.cursor.epoch, **figures}
        session.best_state = Kept.of(session.network, session.best_state)
