"""The block matrices in SymPy: the rules of their symbols, and the bridge to the numbers of decomposition."""

import itertools

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from strategies import blocks as random_blocks
from sympy import S, Symbol, expand, eye, latex, symbols, zeros

import spectral_lab.decomposition as numbers
from spectral_lab.blocks import (
    LARGEST_B,
    L,
    adjacency_block,
    adjacency_matrix,
    block_matrix,
    chain,
    check_b,
    eigenvalue_matrix,
    eigenvector_matrix,
    estimated_seconds,
    inverse_block,
    inverse_eigenvector_matrix,
    phi,
    power_block,
    powers,
    shift_block,
    substitute,
    weight_block,
)

i, j, d = symbols("i j d", integer=True, positive=True)


def test_blocks_do_not_commute():
    assert phi(2) * phi(1) != phi(1) * phi(2)
    assert expand((phi(1) + L(1)) ** 2) == phi(1) ** 2 + phi(1) * L(1) + L(1) * phi(1) + L(1) ** 2


def test_a_chain_of_known_length_is_written_out_and_another_one_is_not():
    assert chain(4, 1) == phi(3) * phi(2) * phi(1)
    assert chain(i, i - 2) == phi(i - 1) * phi(i - 2)
    assert chain(i, i) == 1
    assert isinstance(chain(i, j), chain)
    assert chain(i, j).subs({i: 4, j: 2}) == phi(3) * phi(2)


def test_a_chain_that_would_lead_back_is_refused():
    with pytest.raises(ValueError, match="no blocks lead from layer 3 back to layer 2"):
        chain(2, 3)


@given(first=st.integers(1, 6), length=st.integers(1, 6))
def test_splitting_a_factor_off_a_chain_is_its_definition(first, length):
    last = first + length
    assert chain.split_left(last, first) == chain(last, first) == chain.split_right(last, first)


def test_symbols_print_as_in_the_papers():
    assert str(weight_block(2, 1)) == "phi_1*L_1 - L_2*phi_1"
    assert str(chain(i, j)) == "phi_{i-1}...phi_j"
    assert latex(phi(i - 1) ** 2) == r"\varphi_{i - 1}^{2}"
    assert latex(chain(i, j)) == r"\varphi_{i - 1} \cdots \varphi_{j}"
    assert latex(L(1)) == r"\mathcal{L}_{1}"


@pytest.mark.parametrize("B", [0, -1, 2.5, True, "3", None])
@pytest.mark.parametrize(
    "build", [check_b, eigenvector_matrix, eigenvalue_matrix, inverse_eigenvector_matrix, adjacency_matrix, powers]
)
def test_a_number_of_blocks_that_is_none_is_refused(build, B):
    with pytest.raises(ValueError, match=f"B = {B!r}; wanted a whole number of blocks, at least 1"):
        build(B)


@pytest.mark.parametrize("build", [check_b, adjacency_matrix, inverse_eigenvector_matrix])
def test_too_many_blocks_are_refused_with_the_cost_and_the_cure(build):
    cost = f"{estimated_seconds(60):,.0f} s"
    with pytest.raises(ValueError, match=rf"B = 60 would take about {cost} .* at most {LARGEST_B}.*ask for a smaller B"):
        build(60)


@pytest.mark.parametrize("B", range(1, 9))
def test_the_formulas_for_the_blocks_are_the_matrices_multiplied_out(B):
    Phi = eigenvector_matrix(B)
    inverse = inverse_eigenvector_matrix(B)
    assert (Phi * inverse).applyfunc(expand) == eye(B + 1) == (inverse * Phi).applyfunc(expand)
    assert block_matrix(B, inverse_block) == inverse
    assert block_matrix(B, adjacency_block) == adjacency_matrix(B)
    for n, power in enumerate(powers(B)):
        assert block_matrix(B, lambda i, j, n=n: power_block(i, j, n)) == power
        assert block_matrix(B, lambda i, j, n=n: shift_block(i, j, n)) == ((Phi - eye(B + 1)) ** n).applyfunc(expand)


def test_ten_blocks_are_checked_on_both_sides():
    Phi, inverse = eigenvector_matrix(10), inverse_eigenvector_matrix(10)
    assert (Phi * inverse).applyfunc(expand) == eye(11) == (inverse * Phi).applyfunc(expand)
    assert block_matrix(10, adjacency_block) == adjacency_matrix(10)


def test_blocks_above_the_diagonal_vanish_and_links_lead_forward():
    assert inverse_block(j, j + d) == power_block(j, j + d, 3) == adjacency_block(j, j + d) == 0
    assert adjacency_block(j, j) == L(j)
    with pytest.raises(ValueError, match="wanted j < i"):
        weight_block(2, 2)


