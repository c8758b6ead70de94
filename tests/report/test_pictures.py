import re
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
import scipy.sparse as sp

from eclare_py.errors import UsageError
from eclare_py.graph.communities import find_communities
from eclare_py.graph.label_graph import LabelGraph
from eclare_py.report.pictures.canvas import new_figure, save_picture, shorten, to_svg, write
from eclare_py.report.pictures.label_map import draw_label_map
from eclare_py.report.pictures.neighbourhood import draw_neighbourhood, neighbourhood
from eclare_py.report.pictures.places import place_texts

HOSTILE = "a $x_{ <script>\x00\x1b & \ud800 \u4e2d"
SVG = "{http://www.w3.org/2000/svg}"


def graph_of(edges, n_labels):
    rows, columns, weights = zip(*edges, strict=True)
    adjacency = sp.csr_array((np.array(weights, np.float32), (rows, columns)), shape=(n_labels, n_labels))
    return LabelGraph.from_adjacency(adjacency)


# 0 has the neighbours 1 and 2 and is that of 3; behind 1 are 4 and 5, behind 3 is 6; 7 is three hops away; 8 is alone.
GRAPH = graph_of(
    [(0, 0, 9), (0, 1, 4), (0, 2, 3), (3, 0, 8), (1, 4, 1), (1, 5, 5), (6, 3, 1), (6, 7, 9), (2, 1, 2), (8, 8, 1)], 9
)
TEXTS = [HOSTILE, *(f"label number {i}" for i in range(1, 9))]
FREQUENCIES = np.array([9000, 1, 2, 3, 40, 5, 0, 7, 8])


def test_neighbourhood_by_hand():
    found = neighbourhood(GRAPH, 0)
    assert found.labels.tolist() == [0, 3, 1, 2, 5, 6, 4]  # weights 4, 2, 1.5; behind them 2 x 2.5, 4 x 0.5, 2 x 0.5
    assert found.hops.tolist() == [0, 1, 1, 1, 2, 2, 2]
    pairs = {tuple(found.labels[one].tolist()): weight for one, weight in zip(found.ends, found.weights, strict=True)}
    assert pairs == {(0, 3): 4, (0, 1): 2, (0, 2): 1.5, (1, 2): 1, (1, 5): 2.5, (1, 4): 0.5, (3, 6): 0.5}
    assert found.left_out == 0


def test_neighbourhood_keeps_to_its_limit():
    found = neighbourhood(GRAPH, 0, limit=4)
    assert (found.labels.tolist(), found.left_out) == ([0, 3, 1, 5], 1)
    assert neighbourhood(GRAPH, 0, hops=1, limit=3).labels.tolist() == [0, 3, 1]
    assert neighbourhood(GRAPH, 0, hops=1).labels.tolist() == [0, 3, 1, 2]
    alone = neighbourhood(GRAPH, 8)
    assert (alone.labels.tolist(), alone.hops.tolist(), len(alone.ends)) == ([8], [0], 0)


@pytest.mark.parametrize("options", [{"label": 9}, {"label": -1}, {"label": 0, "hops": 3}, {"label": 0, "limit": 1}])
def test_neighbourhood_refuses_what_is_not_there(options):
    with pytest.raises(UsageError):
        neighbourhood(GRAPH, **options)


def around(label=0):
    return draw_neighbourhood(neighbourhood(GRAPH, label), TEXTS, FREQUENCIES)


def label_map(points):
    labels = np.arange(len(points)) % 9
    return draw_label_map(points, labels, find_communities(GRAPH), TEXTS, FREQUENCIES)


def words_of(svg):
    return ["".join(one.itertext()) for one in ElementTree.fromstring(svg.encode()).iter(f"{SVG}text")]


def test_a_neighbourhood_shows_its_labels_and_larger_discs_for_frequent_ones():
    figure = around()
    assert sorted(words_of(to_svg(figure, "x")))[1:] == [f"label number {i}" for i in range(1, 7)]
    discs = [line.get_markersize() for line in figure.axes[0].lines if line.get_marker() == "o"]
    assert len(discs) == 7 and max(discs) == discs[0]
    widths = {line.get_linewidth() for line in figure.axes[0].lines if line.get_marker() != "o"}
    assert max(widths) == pytest.approx(3.6) and len(widths) == 6  # as many as there are weights
    assert words_of(to_svg(around(8), "x")) == ["label number 8"]


def test_texts_of_a_neighbourhood_stay_inside_and_apart():
    figure = around()
    figure.canvas.draw()
    boxes = [one.get_window_extent() for one in figure.axes[0].texts]
    for place, box in enumerate(boxes):
        assert box.x0 >= 0 and box.y0 >= 0 and box.x1 <= figure.bbox.width and box.y1 <= figure.bbox.height
        assert not any(box.overlaps(other) for other in boxes[:place])


