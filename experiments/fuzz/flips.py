"""Single bits turned anywhere in a model folder: every one must be seen, and its file named."""

from __future__ import annotations

import shutil
from pathlib import Path
from random import Random

from eclare_py.errors import ModelError
from eclare_py.persist import load_pipeline
from fuzz.damage import files_of


def unseen_flips(model: Path, count: int, work: Path, seed: int = 0) -> list[str]:
    """Turn so many bits one after the other, chosen evenly over all bytes of all files.

    Returns:
        The flips that loading did not refuse by the name of their file.
    """
    random, copy = Random(seed), work / "flipped"
    shutil.copytree(model, copy)
    files = files_of(copy)
    sizes = [path.stat().st_size for path in files]
    unseen = []
    for path in random.choices(files, weights=sizes, k=count):
        whole = path.read_bytes()
        place, bit = random.randrange(len(whole)), random.randrange(8)
        path.write_bytes(whole[:place] + bytes([whole[place] ^ 1 << bit]) + whole[place + 1 :])
        try:
            load_pipeline(copy)
            unseen.append(f"{path.name} byte {place} bit {bit}")
        except ModelError as error:
            if str(path) not in str(error):
                unseen.append(f"{path.name} byte {place} bit {bit}, told as {error}")
        path.write_bytes(whole)
    shutil.rmtree(copy)
    return unseen
