"""What a cell of the label column holds: names, whole numbers, lists of them, nothing."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Sequence, Set
from numbers import Integral, Real
from typing import Any

WHOLE = re.compile(r"-?(?:0|[1-9]\d*)\.0")  # a whole number as pandas writes it where the column has a gap
WHAT_A_LABEL_IS = "a label is a text or a whole number"
_EXACT = 2.0**53  # above it a float does not say which whole number was meant
# Possessive, so that no cell takes longer than its length. Escapes are those that repr and JSON write.
_STRING = r"""'(?:[^'\\]|\\[\\'"/bfnrtuUx])*+'|"(?:[^"\\]|\\[\\'"/bfnrtuUx])*+\""""
_NOTHING = ("None", "null", "nan", "NaN", "<NA>")
_PLAIN = rf"(?:{_STRING}|-?\d++(?:\.\d*+)?|{'|'.join(_NOTHING)})"
_ITEM = rf"(?:{_PLAIN}|np\.\w++\({_PLAIN}\))"  # a scalar of numpy is printed as np.int64(3)
_COMMA = r"\s*+,\s*+"


def _listed(between: str) -> str:
    return rf"\s*+(?:{_ITEM}(?:{between}{_ITEM})*+)?+\s*+(?:,\s*+)?+"


_ARRAY, _TUPLE = _listed(rf"(?:{_COMMA}|\s++)"), _listed(_COMMA)  # numpy prints its arrays without commas
_LIST = re.compile(rf"\[{_ARRAY}\]|\({_TUPLE}\)|\{{{_TUPLE}\}}")
_ITEMS = re.compile(rf"np\.\w++\(({_PLAIN})\)|({_PLAIN})")


def is_missing(value: Any) -> bool:
    """Whether a value stands for nothing: None, NaN, or what pandas has for it."""
    if value is None or type(value).__name__ in ("NAType", "NaTType"):
        return True
    return isinstance(value, Real) and bool(value != value)


def label_name(value: Any) -> str | None:
    """A label's name as text; whole numbers are names too, also 3.0, as pandas turns a column with a gap into floats.

    None for other values.
    """
    if isinstance(value, str):
        return value
    if isinstance(value, bool) or not isinstance(value, Real):
        return None
    if isinstance(value, Integral):
        return str(int(value))
    number = float(value)
    return str(int(number)) if number.is_integer() and abs(number) < _EXACT else None


def items_of(given: Any) -> Sequence[Any]:
    """The labels of a cell that is no text: items of a list, tuple or set (sorted), or the value itself."""
    if isinstance(given, Set):
        return sorted((one for one in given if not is_missing(one)), key=_place)
    if isinstance(given, (list, tuple)):
        return [one for one in given if not is_missing(one)]
    return () if is_missing(given) else (given,)


def _place(value: Any) -> tuple[int, Any]:
    return (0, value) if isinstance(value, Real) else (1, str(value))


def printed_list(cell: str) -> list[Any] | None:
    """The items of a list that was written as text: a JSON array, or a list, tuple, set or array as Python prints it.

    Nothing is run: the items are strings, numbers and None, read one by one.

    Returns:
        The items without those that are missing; None where the cell is no such list.
    """
    bare = cell.strip()
    if bare == "set()":
        return []
    if bare[:1] not in ("[", "(", "{") or not _LIST.fullmatch(bare):
        return None
    try:
        items = [_item(wrapped or plain) for wrapped, plain in _ITEMS.findall(bare)]
    except (ValueError, SyntaxError):  # half an escape, or an integer of thousands of digits
        return None
    name = bare[0] == "(" and len(items) == 1 and not bare[:-1].rstrip().endswith(",")  # in brackets
    if name or (bare[0] == "{" and not items):
        return None
    return [one for one in items if one is not None]


def _item(word: str) -> Any:
    if word in _NOTHING:
        return None
    try:
        return json.loads(word)
    except json.JSONDecodeError:
        return ast.literal_eval(word.replace("\\/", "/"))
