"""Filters ranked, switched off and taken out: against models whose weights are set to 0 by hand, and layer by layer."""

import copy

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from strategies import seeds, uniform
from torch import nn
from torch.testing import assert_close

from spectral_lab import SpectralLinear, SpectralNet, compact, prune, pruning_curve, spectralize
from spectral_lab.certificates import count_macs
from spectral_lab.direct import DirectNet
from spectral_lab.filters import FILTER_RANKING_NAMES, Filters
from spectral_lab.filters.channels import wire
from spectral_lab.layers import SpectralConv2d

TIGHT = {"rtol": 1e-9, "atol": 1e-9}
EXACT = {"rtol": 0, "atol": 0}
SIZE = 8  # height and width of the images


def seeded(seed=0):
    """A generator of one's own."""
    return torch.Generator().manual_seed(seed)


@torch.no_grad()
def randomise(model, seed=0):
    """Random numbers everywhere, running statistics included; in evaluation mode and double precision."""
    generator = seeded(seed)
    for module in model.double().modules():
        for p in module.parameters(recurse=False):
            p.copy_(uniform(*p.shape, generator=generator))
        if isinstance(module, nn.BatchNorm2d | nn.BatchNorm1d):
            module.running_mean.copy_(uniform(*module.running_mean.shape, generator=generator))
            module.running_var.copy_(torch.rand(module.running_var.shape, generator=generator) + 0.5)
    return model.eval()


def images(n=4, channels=2, seed=9):
    """Some random images."""
    return uniform(n, channels, SIZE, SIZE, generator=seeded(seed))


class Residual(nn.Module):
    """x + f(x), with the norms and the in-place activations that such blocks have."""

    def __init__(self, channels, inner, conv=nn.Conv2d):
        super().__init__()
        self.conv1, self.norm1 = conv(channels, inner, 3, padding=1, bias=False), nn.BatchNorm2d(inner)
        self.conv2, self.norm2 = conv(inner, channels, 3, padding=1, bias=False), nn.BatchNorm2d(channels)
        self.relu = nn.ReLU(inplace=True)

    def forward(self, x):
        out = self.relu(self.norm1(self.conv1(x)))
        out = self.norm2(self.conv2(out))
        out += x
        return self.relu(out)


class ResidualNet(nn.Module):
    """A stem, two residual blocks with a wider layer between them, an average over places, a linear layer."""

    def __init__(self, conv=nn.Conv2d):
        super().__init__()
        self.stem = nn.Sequential(conv(2, 4, 3, padding=1), nn.BatchNorm2d(4), nn.ReLU())
        self.first = Residual(4, 3, conv)
        self.between = nn.Sequential(conv(4, 6, 1, stride=2), nn.BatchNorm2d(6))
        self.second, self.head = Residual(6, 5, conv), nn.Linear(6, 3)

    def forward(self, x):
        x = self.second(self.between(self.first(self.stem(x))))
        x = nn.functional.adaptive_avg_pool2d(x, 1)
        return self.head(torch.flatten(x, 1))


class Squeezed(nn.Module):
    """An inverted residual block as in mobile networks: wide, depthwise, with channels weighed by themselves, narrow."""

    def __init__(self, channels, wide):
        super().__init__()
        self.widen = nn.Sequential(nn.Conv2d(channels, wide, 1, bias=False), nn.BatchNorm2d(wide), nn.SiLU())
        self.depthwise = nn.Sequential(nn.Conv2d(wide, wide, 3, padding=1, groups=wide), nn.BatchNorm2d(wide), nn.SiLU())
        self.squeeze, self.excite = nn.Conv2d(wide, 2, 1), nn.Conv2d(2, wide, 1)
        self.narrow = nn.Sequential(nn.Conv2d(wide, channels, 1, bias=False), nn.BatchNorm2d(channels))

    def forward(self, x):
        h = self.depthwise(self.widen(x))
        weights = torch.sigmoid(self.excite(nn.functional.relu(self.squeeze(h.mean((2, 3), keepdim=True)))))
        return x + self.narrow(weights * h)


