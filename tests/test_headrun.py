"""A head that grows on images: its measurements against the same by hand, data that do not fit, the board of mistakes."""

from dataclasses import replace

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from spectral_lab import SpectralNet
from spectral_lab.datasets import load
from spectral_lab.heads import without_hidden
from spectral_lab.live.headrun import DIGIT, EVERY, FEATURES, PARITY, HeadRun
from spectral_lab.live.mistakes import Mistakes, encoded, pixels
from spectral_lab.topology import structure

QUICK = {"hidden": 6, "batch_size": 50}


def images(n=60, shape=(1, 6, 6), n_classes=3, **options):
    """A data set of one's own: the class is where the image is light."""
    generator = torch.Generator().manual_seed(0)
    y = torch.arange(n) % n_classes
    x = torch.rand(n, *shape, generator=generator) + torch.nn.functional.one_hot(y, shape[-1])[:, None, None, :]
    return load((x, y), **{"validation": 0.25, "classes": True} | options)


# -- the run -------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("features", FEATURES)
def test_it_starts_as_a_linear_classifier_whatever_it_sees(features):
    run = HeadRun(features=features, **QUICK)
    start = run.standings[0]
    assert (start.step, start.live, start.accuracy == start.without) == (0, 0, True)
    assert run.eigenvalues.tolist() == [0.0] * 6
    assert isinstance(run.model[-1], SpectralNet)
    assert any(isinstance(module, nn.Conv2d) for module in run.model) == (features == "cnn")


@pytest.mark.parametrize("features", FEATURES)
def test_what_it_measures_is_what_the_model_does(features):
    run = HeadRun(features=features, **QUICK)
    run.advance(200)
    now, model = run.standings[-1], run.model.eval()
    with torch.no_grad():
        said = model(run.x).argmax(1)
        z = model[:-1](run.x)
        head = run.head
        cut = head.with_bias(z) @ head.weight(2, 0).T  # SPARCS 4.3: what the links past the hidden layer carry
        torch.testing.assert_close(without_hidden(model)(run.x), cut)
    assert torch.equal(said, run.said)
    assert now.accuracy == pytest.approx(float((said == run.y).float().mean()))
    assert now.without == pytest.approx(float((cut.argmax(1) == run.y).float().mean()))
    assert now.live == structure(head).live[0] > 0
    assert run.words() == (
        f"step 200: {now.live} of 6 hidden neurons live; accuracy {now.accuracy:.3f}, "
        f"without the hidden layer {now.without:.3f}"
    )


def test_even_or_odd_needs_hidden_neurons_and_which_digit_does_not():
    gained = {}
    for task in (PARITY, DIGIT):
        run = HeadRun(task=task)
        now = run.advance(800)
        gained[task] = now.accuracy - now.without
        assert now.live > 5
    assert gained[PARITY] > 0.08
    assert abs(gained[DIGIT]) < 0.02


def test_a_large_rho_starves_the_neurons_of_a_run_that_goes_on_and_zero_feeds_them():
    run = HeadRun(hidden=20)
    fed = run.advance(150).live
    run.rho = 0.1
    starved = run.advance(150)
    assert (starved.live, starved.rho) == (0, 0.1)
    run.rho = 0.0
    assert run.advance(300).live > 3
    assert fed > 8


def test_the_same_seed_is_the_same_run_however_it_is_cut_into_slices():
    whole, sliced, other = HeadRun(seed=3, **QUICK), HeadRun(seed=3, **QUICK), HeadRun(seed=4, **QUICK)
    whole.advance(60)
    while sliced.step < 60:
        sliced.advance(min(7, EVERY - sliced.step % EVERY), seconds=0.0005)
    other.advance(60)
    marks = [[s for s in run.standings if s.step % EVERY == 0] for run in (whole, sliced)]
    assert [(s.step, s.accuracy, s.without, s.live) for s in marks[0]] == [
        (s.step, s.accuracy, s.without, s.live) for s in marks[1]
    ]
    assert torch.equal(whole.eigenvalues, sliced.eigenvalues)
    assert not torch.equal(whole.eigenvalues, other.eigenvalues)


def test_a_run_leaves_the_random_numbers_of_pytorch_alone():
    before = torch.get_rng_state()
    HeadRun(features="cnn", **QUICK).advance(3)
    assert torch.equal(before, torch.get_rng_state())


def test_it_measures_at_each_tenth_step_and_after_the_last():
    run = HeadRun(**QUICK)
    run.advance(25)
    run.advance(5)
    assert [s.step for s in run.standings] == [0, 10, 20, 25, 30]


def test_a_run_that_diverges_says_so_and_stands_where_it_was():
    run = HeadRun(**QUICK)
    run.advance(20)
    run._training.lr = 1e30
    last = run.advance(30)
    assert "Lower lr" in run.trouble
    assert last.step == 20
    assert run.eigenvalues.isfinite().all()
    assert run.advance(10) is last


