"""What is live, how deep a network is, and its graph, against the definitions."""

import math
from itertools import pairwise, product

import networkx
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import dense_weights, inputs, make_stack, masked_networks, networks, randomise, sizes, stacks
from torch import nn
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralLinear, SpectralNet, graph, path_tensor, prune, structure, topology
from spectral_lab.decomposition import path_strengths
from spectral_lab.networks import available_memory
from spectral_lab.teachers import students, teacher
from spectral_lab.topology import direct_graph, layout, path_distance, path_distribution

LAYERS = pytest.mark.parametrize("nodes", [[2, 1], [2, 30, 1], [64, 100, 10], [2, 5, 4, 3, 1]], ids=str)


def perceptron(nodes):
    """The start: every eigenvalue 0 but those of the last layer."""
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(0))


# -- structure ---------------------------------------------------------------------------------------------------------


@given(networks(min_blocks=2, max_blocks=2, zeros=0.3))
def test_with_one_hidden_layer_the_structure_is_that_of_gamma(network):
    W_in, W_out = network.weight(1, 0), network.weight(2, 1)
    found = structure(network, threshold=0.3)
    strengths = torch.stack([W_in[j].norm() * W_out[:, j].norm() for j in range(network.sizes[1])])
    assert_close(found.strengths, [strengths], check_stride=False)
    assert_close(found.norm, strengths.square().sum().sqrt().item())
    assert found.live == (sum(s > 0.3 for s in strengths.tolist()),)
    assert found.depth == (2 if found.live[0] else 1)


@given(networks(min_blocks=2, max_blocks=2))
def test_path_tensor_is_the_product_of_the_two_weights_of_every_path(network):
    Gamma, W_in, W_out = path_tensor(network), network.weight(1, 0), network.weight(2, 1)
    n_in, n_hidden, n_out = network.nodes
    assert Gamma.shape == (n_out, n_hidden, n_in)
    for i, j, k in torch.cartesian_prod(torch.arange(n_out), torch.arange(n_hidden), torch.arange(n_in)).tolist():
        assert_close(Gamma[i, j, k], W_out[i, j] * W_in[j, k])
    assert_close(structure(network).norm, Gamma.norm().item())


@pytest.mark.parametrize("nodes", [[2, 1], [2, 3, 3, 1]], ids=str)
def test_path_tensor_wants_exactly_one_hidden_layer(nodes):
    with pytest.raises(ValueError, match=rf"the network has {len(nodes) - 2} hidden layers; .* exactly 1, see structure\(\)"):
        path_tensor(SpectralNet(nodes))


@pytest.mark.parametrize("nodes", [[2, 1], [2, 30, 1], [2, 8, 8, 2]], ids=str)
def test_a_perceptron_has_depth_one_and_nothing_live(nodes):
    found = structure(perceptron(nodes))
    assert found.live == (0,) * (len(nodes) - 2)
    assert (found.norm, found.depth) == (0.0, 1)


def test_a_neuron_of_eigenvalue_zero_is_live_when_the_input_layer_feeds_it():
    """The λ_1 trap: W_21 = φ_1 L_1 - L_2 φ_1 lives on through λ_1 when every hidden λ is 0."""
    network = perceptron([2, 30, 1])
    assert structure(network).live == (0,)
    with torch.no_grad():
        network.eigenvalues[0].fill_(1.0)
    assert network.hidden_eigenvalues()[0].abs().max() == 0
    found = structure(network)
    assert found.live[0] > 20
    assert found.depth == 2


def test_a_neuron_with_an_eigenvalue_is_dead_when_nothing_leaves_it():
    network = randomise(SpectralNet([2, 4, 1], train_input_eigenvalues=False), input_eigenvalues=False)
    with torch.no_grad():
        network.eigenvalues[1].fill_(1.0)
        network.eigenvectors[1][:, 2] = 0
        network.eigenvectors[1][:, :2] = 0.9
        network.eigenvectors[0][:, 0] = 0.9
        network.eigenvalues[2].fill_(0.2)
    found = structure(network)
    assert found.strengths[0][2] == 0
    assert found.live[0] == int((found.strengths[0] > 0.01).sum()) <= 3


def test_live_does_not_change_when_eigenvalues_are_traded_for_eigenvectors():
    """λ → cλ, φ → φ/c of both bundles leaves W_21 and W_32 alone, so |λ| says nothing of what passes through."""
    network = randomise(SpectralNet([2, 12, 1]), input_eigenvalues=False)
    with torch.no_grad():
        network.eigenvalues[2].zero_()
    before = structure(network)
    with torch.no_grad():
        network.eigenvalues[1] *= 1e-4
        network.eigenvectors[0] *= 1e4
        network.eigenvectors[1] *= 1e4
    after = structure(network)
    assert network.eigenvalues[1].abs().max() < 1e-4
    assert before.live == after.live != (0,)
    assert_close(after.strengths, before.strengths)