class Mobile(nn.Module):
    """A stem and such a block."""

    def __init__(self):
        super().__init__()
        self.stem, self.block, self.fc = nn.Conv2d(2, 4, 3, stride=2), Squeezed(4, 6), nn.Linear(4 * 3 * 3, 3)

    def forward(self, x):
        x = self.block(nn.functional.relu6(self.stem(x)))
        return self.fc(x.view(x.size(0), -1))


HEADS = {
    "linear": lambda n: [nn.Linear(n, 3)],
    "two linear": lambda n: [nn.Linear(n, 4), nn.Tanh(), nn.Linear(4, 3)],
    "spectral": lambda n: [SpectralLinear(n, 4), nn.ReLU(), SpectralLinear.student(4, 3)],
    "sparcs": lambda n: [SpectralNet([n, 5, 3], train_input_eigenvalues=False)],
    "sparcs, no bias": lambda n: [SpectralNet([n, 5, 4, 3], bias=False, activation=torch.sigmoid)],
    "sparcs, adjacency": lambda n: [SpectralNet([n, 5, 3], update="adjacency")],
}


def cnn(channels=(3, 4), head="linear", conv=nn.Conv2d, padding=1, pool=nn.MaxPool2d, norm=True, **options):
    """Convolutions with batch norm, activation and pooling, flattened into a head."""
    modules, n_in, size = [], 2, SIZE
    for n in channels:
        modules += [conv(n_in, n, 3, padding=padding, **options), *([nn.BatchNorm2d(n)] if norm else []), nn.ReLU()]
        n_in, size = n, size + 2 * padding - 2
        if size > 1:
            modules.append(pool(2))
            size //= 2
    return nn.Sequential(*modules, nn.Flatten(), *HEADS[head](n_in * size * size))


@st.composite
def cnns(draw, **options):
    """Random CNNs over channels, heads, kinds of convolutions, padding, pooling, norms; what is given is not drawn."""
    drawn = {
        "channels": draw(st.lists(st.integers(1, 4), min_size=1, max_size=2)),
        "head": draw(st.sampled_from(list(HEADS))),
        "conv": draw(st.sampled_from([nn.Conv2d, SpectralConv2d, SpectralConv2d.student])),
        "padding": draw(st.integers(0, 1)),
        "pool": draw(st.sampled_from([nn.MaxPool2d, nn.AvgPool2d])),
        "norm": draw(st.booleans()),
        "bias": draw(st.booleans()),
    }
    return randomise(cnn(**(drawn | options)), draw(seeds))


MODELS = {"residual": ResidualNet, "spectral residual": lambda: ResidualNet(SpectralConv2d), "mobile": Mobile, "cnn": cnn}
every_model = pytest.mark.parametrize("make", MODELS.values(), ids=MODELS)


@torch.no_grad()
def deafened(model, keep):
    """A copy in which the layers behind the removed units have weights of 0 for them: nothing is taken out."""
    model = copy.deepcopy(model)
    for group, mask in zip(wire(model).groups, keep, strict=True):
        for reader in group.readers:
            layer = model.get_submodule(reader.name)
            columns = mask.repeat_interleave(reader.n_each)
            if isinstance(layer, SpectralNet):
                every = torch.cat([columns, columns.new_ones(int(layer.bias))])
                layer.eigenvectors[0][:, ~every] = 0
            elif isinstance(layer, SpectralConv2d):
                layer.eigenvectors[:, ~columns] = 0
            elif isinstance(layer, SpectralLinear):
                layer.basis.eigenvectors[:, ~columns] = 0
            else:
                layer.weight[:, ~columns] = 0
    return model


def random_masks(filters, seed):
    """Some units of each group, one at least."""
    generator, masks = seeded(seed), []
    for n in filters.hidden:
        mask = torch.rand(n, generator=generator) < 0.5
        mask[int(torch.randint(n, (1,), generator=generator))] = True
        masks.append(mask)
    return masks


