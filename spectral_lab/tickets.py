r"""The two ways in which Pruning (Section VI) combines training with pruning; the first looks for a winning ticket.

(i) :func:`pre_training`: train the eigenvalues alone, prune by them, freeze them, train the eigenvectors of what is left.
(ii) :func:`post_training`: train everything, prune.

The phases of (i) are functions of their own too, :func:`train_eigenvalues` and :func:`train_eigenvectors`: who wants tickets of
many sizes trains the eigenvalues once, and prunes and trains the eigenvectors for each size.

Both take a regulariser of its App. D: γ Σ|λ| over the eigenvalues of the hidden nodes, or γ Σ|w| over the weights into them
where a layer is plain, as ``Phase(rho=γ, penalty="l1")``.

The eigenvalues should start at random numbers, as in Pruning, with :math:`\lambda^{in} = 0`.  From Student's start, all at
1, eight epochs on Fashion-MNIST moved nine in ten by less than a third, and |λ| then ranked no better than chance.

>>> from spectral_lab import digits
>>> from spectral_lab.layers import SpectralLinear, Start, feed_forward
>>> x, y, x_test, y_test = digits()
>>> only_out = {"train_eigenvalues_in": False, "start": Start(eigenvalues_in=0.0)}
>>> model = feed_forward([64, 100, 10], SpectralLinear, activation=nn.ELU, **only_out)
>>> short = Phase(epochs=2, lr=1e-2)
>>> ticket = pre_training(model, x, y, fraction=0.8, eigenvalues=short, eigenvectors=short)
>>> ticket.network[0].n_out, ticket.certificates[0].removed
(20, (80,))
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.certificates import Certificate
from spectral_lab.curves import Loss, check_data, default_loss
from spectral_lab.direct import DirectNet
from spectral_lab.filters import has_filters
from spectral_lab.layers import SpectralLinear
from spectral_lab.networks import SpectralNet
from spectral_lab.penalties import Penalty
from spectral_lab.pruning import prune
from spectral_lab.rankings import Ranking, check_layers, ranking_name
from spectral_lab.stacks import cut_stack, read_stack
from spectral_lab.training import Record, train
from spectral_lab.unfolding import Unfolded, unfold


@dataclass(frozen=True)
class Phase:
    """How one phase of training goes, with Adam."""

    epochs: int = 6  # from where on the accuracy on Fashion-MNIST hardly grows
    lr: float = 1e-3  # Adam's own
    batch_size: int = 128
    rho: float = 0.0  # γ of Pruning App. D; 1e-4 keeps Fashion-MNIST's accuracy up to higher shares of removed nodes
    penalty: str | Penalty = "l1"  # App. D; or another of :mod:`spectral_lab.penalties`


class Ticket(NamedTuple):
    """What came out of a protocol."""

    network: nn.Module
    certificates: tuple[Certificate, ...]  # one for each round of pruning
    records: tuple[tuple[Record, ...], ...]  # of each phase of training


def penalised_names(model: nn.Module, layers: Sequence[int] | None = None) -> list[str] | None:
    r"""What App. D penalises, as names of parameters for :func:`~spectral_lab.training.train`.

    Of a stack, for each chosen hidden layer, :math:`\lambda^{out}` of the spectral layer that feeds it, or the weights of a
    plain one.  None for other networks: there ``train`` knows by itself.
    """
    if not isinstance(model, nn.Sequential):
        return None
    stack = read_stack(model)
    names = []
    for k in check_layers(layers, len(stack.layers) - 1):
        kind = "eigenvalues_out" if isinstance(stack.layers[k], SpectralLinear) else "weight"
        names.append(f"{stack.places[k]}.{kind}")
    return names


def pre_training(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    fraction: float,
    ranking: str | Ranking = "eigenvalue",
    eigenvalues: Phase = Phase(),
    eigenvectors: Phase = Phase(),
    rounds: int = 1,
    rewind: bool = False,
    biases: bool = False,
    layers: Sequence[int] | None = None,
    per_layer: bool = False,
    loss: Loss | None = None,
    seed: int = 0,
) -> Ticket:
    r"""Pruning's protocol (i), pre-training: eigenvalues, prune, eigenvectors of what is left.

    In the first phase only the eigenvalues are trained that the model leaves trainable (in the paper :math:`\lambda^{out}`,
    with :math:`\lambda^{in} = 0`); in the last one only the eigenvectors, whether the model froze them or not, and there the
    penalty of ``eigenvectors`` acts on them.  Plain layers are not trained; make them spectral first.  The paper does not say
    what becomes of biases: they stay, unless ``biases``.

    Args:
        model: a stack with a spectral layer at least; stays as it is, and the result has its frozen and trainable parameters.
        x, y: data on the model's device and of its float type; y of class numbers means cross-entropy.
        fraction: share of the hidden nodes that is removed in the end, in [0, 1).
        ranking: by what; see :mod:`spectral_lab.rankings`.
        eigenvalues, eigenvectors: how the two phases go.
        rounds: train the eigenvalues and prune so many times; each round removes the same share of what is left.
        rewind: after each pruning the eigenvalues go back to where they started, as in the search for lottery tickets;
            after the last one too.
        biases: train the biases as well, in both phases.
        layers, per_layer: as in :func:`~spectral_lab.pruning.prune`.
        loss: of (output, target); None is cross-entropy for class numbers and else the mean squared error.
        seed: of the order of the batches and of the ranking "random".

    Returns:
        The network, trained, with the certificate of each round and the records of each phase.

    Raises:
        TypeError: no stack; ValueError: no spectral layer, no trainable eigenvalue, an option outside its range, data that do
            not fit.
        TrainingDiverged: NaN in the loss; says what to lower.
    """
    _check(model, x, y, fraction, ranking, rounds, layers, loss)
    network: nn.Module = deepcopy(model)
    start, certificates, records = model, [], []
    for keep in _schedule(unfold(model), fraction, rounds, layers):
        records.append(train_eigenvalues(network, x, y, eigenvalues, biases=biases, layers=layers, loss=loss, seed=seed))
        network, certificate = prune(
            network, ranking, keep=keep, x=x, y=y, loss=loss, layers=layers, per_layer=per_layer, seed=seed
        )
        certificates.append(certificate)
        start = _cut_alike(start, certificate)
        if rewind:
            _rewind(network, start)
    records.append(train_eigenvectors(network, x, y, eigenvectors, biases=biases, loss=loss, seed=seed))
    return Ticket(network, tuple(certificates), tuple(records))


def train_eigenvalues(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    phase: Phase = Phase(),
    *,
    biases: bool = False,
    layers: Sequence[int] | None = None,
    loss: Loss | None = None,
    seed: int = 0,
) -> tuple[Record, ...]:
    """The first phase of :func:`pre_training`, in place: only eigenvalues are trained, those that the model leaves trainable.

    Args:
        model: a stack with a spectral layer at least; afterwards the same parameters are trainable as before.
        phase: how it goes; its penalty acts on the eigenvalues of the chosen hidden layers.
        x, y, biases, layers, loss, seed: as in :func:`pre_training`.

    Returns:
        The records of the training.

    Raises:
        TypeError: no stack; ValueError: no spectral layer or no trainable eigenvalue.
        TrainingDiverged: NaN in the loss; says what to lower.
    """
    spectral = _spectral_layers(model)
    values = [f"{place}.eigenvalues_{side}" for place in spectral for side in ("in", "out")]
    values = [name for name in values if model.get_parameter(name).requires_grad]
    if not values:
        raise ValueError("all eigenvalues of the model are frozen; let some be trained, e.g. train_eigenvalues_out=True")
    penalised = [name for name in penalised_names(model, layers) or [] if name in values]
    return _train_only(model, values + _biases(spectral, biases), penalised, x, y, phase, loss, seed)


def train_eigenvectors(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    phase: Phase = Phase(),
    *,
    biases: bool = False,
    loss: Loss | None = None,
    seed: int = 0,
) -> tuple[Record, ...]:
    """The last phase of :func:`pre_training`, in place: only eigenvectors are trained, whether the model froze them or not.

    The penalty of the phase acts on them.  Arguments, records and errors are as in :func:`train_eigenvalues`.
    """
    spectral = _spectral_layers(model)
    vectors = [f"{place}.basis.{name}" for place, layer in spectral.items() for name, _ in layer.basis.named_parameters()]
    return _train_only(model, vectors + _biases(spectral, biases), vectors, x, y, phase, loss, seed)


def post_training(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    *,
    fraction: float,
    ranking: str | Ranking = "eigenvalue",
    training: Phase = Phase(),
    rounds: int = 1,
    rewind: bool = False,
    layers: Sequence[int] | None = None,
    per_layer: bool = False,
    loss: Loss | None = None,
    seed: int = 0,
) -> Ticket:
    """Pruning's protocol (ii), post-training: train everything that is trainable, prune.

    With ``rounds`` above 1 what is left is trained and pruned again, each time by the same share of what is left; nothing is
    trained after the last pruning.

    Args:
        model: a stack, spectral or plain, or with one round a SpectralNet; stays as it is.
        training: how each round of training goes.
        rewind: after each pruning the eigenvalues go back to where they started; needs rounds above 1.
        x, y, fraction, ranking, rounds, layers, per_layer, loss, seed: as in :func:`pre_training`.

    Returns:
        The pruned network (a DirectNet for a SpectralNet), the certificate of each round and the records of each training.

    Raises:
        TypeError, ValueError: a network that cannot be pruned, several rounds of a SpectralNet, ``rewind`` without several
            rounds, an option outside its range, data that do not fit.
        TrainingDiverged: NaN in the loss; says what to lower.
    """
    _check(model, x, y, fraction, ranking, rounds, layers, loss)
    if rounds > 1 and isinstance(model, SpectralNet | DirectNet):
        raise ValueError(f"rounds = {rounds}; a {type(model).__name__} is left in direct space by the first pruning; wanted 1")
    if rewind and rounds == 1:
        raise ValueError("rewind=True needs rounds of at least 2: after the last pruning nothing is trained any more")
    network, start = deepcopy(model), model
    trained = [name for name, p in model.named_parameters() if p.requires_grad]
    certificates: list[Certificate] = []
    records = []
    for keep in _schedule(unfold(model), fraction, rounds, layers):
        if certificates:
            start = _cut_alike(start, certificates[-1])
            if rewind:
                _rewind(network, start)
        records.append(_train_only(network, trained, penalised_names(model, layers), x, y, training, loss, seed))
        network, certificate = prune(
            network, ranking, keep=keep, x=x, y=y, loss=loss, layers=layers, per_layer=per_layer, seed=seed
        )
        certificates.append(certificate)
    return Ticket(network, tuple(certificates), tuple(records))


def _check(
    model: nn.Module,
    x: Tensor,
    y: Tensor,
    fraction: float,
    ranking: str | Ranking,
    rounds: int,
    layers: Sequence[int] | None,
    loss: Loss | None,
) -> None:
    """Everything that can be refused before anything is trained."""
    _refuse_convolutions(model)
    unfolded = unfold(model)
    check_data(unfolded, x, y, loss)
    check_layers(layers, len(unfolded.hidden))
    ranking_name(ranking)
    if not 0 <= fraction < 1:
        raise ValueError(f"fraction = {fraction}; wanted the share of hidden nodes to remove, in [0, 1) (0.9 for 90 %)")
    if isinstance(rounds, bool) or not isinstance(rounds, int) or rounds < 1:
        raise ValueError(f"rounds = {rounds!r}; wanted a whole number of at least 1")


def _refuse_convolutions(model: nn.Module) -> None:
    """A sequence with convolutions reads as the stack that follows them, but ``prune`` would remove filters."""
    if has_filters(model):
        raise TypeError(
            f"the model is a {type(model).__name__} with convolutions; wanted a stack of linear layers, for the nodes of which "
            "these protocols are made. Filters: train the model with train(…), then remove them with prune(…)"
        )


def _spectral_layers(model: nn.Module) -> dict[int, SpectralLinear]:
    """The spectral layers of a stack by their places in it, at least one."""
    _refuse_convolutions(model)
    stack = read_stack(model)
    found = {place: layer for place, layer in zip(stack.places, stack.layers, strict=True) if isinstance(layer, SpectralLinear)}
    if not found:
        raise ValueError("the model has no spectral layer, hence no eigenvalues to train; make it spectral (spectralize)")
    return found


def _biases(spectral: dict[int, SpectralLinear], wanted: bool) -> list[str]:
    return [f"{place}.bias" for place in spectral if wanted]


def _schedule(unfolded: Unfolded, fraction: float, rounds: int, layers: Sequence[int] | None) -> list[int]:
    """How many nodes stay after each round; each removes the same share of what is left."""
    pool = sum(unfolded.hidden[k] for k in check_layers(layers, len(unfolded.hidden)))
    removed = [1 - (1 - fraction) ** (r / rounds) for r in range(1, rounds)] + [fraction]
    return [pool - round(share * pool) for share in removed]


def _train_only(
    network: nn.Module,
    names: Sequence[str],
    penalised: list[str] | None,
    x: Tensor,
    y: Tensor,
    phase: Phase,
    loss: Loss | None,
    seed: int,
) -> tuple[Record, ...]:
    """Train the named parameters and no others; then all are frozen or trainable as before."""
    before = {p: p.requires_grad for p in network.parameters()}
    try:
        for name, p in network.named_parameters():
            p.requires_grad_(name in names)
        return tuple(
            train(
                network,
                x,
                y,
                epochs=phase.epochs,
                lr=phase.lr,
                batch_size=phase.batch_size,
                rho=phase.rho,
                penalty=phase.penalty,
                penalised=penalised,
                loss=loss or default_loss(y),
                seed=seed,
            )
        )
    finally:
        for p, trainable in before.items():
            p.requires_grad_(trainable)


def _cut_alike(stack: nn.Module, certificate: Certificate) -> nn.Sequential:
    """A stack without the nodes that were removed from its trained twin."""
    old = read_stack(stack)
    keep = []
    for nodes, n in zip(certificate.kept, old.sizes[1:-1], strict=True):
        mask = torch.zeros(n, dtype=torch.bool)
        mask[list(nodes)] = True
        keep.append(mask)
    return cut_stack(old, keep, [torch.zeros(len(mask)) for mask in keep])


@torch.no_grad()
def _rewind(network: nn.Module, start: nn.Module) -> None:
    """The eigenvalues go back to where they started; all else stays."""
    for layer, first in zip(read_stack(network).layers, read_stack(start).layers, strict=True):
        if isinstance(layer, SpectralLinear) and isinstance(first, SpectralLinear):
            layer.eigenvalues_in.copy_(first.eigenvalues_in)
            layer.eigenvalues_out.copy_(first.eigenvalues_out)
