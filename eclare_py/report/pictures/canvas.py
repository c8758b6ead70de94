"""What all pictures share: colours that follow a light or dark page, and files that come out the same every time."""

from __future__ import annotations

import html
import io
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from eclare_py.errors import UsageError
from eclare_py.storage import atomic_file

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# Those of the report page, whose style sheet gives the names their value; (light, dark).
INK, SOFT, LINE, PAPER, MAIN, PALE = "#1c2329", "#5b656e", "#dcdfe0", "#fcfcfa", "#0b6b68", "#b5d8d3"
_THEME = {
    "ink": (INK, "#e6e9ea"),
    "soft": (SOFT, "#9ba6ad"),
    "line": (LINE, "#30383d"),
    "paper": (PAPER, "#14181b"),
    "main": (MAIN, "#55c4b6"),
    "pale": (PALE, "#24524f"),
}
# Of medium lightness, so that they stand out on both papers; neighbours in the list are far apart in hue.
HUES = (
    "#3b82c4", "#d9772b", "#3f9d5a", "#c0504d", "#8b6cc1", "#a8863a", "#2ba3a3", "#d067a6", "#7a8f2e", "#5a6fd0",
    "#b8604a", "#4a8f86",
)  # fmt: skip
_DPI = 288  # so fine that letters are measured as they are drawn
FORMATS = (".svg", ".png", ".pdf")
_SETTINGS = {"svg.fonttype": "none", "path.simplify": False, "font.family": "DejaVu Sans"}
_RIM = 2.5  # points of paper around a text
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\ufffe\uffff]")


def check_matplotlib() -> None:
    """Refuse to begin where the end cannot be drawn.

    Raises:
        UsageError: matplotlib is missing.
    """
    try:
        import matplotlib  # noqa: F401
    except ImportError as error:
        raise UsageError("pictures need matplotlib: pip install 'eclare_py[report]'") from error


def new_figure(width: float, height: float) -> tuple[Figure, Axes]:
    """An empty figure of so many inches whose axes fill it, one data unit a point (1/72 inch).

    Raises:
        UsageError: matplotlib is missing.
    """
    check_matplotlib()
    from matplotlib.figure import Figure

    figure = Figure(figsize=(width, height), dpi=_DPI)
    axes = figure.add_axes((0, 0, 1, 1))
    axes.set(xlim=(0, 72 * width), ylim=(0, 72 * height))
    axes.set_axis_off()
    return figure, axes


def write(axes: Axes, x: float, y: float, words: str, size: float, *, colour: str = INK, **options: Any) -> Any:
    """A text at a point in data units, centred unless told otherwise; dollars and control characters do no harm."""
    where = {"ha": "center", "va": "center", **options}
    return axes.text(x, y, plain(words), fontsize=size, color=colour, parse_math=False, **where)


def plain(words: str) -> str:
    """The text as XML can hold it, on one line."""
    return _CONTROL.sub(" ", words).encode("utf-8", "replace").decode("utf-8")