def filters_of(model):
    """Rows of every convolution."""
    return [m.out_channels for m in model.modules() if isinstance(m, nn.Conv2d | SpectralConv2d)]


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
    assert sum(p.numel() for p in network.parameters()) < sum(p.numel() for p in model.parameters())


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


@torch.no_grad()
def silence(model, seed):
    """Make some channels silent or constant in all the ways there are; constants that a ReLU passes among them."""
    generator = seeded(seed)
    for module in model.modules():
        if isinstance(module, nn.BatchNorm2d):
            dead = torch.rand(module.num_features, generator=generator) < 0.4
            module.weight[dead] = 0
            module.bias[dead & (torch.rand(module.num_features, generator=generator) < 0.7)] = -1
        elif isinstance(module, nn.Conv2d | SpectralConv2d):
            weight = module.weight if isinstance(module, nn.Conv2d) else module.eigenvectors
            weight[torch.rand(len(weight), generator=generator) < 0.3] = 0
            weight[:, torch.rand(weight.shape[1], generator=generator) < 0.2] = 0
            if module.bias is not None:
                module.bias[torch.rand(len(weight), generator=generator) < 0.5] = 0
    return model


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


# -- rankings ----------------------------------------------------------------------------------------------------------


def test_scores_are_the_written_out_formulas_summed_over_what_is_tied():
    model = randomise(ResidualNet(SpectralConv2d))
    filters, pairs = Filters(model), [(model.stem[0], model.stem[1]), (model.first.conv2, model.first.norm2)]
    formulas = {
        "eigenvalue": lambda conv, norm, o: conv.eigenvalues_out[o].abs(),
        "eigenvalue_norm": lambda conv, norm, o: conv.eigenvalues_out[o].abs() * conv.eigenvectors[o].square().sum().sqrt(),
        "connectivity": lambda conv, norm, o: conv.weight[o].abs().sum(),
        "row_norm": lambda conv, norm, o: conv.weight[o].square().sum().sqrt(),
        "batch_norm": lambda conv, norm, o: norm.weight[o].abs(),
    }
    for name, formula in formulas.items():
        expected = torch.stack([sum(formula(conv, norm, o) for conv, norm in pairs) for o in range(4)])
        assert_close(filters.scores(name, [0])[0], expected.detach(), **TIGHT)


def test_activation_is_the_variance_of_what_the_next_layers_hear():
    model, x = randomise(cnn((3, 4))), images(30)
    first = model[:4](x)
    second = model[:8](x)
    found = Filters(model).scores("activation", [0, 1], x=x)
    assert_close(found[0], first.var((0, 2, 3), correction=0).detach(), **TIGHT)
    assert_close(found[1], second.var((0, 2, 3), correction=0).detach(), **TIGHT)


def test_activation_of_filters_that_nobody_reads_is_zero():
    model = randomise(Steps(lambda m, x: x))
    model.aside, between = nn.Conv2d(4, 5, 1).double(), model.between
    model.between = lambda m, x: (m.aside(x), between(m, x))[1]
    assert_close(Filters(model).scores("activation", [1], x=images())[0], torch.zeros(5, dtype=torch.float64), **EXACT)


def test_random_scores_depend_on_the_seed_alone():
    filters = Filters(randomise(ResidualNet()))
    assert_close(filters.scores("random", [1], seed=3), filters.scores("random", [0, 1], seed=3)[1:], **EXACT)
    assert not torch.equal(filters.scores("random", [1], seed=3)[0], filters.scores("random", [1], seed=4)[0])


def test_a_ranking_of_ones_own_gets_the_model():
    model = randomise(cnn((3, 4)))
    _network, certificate = prune(model, lambda m: [m[1].weight, m[5].weight], keep=4)
    assert certificate.ranking == "<lambda>"
    pooled = torch.cat([model[1].weight, model[5].weight])
    assert sum(len(kept) for kept in certificate.kept) == 4
    assert set(pooled.topk(4).indices.tolist()) == {*certificate.kept[0], *(3 + n for n in certificate.kept[1])}
    with pytest.raises(ValueError, match=r"shapes \[\(3,\)\]; wanted \[\(3,\), \(4,\)\]"):
        prune(model, lambda m: [m[1].weight], keep=4)


