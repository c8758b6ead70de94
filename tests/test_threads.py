"""Parts of rows on several threads."""

from __future__ import annotations

import threading

import pytest

from eclare_py import threads
from eclare_py.threads import in_parts


@pytest.mark.parametrize(("n", "most", "count"), [(0, 4, 2), (1, 4, 2), (7, 3, 2), (7, 3, 1), (100, 64, 3), (5, 1, 9)])
def test_every_row_is_in_one_part(n: int, most: int, count: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "get_num_threads", lambda: count)
    parts: list[tuple[int, int]] = []
    in_parts(n, most, lambda start, stop: parts.append((start, stop)))
    assert sorted(row for start, stop in parts for row in range(start, stop)) == list(range(n))
    assert all(stop - start <= most for start, stop in parts)
    assert len(parts) >= min(n, count)  # no thread is left without work


def test_parts_run_side_by_side(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "get_num_threads", lambda: 3)
    together = threading.Barrier(3, timeout=60)
    in_parts(3, 1, lambda start, stop: together.wait())


def test_one_thread_is_the_callers(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "get_num_threads", lambda: 1)
    seen = set()
    in_parts(9, 2, lambda start, stop: seen.add(threading.get_ident()))
    assert seen == {threading.get_ident()}


def test_what_goes_wrong_in_a_part_is_told_and_the_others_are_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(threads, "get_num_threads", lambda: 2)
    begun, go = [], threading.Event()

    def work(start: int, stop: int) -> None:
        begun.append(start)
        if start == 0:
            raise ZeroDivisionError
        go.wait(timeout=1)

    with pytest.raises(ZeroDivisionError):
        in_parts(100, 1, work)
    assert len(begun) < 100
