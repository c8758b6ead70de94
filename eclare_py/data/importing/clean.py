"""Repairs of a text that lose nothing: white space, control characters, broken encodings. Each is counted."""

from __future__ import annotations

import re
import unicodedata

from eclare_py.data.importing.tally import Tally
from eclare_py.data.problems import Place, show

# Neither white space nor visible: C0 controls, the C1 controls that Windows-1252 does not use, zero width space, word
# joiner, byte order mark. The joiners U+200C and U+200D stay: Persian and Indic words and composed emoji need them.
_INVISIBLE = re.compile("[\x00-\x08\x0e-\x1b\x7f\x81\x8d\x8f\x90\x9d\u200b\u2060\ufeff]")
# Bytes of Windows-1252 that were taken for Latin-1: "Russia\x92s".
_C1 = re.compile("[\x80\x82-\x8c\x8e\x91-\x9c\x9e\x9f]")
_SURROGATES = re.compile("[\ud800-\udfff]")
# UTF-8 that was read as Windows-1252 shows a lead byte as one of these letters, and a continuation byte behind it.
_CONTINUATION = (
    "\u0080-\u00bf\u0152\u0153\u0160\u0161\u0178\u017d\u017e\u0192\u02c6\u02dc\u2013\u2014\u2018-\u201a\u201c-\u201e"
    "\u2020-\u2022\u2026\u2030\u2039\u203a\u20ac\u2122"
)
_TWICE = re.compile(f"[\u00c2-\u00f4][{_CONTINUATION}]")


def clean(text: str, tally: Tally, place: Place, *, repair: bool = True) -> str:
    """The text with single spaces, without invisible characters, in composed letters, its encoding mended.

    Args:
        text: Any text.
        tally: Told every repair.
        place: Where it stands.
        repair: False trims it at both ends and takes out what cannot be written as UTF-8, and nothing else.
    """
    if not text.isascii():
        text = _mend(text, tally, place, repair)
    if not repair:
        return text.strip()
    if not text.isprintable() and _INVISIBLE.search(text):
        tally.repair("control characters removed", place, show(text))
        text = _INVISIBLE.sub("", text)
    tidy = " ".join(text.split())
    if tidy != text:
        tally.repair("white space", place, show(text))
    return tidy


def _mend(text: str, tally: Tally, place: Place, repair: bool) -> str:
    """Repairs of letters beyond ASCII."""
    if _SURROGATES.search(text):
        tally.repair("broken characters removed", place, show(text))
        text = _SURROGATES.sub("", text)
    if not repair:
        return text
    if _TWICE.search(text) and (mended := _decode_again(text)) is not None:
        tally.repair("encoded twice", place, f"{show(text)} is {show(mended)}")
        text = mended
    if _C1.search(text):
        tally.repair("read as Latin-1", place, show(text))
        text = _C1.sub(lambda one: one.group().encode("latin-1").decode("cp1252"), text)
    if not unicodedata.is_normalized("NFC", text):
        tally.repair("decomposed letters", place, show(text))
        text = unicodedata.normalize("NFC", text)
    return text


def _decode_again(text: str) -> str | None:
    """UTF-8 that was read as Windows-1252, read right; None where the whole text is not such."""
    for encoding in ("cp1252", "latin-1"):
        try:
            return text.encode(encoding).decode("utf-8")
        except UnicodeError:
            continue
    return None
