"""Rankings against their formulas, written out with loops over numbers."""

import itertools
from functools import partial

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    dense_adjacency,
    dense_weights,
    layer_slices,
    make_stack,
    networks,
    pruned_signals,
    randomise,
    stack_signals,
    stacks,
    uniform,
)
from torch.testing import assert_close

from spectral_lab import SpectralNet
from spectral_lab.rankings import RANKINGS, ranking_name, removal_order, scores
from spectral_lab.unfolding import unfold

SPECTRAL = ["dense", "student", "svd", "qr"]


def ranked(model, ranking, **options):
    return scores(model, unfold(model), ranking, **options)


def data_for(model, n=6, seed=3):
    n_in = model.sizes[0] if isinstance(model, SpectralNet) else dense_weights(model[0]).shape[1]
    return uniform(n, n_in, generator=torch.Generator().manual_seed(seed))


def links(model):
    """{(i, j): weights as nested lists} and the sizes, by the dense route."""
    if isinstance(model, SpectralNet):
        A, places = dense_adjacency(model.phi, model.lam).detach(), layer_slices(model.nodes)
        pairs = [(i, j) for i in range(len(places)) for j in range(i)]
        return {(i, j): A[places[i], places[j]].tolist() for i, j in pairs}, model.nodes
    weights = {(k + 1, k): dense_weights(layer).tolist() for k, layer in enumerate(list(model)[::2])}
    return weights, (len(weights[1, 0][0]), *(len(W) for W in weights.values()))


def links_into(model, i, n):
    weights, _ = links(model)
    return [w for j in range(i) if (i, j) in weights for w in weights[i, j][n]]


models = st.one_of(stacks(min_hidden=1, kinds=SPECTRAL), networks(min_blocks=2, max_blocks=3))


def expected(model, formula):
    """formula(i, n) for every node n of each hidden layer i."""
    _, sizes = links(model)
    return [torch.tensor([formula(i, n) for n in range(sizes[i])], dtype=torch.float64) for i in range(1, len(sizes) - 1)]


def eigenvalue_and_row(model, i, n):
    if isinstance(model, SpectralNet):
        return model.eigenvalues[i][n].item(), model.eigenvectors[i - 1][n].tolist()
    layer = model[2 * (i - 1)]
    return layer.eigenvalues_out[n].item(), layer.eigenvectors[n].tolist()


@given(models)
def test_eigenvalue_is_the_absolute_eigenvalue(model):
    wanted = expected(model, lambda i, n: abs(eigenvalue_and_row(model, i, n)[0]))
    assert_close(ranked(model, "eigenvalue"), wanted)


@given(models)
def test_eigenvalue_norm_is_equation_10_of_student_with_an_absolute_value(model):
    def formula(i, n):
        lam, phi = eigenvalue_and_row(model, i, n)
        return abs(lam) * sum(v * v for v in phi) ** 0.5

    assert_close(ranked(model, "eigenvalue_norm"), expected(model, formula))


@given(models)
def test_connectivity_is_the_sum_of_all_incoming_weights(model):
    wanted = expected(model, lambda i, n: sum(abs(w) for w in links_into(model, i, n)))
    assert_close(ranked(model, "connectivity"), wanted)


@given(models)
def test_row_norm_is_equation_9_of_student(model):
    wanted = expected(model, lambda i, n: sum(w * w for w in links_into(model, i, n)) ** 0.5)
    assert_close(ranked(model, "row_norm"), wanted)


@given(models)
def test_path_is_the_norm_of_the_products_over_all_chains_of_links_through_a_node(model):
    weights, sizes = links(model)
    last = len(sizes) - 1
    squares = [[0.0] * n for n in sizes]
    for length in range(1, last):  # hidden layers on the chain
        for layers in itertools.combinations(range(1, last), length):
            chain = (0, *layers, last)
            if any((i, j) not in weights for j, i in itertools.pairwise(chain)):
                continue
            for nodes in itertools.product(*(range(sizes[i]) for i in chain)):
                steps = itertools.pairwise(zip(chain, nodes, strict=True))
                product = 1.0
                for (j, n), (i, m) in steps:
                    product *= weights[i, j][m][n]
                for i, n in zip(layers, nodes[1:-1], strict=True):
                    squares[i][n] += product**2
    wanted = [torch.tensor(values, dtype=torch.float64).sqrt() for values in squares[1:-1]]
    assert_close(ranked(model, "path"), wanted)


@given(stacks(min_hidden=1))
def test_activation_is_the_variance_of_each_nodes_signal(model):
    x = data_for(model)
    wanted = []
    for signals in stack_signals(model, x)[1:-1]:
        columns = [list(column) for column in zip(*signals.tolist(), strict=True)]
        means = [sum(c) / len(c) for c in columns]
        wanted.append([sum((v - m) ** 2 for v in c) / len(c) for c, m in zip(columns, means, strict=True)])
    assert_close(ranked(model, "activation", x=x), [torch.tensor(v, dtype=torch.float64) for v in wanted])


