r"""Any network that can be pruned, unfolded into direct space: weights, biases and activations of its layers.

:class:`~spectral_lab.networks.SpectralNet`, :class:`~spectral_lab.direct.DirectNet` and stacks
(:mod:`spectral_lab.stacks`) all compute

.. math:: a_i = f_i\Big(b_i + \sum_{j<i} W_{ij} a_j\Big)

with f the identity at the output.  :func:`unfold` finds these tensors; what is said about them here holds for all three.
A removed node delivers a constant in place of a_n, usually 0: the links out of it are cut, as in Pruning.
Next, read :mod:`spectral_lab.rankings`, :mod:`spectral_lab.pruning` and :mod:`spectral_lab.curves`.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from copy import deepcopy
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from spectral_lab.decomposition import Activation, Weights
from spectral_lab.direct import DirectNet, Settled, settle
from spectral_lab.networks import SpectralNet
from spectral_lab.stacks import read_stack


@dataclass(frozen=True)
class Unfolded:
    """A network in direct space; its tensors share no memory with the model that could be written to.

    Under the "adjacency" rule of a SpectralNet each application of A_B is one layer, so that a hidden node stands in several.
    """

    weights: Weights  # {(i, j): W_ij (N_i, N_j)}
    nodes: tuple[int, ...]  # N_i, the bias node of a SpectralNet included
    biases: list[Tensor]  # b_i (N_i,) of every layer but the first
    activations: list[Activation]  # of every hidden layer
    hidden: tuple[int, ...]  # sizes of the model's hidden layers
    before: int | None  # nodes that stand before the first hidden one in each layer; None where layers are hidden layers
    constant_inputs: Tensor  # (N_0,) which inputs have the constant value 1
    enter: Callable[[Tensor], Tensor]  # from the model's input to the first layer's signal
    leave: Callable[[Tensor], Tensor]  # from the last layer's signal to the model's output

    @property
    def n_hidden(self) -> int:
        """Hidden nodes of the model."""
        return sum(self.hidden)

    def spread(self, values: Sequence[Tensor], other: float) -> list[Tensor]:
        """One vector for each hidden layer of the model → one for each unfolded layer, ``other`` at all other nodes."""
        if self.before is None or not values:
            return list(values)
        first = values[0].new_full((self.before,), other)
        last = values[0].new_full((self.nodes[-1],), other)
        return [torch.cat([first, *values, last])] * (len(self.nodes) - 2)

    def gather(self, values: Sequence[Tensor]) -> list[list[Tensor]]:
        """The way back: for each hidden layer of the model its slices of the unfolded layers' vectors (..., N_i)."""
        if self.before is None:
            return [[value] for value in values]
        slices = [value[..., self.before : self.before + self.n_hidden].split(self.hidden, dim=-1) for value in values]
        return [list(parts) for parts in zip(*slices, strict=True)]

    def signals(self, x: Tensor, keep: Sequence[Tensor] | None = None, held: Sequence[Tensor] | None = None) -> list[Tensor]:
        """Signals of all unfolded layers for the model's input x.

        Args:
            x: (batch, …).
            keep: per hidden layer of the model which nodes stay, boolean; the others deliver what they are ``held`` at.
            held: per hidden *unfolded* layer the constants; None is 0.
        """
        masks = None if keep is None else self.spread(keep, True)
        found = [self.enter(x)]
        for i in range(1, len(self.nodes)):
            z = self.biases[i - 1] + sum(found[j] @ self.weights[i, j].mT for j in range(i) if (i, j) in self.weights)
            if i < len(self.nodes) - 1:
                z = self.activations[i - 1](z)
                if masks is not None:
                    z = torch.where(masks[i - 1], z, z.new_zeros(()) if held is None else held[i - 1])
            found.append(z)
        return found

    def output(self, x: Tensor, keep: Sequence[Tensor] | None = None, held: Sequence[Tensor] | None = None) -> Tensor:
        """What the model, or what is left of it, answers to x."""
        return self.leave(self.signals(x, keep, held)[-1])

    def settled(self) -> Settled:
        """Which nodes are constant, and which ones the output feels."""
        return settle(self.weights, self.nodes, self.constant_inputs, self.activations, self.biases)

    def held_at_means(self, x: Tensor) -> list[Tensor]:
        """What each node of each hidden unfolded layer delivers on average over x; a constant node exactly its constant."""
        means = [a.flatten(0, -2).mean(0) for a in self.signals(x)[1:-1]]
        known = self.settled()
        return [torch.where(c, v, m) for c, v, m in zip(known.constant[1:-1], known.values[1:-1], means, strict=True)]

    def is_exact(self, keep: Sequence[Tensor], held: Sequence[Tensor] | None = None) -> bool:
        """Whether no output can change when all nodes but ``keep`` are held: each is constant and held there, or unfelt."""
        known = self.settled()
        for i, stays in enumerate(self.spread(keep, True), 1):
            value = torch.zeros_like(known.values[i]) if held is None else held[i - 1]
            same = known.constant[i] & (known.values[i] == value)
            if not bool((stays | same | ~known.felt[i]).all()):
                return False
        return True

    def cut(self, keep: Sequence[Tensor], held: Sequence[Tensor] | None = None) -> tuple[Weights, list[Tensor]]:
        """Weights without links out of the removed nodes, and biases that carry what these are held at."""
        weights, biases = dict(self.weights), list(self.biases)
        for j, stays in enumerate(self.spread(keep, True), 1):
            for i in range(j + 1, len(self.nodes)):
                if (i, j) in weights:
                    if held is not None:
                        biases[i - 1] = biases[i - 1] + weights[i, j][:, ~stays] @ held[j - 1][~stays]
                    weights[i, j] = torch.where(stays, weights[i, j], 0)
        return weights, biases