@pytest.mark.parametrize(
    ("ranking", "options", "message"),
    [
        ("path", {}, "ranking = 'path'; wanted one of"),
        ("eigenvalue", {}, "the layer 0 is of type Conv2d and has no eigenvalues"),
        ("activation", {}, "give the images as x="),
        ("batch_norm", {"norm": False}, "no batch norm with a factor γ stands right behind the layer 0"),
    ],
)
def test_rankings_that_cannot_be_are_refused(ranking, options, message):
    with pytest.raises(ValueError, match=message):
        prune(randomise(cnn(**options)), ranking, keep=3)


# -- prune and its certificate -----------------------------------------------------------------------------------------


def test_the_least_relevant_filters_go_and_the_certificate_says_so():
    model, x = randomise(cnn((3, 4))), images(20)
    y = torch.randint(0, 3, (20,), generator=seeded())
    with torch.no_grad():
        model[1].weight[:], model[5].weight[:] = torch.tensor([5.0, 0.1, 3.0]), torch.tensor([0.2, 4.0, -6.0, 2.0])
    network, certificate = prune(model, "batch_norm", keep=5, x=x, y=y)
    assert certificate.kept == ((0, 2), (1, 2, 3))
    assert certificate.removed == (1, 1)
    assert (certificate.nodes_before, certificate.nodes_after) == ((2, 3, 4, 3), (2, 2, 3, 3))
    assert certificate.parameters_after == sum(p.numel() for p in network.parameters())
    assert certificate.macs_before == 64 * 9 * 2 * 3 + 16 * 9 * 3 * 4 + 16 * 3
    assert certificate.macs_after == 64 * 9 * 2 * 2 + 16 * 9 * 2 * 3 + 12 * 3 == count_macs(network, x[:1])
    assert not certificate.exact
    assert_close(certificate.loss_before, nn.functional.cross_entropy(model(x), y).item())
    assert_close(certificate.loss_after, nn.functional.cross_entropy(network(x), y).item())
    assert_close(certificate.max_change, (model(x) - network(x)).abs().max().item())
    assert "1 of hidden layer 0 (0), 1 of hidden layer 1 (4) (by batch_norm); not exact" in str(certificate)


def test_pruning_silent_filters_is_certified_as_exact():
    model = randomise(cnn((3, 4)))
    with torch.no_grad():
        model[1].weight[1], model[1].bias[1] = 0.0, -1.0
    certificate = prune(model, "batch_norm", threshold=0).certificate
    assert certificate.removed == (1, 0)
    assert certificate.exact
    assert certificate.macs_before is None
    assert "multiply" not in str(certificate)
    with torch.no_grad():
        model[1].bias[1] = 1.0  # a constant that is cut, not folded: to be heard
    assert not prune(model, "batch_norm", threshold=0).certificate.exact


def test_the_certificate_counts_a_depthwise_convolution_of_one_channel_as_before():
    model = randomise(Mobile())
    network, certificate = prune(model, "row_norm", keep=1, layers=[1])
    assert network.block.depthwise[0].groups == 1
    assert (certificate.nodes_before, certificate.nodes_after) == ((2, 4, 6, 2, 3), (2, 4, 1, 2, 3))


def test_images_stay_what_they_are_where_the_model_writes_over_them():
    model, x = randomise(nn.Sequential(nn.ReLU(inplace=True), *cnn())), images(12)
    before, y = x.clone(), torch.randint(0, 3, (12,), generator=seeded())
    prune(model, "activation", keep=3, per_layer=True, x=x, y=y)
    pruning_curve(model, "row_norm", x, y)
    compact(model, x=x)
    assert_close(x, before, **EXACT)


