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


def test_cells_of_labels_may_be_lists_tuples_sets_and_numbers_of_numpy(tmp_path: Path) -> None:
    cells: list[Any] = [[np.int64(3), np.int32(1)], (1, "b"), {12, 3, np.int64(2)}, frozenset("ba"), np.array([3, 1])]
    rows = [{"text": f"text {row}", "labels": cell} for row, cell in enumerate(cells)]
    import_table(rows, tmp_path / "d", test_share=0)
    part = load_dataset(tmp_path / "d").train
    assert part.label_ids == ["3", "1", "b", "2", "12", "a"]  # sets give theirs in order
    assert part.labels.toarray().tolist() == [
        [1, 1, 0, 0, 0, 0], [0, 1, 1, 0, 0, 0], [1, 0, 0, 1, 1, 0], [0, 0, 1, 0, 0, 1], [1, 1, 0, 0, 0, 0],
    ]  # fmt: skip


def test_whole_numbers_that_a_gap_made_floats_are_labels(tmp_path: Path) -> None:
    nan = float("nan")
    table = Frame({"key": [7.0, 8.0, 9.0, 10.0], "text": list("wxyz"), "labels": [3.0, nan, np.float32(0), [1.0, nan]]})
    summary = import_table(table, tmp_path / "d", id="key", test_share=0)
    part = load_dataset(tmp_path / "d").train
    assert (part.ids, part.label_ids) == (["7", "9", "10"], ["3", "0", "1"])
    assert [(one["reason"], one["count"]) for one in summary.report["findings"]] == [("row without labels", 1)]


@pytest.mark.parametrize("value", [3.5, float("inf"), 1e300, True, {"a": 1}, b"x"])
def test_other_values_are_no_labels_and_the_message_says_why(tmp_path: Path, value: Any) -> None:
    with pytest.raises(DataError, match="label is no text: 3, .*: a label is a text or a whole number"):
        import_table([{"text": str(row), "labels": value} for row in range(3)], tmp_path / "d")


def test_rows_without_a_label_are_left_out_with_the_reason(tmp_path: Path) -> None:
    said = r"all 2 rows were left out \(none of its labels is left: 2, .*label is no text: 2, e.g. rows:1: 3.5: a label"
    with pytest.raises(DataError, match=said):
        import_table([{"text": "x", "labels": 3.5}, {"text": "y", "labels": 4.5}], tmp_path / "d")
