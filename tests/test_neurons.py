"""The picture of the neurons: places that do not overlap, the strongest links, and the answers of what is left."""

import math
from itertools import combinations, pairwise

import pytest
import torch
from torch import nn

from spectral_lab.layers import SpectralLinear, feed_forward
from spectral_lab.live import neurons
from spectral_lab.unfolding import unfold


def stack(*sizes):
    return feed_forward(sizes, SpectralLinear, activation=nn.ELU, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize(
    "sizes", [(64, 1, 10), (64, 20, 10), (64, 100, 10), (9, 600, 2), (64, 60, 60, 10), (5, 3, 200, 40, 4), (64, 7, 1)]
)
def test_neurons_stand_apart_inside_the_picture_and_left_of_the_outputs(sizes):
    places, spacing = neurons.places(sizes), neurons.spacing(sizes)
    assert len(places) == sum(sizes[1:-1])
    start = 0
    for n, apart in zip(sizes[1:-1], spacing, strict=True):
        for (x, y), (u, v) in combinations(places[start : start + n], 2):
            assert math.hypot((x - u) * neurons.ASPECT, y - v) > 0.999 * apart
        for x, y in places[start : start + n]:
            assert x - apart / 2 / neurons.ASPECT >= neurons.FIRST
            assert x + apart / 2 / neurons.ASPECT <= neurons.LAST
            assert apart / 2 - 1e-9 <= y <= 1 - apart / 2 + 1e-9
        start += n
    blocks = [[x for x, _ in places[sum(sizes[1:k]) : sum(sizes[1 : k + 1])]] for k in range(1, len(sizes) - 1)]
    assert all(max(left) < min(right) for left, right in pairwise(blocks))
    outputs = neurons.outputs(sizes[-1])
    assert len(outputs) == sizes[-1]
    assert all(x > neurons.LAST and 0 <= y <= 1 for x, y in outputs)


def test_the_links_are_the_strongest_of_each_bundle_with_their_signs(monkeypatch):
    model = stack(6, 5, 4, 3)
    full = neurons.links(model)
    assert len(full) == 5 * 4 + 4 * 3
    w = model[2].weight.detach()
    for source, target, weight in full[:20]:
        assert weight == pytest.approx(float(w[target - 5, source] / w.abs().max()))
    assert {(s, t) for s, t, _ in full[20:]} == {(5 + s, 9 + t) for s in range(4) for t in range(3)}
    monkeypatch.setattr(neurons, "LINKS", 7)
    few = neurons.links(model)
    assert len(few) == 14
    weakest = min(abs(w) for *_, w in few[:7])
    assert sum(abs(w) > weakest for *_, w in full[:20]) == 6


def test_bundles_and_what_a_neuron_looks_for_are_the_rows_of_w():
    model = stack(16, 5, 3)
    w = model[0].weight.detach()
    assert neurons.bundles(model) == pytest.approx((w.norm(dim=1) / w.norm(dim=1).max()).tolist())
    looks = neurons.looks_for(model)
    torch.testing.assert_close(looks * w.abs().amax(1, keepdim=True), w)
    with torch.no_grad():
        model[0].eigenvalues_in.zero_()
        model[0].eigenvalues_out.zero_()  # every weight is 0
    assert neurons.bundles(model) == [0.0] * 5
    assert not neurons.looks_for(model).any()


@pytest.mark.parametrize(
    ("shape", "found"),
    [((3, 64), (8, 8)), ((3, 784), (28, 28)), ((3, 1, 8, 9), (8, 9)), ((3, 63), None), ((3, 3, 8, 8), None), ((3, 4096), None)],
)
def test_inputs_are_images_if_they_can_be(shape, found):
    assert neurons.image_shape(torch.zeros(shape)) == found


def test_the_examples_are_the_first_of_each_class():
    assert neurons.examples(torch.tensor([2, 0, 2, 1, 0])) == [1, 3, 0]
    assert len(neurons.examples(torch.arange(30))) == 10


def test_the_answers_are_those_of_networks_cut_by_hand():
    model, x = stack(6, 5, 3), torch.rand(4, 6, generator=torch.Generator().manual_seed(1))
    order = [(0, 3), (0, 0), (0, 4), (0, 1), (0, 2)]
    found = neurons.answers(unfold(model), order, x)
    assert found.shape == (6, 4, 3)
    for n in range(6):
        mask = torch.zeros(5)
        mask[[node for _, node in order[:n]]] = 1
        torch.testing.assert_close(found[n], model[2](model[:2](x) * mask).softmax(-1).detach())
