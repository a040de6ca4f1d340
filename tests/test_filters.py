"""Filters ranked and pruned, the certificate, and the curve over all numbers of kept filters."""

import copy

import pytest
import torch
from small_cnns import EXACT, TIGHT, Mobile, ResidualNet, Steps, cnn, images, randomise, seeded
from torch import nn
from torch.testing import assert_close

from spectral_lab import compact, prune, pruning_curve
from spectral_lab.certificates import count_macs
from spectral_lab.filters import Filters
from spectral_lab.layers import SpectralConv2d

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