@pytest.mark.parametrize("n", [2, 501])
def test_a_norm_over_the_batch_at_hand_gets_two_rows_at_least(n):
    """Without running statistics batch norm refuses a single row of a linear layer, in evaluation mode too."""
    model = randomise(nn.Sequential(*cnn(head="two linear"))[:-2])
    model = nn.Sequential(*model, nn.BatchNorm1d(4, track_running_stats=False), nn.Linear(4, 3)).double().eval()
    certificate = compact(model, x=images(n)).certificate
    assert certificate.max_change == 0


def test_pruning_what_reaches_no_output_is_certified_as_exact():
    """The second layer hears the third of the first; but of the second layer that filter is read by nobody."""
    model = randomise(cnn((3, 4), norm=False))
    with torch.no_grad():
        model[3].weight[1:, 2] = 0
        model[7].weight[:, :4] = 0
    scores = [torch.tensor([1.0, 1.0, 0.0]), torch.ones(4)]
    certificate = prune(model, lambda m: scores, threshold=0, x=images()).certificate
    assert certificate.kept == ((0, 1), (0, 1, 2, 3))
    assert (certificate.exact, certificate.max_change) == (True, 0)


def test_a_filter_that_is_silent_by_cancellation_hears_what_cancels():
    model = randomise(cnn((3, 4), norm=False, padding=0))
    with torch.no_grad():
        model[0].weight[0], model[0].bias[0] = 0.0, 1.0
        model[3].weight[1, 1:], model[3].weight[[0, 2, 3], 0] = 0.0, 0.0
        model[3].weight[1, 0], model[3].bias[1] = -0.25, 9 * 0.25  # 0 as long as the first filter delivers 1
    scores = [torch.tensor([0.0, 1.0, 1.0]), torch.ones(4)]
    certificate = prune(model, lambda m: scores, threshold=0, x=images()).certificate
    assert certificate.kept[0] == (1, 2)
    assert not certificate.exact
    assert certificate.max_change > 0


def test_layers_choose_and_the_others_stay():
    certificate = prune(randomise(ResidualNet()), "connectivity", fraction=0.5, layers=[1, 3], per_layer=True).certificate
    assert certificate.removed[0] == certificate.removed[2] == 0
    assert sum(certificate.removed) == 4


def test_every_layer_gives_up_the_same_share():
    model = randomise(cnn((4, 4)))
    assert prune(model, "row_norm", fraction=0.5, per_layer=True).certificate.removed == (2, 2)


def test_a_layer_that_would_be_empty_is_refused():
    model = randomise(cnn((2, 4)))
    with torch.no_grad():
        model[0].weight.mul_(1e-6)
    with pytest.raises(ValueError, match=r"hidden layer 0 \(0\) would lose all its 2 filters or nodes"):
        prune(model, "row_norm", keep=4)


@pytest.mark.parametrize("bound", [0.0, 0.05, 0.5, 100.0])
def test_the_loss_bound_gives_the_fewest_filters_that_keep_it(bound):
    model, x = randomise(cnn((3, 4))), images(20)
    y = torch.randint(0, 3, (20,), generator=seeded())
    certificate = prune(model, "row_norm", max_loss_increase=bound, x=x, y=y).certificate
    curve = pruning_curve(model, "row_norm", x, y)
    n = sum(map(len, certificate.kept))
    assert_close(torch.tensor(certificate.loss_after).double(), curve.loss[n])
    assert certificate.loss_after <= certificate.loss_before + bound + 1e-9
    least = max(1 + [k for k, _ in curve.order].index(layer) for layer in (0, 1))
    assert all(curve.loss[m] > curve.loss[-1] + bound for m in range(least, n))


def test_running_statistics_are_not_touched_and_the_mode_is_not():
    model, x = randomise(cnn()).train(), images(20)
    before = copy.deepcopy(model.state_dict())
    y = torch.randint(0, 3, (20,), generator=seeded())
    prune(model, "row_norm", keep=3, per_layer=True, x=x, y=y)
    pruning_curve(model, "activation", x, y)
    compact(model, x=x)
    assert_close(dict(model.state_dict()), dict(before), **EXACT)
    assert all(module.training for module in model.modules())
    assert not any(module._forward_pre_hooks for module in model.modules())


