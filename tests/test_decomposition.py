"""The formulas of the decomposition against dense matrices, loops over all paths, and SymPy."""

from itertools import pairwise, product

import pytest
import sympy
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import (
    activations,
    blocks,
    dense_adjacency,
    dense_adjacency_signals,
    dense_eigenvectors,
    dense_signals,
    layer_slices,
    make_blocks,
    seeds,
    sizes,
    widths,
)
from torch.testing import assert_close

from spectral_lab.decomposition import (
    adjacency_matrix,
    eigenvalue_matrix,
    eigenvector_matrix,
    inverse_block,
    inverse_eigenvector_matrix,
    layer_sizes,
    path_strengths,
    propagate,
    propagate_adjacency,
    propagate_blocks,
    weight_block,
    weight_blocks,
)

RULES = {propagate: dense_signals, propagate_blocks: dense_signals, propagate_adjacency: dense_adjacency_signals}
TIGHT = {"rtol": 1e-10, "atol": 1e-10}
rules = pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.__name__)


# -- Φ, its inverse, Λ, A ----------------------------------------------------------------------------------------------


@given(blocks())
def test_eigenvector_matrix_is_the_identity_with_the_blocks_under_its_diagonal(b):
    assert_close(eigenvector_matrix(b.phi), dense_eigenvectors(b.phi), rtol=0, atol=0)


@given(blocks())
def test_inverse_by_binomials_is_the_inverse_from_linear_algebra(b):
    assert_close(inverse_eigenvector_matrix(b.phi), torch.linalg.inv(dense_eigenvectors(b.phi)), **TIGHT)


@given(widths, widths, seeds)
def test_inverse_for_two_layers_is_twice_the_identity_minus_phi(n_in, n_out, seed):
    Phi = eigenvector_matrix(make_blocks([n_in, n_out], seed).phi)
    assert_close(inverse_eigenvector_matrix([Phi[n_in:, :n_in]]), 2 * torch.eye(n_in + n_out, dtype=Phi.dtype) - Phi)


@given(blocks())
def test_inverse_blocks_are_the_blocks_of_the_inverse_also_on_and_above_the_diagonal(b):
    nodes = layer_sizes(b.phi)
    inverse, places = torch.linalg.inv(dense_eigenvectors(b.phi)), layer_slices(nodes)
    for i, j in product(range(len(nodes)), repeat=2):
        assert_close(inverse_block(b.phi, i, j), inverse[places[i], places[j]], **TIGHT)


@given(blocks())
def test_eigenvalue_matrix_is_diagonal(b):
    assert_close(eigenvalue_matrix(b.lam), torch.diag(torch.cat(b.lam)), rtol=0, atol=0)


@given(blocks())
def test_adjacency_matrix_is_the_dense_product(b):
    assert_close(adjacency_matrix(b.phi, b.lam), dense_adjacency(b.phi, b.lam), **TIGHT)


@given(blocks())
def test_the_columns_of_phi_are_eigenvectors_of_the_adjacency_matrix(b):
    Phi = eigenvector_matrix(b.phi)
    assert_close(adjacency_matrix(b.phi, b.lam) @ Phi, Phi * torch.cat(b.lam), **TIGHT)


@given(blocks())
def test_weight_blocks_are_the_blocks_of_the_dense_adjacency_matrix(b):
    A, places = dense_adjacency(b.phi, b.lam), layer_slices([len(v) for v in b.lam])
    weights = weight_blocks(b.phi, b.lam)
    assert set(weights) == {(i, j) for i in range(len(b.lam)) for j in range(i)}
    for (i, j), W in weights.items():
        assert_close(W, A[places[i], places[j]], **TIGHT)
        assert_close(weight_block(b.phi, b.lam, i, j), A[places[i], places[j]], **TIGHT)


@given(widths, widths, seeds)
def test_adjacent_weights_are_the_difference_of_two_eigenvalues_times_phi(n_in, n_out, seed):
    (phi,), (lam_in, lam_out), _ = make_blocks([n_in, n_out], seed)
    W = weight_block([phi], [lam_in, lam_out], 1, 0)
    for m, n in product(range(n_out), range(n_in)):
        assert_close(W[m, n], (lam_in[n] - lam_out[m]) * phi[m, n])


