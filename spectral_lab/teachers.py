r"""A known teacher and the students that look for it: the experiment of Student (Giambagli et al.), Section 3.

The teacher is a committee: layers of ReLU nodes without biases, whose last layer adds them up with weights 1,

.. math:: T(x) = \sum_m f\big(w^{(2)} f(w^{(1)} x)\big)_m

A student has h nodes in its first hidden layer, which is plain or spectral, and else the teacher's form.  When it has more
nodes than it needs, how many does it use?

>>> from spectral_lab.training import train
>>> x, y, x_test, y_test = teacher(n=600).data
>>> student = students(40).spectral
>>> omega = regulariser(student, alpha_w=1e-3, alpha_phi=1e-3, alpha_lambda=1e-3)
>>> run = train(student, x, y, epochs=20, lr=5e-3, rho=1.0, penalty=omega, penalised=omega.names)
>>> records = list(run)
>>> found = core(relevance(student))  # found.size nodes, and found.clear says whether a gap sets them apart
>>> delta_mse(student, x_test, y_test).shape  # with 0 … 40 nodes
torch.Size([41])

Pictures of paths: :func:`~spectral_lab.topology.path_distribution`.  Smaller students: :func:`~spectral_lab.pruning.prune`.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from copy import deepcopy
from itertools import pairwise
from typing import NamedTuple

import torch
from torch import Tensor, nn

from spectral_lab.curves import pruning_curve
from spectral_lab.layers import SpectralLinear
from spectral_lab.penalties import WeightedSquares
from spectral_lab.rankings import scores
from spectral_lab.stacks import read_stack
from spectral_lab.tasks import Split
from spectral_lab.unfolding import unfold

COMMITTEE = (10, 20, 20, 1)  # Student Section 3
HETEROGENEOUS = (20, 40, 20, 1)  # Student Fig. 3, panels c and h
FIRST_BIN = 0.05  # what counts as zero, as a share of the largest relevance: the first of the 20 bins in the authors' code


class Teacher(NamedTuple):
    """A frozen network, and what it says about Gaussian points."""

    network: nn.Sequential
    data: Split


class Students(NamedTuple):
    """Two students that compute the same before they are trained, with numbers of their own."""

    spectral: nn.Sequential
    direct: nn.Sequential


class Core(NamedTuple):
    """The nodes of a layer whose relevance lies above a threshold; see :func:`core`."""

    size: int
    keep: Tensor  # (h,) boolean
    threshold: float  # a relevance
    gap: float  # width of the interval without any node around the threshold, as a share of the largest relevance
    clear: bool  # whether there is such an interval


# -- who teaches, who learns -------------------------------------------------------------------------------------------


def _generator(seed: int, stream: int) -> torch.Generator:
    """Teachers, points and students draw from streams of their own, so that no student of a like seed is born knowing."""
    return torch.Generator().manual_seed(3 * seed + stream)  # torch heeds the lowest 32 bits only


def committee(
    sizes: Sequence[int], *, generator: torch.Generator | None = None, dtype: torch.dtype | None = None
) -> nn.Sequential:
    """A frozen stack of ReLU layers without biases, Glorot-uniform, whose last layer has the weights 1 (Student Section 3).

    Raises:
        ValueError: fewer than three sizes, or one that is no whole number of at least 1.
    """
    sizes = tuple(sizes)
    if len(sizes) < 3 or any(isinstance(n, bool) or not isinstance(n, int) or n < 1 for n in sizes):
        raise ValueError(
            f"sizes = {list(sizes)}; wanted whole numbers of nodes for three layers or more, e.g. {list(COMMITTEE)}"
        )
    modules: list[nn.Module] = []
    for n_in, n_out in pairwise(sizes):
        layer = nn.utils.skip_init(nn.Linear, n_in, n_out, bias=False, dtype=dtype)
        bound = (6 / (n_in + n_out)) ** 0.5
        nn.init.uniform_(layer.weight, -bound, bound, generator=generator)
        modules += [layer, nn.ReLU()]
    nn.init.ones_(modules[-2].weight)  # type: ignore[arg-type]
    return nn.Sequential(*modules[:-1]).requires_grad_(False)


def teacher(
    sizes: Sequence[int] = COMMITTEE,
    *,
    n: int = 13_000,
    n_test: int = 1_000,
    noise: float = 0.0,
    seed: int = 0,
    data_seed: int = 0,
    dtype: torch.dtype | None = None,
) -> Teacher:
    """A committee and its lessons: x standard Gaussian, y = T(x) (Student Section 3).

    >>> x, y, x_test, y_test = teacher(HETEROGENEOUS).data
    >>> x.shape, y.shape, x_test.shape
    (torch.Size([13000, 20]), torch.Size([13000, 1]), torch.Size([1000, 20]))

    Args:
        sizes: of all layers, input first; :data:`COMMITTEE` or :data:`HETEROGENEOUS`, for example.
        n, n_test: number of points to train on and to test on.
        noise: standard deviation of Gaussian noise on the targets to train on, 0 in the paper; the test hears T itself.
        seed: of the teacher's weights.
        data_seed: of the points and the noise; the points do not depend on the noise.
        dtype: of weights and data; None is torch's default.

    Raises:
        ValueError: a size, a number of points or a noise outside its range, named.
    """
    for name, value in {"n": n, "n_test": n_test}.items():
        if isinstance(value, bool) or not isinstance(value, int) or value < 1:
            raise ValueError(f"{name} = {value!r}; wanted a whole number of points, at least 1")
    if not 0 <= noise < math.inf:
        raise ValueError(f"noise = {noise}; wanted a standard deviation of at least 0")
    network = committee(sizes, generator=_generator(seed, 0), dtype=dtype)
    generator = _generator(data_seed, 1)
    x, x_test = (torch.randn(m, sizes[0], generator=generator, dtype=dtype) for m in (n, n_test))
    y, y_test = network(x), network(x_test)
    y = y + noise * torch.randn(y.shape, generator=generator, dtype=dtype)
    return Teacher(network, Split(x, y, x_test, y_test))


def students(h: int, sizes: Sequence[int] = COMMITTEE, *, seed: int = 0, dtype: torch.dtype | None = None) -> Students:
    r"""A spectral and a plain student with h nodes in the first hidden layer, that start as the same function.

    .. math:: \lambda^{\rm in} = 0 \text{ (frozen)}, \qquad \lambda^{(1)} = 1, \qquad \varphi^{(1)} = -w^{(1)}

    with w Glorot-uniform (Student Section 3).  Only the first layer is spectral.  The last layer stays at the weights 1.

    >>> spectral, direct = students(100)
    >>> [type(module).__name__ for module in spectral]
    ['SpectralLinear', 'ReLU', 'Linear', 'ReLU', 'Linear']

    Args:
        h: nodes of the first hidden layer, in place of the teacher's.
        sizes: of the teacher.
        seed: of the weights; the teacher of the same seed has others.
        dtype: of the weights.

    Raises:
        ValueError: sizes that make no committee.
    """
    direct = committee((*sizes[:1], h, *sizes[2:]), generator=_generator(seed, 2), dtype=dtype)
    direct[:-1].requires_grad_(True)
    first, *others = deepcopy(direct)
    assert isinstance(first, nn.Linear)
    return Students(nn.Sequential(SpectralLinear.from_linear(first, train_eigenvalues_in=False), *others), direct)


# -- what the student is asked to keep small ---------------------------------------------------------------------------


def regulariser(
    student: nn.Sequential, *, alpha_w: float, alpha_phi: float = 0.0, alpha_lambda: float = 0.0
) -> WeightedSquares:
    r"""What Student Eqs. 7 and 8 add to the mean squared error, for ``train(…, rho=1.0, penalty=…, penalised=….names)``.

    .. math:: \alpha_w \sum_{k=1,2} \|w^{(k)}\|^2 \ \text{(plain)}, \qquad
        \alpha_\lambda \|\lambda^{(1)}\|^2 + \alpha_\varphi \|\varphi^{(1)}\|^2 + \alpha_w \|w^{(2)}\|^2 \ \text{(spectral)}

    What is frozen, the last layer and λ_in, is left out, and so are biases, if there are any.  The paper prints no value of any
    α; the authors' code has α_φ = 0.01 and α_λ = 5e-4 for the spectral student, 0.01 for w^(1) of the plain one, and nothing
    for w^(2).

    With ReLU, node i computes the same when its factors a = λ_i, b = ‖φ_i‖ and c = ‖w^(2)_{·i}‖ are traded for one another at
    a constant product s.  The cheapest choice costs

    .. math:: 3\,(\alpha_\lambda \alpha_\varphi \alpha_w s^2)^{1/3} \ \text{(spectral)}, \qquad 2\,\alpha_w s \ \text{(plain)}

    by the inequality of the means.  The first is concave in s, so that few strong nodes are cheaper than many weak ones; the
    second is a sum of norms.  Where one α is 0, the cheapest choice costs nothing and is reached by no finite factors.  At
    1e-3 for all three, one student of 60 nodes kept the teacher's 20 after 400 epochs, with a clear gap; its plain twin 58.

    Args:
        student: either of :func:`students`.
        alpha_w, alpha_phi, alpha_lambda: strengths of at least 0; a plain student takes alpha_w alone.

    Raises:
        ValueError: alpha_phi or alpha_lambda for a student without spectral layers; a negative or infinite strength.
        TypeError: no stack of layers.
    """
    layers = read_stack(student).layers
    if (alpha_phi or alpha_lambda) and not any(isinstance(layer, SpectralLinear) for layer in layers):
        raise ValueError(
            f"alpha_phi = {alpha_phi} and alpha_lambda = {alpha_lambda}, but the student is plain; "
            "give alpha_w alone, or take the spectral student"
        )
    strengths = {"eigenvalues_out": alpha_lambda, "eigenvectors": alpha_phi, "weight": alpha_w}
    trained = [name for name, p in student.named_parameters() if p.requires_grad and not name.endswith(".bias")]
    return WeightedSquares({name: strengths[name.rsplit(".", 1)[-1]] for name in trained})


# -- what the student has learnt ---------------------------------------------------------------------------------------


def _ranking(student: nn.Sequential) -> str:
    return "eigenvalue_norm" if isinstance(read_stack(student).layers[0], SpectralLinear) else "row_norm"


def relevance(student: nn.Sequential) -> Tensor:
    r"""How much each node of the first hidden layer matters (Student Eqs. 9, 10): (h,).

    .. math:: \mathcal W_i = \Big(\sum_j w_{ij}^2\Big)^{1/2} \ \text{(plain)}, \qquad
        \mathcal L_i = |\lambda_i| \Big(\sum_j \varphi_{ij}^2\Big)^{1/2} \ \text{(spectral)}

    The sums run over the inputs j; the paper prints h as their end, and no absolute value.

    Raises:
        TypeError: no stack of layers.
        ValueError: NaN or infinite parameters.
    """
    return scores(student, unfold(student), _ranking(student), layers=[0])[0]


def core(relevance: Tensor, *, zero: float = FIRST_BIN) -> Core:
    r"""The nodes beyond the gap in the histogram of relevances: the invariant core of Student Fig. 2.

    Let r = R / max R, sorted, with 0 put in front.  The values below ``zero`` are the peak at zero.  Of the intervals between
    neighbours that begin at a value of the peak (or at 0), the widest is the gap.

    1. It is at least ``zero`` wide: the threshold is its middle, and the core is *clear*.  A layer without a peak is all core.
    2. It is narrower: the values run on without a gap, and the threshold is ``zero`` itself, as in the authors' code.

    >>> found = core(torch.tensor([2.0, 0.01, 1.0, 0.03, 1.5]))
    >>> found.size, found.keep.tolist(), round(found.threshold, 3), round(found.gap, 3), found.clear
    (3, [True, False, True, False, True], 0.515, 0.485, True)

    Args:
        relevance: R (h,), :func:`relevance` or any other score of at least 0.
        zero: where the peak ends, a share of the largest relevance in (0, 1).

    Raises:
        ValueError: relevances that are no vector, negative, NaN or infinite; zero outside (0, 1).
    """
    if relevance.dim() != 1 or len(relevance) == 0 or not bool((relevance.isfinite() & (relevance >= 0)).all()):
        raise ValueError(f"the relevances have shape {tuple(relevance.shape)}; wanted a vector of finite numbers of at least 0")
    if not 0 < zero < 1:
        raise ValueError(f"zero = {zero}; wanted a share of the largest relevance between 0 and 1, e.g. {FIRST_BIN}")
    largest = float(relevance.max())
    if largest == 0:
        return Core(0, torch.zeros_like(relevance, dtype=torch.bool), 0.0, 1.0, True)
    ends = torch.cat([relevance.new_zeros(1), relevance.sort().values / largest])
    begins = ends[:-1][ends[:-1] < zero]
    widths = ends[1 : len(begins) + 1] - begins
    widest = int(widths.argmax())
    gap, middle = float(widths[widest]), float(begins[widest] + widths[widest] / 2)
    threshold = (middle if gap >= zero else zero) * largest
    keep = relevance > threshold
    return Core(int(keep.sum()), keep, threshold, gap, gap >= zero)


@torch.no_grad()
def delta_mse(student: nn.Sequential, x: Tensor, y: Tensor) -> Tensor:
    r"""By how much the mean squared error grows when the n most relevant nodes of the first hidden layer stay: (h + 1,).

    :math:`\Delta_{MSE}(n) = MSE(n) - MSE(h)` for n = 0 … h (Student Fig. 2, right, which shows its absolute value over
    n - n_T).  It can be negative.  A removed node delivers 0.

    Args:
        student: read, never changed.
        x, y: data, (batch, n_in) and (batch, n_out).

    Raises:
        TypeError, ValueError: no stack of layers, or data that do not fit (:func:`~spectral_lab.curves.pruning_curve`).
    """
    loss = pruning_curve(student, _ranking(student), x, y, loss=nn.functional.mse_loss, layers=[0]).loss
    return loss - loss[-1]