def test_threshold_decides_what_is_live():
    network = randomise(SpectralNet([2, 10, 1]))
    strengths = structure(network).strengths[0]
    for threshold in (0.0, 0.1, strengths.max().item()):
        assert structure(network, threshold).live == (sum(s > threshold for s in strengths.tolist()),)
    assert structure(network, strengths.max().item()).depth == 1


def chain(eigenvectors, eigenvalues):
    """A network [1, 1, …, 1] without bias, from numbers."""
    network = SpectralNet([1] * len(eigenvalues), bias=False, dtype=torch.float64)
    with torch.no_grad():
        for p, value in zip(network.parameters(), [*eigenvectors, *eigenvalues], strict=True):
            p.fill_(value)
    return network


@pytest.mark.parametrize(
    ("eigenvalues", "live", "depth"),
    [
        ([0, 0, 0, 1], (0, 0), 1),  # W_41 alone is left
        ([0, 1, 1, 0], (1, 0), 2),  # W_32 = φ (λ_2 - λ_3) = 0: nothing enters the second, the first skips it
        ([0, 1, 0, 0], (0, 0), 1),  # W_43 = W_42 = 0: nothing leaves
        ([0, 0, 1, 0], (0, 1), 2),  # W_21 = 0: nothing enters the first
        ([0, 1, 3, 7], (1, 1), 3),
    ],
    ids=str,
)
def test_depth_is_the_number_of_links_on_the_longest_live_chain(eigenvalues, live, depth):
    found = structure(chain([1, 1, 1], eigenvalues))
    assert (found.live, found.depth) == (live, depth)


def test_a_weak_link_between_two_live_neurons_does_not_make_the_network_deeper():
    """W_32 = 0.005 lies under the threshold 0.01; the second neuron lives on W_31 = -W_32 φ_1 = -0.5."""
    network = chain([100, 1, 1], [0, 1, 0.995, 0])
    assert_close(network.weight(2, 1).item(), 0.005)
    found = structure(network)
    assert (found.live, found.depth) == ((1, 1), 2)
    assert structure(network, threshold=0.001).depth == 3


def longest_live_chain(network, strengths, threshold, weights=None):
    """By recursion over all chains of live neurons."""
    weights, hidden = weights or network.weights(), range(1, len(network.nodes) - 1)
    live = {(i, n) for i in hidden for n in range(network.nodes[i]) if strengths[i - 1][n] > threshold}

    def ends_at(i, n):
        before = [(j, m) for j, m in live if j < i and weights[i, j][n, m].abs() > threshold]
        return 1 + max((ends_at(j, m) for j, m in before), default=0)

    return 1 + max((ends_at(i, n) for i, n in live), default=0)


@given(networks(max_blocks=4, zeros=0.7), st.sampled_from([0.01, 0.1, 0.5, 1.0]))
def test_depth_is_that_of_the_longest_chain_of_live_neurons(network, threshold):
    found = structure(network, threshold)
    assert found.depth == longest_live_chain(network, found.strengths, threshold)


@given(masked_networks(zeros=0.2), st.sampled_from([0.01, 0.3]))
def test_a_neuron_that_is_switched_off_counts_as_if_nothing_led_into_it(drawn, threshold):
    network, masks = drawn
    weights = {ij: W.detach().clone() for ij, W in network.weights().items()}
    for i, mask in enumerate(masks, 1):
        for n in (mask == 0).nonzero().flatten().tolist():
            for j in range(i):
                weights[i, j][n] = 0
    strengths, norm = path_strengths(weights, len(network.nodes))
    found = structure(network, threshold, masks)
    assert_close(found.strengths, strengths)
    assert_close(found.norm, norm.item())
    assert_close(found.weights, weights)
    assert found.live == tuple(sum(v > threshold for v in s.tolist()) for s in strengths)
    assert found.depth == longest_live_chain(network, strengths, threshold, weights)
    for strength, mask in zip(found.strengths, masks, strict=True):
        assert (strength[mask == 0] == 0).all()
    assert_close(network.weights(), {ij: W.detach() for ij, W in network.weights().items()}, rtol=0, atol=0)


@given(networks())
def test_structure_hands_over_the_weights_and_changes_nothing(network):
    before = {name: p.clone() for name, p in network.state_dict().items()}
    found = structure(network)
    assert_close(found.weights, network.weights())
    assert not any(s.requires_grad for s in found.strengths)
    assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


# -- structure of stacks and of networks in direct space ---------------------------------------------------------------


