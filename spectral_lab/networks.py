r"""Networks that are trained through eigenvalues and eigenvectors.

:class:`SpectralNet` is the network of SPARCS (Peri et al.): every layer projects onto every later one, and all those
weights are made from one block of eigenvectors per pair of adjacent layers and one eigenvalue per node.  It starts
as a perceptron (hidden eigenvalues 0) and recruits hidden nodes by moving their eigenvalues away from 0.

:meth:`SpectralNet.compact` gives what is left when training is over, a :class:`~spectral_lab.direct.DirectNet`.
Below this module lies :mod:`spectral_lab.decomposition` with the formulas; next, read :mod:`spectral_lab.topology`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from functools import lru_cache
from itertools import pairwise
from typing import Any, Literal

import psutil
import torch
from torch import Tensor, nn

from spectral_lab.decomposition import (
    Activation,
    Weights,
    adjacency_matrix,
    path_strengths,
    propagate,
    propagate_adjacency,
    propagate_blocks,
    weight_block,
    weight_blocks,
)
from spectral_lab.direct import DirectNet, without_constant_nodes

# Activations that have a name, so that a network can be written to a file and read back without running code from it.
ACTIVATIONS: dict[str, Activation] = {
    "relu": torch.relu,
    "tanh": torch.tanh,
    "sigmoid": torch.sigmoid,
    "elu": nn.functional.elu,
    "gelu": nn.functional.gelu,
}


def activation_name(activation: Activation) -> str:
    """The name of an activation, for files.

    Raises:
        ValueError: it is not one of :data:`ACTIVATIONS`.
    """
    name = next((name for name, f in ACTIVATIONS.items() if f is activation), None)
    if name is None:
        raise ValueError(f"activation {activation!r} has no name to store; use one of {sorted(ACTIVATIONS)}")
    return name


@lru_cache(maxsize=1024)
def recurrence_is_cheaper(sizes: tuple[int, ...], batch: int, silent_input: bool = False) -> bool:
    r"""Whether :func:`~spectral_lab.decomposition.propagate` needs fewer multiplications than the explicit blocks.

    The recurrence does two products batch × N_k × N_{k+1} a layer, or one in the first layer if λ_1 = 0, and one in the last,
    whose weights it builds; the blocks must all be built once, N_i N_{j+1} N_j each, and then applied, batch × N_i N_j each.
    """
    *inner, last = (n * m for n, m in pairwise(sizes))
    passed_once = sum(inner[:1]) if silent_input else 0
    recurrence = last + batch * (2 * sum(inner) - passed_once + last)
    pairs = [(i, j) for i in range(1, len(sizes)) for j in range(i)]
    blocks = sum(inner) + last + sum(batch * sizes[i] * sizes[j] for i, j in pairs)
    blocks += sum(sizes[i] * sizes[j + 1] * sizes[j] for i, j in pairs if i - j > 1)
    return recurrence < blocks


def check_sizes(sizes: Sequence[int]) -> tuple[int, ...]:
    """The sizes as a tuple, after checking that they are two or more whole numbers of at least 1.

    Raises:
        ValueError: with the offending value and its place.
    """
    sizes = tuple(sizes)
    if len(sizes) < 2:
        raise ValueError(f"sizes = {list(sizes)}; wanted at least an input and an output layer, e.g. [2, 30, 1]")
    for i, n in enumerate(sizes):
        if isinstance(n, bool) or not isinstance(n, int) or n < 1:
            raise ValueError(f"sizes[{i}] = {n!r}; wanted a whole number of nodes, at least 1")
    return sizes


def available_memory(device: torch.device) -> float:
    """Bytes that are free on a device; the device "meta" holds no numbers, and any number of them."""
    if device.type == "cuda":
        return torch.cuda.mem_get_info(device)[0]
    return math.inf if device.type == "meta" else psutil.virtual_memory().available


def check_memory(sizes: Sequence[int], dtype: torch.dtype, device: torch.device) -> None:
    """Refuse a network that cannot be trained in the memory at hand, before anything is allocated.

    Training keeps four copies of every parameter: the value, its gradient and the two moments of Adam.

    Raises:
        MemoryError: naming the estimate, what is available, and the cure.
    """
    parameters = sum(n * m for n, m in pairwise(sizes)) + sum(sizes)
    wanted, available = 4 * parameters * dtype.itemsize, available_memory(device)
    if wanted > available:
        raise MemoryError(
            f"a network of sizes {list(sizes)} has {parameters:,} parameters and needs about {wanted / 2**30:,.1f} GiB to be "
            f"trained; {available / 2**30:,.1f} GiB are available on {device}. Take smaller layers."
        )


class SpectralNet(nn.Module):
    r"""A network of any depth whose weights are spectral: :math:`A_B = \Phi_B\Lambda_B\Phi_B^{-1}` (SPARCS 4.3, 4.5).

    At the start it is a perceptron: eigenvectors Xavier-uniform, all eigenvalues 0 but those of the last layer, which
    are 1 (SPARCS Section 4); then only the links from input to output carry a signal.

    >>> network = SpectralNet([2, 300, 1])
    >>> network.eigenvectors[0].shape, network.eigenvalues[1].shape
    (torch.Size([300, 3]), torch.Size([300]))
    >>> sum(p.numel() for p in network.parameters())  # 300*3 + 300*1 eigenvectors, 3 + 300 + 1 eigenvalues
    1504

    Args:
        sizes: nodes of each layer, input first, without the bias node; two layers or more.
        bias: add one node of constant value 1 to the first layer (SPARCS App. E).
        activation: f, applied element by element to the hidden layers; none at the output.
        update: "blocks" for a_i = f(Σ W_ij a_j) (SPARCS 4.5); "adjacency" for a ← f(A_B a), B times, with self-loops.
        train_input_eigenvalues: False keeps λ_1 = 0 for good (SPARCS Section 5); then a hidden eigenvalue 0 is silence.
        generator: source of the initial eigenvectors; None is torch's default generator.
        device, dtype: of the parameters.

    Raises:
        ValueError: sizes that are no positive whole numbers, an unknown update rule.
        MemoryError: training would need more memory than there is.
    """

    def __init__(
        self,
        sizes: Sequence[int],
        *,
        bias: bool = True,
        activation: Activation = torch.relu,
        update: Literal["blocks", "adjacency"] = "blocks",
        train_input_eigenvalues: bool = True,
        generator: torch.Generator | None = None,
        device: torch.device | str | None = None,
        dtype: torch.dtype | None = None,
    ) -> None:
        super().__init__()
        sizes = check_sizes(sizes)
        if update not in ("blocks", "adjacency"):
            raise ValueError(f"update = {update!r}; wanted 'blocks' or 'adjacency'")
        if not callable(activation):
            raise ValueError(f"activation = {activation!r}; wanted a function of tensors, e.g. torch.relu")
        device = torch.device(device) if device is not None else torch.get_default_device()
        dtype = dtype or torch.get_default_dtype()
        nodes = (sizes[0] + bias, *sizes[1:])
        check_memory(nodes, dtype, device)
        self.sizes, self.nodes, self.bias, self.activation, self.update = sizes, nodes, bias, activation, update
        self.eigenvectors = nn.ParameterList(
            torch.empty(n_out, n_in, device=device, dtype=dtype) for n_in, n_out in pairwise(nodes)
        )
        self.eigenvalues = nn.ParameterList(torch.empty(n, device=device, dtype=dtype) for n in nodes)
        self.eigenvalues[0].requires_grad_(train_input_eigenvalues)
        self.reset_parameters(generator)

    @torch.no_grad()
    def reset_parameters(self, generator: torch.Generator | None = None) -> None:
        """Back to the perceptron start; with a generator in the same state, to the same numbers on every device."""
        for phi in self.eigenvectors:
            bound = (6 / sum(phi.shape)) ** 0.5  # Xavier-uniform
            source = generator.device if generator is not None else phi.device
            phi.copy_(torch.empty(phi.shape, dtype=phi.dtype, device=source).uniform_(-bound, bound, generator=generator))
        for lam in self.eigenvalues:
            lam.zero_()
        self.eigenvalues[-1].fill_(1.0)

    def extra_repr(self) -> str:
        """Sizes and options, as in the constructor."""
        return f"{list(self.sizes)}, bias={self.bias}, update={self.update!r}"

    @property
    def phi(self) -> list[Tensor]:
        """The eigenvector blocks as a plain list, for :mod:`spectral_lab.decomposition`."""
        return list(self.eigenvectors)

    @property
    def lam(self) -> list[Tensor]:
        """The eigenvalues of all layers as a plain list, for :mod:`spectral_lab.decomposition`."""
        return list(self.eigenvalues)

    def with_bias(self, x: Tensor) -> Tensor:
        """The input (..., n_in) with the value 1 for the bias node behind it, if there is one."""
        if x.dim() == 0 or x.shape[-1] != self.sizes[0]:
            raise ValueError(f"the input has shape {tuple(x.shape)}; this network wants (..., {self.sizes[0]})")
        return nn.functional.pad(x, (0, 1), value=1.0) if self.bias else x

    def signals(self, x: Tensor, masks: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Signals of every layer, input (with its bias node) and output included.

        Args:
            x: (..., n_in).
            masks: per hidden layer a vector of zeros and ones; a zero cuts all links into that node, see
                :func:`~spectral_lab.decomposition.propagate`.
        """
        x, phi, lam = self.with_bias(x), self.phi, self.lam
        if self.update == "adjacency":
            return propagate_adjacency(x, phi, lam, self.activation, masks)
        batch = x.shape[:-1].numel() // lam[0].shape[:-1].numel()  # rows a network, where many are stacked
        silent = self.has_silent_input()
        if recurrence_is_cheaper(self.nodes, batch, silent):
            return propagate(x, phi, lam, self.activation, masks, silent_input=silent)
        return propagate_blocks(x, phi, lam, self.activation, masks)

    def has_silent_input(self) -> bool:
        """Whether λ_1 = 0 and stays so: frozen, and looked at, since a trained λ_1 can be frozen too.

        Only at an own parameter: what ``torch.func`` puts in its place may be of many networks, and cannot be looked at.
        """
        lam = self.eigenvalues[0]
        return isinstance(lam, nn.Parameter) and not lam.requires_grad and not lam.count_nonzero()

    def forward(self, x: Tensor) -> Tensor:
        """Output (..., n_out) for the input x (..., n_in).  No softmax, no activation at the last layer."""
        return self.signals(x)[-1]

    def weight(self, i: int, j: int) -> Tensor:
        """The weights W_ij (N_i, N_j) from layer j to a later layer i, counted from 0; the bias node is the last of layer 0."""
        return weight_block(self.phi, self.lam, i, j)

    def weights(self) -> Weights:
        """All the blocks W_ij as ``{(i, j): W_ij}``."""
        return weight_blocks(self.phi, self.lam)

    def adjacency(self) -> Tensor:
        r""":math:`A_B` over all nodes, self-loops included: (N, N)."""
        return adjacency_matrix(self.phi, self.lam)

    def hidden_eigenvalues(self) -> list[Tensor]:
        """The eigenvalues of the hidden layers, λ_2 … λ_B in the paper's count."""
        return self.lam[1:-1]

    def penalised_eigenvalues(self) -> dict[str, Tensor]:
        """What the regulariser of SPARCS 4.4 acts on: the trainable eigenvalues of all layers but the last, by name."""
        return {f"eigenvalues.{i}": lam for i, lam in enumerate(self.lam[:-1]) if lam.requires_grad}

    def config(self) -> dict[str, Any]:
        """The constructor's arguments in JSON's types.

        Raises:
            ValueError: the activation is not one of :data:`ACTIVATIONS`, so it has no name that a file could hold.
        """
        return {
            "sizes": list(self.sizes),
            "bias": self.bias,
            "activation": activation_name(self.activation),
            "update": self.update,
            "train_input_eigenvalues": self.eigenvalues[0].requires_grad,
            "dtype": str(self.eigenvalues[0].dtype).removeprefix("torch."),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> SpectralNet:
        """A network in its perceptron start from what :meth:`config` gave.

        Raises:
            ValueError: a name or value that :meth:`config` cannot have written.
        """
        config = dict(config)
        try:
            activation = ACTIVATIONS[config.pop("activation")]
            dtype = {"float32": torch.float32, "float64": torch.float64, "bfloat16": torch.bfloat16, "float16": torch.float16}[
                config.pop("dtype")
            ]
            return cls(config.pop("sizes"), activation=activation, dtype=dtype, **config)
        except (KeyError, TypeError) as error:
            raise ValueError(f"this is no description of a SpectralNet: {error}") from error

    @torch.no_grad()
    def compact(self, threshold: float = 0.0, masks: Sequence[Tensor] | None = None) -> DirectNet:
        """The plain network with the same outputs, from which silent nodes and layers are physically gone.

        A hidden node is removed when its value does not depend on the input (its constant goes into the next biases) or
        when nothing that it feeds reaches the output.  The skip links stay: deleting the rows of dead nodes from the
        eigenvectors would change them, since W_31 = -W_32 φ_1 sums over all hidden nodes.

        Args:
            threshold: first cut the links into all hidden nodes whose path strength is at most this
                (:func:`~spectral_lab.decomposition.path_strengths`); 0 changes nothing that the output can see.
            masks: per hidden layer a vector of zeros and ones; a zero cuts that node's incoming links likewise.

        Returns:
            The network, with what was done in its ``report``.

        Raises:
            ValueError: a negative threshold or NaN.
        """
        if not threshold >= 0:
            raise ValueError(f"threshold = {threshold}; wanted a path strength of at least 0")
        weights, nodes = self.unrolled()
        strengths, _ = path_strengths(weights, len(nodes))
        loud = [s > threshold for s in strengths]
        exact = not any(bool((s[~keep] != 0).any()) for s, keep in zip(strengths, loud, strict=True))
        if masks is not None:
            stay, missed = self._masks_unrolled(masks), _missed(weights, nodes, strengths, self.activation)
            exact = exact and not any(bool(m[~keep].any()) for m, keep in zip(missed, stay, strict=True))
            weights = {(i, j): W * stay[i - 1][:, None] if i < len(nodes) - 1 else W for (i, j), W in weights.items()}
        constant = torch.zeros(nodes[0], dtype=torch.bool, device=weights[1, 0].device)
        if self.bias:
            constant[-1] = True
        before = sum(p.numel() for p in self.parameters())
        return without_constant_nodes(weights, nodes, constant, loud, self.activation, exact, before)

    def _masks_unrolled(self, masks: Sequence[Tensor]) -> list[Tensor]:
        if self.update == "blocks":
            return [mask != 0 for mask in masks]
        first, last = (torch.ones_like(self.lam[i]) for i in (0, -1))
        return [torch.cat([first, *masks, last]) != 0] * (len(self.eigenvectors) - 1)

    def unrolled(self) -> tuple[Weights, tuple[int, ...]]:
        """Own copies of the weights of a network without self-loops that computes the same, and its layers' sizes.

        Under the "adjacency" rule each application of A_B to all nodes becomes one layer.
        """
        if self.update == "blocks":
            return {ij: W.clone() for ij, W in self.weights().items()}, self.nodes
        A, B = self.adjacency(), len(self.eigenvectors)
        n_in, n_out = self.nodes[0], self.nodes[-1]
        weights = {(t + 1, t): A.clone() for t in range(B)}
        weights[1, 0] = weights[1, 0][:, :n_in]
        weights[B, B - 1] = weights[B, B - 1][-n_out:]
        return weights, (n_in, *[len(A)] * (B - 1), n_out)


def find_spectral(network: nn.Module) -> tuple[str, SpectralNet] | None:
    """The one SpectralNet that a network is or contains, for example as the head of a CNN, with its name in there.

    >>> name, head = find_spectral(nn.Sequential(nn.Flatten(), SpectralNet([64, 20, 10])))
    >>> name, head.sizes
    ('1', (64, 20, 10))

    Returns:
        Name and module, the name of the network itself being ""; None where there is no SpectralNet or more than one, of
        which none is chosen.
    """
    found = [(name, module) for name, module in network.named_modules() if isinstance(module, SpectralNet)]
    return found[0] if len(found) == 1 else None


def usually_penalised(network: nn.Module) -> list[str]:
    """Names of the eigenvalues that the regulariser acts on unless others are named; see :func:`find_spectral`."""
    found = find_spectral(network)
    if found is None:
        return []
    name, spectral = found
    return [f"{name}.{key}" if name else key for key in spectral.penalised_eigenvalues()]


def _missed(weights: Weights, nodes: tuple[int, ...], strengths: list[Tensor], activation: Activation) -> list[Tensor]:
    """Which hidden nodes the output would miss: a signal passes through them or, where f(0) ≠ 0, what constants say."""
    if not strengths or not bool(activation(torch.zeros_like(strengths[0])).any()):
        return [s != 0 for s in strengths]
    inner = range(1, len(nodes) - 1)
    flooded = weights | {(i, 0): weights[1, 0].new_ones(nodes[i], nodes[0]) for i in inner}  # everybody hears something
    heard, _ = path_strengths(flooded, len(nodes))
    hears = [torch.cat([weights[i, j] for j in range(i) if (i, j) in weights], 1).any(1) for i in inner]
    return [(h != 0) & any_link for h, any_link in zip(heard, hears, strict=True)]
