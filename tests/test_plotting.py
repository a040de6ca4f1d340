"""The static pictures: they draw what they are given on the axes they are given, in colours that everybody can tell apart."""

import math
from itertools import combinations

import matplotlib as mpl
import networkx
import numpy as np
import pytest
import torch
from matplotlib.collections import PathCollection
from matplotlib.colors import to_hex, to_rgb
from matplotlib.figure import Figure

from spectral_lab import SpectralNet, graph, plotting
from spectral_lab.plotting import (
    FAINT,
    INK,
    MIDDLE,
    NEGATIVE,
    POSITIVE,
    SERIES,
    plot_bands,
    plot_bipartite,
    plot_blocks,
    plot_bundles,
    plot_cells,
    plot_coefficients,
    plot_cores,
    plot_counts,
    plot_heat,
    plot_histogram,
    plot_image,
    plot_increase,
    plot_kept,
    plot_layers,
    plot_learning,
    plot_line,
    plot_losses,
    plot_matrix,
    plot_network,
    plot_neurons,
    plot_race,
    plot_relevance,
    plot_removal,
    plot_section,
    plot_series,
    plot_spectrum,
    plot_square,
    plot_table,
    plot_transition,
    sign_colours,
)


def axes():
    return Figure().subplots()


def grown(hidden=(6,), live=3):
    """A network in which the first ``live`` neurons of every hidden layer are live and the others dormant."""
    network = SpectralNet([2, *hidden, 1], generator=torch.Generator().manual_seed(0), train_input_eigenvalues=False)
    with torch.no_grad():
        for lam in network.hidden_eigenvalues():
            lam[:live] = torch.arange(2, live + 2) * 1.0  # not 1: then λ_in = λ_out cuts the link to the output
    return network


def network_axes(threshold=0.0, **options):
    return plot_network(graph(grown(**options)), axes(), threshold=threshold)


def nodes_of(ax):
    """{kind: the markers that plot_network drew for it}."""
    return {c.get_label(): c for c in ax.collections if not c.get_label().startswith("_")}


def layers(*links):
    """Three layers in a row with links (from, to, role, sign); layer 2 has no role."""
    drawing = networkx.MultiDiGraph()
    for layer in (1, 2, 3):
        drawing.add_node(layer, position=(layer, 0), role="other" if layer == 2 else "end")
    for source, target, role, sign in links:
        drawing.add_edge(source, target, role=role, sign=sign, label="" if role == "other" else "x")
    return drawing


PAIR = {"a": NEGATIVE, "b": POSITIVE}  # of a spectral and a direct student
CALLS = {
    "bipartite": lambda ax: plot_bipartite([[0.5, -1.0]], ax, lam_in=[0.1, 0.2], lam_out=[0.3]),
    "matrix": lambda ax: plot_matrix([[0.5, 0.0]], ax, limit=1.0, title="t"),
    "network": lambda ax: plot_network(graph(grown()), ax, threshold=0.5),
    "spectrum": lambda ax: plot_spectrum([[1, 0, -0.1]], [[0.5, 0, 2]], ax, threshold=0.1, live=0.01),
    "square": lambda ax: plot_square(np.eye(3), ax, limit=1.0, title="t"),
    "section": lambda ax: plot_section(np.eye(3), [(0, 0.5, 1)], ax, limit=1.0, axes=("a", "b"), ranges=((0, 1), (2, 3))),
    "line": lambda ax: plot_line([-1, 0, 1], [0, 1, 0], [(0, 0.5, 1)], ax, axis="a", ends=(0, 1)),
    "table": lambda ax: plot_table([[3, 0], [1, 2]], ("a", "b"), ax),
    "cells": lambda ax: plot_cells(("", "a"), [("b", "1"), ("c", "2")], ax),
    "losses": lambda ax: plot_losses([0, 1], {"data loss": [1, 0.1], "penalty": [0, 0]}, ax),
    "series": lambda ax: plot_series({"a": ([0, 1], [0, 1], [0.1, 0.1]), "b": ([0, 1], [1, 0], [0, 0])}, ax, level=0.5),
    "bands": lambda ax: plot_bands({"a": ([1, 2], [0, 1], [0.1, 0.2])}, ax, xlabel="x", ylabel="y", logarithmic=True),
    "heat": lambda ax: plot_heat([0, 1], [0.1, 1], [[0, 1], [2, 3]], ax, label="a", level=1.5, lines={"b": ([0, 1], [1, 0.1])}),
    "bundles": lambda ax: plot_bundles({(1, 0): "silent", (2, 0): "active", (2, 1): "new"}, 3, ax, title="t"),
    "coefficients": lambda ax: plot_coefficients([2, -1], ax),
    "layers": lambda ax: plot_layers(layers((1, 2, "chain", 0), (1, 3, "link", -1), (2, 3, "other", 0), (3, 3, "loop", 0)), ax),
    "blocks": lambda ax: plot_blocks([[("identity", ""), ("zero", "")], [("full", "a"), ("diagonal", "b")]], (2, 1), ax),
    "race": lambda ax: plot_race([0, 10], {"a": ([0.1, 0.9], "#444444"), "b": ([0.1, 0.8], POSITIVE)}, ax),
    "counts": lambda ax: plot_counts({"a": (7510, "#444444"), "b": (384, POSITIVE)}, ax),
    "neurons": lambda ax: plot_neurons([(0.3, 0.5), (0.9, 0.5)], [1.0], [True], [(0, 1, -1.0)], ax),
    "removal": lambda ax: plot_removal({"a": ([1, 0], [0.1, 0.9], INK)}, ax, chosen="a", share=0.5, band=([0, 0], [1, 1])),
    "relevance": lambda ax: plot_relevance({"a": [0.0, 0.01, 1.0], "b": [0.5, 0.6, 1.0]}, ax, colours=PAIR),
    "learning": lambda ax: plot_learning([0, 50], {"a": [1, 0.1], "b": [1, 0.2]}, ax, colours=PAIR),
    "kept": lambda ax: plot_kept({"a": [1, 0.1, 0.1], "b": [1, 0.5, 0.1]}, ax, colours=PAIR, size=1),
    "cores": lambda ax: plot_cores({"a": [(4, 3), (8, 3)], "b": [(4, 4), (8, 8)]}, ax, colours=PAIR, size=3),
    "histogram": lambda ax: plot_histogram([0.0, 0.2, 1.0], ax, largest=1.0, label="|λ|"),
    "image": lambda ax: plot_image(np.array([[[0], [255]]], np.uint8), ax, title="t"),
    "increase": lambda ax: plot_increase([([0, 1, 2], [1.0, 0.1, 0.0], INK)], ax),
    "transition": lambda ax: plot_transition([0, 1], [0, 1], ax, reference={"β = 5": ([0, 1], [0, 1.2])}),
}


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_picture_is_drawn_on_the_given_axes_and_returned_and_touches_no_global_state(call):
    before, ax = dict(mpl.rcParams), axes()
    assert call(ax) is ax
    assert ax.has_data()
    ax.figure.draw_without_rendering()
    assert ax.figure.axes == [ax]
    assert ax.figure.canvas.manager is None
    assert dict(mpl.rcParams) == before


