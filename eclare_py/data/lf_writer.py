"""Writing data folders in the LF raw format, row by row and all or nothing."""

from __future__ import annotations

import gzip
import io
import json
import operator
from collections.abc import Iterable, Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Any, Literal, Protocol, TypeAlias, cast

import numpy as np
import numpy.typing as npt

from eclare_py.data.aggregated import AggregatedDataset
from eclare_py.data.card import CARD
from eclare_py.data.dataset import Dataset
from eclare_py.data.label_edges import EDGES, RELATIONS
from eclare_py.data.lines import lone_surrogate
from eclare_py.data.problems import show
from eclare_py.data.rows import is_relevance
from eclare_py.errors import DataError, UsageError
from eclare_py.storage import atomic_folder
from eclare_py.storage.fault import point

Split: TypeAlias = Literal["train", "test"]
LABELS, TRAIN, TEST = "lbl.json.gz", "trn.json.gz", "tst.json.gz"
GROUPS = "groups.json.gz"
DOCUMENTS: dict[Split, str] = {"train": TRAIN, "test": TEST}
FILTERS: dict[Split, str] = {"train": "filter_labels_train.txt", "test": "filter_labels_test.txt"}
IMPORT_REPORT = "import.json"  # what an import changed and left out; nothing reads it but people
DATA_FILES = (LABELS, TRAIN, TEST, GROUPS, *FILTERS.values(), EDGES, CARD, IMPORT_REPORT)
# What another run may not write again. Filters and the card may be made by hand: these are not dropped.
_WRITTEN = (TEST, GROUPS, EDGES, IMPORT_REPORT)
_LEVEL = 5  # gzip: half the time of level 9 for 2 % more bytes
_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False).encode


class _Text(Protocol):
    def write(self, text: str, /) -> int: ...


