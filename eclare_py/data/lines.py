"""Numbered text lines of a plain or gzip file, with every way a file can fail turned into a finding."""

from __future__ import annotations

import errno
import gzip
import io
import stat
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from eclare_py.data.problems import Place, Report

MAX_LINE_BYTES = 64 * 2**20  # a longer line is refused before it fills the memory (a gzip bomb is one long line)
_BUFFER_BYTES = 2**18
_BOM = b"\xef\xbb\xbf"


class LineReader:
    r"""Iterate (number, text) over a file; the text is None where the line is not UTF-8 (already reported).

    Lines end at "\n" only; a "\r" before it is dropped. Memory is that of the longest line.

    Args:
        path: A file; `.gz` is unpacked.
        report: Told about a missing file, a damaged gzip stream, invalid UTF-8 and lines over `MAX_LINE_BYTES`.
        skip_bom: Drop a byte order mark at the start (spreadsheets write one).

    Attributes:
        count: Lines seen so far.
        complete: The end was reached; False after a missing or damaged file.
    """

    def __init__(self, path: Path, report: Report, *, skip_bom: bool = False) -> None:
        self.place = Place(path, report)
        self.count = 0
        self.complete = False
        self._skip_bom = skip_bom

    def __iter__(self) -> Iterator[tuple[int, str | None]]:
        try:
            with self._open() as stream:
                while raw := stream.readline(MAX_LINE_BYTES + 1):
                    self.count += 1
                    yield self.count, self._decode(raw, stream)
            self.complete = True
        except FileNotFoundError:
            self._broken(None, "file is missing")
        except (EOFError, zlib.error, gzip.BadGzipFile) as error:
            self._broken(self.count + 1, f"damaged gzip file ({error}): copy or download it again")
        except OSError as error:
            self._broken(None, f"cannot be read ({error.strerror or error})")

    def _open(self) -> io.BufferedReader[Any]:
        check_regular(self.place.path)
        return open_bytes(self.place.path)

    def _decode(self, raw: bytes, stream: io.BufferedReader[Any]) -> str | None:
        if len(raw) > MAX_LINE_BYTES:
            while raw and not raw.endswith(b"\n"):
                raw = stream.readline(MAX_LINE_BYTES)
            self._unreadable(
                f"line is longer than {MAX_LINE_BYTES} bytes: shorten the text, or write each row on a line of its own"
            )
            return None
        if self._skip_bom and self.count == 1 and raw.startswith(_BOM):
            raw = raw[len(_BOM) :]
        try:
            text = raw.decode("utf-8")
        except UnicodeDecodeError as error:
            found = self._undecodable(raw, error)
            if found is None:
                return None
            text = found
        return text.rstrip("\r\n") if text.endswith("\n") else text

    def _undecodable(self, raw: bytes, error: UnicodeDecodeError) -> str | None:
        """What a line that is no UTF-8 is read as; here that is a fault."""
        self._unreadable(f"invalid UTF-8: byte 0x{raw[error.start]:02x} at column {error.start + 1}; save as UTF-8")
        return None

    def _unreadable(self, message: str) -> None:
        self._broken(self.count, message)

    def _broken(self, line: int | None, message: str) -> None:
        self.place.line = line
        self.place.fault(message)


class _Unpacked(io.RawIOBase):
    """A gzip file read in pieces, so that all that stands before a damage is seen, and its line is known.

    A BufferedReader around this has a compiled readline, which GzipFile has not.
    """

    def __init__(self, path: Path) -> None:
        self._gzip = gzip.GzipFile(path, "rb")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._gzip.read1(len(buffer))
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._gzip.close()
        super().close()


def check_regular(path: Path) -> None:
    """Refuse what a folder of files must not hold: a pipe would wait for ever, a device never ends.

    Raises:
        OSError: There is nothing, or no regular file.
    """
    if not stat.S_ISREG(path.stat().st_mode):
        raise OSError(errno.EINVAL, "not a regular file", str(path))


def open_bytes(path: Path) -> io.BufferedReader[Any]:
    """A plain or gzip file as a buffered stream of bytes."""
    if path.suffix == ".gz":
        return io.BufferedReader(_Unpacked(path), _BUFFER_BYTES)
    return io.BufferedReader(io.FileIO(path), _BUFFER_BYTES)


def lone_surrogate(text: str) -> str | None:
    r"""The first half of a broken surrogate pair in `text` as \uXXXX, None where there is none."""
    try:
        text.encode("utf-8")
    except UnicodeEncodeError as error:
        return f"\\u{ord(text[error.start]):04x}"
    return None
