"""Filters switched off and taken out, and those that are silent: against models whose weights are set to 0 by hand."""

import copy

import pytest
import torch
from hypothesis import given, settings
from small_cnns import (
    EXACT,
    TIGHT,
    Mobile,
    ResidualNet,
    Steps,
    cnn,
    cnns,
    deafened,
    every_model,
    filters_of,
    images,
    random_masks,
    randomise,
    seeded,
    silence,
)
from strategies import seeds
from torch import nn
from torch.testing import assert_close

from spectral_lab import compact, prune
from spectral_lab.direct import DirectNet
from spectral_lab.filters import Filters
from spectral_lab.filters.channels import wire
from spectral_lab.layers import SpectralConv2d

# -- switched off and taken out ----------------------------------------------------------------------------------------


@given(cnns(), seeds)
def test_taken_out_switched_off_and_unheard_are_the_same(model, seed):
    filters, x = Filters(model), images()
    masks = random_masks(filters, seed)
    expected = deafened(model, masks)(x)
    network = filters.without(masks)
    assert_close(filters.output(x, masks), expected, **TIGHT)
    assert_close(network(x), expected, **TIGHT)
    assert filters_of(network) == [int(mask.sum()) for mask in masks[: len(filters_of(model))]]


@every_model
@settings(max_examples=6)
@given(seeds)
def test_it_is_so_with_residual_additions_too(make, seed):
    model, x = randomise(make(), seed), images()
    filters = Filters(model)
    masks = random_masks(filters, seed)
    expected = deafened(model, masks)(x)
    network = filters.without(masks)
    assert_close(filters.output(x, masks), expected, **TIGHT)
    assert_close(network(x), expected, **TIGHT)
    assert type(network) is type(model)
    after, before = (sum(p.numel() for p in owner.parameters()) for owner in (network, model))
    assert after == before if all(bool(mask.all()) for mask in masks) else after < before


def test_the_groups_of_a_residual_network_are_its_additions():
    groups = wire(ResidualNet()).groups
    assert [group.producers for group in groups] == [
        ("stem.0", "first.conv2"),
        ("first.conv1",),
        ("between.0", "second.conv2"),
        ("second.conv1",),
    ]
    assert [group.norms for group in groups] == [
        ("stem.1", "first.norm2"),
        ("first.norm1",),
        ("between.1", "second.norm2"),
        ("second.norm1",),
    ]
    assert {reader.name for reader in groups[0].readers} == {"first.conv1", "between.0"}
    assert [(group.producers, group.depthwise) for group in wire(Mobile()).groups][:2] == [
        (("stem", "block.narrow.0"), ()),
        (("block.widen.0", "block.excite"), ("block.depthwise.0",)),
    ]


class Named(nn.Module):
    """A convolution and a norm that have a name of their own besides their places in a sequence."""

    def __init__(self):
        super().__init__()
        self.conv, self.norm = nn.Conv2d(2, 4, 3), nn.BatchNorm2d(4)
        self.body, self.fc = nn.Sequential(self.conv, self.norm, nn.ReLU()), nn.Linear(4 * 36, 3)

    def forward(self, x):
        return self.fc(self.body(x).flatten(1))


def test_a_layer_with_two_names_is_taken_out_under_both():
    model, x, keep = randomise(Named()), images(), [torch.tensor([True, False, False, True])]
    network = Filters(model).without(keep)
    assert_close(network(x), deafened(model, keep)(x), **TIGHT)
    assert network.conv is network.body[0]
    assert network.norm is network.body[1]
    assert network.norm.num_features == 2


class Choice(nn.Module):
    """Another convolution is at work when a second argument is given."""

    def __init__(self):
        super().__init__()
        self.usual, self.other, self.last = nn.Conv2d(2, 4, 3), nn.Conv2d(2, 4, 3), nn.Conv2d(4, 3, 1)

    def forward(self, x, mask=None):
        h = self.usual(x) if mask is None else self.other(x) * mask
        return self.last(h).mean((2, 3))