@given(networks(min_blocks=2, max_blocks=3))
def test_activation_of_a_network_with_skip_links_adds_the_steps_of_the_adjacency_rule(network):
    x, places = data_for(network), layer_slices(network.nodes)
    history = pruned_signals(network, x)
    steps = history[1:-1] if network.update == "adjacency" else history[-2:-1]
    variance = sum(a.var(0, correction=0) for a in steps)
    assert_close(ranked(network, "activation", x=x), [variance[place] for place in places[1:-1]])


def test_random_depends_on_the_seed_alone():
    model = make_stack([3, 40, 50, 2])
    first, again, other = (ranked(model, "random", seed=seed) for seed in (3, 3, 4))
    assert_close(first, again, rtol=0, atol=0)
    assert not torch.equal(first[0], other[0])
    assert [len(score) for score in first] == [40, 50]
    before = torch.get_rng_state()
    ranked(model, "random")
    assert_close(torch.get_rng_state(), before, rtol=0, atol=0)


def test_a_function_may_rank_too():
    def by_number(model, sign):
        return [sign * torch.arange(4.0), sign * torch.arange(5.0)]

    model = make_stack([3, 4, 5, 2])
    assert_close(ranked(model, partial(by_number, sign=-1.0)), [-torch.arange(4.0), -torch.arange(5.0)])
    assert_close(ranked(model, partial(by_number, sign=1.0), layers=[1]), [torch.arange(5.0)])
    assert ranking_name(partial(by_number, sign=1.0)) == "by_number"


def test_layers_are_scored_by_choice_even_where_others_have_no_eigenvalues():
    model = make_stack([3, 4, 5, 2], kinds=("dense", "plain"))
    assert_close(ranked(model, "eigenvalue", layers=[0]), [model[0].eigenvalues_out.abs().detach()])
    with pytest.raises(ValueError, match=r"hidden layer 1 is fed by an nn.Linear in direct space.*'connectivity'.*spectralize"):
        ranked(model, "eigenvalue")
    with pytest.raises(ValueError, match="hidden layer 0 is fed by links in direct space"):
        ranked(randomise(SpectralNet([2, 3, 1])).compact(), "eigenvalue_norm")


@pytest.mark.parametrize("ranking", RANKINGS)
def test_a_network_without_hidden_layers_has_no_scores(ranking):
    model = make_stack([3, 2])
    assert ranked(model, ranking, x=data_for(model)) == []
    assert removal_order([]) == []


def test_wrong_rankings_are_refused_by_name():
    model = make_stack([3, 4, 2])
    with pytest.raises(ValueError, match=r"ranking = 'magnitude'; wanted one of \['activation', 'connectivity', 'eigenvalue'"):
        ranked(model, "magnitude")
    with pytest.raises(ValueError, match="'activation' is a variance over data; give the inputs as x="):
        ranked(model, "activation")
    with pytest.raises(ValueError, match=r"shapes \[\(3,\)\]; wanted \[\(4,\)\], one for every hidden layer"):
        ranked(model, lambda model: [torch.ones(3)])
    with pytest.raises(ValueError, match="gives NaN for some nodes"):
        ranked(model, lambda model: [torch.full((4,), float("nan"))])
    for layers in ([1], [0, 0], [-1]):
        with pytest.raises(ValueError, match="wanted different hidden layers, counted from 0, of which there are 1"):
            ranked(model, "path", layers=layers)


@given(stacks(min_hidden=1, kinds=SPECTRAL), st.sampled_from(sorted(RANKINGS)))
def test_ranking_changes_nothing_and_gives_no_gradients(model, ranking):
    before = {name: value.clone() for name, value in model.state_dict().items()}
    found = ranked(model, ranking, x=data_for(model))
    assert not any(score.requires_grad for score in found)
    assert_close(dict(model.state_dict()), before, rtol=0, atol=0)


# -- order -------------------------------------------------------------------------------------------------------------

score_lists = st.lists(st.lists(st.integers(0, 5).map(float), min_size=1, max_size=6), min_size=1, max_size=4)


@given(score_lists)
def test_the_order_is_that_of_all_scores_together_and_of_equal_ones_the_first_stays(values):
    order = removal_order([torch.tensor(v) for v in values])
    every = [(k, n) for k, v in enumerate(values) for n in range(len(v))]
    assert order == sorted(every, key=lambda node: (-values[node[0]][node[1]], every.index(node)))


@given(score_lists, st.floats(0, 1))
def test_per_layer_each_layer_keeps_the_same_share(values, share):
    order = removal_order([torch.tensor(v) for v in values], per_layer=True)
    kept = order[: round(share * len(order))]
    for k, v in enumerate(values):
        nodes = [n for layer, n in kept if layer == k]
        assert abs(len(nodes) - share * len(v)) <= 1 + len(values) / 2
        best = sorted(range(len(v)), key=lambda n: (-v[n], n))
        assert nodes == best[: len(nodes)]
    assert {k for k, _ in order[: len(values)]} == set(range(len(values)))


def test_infinite_scores_come_first():
    assert removal_order([torch.tensor([1.0, float("inf"), 2.0])]) == [(0, 1), (0, 2), (0, 0)]
