"""Counts of parameters against the papers' formulas, with symbols for the sizes and with numbers."""

from functools import partial

import pytest
import sympy
from hypothesis import given
from hypothesis import strategies as st
from strategies import sizes, widths
from torch import nn

from spectral_lab import SpectralLinear, SpectralNet, count_parameters
from spectral_lab.layers import feed_forward

SHARES = [0, 0.25, 0.5, 1]


def counted(make, *shape, **options):
    """(trained, total) of one layer."""
    count = count_parameters(make(*shape, **options))
    return count.trainable, count.total


@given(widths, widths, st.sampled_from(SHARES))
def test_one_layer_has_the_papers_numbers(n_in, n_out, p):
    M, eigenvalues = min(n_in, n_out), n_in + n_out
    triangle = M + round(p * M * (M - 1) / 2)
    expected = {
        SpectralLinear.original: (n_out, eigenvalues + n_in * n_out),
        partial(SpectralLinear.original, first=True): (eigenvalues, eigenvalues + n_in * n_out),
        SpectralLinear.spectral: (eigenvalues, eigenvalues + n_in * n_out),
        SpectralLinear.s_svd: (eigenvalues + M, eigenvalues + M + M * (n_in + n_out)),
        partial(SpectralLinear.s_qr, p=p): (eigenvalues + triangle, eigenvalues + M * (M + 1) // 2 + M * max(n_in, n_out)),
        SpectralLinear.student: (n_out + n_in * n_out, eigenvalues + n_in * n_out),
        SpectralLinear: (eigenvalues + n_in * n_out, eigenvalues + n_in * n_out),
    }
    for make, (trained, total) in expected.items():
        assert counted(make, n_in, n_out, bias=False) == (trained, total)
        assert counted(make, n_in, n_out) == (trained + n_out, total + n_out)


@given(sizes(max_blocks=4))
def test_a_spectral_stack_trains_the_ends_once_and_the_hidden_layers_twice(nodes):
    """N_1 + N_l + 2 Σ N_i (PRE Section III), with symbols: each size's coefficient is found by counting."""
    N = sympy.symbols(f"N1:{len(nodes) + 1}")
    printed = N[0] + N[-1] + 2 * sum(N[1:-1])
    values = dict(zip(N, nodes, strict=True))
    assert count_parameters(feed_forward(nodes, bias=False)).trainable == printed.subs(values)
    assert count_parameters(feed_forward(nodes)).trainable == (printed + sum(N[1:])).subs(values)


@pytest.mark.parametrize("n_layers", range(2, 7))
def test_the_layers_of_a_stack_add_up_to_the_printed_sum_for_all_sizes(n_layers):
    N = sympy.symbols(f"N1:{n_layers + 1}")
    layers = sum(N[k] + N[k + 1] for k in range(n_layers - 1))
    assert sympy.expand(layers - (N[0] + N[-1] + 2 * sum(N[1:-1]))) == 0


@given(sizes(max_blocks=4))
def test_the_original_method_trains_every_eigenvalue_once(nodes):
    first = partial(SpectralLinear.original, first=True)
    assert count_parameters(feed_forward(nodes, SpectralLinear.original, first=first, bias=False)).trainable == sum(nodes)


def test_the_network_of_the_paper():
    """784-500-10 with biases, PRE Figs 1 and 4: shares of the 397,510 of direct training."""
    direct = count_parameters(feed_forward([784, 500, 10], nn.Linear)).trainable
    assert direct == 784 * 500 + 500 + 500 * 10 + 10
    counts = {"spectral": 1794 + 510, "s_svd": 1794 + 510 + 510, "s_qr": 1794 + 510 + 500 * 501 // 2 + 55}
    for preset, expected in counts.items():
        model = feed_forward([784, 500, 10], getattr(SpectralLinear, preset), device="meta")
        assert count_parameters(model).trainable == expected


@given(sizes(max_blocks=3))
def test_a_spectral_net_is_counted_too(nodes):
    network = SpectralNet(nodes, bias=False, train_input_eigenvalues=False)
    count = count_parameters(network)
    phi = sum(p.numel() for p in network.eigenvectors)
    assert (count.trainable, count.total) == (phi + sum(nodes[1:]), phi + sum(nodes))
    assert {layer.name for layer in count.layers} == {"eigenvectors", "eigenvalues"}


def test_any_module_is_counted_by_layers_and_statistics_are_no_parameters():
    model = nn.Sequential(nn.Conv2d(1, 2, 3), nn.BatchNorm2d(2), nn.Flatten(), nn.Linear(8, 3))
    model[0].requires_grad_(False)
    count = count_parameters(model)
    assert [(layer.name, layer.kind, layer.trainable, layer.total) for layer in count.layers] == [
        ("0", "Conv2d", 0, 20),
        ("1", "BatchNorm2d", 4, 4),
        ("3", "Linear", 27, 27),
    ]
    assert (count.trainable, count.total) == (31, 51)
    assert count_parameters(nn.ReLU()).total == 0


def test_what_stands_in_several_places_counts_once():
    layer = SpectralLinear(3, 3)
    assert count_parameters(nn.Sequential(layer, nn.ReLU(), layer)).total == count_parameters(layer).total
    tied = nn.Sequential(nn.Linear(3, 3, bias=False), nn.Linear(3, 3))
    tied[1].weight = tied[0].weight
    assert [layer.total for layer in count_parameters(tied).layers] == [9, 3]


def test_the_count_prints_as_an_aligned_table():
    text = str(count_parameters(feed_forward([784, 500, 10], device="meta")))
    lines = text.splitlines()
    assert [line.split()[0] for line in lines] == ["layer", "0", "2", "sum"]
    assert len({len(line) for line in lines}) == 1
    assert lines[-1].endswith("2 304  399 304")


def test_notebooks_get_a_table_in_html_and_in_markdown():
    count = count_parameters(nn.ModuleDict({"<b>": nn.Linear(2, 1)}))
    assert "<td>&lt;b&gt;</td><td>Linear</td><td>3</td><td>3</td>" in count._repr_html_()
    head, rule, row, total = count._repr_markdown_().splitlines()
    assert head == "| layer | kind | trainable | total |"
    assert rule.count("|") == row.count("|") == total.count("|") == head.count("|")


def test_a_lone_layer_has_a_name_in_the_table():
    assert str(count_parameters(nn.Linear(2, 1))).splitlines()[1].split() == ["(model)", "Linear", "3", "3"]