def test_arguments_with_defaults_are_left_at_them():
    model, x, keep = randomise(Choice()), images(), [torch.tensor([True, False, False, True])]
    filters = Filters(model)
    assert [group.name for group in filters.groups] == ["usual"]
    assert_close(filters.without(keep)(x), deafened(model, keep)(x), **TIGHT)


@every_model
def test_what_is_left_can_be_trained_and_shares_nothing(make):
    model, x = randomise(make()).train(), images(8)
    before = copy.deepcopy(model.state_dict())
    network, _ = prune(model, "row_norm", fraction=0.4, per_layer=True)
    assert all(module.training for module in network.modules())
    optimizer, y = torch.optim.SGD(network.parameters(), lr=1e-3), torch.randint(0, 3, (8,), generator=seeded())
    losses = []
    for _ in range(3):
        optimizer.zero_grad()
        losses.append(nn.functional.cross_entropy(network(x), y))
        losses[-1].backward()
        optimizer.step()
    assert losses[-1] < losses[0]
    assert_close(dict(model.state_dict()), dict(before), **EXACT)


def test_what_was_frozen_stays_frozen():
    model = randomise(cnn(conv=SpectralConv2d.student, head="sparcs"))
    model[1].requires_grad_(False)
    network, _ = prune(model, "eigenvalue", keep=3, per_layer=True)
    frozen = {name for name, p in model.named_parameters() if not p.requires_grad}
    assert {name for name, p in network.named_parameters() if not p.requires_grad} == frozen
    assert "0.eigenvalues_in" in frozen
    assert (network[-1].sizes, network[-1].nodes) == (
        (4 * len(network[4].eigenvectors), 5, 3),
        (4 * network[4].out_channels + 1, 5, 3),
    )


def test_what_takes_over_constants_is_trained_only_where_something_was():
    layers = [nn.Conv2d(2, 3, 3, bias=False), nn.BatchNorm2d(3), nn.ReLU(), nn.Conv2d(3, 4, 3, bias=False)]
    model = randomise(nn.Sequential(*layers, nn.Flatten(), nn.Linear(64, 3, bias=False)))
    with torch.no_grad():
        model[1].weight[0], model[1].bias[0] = 0.0, 0.5  # a constant, into the bias of the second convolution
        model[3].weight[0, 1:] = 0  # it hears that constant alone: into the bias of the linear layer
    for trained in (True, False):
        network, certificate = compact(model.requires_grad_(trained), x=images())
        assert certificate.removed == (1, 1)
        assert network[3].bias is not None
        assert network[5].bias is not None
        assert {p.requires_grad for p in network.parameters()} == {trained}


def test_a_frozen_head_in_direct_space_stays_frozen():
    model = randomise(cnn((3, 4), head="sparcs"))
    model[-1] = compact(model[-1]).network.requires_grad_(False)
    network, _ = prune(model, "row_norm", keep=5, per_layer=True)
    assert network[-1].nodes[0] < model[-1].nodes[0]
    assert not any(p.requires_grad for p in network[-1].parameters())


# -- silent filters ----------------------------------------------------------------------------------------------------


@given(cnns(channels=[4, 5]), seeds)
def test_compaction_changes_nothing_that_can_be_seen(model, seed):
    silence(model, seed)
    x = images()
    network, certificate = compact(model, x=x)
    assert_close(network(x), model(x), **TIGHT)
    assert certificate.exact
    assert certificate.max_change < 1e-9
    again, second = compact(network, x=x)
    assert sum(second.removed) == 0
    assert_close(again(x), network(x), **EXACT)


@every_model
@settings(max_examples=6)
@given(seeds)
def test_compaction_is_exact_with_residual_additions_too(make, seed):
    model, x = silence(randomise(make(), seed), seed), images()
    network, _ = compact(model)
    assert_close(network(x), model(x), **TIGHT)


@pytest.mark.parametrize("make", [nn.Conv2d, SpectralConv2d.student])
def test_filters_behind_a_norm_of_factor_zero_are_removed(make):
    model = randomise(cnn((6, 5), conv=make))
    with torch.no_grad():
        model[1].weight[[0, 2]], model[1].bias[[0, 2]] = 0.0, -0.5  # the ReLU makes 0 of -0.5
        model[5].weight[1], model[5].bias[1] = 0.0, 0.5  # a constant, read by a linear layer: into its bias
    _network, certificate = compact(model, x=images())
    assert certificate.kept == ((1, 3, 4, 5), (0, 2, 3, 4))
    assert certificate.max_change < 1e-10


