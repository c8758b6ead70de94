"""What an import left out, merged or repaired: counted by reason, each with its first examples."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal, TypeAlias

from eclare_py.data.problems import Place
from eclare_py.errors import DataError

Kind: TypeAlias = Literal["rejected", "merged", "labels", "repaired", "note"]
KINDS: dict[Kind, str] = {
    "rejected": "rows left out",
    "merged": "rows merged into another",
    "labels": "labels of rows left out",
    "repaired": "repaired",
    "note": "to look at",
}
EXAMPLES = 5


@dataclass
class Finding:
    """All that happened for one reason.

    Attributes:
        kind: What was done; a key of `KINDS`.
        reason: Why, e.g. "empty text".
        count: How often.
        examples: The first few, each with file and line.
    """

    kind: Kind
    reason: str
    count: int = 0
    examples: list[str] = field(default_factory=list)

    def to_json(self) -> dict[str, Any]:
        """The finding as plain data."""
        return {"kind": self.kind, "reason": self.reason, "count": self.count, "examples": list(self.examples)}


class Tally:
    """Counts findings.

    Args:
        strict: The first row or label that would be left out raises instead.
        mend: What the error then says to do.
    """

    def __init__(self, *, strict: bool = False, mend: str = "correct it, or import without --strict") -> None:
        self._strict, self._mend = strict, mend
        self._found: dict[tuple[Kind, str], Finding] = {}

    @property
    def findings(self) -> list[Finding]:
        """All of them, by kind, the most frequent first."""
        order = list(KINDS)
        return sorted(self._found.values(), key=lambda one: (order.index(one.kind), -one.count, one.reason))

    def count(self, kind: Kind) -> int:
        """How often anything of a kind happened."""
        return sum(one.count for one in self._found.values() if one.kind == kind)

    def reject(self, reason: str, place: Place, detail: str = "") -> None:
        """A row is left out.

        Raises:
            DataError: In strict mode.
        """
        self._lose("rejected", reason, place, detail)

    def drop_label(self, reason: str, place: Place, detail: str = "") -> None:
        """A label of a row is left out; raises like `reject`."""
        self._lose("labels", reason, place, detail)

    def merge(self, reason: str, place: Place, detail: str = "") -> None:
        """A row went into another one."""
        self._add("merged", reason, _where(place), detail)

    def repair(self, reason: str, place: Place, detail: str = "") -> None:
        """A text was changed."""
        self._add("repaired", reason, _where(place), detail)

    def note(self, reason: str, detail: str = "", count: int = 1) -> None:
        """Something that was left as it is, and that a person should look at."""
        self._add("note", reason, "", detail, count)

    def tell(self, kind: Kind, reason: str, detail: str, count: int) -> None:
        """Something that was asked for, so that strict mode does not mind, with the place in the detail, if any."""
        self._add(kind, reason, "", detail, count)

    def wants_example(self, kind: Kind, reason: str) -> bool:
        """Whether another example is kept; else one that is costly to make can be spared."""
        found = self._found.get((kind, reason))
        return found is None or len(found.examples) < EXAMPLES

    def _lose(self, kind: Kind, reason: str, place: Place, detail: str) -> None:
        if self._strict:
            said = reason + (f": {detail}" if detail else "")
            raise DataError(f"{said}; {self._mend}", path=place.path, line=place.line)
        self._add(kind, reason, _where(place), detail)

    def _add(self, kind: Kind, reason: str, where: str, detail: str, count: int = 1) -> None:
        found = self._found.get((kind, reason))
        if found is None:
            found = self._found[kind, reason] = Finding(kind, reason)
        found.count += count
        if len(found.examples) < EXAMPLES and (where or detail):
            found.examples.append(": ".join(part for part in (where, detail) if part))


def _where(place: Place) -> str:
    return place.path.name if place.line is None else f"{place.path.name}:{place.line}"