def numeric(matrix, sizes, phi_values, lam_values):
    """A matrix of blocks with numbers put in: each entry by itself, zeros and identities by the sizes of the layers."""
    rows = []
    for r, n_out in enumerate(sizes):
        row = []
        for c, n_in in enumerate(sizes):
            entry = matrix[r, c]
            if entry.is_Number:
                row.append(float(entry) * torch.eye(n_out, n_in, dtype=torch.float64))
            else:
                row.append(substitute(entry, phi_values, lam_values))
        rows.append(torch.cat(row, dim=1))
    return torch.cat(rows)


@given(case=random_blocks(max_blocks=4))
def test_with_numbers_put_in_they_are_the_matrices_of_decomposition(case):
    sizes, B = numbers.layer_sizes(case.phi), len(case.phi)
    lam = [values.diag() for values in case.lam]
    close = {"rtol": 1e-10, "atol": 1e-10}
    Phi = numeric(eigenvector_matrix(B), sizes, case.phi, lam)
    inverse = numeric(inverse_eigenvector_matrix(B), sizes, case.phi, lam)
    A = numeric(adjacency_matrix(B), sizes, case.phi, lam)
    torch.testing.assert_close(Phi, numbers.eigenvector_matrix(case.phi), **close)
    torch.testing.assert_close(inverse, numbers.inverse_eigenvector_matrix(case.phi), **close)
    torch.testing.assert_close(inverse, torch.linalg.inv(Phi), **close)
    torch.testing.assert_close(A, numbers.adjacency_matrix(case.phi, case.lam), **close)
    torch.testing.assert_close(A, Phi @ torch.block_diag(*lam) @ torch.linalg.inv(Phi), **close)


@given(case=random_blocks(min_blocks=2, max_blocks=4))
def test_each_formula_of_a_block_is_the_block_that_decomposition_gives(case):
    lam = [values.diag() for values in case.lam]
    close = {"rtol": 1e-10, "atol": 1e-10}
    for target in range(2, len(case.lam) + 1):
        for source in range(1, target):
            S_ij = substitute(inverse_block(target, source), case.phi, lam)
            W_ij = substitute(weight_block(target, source), case.phi, lam)
            torch.testing.assert_close(S_ij, numbers.inverse_block(case.phi, target - 1, source - 1), **close)
            torch.testing.assert_close(W_ij, numbers.weight_block(case.phi, case.lam, target - 1, source - 1), **close)


@pytest.mark.parametrize("sizes", [(1, 1), (3, 2, 1), (1, 2, 1, 2)])
def test_gradients_flow_through_the_decomposition_as_through_the_product(sizes):
    generator = torch.Generator().manual_seed(0)
    phi_values = [torch.randn(b, a, dtype=torch.float64, generator=generator) for a, b in itertools.pairwise(sizes)]
    lam = [torch.randn(n, dtype=torch.float64, generator=generator) for n in sizes]
    inputs = [*phi_values, *lam]
    for tensor in inputs:
        tensor.requires_grad_()

    def ours(*tensors):
        return numbers.adjacency_matrix(tensors[: len(sizes) - 1], tensors[len(sizes) - 1 :])

    def product(*tensors):
        Phi = numbers.eigenvector_matrix(tensors[: len(sizes) - 1])
        return Phi @ numbers.eigenvalue_matrix(tensors[len(sizes) - 1 :]) @ torch.linalg.inv(Phi)

    assert torch.autograd.gradcheck(ours, inputs)
    weight = torch.randn(sum(sizes), sum(sizes), dtype=torch.float64, generator=generator)
    expected = torch.autograd.grad((weight * product(*inputs)).sum(), inputs)
    torch.testing.assert_close(torch.autograd.grad((weight * ours(*inputs)).sum(), inputs), expected, rtol=1e-10, atol=1e-10)


def test_powers_and_numbers_before_a_block_are_put_in_too():
    value = torch.tensor([[2.0]])
    assert substitute(3 * phi(1) ** 2 - phi(1), [value], []) == 3 * 4 - 2


@pytest.mark.parametrize("expression", [S.One, S.Zero, Symbol("x"), phi(1) + 1])
def test_what_has_no_block_cannot_be_given_numbers(expression):
    with pytest.raises(ValueError, match="has no block to put numbers into"):
        substitute(expression, [torch.eye(2)], [])


def test_another_rule_for_the_coefficients_gives_another_matrix():
    wrong = inverse_eigenvector_matrix(2, coefficient=lambda B, i: [-3, -3, 1][i])
    assert (eigenvector_matrix(2) * wrong).applyfunc(expand) - eye(3) != zeros(3)
