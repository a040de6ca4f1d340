r"""The spectral decomposition of a feed-forward network, as pure tensor functions.

A network of B+1 layers with sizes :math:`N_1, \dots, N_{B+1}` is described by B blocks of eigenvector
components, ``eigenvectors[k]`` of shape (N_{k+1}, N_k), and B+1 vectors of eigenvalues, ``eigenvalues[i]`` of
shape (N_i,).  The code counts layers from 0, the papers from 1.  Together they give the adjacency matrix

.. math:: A_B = \Phi_B \Lambda_B \Phi_B^{-1}

of a network in which every layer projects onto every later one (Peri et al., *SPARCS*, Section 4).

Everything here takes tensors and returns tensors, over any leading batch dimensions, float type and device.
Three ways to send a signal through the network stand side by side: :func:`propagate` (builds only the last layer's links),
:func:`propagate_blocks` (builds every block W_ij) and :func:`propagate_adjacency` (applies the whole A_B, B times).
Next, read :mod:`spectral_lab.networks`, which puts these functions into an ``nn.Module``.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import comb

import torch
from torch import Tensor

Activation = Callable[[Tensor], Tensor]
Blocks = Sequence[Tensor]
Weights = dict[tuple[int, int], Tensor]  # {(i, j): the block from layer j to layer i}


def layer_sizes(eigenvectors: Blocks, eigenvalues: Blocks | None = None) -> tuple[int, ...]:
    r"""Sizes N_1 … N_{B+1} of the layers that the blocks describe, after checking that the blocks fit together.

    Raises:
        ValueError: no block, a block that is no matrix, or sizes that do not match (found and wanted are named).
    """
    if len(eigenvectors) == 0:
        raise ValueError("eigenvectors is empty; a network needs at least one block (N_2, N_1)")
    shapes = [tuple(phi.shape) for phi in eigenvectors]
    for k, shape in enumerate(shapes):
        if len(shape) < 2:
            raise ValueError(f"eigenvectors[{k}] has shape {shape}; wanted (..., n_out, n_in)")
        if k and shape[-1] != shapes[k - 1][-2]:
            raise ValueError(
                f"eigenvectors[{k}] takes {shape[-1]} nodes, but eigenvectors[{k - 1}] delivers {shapes[k - 1][-2]}"
            )
    sizes = (shapes[0][-1], *(shape[-2] for shape in shapes))
    if eigenvalues is not None:
        found = tuple([lam.shape[-1] if lam.dim() else 0 for lam in eigenvalues])
        if found != sizes:
            raise ValueError(f"eigenvalues have the sizes {list(found)}; the eigenvectors want {list(sizes)}")
    return sizes


def _assemble(block: Callable[[int, int], Tensor], n_layers: int) -> Tensor:
    """Put ``block(i, j)``, i and j from 0 to n_layers - 1, together to one matrix."""
    rows = [[block(i, j) for j in range(n_layers)] for i in range(n_layers)]
    batch = torch.broadcast_shapes(*(b.shape[:-2] for row in rows for b in row))
    return torch.cat([torch.cat([b.expand(*batch, -1, -1) for b in row], dim=-1) for row in rows], dim=-2)


def eigenvector_matrix(eigenvectors: Blocks) -> Tensor:
    r""":math:`\Phi_B`: the identity plus the blocks φ_k right under the diagonal (SPARCS Fig. 5a).

    Args:
        eigenvectors: B blocks, ``eigenvectors[k]`` of shape (..., N_{k+1}, N_k).

    Returns:
        (..., N, N) with N = N_1 + … + N_{B+1}.
    """
    sizes, like = layer_sizes(eigenvectors), eigenvectors[0]

    def block(i: int, j: int) -> Tensor:
        if i == j + 1:
            return eigenvectors[j]
        return like.new_ones(sizes[i]).diag() if i == j else like.new_zeros(sizes[i], sizes[j])

    return _assemble(block, len(sizes))


def inverse_eigenvector_matrix(eigenvectors: Blocks) -> Tensor:
    r""":math:`\Phi_B^{-1} = \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} \Phi_B^i` (SPARCS 4.1), summed by Horner's rule.

    The binomials alternate and grow like 2^B, so this sum loses about B bits; for deep networks the blocks of
    :func:`inverse_block` hold the same matrix without any cancellation.

    Returns:
        (..., N, N); for B = 1 this is 2I - Φ.
    """
    Phi, B = eigenvector_matrix(eigenvectors), len(eigenvectors)
    eye = Phi.new_ones(Phi.shape[-1]).diag()
    inverse = torch.zeros_like(Phi)
    for i in range(B, -1, -1):
        inverse = inverse @ Phi + (-1) ** i * comb(B + 1, i + 1) * eye
    return inverse


def eigenvalue_matrix(eigenvalues: Blocks) -> Tensor:
    r""":math:`\Lambda_B`, the diagonal matrix of all eigenvalues, layer after layer (SPARCS Fig. 5b): (..., N, N)."""
    batch = torch.broadcast_shapes(*(lam.shape[:-1] for lam in eigenvalues))
    return torch.diag_embed(torch.cat([lam.expand(*batch, -1) for lam in eigenvalues], dim=-1))


def adjacency_matrix(eigenvectors: Blocks, eigenvalues: Blocks) -> Tensor:
    r""":math:`A_B = \Phi_B\Lambda_B\Phi_B^{-1}` (SPARCS Fig. 5c): the W_ij under a diagonal of eigenvalues.

    Assembled from the blocks of 4.3, which is exact for every depth, not by multiplying the three matrices.

    Returns:
        (..., N, N), lower triangular in blocks; the diagonal blocks are the self-loops diag(λ_i).
    """
    sizes = layer_sizes(eigenvectors, eigenvalues)
    weights = weight_blocks(eigenvectors, eigenvalues)

    def block(i: int, j: int) -> Tensor:
        if i == j:
            return torch.diag_embed(eigenvalues[i])
        return weights[i, j] if i > j else eigenvalues[0].new_zeros(sizes[i], sizes[j])

    return _assemble(block, len(sizes))


def _check_layers(i: int, j: int, n_layers: int) -> None:
    if not (0 <= i < n_layers and 0 <= j < n_layers):
        raise ValueError(f"layers (i, j) = ({i}, {j}) do not exist; layers are counted from 0 to {n_layers - 1}")


def inverse_block(eigenvectors: Blocks, i: int, j: int) -> Tensor:
    r"""The block S_ij of :math:`\Phi_B^{-1}` (SPARCS 4.2, B.11), layers counted from 0.

    .. math:: S_{ij} = (-1)^{i-j}\, \varphi_{i-1} \varphi_{i-2} \cdots \varphi_j \quad (j < i)

    the identity for i = j and zero for j > i.  Shape (..., N_i, N_j).

    Raises:
        ValueError: i or j is not the number of a layer.
    """
    sizes, like = layer_sizes(eigenvectors), eigenvectors[0]
    _check_layers(i, j, len(sizes))
    if j > i:
        return like.new_zeros(sizes[i], sizes[j])
    S = like.new_ones(sizes[i]).diag()
    for k in range(i - 1, j - 1, -1):
        S = -S @ eigenvectors[k]
    return S


def _adjacent(phi: Tensor, lam_in: Tensor, lam_out: Tensor) -> Tensor:
    """The weights between adjacent layers, w_mn = (λ_n^in - λ_m^out) φ_mn (PRE Eq. 2)."""
    return phi * (lam_in.unsqueeze(-2) - lam_out.unsqueeze(-1))


def weight_block(eigenvectors: Blocks, eigenvalues: Blocks, i: int, j: int) -> Tensor:
    r"""The weights W_ij from layer j to a later layer i (SPARCS 4.3, C.6), layers counted from 0.

    .. math:: W_{ij} = (-1)^{i-1-j} [\varphi_{i-1} L_{i-1} - L_i \varphi_{i-1}]\, \varphi_{i-2} \cdots \varphi_j

    For adjacent layers w_mn = (λ_n^in - λ_m^out) φ_mn (PRE Eq. 2).  Shape (..., N_i, N_j).

    Raises:
        ValueError: i or j is not the number of a layer, or j is not before i.
    """
    _check_layers(i, j, len(layer_sizes(eigenvectors, eigenvalues)))
    if j >= i:
        raise ValueError(f"links go from a layer to a later one; found j = {j} and i = {i}, wanted j < i")
    W = _adjacent(eigenvectors[i - 1], eigenvalues[i - 1], eigenvalues[i])
    for k in range(i - 2, j - 1, -1):
        W = -W @ eigenvectors[k]
    return W


def weight_blocks(eigenvectors: Blocks, eigenvalues: Blocks) -> Weights:
    r"""Every block W_ij as ``{(i, j): W_ij}``, j < i, each from its neighbour: W_ij = -W_{i,j+1} φ_j."""
    layer_sizes(eigenvectors, eigenvalues)
    return _weight_blocks(eigenvectors, eigenvalues)


def _weight_blocks(eigenvectors: Blocks, eigenvalues: Blocks) -> Weights:
    weights: Weights = {}
    for i in range(1, len(eigenvalues)):
        W = weights[i, i - 1] = _adjacent(eigenvectors[i - 1], eigenvalues[i - 1], eigenvalues[i])
        for j in range(i - 2, -1, -1):
            W = weights[i, j] = -W @ eigenvectors[j]
    return weights


def _check_input(x: Tensor, n_in: int) -> None:
    if x.dim() == 0 or x.shape[-1] != n_in:
        raise ValueError(f"the input has shape {tuple(x.shape)}; the first layer wants (..., {n_in})")


def _row(values: Tensor) -> Tensor:
    """Eigenvalues (..., n) as a row that multiplies signals (..., batch, n)."""
    return values if values.dim() == 1 else values.unsqueeze(-2)


def propagate(
    x: Tensor,
    eigenvectors: Blocks,
    eigenvalues: Blocks,
    activation: Activation = torch.relu,
    masks: Blocks | None = None,
    *,
    silent_input: bool = False,
) -> list[Tensor]:
    r"""Signals of all layers under SPARCS 4.5, a_i = f(Σ_{j<i} W_ij a_j), without building the W_ij.

    Forward substitution with Φ_B, interleaved with f: with u = a_1 at the first layer and then layer by layer

    .. math:: v = \varphi u, \quad z = \varphi (\lambda^{in} \odot u) - \lambda^{out} \odot v, \quad
              a = f(z), \quad u' = a - v

    Two matrix products a layer, so the cost grows linearly with depth.  The last layer has no f and hands no u' on: there one
    product is enough, z = [φ L^{in} - L^{out} φ] u, with the weights between adjacent layers (4.3).

    Args:
        x: input, (..., N_1); with batched eigenvectors (..., batch, N_1).
        eigenvectors, eigenvalues: as in the module's head.
        activation: f, applied element by element.
        masks: per hidden layer a vector of N_i zeros and ones; a zero cuts all links into that node, so that it
            delivers the constant f(0).
        silent_input: λ_1 is known to be 0, and its product, which is then 0 too, is left out: half the work of a first
            layer, which behind images is nearly all of it.  λ_1 gets no gradient.

    Returns:
        [a_1, …, a_{B+1}]; the last one is the network's output.
    """
    sizes = layer_sizes(eigenvectors, eigenvalues)
    _check_input(x, sizes[0])
    u, signals = x, [x]
    *inner, last = eigenvectors
    for k, phi in enumerate(inner):
        v = u @ phi.mT
        z = -_row(eigenvalues[k + 1]) * v
        if k or not silent_input:
            z = (u * _row(eigenvalues[k])) @ phi.mT + z
        a = activation(z if masks is None else z * _row(masks[k]))
        signals.append(a)
        u = a - v
    return [*signals, u @ _adjacent(last, eigenvalues[-2], eigenvalues[-1]).mT]


def propagate_blocks(
    x: Tensor,
    eigenvectors: Blocks,
    eigenvalues: Blocks,
    activation: Activation = torch.relu,
    masks: Blocks | None = None,
) -> list[Tensor]:
    r"""The same signals as :func:`propagate`, from the explicit blocks: a_i = f(Σ_{j<i} W_ij a_j) (SPARCS 4.5).

    Costs O(B²) blocks; cheaper than the recurrence for shallow networks with narrow inputs.
    """
    sizes = layer_sizes(eigenvectors, eigenvalues)
    _check_input(x, sizes[0])
    weights = _weight_blocks(eigenvectors, eigenvalues)
    signals = [x]
    for i in range(1, len(sizes)):
        z = signals[0] @ weights[i, 0].mT
        for j in range(1, i):
            z = z + signals[j] @ weights[i, j].mT
        if i < len(sizes) - 1:
            z = activation(z if masks is None else z * _row(masks[i - 1]))
        signals.append(z)
    return signals


def propagate_adjacency(
    x: Tensor,
    eigenvectors: Blocks,
    eigenvalues: Blocks,
    activation: Activation = torch.relu,
    masks: Blocks | None = None,
) -> list[Tensor]:
    r"""The other update rule of SPARCS Section 4: the whole matrix B times, a ← f(A_B a), f left out the last time.

    The first signal is x on the first layer and zero elsewhere.  A_B has self-loops, so signals decay or grow where
    they stand, and f acts on the input nodes too.  A_B a = Φ(Λ(Φ^{-1} a)) is applied by substitution, never built.

    Returns:
        The final signals of all layers; the last one is the network's output.
    """
    sizes, B = layer_sizes(eigenvectors, eigenvalues), len(eigenvectors)
    _check_input(x, sizes[0])
    signals = [x, *(x.new_zeros(*x.shape[:-1], n) for n in sizes[1:])]
    for step in range(B):
        u = signals[0]
        z = [_row(eigenvalues[0]) * u]
        for k, phi in enumerate(eigenvectors):
            v = u @ phi.mT
            carried = (u * _row(eigenvalues[k])) @ phi.mT
            u = signals[k + 1] - v
            z.append(carried + _row(eigenvalues[k + 1]) * u)
        if masks is not None:
            z[1:-1] = [z_i * _row(mask) for z_i, mask in zip(z[1:-1], masks, strict=True)]
        signals = z if step == B - 1 else [activation(z_i) for z_i in z]
    return signals


def path_strengths(weights: Weights, n_layers: int) -> tuple[list[Tensor], Tensor]:
    r"""How much can pass through each hidden node, and through all of them: slices and norm of the path tensor Γ.

    A path is a chain of links from an input to an output node; its entry in Γ is the product of its weights.
    For one hidden layer this is the Γ_ijk = [W_32]_ij [W_21]_jk of SPARCS E.1, so node j has the strength
    ‖W_out[:, j]‖·‖W_in[j]‖.  For deeper networks paths of every length count:
    with :math:`p_n` the sum of squared products over the paths that reach node n, and :math:`q_n` over those that
    leave it, the strength of n is :math:`\sqrt{p_n q_n}`, the Frobenius norm of its slice of Γ.

    Args:
        weights: {(i, j): W_ij (..., N_i, N_j)}; adjacent layers at least, other missing blocks are zero.
        n_layers: B + 1.

    Returns:
        ([strength of each node (..., N_i) for every hidden layer], ‖Γ‖ over all paths that visit a hidden node (...)).
    """
    squares = {ij: W.square() for ij, W in weights.items()}
    first, last = squares[1, 0], n_layers - 1
    reach = [first.new_ones(*first.shape[:-2], first.shape[-1], 1)]  # p_n, as columns
    for i in range(1, n_layers):
        reach.append(torch.stack([squares[i, j] @ reach[j] for j in range(i) if (i, j) in squares]).sum(0))
    leave = {last: torch.ones_like(reach[last])}  # q_n
    for j in range(last - 1, 0, -1):
        leave[j] = torch.stack([squares[i, j].mT @ leave[i] for i in leave if (i, j) in squares]).sum(0)
    strengths = [(reach[i] * leave[i]).sqrt().squeeze(-1) for i in range(1, last)]
    # A path visits a hidden node exactly when its last link does not come straight from the input.
    arriving = [(squares[last, j] @ reach[j]).sum((-1, -2)) for j in range(1, last) if (last, j) in squares]
    return strengths, torch.stack(arriving).sum(0).sqrt() if arriving else first.new_zeros(first.shape[:-2])
