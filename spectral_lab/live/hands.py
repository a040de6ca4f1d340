"""Hands on single neurons: an eigenvalue that is moved, a neuron that is switched off and on again."""

from __future__ import annotations

from typing import Any

import torch

from spectral_lab.live.settings import HANDS, check
from spectral_lab.live.steering import Steering


class Hands(Steering):
    """What a hand does to the neurons of :class:`~spectral_lab.live.instrument.Instrument`."""

    def set_eigenvalue(self, layer: int, neuron: int, value: float) -> None:
        """Move the eigenvalue of a hidden neuron by hand; its bundle of links follows, and training goes on from there.

        Args:
            layer: hidden layer, counted from 0.
            neuron: its index in the layer.
            value: the new λ.

        Raises:
            ValueError: no such neuron, a value out of range, or one with which the loss is no longer finite.
        """
        with self._lock:
            self._hands_on("eigenvalue", check("eigenvalue", (layer, neuron, value)))
        self._after_change()

    def switch(self, layer: int, neuron: int, on: bool | None = None) -> None:
        """Switch a hidden neuron off, or on again; while it is off no signal reaches it, and training goes on without it.

        Args:
            layer: hidden layer, counted from 0.
            neuron: its index in the layer.
            on: True, False, or None for the other of the two.

        Raises:
            ValueError: no such neuron, or the loss is no longer finite with it.
        """
        with self._lock:
            layer, neuron, given = check("switch", (layer, neuron, True if on is None else on))
            self._hands_on("switch", (layer, neuron, (layer, neuron) in self._off if on is None else given))
        self._after_change()

    def _check_neuron(self, layer: int, neuron: int) -> None:
        hidden = self.network.sizes[1:-1]
        if layer >= len(hidden) or neuron >= hidden[layer]:
            raise ValueError(f"there is no neuron {neuron} in hidden layer {layer}; the hidden layers are {hidden}, from 0")

    @torch.no_grad()
    def _hands_on(self, name: str, value: Any) -> None:
        layer, neuron, new = value
        self._check_neuron(layer, neuron)
        eigenvalues, off = self.network.eigenvalues[layer + 1], self._off
        before = eigenvalues[neuron].clone()

        def move() -> None:
            if name == "switch":
                self._set_off(off - {(layer, neuron)} if new else off | {(layer, neuron)})
            else:
                eigenvalues[neuron] = new

        move()
        finite = self._training.finite()
        self._set_off(off)
        eigenvalues[neuron] = before
        if not finite:  # found out before anything is logged: there is nothing to undo
            what = "neuron is switched as it was" if name == "switch" else "eigenvalue stays as it was"
            raise ValueError(f"with {name} {value} the loss is no longer finite; the {what}")
        self._before_move()
        move()
        self._log(name, value)

    @property
    def off(self) -> frozenset[tuple[int, int]]:
        """The neurons that are switched off, as (hidden layer from 0, index)."""
        return self._off

    def _move(self, name: str, value: Any) -> None:
        if name in HANDS:
            self._hands_on(name, value)
        else:
            super()._move(name, value)