@pytest.mark.parametrize("nodes", [[1, 1, 1], [2, 3, 2], [1, 2, 1, 3], [3, 1, 2, 2]], ids=str)
def test_weights_agree_with_sympy_in_rational_numbers(nodes):
    """B = 2 and 3.  Halves and quarters are exact in floating point too, so the comparison needs no tolerance."""
    generator = torch.Generator().manual_seed(sum(nodes))
    phi = [torch.randint(-8, 9, (m, n), generator=generator).double() / 4 for n, m in pairwise(nodes)]
    lam = [torch.randint(-8, 9, (n,), generator=generator).double() / 2 for n in nodes]
    Phi = sympy.eye(sum(nodes))
    places = layer_slices(nodes)
    for k, block in enumerate(phi):
        Phi[places[k + 1], places[k]] = sympy.Matrix([[sympy.Rational(v) for v in row] for row in block.tolist()])
    A = Phi * sympy.diag(*[sympy.Rational(v) for v in torch.cat(lam).tolist()]) * Phi.inv()
    for (i, j), W in weight_blocks(phi, lam).items():
        assert sympy.Matrix(A[places[i], places[j]]) == sympy.Matrix([[sympy.Rational(v) for v in row] for row in W.tolist()])


def test_the_weights_of_two_and_three_blocks_are_the_printed_formulas():
    """SPARCS 4.3 with scalar layers, where SymPy can hold every symbol."""
    p1, p2, p3, l1, l2, l3, l4 = sympy.symbols("p1 p2 p3 l1 l2 l3 l4")
    Phi = sympy.Matrix([[1, 0, 0, 0], [p1, 1, 0, 0], [0, p2, 1, 0], [0, 0, p3, 1]])
    A = (Phi * sympy.diag(l1, l2, l3, l4) * Phi.inv()).applyfunc(sympy.expand)
    values = dict(zip((p1, p2, p3, l1, l2, l3, l4), (2, -3, 5, 7, 11, -13, 17), strict=True))
    phi = [torch.tensor([[float(values[p])]]) for p in (p1, p2, p3)]
    lam = [torch.tensor([float(values[v])]) for v in (l1, l2, l3, l4)]
    printed = {
        (1, 0): (l1 - l2) * p1,
        (2, 1): (l2 - l3) * p2,
        (2, 0): -(l2 - l3) * p2 * p1,
        (3, 1): -(l3 - l4) * p3 * p2,
        (3, 0): (l3 - l4) * p3 * p2 * p1,
    }
    for (i, j), formula in printed.items():
        assert sympy.expand(A[i, j] - formula) == 0
        assert weight_block(phi, lam, i, j).item() == int(formula.subs(values))


# -- batches and float types -------------------------------------------------------------------------------------------


@given(blocks(batch=(3,), max_blocks=3))
def test_leading_dimensions_equal_a_loop(b):
    singles = [([phi[n] for phi in b.phi], [lam[n] for lam in b.lam]) for n in range(3)]
    assert_close(eigenvector_matrix(b.phi), torch.stack([eigenvector_matrix(phi) for phi, _ in singles]))
    assert_close(inverse_eigenvector_matrix(b.phi), torch.stack([inverse_eigenvector_matrix(phi) for phi, _ in singles]))
    assert_close(inverse_block(b.phi, len(b.phi), 0), torch.stack([inverse_block(phi, len(phi), 0) for phi, _ in singles]))
    assert_close(eigenvalue_matrix(b.lam), torch.stack([eigenvalue_matrix(lam) for _, lam in singles]))
    assert_close(adjacency_matrix(b.phi, b.lam), torch.stack([adjacency_matrix(phi, lam) for phi, lam in singles]))
    strengths, norm = path_strengths(weight_blocks(b.phi, b.lam), len(b.lam))
    for n, (phi, lam) in enumerate(singles):
        expected, expected_norm = path_strengths(weight_blocks(phi, lam), len(lam))
        assert_close([s[n] for s in strengths], expected)
        assert_close(norm[n], expected_norm)
        for rule in RULES:
            assert_close([a[n] for a in rule(b.x, b.phi, b.lam)], rule(b.x[n], phi, lam))