@pytest.mark.parametrize("name", [name for name in dir(plotting) if name.startswith("plot_")])
def test_every_picture_is_tried_here(name):
    assert name.removeprefix("plot_") in CALLS


# -- curves ---------------------------------------------------------------------------------------------------------


def test_each_curve_has_its_values_its_error_bars_and_a_look_of_its_own():
    ax = plot_series({"a": ([1, 2], [3, 4], [0.5, 1.0]), "b": ([1, 2], [5, 6], [0, 0])}, axes(), level=1.0)
    lines = {container.get_label(): container for container in ax.containers}
    assert lines["a"].lines[0].get_ydata().tolist() == [3, 4]
    (bars,) = lines["a"].lines[2]
    assert [segment[:, 1].tolist() for segment in bars.get_segments()] == [[2.5, 3.5], [3.0, 5.0]]
    looks = [(line.lines[0].get_color(), line.lines[0].get_marker()) for line in lines.values()]
    assert looks == list(SERIES[:2])
    assert ax.lines[0].get_ydata() == [1.0, 1.0]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]
    assert plot_series({"a": ([1], [1], [0])}, axes(), legend=False).get_legend() is None


def test_each_curve_has_its_style_and_a_band_of_one_deviation():
    styles = [{"color": "#111111", "marker": "o"}, {"color": "#222222", "ls": "--"}]
    ax = plot_bands({"a": ([1, 2], [3, 4], [0.5, 1.0]), "b": ([1, 2], [5, 6], [0, 0])}, axes(), styles=styles)
    a, b = ax.lines
    assert (a.get_label(), a.get_color(), a.get_marker(), a.get_ydata().tolist()) == ("a", "#111111", "o", [3, 4])
    assert (b.get_label(), b.get_color(), b.get_linestyle()) == ("b", "#222222", "--")
    corners = ax.collections[0].get_paths()[0].vertices
    assert {(1, 2.5), (1, 3.5), (2, 3), (2, 5)} <= set(map(tuple, corners.tolist()))
    with pytest.raises(ValueError, match="shorter"):
        plot_bands({"a": ([1], [1], [0]), "b": ([1], [1], [0])}, axes(), styles=styles[:1])


def test_curves_can_be_told_apart_without_colour():
    assert len({marker for _, marker in SERIES}) == len(SERIES) == len({colour for colour, _ in SERIES})


# -- the network -----------------------------------------------------------------------------------------------------


