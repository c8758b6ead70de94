"""How the processes of one start find each other, and not what is left of an earlier one.

After a lost process torchrun starts all anew, but (as of torch 2.13) with the same key-value store, in which the
addresses of the dead are still to be found: a fast process then calls a dead one. So process 0 gives each start a name
of its own, and all keys of the start carry it. The count of restarts will not do for a name: machines count their own.
"""

from __future__ import annotations

import json
import time
import uuid

from torch.distributed.distributed_c10d import Store

_PAUSE = 0.05  # seconds between two looks


def meet(store: Store, rank: int, world: int) -> str:
    """A name that all processes of this start agree on, and no other start has.

    Every other process lays down a fresh word; process 0 shows the words that it sees and the name, again and again
    until all have found their own word there.

    Args:
        store: The store, perhaps with keys of earlier starts.
        rank: This process.
        world: Processes of this start.
    """
    return _invite(store, world) if rank == 0 else _follow(store, rank)


def _invite(store: Store, world: int) -> str:
    name, others = uuid.uuid4().hex, range(1, world)
    while True:
        words = {str(rank): store.get(f"eclare/word/{rank}").decode() for rank in others}
        store.set("eclare/start", json.dumps({"name": name, "words": words}))
        if all(store.check([f"eclare/{name}/{rank}"]) for rank in others):
            return name
        time.sleep(_PAUSE)


def _follow(store: Store, rank: int) -> str:
    word = uuid.uuid4().hex
    store.set(f"eclare/word/{rank}", word)
    while True:
        start = json.loads(store.get("eclare/start"))
        if start["words"].get(str(rank)) == word:
            store.set(f"eclare/{start['name']}/{rank}", "here")
            return str(start["name"])
        time.sleep(_PAUSE)