# -- data ----------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("shape", [(1, 7, 6), (3, 6, 5), (4, 5, 7)])
@pytest.mark.parametrize("features", FEATURES)
def test_images_of_ones_own_of_any_size_and_channels_are_learnt(shape, features):
    run = HeadRun(images(shape=shape), features=features, hidden=4, batch_size=20)
    assert run.advance(150).accuracy > 0.8
    assert run.rules.task == "which class?"


def test_tasks_are_asked_about_the_same_or_other_data():
    own = images()
    run = HeadRun({"three": own, "digits": "digits"}, task="digits", **QUICK)
    assert (run.rules.task, run.data.n_out) == ("digits", 10)
    assert HeadRun({"three": own, "digits": "digits"}, **QUICK).data is own
    y, parity = (HeadRun(task=task, **QUICK).data.y_train for task in (DIGIT, PARITY))
    assert torch.equal(y % 2, parity)


def test_of_many_validation_images_some_are_measured_of_all_parts():
    run = HeadRun(images(n=4000, validation=0.5), **QUICK)
    assert len(run.x) == len(run.y) == 600
    assert torch.equal(run.x[-1], run.data.x_validation[-1])


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (7, "data is a int; wanted a name"),
        ({}, "wanted at least one task"),
        (load((torch.rand(40, 3), torch.arange(40) % 2), classes=True), "wanted images"),
        (images(validation=0.0), "no validation part to measure on; load it with validation=0.2"),
        ("digit", "no data set is called 'digit'"),
    ],
    ids=["number", "empty", "table", "validation", "name"],
)
def test_data_that_do_not_fit_are_refused_with_the_cure(data, words):
    with pytest.raises(ValueError, match=words):
        HeadRun(data)


def test_images_that_are_too_small_for_the_cnn_are_refused():
    with pytest.raises(ValueError, match="too few for 2 convolutions"):
        HeadRun(images(shape=(1, 6, 3)), features="cnn", **QUICK)


@pytest.mark.parametrize(
    ("rules", "words"),
    [
        ({"hidden": 0}, "hidden = 0; wanted a whole number from 1 to 600"),
        ({"hidden": True}, "hidden = True"),
        ({"rho": -1}, "rho = -1; wanted a strength"),
        ({"rho": float("nan")}, "rho = nan"),
        ({"features": "resnet"}, "features = 'resnet'; wanted one of pixels, cnn"),
        ({"task": "colour?"}, "task = 'colour\\?'; wanted one of 'even or odd\\?'"),
        ({"lr": 0}, "lr = 0; wanted a positive"),
        ({"seed": -1}, "seed = -1"),
        ({"batch_size": 1}, "batch_size = 1"),
    ],
)
def test_rules_out_of_their_range_are_refused(rules, words):
    with pytest.raises(ValueError, match=words):
        HeadRun(**rules)


def test_a_step_that_is_none_is_refused():
    with pytest.raises(ValueError, match="steps = 0"):
        HeadRun(**QUICK).advance(0)


# -- the board of mistakes -----------------------------------------------------------------------------------------------


@given(st.lists(st.lists(st.integers(0, 2), min_size=12, max_size=12), min_size=1, max_size=6))
def test_a_mistake_keeps_its_place_until_it_is_read_rightly_and_no_place_is_wasted(looks):
    board, y = Mistakes(places=4), torch.zeros(12, dtype=torch.long)
    for said in looks:
        former, version = board.board, board.version
        board.look(torch.tensor(said), y)
        assert (board.version > version) == (board.board != former)
        assert board.count == sum(map(bool, said))
        rows = [m.row for m in board.shown]
        assert len(set(rows)) == len(rows)
        for old, new in zip(former, board.board, strict=True):
            if old is not None and said[old.row]:
                assert new is not None
                assert (new.row, new.said, new.right) == (old.row, said[old.row], False)
            elif old is not None and not old.right:
                assert new == replace(old, right=True)
        assert all(said[m.row] == m.said != m.true for m in board.shown if not m.right)
        assert None not in board.board or board.count == sum(not m.right for m in board.shown)


def test_bytes_of_an_image_span_its_range_and_colours_are_kept():
    grey = torch.tensor([-1.0, 0.0, 1.0, 3.0]).reshape(1, 1, 2, 2)
    assert pixels(grey).tolist() == [[[[0], [64]], [[128], [255]]]]
    colours = torch.zeros(1, 4, 1, 2)
    colours[0, 1] = 1.0  # green; the fourth is opacity
    colours[0, 3] = 9.0
    assert pixels(colours).tolist() == [[[[0, 255, 0], [0, 255, 0]]]]
    pair = torch.tensor([0.0, 0.5, 0.5, 1.0]).reshape(2, 1, 1, 2)  # one scale for all, or dark images would look light
    assert pixels(pair).flatten().tolist() == [0, 128, 128, 255]
    assert pixels(torch.rand(3, 2, 4, 5)).shape == (3, 4, 5, 1)
    assert pixels(torch.ones(2, 1, 3, 3)).unique().tolist() == [0]  # all the same
    assert encoded(pixels(grey)[0]) == "AECA/w=="