def test_a_map_has_every_point_its_tree_and_names():
    points = np.random.default_rng(0).normal(size=(63, 2))
    figure = label_map(points)
    axes = figure.axes[0]
    assert sum(len(line.get_xdata()) for line in axes.lines) == 63
    assert sum(len(one.get_paths()[0].vertices) for one in axes.collections) == 2 * 62
    shown = [one.get_text() for one in axes.texts]
    assert len(shown) == len([size for size in find_communities(GRAPH).sizes if size > 1])  # 8 stands alone
    assert any(word.startswith("a $x_{") for word in shown)


@pytest.mark.parametrize("points", [np.zeros((1, 2)), np.zeros((5, 2)), np.arange(8.0).reshape(4, 2)])
def test_maps_of_few_or_equal_points(points):
    assert to_svg(label_map(points), "map").startswith("<svg ")


@pytest.mark.parametrize("draw", [around, lambda: label_map(np.random.default_rng(1).normal(size=(40, 2)))])
def test_svg_is_whole_harmless_and_the_same_again(draw):
    svg = to_svg(draw(), HOSTILE)
    assert svg == to_svg(draw(), HOSTILE)
    assert "<script" not in svg and "http://x" not in svg
    root = ElementTree.fromstring(svg.encode())
    assert root.tag == f"{SVG}svg" and root.get("role") == "img" and "<script>" in root.get("aria-label")
    used = set(re.findall(r'(?:url\(#|href="#)([^")]+)', svg))
    assert used <= set(re.findall(r'id="([^"]+)"', svg))
    assert not re.search(r'(?:href|src)="(?!#)', svg)


def test_pictures_follow_the_page_and_share_no_ids():
    first, second = to_svg(around(), "one"), to_svg(around(), "two")
    assert "var(--ink,#1c2329)" in first and "var(--paper,#fcfcfa)" in first
    ids = [set(re.findall(r'id="([^"]+)"', one)) for one in (first, second)]
    assert ids[0] and not ids[0] & ids[1]


def test_files_of_each_format(tmp_path):
    figure = around()
    inline = to_svg(figure, "x")
    for name in ("a.svg", "a.png", "a.pdf"):
        save_picture(figure, tmp_path / name, "x")
        first = (tmp_path / name).read_bytes()
        save_picture(around(), tmp_path / name, "x")
        assert (tmp_path / name).read_bytes() == first
    assert (tmp_path / "a.png").read_bytes().startswith(b"\x89PNG")
    assert (tmp_path / "a.pdf").read_bytes().startswith(b"%PDF")
    svg = (tmp_path / "a.svg").read_text()
    assert "var(" not in svg and "prefers-color-scheme:dark" in svg
    assert words_of(svg) == words_of(inline) == words_of(to_svg(figure, "x"))  # a PNG leaves the figure as it was
    with pytest.raises(UsageError, match=r"name it \.svg, \.png or \.pdf"):
        save_picture(figure, tmp_path / "a.gif", "x")


def test_texts_are_written_as_they_are():
    figure, axes = new_figure(2, 1)
    write(axes, 10, 10, "costs $5 or $6\nor 3.14159, 'DejaVu Sans' #1c2329", 8)
    assert words_of(to_svg(figure, "x")) == ["costs $5 or $6 or 3.14159, 'DejaVu Sans' #1c2329"]


@pytest.mark.parametrize(
    ("words", "most", "short"),
    [
        ("short", 5, "short"),
        ("red wine glass", 10, "red wine\u2026"),
        ("a: averyveryverylongword", 10, "a: averyv\u2026"),
        ("python3: interactive", 12, "python3\u2026"),
    ],
)
def test_long_texts_are_cut_between_words_where_they_can(words, most, short):
    assert shorten(words, most) == short and len(short) <= most


def test_places_are_free_ones():
    anchors, radii = np.array([[50.0, 50.0], [60.0, 50.0], [5.0, 90.0]]), np.array([4.0, 4.0, 2.0])
    sizes = np.array([[30.0, 8.0], [30.0, 8.0], [20.0, 8.0]])
    centres, clashes = place_texts(anchors, radii, sizes, (120, 100))
    assert clashes.tolist() == [0, 0, 0]
    assert centres[0].tolist() == [50 - 4 - 3 - 15, 50]  # the second disc stands to the right
    assert centres[1].tolist() == [60 + 4 + 3 + 15, 50]
    assert centres[2].tolist() == [5 + 2 + 3 + 10, 90]


def test_texts_without_room_say_how_much_they_cover():
    anchors, sizes = np.array([[10.0, 5.0], [10.0, 5.0]]), np.full((2, 2), [20.0, 10.0])
    centres, clashes = place_texts(anchors, np.zeros(2), sizes, (20, 10), over=True)
    assert centres[0].tolist() == [10, 5]
    assert clashes.tolist() == [0, 200]
