"""Peak memory: what tensors hold at a time, whoever allocated them."""

import gc

import pytest
import torch
from torch import nn

from spectral_lab.peak import peak_mebibytes

MIB = 2**18  # float32 numbers


def test_what_is_given_back_is_not_counted_again():
    def step():
        for _ in range(5):
            torch.zeros(2 * MIB)

    assert peak_mebibytes(lambda: step) == 2


def test_what_is_held_at_the_same_time_adds_up():
    def make():
        kept = torch.zeros(3 * MIB)
        return lambda: (torch.zeros(MIB), torch.zeros(MIB), kept)

    assert peak_mebibytes(make) == 5


def test_what_only_earlier_steps_held_is_not_counted():
    sizes = iter([8 * MIB, 8 * MIB, MIB])
    assert peak_mebibytes(lambda: lambda: torch.zeros(next(sizes))) == 1


def test_a_file_of_before_that_is_let_go_meanwhile_is_not_subtracted(tmp_path):
    (tmp_path / "numbers").write_bytes(bytes(4 * 8 * MIB))
    mapped = [torch.from_file(str(tmp_path / "numbers"), size=8 * MIB)]
    mapped.append(mapped)  # a circle: it stays until the collector comes
    del mapped

    def make():
        gc.collect()
        return lambda: torch.zeros(MIB)

    assert peak_mebibytes(make) == 1


def test_a_training_step_holds_weights_gradient_and_the_moments_of_adam():
    def make():
        layer = nn.Linear(512, 512, bias=False)  # 1 MiB
        adam = torch.optim.Adam(layer.parameters(), fused=True)

        def step():
            adam.zero_grad()
            layer(torch.ones(1, 512)).sum().backward()
            adam.step()

        return step

    assert peak_mebibytes(make) == pytest.approx(4, abs=0.05)
