"""What the tests draw (sizes, blocks, networks), and the dense matrices that they compare with.

The dense route is the definition, written with torch.linalg.inv and slices; it shares no code with the package.
"""

from itertools import accumulate, pairwise
from typing import NamedTuple

import torch
from hypothesis import strategies as st
from torch import Tensor, nn

from spectral_lab import SpectralLinear, SpectralNet

ACTIVATIONS = {"relu": torch.relu, "tanh": torch.tanh, "sigmoid": torch.sigmoid}

widths = st.integers(1, 5)
seeds = st.integers(0, 2**31 - 1)
activations = st.sampled_from(list(ACTIVATIONS.values()))


def sizes(min_blocks=1, max_blocks=5):
    """Nodes of B+1 layers, each 1 to 5."""
    return st.lists(widths, min_size=min_blocks + 1, max_size=max_blocks + 1)


def uniform(*shape, generator, dtype=torch.float64):
    """Numbers in [-1, 1]."""
    return 2 * torch.rand(*shape, generator=generator, dtype=dtype) - 1


class Blocks(NamedTuple):
    """Random eigenvectors and eigenvalues with an input (4, N_1) that fits."""

    phi: list[Tensor]
    lam: list[Tensor]
    x: Tensor


def make_blocks(nodes, seed=0, batch=(), dtype=torch.float64):
    """The blocks for given sizes, all over the same leading batch dimensions."""
    generator = torch.Generator().manual_seed(seed)
    phi = [uniform(*batch, n_out, n_in, generator=generator).to(dtype) for n_in, n_out in pairwise(nodes)]
    lam = [uniform(*batch, n, generator=generator).to(dtype) for n in nodes]
    return Blocks(phi, lam, uniform(*batch, 4, nodes[0], generator=generator).to(dtype))


@st.composite
def blocks(draw, min_blocks=1, max_blocks=5, batch=()):
    """float64 blocks of any depth from ``min_blocks`` to ``max_blocks``."""
    return make_blocks(draw(sizes(min_blocks, max_blocks)), draw(seeds), batch)


def randomise(network, seed=0, zeros=0.0, input_eigenvalues=True):
    """Give a network random eigenvectors and eigenvalues, a share ``zeros`` of the hidden ones exactly 0; returns it."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for p in network.parameters():
            p.copy_(uniform(*p.shape, generator=generator, dtype=p.dtype))
        for lam in network.hidden_eigenvalues():
            lam[torch.rand(len(lam), generator=generator) < zeros] = 0
        if not input_eigenvalues:
            network.eigenvalues[0].zero_()
    return network


@st.composite
def networks(draw, min_blocks=1, max_blocks=4, zeros=0.0, dtype=torch.float64, **options):
    """Random SpectralNets over all options; an option that is given is not drawn."""
    drawn = {
        "bias": draw(st.booleans()),
        "activation": draw(activations),
        "update": draw(st.sampled_from(["blocks", "adjacency"])),
    }
    network = SpectralNet(draw(sizes(min_blocks, max_blocks)), dtype=dtype, **(drawn | options))
    return randomise(network, draw(seeds), zeros, input_eigenvalues=draw(st.booleans()))


def inputs(network, n=7, seed=1):
    """n random inputs of a network's width and float type."""
    dtype = network.eigenvalues[0].dtype
    return uniform(n, network.sizes[0], generator=torch.Generator().manual_seed(seed), dtype=dtype)


# -- the dense route -------------------------------------------------------------------------------------------------


def layer_slices(nodes):
    """Where each layer stands among all nodes."""
    ends = list(accumulate(nodes))
    return [slice(end - n, end) for n, end in zip(nodes, ends, strict=True)]


def dense_eigenvectors(phi):
    """Φ_B, put together by slices."""
    places = layer_slices([phi[0].shape[1], *(p.shape[0] for p in phi)])
    Phi = torch.eye(places[-1].stop, dtype=phi[0].dtype)
    for k, p in enumerate(phi):
        Phi[places[k + 1], places[k]] = p
    return Phi


def dense_adjacency(phi, lam):
    """A_B = Φ_B Λ_B Φ_B^{-1}, with the inverse from LAPACK."""
    Phi = dense_eigenvectors(phi)
    return Phi @ torch.diag(torch.cat(list(lam))) @ torch.linalg.inv(Phi)


def dense_signals(x, phi, lam, f, masks=None):
    """a_i = f(Σ_{j<i} A_ij a_j), f left out at the last layer: SPARCS 4.5 read aloud."""
    A, places = dense_adjacency(phi, lam), layer_slices([len(v) for v in lam])
    signals = [x]
    for i in range(1, len(lam)):
        z = sum(signals[j] @ A[places[i], places[j]].T for j in range(i))
        if i < len(lam) - 1:
            z = f(z if masks is None else z * masks[i - 1])
        signals.append(z)
    return signals


@st.composite
def masked_networks(draw, **options):
    """A random network with masks: for each hidden layer a vector of zeros and ones."""
    network = draw(networks(**options))
    return network, draw_masks(network, draw(seeds))


def draw_masks(network, seed=0):
    """Random masks of a network's hidden layers."""
    generator = torch.Generator().manual_seed(seed)
    return [torch.randint(0, 2, (n,), generator=generator).to(network.lam[0].dtype) for n in network.nodes[1:-1]]


