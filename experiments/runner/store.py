"""Where results are kept: a file a cell, and for each experiment which cells it consists of.

OUT/cells/KEY.json   figures and cost of a cell; there once all of the cell is done
OUT/cells/KEY.npz    its ranking of the test split, so that more can be measured without training again
OUT/plans/NAME.json  cells of an experiment: variant, data set, seed, key
OUT/work/KEY/        checkpoint of a training under way
"""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py import Ranking
from eclare_py.errors import UsageError
from eclare_py.storage import atomic_file, exclusive, read_json, remove_stale, remove_whole, write_json
from runner.plan import Cell


class Store:
    """The results under one folder.

    Args:
        folder: Made where it is not there.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        for part in ("cells", "plans"):
            (folder / part).mkdir(parents=True, exist_ok=True)

    def done(self, key: str) -> bool:
        """Whether a cell is there."""
        return self._cell(key).is_file()

    def save(self, key: str, ranking: Ranking, result: dict[str, Any]) -> None:
        """Keep a cell; the JSON comes last and marks it as done."""
        with atomic_file(self._cell(key).with_suffix(".npz"), "wb") as handle:
            np.savez_compressed(handle, labels=ranking.indices.astype(np.int32))
        write_json(self._cell(key), result, indent=1)

    def result(self, key: str) -> dict[str, Any]:
        """Figures and cost of a cell."""
        found: dict[str, Any] = read_json(self._cell(key))
        return found

    def ranking(self, key: str) -> Ranking:
        """The ranking of a cell; its scores are not kept and stand for the order alone."""
        with np.load(self._cell(key).with_suffix(".npz"), allow_pickle=False) as file:
            labels = file["labels"].astype(np.int64)
        order = -np.arange(labels.shape[1], dtype=np.float32)
        return Ranking(labels, np.where(labels >= 0, order, np.float32(-np.inf)))

    def work(self, key: str) -> Path:
        """Where the training of a network keeps its checkpoint."""
        return self.folder / "work" / key

    def forget(self, key: str) -> None:
        """Remove what a run left of a training when it was killed after its last cell."""
        work = self.work(key)
        if any(work.parent.glob(f"{key}*")):
            with suppress(UsageError, OSError), exclusive(work):
                remove_stale(work)
                if work.exists():
                    remove_whole(work)

    def add_plan(self, experiment: str, cells: Iterable[Cell]) -> None:
        """Note which cells an experiment consists of, beside those of earlier calls with other seeds or data."""
        entries = {_place(entry): entry for entry in self.plan(experiment)}
        for cell in cells:
            entry = {
                "variant": cell.variant, "data": cell.data, "seed": cell.seed, "key": cell.key, "setting": cell.setting,
            }  # fmt: skip
            entries[_place(entry)] = entry
        write_json(self._plan(experiment), list(entries.values()), indent=1)

    def plan(self, experiment: str) -> list[dict[str, Any]]:
        """Cells of an experiment, done or not."""
        path = self._plan(experiment)
        found: list[dict[str, Any]] = read_json(path) if path.is_file() else []
        return found

    def experiments(self) -> list[str]:
        """Names of the experiments that were planned here."""
        return sorted(path.stem for path in (self.folder / "plans").glob("*.json"))

    def _cell(self, key: str) -> Path:
        return self.folder / "cells" / f"{key}.json"

    def _plan(self, experiment: str) -> Path:
        return self.folder / "plans" / f"{experiment}.json"


def _place(entry: dict[str, Any]) -> tuple[str, str, int]:
    return entry["data"], entry["variant"], entry["seed"]
