"""Lines of a table as people save them: not always UTF-8."""

from __future__ import annotations

import codecs
import io
from pathlib import Path
from typing import Any

from eclare_py.data.importing.tally import Tally
from eclare_py.data.lines import LineReader, open_bytes
from eclare_py.data.problems import Report, show
from eclare_py.errors import UsageError

_UTF16 = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)


class TableLines(LineReader):
    """Lines of UTF-8; one that is not is read as Windows-1252 (told to the tally), and a file that begins so as UTF-16.

    Args:
        path: A file; `.gz` is unpacked.
        tally: Told which lines were read otherwise, and which could not be read and are None.
        encoding: What the file is written in; None finds out.

    Raises:
        UsageError: No such encoding.
    """

    def __init__(self, path: Path, tally: Tally, encoding: str | None = None) -> None:
        super().__init__(path, Report(), skip_bom=True)
        self._tally = tally
        self._encoding = None if encoding is None else _known(encoding)

    def _open(self) -> io.BufferedReader[Any]:
        stream = open_bytes(self.place.path)
        if self._encoding is None and stream.peek(2)[:2] in _UTF16:
            return io.BufferedReader(_Recoded(stream, "utf-16"))
        if self._encoding in (None, "utf-8"):
            return stream
        return io.BufferedReader(_Recoded(stream, str(self._encoding)))

    def _undecodable(self, raw: bytes, error: UnicodeDecodeError) -> str | None:
        self.place.line = self.count
        try:
            text = raw.decode("cp1252")
        except UnicodeDecodeError:
            bad = f"byte 0x{raw[error.start]:02x} at column {error.start + 1}"
            self._unreadable(f"{bad} is neither UTF-8 nor Windows-1252")
            return None
        self._tally.repair("read as Windows-1252", self.place, show(text.strip()))
        return text

    def _unreadable(self, message: str) -> None:
        self.place.line = self.count
        self._tally.reject("unreadable line", self.place, message)


class _Recoded(io.RawIOBase):
    """A stream of another encoding as UTF-8; what does not belong there becomes U+FFFD."""

    def __init__(self, stream: io.BufferedReader[Any], encoding: str) -> None:
        self._text = io.TextIOWrapper(stream, encoding=encoding, errors="replace", newline="")

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int:
        piece = self._text.read(len(buffer) // 4).encode("utf-8", "replace")  # no character takes more than 4 bytes
        buffer[: len(piece)] = piece
        return len(piece)

    def close(self) -> None:
        self._text.close()
        super().close()


def _known(encoding: str) -> str:
    try:
        return codecs.lookup(encoding).name
    except LookupError:
        raise UsageError(f"encoding {encoding!r} is unknown: e.g. utf-8, cp1252, latin-1 or utf-16") from None
