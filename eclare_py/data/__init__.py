"""Data sets: what they are, the formats they are read from and written to, and their checks."""

from eclare_py.data.dataset import DataFolder, Dataset, load_dataset

__all__ = ["DataFolder", "Dataset", "load_dataset"]
