"""What `eclare graph` shows: an analysis as tables, as pictures and as one page."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from eclare_py.report.model import ABSENT, Table, Tile, number
from eclare_py.report.page import frame, header, picture, section

if TYPE_CHECKING:
    from matplotlib.figure import Figure

    from eclare_py.graph.analysis import GraphAnalysis
    from eclare_py.graph.communities import Communities
    from eclare_py.rank.pipeline import Pipeline

_NAME = 44  # letters of a label's text in a table
_OTHERS = 2  # further labels of a community that are named
_NEIGHBOURS = 20


@dataclass(frozen=True, eq=False)
class Picture:
    """A figure with the words around it."""

    title: str
    note: str
    figure: Figure


def tables(found: GraphAnalysis) -> list[Table]:
    """An analysis as tables; those without rows are for the caller to leave out."""
    return [
        _summary(found),
        Table(
            "Degrees",
            ("Degree", "Labels with so many neighbours", "Labels that are the neighbour of so many"),
            tuple((span(one.low, one.high), number(one.labels_out), number(one.labels_in)) for one in found.degrees),
        ),
        Table(
            "Components",
            ("Labels", "Components of this size", "Labels in them"),
            tuple(
                (span(one.low, one.high), number(one.components), number(one.labels))
                for one in found.components
                if one.components
            ),
        ),
        _communities(found),
        _hubs(found),
        _texts(found),
        _documents(found),
    ]


def neighbour_table(pipeline: Pipeline, label: int) -> Table:
    """The neighbours of one label, by weight."""
    ids, weights = pipeline.graph.neighbours(label, _NEIGHBOURS)
    rows = tuple(
        (short(pipeline.labels.texts[one]), f"{weight:.4g}", number(int(pipeline.frequencies[one])))
        for one, weight in zip(ids.tolist(), weights.tolist(), strict=True)
    )
    title = f"Neighbours of {short(pipeline.labels.texts[label])}"
    return Table(title, ("Neighbour", "Weight", "Train documents"), rows or (("none", "", ""),))


def label_map(pipeline: Pipeline, communities: Communities, seed: int) -> Picture:
    """All labels in the plane, or some thousand of them."""
    from eclare_py.graph.layout import plane_layout, sample_labels
    from eclare_py.report.pictures.label_map import draw_label_map

    texts, frequencies = pipeline.labels.texts, pipeline.frequencies
    labels = sample_labels(frequencies, seed=seed)
    points = plane_layout(pipeline.ranker.scorer.vectors[labels], seed=seed)
    shown = f"{number(len(labels))} labels"
    if len(labels) < len(texts):
        shown += f" of {number(len(texts))}, the most frequent and a random choice of the others,"
    note = (
        f"{shown} by their vectors (t-SNE), joined by the shortest tree through all points. Near points have like "
        "vectors; distances between far groups mean little. Size: up to 5, up to 100, more train documents. Colour: "
        "communities of the label graph with the most labels here, named after their most frequent label."
    )
    return Picture("Map of the labels", note, draw_label_map(points, labels, communities, texts, frequencies))


def surroundings(pipeline: Pipeline, label: int, seed: int) -> Picture:
    """A label, its neighbours and theirs."""
    from eclare_py.report.pictures.neighbourhood import draw_neighbourhood, neighbourhood

    around = neighbourhood(pipeline.graph, label)
    note = (
        "Full colour: its neighbours and labels whose neighbour it is; faint: theirs. Size: train documents. Width: "
        "weight of the edge, both directions averaged."
    )
    if not len(around.ends):
        note = "It has no edge in the label graph."
    if around.left_out:
        note += f" {number(around.left_out)} more that are next to it have weaker edges and are not shown."
    figure = draw_neighbourhood(around, pipeline.labels.texts, pipeline.frequencies, seed=seed)
    return Picture(f"Around {short(pipeline.labels.texts[label])}", note, figure)


def graph_page(title: str, found: GraphAnalysis, shown: Sequence[Table], pictures: Sequence[Picture]) -> str:
    """One self-contained HTML page."""
    from eclare_py.report.pictures.canvas import to_svg

    summary = found.summary
    tiles = [
        Tile("Edges", number(summary.edges), "label to neighbour, self loops not counted"),
        Tile("Isolated", percent(summary.isolated / max(summary.labels, 1)), "labels without any edge"),
        Tile("Communities", number(found.communities), "of at least two labels"),
        Tile("Modularity", f"{found.modularity:.3f}", "edge weight inside them, less what chance would give"),
        Tile("Shared word", percent(found.text[-1].shared_word), "edges whose two texts have a word in common"),
    ]
    if found.documents is not None:
        precision = percent(found.documents[-1].precision)
        tiles.append(Tile("Together in test", precision, "edges between labels seen in test that share a document"))
    drawn = [picture(one.title, one.note, to_svg(one.figure, one.title)) for one in pictures]
    subtitle = f"{number(summary.labels)} labels, weights: {found.kind}"
    return frame(title, [header(title, subtitle, tiles), *drawn, *(section(one) for one in shown if one.rows)])


def _summary(found: GraphAnalysis) -> Table:
    one = found.summary
    rows = (
        ("Weights", found.kind),
        ("Labels", number(one.labels)),
        ("Edges, without self loops", number(one.edges)),
        ("Edges whose reverse is an edge too", percent(one.reciprocal)),
        ("Labels without any edge", number(one.isolated)),
        ("Rare labels (1 to 5 train documents) with a neighbour", percent(one.tail_with_neighbour)),
        ("Components, isolated labels included", number(one.components)),
        ("Labels of the largest component", number(one.largest_component)),
        ("Communities of at least two labels (Louvain)", number(found.communities)),
        ("Modularity", f"{found.modularity:.3f}"),
    )
    return Table("Label graph", ("", ""), rows)


def _communities(found: GraphAnalysis) -> Table:
    rows = tuple(
        (short(one.examples[0]), number(one.labels), number(one.documents), percent(one.inside),
         ", ".join(short(text, 28) for text in one.examples[1 : 1 + _OTHERS]))
        for one in found.largest_communities
    )  # fmt: skip
    note = "Named after their most frequent label. Inside: share of the edge weight of their labels that stays inside."
    return Table("Largest communities", ("Community", "Labels", "Train documents", "Inside", ""), rows, note)


def _hubs(found: GraphAnalysis) -> Table:
    rows = tuple(
        (short(one.text), number(one.in_degree), number(one.neighbours), number(one.documents)) for one in found.hubs
    )
    return Table("Hubs", ("Label", "Neighbour of", "Own neighbours", "Train documents"), rows)


def _texts(found: GraphAnalysis) -> Table:
    rows = tuple(
        (one.name, number(one.edges), percent(one.shared_word), percent(one.random_shared_word), cosine(one.cosine),
         cosine(one.random_cosine))
        for one in found.text
        if one.edges
    )  # fmt: skip
    head = ("Train documents of the rarer label", "Edges", "Share a word", "Random pairs", "Cosine", "Random pairs")
    note = "Edges without direction; cosine of TF-IDF. Random pairs are of labels about as frequent."
    return Table("Edges and label texts", head, rows, note)


def _documents(found: GraphAnalysis) -> Table:
    rows = tuple(
        (one.name, number(one.edges), number(one.edges_seen), percent(one.precision),
         percent(one.random_precision if one.edges_seen else None),
         number(one.pairs), percent(one.recall))
        for one in found.documents or ()
        if one.edges or one.pairs
    )  # fmt: skip
    head = ("Train documents of the rarer label", "Edges", "Both in test", "Share a test document", "Random pairs",
            "Pairs in test", "Are edges")  # fmt: skip
    note = (
        "How many of the edges with both labels in test share a test document, and how many of all pairs of labels "
        "that share one are edges."
    )
    return Table("Edges and test documents", head, rows, note)


def short(words: str, most: int = _NAME) -> str:
    """A label's text as a table has room for it."""
    from eclare_py.report.pictures.canvas import shorten

    return shorten(words, most)


def span(low: int, high: int) -> str:
    """A range of whole numbers."""
    return str(low) if low == high else f"{low}-{high}"


def percent(share: float | None) -> str:
    """A share of 1 in percent."""
    return ABSENT if share is None else f"{100 * share:.1f}%"


def cosine(value: float | None) -> str:
    """A cosine with three decimals."""
    return ABSENT if value is None else f"{value:.3f}"
