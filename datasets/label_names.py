"""Make lbl.json.gz of a file with one label name a line: python datasets/label_names.py Yf.txt lbl.json.gz [latin-1].

The archives with raw text of the sets whose labels are plain names (EURLex-4K, Amazon-3M, Wikipedia-500K) have such a
file beside trn.json.gz and tst.json.gz.
"""

from __future__ import annotations

import gzip
import json
import sys
from pathlib import Path


def convert(names: Path, labels: Path, encoding: str = "utf-8") -> int:
    """Write one JSON line a name, in the order of the names; returns their number.

    Raises:
        ValueError: A line is empty or not of this encoding; nothing is written then.
    """
    lines = names.read_bytes().decode(encoding).removesuffix("\n").split("\n")
    titles = [line.strip() for line in lines]
    if "" in titles:
        raise ValueError(f"{names}:{titles.index('') + 1}: empty label name, rows would no longer fit target_ind")
    text = "".join(json.dumps({"title": title}) + "\n" for title in titles)
    labels.write_bytes(gzip.compress(text.encode("utf-8"), mtime=0))
    return len(titles)


if __name__ == "__main__":
    if len(sys.argv) not in (3, 4):
        sys.exit(__doc__)
    convert(Path(sys.argv[1]), Path(sys.argv[2]), *sys.argv[3:])