def test_eigenvectors_that_are_shared_by_a_batch_of_eigenvalues_are_broadcast():
    phi, lam, x = make_blocks([2, 3, 2])
    lam = [torch.stack([v, 2 * v]) for v in lam]
    A = adjacency_matrix(phi, lam)
    assert_close(A[1], dense_adjacency(phi, [v[1] for v in lam]))
    for rule, dense in RULES.items():
        assert_close(rule(x, phi, lam)[-1][1], dense(x, phi, [v[1] for v in lam], torch.relu)[-1])


@pytest.mark.parametrize("shape", [(), (4,), (2, 3)], ids=str)
@rules
def test_signals_keep_the_leading_dimensions_of_the_input(rule, shape):
    phi, lam, _ = make_blocks([2, 3, 2])
    x = torch.linspace(-1, 1, 2 * torch.Size(shape).numel(), dtype=torch.float64).reshape(*shape, 2)
    flat = rule(x.reshape(-1, 2), phi, lam)
    assert_close(rule(x, phi, lam), [a.reshape(*shape, -1) for a in flat])


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64, torch.bfloat16], ids=str)
def test_float_types_are_kept(dtype):
    phi, lam, x = make_blocks([2, 3, 2], dtype=dtype)
    weights = weight_blocks(phi, lam)
    strengths, norm = path_strengths(weights, 3)
    found = [
        eigenvector_matrix(phi),
        inverse_eigenvector_matrix(phi),
        eigenvalue_matrix(lam),
        adjacency_matrix(phi, lam),
        *(inverse_block(phi, i, j) for i in range(3) for j in range(3)),
        *weights.values(),
        weight_block(phi, lam, 2, 0),
        *(a for rule in RULES for a in rule(x, phi, lam)),
        *strengths,
        norm,
    ]
    assert {tensor.dtype for tensor in found} == {dtype}


@given(blocks(batch=(3,), max_blocks=3))
def test_vmap_over_networks_equals_a_loop(b):
    for rule in RULES:
        mapped = torch.func.vmap(rule)(b.x, b.phi, b.lam)
        for n in range(3):
            assert_close([a[n] for a in mapped], rule(b.x[n], [p[n] for p in b.phi], [v[n] for v in b.lam]))


# -- signals -----------------------------------------------------------------------------------------------------------


@rules
@given(b=blocks(), f=activations)
def test_signals_are_those_of_the_dense_definition(rule, b, f):
    assert_close(rule(b.x, b.phi, b.lam, f), RULES[rule](b.x, b.phi, b.lam, f), **TIGHT)


@rules
@given(b=blocks(), f=activations)
def test_gradients_are_those_of_the_dense_definition(rule, b, f):
    """The dense route differentiates through torch.linalg.inv."""
    leaves = [t.requires_grad_() for t in (*b.phi, *b.lam, b.x)]
    ours, dense = (route(b.x, b.phi, b.lam, f)[-1].square().sum() for route in (rule, RULES[rule]))
    found, wanted = (torch.autograd.grad(loss, leaves, allow_unused=True, materialize_grads=True) for loss in (ours, dense))
    assert_close(found, wanted, **TIGHT)


@given(blocks(), activations)
def test_a_silent_input_may_leave_out_its_product(b, f):
    b.lam[0].zero_()
    leaves = [t.requires_grad_() for t in (*b.phi, *b.lam[1:], b.x)]
    results = [propagate(b.x, b.phi, b.lam, f, silent_input=silent) for silent in (False, True)]
    assert_close(*results, **TIGHT)
    gradients = [torch.autograd.grad(a[-1].square().sum(), leaves, allow_unused=True, materialize_grads=True) for a in results]
    assert_close(*gradients, **TIGHT)


