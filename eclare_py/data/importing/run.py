"""import_table: a table of your own, in a file or in memory, becomes a checked data folder."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from eclare_py.data.importing.documents import Documents
from eclare_py.data.importing.labels import LabelBook
from eclare_py.data.importing.objects import read_object
from eclare_py.data.importing.options import ImportOptions, make_options
from eclare_py.data.importing.plan import Plan
from eclare_py.data.importing.report import ImportSummary, check_rejected, full_report
from eclare_py.data.importing.tables import DELIMITERS, Record, read_table
from eclare_py.data.importing.tally import Tally
from eclare_py.data.importing.vocabulary import Vocabulary, read_vocabulary
from eclare_py.data.lf_writer import LfWriter, Split
from eclare_py.data.validate import validate_folder
from eclare_py.errors import DataError, UsageError


def import_table(
    source: Any, out: str | Path, *, test: Any = None, name: str | None = None, **options: Any
) -> ImportSummary:
    """Turn tables into a data folder, all or nothing.

        import_table("products.csv", "data/products", text=["title", "description"], labels="tags", separator="|")

    Rows that cannot be used are left out, texts repaired and equal texts merged; all of it is counted by reason, with
    examples, in the summary and in `import.json` of the folder.

    Args:
        source: One or more files (`.jsonl`, `.json`, `.csv`, `.tsv`, these maybe `.gz`, `.parquet`), or a Hugging Face
            dataset, a pandas DataFrame or an iterable of mappings. A mapping with "train" and "test" (a DatasetDict) is
            both splits.
        out: The data folder; an earlier data folder there is replaced.
        test: Tables for the test split, which is else chosen from `source`, see `choose_test`.
        name: Name of the data set, for its card.
        **options: Fields of `ImportOptions`: text, labels, separator, label_file, min_count, test_share, ...

    Raises:
        DataError: Nothing is left, or more than `max_rejected` of the rows were left out, or the table as a whole is at
            fault; with `strict`, the first row that would be left out. Names file and line.
        UsageError: An unknown or bad option, an unknown format, `out` holds other files.
    """
    chosen = make_options(options)
    tally, label_tally = Tally(strict=chosen.strict), Tally(strict=chosen.strict)
    source, test = _splits(source, test, tally)
    if test is not None and "test_share" in options and chosen.test_share:
        raise UsageError("give test tables or a test share, not both")
    _check_labels_column(chosen)
    with LfWriter(out) as writer:
        vocabulary = _vocabulary(chosen, label_tally)
        in_file = 0 if vocabulary is None else len(vocabulary.ids)
        book = LabelBook(vocabulary, chosen, tally)
        parts: dict[Split, Documents] = {}
        splits: dict[Split, Any] = {"train": source, "test": test}
        for split, tables in splits.items():
            if tables is not None:
                parts[split] = Documents(chosen, book, tally)
                for records in _records(tables, chosen, tally):
                    parts[split].read(records)
        book.finish()
        plan = Plan.of(parts, book.vocabulary, chosen, tally, from_file=vocabulary is not None)
        check_rejected(tally, sum(map(np.sum, plan.kept.values())), chosen)
        _write(writer, parts, plan, book.vocabulary)
        labels = plan.label_counts(in_file)
        report = full_report(tally, label_tally, writer.counts, labels, chosen, _names(source, test))
        writer.import_report(report)
        if name is not None:
            writer.card({"name": name})
    del parts, book, vocabulary
    return ImportSummary(Path(out), report, validate_folder(out))


def _write(writer: LfWriter, parts: Mapping[Split, Documents], plan: Plan, vocabulary: Vocabulary) -> None:
    columns = np.cumsum(plan.labels) - 1
    for row in np.flatnonzero(plan.labels).tolist():
        writer.label(vocabulary.texts[row], uid=vocabulary.ids[row])
    for source, target, relation in plan.edges:
        writer.edge(int(columns[source]), int(columns[target]), relation)
    for split, part in parts.items():
        matrix = plan.matrices[split]
        for row in np.flatnonzero(plan.kept[split]).tolist():
            labels = matrix.indices[matrix.indptr[row] : matrix.indptr[row + 1]]
            side: Split = "test" if split == "test" or plan.test[row] else "train"
            uid = part.ids[row] if part.ids else None
            writer.document(side, part.texts[row], columns[labels[plan.labels[labels]]].tolist(), uid=uid)
    if not writer.counts["train"]:
        raise DataError("no train document is left: add rows, or lower the test share", path=writer.folder)


def _vocabulary(options: ImportOptions, tally: Tally) -> Vocabulary | None:
    return None if options.label_file is None else read_vocabulary(Path(options.label_file), options, tally)


def _records(tables: Any, options: ImportOptions, tally: Tally) -> Iterator[Iterator[Record]]:
    """The records of each table."""
    if isinstance(tables, (str, Path)):
        tables = [tables]
    if isinstance(tables, Sequence) and all(isinstance(one, (str, Path)) for one in tables):
        if not tables:
            raise UsageError("no files to import: name at least one .jsonl, .csv, .tsv or .parquet file")
        for path in map(Path, tables):
            yield read_table(path, options.columns, tally, encoding=options.encoding)
    else:
        yield read_object(tables, options.columns)


def _splits(source: Any, test: Any, tally: Tally) -> tuple[Any, Any]:
    """A mapping of splits taken apart."""
    if not isinstance(source, Mapping):
        return source, test
    if "train" not in source or test is not None:
        found = ", ".join(map(str, source))
        raise UsageError(f"a mapping of splits must have 'train', and 'test' at most once; it has {found}")
    for other in source:
        if other not in ("train", "test"):
            tally.note("split not imported", f"{other}: training holds out documents of its own", len(source[other]))
    return source["train"], source.get("test")


def _names(*sources: Any) -> list[str]:
    """File names for the report; what is in memory has none."""
    found = []
    for source in sources:
        for one in [source] if isinstance(source, (str, Path)) else source if isinstance(source, Sequence) else ():
            if isinstance(one, (str, Path)):
                found.append(Path(one).name)
    return found


def _check_labels_column(options: ImportOptions) -> None:
    if Path(options.labels).suffix in (*DELIMITERS, ".jsonl", ".ttl") and Path(options.labels).is_file():
        raise UsageError(f"labels={options.labels!r} is a file: labels names the column, the label file is label_file "
                         "(--label-file)")  # fmt: skip
