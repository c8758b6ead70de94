"""Damage to the files of a data folder, packed or not."""

from __future__ import annotations

import gzip
import json
import zlib
from functools import lru_cache
from pathlib import Path
from random import Random

from fuzz import objects
from fuzz.damage import JUNK, RAW, Mutation, files_of

WORDS = (b"-1", b"0", b"999999999999", b"9" * 18, b"9" * 15, b"9" * 5000, b"1e3", b"nan", b"0x1", b"+1", b"1_0",
         "\u0663".encode(), b"1:1e39", b"1:-0", b"1:1:1", b":", b"0:0", b"4294967296:1")  # fmt: skip


def read(path: Path) -> bytes:
    """The content of a file, unpacked."""
    return gzip.decompress(path.read_bytes()) if path.suffix == ".gz" else path.read_bytes()


def write(path: Path, content: bytes) -> None:
    """Write a file, packed where its name says so."""
    path.write_bytes(gzip.compress(content, 1, mtime=0) if path.suffix == ".gz" else content)


def junk(folder: Path, random: Random) -> str:
    """Junk inside the content of a file."""
    path = random.choice(files_of(folder))
    content = bytearray(read(path))
    for _ in range(random.randint(1, 4)):
        place = random.randrange(len(content) + 1)
        content[place : place + random.randint(0, 4)] = random.choice(JUNK)
    write(path, bytes(content))
    return path.name


def lines(folder: Path, random: Random) -> str:
    """Lines gone, doubled, exchanged, joined or cut."""
    path = random.choice(files_of(folder))
    found = read(path).split(b"\n")
    place = random.randrange(len(found))
    what = random.choice(("drop", "double", "exchange", "join", "cut", "empty", "carriage"))
    line = found[place]
    changed = {"drop": [], "double": [line, line], "cut": [line[: len(line) // 2]], "empty": [b"", line]}
    found[place : place + 1] = (changed | {"carriage": [line + b"\r"]}).get(what, [line])
    if what == "exchange":
        other = random.randrange(len(found))
        found[place], found[other] = found[other], found[place]
    write(path, (b" " if what == "join" else b"\n").join(found))
    return f"{path.name} {what}"


def value(folder: Path, random: Random) -> str:
    """One value of a JSON line."""
    path = random.choice(files_of(folder, ".gz", ".json"))
    found = read(path).split(b"\n") if path.suffix == ".gz" else [read(path)]
    place = random.randrange(len(found))
    try:
        text, what = objects.damaged(found[place].decode(), random)
    except json.JSONDecodeError:  # the last, empty line
        text, what = random.choice(objects.NOT_JSON), "raw"
    found[place] = text.encode("utf-8", "surrogatepass")
    write(path, b"\n".join(found))
    return f"{path.name} {what}"


def number(folder: Path, random: Random) -> str:
    """A number of a text file that is out of bounds."""
    path = random.choice(files_of(folder, ".txt"))
    words = path.read_bytes().split(b" ")
    word = random.choice(WORDS)
    words[random.randrange(len(words))] = word
    path.write_bytes(b" ".join(words))
    return f"{path.name} {word[:20]!r}"


@lru_cache(maxsize=8)
def _packed(unit: bytes, megabytes: int) -> bytes:
    packer = zlib.compressobj(9, wbits=31)
    block = unit * ((1 << 20) // len(unit))
    return b"".join(packer.compress(block) for _ in range(megabytes)) + packer.flush()


def bomb(folder: Path, random: Random) -> str:
    """A small packed file that unpacks to 300 MiB: one line without end, or lines without end."""
    path = random.choice(files_of(folder, ".gz"))
    unit = random.choice((b"\0", b"[", b"x", b"\n"))
    path.write_bytes(_packed(unit, 300))
    return f"{path.name} {unit!r}"


MAKERS: tuple[Mutation, ...] = (junk, lines, value, number)
LF: tuple[Mutation, ...] = (*MAKERS, *MAKERS, *RAW, bomb)
XC: tuple[Mutation, ...] = (junk, lines, number, number, *RAW)
