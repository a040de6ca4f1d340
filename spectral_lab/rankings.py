r"""Rankings of hidden nodes: a score for each, the least relevant node with the lowest.

===================  ===============================================================  =========================================
name                 score of node i                                                  source
===================  ===============================================================  =========================================
"eigenvalue"         :math:`|\lambda^{out}_i|`                                        Pruning, Section VI
"eigenvalue_norm"    :math:`|\lambda^{out}_i|\,(\sum_j\varphi_{ij}^2)^{1/2}`          Student Eq. 10
"connectivity"       :math:`\sum_j |w_{ij}|`                                          Pruning's baseline (its Section IV)
"row_norm"           :math:`(\sum_j w_{ij}^2)^{1/2}`                                  Student Eq. 9
"path"               norm of the node's slice of the path tensor Γ                    SPARCS E.1
"activation"         variance of :math:`a_i` over given data
"random"             uniform random numbers, from a seed                              the line that each ranking must beat
===================  ===============================================================  =========================================

The sums run over all links into the node: in a SpectralNet over those of all earlier layers, its bias node included.  The
bias of a layer of a stack is no link.  Student's Eq. 10 has no absolute value; a node with λ = -1 is as loud as one with 1.

With :math:`\lambda^{in} \ne 0` the two rankings by eigenvalue are heuristics: a node of eigenvalue 0 still receives a signal,
through the weights :math:`w_{ij} = (\lambda^{in}_j - \lambda^{out}_i)\varphi_{ij}`.

Scores of different layers are compared as they are, as Pruning does when it sorts the eigenvalues of all hidden layers
together.  Only "path" has the same unit in every layer by itself; "connectivity" and "row_norm" grow with the number of
nodes before the layer.  Where that is not wanted, :func:`removal_order` can compare within each layer.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass
from functools import partial

import torch
from torch import Tensor, nn

from spectral_lab.decomposition import Weights, path_strengths
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet
from spectral_lab.stacks import Linear, read_stack
from spectral_lab.unfolding import Unfolded

Ranking = Callable[[nn.Module], Sequence[Tensor]]  # a score (N_i,) for the nodes of every hidden layer


@dataclass(frozen=True)
class Asked:
    """What a ranking may look at: a network, the same in direct space, the hidden layers to score, data, a seed."""

    model: nn.Module
    unfolded: Unfolded
    layers: Sequence[int]
    x: Tensor | None
    seed: int

    def links(self) -> tuple[Weights, int]:
        """All weights and the number of layers; under the "adjacency" rule those of its one matrix."""
        if isinstance(self.model, SpectralNet):
            return self.model.weights(), len(self.model.nodes)
        return self.unfolded.weights, len(self.unfolded.nodes)

    def links_into(self) -> list[Tensor]:
        """For each hidden layer the weights (N_i, …) of all links into it, side by side."""
        weights, _ = self.links()
        return [torch.cat([weights[k + 1, j] for j in range(k + 1) if (k + 1, j) in weights], dim=1) for k in self.layers]

    def spectral(self, k: int) -> tuple[Tensor, Tensor]:
        """Eigenvalues (N_i,) and eigenvectors (N_i, N_{i-1}) of what feeds hidden layer k."""
        if isinstance(self.model, SpectralNet):
            return self.model.eigenvalues[k + 1], self.model.eigenvectors[k]
        layer: Linear | None = read_stack(self.model).layers[k] if isinstance(self.model, nn.Sequential) else None
        if not isinstance(layer, SpectralLinear):
            feeds = "links" if layer is None else "an nn.Linear"
            raise ValueError(
                f"hidden layer {k} is fed by {feeds} in direct space and has no eigenvalues; "
                "rank by 'connectivity', 'row_norm' or 'path', or make it spectral before it is trained (spectralize)"
            )
        return layer.eigenvalues_out, layer.eigenvectors


def _eigenvalue(asked: Asked) -> list[Tensor]:
    return [lam.abs() for lam, _ in map(asked.spectral, asked.layers)]


def _eigenvalue_norm(asked: Asked) -> list[Tensor]:
    return [lam.abs() * torch.linalg.vector_norm(phi, dim=1) for lam, phi in map(asked.spectral, asked.layers)]


def _connectivity(asked: Asked) -> list[Tensor]:
    return [W.abs().sum(1) for W in asked.links_into()]


def _row_norm(asked: Asked) -> list[Tensor]:
    return [torch.linalg.vector_norm(W, dim=1) for W in asked.links_into()]


def _path(asked: Asked) -> list[Tensor]:
    strengths, _ = path_strengths(*asked.links())
    return [strengths[k] for k in asked.layers]


def _activation(asked: Asked) -> list[Tensor]:
    """Under the "adjacency" rule the variances of all steps are added."""
    if asked.x is None:
        raise ValueError("the ranking 'activation' is a variance over data; give the inputs as x=…")
    variances = [a.flatten(0, -2).var(0, correction=0) for a in asked.unfolded.signals(asked.x)[1:-1]]
    steps = asked.unfolded.gather(variances)
    return [torch.stack(steps[k]).sum(0) for k in asked.layers]


def _random(asked: Asked) -> list[Tensor]:
    return random_scores(asked.unfolded.hidden, asked.layers, asked.seed)


RANKINGS: dict[str, Callable[[Asked], list[Tensor]]] = {
    "eigenvalue": _eigenvalue,
    "eigenvalue_norm": _eigenvalue_norm,
    "connectivity": _connectivity,
    "row_norm": _row_norm,
    "path": _path,
    "activation": _activation,
    "random": _random,
}


def ranking_name(ranking: str | Ranking, known: Collection[str] = RANKINGS) -> str:
    """The name of a ranking, for certificates and pictures; of a string, after checking that it is one of the known ones.

    Raises:
        ValueError: an unknown name, with the known ones.
    """
    if callable(ranking):
        inner = ranking.func if isinstance(ranking, partial) else ranking
        return getattr(inner, "__name__", type(inner).__name__)
    if ranking not in known:
        raise ValueError(f"ranking = {ranking!r}; wanted one of {sorted(known)} or a function of the network")
    return ranking


def check_layers(layers: Sequence[int] | None, n_layers: int) -> list[int]:
    """The hidden layers to choose nodes from, counted from 0; None is all.

    Raises:
        ValueError: a number that is no hidden layer, or one that comes twice.
    """
    chosen = list(range(n_layers)) if layers is None else list(layers)
    if len(set(chosen)) < len(chosen) or any(k not in range(n_layers) for k in chosen):
        raise ValueError(f"layers = {chosen}; wanted different hidden layers, counted from 0, of which there are {n_layers}")
    return sorted(chosen)


@torch.no_grad()
def scores(
    model: nn.Module,
    unfolded: Unfolded,
    ranking: str | Ranking,
    *,
    layers: Sequence[int] | None = None,
    x: Tensor | None = None,
    seed: int = 0,
) -> list[Tensor]:
    """The score of every hidden node, high for those that matter.

    Args:
        model: read, never changed.
        unfolded: the same network in direct space, :func:`~spectral_lab.unfolding.unfold`.
        ranking: a name of the table above, or a function that takes the model and gives a vector (N_i,) for every hidden
            layer.
        layers: score these hidden layers, counted from 0; None is all.
        x: data (batch, …), for "activation".
        seed: for "random".

    Returns:
        A vector (N_i,) for each of the layers, in their order.

    Raises:
        ValueError: an unknown ranking; one by eigenvalue where there are none; "activation" without data; a function
            whose scores have other shapes or are NaN.
    """
    ranking_name(ranking)
    chosen = check_layers(layers, len(unfolded.hidden))
    if not callable(ranking):
        return [score.detach() for score in RANKINGS[ranking](Asked(model, unfolded, chosen, x, seed))]
    return own_scores(model, ranking, unfolded.hidden, chosen)


def own_scores(model: nn.Module, ranking: Ranking, hidden: Sequence[int], layers: Sequence[int]) -> list[Tensor]:
    """The scores that a function of the model gives to the nodes of some of its hidden layers.

    Args:
        hidden: how many nodes each hidden layer has.
        layers: those that are wanted.

    Raises:
        ValueError: scores of other shapes, or NaN.
    """
    found, name = list(ranking(model)), ranking_name(ranking)
    shapes, wanted = [tuple(score.shape) for score in found], [(n,) for n in hidden]
    if shapes != wanted:
        raise ValueError(f"the ranking {name} gives scores of the shapes {shapes}; wanted {wanted}, one for every hidden layer")
    if any(bool(score.isnan().any()) for score in found):
        raise ValueError(f"the ranking {name} gives NaN for some nodes; wanted a number for each")
    return [found[k].detach() for k in layers]


def random_scores(hidden: Sequence[int], layers: Sequence[int], seed: int) -> list[Tensor]:
    """Uniform random numbers for the nodes of some hidden layers; those of a layer do not depend on which others are asked."""
    generator = torch.Generator().manual_seed(seed)
    drawn = [torch.rand(n, generator=generator, dtype=torch.float64) for n in hidden]
    return [drawn[k] for k in layers]


def removal_order(score: Sequence[Tensor], *, per_layer: bool = False) -> list[tuple[int, int]]:
    """All nodes (position in ``score``, node), the most relevant first: who keeps n nodes keeps the first n of these.

    Of equal scores the node that stands first is the more relevant.

    >>> removal_order([torch.tensor([3.0, 1.0]), torch.tensor([2.0, 9.0])])
    [(1, 1), (0, 0), (1, 0), (0, 1)]
    >>> removal_order([torch.tensor([3.0, 1.0]), torch.tensor([2.0, 9.0])], per_layer=True)
    [(0, 0), (1, 1), (0, 1), (1, 0)]

    Args:
        score: scores (N_i,) of each layer.
        per_layer: compare within layers only, so that all keep the same share: the node of rank r = 0, 1, … among the N_i of
            its layer is placed by r / N_i, and the best of each layer come first.
    """
    if not score:
        return []
    owners = [(k, n) for k, values in enumerate(score) for n in range(len(values))]
    pooled = [values.cpu().double() for values in score]
    if per_layer:
        pooled = [-values.argsort(descending=True, stable=True).argsort() / len(values) for values in pooled]
    return [owners[place] for place in torch.cat(pooled).argsort(descending=True, stable=True).tolist()]
