r"""Heads behind a feature extractor: what stands between the features of an image and its class (SPARCS App. F).

The paper's smallest convolutional network with either of its two heads, a linear classifier or a
:class:`~spectral_lab.networks.SpectralNet` that begins as one and may grow a hidden layer:

>>> shape = (3, 32, 32)
>>> model = with_head(minimal_cnn(shape), shape, 10, head="sparcs", generator=torch.Generator().manual_seed(0))
>>> model[-1].sizes
(1024, 526, 10)
>>> without_hidden(model)[-1]
Linear(in_features=1024, out_features=10, bias=True)

Next, read :mod:`spectral_lab.training`, which trains the whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import Literal

import torch
from torch import Tensor, nn

from spectral_lab.networks import SpectralNet, check_sizes, find_spectral

HIDDEN = 526  # nodes that the SPARCS head may grow (SPARCS Table 5)


def minimal_cnn(
    shape: Sequence[int],
    channels: Sequence[int] = (8, 16),
    *,
    kernel: int = 3,
    padding: int = 1,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """The features of images: for each number of channels a convolution, batch norm, ReLU and 2 × 2 max pooling.

    The paper names these four kinds of layers (SPARCS F.1), but neither their number nor their widths.  The convolutions
    have no biases, which batch norm would take away.

    Args:
        shape: (c, h, w) of one image.
        channels: filters of each convolution.
        kernel, padding: of the convolutions; by default only the pooling makes images smaller, to half, rounded down.
        generator: source of the filters, drawn as PyTorch does; None is torch's default generator.

    Returns:
        A flat ``nn.Sequential``, from images (n, c, h, w) to features (n, channels[-1] · h' · w').

    Raises:
        ValueError: sizes that are no whole numbers in their range; images too small for so many convolutions and poolings.
    """
    if len(shape) != 3:
        raise ValueError(f"shape = {tuple(shape)}; wanted (channels, height, width) of one image, e.g. (3, 32, 32)")
    for name, numbers in {"shape": shape, "channels": channels, "kernel": (kernel,), "padding": (padding,)}.items():
        least = int(name != "padding")
        if any(isinstance(n, bool) or not isinstance(n, int) or n < least for n in numbers):
            raise ValueError(f"{name} = {[*numbers]}; wanted whole numbers of at least {least}")
    side = min(shape[1:])
    for _ in channels:
        side = (side + 2 * padding - kernel + 1) // 2
        if side < 1:
            size = f"{shape[1]} × {shape[2]} pixels"
            raise ValueError(
                f"{size} are too few for {len(channels)} convolutions of {kernel} × {kernel} and poolings; take fewer"
            )
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise((shape[0], *channels)):
        conv = nn.utils.skip_init(nn.Conv2d, n_in, n_out, kernel, padding=padding, bias=False)
        _draw(conv.weight, n_in * kernel**2, generator)
        modules += [conv, nn.BatchNorm2d(n_out), nn.ReLU(), nn.MaxPool2d(2)]
    return nn.Sequential(*modules, nn.Flatten())


@torch.no_grad()
def _draw(values: Tensor, n_in: int, generator: torch.Generator | None) -> None:
    """PyTorch's own start of a layer, uniform within ±1/√n_in, from a generator."""
    values.uniform_(-(n_in**-0.5), n_in**-0.5, generator=generator)


