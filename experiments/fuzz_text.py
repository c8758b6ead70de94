"""Do the readers of text files ever fail in a way of their own? Minutes of mutated bytes for each.

    python experiments/fuzz_text.py --seconds 60 --json fuzz_text.json
    python experiments/fuzz_text.py --readers "SKOS turtle" CSV --seconds 600
    python experiments/fuzz_text.py --readers CSV --engine atheris --seconds 600   # needs: pip install atheris

The suite runs the same readers over hypothesis' examples. Atheris is guided by the branches of the readers that an
input takes; without it, valid files are damaged at random. Expected: no crash. Exit code 1 where there is any; its
input is printed.
"""

from __future__ import annotations

import argparse
import gc
import json
import logging
import sys
import tempfile
import time
from pathlib import Path
from random import Random
from types import FunctionType
from typing import Any

from fuzz.damage import JUNK
from fuzz.readers import READERS, Reader, attempt

WATCHED = ("eclare_py.data", "eclare_py.config", "eclare_py.storage", "eclare_py.metrics.per", "rdflib.plugins", "yaml")


def main() -> None:
    """Run the readers one after the other."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--readers", nargs="*", choices=list(READERS), default=list(READERS))
    parser.add_argument("--seconds", type=float, default=60, help="for each reader [60]")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--engine", choices=["random", "atheris"], default="random")
    parser.add_argument("--json", type=Path, help="file for the figures")
    arguments = parser.parse_args()
    logging.disable()  # rdflib tells of every odd IRI
    if arguments.engine == "atheris":
        guided(arguments)
        return
    figures: dict[str, Any] = {}
    for name in arguments.readers:
        figures[name] = damaged(READERS[name], arguments.seconds, Random(arguments.seed))
        print(name, json.dumps(figures[name]), flush=True)
    if arguments.json is not None:
        arguments.json.write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")
    sys.exit(1 if any(one["crashes"] for one in figures.values()) else 0)


def damaged(reader: Reader, seconds: float, random: Random) -> dict[str, Any]:
    """Damage the valid file again and again; every crash is told once by its kind."""
    crashes: dict[str, str] = {}
    refused = count = 0
    deadline = time.monotonic() + seconds
    with tempfile.TemporaryDirectory() as folder:
        while time.monotonic() < deadline:
            content = mutated(reader.valid, random)
            count += 1
            try:
                refused += attempt(reader, content, Path(folder)) is not None
            except Exception as error:
                crashes.setdefault(f"{type(error).__name__}: {str(error)[:100]}", repr(content)[:500])
    return {"inputs": count, "refused": refused, "crashes": crashes}


def mutated(valid: bytes, random: Random) -> bytes:
    """A few pieces cut out, doubled, moved or replaced by junk."""
    content = bytearray(valid)
    for _ in range(random.randint(1, 5)):
        start = random.randrange(len(content) + 1)
        stop = min(len(content), start + random.choice((0, 1, 2, 5, 40)))
        piece = bytes(content[start:stop])
        place = random.randrange(len(content) + 1)
        kind = random.randrange(5)
        if kind == 0:
            content[start:stop] = random.choice(JUNK)
        elif kind == 1:
            content[start:stop] = b""
        elif kind == 2:
            content[place:place] = piece * random.choice((1, 2, 50))
        elif kind == 3:
            content[start:stop] = random.randbytes(stop - start)
        elif piece:
            content[start] ^= 1 << random.randrange(8)
    return bytes(content)


def guided(arguments: argparse.Namespace) -> None:
    """One reader under atheris, which ends the process."""
    import atheris

    (name,) = arguments.readers
    reader = READERS[name]
    folder = Path(tempfile.mkdtemp())
    corpus = Path(tempfile.mkdtemp())
    (corpus / "valid").write_bytes(reader.valid)
    for thing in gc.get_objects():  # of all that is imported, what reads
        if isinstance(thing, FunctionType) and str(thing.__module__).startswith(WATCHED):
            atheris.instrument_func(thing)
    options = [f"-max_total_time={int(arguments.seconds)}", f"-seed={arguments.seed + 1}", "-max_len=2000", str(corpus)]
    atheris.Setup([sys.argv[0], *options], lambda content: attempt(reader, content, folder) and None)
    atheris.Fuzz()


if __name__ == "__main__":
    main()
