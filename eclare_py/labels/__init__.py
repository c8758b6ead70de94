"""Labels of a finished model: new ones, other names, fewer, merged; and data sets whose labels are not the model's."""

from __future__ import annotations

from eclare_py.labels.add import AddConfig, add_labels
from eclare_py.labels.change import check_kind, merge_labels, remove_labels, rename_labels
from eclare_py.labels.match import folder_into_label_space, into_label_space, match_labels, names_in_data
from eclare_py.labels.tables import read_edges, read_new_labels, read_pairs

__all__ = [
    "AddConfig",
    "add_labels",
    "check_kind",
    "folder_into_label_space",
    "into_label_space",
    "match_labels",
    "merge_labels",
    "names_in_data",
    "read_edges",
    "read_new_labels",
    "read_pairs",
    "remove_labels",
    "rename_labels",
]
