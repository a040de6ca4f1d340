"""The bench of filters against the same by hand: what is off delivers nothing; curves, rankings, pictures, own models."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from test_headrun import images
from torch import nn

from spectral_lab.layers import SpectralConv2d
from spectral_lab.live.cnnbench import LABELS, CnnBench

QUICK = {"channels": (3, 4), "epochs": 4}
SMALL = CnnBench(**QUICK)


def own(norm=False):
    """A CNN that has not learned anything, for images (1, 6, 6) in three classes."""
    torch.manual_seed(0)
    norms = [[nn.BatchNorm2d(n)] if norm else [] for n in (3, 2)]
    layers = [nn.Conv2d(1, 3, 3), *norms[0], nn.ReLU(), nn.Conv2d(3, 2, 2), *norms[1], nn.ReLU()]
    model = nn.Sequential(*layers, nn.Flatten(), nn.Linear(18, 3))
    for module in model:
        if isinstance(module, nn.BatchNorm2d):
            nn.init.uniform_(module.bias, 0.5, 1.0)
    return model


@given(st.sets(st.sampled_from(SMALL.filters)))
def test_a_filter_that_is_off_delivers_nothing_to_what_comes_next(off):
    first, relu, pool, second, *rest = SMALL.model
    with torch.no_grad():
        keep = [torch.tensor([float((k, n) not in off) for n in range(width)]) for k, width in enumerate((3, 4))]
        z = pool(relu(first(SMALL.x)))[:, keep[0] > 0]
        loud = keep[0].any()
        z = nn.functional.conv2d(z, second.weight[:, keep[0] > 0], padding=1) if loud else torch.zeros(len(z), 4, 4, 4)
        z = z * keep[1][:, None, None]
        for module in rest:
            z = module(z)
    torch.testing.assert_close(SMALL.outputs(off), z, rtol=1e-4, atol=1e-5)
    assert SMALL.accuracy(off) == pytest.approx(float((z.argmax(1) == SMALL.y).float().mean()), abs=0.011)


SPECTRAL = [ranking for ranking in LABELS if ranking != "batch_norm"]


@pytest.mark.parametrize("ranking", SPECTRAL)
def test_the_curve_is_the_accuracy_of_each_number_of_filters(ranking):
    order, curve = SMALL.order[ranking], SMALL.curve[ranking]
    assert sorted(order) == SMALL.filters == [(0, 0), (0, 1), (0, 2), (1, 0), (1, 1), (1, 2), (1, 3)]
    assert len(curve) == 8
    assert curve[7] == SMALL.accuracy()
    assert curve[3] == SMALL.accuracy(set(order) - set(order[:3]))
    scores = [SMALL.score[ranking][f] for f in order]
    assert scores == sorted(scores, reverse=True)


def test_scores_are_read_off_the_convolutions():
    for (k, n), score in SMALL.score["eigenvalue"].items():
        conv = SMALL.model[3 * k]
        assert score == pytest.approx(abs(conv.eigenvalues_out[n].item()))
        assert SMALL.score["eigenvalue_norm"][k, n] == pytest.approx(score * conv.eigenvectors[n].norm().item())
        assert SMALL.score["connectivity"][k, n] == pytest.approx(conv.weight[n].abs().sum().item(), rel=1e-5)


def test_the_penalty_makes_room_and_without_it_the_eigenvalue_says_little():
    slim, plain = CnnBench(), CnnBench(rho=0.0)
    pool = len(slim.filters)
    assert slim.curve["eigenvalue"][pool] > 0.93
    assert slim.curve["eigenvalue"][pool * 2 // 3] > slim.curve["eigenvalue"][pool] - 0.03
    assert slim.curve["random"][pool * 2 // 3] < 0.85
    assert plain.curve["eigenvalue"][pool * 2 // 3] < 0.85
    assert min(plain.score["eigenvalue"].values()) > 0.5  # it hardly tells them apart


def test_the_same_seed_is_the_same_cnn_and_pytorchs_random_numbers_stay():
    before = torch.get_rng_state()
    again, other = CnnBench(**QUICK), CnnBench(**QUICK, seed=1)
    assert torch.equal(before, torch.get_rng_state())
    assert again.curve == SMALL.curve
    assert other.score["eigenvalue"] != SMALL.score["eigenvalue"]
    assert all(again.model[k].eigenvalues_in.unique().tolist() == [0.0] for k in (0, 3))


def test_pictures_are_weights_and_what_is_found_on_the_average():
    weights, found = SMALL.pictures()
    first, relu, pool, second, *_ = SMALL.model
    assert weights.shape == (3, 3, 3)
    torch.testing.assert_close(weights, first.weight[:, 0].detach() / first.weight.abs().max())
    with torch.no_grad():
        mean = relu(second(pool(relu(first(SMALL.x))))).mean(0)
    torch.testing.assert_close(found, mean / mean.max())


@pytest.mark.parametrize("norm", [False, True])
def test_a_cnn_of_ones_own_is_switched_behind_its_batch_norm_and_stays_as_it_was(norm):
    model = own(norm).train()
    bench = CnnBench(model, images())
    assert model.training
    assert list(bench.curve) == [*(["batch_norm"] if norm else []), "connectivity", "random"]  # no eigenvalues
    with torch.no_grad():
        z = bench.model[: 2 + norm](bench.x)
        z[:, 1] = 0
        torch.testing.assert_close(bench.outputs({(0, 1)}), bench.model[2 + norm :](z))


def test_of_other_models_only_the_filters_are_offered():
    model = nn.Sequential(nn.Conv2d(1, 3, 3), nn.ReLU(), nn.Flatten(), nn.Linear(48, 5), nn.ReLU(), nn.Linear(5, 3))
    bench = CnnBench(model, images())
    assert bench.widths == (3,)
    network, certificate = bench.remove({(0, 0)})
    assert [network[0].out_channels, network[3].out_features] == [2, 5]
    torch.testing.assert_close(network(bench.x), bench.outputs({(0, 0)}))
    assert certificate.parameters_after < certificate.parameters_before


def test_three_convolutions_and_one_of_colours_are_learnt():
    bench = CnnBench(data=images(shape=(3, 9, 8)), channels=(4, 3, 2), epochs=150)
    assert [bench.model[3 * k].in_channels for k in range(3)] == [3, 4, 3]
    assert [tuple(p.shape) for p in bench.pictures()] == [(4, 3, 3), (3, 4, 4), (2, 2, 2)]
    assert bench.accuracy() > 0.5


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"channels": 8}, "channels = 8; wanted the filters of one to three convolutions"),
        ({"channels": (4, 0)}, "channels = \\(4, 0\\)"),
        ({"channels": (200, 100)}, "at most 256 in all"),
        ({"rho": -1}, "rho = -1; wanted a strength"),
        ({"epochs": 0}, "epochs = 0"),
        ({"seed": 0.5}, "seed = 0.5"),
        ({"data": images(shape=(1, 6, 3))}, "too small for 2 times pooling"),
    ],
)
def test_rules_out_of_their_range_are_refused(rules, words):
    with pytest.raises(ValueError, match=words):
        CnnBench(**rules)


@pytest.mark.parametrize(
    ("model", "kind", "words"),
    [
        ("resnet50", TypeError, "the model is a str without convolutions"),
        (
            nn.Sequential(nn.Flatten(), nn.Linear(36, 3)),
            TypeError,
            "a Sequential without convolutions; wanted some",
        ),
        (nn.Sequential(SpectralConv2d(3, 4, 3), nn.Flatten()), ValueError, "does not take images \\(1, 6, 6\\)|has shape"),
        (nn.Sequential(nn.Conv2d(1, 4, 3), nn.Flatten()), ValueError, "outputs have shape \\(2, 64\\); wanted \\(n, 3\\)"),
        (nn.Sequential(nn.Conv2d(1, 300, 6), nn.Flatten(), nn.Linear(300, 3)), ValueError, "300 filters; wanted at most 256"),
        (nn.Sequential(nn.Conv2d(1, 3, 6), nn.Flatten()), ValueError, "no filter"),
    ],
)
def test_models_that_do_not_fit_are_refused(model, kind, words):
    with pytest.raises(kind, match=words):
        CnnBench(model, images())


def test_how_to_train_is_no_question_for_a_trained_model():
    with pytest.raises(ValueError, match="rho says how to train a CNN"):
        CnnBench(own(), images(), rho=0.1)


@pytest.mark.parametrize("kept", [-1, 8, 2.0, True, "all"])
def test_a_number_of_filters_that_there_is_not_is_refused(kept):
    with pytest.raises(ValueError, match="wanted a whole number of filters from 0 to 7"):
        SMALL.off(kept, "eigenvalue")


@pytest.mark.parametrize("filters", [3, [(0, 3)], [(2, 0)], "ab", [[0]], [(0, 1, 2)]])
def test_filters_that_there_are_not_are_refused(filters):
    with pytest.raises(ValueError, match="wanted pairs"):
        SMALL.check_filters(filters)
