"""Documents with imputed labels that still know their groups."""

from __future__ import annotations

from dataclasses import dataclass, field, replace

import numpy as np
import numpy.typing as npt
import scipy.sparse as sp

from eclare_py.data.aggregated import no_groups
from eclare_py.data.dataset import Dataset
from eclare_py.types import Csr, IntArray, as_csr


@dataclass(frozen=True, eq=False)
class ImputedDataset(Dataset):
    """What imputation makes of aggregated labels: a plain data set to all but a method that trains on groups itself.

    Attributes:
        groups: (N,) int64 group of each document.
        beliefs: (N, L) CSR float32, for every label that a document's group has and that it may carry the probability
            that it does; `labels` are those of them that were handed out.
    """

    groups: IntArray = field(default_factory=no_groups)
    beliefs: Csr = field(default_factory=lambda: sp.csr_array((0, 0), dtype=np.float32))

    def subset(self, rows: npt.ArrayLike) -> ImputedDataset:
        """The documents `rows`, as in `Dataset.subset`; a group may lose members."""
        picked = np.asarray(rows)
        picked = np.flatnonzero(picked) if picked.dtype == np.bool_ else picked.astype(np.int64)
        part = super().subset(picked)
        assert isinstance(part, ImputedDataset)
        return replace(part, groups=self.groups[picked], beliefs=as_csr(self.beliefs[picked]))
