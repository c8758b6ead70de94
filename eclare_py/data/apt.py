"""Finding, reading and parsing the package lists that apt keeps on a Debian or Ubuntu machine."""

from __future__ import annotations

import bz2
import gzip
import io
import lzma
import platform
import re
import shutil
import subprocess
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, cast

from eclare_py.errors import DataError

LISTS = Path("/var/lib/apt/lists")
APT_HELPER = "/usr/lib/apt/apt-helper"  # decodes whatever apt itself wrote; part of every apt since 1.1
RELATIONS = ("Depends", "Recommends", "Suggests", "Enhances")

# apt names a list after its address, "/" turned into "_": HOST_PATH_dists_SUITE_COMPONENT_binary-ARCH_Packages[.EXT]
_LIST_NAME = re.compile(
    r"(?P<origin>.+)_dists_(?P<suite>.+)_(?P<component>[^_]+)_binary-(?P<arch>[^_]+)_Packages"
    r"(?P<extension>\.(?:lz4|gz|xz|bz2|zst|lzma))?$"
)
_OVERLAY = re.compile(r"[-_](updates|security|backports|proposed|sloppy|debug)")  # small lists beside a full one
_NAME = re.compile(
    r"(?:^|[,|])\s*([A-Za-z0-9][A-Za-z0-9+.\-]*)"
)  # one name an alternative; versions, ":any" are dropped
_MACHINES = {"x86_64": "amd64", "aarch64": "arm64", "armv7l": "armhf", "i686": "i386", "ppc64le": "ppc64el"}
ADVICE = "`apt-get update` (as root, on Debian or Ubuntu) downloads one; the data set `synthetic` needs none"


class AptIndexError(DataError):
    """There is no apt index on this machine, or none that fits or can be read."""


@dataclass(frozen=True)
class PackageList:
    """One downloaded list, described by its file name."""

    path: Path
    origin: str
    suite: str
    component: str
    arch: str


@dataclass(frozen=True)
class Package:
    """One binary package: its name, its one-line description and the names it is related to, as listed."""

    name: str
    summary: str
    related: tuple[str, ...]

    @property
    def text(self) -> str:
        """The document (and label) text, "name: short description"."""
        return f"{self.name}: {self.summary}" if self.summary else self.name


def find_lists(folder: Path = LISTS) -> list[PackageList]:
    """Every package list in `folder`, by file name."""
    if not folder.is_dir():
        return []
    matches = ((path, _LIST_NAME.match(path.name)) for path in sorted(folder.iterdir()) if path.is_file())
    return [PackageList(path, m["origin"], m["suite"], m["component"], m["arch"]) for path, m in matches if m]


def choose_list(
    folder: Path = LISTS, *, suite: str | None = None, component: str | None = None, arch: str | None = None
) -> PackageList:
    """Choose one list, the same one every time.

    Where several fit: full suites before their updates, `main` before other components, this machine's architecture
    before others, then the largest file, then the first name.

    Raises:
        AptIndexError: There is no list, or none with the wished suite, component and architecture.
    """
    lists = find_lists(folder)
    if not lists:
        raise AptIndexError(f"no apt package list here; {ADVICE}", path=folder)
    fits = [
        one
        for one in lists
        if suite in (None, one.suite) and component in (None, one.component) and arch in (None, one.arch)
    ]
    if not fits:
        known = ", ".join(sorted({f"{one.suite}/{one.component}/{one.arch}" for one in lists}))
        wish = "/".join(part or "*" for part in (suite, component, arch))
        raise AptIndexError(f"no package list for suite/component/arch {wish}; there are {known}", path=folder)
    native = _MACHINES.get(platform.machine(), "amd64")
    return min(
        fits,
        key=lambda one: (
            bool(_OVERLAY.search(one.suite)),
            one.component != "main",
            one.arch != native,
            -one.path.stat().st_size,
            one.path.name,
        ),
    )


@contextmanager
def open_list(path: Path) -> Iterator[Iterable[str]]:
    """The lines of a package list, decoded while they are read; lz4 and zstd go through apt's own decoder."""
    openers: dict[str, Callable[..., Any]] = {".gz": gzip.open, ".xz": lzma.open, ".lzma": lzma.open, ".bz2": bz2.open}
    try:
        if path.suffix in (".lz4", ".zst"):
            with _apt_helper(path) as stream:
                yield io.TextIOWrapper(stream, encoding="utf-8")
        else:
            with openers.get(path.suffix, open)(path, "rb") as stream:
                yield io.TextIOWrapper(stream, encoding="utf-8")
    except (OSError, EOFError, lzma.LZMAError, zlib.error, UnicodeDecodeError) as error:
        raise AptIndexError(f"the package list cannot be read ({error}); {ADVICE}", path=path) from error


@contextmanager
def _apt_helper(path: Path) -> Iterator[BinaryIO]:
    helper = APT_HELPER if Path(APT_HELPER).exists() else shutil.which("apt-helper")
    if helper is None:
        raise AptIndexError(f"decoding {path.suffix} needs {APT_HELPER}, which is not here", path=path)
    with subprocess.Popen([helper, "cat-file", str(path)], stdout=subprocess.PIPE, stderr=subprocess.PIPE) as process:
        assert process.stdout is not None and process.stderr is not None
        yield cast("BinaryIO", process.stdout)
        process.stdout.close()
        complaint = process.stderr.read().decode("utf-8", "replace").strip()
        if process.wait() != 0:
            raise AptIndexError(f"apt could not decode the list: {complaint}", path=path)


def parse_packages(lines: Iterable[str]) -> Iterator[Package]:
    """Parse a list: stanzas of `Field: value`, one a package, with an empty line between them.

    Every alternative of `a | b` counts; version and architecture constraints and `:any` are dropped. `Pre-Depends` is
    not read: it names the tools of the installation, not what the package is about.
    """
    fields: dict[str, str] = {}
    wanted = {"Package", "Description", *RELATIONS}
    key = ""
    for line in lines:
        if line[:1] in (" ", "\t") and line.strip():
            if key in RELATIONS:  # a folded field; further lines of a description are its long form
                fields[key] += " " + line.strip()
        elif line.strip():
            key, _, value = line.partition(":")
            if key in wanted:
                fields[key] = value.strip()
        else:
            yield from _package(fields)
            fields, key = {}, ""
    yield from _package(fields)


def _package(fields: dict[str, str]) -> Iterator[Package]:
    if fields.get("Package"):
        related = (name for field in RELATIONS for name in _NAME.findall(fields.get(field, "")))
        yield Package(fields["Package"], fields.get("Description", ""), tuple(dict.fromkeys(related)))