def test_the_states_of_a_neuron_differ_by_shape_not_by_colour_alone():
    relevance = sorted(a["relevance"] for _, a in graph(grown()).nodes.items() if a["relevance"])
    ax = network_axes(threshold=relevance[0])
    found = nodes_of(ax)
    assert {kind: len(c.get_offsets()) for kind, c in found.items()} == {"live": 5, "dormant": 0, "pruned": 4, "bias": 1}
    ax = network_axes()
    found = nodes_of(ax)
    assert {kind: len(c.get_offsets()) for kind, c in found.items()} == {"live": 6, "dormant": 3, "pruned": 0, "bias": 1}

    def shape(kind):
        (path,) = found[kind].get_paths()
        filled = found[kind].get_facecolors()
        hollow = len(filled) == 0 or to_hex(filled[0]) == "#ffffff" or filled[0][3] == 0
        return len(path.vertices), hollow

    shapes = {kind: shape(kind) for kind in ("live", "dormant", "pruned", "bias")}
    assert all(shapes[a] != shapes[b] for a, b in combinations(shapes, 2))
    assert shapes["live"][0] == shapes["dormant"][0]  # both are discs, one of them hollow
    assert (shapes["live"][1], shapes["dormant"][1]) == (False, True)


def test_markers_stand_at_the_places_of_the_layout_with_y_upwards():
    drawing = graph(grown())
    ax = plot_network(drawing, axes())
    found = {(round(x, 6), round(y, 6)) for c in nodes_of(ax).values() for x, y in c.get_offsets()}
    wanted = {(round(x, 6), round(-y, 6)) for x, y in (a["position"] for _, a in drawing.nodes.items())}
    assert found == wanted


def test_the_area_of_a_live_neuron_grows_with_its_relevance_up_to_one():
    drawing = graph(grown())
    for n, relevance in enumerate((0.1, 0.5, 1.0, 7.0)):
        drawing.nodes[1, n].update(relevance=relevance, live=True)
    sizes = sorted(nodes_of(plot_network(drawing, axes()))["live"].get_sizes())
    assert sizes == [37, 85, 90, 90, 90, 145, 145]  # 90 are the inputs and the output


def links_of(ax):
    (links,) = [c for c in ax.collections if isinstance(c, PathCollection) and c.get_label().startswith("_")]
    return links


def test_links_are_as_wide_as_their_weight_and_coloured_by_its_sign():
    drawing = graph(grown())
    links = links_of(plot_network(drawing, axes(), widest=8.0))
    edges = list(drawing.edges.items())
    assert len(links.get_paths()) == len(edges)
    active = [abs(a["weight"]) for (s, t), a in edges if drawing.nodes[s]["live"] and drawing.nodes[t]["live"]]
    for (ends, a), colour, width in zip(edges, links.get_edgecolors(), links.get_linewidths(), strict=True):
        if all(drawing.nodes[end]["live"] for end in ends):
            assert to_hex(colour) == (POSITIVE if a["weight"] > 0 else NEGATIVE)
            assert width == pytest.approx(max(0.3, 8.0 * abs(a["weight"]) / max(active)))
        else:
            assert (to_hex(colour), width) == (FAINT, 0.4)


