"""A small network, its data and a run of it, for the tests of training and of what is kept of it."""

import torch

from spectral_lab import SpectralNet, alpha_beta, train


def net(seed=0, nodes=(2, 8, 1), **options):
    return SpectralNet(nodes, generator=torch.Generator().manual_seed(seed), **options)


def data(n=50, alpha=1.0, seed=0):
    return alpha_beta(alpha, 5, n, seed=seed)


def bits(network):
    return {name: value.clone() for name, value in network.state_dict().items()}


def run_of(network=None, n=50, **options):
    options = {"steps": 1000, "lr": 0.01, "batch_size": 20, "record_every": 5, "rho": 1e-3} | options
    return train(network if network is not None else net(), *data(n), **options)