def shorten(words: str, most: int) -> str:
    """At most so many characters, cut between words where that leaves more than half."""
    if len(words) <= most:
        return words
    kept = words[: most - 1]
    space = kept.rfind(" ")
    return kept[: space if space > most // 2 else len(kept)].rstrip(" ,;:-(") + "\u2026"


def text_sizes(figure: Figure, texts: list[Any]) -> list[tuple[float, float]]:
    """Width and height of each text in points."""
    from matplotlib.backends.backend_agg import FigureCanvasAgg

    renderer = FigureCanvasAgg(figure).get_renderer()
    with _quiet():
        boxes = [one.get_window_extent(renderer) for one in texts]
    scale = 72 / figure.dpi
    return [(box.width * scale, box.height * scale) for box in boxes]


def to_svg(figure: Figure, title: str) -> str:
    """An SVG element to be put into a page; where the page sets --ink and the like, the picture follows.

    Args:
        figure: The figure; its texts stay text, with a rim of paper around them.
        title: What readers of the screen hear.
    """
    names = {light: f"var(--{name},{light})" for name, (light, _) in _THEME.items()}
    return _in_tags(_drawn(figure, title), "|".join(names), lambda found: names[found[0]])


def save_picture(figure: Figure, path: str | Path, title: str) -> None:
    """Write a picture file, atomically; the same figure gives the same file.

    Args:
        figure: The figure.
        path: Its ending chooses SVG (follows the reader's light or dark setting), PNG or PDF (on paper colour).
        title: For SVG, as in `to_svg`.

    Raises:
        UsageError: Another ending.
    """
    ending = check_format(path)
    if ending == ".svg":
        # Not by variables, as programs that are no browser know none: they draw the light one.
        rules = "".join(
            f'[style*="{part}: {light}"]{{{part}:{dark}!important}}'
            for light, dark in _THEME.values()
            for part in ("fill", "stroke")
        )
        dark = f"@media(prefers-color-scheme:dark){{svg{{background:{_THEME['paper'][1]}}}{rules}}}"
        style = f"<style>svg{{background:{PAPER}}}{dark}</style>"
        with atomic_file(path) as handle:
            handle.write('<?xml version="1.0" encoding="utf-8"?>\n')
            handle.write(re.sub(r"(<svg[^>]*>)", rf"\1{style}", _drawn(figure, title), count=1))
        return
    from matplotlib import rc_context
    from matplotlib.patheffects import withStroke

    for one in figure.axes[0].texts:
        one.set_path_effects([withStroke(linewidth=_RIM, foreground=PAPER)])
    facts = {"CreationDate": None} if ending == ".pdf" else {"Software": None}
    with rc_context(_SETTINGS), _quiet(), atomic_file(path, "wb") as handle:
        figure.savefig(handle, format=ending[1:], dpi=_DPI / 2, facecolor=PAPER, metadata=facts)
    for one in figure.axes[0].texts:
        one.set_path_effects([])  # in an SVG they would turn letters into outlines


def _drawn(figure: Figure, title: str) -> str:
    """The SVG element that matplotlib makes, without what is of no use, with a rim around texts."""
    from matplotlib import rc_context

    stream = io.StringIO()
    # Ids are drawn from the salt: two pictures of one page must not share them.
    with rc_context({**_SETTINGS, "svg.hashsalt": plain(title)}), _quiet():
        figure.savefig(stream, format="svg", transparent=True, metadata={"Date": None})
    drawn = stream.getvalue()
    drawn = drawn[drawn.index("<svg") :]
    drawn = re.sub(r"<metadata>.*?</metadata>|<!--.*?-->", "", drawn, flags=re.DOTALL)
    drawn = re.sub(r'<g id="[^"]*"', "<g", drawn)
    drawn = re.sub(r"\s*\n\s*", "\n", drawn)
    drawn = _in_tags(drawn, r"(?<=\d\.\d\d)\d+", "")  # a hundredth of a point is enough
    drawn = _in_tags(drawn, "'DejaVu Sans'", "system-ui, 'DejaVu Sans'")
    rim = f"stroke: {PAPER}; stroke-width: {_RIM}px; stroke-linejoin: round; paint-order: stroke; "
    drawn = drawn.replace('<text style="', f'<text style="{rim}')
    return drawn.replace("<svg ", f'<svg role="img" aria-label="{html.escape(plain(title))}" ', 1).strip() + "\n"


def _in_tags(svg: str, pattern: str, by: str | Callable[[re.Match[str]], str]) -> str:
    """Replace a pattern in tags, so that the texts of labels stay what they are."""
    return re.sub("<[^>]*>", lambda tag: re.sub(pattern, by, tag[0]), svg)


def check_format(path: str | Path) -> str:
    """The ending of a picture's name.

    Raises:
        UsageError: It is none that is known.
    """
    ending = Path(path).suffix.lower()
    if ending not in FORMATS:
        raise UsageError(f"{path} is no picture: name it {', '.join(FORMATS[:-1])} or {FORMATS[-1]}")
    return ending


@contextmanager
def _quiet() -> Iterator[None]:
    """Without the warning for a letter that matplotlib's own font lacks: an SVG is drawn with the reader's fonts."""
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message="Glyph .* missing from")
        yield
