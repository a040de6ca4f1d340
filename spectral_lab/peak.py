"""The most memory that tensors hold during a step of training, on the CPU as on the GPU."""

from __future__ import annotations

import gc
from collections.abc import Callable

import torch
from torch.profiler import ProfilerActivity, profile, record_function


def peak_mebibytes(make: Callable[[], Callable[[], object]], device: str = "cpu") -> float:
    """The most memory that tensors hold during a step: parameters, optimiser, data, gradients and temporaries.

    PyTorch counts for the GPU.  On the CPU the profiler reports every allocation and release of PyTorch's allocator, those
    inside of kernels too, which a look at the process's size cannot tell from what the system keeps; network and optimiser
    are made under the profiler, so that everything that is ever released was seen being allocated.  What is there before is
    not counted on the CPU.

    >>> peak_mebibytes(lambda: lambda: torch.zeros(2**20))
    4.0

    Args:
        make: makes network and optimiser, and returns a function that does one step of training.
        device: "cpu" or "cuda".
    """
    if device == "cuda":
        step = make()
        for k in range(3):
            if k == 2:
                torch.cuda.reset_peak_memory_stats()
            step()
        return torch.cuda.max_memory_allocated() / 2**20
    gc.collect()  # a mapped file of before that is let go while we look would count as less than nothing
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as seen:
        step = make()
        step()
        step()  # in the first step the optimiser had no memory yet
        with record_function("measured"):
            step()
    events = seen.profiler.kineto_results.events()
    (measured,) = [event for event in events if event.name() == "measured"]
    held = peak = 0
    for event in sorted((event for event in events if event.name() == "[memory]"), key=lambda event: event.start_ns()):
        held += event.nbytes()
        if measured.start_ns() <= event.start_ns() <= measured.end_ns():
            peak = max(peak, held)
    return peak / 2**20
