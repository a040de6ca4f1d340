"""Small models with convolutions, random and in double precision, for the tests of filters."""

import copy

import pytest
import torch
from hypothesis import strategies as st
from strategies import seeds, uniform
from torch import nn

from spectral_lab import SpectralLinear, SpectralNet
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
