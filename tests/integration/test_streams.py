"""Texts that come slowly are answered as they come."""

from __future__ import annotations

import threading
from collections.abc import Iterator

import pytest

from eclare_py.cli.inputs import as_they_come
from eclare_py.engines.rows import Row


def test_what_is_there_is_not_kept_waiting() -> None:
    answered = threading.Event()

    def slow() -> Iterator[Row]:
        yield Row("one")
        assert answered.wait(60)
        yield from (Row("two"), Row("three"))

    chunks = as_they_come(slow(), 100)
    assert next(chunks) == [Row("one")]
    answered.set()
    assert [row.text for chunk in chunks for row in chunk] == ["two", "three"]


def test_chunks_are_of_at_most_so_many_rows_in_their_order() -> None:
    rows = [Row(str(number)) for number in range(1000)]
    chunks = list(as_they_come(iter(rows), 7))
    assert [row for chunk in chunks for row in chunk] == rows
    assert max(map(len, chunks)) <= 7
    assert list(as_they_come(iter(()), 7)) == []


def test_a_fault_comes_after_the_rows_before_it() -> None:
    def broken() -> Iterator[Row]:
        yield Row("one")
        raise ValueError("line 2")

    seen = []
    with pytest.raises(ValueError, match="line 2"):
        for chunk in as_they_come(broken(), 7):
            seen += chunk
    assert seen == [Row("one")]