@torch.no_grad()
def unfold(model: nn.Module) -> Unfolded:
    """A network in direct space; the model stays as it is.

    Raises:
        TypeError, ValueError: no network that can be pruned (:func:`~spectral_lab.stacks.read_stack`), or parameters that are
            NaN or infinite.
    """
    for name, p in model.named_parameters():
        if not bool(p.isfinite().all()):
            raise ValueError(
                f"the parameter {name} has {int((~p.isfinite()).sum())} values that are NaN or infinite; go back to a state "
                "before the training diverged"
            )
    if isinstance(model, SpectralNet):
        return _unfold_spectral(model)
    return _unfold_direct(model) if isinstance(model, DirectNet) else _unfold_stack(model)


def _unfold_spectral(model: SpectralNet) -> Unfolded:
    weights, nodes = model.unrolled()
    like = weights[1, 0]
    constant = torch.zeros(nodes[0], dtype=torch.bool, device=like.device)
    constant[nodes[0] - model.bias :] = True
    biases = [like.new_zeros(n) for n in nodes[1:]]
    activations = [model.activation] * (len(nodes) - 2)
    before = nodes[0] if model.update == "adjacency" else None
    hidden = model.nodes[1:-1]
    return Unfolded(weights, nodes, biases, activations, hidden, before, constant, model.with_bias, lambda z: z)


def _unfold_direct(model: DirectNet) -> Unfolded:
    nodes = model.nodes
    like = next(iter(model.weights.values()))
    weights = {(i, j): W.clone() for i in range(len(nodes)) for j in range(i) if (W := model.weight(i, j)) is not None}
    for i in range(1, len(nodes)):
        weights.setdefault((i, i - 1), like.new_zeros(nodes[i], nodes[i - 1]))
    biases = [model.biases[str(i)].clone() if str(i) in model.biases else like.new_zeros(n) for i, n in enumerate(nodes)][1:]
    constant = torch.zeros(nodes[0], dtype=torch.bool, device=like.device)
    activations = [model.activation] * (len(nodes) - 2)
    return Unfolded(weights, nodes, biases, activations, nodes[1:-1], None, constant, lambda x: x, lambda z: z)


def _unfold_stack(model: nn.Module) -> Unfolded:
    stack = read_stack(model)
    weights = {(k + 1, k): layer.weight.detach().clone() for k, layer in enumerate(stack.layers)}
    biases = []
    for k, layer in enumerate(stack.layers):
        biases.append(weights[k + 1, k].new_zeros(stack.sizes[k + 1]) if layer.bias is None else layer.bias.detach().clone())
    activations = [_out_of_place(stack.activation(k)) for k in range(len(stack.layers) - 1)]
    constant = torch.zeros(stack.sizes[0], dtype=torch.bool, device=weights[1, 0].device)
    hidden = stack.sizes[1:-1]
    enter, leave = (_out_of_place(deepcopy(part).eval()) for part in (stack.head, stack.tail))  # whatever stands there
    return Unfolded(weights, stack.sizes, biases, activations, hidden, None, constant, enter, leave)


def _out_of_place(f: nn.Module) -> Activation:
    """The same function, even if a module of it has inplace=True and would write over its argument."""
    return lambda z: f(z.clone())
