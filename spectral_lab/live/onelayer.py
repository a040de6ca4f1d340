r"""One layer under the hand: two columns of nodes whose eigenvalues can be dragged, and the matrices that follow.

The numbers come from :mod:`spectral_lab.live.bipartite`; the browser's half, ``onelayer.js``, only draws.  It sends what
the hand has moved in one question at a time and is answered with one picture, so nothing queues up, and nobody fights over
a handle.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import anywidget
import torch
import traitlets
from torch import Tensor

from spectral_lab import plotting
from spectral_lab.live.assets import script, styles
from spectral_lab.live.bipartite import checked_index, checked_numbers, layer_sizes, listed, picture, words
from spectral_lab.live.picture import Picture

SCRIPTS = ("matrices", "bipartite", "signal", "onelayer")
LIMIT = 2.0  # eigenvalues go from -2 to 2: the ends of the handles' tracks
INPUT_LIMIT = 1.0  # and inputs x from -1 to 1
VECTOR_LIMIT = 1000.0  # of |φ|; only so that every number can be printed
ACTIONS = ("reset", "linear", "equal", "random")
PARTS = ("matrices", "signal")  # what can be hidden
TRAITS = {"in": "eigenvalues_in", "out": "eigenvalues_out", "x": "x"}  # what a hand can move
log = logging.getLogger(__name__)


class OneLayer(anywidget.AnyWidget):
    r"""One layer of nodes above another, with a handle at every eigenvalue.

    >>> from spectral_lab.live import OneLayer
    >>> layer = OneLayer([[0.5, -1.0], [1.0, 2.0]], eigenvalues_in=[1.0, 0.5], eigenvalues_out=[0.0, 0.5])
    >>> layer.weights
    [[0.5, -0.5], [0.5, 0.0]]
    >>> layer.eigenvalues_out = [1.0, 0.5]  # what a drag does; the row of node 0 changes
    >>> layer.weights
    [[0.0, 0.5], [0.5, 0.0]]

    As the last expression of a notebook cell it shows itself.

    Args:
        eigenvectors: φ (n_out, n_in), up to 8 × 8; drawn from the seed if None.
        eigenvalues_in, eigenvalues_out: :math:`\lambda^{in}` (n_in,) and :math:`\lambda^{out}` (n_out,), in [-2, 2]; likewise.
        x: input (n_in,), in [-1, 1]; likewise.
        n_in, n_out: nodes of the two layers; taken from φ if that is given.
        hide: parts that are not shown: "matrices" (A = ΦΛΦ⁻¹), "signal" (the input, and what arrives at a node).
        seed: of everything that is drawn.

    Raises:
        ValueError: numbers that are none, too many or too few, or out of range; the same when a trait is set.
    """

    _esm = script(*SCRIPTS)
    _css = styles("onelayer")
    # not Any, which lets None pass unchecked
    eigenvectors: Any = traitlets.TraitType()
    eigenvalues_in: Any = traitlets.TraitType()
    eigenvalues_out: Any = traitlets.TraitType()
    x: Any = traitlets.TraitType()
    node: Any = traitlets.TraitType(0)  # the node of layer 2 whose signal is taken apart

    def __init__(
        self,
        eigenvectors: Any = None,
        eigenvalues_in: Any = None,
        eigenvalues_out: Any = None,
        x: Any = None,
        *,
        n_in: int = 4,
        n_out: int = 3,
        hide: Sequence[str] = (),
        seed: int = 0,
    ) -> None:
        if set(hide) - set(PARTS) or isinstance(hide, str):
            raise ValueError(f"hide = {hide!r}; wanted a tuple of some of {PARTS}")
        self.hide, self.n_in, self.n_out = tuple(hide), *layer_sizes(eigenvectors, n_in, n_out)
        self._generator = torch.Generator().manual_seed(seed)
        self._lock, self._quiet, self._watched, self._message = threading.RLock(), True, False, ""
        self._touched: tuple[str, int] | None = None  # the eigenvalue that was moved last
        super().__init__()
        drawn = self._drawn()
        given = {"eigenvectors": eigenvectors, "eigenvalues_in": eigenvalues_in, "eigenvalues_out": eigenvalues_out, "x": x}
        for name, value in given.items():
            setattr(self, name, drawn[name] if value is None else value)
        self._start = self.state
        self._quiet = False
        self.on_msg(self._on_message)

    def _drawn(self) -> dict[str, Any]:
        """Numbers that are easy to read: φ and x are away from 0, so that nothing is lost from sight."""

        def uniform(low: float, high: float, *size: int) -> Tensor:
            return torch.empty(*size, dtype=torch.float64).uniform_(low, high, generator=self._generator).round(decimals=1)

        def signed(low: float, high: float, *size: int) -> Tensor:
            return uniform(low, high, *size) * torch.where(uniform(-1, 1, *size) < 0, -1.0, 1.0)

        return {
            "eigenvectors": signed(0.3, 1.2, self.n_out, self.n_in),
            "eigenvalues_in": uniform(0.2, 1.2, self.n_in),
            "eigenvalues_out": uniform(-1.0, 0.0, self.n_out),
            "x": signed(0.3, 1.0, self.n_in),
        }

    def __repr__(self) -> str:
        return f"OneLayer({self.n_in} nodes to {self.n_out})"

    # -- state ---------------------------------------------------------------------------------------------------------

    @property
    def state(self) -> dict[str, Any]:
        """All traits by name: φ, the eigenvalues, x and the chosen node."""
        return {name: getattr(self, name) for name in ("eigenvectors", "eigenvalues_in", "eigenvalues_out", "x", "node")}

    @property
    def numbers(self) -> dict[str, Any]:
        """What :func:`picture` makes of the state."""
        names = ("eigenvectors", "eigenvalues_in", "eigenvalues_out", "x")
        return picture(*(torch.tensor(getattr(self, name), dtype=torch.float64) for name in names))

    @property
    def weights(self) -> list[list[float]]:
        """The weights w (n_out, n_in) as lists."""
        return self.numbers["W"]

    @traitlets.validate("eigenvectors")
    def _check_eigenvectors(self, proposal: Any) -> tuple[tuple[float, ...], ...]:
        rows = listed("eigenvectors", proposal["value"])
        if len(rows) != self.n_out:
            raise ValueError(f"eigenvectors has {len(rows)} rows; this layer wants {self.n_out} rows of {self.n_in} numbers")
        return tuple(checked_numbers(f"eigenvectors[{i}]", row, self.n_in, VECTOR_LIMIT) for i, row in enumerate(rows))

    @traitlets.validate("eigenvalues_in", "eigenvalues_out", "x")
    def _check_numbers(self, proposal: Any) -> tuple[float, ...]:
        name = proposal["trait"].name
        n = self.n_out if name == "eigenvalues_out" else self.n_in
        return checked_numbers(name, proposal["value"], n, INPUT_LIMIT if name == "x" else LIMIT)

    @traitlets.validate("node")
    def _check_node(self, proposal: Any) -> int:
        return checked_index("node", proposal["value"], self.n_out)

    @traitlets.observe("eigenvectors", "eigenvalues_in", "eigenvalues_out", "x", "node")
    def _changed(self, _: Any) -> None:
        if not self._quiet:
            self._touched = None
            self._push()

    # -- what the buttons do -------------------------------------------------------------------------------------------

    @contextmanager
    def _together(self) -> Iterator[None]:
        """Several changes, one picture."""
        with self._lock:
            quiet, self._quiet = self._quiet, True
            try:
                yield
            finally:
                self._quiet = quiet
        if not self._quiet:
            self._push()

    def reset(self) -> None:
        """Back to the numbers that the layer was made with."""
        with self._together():
            self._touched = None
            for name, value in self._start.items():
                setattr(self, name, value)

    def linear(self) -> None:
        r"""The start of a linear layer that becomes spectral: :math:`\lambda^{in} = 0, \lambda^{out} = 1, \varphi = -w`.

        The weights stay what they are (Student Section 3).
        """
        with self._together():
            self._touched = None
            self.eigenvectors = [[-w for w in row] for row in self.weights]
            self.eigenvalues_in, self.eigenvalues_out = [0.0] * self.n_in, [1.0] * self.n_out

    def equal(self) -> None:
        """All eigenvalues 1: A is the identity, and every weight vanishes."""
        with self._together():
            self._touched = None
            self.eigenvalues_in, self.eigenvalues_out = [1.0] * self.n_in, [1.0] * self.n_out

    def random(self) -> None:
        """Another input x."""
        with self._together():
            self.x = torch.empty(self.n_in).uniform_(-1, 1, generator=self._generator).round(decimals=1)

    # -- talking with the browser --------------------------------------------------------------------------------------

    def _push(self) -> None:
        """Show a change that came from Python, if anybody looks."""
        if self._watched:
            with self._lock:
                self._send_picture({})

    def _on_message(self, _: Any, question: Any, buffers: Any) -> None:
        """Do what the hand asks, and answer with one picture, whatever happens."""
        question = question if isinstance(question, dict) else {}
        with self._lock:
            self._watched, self._message = True, ""
            before, touched, quiet = self.state, self._touched, self._quiet
            self._quiet = True
            try:
                self._obey(question)
            except Exception as error:  # shown in words; nothing of a question that cannot be obeyed is kept
                for name, value in before.items():
                    setattr(self, name, value)
                self._touched = touched
                self._message = str(error) or type(error).__name__
                if not isinstance(error, ValueError):
                    log.exception("the layer could not do what the browser asked")
            finally:
                self._quiet = quiet
            self._send_picture(question)

    def _obey(self, question: dict[str, Any]) -> None:
        moves, action = question.get("moves") or [], question.get("action")
        if not isinstance(moves, list):
            raise ValueError(f"moves = {moves!r}; wanted a list of [what, index, value]")
        for move in moves:
            self._move(*_three(move))
        if action is not None:
            if action not in ACTIONS:
                raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
            getattr(self, action)()

    def _move(self, what: Any, k: Any, value: Any) -> None:
        """Set one number: an eigenvalue ("in", "out"), an input ("x"), or the chosen node ("node")."""
        if what == "node":
            self.node = k
            return
        if not isinstance(what, str) or what not in TRAITS:
            raise ValueError(f"there is nothing called {what!r} to move; wanted 'in', 'out', 'x' or 'node'")
        values = list(getattr(self, TRAITS[what]))
        values[checked_index(what, k, len(values))] = value
        setattr(self, TRAITS[what], values)
        if what != "x":
            self._touched = what, k
        if what == "out":
            self.node = k

    def _send_picture(self, question: dict[str, Any]) -> None:
        numbers = self.numbers
        colours = {"positive": plotting.POSITIVE, "negative": plotting.NEGATIVE}
        fixed = {"limits": {"lam": LIMIT, "x": INPUT_LIMIT}, "hide": self.hide, "colours": colours}
        said = {"node": self.node, "words": words(numbers, self._touched), "message": self._message}
        number, client = question.get("number"), question.get("client")
        self.send({"kind": "picture", "number": number, "client": client, **fixed, **numbers, **said})

    # -- where there is no browser -------------------------------------------------------------------------------------

    def figure(self, *, width: float = 11.0, height: float = 3.8) -> Picture:
        """The two columns of nodes, and the matrices of A = ΦΛΦ⁻¹, as a static picture."""
        numbers, figure = self.numbers, Picture(figsize=(width, height))
        grid = figure.add_gridspec(2, 4, left=0.01, right=0.99, bottom=0.03, top=0.92, hspace=0.3, wspace=0.15)
        ax = figure.add_subplot(grid[:, :2])
        eigenvalues = {name: numbers[name] for name in ("lam_in", "lam_out")}
        plotting.plot_bipartite(numbers["W"], ax, **eigenvalues, widest=numbers["scale"])
        squares = {("A", "A"): grid[0, 2], ("Phi", "Φ"): grid[0, 3], ("Lam", "Λ"): grid[1, 2], ("inverse", "Φ⁻¹"): grid[1, 3]}
        for (name, title), place in ({("W", "W"): grid[:, 2:]} if "matrices" in self.hide else squares).items():
            plotting.plot_matrix(numbers[name], figure.add_subplot(place), limit=numbers["scale"], title=title)
        return figure

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and a static picture for closed and converted notebooks."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if data is not None:
            data["image/png"] = base64.b64encode(self.figure().file("png")).decode()
        return data, metadata


def _three(move: Any) -> tuple[Any, Any, Any]:
    if not isinstance(move, list | tuple) or len(move) != 3:
        raise ValueError(f"move = {move!r}; wanted [what, index, value]")
    return tuple(move)