# -- curves ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("ranking", ["row_norm", "batch_norm", "random", "activation"])
def test_the_curve_is_that_of_models_with_filters_taken_out(ranking):
    model, x = randomise(ResidualNet()), images(12)
    y = torch.randint(0, 3, (12,), generator=seeded())
    curve = pruning_curve(model, ranking, x, y, per_layer=True)
    assert curve.kept.tolist() == list(range(19))
    for n in (4, 9, 18):
        network, _ = prune(model, ranking, keep=n, per_layer=True, x=x)
        assert_close(nn.functional.cross_entropy(network(x), y), curve.loss[n], **TIGHT)
        assert_close((network(x).argmax(1) == y).float().mean(), curve.accuracy[n], **EXACT)


def test_chosen_numbers_are_points_of_the_whole_curve():
    model, x, y = randomise(cnn()), images(12), torch.randn(12, 3, dtype=torch.float64, generator=seeded())
    whole, some = pruning_curve(model, "row_norm", x, y), pruning_curve(model, "row_norm", x, y, numbers=[0, 3])
    assert some.kept.tolist() == [0, 3, 7]
    assert_close(some.loss, whole.loss[[0, 3, 7]], **EXACT)
    assert some.accuracy is None
    with pytest.raises(ValueError, match="numbers holds 9; wanted whole numbers from 0 to 7"):
        pruning_curve(model, "row_norm", x, y, numbers=[9])


# -- what is refused ---------------------------------------------------------------------------------------------------


class Steps(nn.Module):
    """Two convolutions with any function between them."""

    def __init__(self, between, n_out=4):
        super().__init__()
        self.first, self.second, self.third = nn.Conv2d(2, 4, 3), nn.Conv2d(n_out, 4, 1), nn.Conv2d(4, 3, 1)
        self.shuffle, self.group = nn.ChannelShuffle(2), nn.GroupNorm(2, 4)
        self.scale = nn.Parameter(torch.ones(4, 1, 1))
        self.between = between

    def forward(self, x):
        return self.third(self.second(self.between(self, self.first(x)))).mean((2, 3))


REFUSED = {
    "a module that mixes": (lambda m, x: m.shuffle(x), r"the module shuffle \(ChannelShuffle\) may mix channels"),
    "a norm over channels": (lambda m, x: m.group(x), r"the module group \(GroupNorm\) may mix channels"),
    "a function": (lambda m, x: x.flip(1), r"flip\(\) may mix channels"),
    "a mean over channels": (lambda m, x: x - x.mean(1, keepdim=True), r"mean\(\) may mix channels"),
    "a cut": (lambda m, x: x[:, [3, 1, 0, 2]], r"getitem\(\) may mix channels"),
    "a layer in two places": (lambda m, x: m.second(x), r"second \(Conv2d\) shares its numbers with second"),
    "other channels": (lambda m, x: x + x.sum(1, keepdim=True), r"sum\(\) may mix channels"),
    "a tensor of its own": (lambda m, x: x * m.scale, "scale has a number for each channel"),
    "an attribute of a map": (lambda m, x: x.mT.mT, r"getattr\(\) may mix channels"),
    "an axis moved": (lambda m, x: x.view(-1, 4, 1, x.shape[-1]).view(x.shape), r"view\(\) may mix channels"),
    "in place": (lambda m, x: x + nn.functional.relu(x, inplace=True), r"relu\(\) writes over a map that others read"),
}


@pytest.mark.parametrize(("between", "message"), REFUSED.values(), ids=REFUSED)
def test_what_cannot_be_followed_is_refused_by_name(between, message):
    model = Steps(between)
    with pytest.raises(ValueError, match=rf"hidden layer 0 \(first\) cannot lose channels: .*{message}.*"):
        prune(model, "row_norm", fraction=0.3)
    _network, certificate = compact(model, x=torch.rand(2, 2, SIZE, SIZE))
    assert certificate.removed[0] == 0