def masked_output(network, x, masks):
    """What a network gives without the neurons that are switched off: each holds the constant f(0), whatever it hears."""
    f, places, A = network.activation, layer_slices(network.nodes), dense_adjacency(network.phi, network.lam)
    if network.bias:
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    a = torch.cat([x, x.new_zeros(len(x), len(A) - x.shape[1])], dim=1)
    on = torch.cat([torch.ones_like(network.lam[0]), *masks, torch.ones_like(network.lam[-1])]) != 0
    for i in range(1, len(network.nodes)):
        z, last = a @ A.T, i == len(network.nodes) - 1
        new = z if last else torch.where(on, f(z), f(torch.zeros_like(z)).detach())
        here = torch.zeros(len(A), dtype=torch.bool)
        here[places[i]] = True  # layer after layer, or all at once
        a = torch.where(here, new, a) if network.update == "blocks" else new
    return a[:, places[-1]]


def dense_adjacency_signals(x, phi, lam, f):
    """a ← f(A_B a) B times, f left out the last time, from x at the first layer and zero elsewhere."""
    A, nodes = dense_adjacency(phi, lam), [len(v) for v in lam]
    a = torch.cat([x, x.new_zeros(len(x), sum(nodes[1:]))], dim=1)
    for step in range(len(phi)):
        a = a @ A.T
        if step < len(phi) - 1:
            a = f(a)
    return list(a.split(nodes, dim=1))


def dense_output(network, x):
    """What a SpectralNet must give, by the dense route."""
    if network.bias:
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    rule = dense_signals if network.update == "blocks" else dense_adjacency_signals
    return rule(x, network.phi, network.lam, network.activation)[-1]


# -- stacks of layers ------------------------------------------------------------------------------------------------

KINDS = {
    "plain": nn.Linear,
    "dense": SpectralLinear,
    "student": SpectralLinear.student,
    "svd": SpectralLinear.s_svd,
    "qr": SpectralLinear.s_qr,
}
ACTIVATION_MODULES = [nn.ReLU, nn.ELU, nn.GELU, nn.Tanh, nn.Sigmoid, nn.Identity]


@torch.no_grad()
def make_stack(nodes, seed=0, kinds=("dense",), activation=nn.Tanh, bias=True, silent=0.0, dtype=torch.float64):
    """A stack with random numbers whose layers take turns in the given kinds.

    Of the hidden nodes a share ``silent`` gets no signal or sends none; then the kinds must be dense or plain.
    """
    generator = torch.Generator().manual_seed(seed)
    modules = []
    for k, (n_in, n_out) in enumerate(pairwise(nodes)):
        layer = KINDS[kinds[k % len(kinds)]](n_in, n_out, bias=bias, dtype=dtype)
        for name, p in layer.named_parameters():
            frozen_at_zero = name == "eigenvalues_in" and not p.requires_grad
            p.copy_(torch.zeros_like(p) if frozen_at_zero else uniform(*p.shape, generator=generator).to(dtype))
        modules += [layer, activation()]
    for first, second in pairwise(modules[:-1:2] if silent else []):
        n = len(first.weight)
        deaf, mute = (torch.rand(n, generator=generator) < silent / 2 for _ in range(2))
        phi, after = (layer.weight if isinstance(layer, nn.Linear) else layer.basis.eigenvectors for layer in (first, second))
        phi[deaf] = 0
        after[:, mute] = 0
    return nn.Sequential(*modules[:-1])


@st.composite
def stacks(draw, min_hidden=0, max_hidden=3, kinds=tuple(KINDS), **options):
    """Random stacks over sizes, depths, kinds of layers, activations and biases; an option that is given is not drawn."""
    drawn = {
        "kinds": draw(st.lists(st.sampled_from(kinds), min_size=1, max_size=2)),
        "activation": draw(st.sampled_from(ACTIVATION_MODULES)),
        "bias": draw(st.booleans()),
        "seed": draw(seeds),
    }
    return make_stack(draw(sizes(min_hidden + 1, max_hidden + 1)), **(drawn | options))


def dense_weights(layer):
    """The weights of a layer: read off if it is plain, by the explicit decomposition if it is spectral."""
    if isinstance(layer, nn.Linear):
        return layer.weight
    A = dense_adjacency([layer.eigenvectors], [layer.eigenvalues_in, layer.eigenvalues_out])
    return A[layer.n_in :, : layer.n_in]


@torch.no_grad()
def stack_signals(model, x, keep=None, held=None):
    """Signals of all layers of a stack, activation after activation; nodes that are not kept deliver what they are held at."""
    layers, activations = list(model)[::2], list(model)[1::2]
    signals = [x]
    for k, layer in enumerate(layers):
        z = signals[-1] @ dense_weights(layer).T + (0 if layer.bias is None else layer.bias)
        if k < len(activations):
            z = activations[k](z)
            if keep is not None:
                z = torch.where(keep[k], z, torch.zeros_like(z[0]) if held is None else held[k])
        signals.append(z)
    return signals


@torch.no_grad()
def pruned_signals(network, x, keep=None, held=None):
    """Signals of all nodes of a SpectralNet at each step, each removed node held at 0 or at its value of that step."""
    f, places, A = network.activation, layer_slices(network.nodes), dense_adjacency(network.phi, network.lam)
    if network.bias:
        x = torch.cat([x, torch.ones(len(x), 1, dtype=x.dtype)], dim=1)
    a = torch.cat([x, x.new_zeros(len(x), len(A) - x.shape[1])], dim=1)
    on = torch.ones(len(A), dtype=torch.bool)
    if keep is not None:
        on[places[1].start : places[-1].start] = torch.cat([*keep, on[:0]])
    history = [a]
    for i in range(1, len(network.nodes)):
        z, last = a @ A.T, i == len(network.nodes) - 1
        new = z if last else torch.where(on, f(z), torch.zeros_like(z) if held is None else held[i].expand_as(z))
        here = torch.zeros(len(A), dtype=torch.bool)
        here[places[i]] = True  # layer after layer, or all at once
        a = torch.where(here, new, a) if network.update == "blocks" else new
        history.append(a)
    return history
