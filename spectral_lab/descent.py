"""Descent: Adam, with the network's products in full or in mixed precision, and with a state that can be put back.

In mixed precision the network runs under ``torch.autocast`` in 16 bits; its output comes back in the float type of its
parameters, so that the loss, the penalty of the eigenvalues and Adam never see 16 bits.  Gradients in float16 would underflow:
the objective is multiplied by a factor first, which ``torch.amp.GradScaler`` finds, and a step whose gradients overflow is left
out.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import Tensor

from spectral_lab.options import check_lr

MOMENTS = ("step", "exp_avg", "exp_avg_sq")  # what Adam keeps for each parameter
SIXTEEN_BITS = (torch.bfloat16, torch.float16)
Scale = tuple[float, int]  # the factor of the objective, and steps since it last changed


class Descent:
    """Adam on the trainable parameters of a network.

    Args:
        parameters: what is trained.
        lr: learning rate; may be changed at any time.
        autocast: ``torch.bfloat16`` or ``torch.float16`` for the network's products; None computes all in the type of the
            parameters.

    Raises:
        ValueError: another type, or parameters that are not float32.
    """

    def __init__(self, parameters: Sequence[Tensor], lr: float, autocast: torch.dtype | None = None) -> None:
        fused = all(p.device.type in ("cpu", "cuda") and p.is_floating_point() for p in parameters)
        self._adam = torch.optim.Adam(parameters, lr=lr, fused=fused)
        self.parameters, self.autocast, self._scaler = list(parameters), autocast, None
        if autocast is None:
            return
        if autocast not in SIXTEEN_BITS:
            raise ValueError(f"autocast = {autocast}; wanted torch.bfloat16, torch.float16 or None")
        other = next((p.dtype for p in parameters if p.dtype != torch.float32), None)
        if other is not None:
            raise ValueError(f"autocast = {autocast} for parameters of {other}; wanted a network of torch.float32")
        self._device = parameters[0].device.type
        if autocast is torch.float16:
            self._scaler = torch.amp.GradScaler(self._device)

    @property
    def lr(self) -> float:
        """Learning rate of Adam."""
        return self._adam.param_groups[0]["lr"]

    @lr.setter
    def lr(self, value: float) -> None:
        check_lr(value)
        self._adam.param_groups[0]["lr"] = value

    def output(self, network: Callable[[Tensor], Tensor], x: Tensor) -> Tensor:
        """What a network answers to x, in the float type of its parameters."""
        if self.autocast is None:
            return network(x)
        with torch.autocast(self._device, dtype=self.autocast):
            answer = network(x)
        return answer.float()

    def step(self, objective: Tensor) -> None:
        """One step downhill."""
        self._adam.zero_grad()
        if self._scaler is None:
            objective.backward()
            self._adam.step()
        else:
            self._scaler.scale(objective).backward()
            self._scaler.step(self._adam)
            self._scaler.update()

    def moments(self) -> list[Tensor]:
        """Adam's numbers, those of one parameter after the other; none before the first step."""
        kept = [self._adam.state[p] for p in self.parameters]
        if not any(kept):
            return []
        numbers: list[Tensor] = []
        for state, p in zip(kept, self.parameters, strict=True):
            # a parameter that no gradient has reached yet has none; zeros are where Adam begins
            numbers += (
                [state[name] for name in MOMENTS] if state else [torch.zeros((), device=p.device), *[torch.zeros_like(p)] * 2]
            )
        return numbers

    def like_moments(self) -> list[Tensor]:
        """Tensors of the shapes and places that the moments have, or will have."""
        return [t for p in self.parameters for t in (torch.empty((), device=p.device), p, p)]

    @property
    def scale(self) -> Scale | None:
        """The factor of the objective; None where none is needed."""
        if self._scaler is None:
            return None
        state = self._scaler.state_dict()
        return float(state["scale"]), int(state["_growth_tracker"])

    def restore(self, moments: Sequence[Tensor], scale: Scale | None) -> None:
        """Go on from these moments, of which copies are made, and this factor."""
        for k, p in enumerate(self.parameters):
            kept = moments[3 * k : 3 * k + 3]
            self._adam.state[p] = {name: t.clone() for name, t in zip(MOMENTS, kept, strict=False)}
        if self._scaler is not None and scale is not None:
            self._scaler.load_state_dict(self._scaler.state_dict() | {"scale": scale[0], "_growth_tracker": scale[1]})
