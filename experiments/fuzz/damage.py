"""Damage to the files of a folder that needs no knowledge of what is in them."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from random import Random

Mutation = Callable[[Path, Random], str]
JUNK = (b"NaN", b"-", b"1e999", b'"', b"[", b"{}", b"\n", b"\\ud800", b"\xff", b":", b",", b"9" * 30, b"null", b"true",
        b"\0", b"[" * 3000, b"1:1 ", b"-1", b"18446744073709551616", b"../..", b"\xef\xbb\xbf")  # fmt: skip


def files_of(folder: Path, *suffixes: str) -> list[Path]:
    """The regular files below a folder, sorted."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and (not suffixes or path.suffix in suffixes))


def truncate(folder: Path, random: Random) -> str:
    """Cut a file short."""
    path = random.choice(files_of(folder))
    whole = path.read_bytes()
    size = len(whole)
    path.write_bytes(whole[: random.choice((0, 1, size // 2, max(0, size - 1), random.randint(0, size)))])
    return path.name


def extend(folder: Path, random: Random) -> str:
    """Put bytes behind the end of a file."""
    path = random.choice(files_of(folder))
    path.write_bytes(path.read_bytes() + random.choice((b"\0", b"x", b"\n", b"\0" * 4096, random.randbytes(50))))
    return path.name


def flip_bit(folder: Path, random: Random) -> str:
    """Turn one bit of one file."""
    path = random.choice([path for path in files_of(folder) if path.stat().st_size])
    whole = bytearray(path.read_bytes())
    whole[random.randrange(len(whole))] ^= 1 << random.randrange(8)
    path.write_bytes(whole)
    return path.name


def overwrite(folder: Path, random: Random) -> str:
    """Put junk over a few places of a file."""
    path = random.choice([path for path in files_of(folder) if path.stat().st_size])
    whole = bytearray(path.read_bytes())
    for _ in range(random.choice((1, 3, 20))):
        place = random.randrange(len(whole))
        junk = random.choice(JUNK) if random.random() < 0.5 else random.randbytes(random.randint(1, 8))
        whole[place : place + random.randint(0, len(junk))] = junk
    path.write_bytes(whole)
    return path.name


def swap_files(folder: Path, random: Random) -> str:
    """Two files change places."""
    one, other = random.sample(files_of(folder), 2)
    first, second = one.read_bytes(), other.read_bytes()
    one.write_bytes(second)
    other.write_bytes(first)
    return f"{one.name} {other.name}"


def delete(folder: Path, random: Random) -> str:
    """Take files away."""
    gone = random.sample(files_of(folder), random.choice((1, 1, 2)))
    for path in gone:
        path.unlink()
    return " ".join(path.name for path in gone)


def replace(folder: Path, random: Random) -> str:
    """Something that is no file in the place of one."""
    path = random.choice(files_of(folder))
    path.unlink()
    kind = random.choice(("folder", "pipe", "loop", "dangling", "device", "password file", "folder above"))
    targets = {"loop": path.name, "dangling": "nowhere", "device": "/dev/zero", "password file": "/etc/passwd",
               "folder above": ".."}  # fmt: skip
    if kind == "folder":
        path.mkdir()
    elif kind == "pipe":
        os.mkfifo(path)
    else:
        path.symlink_to(targets[kind])
    return f"{path.name} is a {kind}"


def add(folder: Path, random: Random) -> str:
    """A file that nobody asked for."""
    names = ("extra.pkl", "model.pt", "deep/er/file.npy", "a b\n.json", "\udcff.bin", ".hidden", "x" * 200)
    name = random.choice(names)
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(random.choice((b"", b"\x80\x04.", random.randbytes(64))))
    return repr(name)


def rename(folder: Path, random: Random) -> str:
    """A file under another name."""
    path = random.choice(files_of(folder))
    path.rename(path.with_name(random.choice((path.name.upper(), path.name + ".bak", "." + path.name, path.stem))))
    return path.name


RAW: tuple[Mutation, ...] = (truncate, extend, flip_bit, overwrite, swap_files, delete, replace, add, rename)
