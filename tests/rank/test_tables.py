"""Tables of label ids."""

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from eclare_py.rank.tables import empty_table, settle, slot_of

_IDS = st.lists(st.integers(0, 3_000_000), max_size=300)


@settings(deadline=None)  # kernels compile
@given(_IDS, _IDS)
def test_tables_tell_which_keys_are_there(inside, others):
    keys = np.array(sorted(set(inside)), dtype=np.int32)
    table = empty_table(len(keys))
    assert all(settle(table, key) for key in keys)
    for key in [*inside, *others]:
        assert (table[slot_of(table, key)] == key) == (key in inside)


def test_keys_at_equal_distances_do_not_meet_in_one_chain():
    table, away = empty_table(500), 0
    for key in 1024 * np.arange(500):
        slot, home = slot_of(table, key), slot_of(empty_table(500), key)
        away += (slot - home) % len(table)
        table[slot] = key
    assert away < 500  # 125,000 in one chain