def test_what_can_be_followed_is_pruned_beside_what_cannot():
    model, x = Steps(lambda m, x: m.shuffle(x)).eval(), torch.rand(2, 2, SIZE, SIZE)
    with pytest.raises(ValueError, match=r"choose among the others, e.g. layers=\[1\]"):
        prune(model, "row_norm", keep=6)
    network, certificate = prune(model, "row_norm", keep=2, layers=[1], x=x)
    assert certificate.removed == (0, 2)
    assert network(x).shape == (2, 3)
    with pytest.raises(ValueError, match=r"hidden layer 0 .* cannot lose channels"):
        Filters(model).without([torch.tensor([True, False, True, True]), torch.ones(4, dtype=torch.bool)])


FOLLOWED = {
    "pooling": lambda m, x: nn.functional.max_pool2d(nn.functional.avg_pool2d(x, 3, 1, 1), 2),
    "numbers": lambda m, x: 0.5 * (1 - x + 2),
    "gates": lambda m, x: x * torch.sigmoid(x.mean((2, 3), keepdim=True)),
    "itself": lambda m, x: x * x + x,
    "dropout": lambda m, x: nn.functional.dropout(x, 0.5, training=m.training),
    "in place": lambda m, x: nn.functional.relu_(x + 1).add_(0.5),
    "a loop": lambda m, x: sum(torch.tanh(x) for _ in range(3)),
}


@pytest.mark.parametrize("between", FOLLOWED.values(), ids=FOLLOWED)
@settings(max_examples=4)
@given(seeds)
def test_what_can_be_followed_is(between, seed):
    model, x = randomise(Steps(between), seed), images()
    masks = random_masks(Filters(model), seed)
    assert_close(Filters(model).without(masks)(x), deafened(model, masks)(x), **TIGHT)
    silence(model, seed)
    assert_close(compact(model).network(x), model(x), **TIGHT)


def test_a_weight_that_is_used_by_the_back_door_is_refused():
    class BackDoor(nn.Module):
        def __init__(self):
            super().__init__()
            self.first, self.second, self.third = nn.Conv2d(2, 4, 1), nn.Conv2d(4, 4, 1), nn.Conv2d(4, 3, 1)

        def forward(self, x):
            return self.third(self.second(self.first(x))) + self.first.weight.sum()

    with pytest.raises(
        ValueError, match=r"hidden layer 0 \(first\) cannot lose channels: the numbers of first are used again as first.weight"
    ):
        prune(BackDoor(), "row_norm", keep=4)


def test_groups_of_a_convolution_are_refused_with_the_reason():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Conv2d(4, 6, 3, groups=2), nn.Conv2d(6, 4, 1), nn.Flatten(), nn.Linear(64, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(Conv2d\) ties its channels in 2 groups"):
        prune(model, "row_norm", keep=6)
    assert prune(model, "row_norm", keep=2, layers=[2]).certificate.removed == (0, 0, 2)


def test_a_norm_in_two_places_is_refused_even_without_factors():
    norm = nn.BatchNorm2d(4, affine=False)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), norm, nn.Conv2d(4, 4, 1), norm, nn.Flatten(), nn.Linear(4 * 36, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(BatchNorm2d\) shares its numbers with 1"):
        prune(model, "row_norm", keep=4)


def test_inputs_that_speak_without_a_signal_are_refused():
    """Under the "adjacency" rule an input node that hears 0 goes on to f(0), which an input that is taken out does not."""
    head = SpectralNet([4 * 36, 5, 3], update="adjacency", activation=torch.sigmoid)
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.ReLU(), nn.Flatten(), head)
    with pytest.raises(ValueError, match=r"the module 3 \(SpectralNet\) makes f\(0\) ≠ 0 of an input of 0"):
        prune(model, "row_norm", keep=2)
    assert compact(model).certificate.removed == (0,)