@rules
def test_gradients_pass_gradcheck(rule):
    phi, lam, x = make_blocks([2, 3, 1, 2])
    leaves = [t.requires_grad_() for t in (x, *phi, *lam)]
    assert torch.autograd.gradcheck(lambda x, *rest: tuple(rule(x, rest[:3], rest[3:], torch.tanh)), leaves)


def test_without_hidden_layers_the_signal_is_one_linear_map():
    phi, lam, x = make_blocks([3, 2])
    W = weight_block(phi, lam, 1, 0)
    for rule in RULES:
        assert_close(rule(x, phi, lam)[-1], torch.nn.functional.linear(x, W))


@given(blocks(min_blocks=2), activations, seeds)
def test_masks_cut_the_links_into_a_node(b, f, seed):
    generator = torch.Generator().manual_seed(seed)
    masks = [torch.randint(0, 2, (len(v),), generator=generator).double() for v in b.lam[1:-1]]
    wanted = dense_signals(b.x, b.phi, b.lam, f, masks)
    for rule in (propagate, propagate_blocks):
        assert_close(rule(b.x, b.phi, b.lam, f, masks), wanted, **TIGHT)


@pytest.mark.parametrize("rule", [propagate, propagate_blocks], ids=lambda rule: rule.__name__)
def test_a_masked_node_delivers_f_of_zero(rule):
    phi, lam, x = make_blocks([2, 3, 2])
    mask = torch.tensor([1.0, 0.0, 1.0], dtype=torch.float64)
    assert_close(rule(x, phi, lam, torch.sigmoid, [mask])[1][:, 1], torch.full((4,), 0.5, dtype=torch.float64))


def test_a_masked_node_delivers_f_of_zero_under_the_adjacency_rule_too():
    phi, lam, x = make_blocks([2, 3, 4, 2])
    masks = [torch.tensor([1.0, 0.0, 1.0]).double(), torch.tensor([0.0, 1.0, 1.0, 1.0]).double()]
    A, places = dense_adjacency(phi, lam), layer_slices([2, 3, 4, 2])
    a = torch.cat([x, x.new_zeros(4, 9)], dim=1)
    for step in range(3):
        a = a @ A.T
        a[:, places[1]] *= masks[0]
        a[:, places[2]] *= masks[1]
        a = a if step == 2 else torch.sigmoid(a)
    assert_close(propagate_adjacency(x, phi, lam, torch.sigmoid, masks), list(a.split([2, 3, 4, 2], dim=1)), **TIGHT)


# -- paths -------------------------------------------------------------------------------------------------------------


def strengths_from_all_paths(weights, nodes):
    """Visit every chain of nodes from input to output, one by one."""
    last = len(nodes) - 1
    through, total = [torch.zeros(n, dtype=torch.float64) for n in nodes], 0.0

    def walk(path, value):
        nonlocal total
        layer, node = path[-1]
        if layer == last:
            hidden = path[1:-1]
            total += value**2 if hidden else 0
            for i, m in hidden:
                through[i][m] += value**2
            return
        for i in range(layer + 1, last + 1):
            if (i, layer) in weights:
                for m in range(nodes[i]):
                    walk([*path, (i, m)], value * weights[i, layer][m, node].item())

    for n in range(nodes[0]):
        walk([(0, n)], 1.0)
    return [s.sqrt() for s in through[1:-1]], torch.tensor(total, dtype=torch.float64).sqrt()


@given(widths, widths, widths, seeds)
def test_path_strength_with_one_hidden_layer_is_the_norm_of_its_slice_of_gamma(n_in, n_hidden, n_out, seed):
    phi, lam, _ = make_blocks([n_in, n_hidden, n_out], seed)
    weights = weight_blocks(phi, lam)
    Gamma = weights[2, 1][:, :, None] * weights[1, 0][None, :, :]
    (strengths,), norm = path_strengths(weights, 3)
    assert_close(strengths, torch.stack([Gamma[:, j].norm() for j in range(n_hidden)]))
    assert_close(strengths, weights[2, 1].norm(dim=0) * weights[1, 0].norm(dim=1))
    assert_close(norm, Gamma.norm())