@pytest.mark.parametrize(("padding", "kept"), [(0, (1,)), (1, (0, 1))])
def test_a_constant_is_folded_where_no_padding_shows_its_border_and_only_there(padding, kept):
    convolutions = [nn.Conv2d(2, 2, 3), nn.Conv2d(2, 3, 3, padding=padding)]
    model = randomise(nn.Sequential(*convolutions, nn.Flatten(), nn.Linear(3 * (4 + 2 * padding) ** 2, 2)))
    with torch.no_grad():
        model[0].weight[0], model[0].bias[0] = 0.0, 2.0
    certificate = compact(model, x=images()).certificate
    assert certificate.kept[0] == kept
    assert certificate.max_change < 1e-10


def test_a_filter_that_nobody_reads_is_removed_and_what_only_it_heard_too():
    model = randomise(cnn((3, 4), norm=False))
    with torch.no_grad():
        model[7].weight[:, :4] = 0  # the first of four channels, 2 × 2 places each
        model[3].weight[1:, 2] = 0  # the third channel is heard by that filter alone
    assert compact(model).certificate.kept == ((0, 1), (1, 2, 3))


def test_a_filter_that_hears_only_silent_ones_is_silent_too():
    model = randomise(cnn((3, 4), norm=False))
    with torch.no_grad():
        model[0].weight[1], model[0].bias[1] = 0.0, -1.0
        model[3].weight[2, [0, 2]], model[3].bias[2] = 0.0, 0.5  # a constant then: into the bias of the linear layer
    certificate = compact(model, x=images()).certificate
    assert certificate.kept == ((0, 2), (0, 1, 3))
    assert certificate.max_change < 1e-10


def test_nothing_is_concluded_behind_a_step_that_may_mix_channels():
    model = randomise(Steps(lambda m, x: m.shuffle(x)))  # the third channel becomes the second
    with torch.no_grad():
        model.first.weight[1], model.first.bias[1] = 0.0, 0.0
        model.second.weight[0, [0, 2, 3]] = 0
    certificate = compact(model, x=images()).certificate
    assert certificate.removed == (0, 0)
    assert certificate.max_change == 0


def test_one_filter_is_left_where_all_are_silent():
    model = randomise(cnn((3, 4)))
    with torch.no_grad():
        for parameter in model[1].parameters():
            parameter.zero_()
    _network, certificate = compact(model, x=images())
    assert certificate.nodes_after[:2] == (2, 1)
    assert certificate.max_change < 1e-10


def test_a_network_at_its_perceptron_start_keeps_its_function_without_input_nodes():
    """All W_i1 scale with the columns of φ_1: columns and entries of λ_1 go, everything else stays."""
    model = cnn((3,), head="sparcs").double().eval()
    head = model[-1]
    assert bool((head.eigenvalues[0] == 0).all())
    network = Filters(model).without([torch.tensor([True, False, True])])
    columns = torch.tensor([True, False, True]).repeat_interleave(16)
    smaller, x = network[-1], torch.randn(5, 48, dtype=torch.float64, generator=seeded()) * columns
    assert_close(smaller(x[:, columns]), head(x), **TIGHT)
    for i in (1, 2):
        assert_close(smaller.weight(i, 0), head.weight(i, 0)[:, [*columns.nonzero().flatten(), 48]], **EXACT)


def test_a_compacted_head_can_lose_inputs_too():
    model = randomise(cnn((3, 4), head="sparcs"))
    model[-1] = compact(model[-1]).network
    assert isinstance(model[-1], DirectNet)
    with torch.no_grad():
        model[5].weight[2], model[5].bias[2] = 0.0, 0.25
    network, certificate = compact(model, x=images())
    assert certificate.kept[1] == (0, 1, 3)
    assert network[-1].nodes[0] == 12
    assert certificate.max_change < 1e-10
