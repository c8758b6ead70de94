from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from eclare_py.data.dataset import load_dataset
from eclare_py.data.importing import import_table
from eclare_py.data.importing.objects import read_object
from eclare_py.errors import DataError

ROWS = [
    {"text": "first", "labels": ["a", "b"]},
    {"text": "second", "labels": ["b"]},
    {"text": "third", "labels": ["a"]},
]


class ClassLabel:
    """As that of the library `datasets`."""

    names = ["no", "yes"]

    def int2str(self, value: int) -> str:
        return self.names[value]


class Sequence:
    feature = ClassLabel()


class HubDataset:
    """What is used of `datasets.Dataset`."""

    def __init__(self, columns: dict[str, list[Any]], features: dict[str, Any], streams: bool = False) -> None:
        self.columns, self.features = columns, features
        self.column_names = None if streams else list(columns)

    def __len__(self) -> int:
        return len(next(iter(self.columns.values())))

    def select_columns(self, names: list[str]) -> HubDataset:
        return HubDataset({name: self.columns[name] for name in names}, self.features)

    def iter(self, batch_size: int) -> Iterator[dict[str, list[Any]]]:
        for start in range(0, len(self), 2):
            yield {name: values[start : start + 2] for name, values in self.columns.items()}


class Frame:
    """What is used of `pandas.DataFrame`."""

    def __init__(self, columns: dict[str, list[Any]]) -> None:
        self.data, self.columns = columns, list(columns)

    def __getitem__(self, names: list[str]) -> Frame:
        return Frame({name: self.data[name] for name in names})

    def itertuples(self, index: bool, name: str | None) -> Iterator[tuple[Any, ...]]:
        assert (index, name) == (False, None)
        return zip(*self.data.values(), strict=True)


def values(table: Any, *columns: str) -> list[list[Any]]:
    return [list(row) for _, row in read_object(table, columns)]


@pytest.mark.parametrize("streams", [False, True])
def test_a_hub_dataset_with_class_labels(streams: bool) -> None:
    columns = {"other": [0, 0, 0], "text": ["x", "y", "z"], "one": [1, 0, None], "many": [[0, 1], [], [1]]}
    table = HubDataset(columns, {"text": None, "one": ClassLabel(), "many": Sequence()}, streams)
    assert values(table, "text", "one") == [["x", "yes"], ["y", "no"], ["z", None]]
    many = HubDataset(columns | {"many": [1, 0, 1]}, {"many": Sequence()}, streams)
    assert values(many, "many") == [["yes"], ["no"], ["yes"]]
    with pytest.raises(DataError, match="no column 'texts', did you mean 'text'"):
        values(table, "texts")


def test_class_labels_in_lists() -> None:
    class ListNames(ClassLabel):
        def int2str(self, value: Any) -> Any:
            return [self.names[one] for one in value] if isinstance(value, list) else self.names[value]

    class Many:
        feature = ListNames()

    table = HubDataset({"many": [[0, 1], []]}, {"many": Many()})
    assert values(table, "many") == [[["no", "yes"]], [[]]]


def test_a_data_frame_with_missing_values() -> None:
    table = Frame({"text": ["x", float("nan"), None], "labels": ["a;b", "a", np.array(["c"])], "more": [1, 2, 3]})
    assert values(table, "text", "labels") == [["x", "a;b"], [None, "a"], [None, ["c"]]]
    with pytest.raises(DataError, match="no column 'label', did you mean 'labels'"):
        values(table, "label")


def test_rows_in_memory_and_in_a_file_give_the_same_folder(tmp_path: Path) -> None:
    import_table(iter(ROWS), tmp_path / "rows", test_share=0)
    columns = {key: [row[key] for row in ROWS] for key in ("text", "labels")}
    import_table(Frame(columns), tmp_path / "frame", test_share=0)
    import_table(HubDataset(columns, {}), tmp_path / "hub", test_share=0)
    for name in ("rows", "frame", "hub"):
        part = load_dataset(tmp_path / name).train
        assert part.texts == ["first", "second", "third"]
        assert part.label_ids == ["a", "b"]
        assert part.labels.toarray().tolist() == [[1, 1], [0, 1], [1, 0]]


def test_a_mapping_of_splits(tmp_path: Path) -> None:
    splits = {"train": ROWS, "test": [{"text": "t", "labels": "b"}], "validation": ROWS[:2]}
    summary = import_table(splits, tmp_path / "d")
    assert (summary.train, summary.test) == (3, 1)
    assert [(one["reason"], one["count"]) for one in summary.report["findings"]] == [("split not imported", 2)]


def test_rows_that_are_no_mappings(tmp_path: Path) -> None:
    with pytest.raises(DataError, match="rows:2: row is 'x': it must be a mapping"):
        import_table([ROWS[0], "x"], tmp_path / "d")
    assert not (tmp_path / "d").exists()