@given(st.lists(st.integers(1, 3), min_size=2, max_size=5), seeds)
def test_path_strengths_count_every_path(nodes, seed):
    phi, lam, _ = make_blocks(nodes, seed)
    weights = weight_blocks(phi, lam)
    strengths, norm = path_strengths(weights, len(nodes))
    wanted, wanted_norm = strengths_from_all_paths(weights, nodes)
    assert_close(strengths, wanted)
    assert_close(norm, wanted_norm)


def test_path_strengths_take_a_missing_block_for_zero():
    nodes = [2, 3, 2, 2]
    phi, lam, _ = make_blocks(nodes)
    weights = {ij: W for ij, W in weight_blocks(phi, lam).items() if ij not in [(2, 0), (3, 1)]}
    strengths, norm = path_strengths(weights, 4)
    wanted, wanted_norm = strengths_from_all_paths(weights, nodes)
    assert_close(strengths, wanted)
    assert_close(norm, wanted_norm)


# -- errors ------------------------------------------------------------------------------------------------------------


@given(sizes())
def test_layer_sizes_are_read_from_the_blocks(nodes):
    phi, lam, _ = make_blocks(nodes)
    assert layer_sizes(phi) == layer_sizes(phi, lam) == tuple(nodes)


def test_an_empty_network_is_refused():
    with pytest.raises(ValueError, match=r"eigenvectors is empty; a network needs at least one block"):
        layer_sizes([])


def test_a_block_that_is_no_matrix_is_refused_with_its_shape():
    with pytest.raises(ValueError, match=r"eigenvectors\[1\] has shape \(3,\); wanted \(\.\.\., n_out, n_in\)"):
        layer_sizes([torch.zeros(3, 2), torch.zeros(3)])


def test_blocks_that_do_not_fit_together_are_refused_with_both_sizes():
    with pytest.raises(ValueError, match=r"eigenvectors\[1\] takes 4 nodes, but eigenvectors\[0\] delivers 3"):
        eigenvector_matrix([torch.zeros(3, 2), torch.zeros(1, 4)])


@pytest.mark.parametrize("function", [weight_blocks, adjacency_matrix], ids=lambda f: f.__name__)
@pytest.mark.parametrize(
    ("lengths", "found"), [([2, 4, 1], r"\[2, 4, 1\]"), ([2, 3], r"\[2, 3\]"), ([2, 3, None], r"\[2, 3, 0\]")], ids=str
)
def test_eigenvalues_that_do_not_fit_are_refused_with_both_sizes(function, lengths, found):
    lam = [torch.zeros(()) if n is None else torch.zeros(n) for n in lengths]
    with pytest.raises(ValueError, match=rf"eigenvalues have the sizes {found}; the eigenvectors want \[2, 3, 1\]"):
        function([torch.zeros(3, 2), torch.zeros(1, 3)], lam)


@rules
@pytest.mark.parametrize("shape", [(), (5,), (4, 1)], ids=str)
def test_an_input_of_the_wrong_width_is_refused(rule, shape):
    phi, lam, _ = make_blocks([2, 3, 1])
    with pytest.raises(ValueError, match=r"the input has shape \(.*\); the first layer wants \(\.\.\., 2\)"):
        rule(torch.zeros(shape, dtype=torch.float64), phi, lam)


@pytest.mark.parametrize(("i", "j"), [(3, 0), (0, 3), (-1, 0), (1, -1)])
def test_layers_that_do_not_exist_are_refused(i, j):
    phi, lam, _ = make_blocks([2, 3, 1])
    message = rf"layers \(i, j\) = \({i}, {j}\) do not exist; layers are counted from 0 to 2"
    with pytest.raises(ValueError, match=message):
        inverse_block(phi, i, j)
    with pytest.raises(ValueError, match=message):
        weight_block(phi, lam, i, j)


@pytest.mark.parametrize(("i", "j"), [(1, 1), (0, 2)])
def test_links_backwards_are_refused(i, j):
    phi, lam, _ = make_blocks([2, 3, 1])
    with pytest.raises(ValueError, match=rf"from a layer to a later one; found j = {j} and i = {i}"):
        weight_block(phi, lam, i, j)