def test_a_norm_over_places_is_refused_with_the_cure():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Flatten(), nn.BatchNorm1d(4 * 36), nn.Linear(4 * 36, 2))
    with pytest.raises(ValueError, match=r"2 \(BatchNorm1d\) has 144 features for 4 channels; put it before the flattening"):
        prune(model, "row_norm", keep=2)


@pytest.mark.parametrize("last", [nn.LogSoftmax(1), nn.Softmax(1)], ids=lambda m: type(m).__name__)
def test_classes_behind_which_probabilities_are_made_are_no_hidden_layer(last):
    model, x = randomise(nn.Sequential(*cnn((3, 4)), last)), images()
    network, certificate = prune(model, "row_norm", fraction=0.5, per_layer=True, x=x)
    assert (certificate.nodes_before[-1], certificate.nodes_after[-1]) == (3, 3)
    assert certificate.layers == ("0", "4")
    assert network(x).shape == (len(x), 3)


def test_a_linear_layer_on_an_unflattened_map_is_refused():
    model = nn.Sequential(nn.Conv2d(2, 4, 3), nn.Linear(6, 2))
    with pytest.raises(ValueError, match=r"the module 1 \(Linear\) reads a map that is not flattened"):
        prune(model, "row_norm", keep=2)


def test_models_that_cannot_be_traced_are_refused():
    class Branching(nn.Module):
        def __init__(self):
            super().__init__()
            self.conv = nn.Conv2d(2, 4, 3)

        def forward(self, x):
            return self.conv(x) if x.sum() > 0 else x

    with pytest.raises(TypeError, match=r"cannot follow the channels through Branching: .*no branches or loops"):
        prune(Branching(), "row_norm", keep=2)


def test_models_of_which_nothing_can_be_removed_are_refused():
    with pytest.raises(ValueError, match="no filter that could be removed"):
        compact(nn.Conv2d(2, 3, 3))


@pytest.mark.parametrize("name", ["0.weight", "1.running_var"])
def test_numbers_that_are_not_finite_are_refused(name):
    model = cnn()
    model.state_dict()[name].view(-1)[0] = torch.nan
    with pytest.raises(ValueError, match=rf"the parameter {name} has 1 values that are NaN or infinite"):
        compact(model)


@pytest.mark.parametrize(
    ("x", "y", "message"),
    [
        (torch.rand(4, 3, SIZE, SIZE), None, r"x has shape \(4, 3, 8, 8\), and the model cannot read such images"),
        (torch.rand(4, 2, 16, 16), None, "the model cannot read such images"),
        (torch.rand(4, 2, SIZE, SIZE).double(), None, r"x has dtype torch.float64, the network torch.float32"),
        (torch.full((4, 2, SIZE, SIZE), torch.nan), None, "x has NaN or infinite values"),
        (torch.rand(4, 2, SIZE, SIZE), torch.zeros(3, dtype=torch.long), "x has 4 rows and y has 3"),
        (torch.rand(4, 2, SIZE, SIZE), torch.full((4,), 3), "y has classes from 3 to 3; the network has 3 outputs"),
        (None, torch.zeros(3), "y is given without x"),
    ],
)
def test_images_that_do_not_fit_are_refused(x, y, message):
    with pytest.raises(ValueError, match=message):
        prune(cnn(), "row_norm", keep=3, x=x, y=y)


def test_means_are_not_folded_behind_convolutions():
    with pytest.raises(ValueError, match="fold=True holds removed nodes at their mean"):
        prune(cnn(), "row_norm", keep=3, x=torch.rand(4, 2, SIZE, SIZE), fold=True)


def test_the_size_of_images_is_needed_to_count():
    with pytest.raises(ValueError, match=r"depend on the size of the images; give one as x="):
        count_macs(cnn())


def test_every_name_of_the_table_ranks():
    model = spectralize(randomise(cnn()))
    for name in FILTER_RANKING_NAMES:
        assert sum(prune(model, name, keep=5, per_layer=True, x=images()).certificate.removed) == 2
