"""Extreme multi-label classification of short texts: label text, a label-correlation graph and a tree index.

The public names are resolved on first use, so that `import eclare_py` loads none of the heavy libraries.
"""

from __future__ import annotations

import importlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from eclare_py.data.dataset import Dataset, load_dataset
    from eclare_py.data.importing import import_table
    from eclare_py.estimator import EclareClassifier
    from eclare_py.hub import HubClassifier
    from eclare_py.metrics.evaluate import evaluate
    from eclare_py.types import Ranking

__version__ = "0.1.0"

__all__ = [
    "Dataset",
    "EclareClassifier",
    "HubClassifier",
    "Ranking",
    "__version__",
    "evaluate",
    "import_table",
    "load_dataset",
]

_HOMES = {
    "Dataset": "eclare_py.data.dataset",
    "EclareClassifier": "eclare_py.estimator",
    "HubClassifier": "eclare_py.hub",
    "Ranking": "eclare_py.types",
    "evaluate": "eclare_py.metrics.evaluate",
    "import_table": "eclare_py.data.importing",
    "load_dataset": "eclare_py.data.dataset",
}


def __getattr__(name: str) -> Any:
    """Import the home of a public name when it is first asked for."""
    if name not in _HOMES:
        raise AttributeError(f"module 'eclare_py' has no attribute {name!r}; public names: {', '.join(__all__)}")
    value = getattr(importlib.import_module(_HOMES[name]), name)
    globals()[name] = value
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