def paths_by_hand(matrices):
    """{(i_0, i_1, …): product of the weights along the path}, path by path."""
    nodes = [matrices[0].shape[1], *(len(W) for W in matrices)]
    W = [matrix.tolist() for matrix in matrices]
    return {
        path: math.prod(W[k][n_out][n_in] for k, (n_in, n_out) in enumerate(pairwise(path)))
        for path in product(*map(range, nodes))
    }


def stack_matrices(stack):
    return [dense_weights(layer).detach() for layer in stack[::2]]


@given(stacks(silent=0.3, kinds=("dense", "plain")), st.sampled_from([0.01, 0.3]))
def test_the_strengths_of_a_stack_are_norms_over_the_paths_through_each_node(stack, threshold):
    found, matrices = structure(stack, threshold), stack_matrices(stack)
    paths = paths_by_hand(matrices)
    assert len(found.strengths) == len(matrices) - 1
    for i, strengths in enumerate(found.strengths, 1):
        for n, strength in enumerate(strengths.tolist()):
            through = math.sqrt(sum(v**2 for path, v in paths.items() if path[i] == n))
            assert strength == pytest.approx(through, abs=1e-12)
    counts = [sum(s > threshold for s in strengths.tolist()) for strengths in found.strengths]
    assert (found.live, found.width) == (tuple(counts), max(counts, default=0))
    if len(matrices) > 1:
        assert found.norm == pytest.approx(math.sqrt(sum(v**2 for v in paths.values())), abs=1e-12)


@given(stacks(silent=0.6, kinds=("dense", "plain")))
def test_a_stack_is_as_deep_as_it_has_layers_or_not_at_all(stack):
    """Without skip links every path has the same length; with no hidden layer the links are the path."""
    found, n_layers = structure(stack, 0.1), len(stack[::2])
    assert found.depth == (n_layers if any(found.live) or n_layers == 1 else 0)


def test_weak_links_do_not_make_a_stack_less_deep_while_much_passes_through_it():
    """Each link between neurons lies under the threshold, and all are live on the sum."""
    stack = nn.Sequential(nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400), nn.ReLU(), nn.Linear(400, 400))
    with torch.no_grad():
        for layer, weight in zip(stack[::2], [0.009, 0.009, 1.0], strict=True):
            layer.weight.fill_(weight)
    found = structure(stack)
    assert (found.live, found.width, found.depth) == ((400, 400), 400, 3)


@pytest.mark.parametrize(("nodes", "live"), [([1, 400, 1, 1], (0, 1)), ([1, 1, 400, 1], (1, 0))], ids=str)
def test_a_layer_whose_neurons_matter_only_together_still_counts_as_links_of_a_stack(nodes, live):
    stack = nn.Sequential(*(nn.Linear(n_in, n_out, bias=False) for n_in, n_out in pairwise(nodes)))
    with torch.no_grad():
        for layer in stack:
            layer.weight.fill_(0.05 if 400 in layer.weight.shape else 1.0)
    found = structure(stack)
    assert (found.live, found.depth) == (live, 3)


@pytest.mark.parametrize("kind", ["plain", "dense", "student", "svd", "qr"])
def test_a_bias_alone_makes_no_neuron_of_a_stack_live(kind):
    stack = make_stack([3, 4, 2], kinds=(kind,))
    with torch.no_grad():
        stack[0].bias[1] = 100.0
        stack[0].weight.zero_() if kind == "plain" else stack[0].eigenvalues_in.fill_(stack[0].eigenvalues_out.mean())
        if kind != "plain":
            stack[0].eigenvalues_out.copy_(stack[0].eigenvalues_in.mean().expand(4))
    assert structure(stack).live == (0,)


