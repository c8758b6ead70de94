"""Where texts go beside the things they name, so that they can be read."""

from __future__ import annotations

import numpy as np
import numpy.typing as npt

_Floats = npt.NDArray[np.float64]
_GAPS = (3.0, 9.0, 18.0)  # between a thing and its text, tried in this order
_SIDES = np.array(
    [(1, 0), (-1, 0), (0, -1), (0, 1), (0.7, 0.7), (0.7, -0.7), (-0.7, 0.7), (-0.7, -0.7)], dtype=np.float64
)
_OUTSIDE = 20.0  # how much worse a text out of the picture is than one on another
_ORDER = 0.5  # a later side or a wider gap is as bad as so much overlap


def place_texts(
    anchors: _Floats, radii: _Floats, sizes: _Floats, bounds: tuple[float, float], *, over: bool = False
) -> tuple[_Floats, _Floats]:
    """Put each text to one side of its thing, the first ones first, where it covers least.

    Args:
        anchors: (n, 2) centres of the things; the texts of the first ones matter most.
        radii: (n,) radii of the things.
        sizes: (m, 2) width and height of the texts of the first m <= n things; the others only stand in the way.
        bounds: Width and height of the picture.
        over: Texts lie on their things where they can.

    Returns:
        (m, 2) centres of the texts, and (m,) the area in which each covers an earlier text or leaves the picture.
    """
    count = len(sizes)
    centres, clashes = np.zeros((count, 2)), np.zeros(count)
    sides = np.concatenate([np.zeros((1, 2)), _SIDES]) if over else _SIDES
    discs = np.concatenate([anchors - radii[:, None], anchors + radii[:, None]], axis=1)
    taken = np.zeros((count, 4))
    for place in range(count):
        half = sizes[place] / 2
        steps = [sides * (radii[place] + gap) + np.sign(sides) * half for gap in _GAPS]
        options = anchors[place] + np.concatenate(steps)
        boxes = np.concatenate([options - half, options + half], axis=1)
        inside = np.clip(boxes, 0, [*bounds, *bounds])
        lost = (_area(boxes) - _area(inside)) * _OUTSIDE + _overlaps(boxes, taken[:place])
        others = np.delete(discs, place, axis=0)
        best = int(np.argmin(lost + _overlaps(boxes, others) + _ORDER * np.arange(len(options))))
        centres[place], clashes[place], taken[place] = options[best], lost[best], boxes[best]
    return centres, clashes


def _area(boxes: _Floats) -> _Floats:
    area: _Floats = np.maximum(boxes[:, 2:] - boxes[:, :2], 0).prod(axis=1)
    return area


def _overlaps(boxes: _Floats, others: _Floats) -> _Floats:
    """(a,) area of each box (left, bottom, right, top) that others cover, added up."""
    low = np.maximum(boxes[:, None, :2], others[None, :, :2])
    high = np.minimum(boxes[:, None, 2:], others[None, :, 2:])
    total: _Floats = np.maximum(high - low, 0).prod(axis=2).sum(axis=1)
    return total
