"""What an import did, as plain data: import.json of the folder, and the summary that a caller gets."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from eclare_py.data.importing.options import ImportOptions
from eclare_py.data.importing.tally import Tally
from eclare_py.data.problems import Problem
from eclare_py.errors import DataError

VERSION = 1


@dataclass(frozen=True)
class ImportSummary:
    """What `import_table` wrote.

    Attributes:
        folder: The data folder.
        report: Also its import.json: "rows" read, kept, merged, rejected; "documents" of train and test; "labels";
            "findings" (kind, reason, count, examples) of the rows and of the "label_file"; "options" and "files".
        warnings: Of the final validation.
    """

    folder: Path
    report: Mapping[str, Any]
    warnings: list[Problem] = field(default_factory=list)

    @property
    def train(self) -> int:
        """Train documents."""
        return int(self.report["documents"]["train"])

    @property
    def test(self) -> int:
        """Test documents."""
        return int(self.report["documents"]["test"])

    @property
    def labels(self) -> int:
        """Labels."""
        return int(self.report["labels"]["written"])


def full_report(
    tally: Tally,
    label_tally: Tally,
    written: Mapping[str, int],
    labels: Mapping[str, int],
    options: ImportOptions,
    files: Sequence[str],
) -> dict[str, Any]:
    """The report. It holds neither time nor folder names: the same rows give the same bytes."""
    kept = written["train"] + written["test"]
    merged, rejected = tally.count("merged"), tally.count("rejected")
    return {
        "version": VERSION,
        "files": list(files),
        "rows": {"read": kept + merged + rejected, "kept": kept, "merged": merged, "rejected": rejected},
        "documents": {"train": written["train"], "test": written["test"]},
        "labels": dict(labels),
        "findings": [one.to_json() for one in tally.findings],
        "label_file": [one.to_json() for one in label_tally.findings],
        "options": options.to_json(),
    }


def check_rejected(tally: Tally, kept: int, options: ImportOptions) -> None:
    """Refuse a call that hardly anything fits.

    Raises:
        DataError: Nothing is kept, or more than `max_rejected` of the rows were left out; names the reasons.
    """
    rejected = tally.count("rejected")
    read = kept + rejected + tally.count("merged")
    reasons = [one for one in tally.findings if one.kind == "rejected"][:3]
    reasons += [one for one in tally.findings if one.kind == "labels"][:1]  # why no label of a row is left
    said = "; ".join(f"{one.reason}: {one.count:,}" + (f", e.g. {one.examples[0]}" if one.examples else "")
                     for one in reasons)  # fmt: skip
    if not read:
        raise DataError("no rows in it: nothing to import")
    if not kept:
        raise DataError(f"all {read:,} rows were left out ({said})")
    if rejected > options.max_rejected * read:
        raise DataError(
            f"{rejected:,} of {read:,} rows were left out ({said}): correct the call or the table, or allow it with a "
            f"max_rejected (--max-rejected) above {options.max_rejected:g}"
        )
