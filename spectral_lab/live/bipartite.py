r"""One layer as a bipartite graph: from its eigenvalues and eigenvectors to every number that its instrument shows.

.. math:: w_{ij} = (\lambda^{\rm in}_j - \lambda^{\rm out}_i)\,\varphi_{ij} \qquad \text{(PRE Eq. 2)}

Pure functions: what is shown, what is said, and which numbers are refused.  The widget around them is
:class:`spectral_lab.live.onelayer.OneLayer`; ``bipartite.js`` draws the graph and its handles.
"""

from __future__ import annotations

import math
from numbers import Real
from typing import Any

import torch
from torch import Tensor

from spectral_lab.decomposition import adjacency_matrix, eigenvalue_matrix, eigenvector_matrix, inverse_eigenvector_matrix
from spectral_lab.layers import spectral_weights

MOST = 8  # nodes in a column; more could not be told apart on a projector
DIGITS = str.maketrans("0123456789", "₀₁₂₃₄₅₆₇₈₉")


def picture(phi: Tensor, lam_in: Tensor, lam_out: Tensor, x: Tensor) -> dict[str, Any]:
    r"""Every number that the instrument shows, as lists.

    Args:
        phi: eigenvectors (n_out, n_in).
        lam_in, lam_out: eigenvalues (n_in,) and (n_out,).
        x: input (n_in,).

    Returns:
        ``W``; the matrices ``Phi``, ``Lam``, ``inverse`` and ``A`` of :math:`A = \Phi\Lambda\Phi^{-1}`; and, for each node
        i of layer 2, PRE Eq. 3: ``field`` :math:`\sum_j\varphi_{ij}x_j`, ``carried``
        :math:`\sum_j\lambda^{\rm in}_j\varphi_{ij}x_j`, ``own`` :math:`-\lambda^{\rm out}_i\sum_j\varphi_{ij}x_j` and their
        sum ``y``.  ``scale`` is the number of the strongest colour, ``reach`` the end of the bars.
    """
    blocks, eigenvalues = [phi], [lam_in, lam_out]
    field, carried = phi @ x, phi @ (lam_in * x)
    own = -lam_out * field
    y = carried + own
    shown = {
        "phi": phi,
        "lam_in": lam_in,
        "lam_out": lam_out,
        "x": x,
        "W": spectral_weights(phi, lam_in, lam_out),
        "Phi": eigenvector_matrix(blocks),
        "Lam": eigenvalue_matrix(eigenvalues),
        "inverse": inverse_eigenvector_matrix(blocks),
        "A": adjacency_matrix(blocks, eigenvalues),
        "field": field,
        "carried": carried,
        "own": own,
        "y": y,
    }
    largest = float(torch.cat([carried, own, y]).abs().max())
    scale = max(1.0, 1.25 * float(phi.abs().max()))
    return {name: (values + 0.0).tolist() for name, values in shown.items()} | {"scale": scale, "reach": _rounded_up(largest)}


def _rounded_up(largest: float) -> float:
    """The next of 1, 2, 5, 10, 20, … above: the end of an axis that does not move with every number."""
    if largest <= 1:
        return 1.0
    power = 10.0 ** math.floor(math.log10(largest))
    return next(step * power for step in (1.0, 2.0, 5.0, 10.0) if largest <= step * power * (1 + 1e-12))


def words(shown: dict[str, Any], touched: tuple[str, int] | None) -> str:
    """What the last move did, and which weights vanish, in one line.

    Args:
        shown: what :func:`picture` returned.
        touched: the eigenvalue that was moved last, ("in", j) or ("out", i).
    """
    W, said = shown["W"], ""
    if touched is not None:
        side, k = touched
        name = f"λ{'ⁱⁿ' if side == 'in' else 'ᵒᵘᵗ'}{k}".translate(DIGITS)
        place = f"column {k}" if side == "in" else f"row {k}"
        value = f"{shown[f'lam_{side}'][k]:.2f}".replace("-", "−")
        said = f"{name} = {value} moves {place} of W and no other weight. "
    zeros = [(i, j) for i, row in enumerate(W) for j, w in enumerate(row) if w == 0]
    total = len(W) * len(W[0])
    if not zeros:
        return (said or "Drag an eigenvalue. ") + "No weight is 0."
    if len(zeros) == total:
        return said + "Every weight vanishes: nothing of layer 1 arrives at layer 2."
    names = ", ".join(f"w{i}{j}".translate(DIGITS) for i, j in zeros[:6]) + (" …" if len(zeros) > 6 else "")
    return f"{said}{len(zeros)} of {total} weights {'is' if len(zeros) == 1 else 'are'} 0: {names}."


def layer_sizes(eigenvectors: Any, n_in: Any, n_out: Any) -> tuple[int, int]:
    """(n_in, n_out) of φ if it is given, else those that are wanted; checked."""
    if eigenvectors is not None:
        rows = listed("eigenvectors", eigenvectors)
        n_out, n_in = len(rows), len(listed("eigenvectors[0]", rows[0])) if rows else 0
    for name, n in {"n_in": n_in, "n_out": n_out}.items():
        if isinstance(n, bool) or not isinstance(n, int) or not 1 <= n <= MOST:
            raise ValueError(f"{name} = {n!r}; wanted a whole number of nodes from 1 to {MOST}")
    return n_in, n_out


def listed(name: str, values: Any) -> list[Any]:
    """A tensor, array, tuple or list as a list; anything else is refused."""
    values = values.tolist() if hasattr(values, "tolist") else values
    if not isinstance(values, list | tuple):
        raise ValueError(f"{name} = {values!r}; wanted a list of numbers")
    return list(values)


def checked_numbers(name: str, values: Any, n: int, limit: float) -> tuple[float, ...]:
    """n numbers from -limit to limit, or a ValueError that names the found and the wanted.

    They are rounded to six decimals, so that the 0.8 of a float32 tensor equals the 0.8 of a handle, and their link vanishes.
    """
    found = listed(name, values)
    if len(found) != n:
        raise ValueError(f"{name} has {len(found)} entries; this layer wants {n}")
    for k, value in enumerate(found):
        if isinstance(value, bool) or not isinstance(value, Real) or not abs(float(value)) <= limit:  # so NaN is refused
            raise ValueError(f"{name}[{k}] = {value!r}; wanted a number from {-limit:g} to {limit:g}")
    return tuple(round(float(value), 6) + 0.0 for value in found)  # -0.0 becomes 0.0


def checked_index(name: str, k: Any, n: int) -> int:
    """A whole number from 0 to n - 1, or a ValueError."""
    if isinstance(k, bool) or not isinstance(k, int) or not 0 <= k < n:
        raise ValueError(f"{name} {k!r} does not exist; wanted a whole number from 0 to {n - 1}")
    return k
