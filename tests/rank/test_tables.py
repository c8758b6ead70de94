"""Tables and marks of label ids."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.rank.tables import empty_table, marked, marks_of, settle, slot_of

_IDS = st.lists(st.integers(0, 3_000_000), max_size=300)


@settings(deadline=None)  # kernels compile
@given(_IDS, _IDS)
def test_marks_never_deny_a_key_and_tables_tell_the_rest(inside, others):
    keys = np.array(sorted(set(inside)), dtype=np.int32)
    table, marks = empty_table(len(keys)), marks_of(keys)
    assert all(settle(table, key) for key in keys)
    for key in [*inside, *others]:
        there = key in inside
        assert (table[slot_of(table, key)] == key) == there
        assert marked(marks, key) or not there


def test_a_few_marks_rarely_meet_another_key():
    marks = marks_of(np.arange(0, 100 * 7919, 7919, dtype=np.int32))
    assert np.mean([marked(marks, key) for key in range(4096)]) == 100 / 4096