def with_head(
    features: nn.Module,
    shape: Sequence[int],
    n_out: int,
    *,
    head: Literal["linear", "sparcs"] = "sparcs",
    hidden: int = HIDDEN,
    generator: torch.Generator | None = None,
) -> nn.Sequential:
    """A feature extractor with a classifier behind it; no softmax.

    Args:
        features: from inputs (n, *shape) to features (n, n_features); becomes a part of the model, not a copy.
        shape: of one input.
        n_out: classes.
        head: "linear" for ``nn.Linear``; "sparcs" for a SpectralNet at its perceptron start, with λ_1 = 0 for good, so that
            a hidden eigenvalue is 0 as long as its neuron is silent (SPARCS F.1).
        hidden: nodes of the SPARCS head's hidden layer; a linear head has none.
        generator: source of the head's weights; None is torch's default generator.

    Returns:
        A flat ``nn.Sequential`` of the modules of ``features`` and the head, on the device of ``features``; features that
        are no plain ``nn.Sequential`` are one module of it.

    Raises:
        ValueError: another kind of head, features that are not flat, sizes that are no positive whole numbers.
    """
    if head not in ("linear", "sparcs"):
        raise ValueError(f"head = {head!r}; wanted 'linear' or 'sparcs'")
    place = next(features.parameters(), torch.empty(0))
    found = _output_shape(features, torch.zeros(1, *shape, device=place.device, dtype=place.dtype))
    if len(found) != 1:
        raise ValueError(f"the features of one input have the shape {found}; wanted a vector: end with nn.Flatten()")
    last: nn.Module
    if head == "sparcs":
        last = SpectralNet([*found, hidden, n_out], train_input_eigenvalues=False, generator=generator)
    else:
        n_in, _ = check_sizes([*found, n_out])
        last = nn.utils.skip_init(nn.Linear, n_in, n_out)
        for values in last.parameters():
            _draw(values, n_in, generator)
    modules = [features]
    if isinstance(features, nn.Sequential) and type(features).forward is nn.Sequential.forward:
        modules = list(features)  # not children(), which passes over what stands there a second time
    return nn.Sequential(*modules, last.to(place.device, place.dtype))


@torch.no_grad()
def _output_shape(features: nn.Module, x: Tensor) -> tuple[int, ...]:
    """The shape of the answer to one input; every module is afterwards in the mode in which it was."""
    modes = {module: module.training for module in features.modules()}
    features.eval()
    try:
        return tuple(features(x).shape[1:])
    finally:
        for module, mode in modes.items():
            module.training = mode


@torch.no_grad()
def without_hidden(model: nn.Sequential) -> nn.Sequential:
    r"""A copy of a model from whose head the hidden neurons are gone: what is left is linear (SPARCS Fig. 16, red).

    In direct space the head with λ_1 = 0 is y = W_31 x + W_32 f(W_21 x); without its hidden neurons it is y = W_31 x, with

    .. math:: W_{31} = -[\varphi_2 L_2 - L_3 \varphi_2]\,\varphi_1

    which still has λ_2 in it.  :func:`silenced` sets λ_2 = 0 instead, which changes W_31 too.

    Args:
        model: ends in a SpectralNet with one hidden layer; read, never changed.

    Raises:
        ValueError: the model ends in something else.
    """
    head = model[-1] if isinstance(model, nn.Sequential) and len(model) else model
    if head is model or not isinstance(head, SpectralNet) or len(head.sizes) != 3 or head.update != "blocks":
        raise ValueError(
            f"the model ends in {head!r}; wanted a SpectralNet with one hidden layer and the update rule 'blocks', "
            "at the end of an nn.Sequential"
        )
    W, n_in = head.weight(2, 0), head.sizes[0]
    last = nn.Linear(n_in, head.sizes[-1], bias=head.bias, device="meta", dtype=W.dtype).to_empty(device=W.device)
    last.weight.copy_(W[:, :n_in])
    if head.bias:
        last.bias.copy_(W[:, n_in])
    left = nn.Sequential(*(deepcopy(module) for module in list(model)[:-1]), last)
    left.training = model.training  # its parts have their own: a whole in train() mode would leave theirs frozen for good
    return left


@torch.no_grad()
def silenced(model: nn.Module) -> nn.Module:
    """A copy of a model whose head has the hidden eigenvalues 0, as at its perceptron start; φ is that of now.

    Raises:
        ValueError: the model has no SpectralNet, or more than one.
    """
    copy = deepcopy(model)
    found = find_spectral(copy)
    if found is None:
        raise ValueError("the model has no SpectralNet, or more than one; wanted exactly one, see with_head(…, head='sparcs')")
    for lam in found[1].hidden_eigenvalues():
        lam.zero_()
    return copy