class LfWriter:
    """Write a data folder from generators of any length; nothing is seen at `folder` before all of it is written.

        with LfWriter("out") as writer:
            for name in names: writer.label(name)
            for text, labels in rows: writer.document("train", text, labels)

    The calls may come in any order; leaving the block with an error leaves nothing behind.

    Args:
        folder: Where to; an earlier data folder there is replaced, anything else is refused. So is one with filters or
            a card where none are written now: these may be made by hand.

    Raises:
        UsageError: `folder` holds files that are not those of a data folder.
        DataError: On a bad row at once, or at the end where an index has no label.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)
        self.counts: dict[str, int] = {"labels": 0, "train": 0, "test": 0}
        self._grouped: set[int] = set()
        self._stack = ExitStack()
        self._streams: dict[str, _Text] = {}
        self._uids: dict[str, bool] = {}
        self._last_label: tuple[int, str] = (-1, "")
        self._last_document: dict[Split, int] = {"train": -1, "test": -1}

    def __enter__(self) -> LfWriter:
        strangers = [p.name for p in self.folder.iterdir()] if self.folder.is_dir() else []
        strangers = sorted(set(strangers) - set(DATA_FILES))
        if strangers:
            raise UsageError(f"{self.folder / strangers[0]} is not part of a data folder: name an empty or new folder")
        self._temporary = self._stack.enter_context(atomic_folder(self.folder, manifest=False, may_go=_WRITTEN))
        try:
            self._stream(LABELS), self._stream(TRAIN)
        except BaseException as error:
            self._stack.__exit__(type(error), error, error.__traceback__)
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if error is None:
            try:
                self._check_complete()
            except DataError as found:
                self._stack.__exit__(type(found), found, found.__traceback__)
                raise
        self._stack.__exit__(kind, error, trace)

    def label(self, text: str, uid: str | None = None) -> int:
        """Write the next label; returns its row number."""
        row = self._row("labels", text, uid)
        self._stream(LABELS).write(_encode(row) + "\n")
        return self._count("labels")

    def document(
        self,
        split: Split,
        text: str,
        labels: Iterable[int] | None,
        *,
        uid: str | None = None,
        relevances: Sequence[float] | npt.NDArray[np.float32] | None = None,
    ) -> int:
        """Write the next document of a split; returns its row number.

        Args:
            split: "train" or "test".
            text: Its text, not empty.
            labels: Row numbers of its labels, distinct; the labels may be added later. None: they are of its group.
            uid: Its id; all documents of a split have one or none.
            relevances: One number above 0 for each label; 1 where not given.
        """
        row = self._row(split, text, uid)
        if labels is not None:
            row["target_ind"] = self._labels(split, labels)
        if relevances is not None:
            values = [float(value) for value in relevances]
            if len(values) != len(row.get("target_ind", ())) or not all(map(is_relevance, values)):
                raise self._fault(split, f"relevances {show(values)} must be one finite number above 0 for each label")
            row["target_rel"] = values
        self._stream(DOCUMENTS[split]).write(_encode(row) + "\n")
        return self._count(split)

    def group(self, members: Iterable[int], labels: Iterable[int]) -> int:
        """Write the next group of train documents and the labels of the group; returns its row number."""
        rows = sorted(operator.index(member) for member in members)
        if not rows or rows[0] < 0 or not self._grouped.isdisjoint(rows) or len(set(rows)) < len(rows):
            raise self._fault("groups", f"members {show(rows)} must be rows of train that are in no other group")
        self._grouped.update(rows)
        self._last_document["train"] = max(self._last_document["train"], rows[-1])
        row = {"members": rows, "target_ind": self._labels("groups", labels)}
        self._stream(GROUPS).write(_encode(row) + "\n")
        return self._count("groups")

    def filter_pairs(self, split: Split, pairs: Iterable[tuple[int, int]]) -> None:
        """Write (document, label) pairs to ignore in training and evaluation, as row numbers of that split."""
        for document, label in pairs:
            pair = operator.index(document), operator.index(label)
            if min(pair) < 0:
                raise DataError(
                    f"filter pair {pair} of {split} is negative: row numbers count from 0", path=self.folder
                )
            self._last_document[split] = max(self._last_document[split], pair[0])
            self._last_label = max(self._last_label, (pair[1], f"filter pair {pair} of {split}"))
            self._stream(FILTERS[split]).write(f"{pair[0]} {pair[1]}\n")

    def edge(self, source: int, target: int, relation: str) -> None:
        """Write an edge between two labels, e.g. `edge(12, 7, "broader")`: label 7 is broader than label 12."""
        pair = operator.index(source), operator.index(target)
        if relation not in RELATIONS or min(pair) < 0 or pair[0] == pair[1]:
            raise DataError(f"edge {pair} {show(relation)} must join two labels by one of {', '.join(RELATIONS)}",
                            path=self.folder)  # fmt: skip
        self._last_label = max(self._last_label, (max(pair), f"edge {pair}"))
        self._stream(EDGES).write(f"{pair[0]} {pair[1]} {relation}\n")

    def card(self, card: Mapping[str, Any]) -> None:
        """Write card.json, e.g. {"name": "mine", "propensity": {"A": 0.55, "B": 1.5}}."""
        self._json(CARD, card)

    def import_report(self, report: Mapping[str, Any]) -> None:
        """Write import.json, what was changed and left out on the way here."""
        self._json(IMPORT_REPORT, report)

    def _json(self, name: str, content: Mapping[str, Any]) -> None:
        text = json.dumps(dict(content), indent=2, allow_nan=False, ensure_ascii=False)
        (self._temporary / name).write_text(text + "\n", encoding="utf-8")

    def _row(self, part: str, text: str, uid: str | None) -> dict[str, Any]:
        if not isinstance(text, str) or not text or text.isspace():
            raise self._fault(part, f"text is {show(text)}: give it some text or leave the row out")
        if self._uids.setdefault(part, uid is not None) != (uid is not None):
            raise self._fault(part, f"uid is {show(uid)}: all rows have one or none")
        row = {"title": text} if uid is None else {"uid": uid, "title": text}
        for key, value in row.items():
            if not value.isascii() and (half := lone_surrogate(value)) is not None:
                raise self._fault(part, f"{key} holds the lone surrogate {half}: decode it again or remove it")
        if uid == "":
            raise self._fault(part, "uid is empty: give it a character or leave it out")
        return cast(dict[str, Any], row)

    def _labels(self, split: str, labels: Iterable[int]) -> list[int]:
        found = [operator.index(label) for label in labels]
        if not found:
            return found
        if min(found) < 0 or len(set(found)) < len(found):
            raise self._fault(split, f"labels {show(found)} must be distinct and not negative")
        if max(found) > self._last_label[0]:
            self._last_label = max(found), f"row {self.counts.get(split, 0)} of {split}"
        return found

    def _check_complete(self) -> None:
        for part in ("labels", "train"):
            if not self.counts[part]:
                raise DataError(f"no {part} written: a data folder needs labels and train documents", path=self.folder)
        for split, last in self._last_document.items():
            if last >= self.counts[split]:
                raise DataError(
                    f"filter pairs or groups of {split} name document {last}, but {self.counts[split]} were written",
                    path=self.folder,
                )
        if self._grouped and len(self._grouped) < self.counts["train"]:
            raise DataError(f"{self.counts['train'] - len(self._grouped)} documents are in no group", path=self.folder)
        largest, where = self._last_label
        if largest >= self.counts["labels"]:
            raise DataError(
                f"{where} has label {largest}, but only {self.counts['labels']} labels were written", path=self.folder
            )

    def _count(self, part: str) -> int:
        point(f"row of {part}", writes=True)
        self.counts[part] = self.counts.get(part, 0) + 1
        return self.counts[part] - 1

    def _fault(self, part: str, message: str) -> DataError:
        return DataError(f"row {self.counts.get(part, 0)} of {part}: {message}", path=self.folder)

    def _stream(self, name: str) -> _Text:
        if name not in self._streams:
            path = self._temporary / name
            if name.endswith(".gz"):
                raw = self._stack.enter_context(open(path, "wb"))
                # Neither time nor name in the header: the same rows give the same bytes.
                packed = gzip.GzipFile("", "wb", _LEVEL, raw, mtime=0)
                stream = io.TextIOWrapper(io.BufferedWriter(packed, 2**18), encoding="utf-8", newline="\n")
                self._streams[name] = self._stack.enter_context(stream)
            else:
                self._streams[name] = self._stack.enter_context(open(path, "w", encoding="ascii", newline="\n"))
        return self._streams[name]


def write_lf(
    folder: str | Path, train: Dataset, test: Dataset | None = None, *, card: Mapping[str, Any] | None = None
) -> None:
    """Write one or two splits over the same labels as a data folder; `LfWriter` says what is refused."""
    if test is not None and (test.label_texts != train.label_texts or test.label_ids != train.label_ids):
        raise UsageError("train and test must have the same labels")
    if test is not None and not np.array_equal(test.label_edges, train.label_edges):
        raise UsageError("train and test must have the same label edges")
    with LfWriter(folder) as writer:
        if card is not None:
            writer.card(card)
        for column, text in enumerate(train.label_texts):
            writer.label(text, None if train.label_ids is None else train.label_ids[column])
        for source, target, relation in train.label_edges.tolist():
            writer.edge(source, target, RELATIONS[relation])
        _write_split(writer, "train", train)
        if test is not None:
            _write_split(writer, "test", test)


def _write_split(writer: LfWriter, split: Split, part: Dataset) -> None:
    if isinstance(part, AggregatedDataset):
        _write_groups(writer, part)
        return
    weighted = bool(np.any(part.labels.data != 1))
    for row, text in enumerate(part.texts):
        start, end = part.labels.indptr[row : row + 2]
        writer.document(
            split,
            text,
            part.labels.indices[start:end].tolist(),
            uid=None if part.ids is None else part.ids[row],
            relevances=part.labels.data[start:end] if weighted else None,
        )
    writer.filter_pairs(split, map(tuple, part.filter_pairs.tolist()))


def _write_groups(writer: LfWriter, part: AggregatedDataset) -> None:
    for row, text in enumerate(part.texts):
        writer.document("train", text, None, uid=None if part.ids is None else part.ids[row])
    order, sizes = np.argsort(part.groups, kind="stable"), np.bincount(part.groups)
    for number, members in enumerate(np.split(order, np.cumsum(sizes)[:-1])):
        start, end = part.group_labels.indptr[number : number + 2]
        writer.group(members.tolist(), part.group_labels.indices[start:end].tolist())
    writer.filter_pairs("train", map(tuple, part.filter_pairs.tolist()))
