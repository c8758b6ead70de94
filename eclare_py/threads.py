"""Compiled loops over documents on several threads.

A kernel that was compiled with `nogil` may run in several Python threads at once. That takes a third of the time to
compile that a parallel loop inside of the kernel takes, and any number of callers may do it at a time, which not all of
numba's own threads bear. So no kernel has a parallel loop.
"""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from numba import get_num_threads


def over_rows(kernel: Callable[..., object], n: int, *arguments: Any, at_once: int = 256) -> None:
    """`kernel(start, stop, *arguments)` for all of the rows 0..n-1, `at_once` of them at a time, see `in_parts`."""
    in_parts(n, at_once, lambda start, stop: kernel(start, stop, *arguments))


def in_parts(n: int, most: int, work: Callable[[int, int], object]) -> None:
    """Call `work(start, stop)` for parts of the rows 0..n-1, on numba's number of threads.

    Args:
        n: Rows.
        most: Rows of a part; less where all threads would not have one.
        work: Does rows start..stop-1. Its result must not depend on where parts begin.
    """
    if n == 1:  # the number of threads takes longer to ask for than some documents take
        work(0, 1)
        return
    threads = get_num_threads()
    size = max(1, min(most, -(-n // threads)))
    parts = [(start, min(start + size, n)) for start in range(0, n, size)]
    if len(parts) <= 1 or threads == 1:
        for part in parts:
            work(*part)
        return
    with ThreadPoolExecutor(threads) as pool:
        try:
            for done in [pool.submit(work, *part) for part in parts]:
                done.result()
        except BaseException:  # Ctrl-C too: parts that have not begun are left
            pool.shutdown(wait=False, cancel_futures=True)
            raise