@given(stacks(min_hidden=1, kinds=("plain",)), st.integers(0, 2**31 - 1))
def test_a_neuron_of_a_stack_that_is_switched_off_counts_as_if_nothing_led_into_it(stack, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = [torch.randint(0, 2, (len(layer.weight),), generator=generator) for layer in stack[:-1:2]]
    before = [W.clone() for W in stack_matrices(stack)]
    found = structure(stack, masks=masks)
    assert_close(stack_matrices(stack), before, rtol=0, atol=0)
    with torch.no_grad():
        for layer, mask in zip(stack[:-1:2], masks, strict=True):
            layer.weight[mask == 0] = 0
    wanted = structure(stack)
    assert_close(found.strengths, wanted.strengths)
    assert (found.live, found.depth, found.norm) == (wanted.live, wanted.depth, pytest.approx(wanted.norm))


@given(networks(min_blocks=2, max_blocks=3, bias=False, activation=torch.tanh, update="blocks"))
def test_the_structure_of_a_network_is_the_same_in_direct_space(network):
    compact = network.compact()
    assert not any(compact.report.removed)
    before, after = structure(network), structure(compact)
    assert_close(after.strengths, before.strengths)
    assert (after.live, after.depth) == (before.live, before.depth)
    assert after.norm == pytest.approx(before.norm)


def test_the_depth_of_a_direct_network_counts_the_blocks_that_are_there():
    """Two branches: 0 → 1 → 3 and 0 → 2 → 3; then a link 1 → 2 joins them."""
    one = torch.ones(1, 1)
    branches = {(1, 0): one, (3, 1): one, (2, 0): one, (3, 2): one}
    shape = structure(DirectNet(branches, [None] * 3, torch.relu))
    assert (shape.live, shape.depth, shape.width) == ((1, 1), 2, 1)
    assert structure(DirectNet(branches | {(2, 1): one}, [None] * 3, torch.relu)).depth == 3
    assert structure(DirectNet(branches | {(2, 1): 0.001 * one}, [None] * 3, torch.relu)).depth == 2
    chain_of_three = {(1, 0): one, (2, 1): 0.001 * one, (3, 2): 1000 * one}
    assert structure(DirectNet(chain_of_three, [None] * 3, torch.relu)).depth == 3


def test_a_direct_network_with_nothing_live_has_the_depth_of_its_skip_links():
    zero, one = torch.zeros(1, 1), torch.ones(1, 1)
    chain_alone = {(1, 0): zero, (2, 1): one}
    assert structure(DirectNet(chain_alone, [None] * 2, torch.relu)).depth == 0
    assert structure(DirectNet(chain_alone | {(2, 0): one}, [None] * 2, torch.relu)).depth == 1


@pytest.mark.parametrize("ask", [structure, graph, path_tensor, path_distribution])
def test_other_models_are_refused_by_name(ask):
    with pytest.raises(TypeError, match=r"the model is a GRU; wanted a SpectralNet, a DirectNet or an nn\.Sequential"):
        ask(nn.GRU(2, 2))


@pytest.mark.parametrize("ask", [structure, graph])
def test_a_stack_that_diverged_is_refused(ask):
    stack = students(3).direct
    with torch.no_grad():
        stack[2].weight[0, 0] = math.nan
    with pytest.raises(ValueError, match=r"the parameter 2\.weight has 1 values that are NaN or infinite"):
        ask(stack)


# -- paths -------------------------------------------------------------------------------------------------------------


@given(stacks(), st.data())
def test_the_path_tensor_of_a_stack_is_the_product_along_every_path(stack, data):
    matrices = stack_matrices(stack)
    last = data.draw(st.sampled_from([None, *range(1, len(matrices) + 1)]))
    Gamma = path_tensor(stack, last)
    for path, value in paths_by_hand(matrices[:last]).items():
        assert Gamma[tuple(reversed(path))].item() == pytest.approx(value, abs=1e-12)
    assert Gamma.numel() == len(paths_by_hand(matrices[:last]))


def test_the_path_tensor_of_a_student_is_equation_11():
    """Γ^{i1}_{i0,i2} = w^(1)_{i1 i0} w^(2)_{i2 i1}; N_0·h·N_2 entries, not N_0·h + h·N_2."""
    student = students(30).spectral
    w1, w2 = stack_matrices(student)[:2]
    Gamma = path_tensor(student, last=2)
    assert_close(Gamma, torch.einsum("bh,ha->bha", w2, w1))
    assert Gamma.shape == (20, 30, 10)
    assert_close(Gamma[7, 3, 5], w1[3, 5] * w2[7, 3])


@given(networks(min_blocks=2, max_blocks=4))
def test_the_path_tensor_of_a_spectral_network_may_end_at_its_second_layer(network):
    wanted = torch.einsum("ij,jk->ijk", network.weight(2, 1), network.weight(1, 0))
    assert_close(path_tensor(network, last=2), wanted)


@given(stacks(min_hidden=1, max_hidden=1))
def test_the_norm_of_the_path_tensor_is_that_of_the_structure(stack):
    assert path_tensor(stack).norm().item() == pytest.approx(structure(stack).norm)
    strengths = torch.linalg.vector_norm(path_tensor(stack), dim=(0, 2))
    assert_close(strengths.detach(), structure(stack).strengths[0])


def test_the_path_tensor_can_be_differentiated():
    student = students(3).spectral
    path_tensor(student, last=2).square().sum().backward()
    assert student[0].eigenvalues_out.grad.abs().min() > 0


def test_a_direct_network_without_skip_links_has_a_path_tensor_of_any_order():
    W = [torch.rand(n_out, n_in) for n_in, n_out in pairwise([2, 3, 4, 1])]
    direct = DirectNet({(k + 1, k): w for k, w in enumerate(W)}, [None] * 3, torch.relu)
    assert_close(path_tensor(direct), torch.einsum("dc,cb,ba->dcba", *reversed(W)))
    skipping = DirectNet({(k + 1, k): w for k, w in enumerate(W)} | {(3, 1): torch.ones(1, 3)}, [None] * 3, torch.relu)
    with pytest.raises(ValueError, match="the network has 2 hidden layers; with skip links"):
        path_tensor(skipping)
    assert_close(path_tensor(skipping, last=2), torch.einsum("cb,ba->cba", W[1], W[0]))


def test_a_direct_network_without_a_block_between_neighbours_has_paths_of_weight_zero():
    direct = DirectNet({(1, 0): torch.ones(2, 3), (2, 0): torch.ones(1, 3)}, [None] * 2, torch.relu)
    assert_close(path_tensor(direct), torch.zeros(1, 2, 3))


@pytest.mark.parametrize("last", [0, 4, -1])
def test_paths_end_at_a_layer_after_the_input(last):
    with pytest.raises(ValueError, match=f"last = {last}; wanted a layer after the input, counted from 0: 1 to 3"):
        path_tensor(students(3).direct, last)


def test_the_refusal_of_skip_links_names_the_layer_where_the_paths_should_end():
    with pytest.raises(ValueError, match="the network has 0 hidden layers before layer 1; with skip links"):
        path_tensor(SpectralNet([2, 3, 1]), last=1)


@pytest.mark.parametrize("n", [1, 6, 20])
@pytest.mark.parametrize("m", [1, 5, 12])
def test_the_distance_of_paths_is_the_area_between_two_staircases(n, m):
    generator = torch.Generator().manual_seed(n + m)
    a, b = (torch.randn(k, generator=generator).sort().values for k in (n, m))
    u = (torch.arange(60_000, dtype=torch.float64) + 0.5) / 60_000
    steps = [p.double()[(u * len(p)).long()] for p in (a, b)]
    expected = float((steps[0] - steps[1]).abs().mean() / steps[1].abs().mean())
    assert_close(path_distance(a, b), expected, rtol=1e-6, atol=1e-9)
    assert path_distance(a, a.repeat_interleave(3)) == pytest.approx(0, abs=1e-7)
    assert path_distance(torch.zeros(n), b) == pytest.approx(1)


@pytest.mark.parametrize(("ask", "each"), [(path_tensor, 4), (path_distribution, 16)])
def test_paths_that_do_not_fit_are_refused_before_anything_is_allocated(ask, each, monkeypatch):
    student = students(30).direct
    wanted = 10 * 30 * 20 * each
    monkeypatch.setattr(topology, "available_memory", lambda device: wanted)
    assert ask(student, last=2).numel() == 6000
    monkeypatch.setattr(topology, "available_memory", lambda device: wanted - 1)
    with pytest.raises(MemoryError, match=r"layers of \[10, 30, 20\] nodes lead 6,000 paths, .*end earlier \(last=…\), prune"):
        ask(student, last=2)


def test_a_deep_stack_has_more_paths_than_any_machine_can_hold():
    stack = make_stack([500] * 6, kinds=("plain",), dtype=torch.float32)
    with pytest.raises(MemoryError, match="15,625,000,000,000,000 paths"):
        path_tensor(stack)
    assert math.isfinite(structure(stack).norm)


def test_there_is_room_for_everything_where_no_numbers_are():
    assert available_memory(torch.device("meta")) == math.inf
    assert 0 < available_memory(torch.device("cpu")) < math.inf


@given(stacks(max_hidden=2))
def test_the_distribution_of_paths_is_that_of_all_products_sorted(stack):
    found = path_distribution(stack)
    assert_close(found.tolist(), sorted(paths_by_hand(stack_matrices(stack)).values()))
    assert not found.requires_grad


def test_the_distribution_of_paths_does_not_see_the_order_of_hidden_nodes():
    direct, shuffled = students(30, seed=2).direct, students(30, seed=2).direct
    order = torch.randperm(30, generator=torch.Generator().manual_seed(0))
    with torch.no_grad():
        shuffled[0].weight.copy_(direct[0].weight[order])
        shuffled[2].weight.copy_(direct[2].weight[:, order])
    assert not torch.equal(path_tensor(direct, 2), path_tensor(shuffled, 2))
    assert_close(path_distribution(shuffled, 2), path_distribution(direct, 2), rtol=0, atol=0)


def test_a_student_that_hides_its_teacher_shows_the_teachers_paths_once_it_is_pruned():
    network, _ = teacher(n=1, n_test=1)
    student = students(50).spectral
    with torch.no_grad():
        student[0].eigenvalues_out[::2][5:] = 0
        student[0].eigenvalues_out[1::2] = 0
        student[0].eigenvalues_out[::2][:20] = 2
        student[0].eigenvectors[::2][:20] = network[0].weight / -2
        student[2].weight[:, ::2][:, :20] = network[2].weight
    small = prune(student, "eigenvalue_norm", keep=20, layers=[0]).network
    assert_close(path_distribution(small, last=2), path_distribution(network, last=2))
    assert len(path_distribution(student, last=2)) == 10 * 50 * 20


# -- layout ------------------------------------------------------------------------------------------------------------


@given(st.lists(st.integers(1, 200), min_size=2, max_size=5))
def test_nodes_stand_in_the_unit_square_and_no_two_in_one_place(nodes):
    places = layout(nodes)
    assert [len(layer) for layer in places] == nodes
    flat = [place for layer in places for place in layer]
    assert all(0 <= x <= 1 and 0 <= y <= 1 for x, y in flat)
    assert len({(round(x, 9), round(y, 9)) for x, y in flat}) == len(flat)


@given(st.lists(st.integers(1, 200), min_size=2, max_size=5))
def test_layers_stand_from_left_to_right_without_overlap(nodes):
    places = layout(nodes)
    for left, right in pairwise(places):
        assert max(x for x, _ in left) < min(x for x, _ in right)


@pytest.mark.parametrize("nodes", [[3, 300, 1], [785, 100, 10], [784, 784]], ids=str)
def test_wide_layers_are_folded_into_columns(nodes):
    places = layout(nodes)
    for layer in places:
        assert len(set(layer)) == len(layer)
        columns = {}
        for x, y in layer:
            columns.setdefault(round(x, 9), []).append(y)
        assert all(len(column) <= 40 for column in columns.values())
    assert min(math.dist(a, b) for a in places[0] for b in places[-1]) > 0.1


def test_small_networks_stand_on_a_grid_symmetric_about_the_middle():
    assert layout([1, 2, 1]) == [[(0.0, 0.5)], [(0.5, 0.4), (0.5, 0.6)], [(1.0, 0.5)]]


def test_nodes_stand_still_while_the_network_changes():
    network = perceptron([2, 30, 1])
    before = networkx.get_node_attributes(graph(network), "position")
    assert networkx.get_node_attributes(graph(randomise(network)), "position") == before
    assert before == {(i, m): place for i, layer in enumerate(layout(network.nodes)) for m, place in enumerate(layer)}


# -- graph -------------------------------------------------------------------------------------------------------------


@given(networks(max_blocks=3, zeros=0.3))
def test_the_graph_has_every_node_with_its_attributes(network):
    drawn, shape = graph(network, threshold=0.2), structure(network, 0.2)
    last = len(network.nodes) - 1
    assert set(drawn) == {(i, m) for i, n in enumerate(network.nodes) for m in range(n)}
    for (layer, m), node in drawn.nodes(data=True):
        hidden = 0 < layer < last
        bias = layer == 0 and network.bias and m == network.nodes[0] - 1
        assert node["layer"] == layer
        assert node["kind"] == ("bias" if bias else "input" if layer == 0 else "output" if layer == last else "hidden")
        assert node["eigenvalue"] == network.eigenvalues[layer][m].item()
        assert node["relevance"] == (shape.strengths[layer - 1][m].item() if hidden else None)
        assert node["live"] == (not hidden or node["relevance"] > 0.2)
    assert drawn.graph == {"sizes": list(network.sizes), "path_norm": shape.norm, "effective_depth": shape.depth}
    for i, live in enumerate(shape.live, 1):
        assert live == sum(node["live"] for _, node in drawn.nodes(data=True) if node["layer"] == i)


@given(networks(max_blocks=3, zeros=0.3), st.sampled_from([0.0, 0.3]))
def test_the_links_are_the_weights_above_the_minimum(network, min_weight):
    drawn = graph(network, min_weight=min_weight)
    weights = network.weights()
    wanted = {
        ((j, n), (i, m)): (W[m, n].item(), "feed-forward" if i == j + 1 else "skip")
        for (i, j), W in weights.items()
        for m in range(W.shape[0])
        for n in range(W.shape[1])
        if abs(W[m, n].item()) > min_weight
    }
    assert {(a, b): (link["weight"], link["kind"]) for a, b, link in drawn.edges(data=True)} == wanted
    assert not list(networkx.selfloop_edges(drawn))


@LAYERS
def test_the_perceptron_is_drawn_with_links_from_input_to_output_only(nodes):
    kinds = {(a[0], b[0]) for a, b in graph(SpectralNet(nodes)).edges}
    assert (0, len(nodes) - 1) in kinds
    assert all(b == len(nodes) - 1 for _, b in kinds)


@given(sizes(1, 3))
def test_the_graph_leaves_the_network_alone(nodes):
    network = randomise(SpectralNet(nodes))
    before = {name: p.clone() for name, p in network.state_dict().items()}
    graph(network)
    assert_close(dict(network.state_dict()), before, rtol=0, atol=0)


# -- the graph of a network in direct space ----------------------------------------------------------------------------


@given(networks(zeros=0.3), st.sampled_from([0.0, 0.5]))
def test_the_graph_of_a_compacted_network_has_the_attributes_of_the_other_graph(network, threshold):
    drawn, other = direct_graph(network.compact(threshold)), graph(network)
    assert isinstance(drawn, networkx.DiGraph)
    assert set(drawn.graph) <= set(other.graph)
    attributes = set(next(iter(other.nodes.values())))
    assert all(set(node) == attributes for node in drawn.nodes.values())
    assert all(set(link) == {"weight", "kind"} for link in drawn.edges.values())


@given(networks(zeros=0.3), st.sampled_from([0.0, 0.5]))
def test_the_graph_of_a_compacted_network_computes_what_the_network_computes(network, threshold):
    """Signals passed along the links, node by node, with the network's own biases."""
    compact = network.compact(threshold)
    drawn, nodes, last = direct_graph(compact), compact.nodes, compact.n_layers - 1
    x = inputs(network, n=2)
    values = {(0, m): x[:, m] for m in range(nodes[0])}
    for layer in range(1, last + 1):
        for m in range(nodes[layer]):
            z = torch.zeros_like(x[:, 0])
            if str(layer) in compact.biases:
                z = z + compact.biases[str(layer)][m].detach()
            for source, _, link in drawn.in_edges((layer, m), data=True):
                z = z + link["weight"] * values[source]
            values[layer, m] = z if layer == last else network.activation(z)
    wanted = compact(x).detach()
    assert_close(torch.stack([values[last, m] for m in range(nodes[last])], dim=1), wanted)


def test_the_graph_of_a_direct_network_by_hand():
    weights = {(1, 0): torch.tensor([[1.0, 0.0], [2.0, -3.0]]), (2, 1): torch.tensor([[5.0, 0.5]]), (2, 0): torch.ones(1, 2)}
    drawn = direct_graph(DirectNet(weights, [None, torch.ones(1)], torch.relu))
    links = {(a, b): (link["weight"], link["kind"]) for a, b, link in drawn.edges(data=True)}
    assert links == {
        ((0, 0), (1, 0)): (1.0, "feed-forward"),
        ((0, 0), (1, 1)): (2.0, "feed-forward"),
        ((0, 1), (1, 1)): (-3.0, "feed-forward"),
        ((1, 0), (2, 0)): (5.0, "feed-forward"),
        ((1, 1), (2, 0)): (0.5, "feed-forward"),
        ((0, 0), (2, 0)): (1.0, "skip"),
        ((0, 1), (2, 0)): (1.0, "skip"),
    }
    kinds = {node: a["kind"] for node, a in drawn.nodes(data=True)}
    assert kinds == {(0, 0): "input", (0, 1): "input", (1, 0): "hidden", (1, 1): "hidden", (2, 0): "output"}
    relevances = [drawn.nodes[1, m]["relevance"] for m in (0, 1)]
    assert relevances == pytest.approx([5.0, 0.5 * 13**0.5])
    assert drawn.graph["path_norm"] == pytest.approx(math.hypot(*relevances))
    assert drawn.graph["sizes"] == [2, 2, 1]
    assert all(a["live"] and a["eigenvalue"] is None for a in drawn.nodes.values())
    assert [a["position"] for a in drawn.nodes.values()] == [place for layer in layout([2, 2, 1]) for place in layer]


@given(networks(min_blocks=2, max_blocks=2, bias=False, activation=torch.tanh, update="blocks"))
def test_the_relevance_of_a_neuron_is_the_same_before_and_after_compaction(network):
    compact = network.compact()
    assert compact.report.removed == (0, 0, 0)
    before, after = graph(network), direct_graph(compact)
    for node, attributes in before.nodes.items():
        if attributes["kind"] == "hidden":
            assert after.nodes[node]["relevance"] == pytest.approx(attributes["relevance"])
    assert after.graph["path_norm"] == pytest.approx(before.graph["path_norm"])


@given(networks(max_blocks=3, zeros=0.3))
def test_the_graph_leaves_the_direct_network_alone(network):
    compact = network.compact()
    before = {name: p.clone() for name, p in compact.state_dict().items()}
    direct_graph(compact)
    assert_close(dict(compact.state_dict()), before, rtol=0, atol=0)


# -- the graph of a stack, and of any network --------------------------------------------------------------------------


@given(stacks(silent=0.2, kinds=("dense", "plain")), st.sampled_from([0.01, 0.3]))
def test_the_graph_of_a_stack_has_every_node_with_the_attributes_of_the_other_graph(stack, threshold):
    drawn, shape = graph(stack, threshold=threshold), structure(stack, threshold)
    layers = stack[::2]
    nodes = [dense_weights(layers[0]).shape[1], *(len(dense_weights(layer)) for layer in layers)]
    assert set(drawn) == {(i, m) for i, n in enumerate(nodes) for m in range(n)}
    assert drawn.graph == {"sizes": nodes, "path_norm": shape.norm, "effective_depth": shape.depth}
    assert {frozenset(node) for node in drawn.nodes.values()} == {frozenset(graph(perceptron([2, 3, 1])).nodes[1, 0])}
    for (i, m), node in drawn.nodes.items():
        hidden = 0 < i < len(layers)
        layer = layers[max(i - 1, 0)]
        lam = None if isinstance(layer, nn.Linear) else layer.eigenvalues_out if i else layer.eigenvalues_in
        assert node["eigenvalue"] == (None if lam is None else lam[m].item())
        assert node["relevance"] == (shape.strengths[i - 1][m].item() if hidden else None)
        assert node["live"] == (not hidden or node["relevance"] > threshold)
        assert node["kind"] == ("hidden" if hidden else "output" if i else "input")
        assert node["position"] == layout(nodes)[i][m]


@given(stacks(), st.sampled_from([0.0, 0.3]))
def test_the_links_of_a_stack_are_its_weights_above_the_minimum(stack, min_weight):
    drawn = graph(stack, min_weight=min_weight)
    found = {(a, b): link["weight"] for a, b, link in drawn.edges(data=True)}
    weights = [layer.weight.detach() for layer in stack[::2]]
    assert found == {
        ((k, n), (k + 1, m)): W[m, n].item()
        for k, W in enumerate(weights)
        for m, n in product(*map(range, W.shape))
        if abs(W[m, n].item()) > min_weight
    }
    assert {link["kind"] for link in drawn.edges.values()} <= {"feed-forward"}


@given(stacks(bias=False))
def test_the_graph_of_a_stack_without_biases_computes_what_the_stack_computes(stack):
    drawn, activations = graph(stack), list(stack)[1::2]
    nodes, last = drawn.graph["sizes"], len(stack[::2])
    x = torch.linspace(-1, 1, 2 * nodes[0], dtype=torch.float64).reshape(2, -1)
    values = {(0, m): x[:, m] for m in range(nodes[0])}
    for i, m in [node for node in drawn if node[0] > 0]:
        z = sum((link["weight"] * values[a] for a, _, link in drawn.in_edges((i, m), data=True)), x.new_zeros(2))
        values[i, m] = z if i == last else activations[i - 1](z)
    assert_close(torch.stack([values[last, m] for m in range(nodes[last])], dim=1), stack(x).detach())


def test_a_node_fed_by_a_plain_layer_has_no_eigenvalue():
    stack = nn.Sequential(nn.Linear(2, 3), nn.ReLU(), SpectralLinear(3, 1))
    found = {node: attributes["eigenvalue"] for node, attributes in graph(stack).nodes.items()}
    assert [found[0, 0], found[1, 2], found[2, 0]] == [None, None, stack[2].eigenvalues_out[0].item()]


def test_liveness_in_the_graph_of_a_direct_network_is_by_threshold_unless_all_that_is_left_counts():
    weights = {(1, 0): torch.tensor([[1.0], [0.001], [0.0]]), (2, 1): torch.ones(1, 3)}
    direct = DirectNet(weights, [None, None], torch.relu)
    assert [graph(direct).nodes[1, m]["live"] for m in range(3)] == [True, False, False]
    assert [graph(direct, threshold=1e-4).nodes[1, m]["live"] for m in range(3)] == [True, True, False]
    assert all(direct_graph(direct).nodes[1, m]["live"] for m in range(3))
    weak = DirectNet({(1, 0): torch.full((1, 1), 0.001), (2, 1): torch.ones(1, 1)}, [None, None], torch.relu)
    assert [draw(weak).graph["effective_depth"] for draw in (graph, direct_graph)] == [0, 2]


@given(stacks())
def test_structure_paths_and_graph_leave_a_stack_alone(stack):
    before = {name: p.clone() for name, p in stack.state_dict().items()}
    structure(stack), graph(stack), path_distribution(stack)
    assert_close(dict(stack.state_dict()), before, rtol=0, atol=0)