def test_weights_of_noise_stay_thin():
    network = SpectralNet([2, 3, 1], generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        for p in network.parameters():
            p.mul_(1e-3)
    assert max(links_of(plot_network(graph(network), axes())).get_linewidths()) < 0.5


def test_skip_links_are_arcs_over_all_nodes_and_the_others_straight():
    drawing = graph(grown(hidden=(4, 3)))
    ax = plot_network(drawing, axes())
    top = max(-a["position"][1] for _, a in drawing.nodes.items())
    for (_, a), path in zip(drawing.edges.items(), links_of(ax).get_paths(), strict=True):
        assert len(path.vertices) == (4 if a["kind"] == "skip" else 2)
        if a["kind"] == "skip":
            assert path.interpolated(20).to_polygons(closed_only=False)[0][:, 1].max() > top


def test_links_of_pruned_neurons_are_left_out():
    drawing = graph(grown())
    links = links_of(plot_network(drawing, axes(), threshold=1e6))
    assert len(links.get_paths()) == sum(1 for a in drawing.edges.values() if a["kind"] == "skip")


def test_a_network_without_any_link_can_be_drawn():
    ax = plot_network(graph(grown(), min_weight=1e9), axes(), threshold=1e6)
    ax.figure.draw_without_rendering()
    assert {kind: len(c.get_offsets()) for kind, c in nodes_of(ax).items()}["pruned"] == 6


# -- the others --------------------------------------------------------------------------------------------------------


def test_the_spectrum_is_sorted_by_strength_within_each_layer():
    ax = plot_spectrum([[-0.5, 2, 0], [3]], [[0.1, 0, 0.7], [1]], axes())
    hollow, filled, hollow_2, filled_2 = (c.get_offsets().tolist() for c in ax.collections)
    assert filled == [[0, 0.7], [1, 0.1], [2, 1e-6]]
    assert hollow == [[0, 1e-6], [1, 0.5], [2, 2]]
    assert (hollow_2, filled_2) == ([[5, 3]], [[5, 1]])
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["|λ|", "path strength"]


@pytest.mark.parametrize(
    ("options", "heights"), [({}, []), ({"threshold": 0.2}, [0.2]), ({"threshold": 0.2, "live": 0.01}, [0.01, 0.2])]
)
def test_thresholds_are_lines_in_the_spectrum(options, heights):
    ax = plot_spectrum([[1]], [[1]], axes(), **options)
    assert [line.get_ydata()[0] for line in ax.lines] == heights


def test_a_function_on_the_square_is_drawn_upright_with_zero_in_the_middle_of_the_colours():
    values = np.array([[0.0, 1.0], [-2.0, 0.5]])
    ax = plot_square(values, axes(), limit=2.0, title="error")
    (image,) = ax.images
    np.testing.assert_array_equal(image.get_array(), values)
    assert (image.origin, image.get_extent(), image.get_clim()) == ("upper", [-1, 1, -1, 1], (-2, 2))
    assert ax.get_title() == "error"
    assert difference(to_hex(image.cmap(image.norm(0.0))), MIDDLE) < 1


def labels(axis):
    return [text.get_text() for text in axis.get_ticklabels()]


def test_a_section_shows_the_data_in_the_colours_of_the_function_and_the_ranges_in_their_own_unit():
    values = np.array([[0.0, 1.0], [-2.0, 0.5]])
    dots = [(-1.0, 0.5, 2.0), (0.25, 1.0, -0.3)]
    ax = plot_section(values, dots, axes(), limit=2.0, axes=("size", "weight"), ranges=((10, 20.004), (-1e-9, 12345678)))
    (image,), (points,) = ax.images, ax.collections
    np.testing.assert_array_equal(image.get_array(), values)
    assert (image.origin, image.get_extent(), image.get_clim()) == ("upper", [-1, 1, -1, 1], (-2, 2))
    assert points.get_offsets().tolist() == [[-1.0, 0.5], [0.25, 1.0]]
    assert points.get_array().tolist() == [2.0, -0.3]
    assert points.get_clim() == image.get_clim()
    for level in (-2.0, -0.3, 0.0, 2.0):
        assert points.cmap(points.norm(level)) == image.cmap(image.norm(level))
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("size", "weight")
    assert (labels(ax.xaxis), labels(ax.yaxis)) == (["10", "20"], ["-1e-09", "1.23e+07"])
    assert (list(ax.get_xticks()), list(ax.get_yticks())) == ([-1, 1], [-1, 1])


def test_a_line_is_a_curve_through_the_data():
    dots = [(-1.0, 0.5, 9.0), (0.25, 1.0, 9.0)]
    ax = plot_line([-1.0, 0.0, 1.0], [0.1, 0.2, -0.3], dots, axes(), axis="size", ends=(3, 4.5))
    (curve,), (points,) = ax.lines, ax.collections
    assert curve.get_xydata().tolist() == [[-1.0, 0.1], [0.0, 0.2], [1.0, -0.3]]
    assert points.get_offsets().tolist() == [[-1.0, 0.5], [0.25, 1.0]]
    assert (ax.get_xlabel(), labels(ax.xaxis)) == ("size", ["3", "4.5"])
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["data", "output"]


def test_an_image_of_bytes_is_shown_as_it_is_and_a_free_place_stays_free():
    ax = plot_image(np.array([[[0], [100]], [[200], [250]]], np.uint8), axes(), title="7, not 1")
    (image,) = ax.images
    assert image.get_clim() == (0, 255)
    assert image.get_array().squeeze().tolist() == [[0, 100], [200, 250]]
    assert (ax.get_title(), ax.axison) == ("7, not 1", False)
    assert not plot_image(None, axes()).images


def test_a_table_names_its_classes_and_writes_every_count_but_zero():
    ax = plot_table([[3, 0, 1], [0, 20, 0], [0, 0, 0]], ("ant", "bee", "cat"), axes())
    assert {(text.get_position(), text.get_text()) for text in ax.texts} == {((0, 0), "3"), ((2, 0), "1"), ((1, 1), "20")}
    assert (labels(ax.xaxis), labels(ax.yaxis)) == (["ant", "bee", "cat"],) * 2
    assert (ax.get_xlabel(), ax.get_ylabel()) == ("answer", "class")


def test_cells_stand_in_rows_below_their_header_with_words_on_the_left_and_numbers_on_the_right():
    ax = plot_cells(("", "accuracy"), [("linear head", "0.61"), ("SPARCS head", "0.55")], axes())
    placed = [(text.get_text(), text.get_position(), text.get_horizontalalignment()) for text in ax.texts]
    heights = [y for _, (_, y), _ in placed]
    assert [word for word, _, _ in placed] == ["", "accuracy", "linear head", "0.61", "SPARCS head", "0.55"]
    assert heights == sorted(heights, reverse=True)
    assert {(x, side) for _, (x, _), side in placed} == {(0, "left"), (1, "right")}
    assert len(ax.lines) == 3
    assert not ax.axison


@pytest.mark.parametrize("counts", [range(1, 26), [7] * 25, [0] * 24 + [1], [0] * 25, [400, *range(0, 240, 10)]], ids=str)
def test_every_number_of_a_table_can_be_read_on_its_cell(counts):
    ax = plot_table(np.reshape(counts, (5, 5)).tolist(), "abcde", axes())
    (image,) = ax.images
    for text in ax.texts:
        column, row = text.get_position()
        cell = to_hex(image.cmap(image.norm(image.get_array()[row, column])))
        assert contrast(text.get_color(), cell) > 4.5


def test_losses_of_zero_are_gaps_on_the_logarithmic_axis():
    ax = plot_losses([0, 20, 40], {"data loss": [1.0, 0.0, 0.1], "ρ Ω(λ)": [0.0, 0.0, 0.0]}, axes())
    data, penalty = (line.get_ydata() for line in ax.lines)
    np.testing.assert_array_equal(data, [1.0, math.nan, 0.1])
    assert np.isnan(penalty).all()
    assert ax.get_yscale() == "log"
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["data loss", "ρ Ω(λ)"]


@pytest.mark.parametrize("reference", [None, {}, {"β = 5": ([0, 1], [0, 1.2])}])
def test_the_trail_lies_on_the_reference_and_ends_in_a_dot(reference):
    ax = plot_transition([0.2, 0.8], [0.1, 1.0], axes(), reference=reference)
    assert len(ax.lines) == 2 + len(reference or {})
    trail, dot = ax.lines[-2:]
    assert (list(trail.get_xdata()), list(trail.get_ydata())) == ([0.2, 0.8], [0.1, 1.0])
    assert (list(dot.get_xdata()), list(dot.get_ydata()), dot.get_marker()) == ([0.8], [1.0], "o")
    assert (ax.get_legend() is not None) == bool(reference)


# -- the algebra -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("values", [[2, -1], [9, -36, 84, -126, 126, -84, 36, -9, 1], [0.5]])
def test_a_coefficient_is_a_bar_in_the_colour_of_its_sign_with_its_number(values):
    ax = plot_coefficients(values, axes())
    assert [bar.get_height() for bar in ax.patches] == values
    assert [to_hex(bar.get_facecolor()) for bar in ax.patches] == [NEGATIVE if value < 0 else POSITIVE for value in values]
    assert [text.get_text() for text in ax.texts] == [f"{value:+g}".replace("-", "−") for value in values]
    assert labels(ax.xaxis) == ["I", r"$\Phi$", *(rf"$\Phi^{k}$" for k in range(2, 9))][: len(values)]
    low, high = ax.get_ylim()
    assert low <= min(0, *values)
    assert high > max(values)


def test_links_with_a_role_are_heavy_and_labelled_and_the_others_faint():
    ax = plot_layers(layers((1, 2, "chain", 0), (1, 3, "link", 1), (2, 3, "other", 0)), axes())
    chain, link, other = ax.patches
    assert (to_hex(chain.get_edgecolor()), to_hex(link.get_edgecolor()), to_hex(other.get_edgecolor())) == (
        INK,
        POSITIVE,
        FAINT,
    )
    assert min(chain.get_linewidth(), link.get_linewidth()) > 2 * other.get_linewidth()
    assert [text.get_text() for text in ax.texts if "x" in text.get_text()] == ["$x$", "$x$"]
    assert {text.get_text() for text in ax.texts if text.get_text().isdigit()} == {"1", "2", "3"}


@pytest.mark.parametrize(("sign", "colour"), [(1, POSITIVE), (-1, NEGATIVE)])
def test_a_link_that_has_a_sign_has_its_colour(sign, colour):
    (link,) = plot_layers(layers((1, 3, "link", sign)), axes()).patches
    assert to_hex(link.get_edgecolor()) == colour


@pytest.mark.parametrize("link", [(1, 3, "link", 1), (1, 2, "chain", 0), (3, 3, "loop", 0)])
def test_no_link_and_no_label_leaves_the_picture(link):
    figure = Figure(figsize=(4, 2))
    ax = plot_layers(layers(link), figure.add_axes((0, 0, 1, 1)))
    figure.draw_without_rendering()
    frame = figure.bbox
    for part in (*ax.patches, *(text for text in ax.texts if text.get_text())):
        box = part.get_window_extent()
        assert frame.x0 <= box.x0
        assert box.x1 <= frame.x1
        assert frame.y0 <= box.y0
        assert box.y1 <= frame.y1


def test_blocks_are_as_large_as_their_layers_and_labelled_in_place():
    rows = [[("identity", ""), ("zero", "")], [("full", "a"), ("diagonal", "b")]]
    ax = plot_blocks(rows, (3, 2), axes(), title="t")
    full, frame = ax.patches
    assert (full.get_xy(), full.get_width(), full.get_height()) == ((0, 3), 3, 2)
    assert (frame.get_xy(), frame.get_width(), frame.get_height()) == ((0, 0), 5, 5)
    placed = {text.get_text(): text.get_position() for text in ax.texts if text.get_text()}
    assert placed["a"] == (1.5, 4)
    x, y = placed["b"]
    assert 3 < y < x < 5  # above its own diagonal
    assert ax.get_title() == "t"
    assert ax.yaxis_inverted()


def test_an_identity_is_a_straight_diagonal_and_another_one_a_wavy_one():
    rows = [[("identity", ""), ("zero", "")], [("zero", ""), ("diagonal", "")]]
    straight, wavy = (np.array(line.get_xydata()) for line in plot_blocks(rows, (3, 2), axes()).lines[:2])
    np.testing.assert_allclose(straight[:, 0], straight[:, 1])
    assert np.abs(wavy[:, 0] - wavy[:, 1]).max() > 0.1
    np.testing.assert_allclose(wavy[[0, -1]], [[3, 3], [5, 5]], atol=1e-9)


# -- colours -------------------------------------------------------------------------------------------------------------

# How dichromats see linear RGB: Machado, Oliveira and Fernandes (2009), severity 1; the identity is full colour vision.
VISION = {
    "full": np.eye(3),
    "protanopia": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deuteranopia": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritanopia": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
    "none": np.full((3, 3), [0.2126, 0.7152, 0.0722]),
}
XYZ = np.array([[0.4124564, 0.3575761, 0.1804375], [0.2126729, 0.7151522, 0.0721750], [0.0193339, 0.1191920, 0.9503041]])


def linear(colour):
    c = np.array(to_rgb(colour))
    return np.where(c <= 0.04045, c / 12.92, ((c + 0.055) / 1.055) ** 2.4)


def lab(rgb):
    """CIE L*a*b* of linear RGB under D65."""
    t = XYZ @ rgb / (XYZ @ np.ones(3))
    f = np.where(t > (6 / 29) ** 3, np.cbrt(t), t / (3 * (6 / 29) ** 2) + 4 / 29)
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


def difference(a, b, vision="full"):
    """CIE76 ΔE of two colours as seen with a kind of vision."""
    seen = [lab(np.clip(np.array(VISION[vision]) @ linear(c), 0, 1)) for c in (a, b)]
    return np.linalg.norm(seen[0] - seen[1])


def contrast(a, b):
    """Contrast of WCAG 2, from 1 to 21."""
    bright, dark = sorted((XYZ[1] @ linear(c) for c in (a, b)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)


def test_the_measures_of_colour_agree_with_known_values():
    assert lab(linear("#ffffff")) == pytest.approx([100, 0, 0], abs=0.01)
    assert lab(linear("#ff0000")) == pytest.approx([53.24, 80.09, 67.20], abs=0.02)
    assert contrast("#ffffff", "#000000") == pytest.approx(21)
    assert difference("#ff0000", "#8f7e00", "deuteranopia") < 45 < difference("#ff0000", "#8f7e00")


@pytest.mark.parametrize("vision", ["full", "protanopia", "deuteranopia", "tritanopia"])
def test_the_two_signs_can_be_told_apart_with_every_kind_of_colour_vision(vision):
    assert difference(POSITIVE, NEGATIVE, vision) > 20
    assert difference(POSITIVE, MIDDLE, vision) > 20
    assert difference(NEGATIVE, MIDDLE, vision) > 20


def test_the_two_signs_can_be_told_apart_in_grey():
    assert lab(np.array(VISION["none"]) @ linear(POSITIVE))[0] > lab(np.array(VISION["none"]) @ linear(NEGATIVE))[0] + 15
    assert difference(POSITIVE, NEGATIVE, "none") > 15


@pytest.mark.parametrize("colour", [POSITIVE, NEGATIVE])
@pytest.mark.parametrize("paper", ["#ffffff", "#111111"], ids=["light theme", "dark theme"])
def test_a_sign_stands_out_from_the_paper(colour, paper):
    assert contrast(colour, paper) >= 3


def test_the_colour_map_goes_from_negative_over_light_to_positive():
    colours = sign_colours()
    assert [to_hex(colours(value)) for value in (0.0, 1.0)] == [NEGATIVE, POSITIVE]
    assert difference(to_hex(colours(0.5)), MIDDLE) < 1
    lightness = [lab(linear(to_hex(colours(value))))[0] for value in np.linspace(0, 1, 21)]
    assert lightness.index(max(lightness)) == 10
    assert lightness[:11] == sorted(lightness[:11])
    assert lightness[10:] == sorted(lightness[10:], reverse=True)


# -- several ways of training ------------------------------------------------------------------------------------------


def test_the_lines_of_a_race_end_in_a_marker_of_their_own_and_accuracy_stays_between_0_and_1():
    ax = plot_race([0, 10, 20], {"a": ([0.1, 0.5, 0.9], "#444444"), "b": ([0.1, 0.2, 0.3], POSITIVE)}, axes())
    lines, ends = ax.lines[::2], ax.lines[1::2]
    assert [list(line.get_ydata()) for line in lines] == [[0.1, 0.5, 0.9], [0.1, 0.2, 0.3]]
    assert [(list(end.get_xdata()), list(end.get_ydata())) for end in ends] == [([20], [0.9]), ([20], [0.3])]
    assert len({end.get_marker() for end in ends}) == 2
    assert ax.get_ylim() == (0, 1)


def test_the_bars_of_counts_are_as_long_as_the_counts_and_say_them():
    ax = plot_counts({"direct": (7510, "#444444"), "Spectral": (384, POSITIVE)}, axes())
    assert [bar.get_width() for bar in ax.patches] == [7510, 384]
    assert [text.get_text() for text in ax.texts] == ["7,510", "384"]
    assert ax.patches[0].get_y() < ax.patches[1].get_y()
    assert ax.yaxis_inverted()  # the first on top


# -- teachers and students ---------------------------------------------------------------------------------------------


def test_a_histogram_of_relevances_counts_every_node_and_ticks_it():
    ax = plot_relevance({"a": [0.0, 0.01, 1.0], "b": [0.5, 0.6, 1.0]}, axes(), colours=PAIR, bins=4)
    heights = [[bar.get_height() for bar in bars] for bars in ax.containers]
    assert heights == [[2, 0, 0, 1], [0, 0, 2, 1]]
    ticks = ax.lines[:2]
    assert [list(line.get_xdata()) for line in ticks] == [[0.0, 0.01, 1.0], [0.5, 0.6, 1.0]]
    assert [line.get_color() for line in ticks] == list(PAIR.values())
    rows = [set(line.get_ydata()) for line in ticks]
    assert all(len(row) == 1 and row.pop() < 0 for row in rows)  # below the bars, each in a row of its own
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["a", "b"]


def test_errors_of_students_are_drawn_over_steps_and_over_the_nodes_that_stay():
    ax = plot_learning([0, 50, 100], {"a": [1, 0.1, 0.01], "b": [1, 0.2, 0.1]}, axes(), colours=PAIR)
    assert [list(line.get_ydata()) for line in ax.lines] == [[1, 0.1, 0.01], [1, 0.2, 0.1]]
    assert ax.get_yscale() == "log"
    ax = plot_kept({"a": [1, -0.1, 0], "b": [1, 0.5, 0.1]}, axes(), colours=PAIR, size=2, label="ΔMSE")
    dashed, a, b = ax.lines
    assert list(dashed.get_xdata()) == [2, 2]
    np.testing.assert_equal(list(a.get_ydata()), [1, math.nan, math.nan])
    assert (list(b.get_xdata()), list(b.get_ydata())) == ([0, 1, 2], [1, 0.5, 0.1])
    assert ax.get_ylabel() == "ΔMSE"
    assert len({a.get_marker(), b.get_marker()}) == 2
    assert len(plot_kept({"a": [1]}, axes(), colours=PAIR).lines) == 1


def test_cores_stand_over_the_size_of_the_layer_beside_the_diagonal_and_the_teachers_size():
    ax = plot_cores({"a": [(4, 3), (8, 2)], "b": [(8, 8)]}, axes(), colours=PAIR, size=3)
    diagonal, level, a, b = ax.lines
    assert list(diagonal.get_xdata()) == list(diagonal.get_ydata()) == [0, 8]
    assert list(level.get_ydata()) == [3, 3]
    assert [list(zip(*line.get_data(), strict=True)) for line in (a, b)] == [[(4, 3), (8, 2)], [(8, 8)]]
    assert {a.get_linestyle(), b.get_linestyle()} == {"None"}
    assert plot_cores({}, axes(), colours=PAIR).lines


@pytest.mark.parametrize("colour", [colour for colour, _ in SERIES])
def test_the_colour_of_a_series_stands_out_from_white(colour):
    assert contrast(colour, "#ffffff") >= 2.9


def test_series_differ_in_colour_and_in_marker():
    assert all(difference(a, b) > 20 for (a, _), (b, _) in combinations(SERIES, 2))
    assert len({marker for _, marker in SERIES}) == len(SERIES)


def test_pruned_neurons_are_crosses_and_kept_ones_discs_that_grow_with_their_score():
    places = [(0.4, 0.2), (0.4, 0.8), (0.5, 0.2), (0.9, 0.3), (0.9, 0.7)]
    ax = plot_neurons(places, [4.0, 2.0, 1.0], [True, False, True], [(0, 3, 1.0), (2, 4, -0.5)], axes(), colour="#123456")
    drawn = {c.get_label(): c for c in ax.collections[1:]}
    assert drawn["kept"].get_offsets().tolist() == [[0.4, 0.8], [0.5, 0.8]]  # from the top left
    assert drawn["pruned"].get_offsets().tolist() == [[0.4, pytest.approx(0.2)]]
    large, small = drawn["kept"].get_sizes()
    assert large > small
    assert drawn["kept"].get_paths()[0].vertices.shape != drawn["pruned"].get_paths()[0].vertices.shape
    lines = ax.collections[0]
    assert [to_hex(c) for c in lines.get_colors()] == [POSITIVE, NEGATIVE]
    assert lines.get_linewidths()[0] > lines.get_linewidths()[1]
    assert [text.get_text() for text in ax.texts] == ["0", "1"]


def test_all_neurons_may_be_kept_or_pruned_and_all_scores_may_be_zero():
    for kept in ([True], [False]):
        assert len(plot_neurons([(0.5, 0.5), (0.9, 0.5)], [0.0], kept, [], axes()).collections) == 4


def test_the_chosen_pruning_curve_is_the_strongest_and_the_mark_stands_on_it():
    shares = [1.0, 0.5, 0.0]
    curves = {"mine": (shares, [0.1, 0.6, 0.9], "#111111"), "random": (shares, [0.1, 0.3, 0.9], "#222222")}
    ax = plot_removal(curves, axes(), chosen="mine", share=0.5, band=([0.1, 0.2, 0.9], [0.1, 0.5, 0.9]))
    mine, other, line, mark = ax.lines
    assert mine.get_linewidth() > 2 * other.get_linewidth()
    assert list(line.get_xdata()) == [0.5, 0.5]
    assert (mark.get_xdata()[0], mark.get_ydata()[0]) == (0.5, 0.6)
    heights = ax.collections[0].get_paths()[0].vertices
    assert {tuple(v) for v in heights.tolist()} >= {(0.5, 0.2), (0.5, 0.5)}
    assert len(plot_removal(curves, axes(), chosen="random", share=0.0).collections) == 0


def test_the_cells_of_a_heat_map_stand_around_their_places_and_the_light_end_is_zero():
    ax = plot_heat([0, 1, 2], [0.1, 10], [[5, 0, 0], [0, 0, 7]], axes(), label="a")
    (mesh,) = ax.collections
    assert mesh.get_array().tolist() == [[5, 0, 0], [0, 0, 7]]
    corners = mesh.get_coordinates()
    assert corners[0, :, 0].tolist() == [-0.5, 0.5, 1.5, 2.5]
    assert corners[:, 0, 1].tolist() == pytest.approx([0.01, 1, 100])  # in the middle of 0.1 and 10 as seen on the axis
    assert to_hex(mesh.cmap(mesh.norm(0))) == "#ffffff"


def test_the_contour_of_a_heat_map_lies_between_the_places_as_they_are_seen_and_lines_are_named():
    ax = plot_heat([0, 1], [1, 100], [[0, 0], [2, 2]], axes(), label="a", level=1, lines={"expected": ([0, 1], [2, 3])})
    contour, line = ax.lines
    assert contour.get_ydata() == pytest.approx([10, 10])
    assert line.get_label() == "expected"
    assert line.get_xydata().tolist() == [[0, 2], [1, 3]]


def test_bundles_of_each_role_have_a_colour_and_a_line_of_their_own():
    ax = plot_bundles({(1, 0): "silent", (2, 0): "active", (2, 1): "new"}, 3, axes())
    looks = {
        patch.get_gid(): (to_hex(patch.get_edgecolor()), patch.get_linestyle(), patch.get_linewidth()) for patch in ax.patches
    }
    assert list(looks) == ["silent", "active", "new"]  # what carries a signal is on top
    assert len({colour for colour, _, _ in looks.values()}) == len({(line, width) for _, line, width in looks.values()}) == 3
    assert [text.get_text() for text in ax.texts] == ["1", "2", "3"]
    assert [text.get_text() for text in ax.get_legend().get_texts()] == ["silent", "active", "new"]


def test_a_band_reaches_one_deviation_to_either_side_of_its_curve():
    ax = plot_bands({"a": ([0, 1], [1, 2], [0.25, 0.5]), "b": ([0, 1], [3, 3], [0, 0])}, axes(), xlabel="x", ylabel="y")
    band = ax.collections[0].get_paths()[0].vertices
    assert {tuple(point) for point in band} == {(0, 0.75), (0, 1.25), (1, 1.5), (1, 2.5)}
    a, b = ax.lines
    assert a.get_xydata().tolist() == [[0, 1], [1, 2]]
    assert a.get_color() != b.get_color()
    assert a.get_marker() != b.get_marker()


def test_a_histogram_counts_every_value_between_zero_and_the_largest():
    ax = plot_histogram([0.0, 0.01, 0.5, 1.0, 1.0], axes(), largest=1.0, label="|λ|", colour=POSITIVE)
    heights = [bar.get_height() for bar in ax.patches]
    assert (sum(heights), heights[0], heights[-1]) == (5, 2, 2)
    assert {to_hex(bar.get_facecolor()) for bar in ax.patches} == {POSITIVE}
    assert (ax.get_yscale(), ax.get_xlabel()) == ("log", "|λ|")


def test_an_increase_is_drawn_for_every_number_of_nodes_with_its_threshold():
    ax = plot_increase([([0, 1, 2], [0.4, 0.1, 0.0], NEGATIVE), ([0, 9], [0.2, 0.0], INK)], axes(), threshold=0.05, style=":")
    level, *curves = ax.lines
    assert list(level.get_ydata()) == [0.05, 0.05]
    assert [list(curve.get_xdata()) for curve in curves] == [[0, 1, 2], [0, 9]]
    assert list(curves[0].get_ydata()) == [0.4, 0.1, 0.0]
    assert [(curve.get_color(), curve.get_linestyle()) for curve in curves] == [(NEGATIVE, ":"), (INK, ":")]
