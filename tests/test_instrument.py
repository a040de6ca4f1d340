"""The instrument: it is ``train`` with sliders.  Against training by hand, against ``compact``, and the story it must tell."""

import math
import re
import threading
from dataclasses import replace

import matplotlib as mpl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.testing import assert_close

from spectral_lab import SpectralNet, TrainingDiverged, alpha_beta, structure, train
from spectral_lab.live import steering
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.problem import GRID, input_square
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.tasks import alpha_beta_target
from spectral_lab.topology import LIVE

EXACT = {"rtol": 0, "atol": 0}


def bits(instrument):
    return {name: value.clone() for name, value in instrument.network.state_dict().items()}


def grown(steps=300, **options):
    """An instrument that has some neurons of every strength."""
    instrument = Instrument(**({"alpha": 1.0, "hidden": (12,), "lr": 0.02} | options))
    instrument.run(steps)
    return instrument


def data(alpha, beta=5.0, seed=0):
    """The data that are trained on: all but the last fifth, which are kept for validation."""
    x, y = alpha_beta(alpha, beta, 2000, seed=seed)
    return x[:1600], y[:1600]


def by_hand(hidden=(30,), alpha=0.8, beta=5.0, seed=0, activation="relu", frozen=True, **options):
    """The network and the run that the settings describe, from the package's own parts."""
    network = SpectralNet(
        [2, *hidden, 1],
        activation=ACTIVATIONS[activation],
        train_input_eigenvalues=not frozen,
        generator=torch.Generator().manual_seed(seed),
    )
    x, y = data(alpha, beta, seed)
    return train(network, x, y, **({"steps": 0, "lr": 5e-3, "batch_size": 100, "rho": 1e-4, "seed": seed} | options))


# -- the same bits -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("given", "options"),
    [
        ({}, {}),
        ({"hidden": (4, 3), "seed": 7, "alpha": 0.2, "beta": 50.0}, {"hidden": (4, 3), "seed": 7, "alpha": 0.2, "beta": 50.0}),
        ({"activation": "tanh", "train_input_eigenvalues": True}, {"activation": "tanh", "frozen": False}),
        (
            {"lr": 0.1, "rho": 0.5, "penalty": "l1", "batch_size": 33},
            {"lr": 0.1, "rho": 0.5, "penalty": "l1", "batch_size": 33},
        ),
    ],
    ids=["defaults", "task and sizes", "network", "training"],
)
def test_the_instrument_is_training_by_hand(given, options):
    instrument, hand = Instrument(**given), by_hand(**options)
    instrument.run(45)
    hand.advance(45)
    assert_close(bits(instrument), dict(hand.network.state_dict()), **EXACT)


def test_the_same_seed_gives_the_same_bits_and_another_seed_others():
    first, second, other = (grown(40, seed=seed) for seed in (3, 3, 4))
    assert_close(bits(first), bits(second), **EXACT)
    assert first.history == second.history
    assert not torch.equal(first.network.eigenvectors[0], other.network.eigenvectors[0])


@settings(max_examples=8)
@given(parts=st.lists(st.integers(1, 25), min_size=1, max_size=4))
def test_slices_give_the_same_bits_as_one_run(parts):
    sliced, at_once = Instrument(), Instrument()
    for part in parts:
        sliced.speed = part
        sliced.train_slice(60.0)
    at_once.run(sum(parts))
    assert sliced.step == at_once.step == sum(parts)
    assert_close(bits(sliced), bits(at_once), **EXACT)


def test_a_slice_ends_when_its_time_is_up_and_always_makes_a_record():
    instrument = Instrument()
    instrument.train_slice(0.05)
    assert 1 <= instrument.step < 10_000
    assert instrument.history[-1].step == instrument.step
    before = instrument.history
    instrument.train_slice(0.0)  # measured anew at the same step, it takes the record's place
    assert [record.step for record in instrument.history] == [record.step for record in before] == [0, instrument.step]


@pytest.mark.parametrize("steps", [0, 1, 19, 20, 21, 40])
def test_a_run_takes_exactly_as_many_steps_and_records_its_end(steps):
    instrument = Instrument(hidden=(2,))
    record = instrument.run(steps)
    assert (instrument.step, record.step) == (steps, steps)
    assert record == instrument.history[-1]
    assert len(instrument.history) == 1 + math.ceil(steps / 20)


@pytest.mark.parametrize("steps", [-1, 1.0, "5", True, None, math.nan])
def test_a_number_of_steps_that_is_none_is_refused(steps):
    with pytest.raises(ValueError, match=re.escape(f"steps = {steps!r}; wanted a whole number of at least 0")):
        Instrument().run(steps)


# -- sliders -----------------------------------------------------------------------------------------------------------

MOVES = {"rho": 0.7, "penalty": "l1", "lr": 0.07, "batch_size": 17}


@pytest.mark.parametrize(("name", "value"), MOVES.items())
def test_a_move_takes_effect_from_the_next_step(name, value):
    instrument, hand, unmoved = Instrument(rho=0.01), by_hand(rho=0.01), by_hand(rho=0.01)
    for n in (30, 3):
        instrument.run(n)
        hand.advance(n)
        unmoved.advance(n)
        setattr(instrument, name, value)
        setattr(hand, name, value)
    assert_close(bits(instrument), dict(hand.network.state_dict()), **EXACT)
    assert not torch.equal(instrument.network.eigenvectors[0], unmoved.network.eigenvectors[0])


@pytest.mark.parametrize("move", [{"alpha": 0.1}, {"beta": 0.5}, {"beta": 50.0, "alpha": 0.9}])
def test_a_move_of_the_task_changes_the_data_from_the_next_step(move):
    instrument, hand = Instrument(), by_hand()
    instrument.run(30)
    hand.advance(30)
    x, before = hand.data
    for name, value in move.items():
        setattr(instrument, name, value)
    hand.set_data(x, data(instrument.alpha, instrument.beta)[1])
    assert not torch.equal(hand.data[1], before)
    instrument.run(3)
    hand.advance(3)
    assert_close(bits(instrument), dict(hand.network.state_dict()), **EXACT)
    wanted = alpha_beta_target(input_square(), instrument.alpha, instrument.beta)[:, 0]
    assert_close(instrument.problem.target, wanted, **EXACT)
    assert (instrument.history[-1].alpha, instrument.history[-1].beta) == (instrument.alpha, instrument.beta)


@pytest.mark.parametrize(
    ("name", "value"), [("hidden", (5, 4)), ("seed", 9), ("activation", "tanh"), ("train_input_eigenvalues", True)]
)
def test_a_setting_that_restarts_builds_the_network_that_it_describes(name, value):
    instrument = grown(30, hidden=(3,))
    setattr(instrument, name, value)
    fresh = Instrument(**{"alpha": 1.0, "hidden": (3,), "lr": 0.02, name: value})
    assert instrument.step == 0
    assert instrument.history == fresh.history
    assert_close(bits(instrument), bits(fresh), **EXACT)
    assert instrument.run(25) == fresh.run(25)
    assert_close(bits(instrument), bits(fresh), **EXACT)


def test_a_setting_set_to_what_it_was_restarts_nothing():
    instrument = grown(20, hidden=(3,))
    network, instrument.hidden, instrument.seed = instrument.network, [3], 0
    assert instrument.network is network
    assert instrument.step == 20


def test_reset_goes_back_to_the_first_weights_with_the_settings_of_now():
    instrument = grown(30)
    instrument.alpha = 0.3
    instrument.reset()
    assert instrument.settings() == Instrument(alpha=0.3, hidden=(12,), lr=0.02).settings()
    assert_close(bits(instrument), bits(Instrument(alpha=0.3, hidden=(12,), lr=0.02)), **EXACT)
    assert [record.step for record in instrument.history] == [0]


@pytest.mark.parametrize("width", [10**6, 10**12])
def test_a_layer_that_cannot_be_drawn_is_refused_before_anything_is_built(width, monkeypatch):
    monkeypatch.setattr(steering, "SpectralNet", lambda *args, **options: pytest.fail("a network was built"))
    with pytest.raises(ValueError, match=rf"hidden\[0\] = {width}; wanted a whole number from 1 to 300"):
        Instrument(hidden=(width,))


# -- records -----------------------------------------------------------------------------------------------------------


def test_the_records_are_those_of_the_training():
    instrument, hand = Instrument(alpha=1.0), by_hand(alpha=1.0)
    found, wanted = [instrument.history[0]], [hand.record()]
    for _ in range(3):
        found.append(instrument.run(20))
        hand.advance(20)
        wanted.append(hand.record())
    for own, theirs in zip(found, wanted, strict=True):
        trained = vars(theirs).keys() - {"validation_loss", "accuracy"}  # the instrument validates, the hand does not
        assert {name: getattr(own, name) for name in trained} == {name: getattr(theirs, name) for name in trained}
        assert (own.alpha, own.beta) == (1.0, 5.0)
    assert instrument.history == found


def test_a_long_history_is_thinned_and_keeps_its_ends(monkeypatch):
    monkeypatch.setattr(steering, "HISTORY", 10)
    instrument = Instrument(hidden=(1,))
    instrument.speed = 1
    for step in range(1, 60):
        instrument.train_slice(60.0)
        steps = [record.step for record in instrument.history]
        assert steps[0] == 0
        assert steps[-1] == step
        assert len(steps) <= 10
        assert steps == sorted(set(steps))
        assert len(steps) >= min(step + 1, 6)


def test_the_history_that_is_handed_out_is_a_copy():
    instrument = Instrument()
    instrument.history.clear()
    assert len(instrument.history) == 1


def test_a_run_that_diverges_says_so_stops_playing_and_keeps_the_last_good_network():
    instrument = Instrument(hidden=(5, 5, 5), rho=0.0)
    instrument.run(25)
    good, instrument.lr, instrument.playing = bits(instrument), 1e3, True
    with pytest.raises(TrainingDiverged, match=r"between steps 25 and 45 \(lr = 1000, rho = 0\)\. Lower lr"):
        instrument.run(100)
    assert instrument.playing is False
    assert instrument.step == instrument.history[-1].step == 25
    assert_close(bits(instrument), good, **EXACT)


# -- what there is to see ----------------------------------------------------------------------------------------------


def test_the_input_square_goes_row_by_row_from_the_top_left():
    square = input_square(3).tolist()
    assert square[:3] == [[-1, 1], [0, 1], [1, 1]]
    assert square[-3:] == [[-1, -1], [0, -1], [1, -1]]


def test_a_sight_is_the_network_of_now():
    instrument = grown()
    sight, shape = instrument.sight(), structure(instrument.network)
    assert sight.record == instrument.history[-1]
    assert_close(sight.shape.weights, instrument.network.weights())
    assert sight.shape.live == shape.live == sight.record.live
    assert_close(sight.shape.strengths, shape.strengths, **EXACT)
    assert (sight.masks, sight.pruned_loss) == (None, None)
    assert_close(sight.signals[-1], instrument.network(input_square()).detach(), **EXACT)
    assert not any(W.requires_grad for W in sight.shape.weights.values())


@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
@pytest.mark.parametrize("hidden", [(12,), (8, 6)])
def test_pruning_in_the_picture_is_pruning_for_real(hidden, activation):
    instrument = grown(hidden=hidden, activation=activation)
    x, y = data(1.0)
    strengths = torch.cat(instrument.sight().shape.strengths)
    for share in (0.0, 0.3, 0.6, 1.0):
        instrument.threshold = float(strengths.quantile(share))
        sight, compact = instrument.sight(), instrument.network.compact(instrument.threshold)
        assert_close(torch.cat(sight.masks), (strengths > instrument.threshold).float(), **EXACT)
        assert 0 < int((torch.cat(sight.masks) == 0).sum()) <= len(strengths)
        assert_close(sight.pruned_loss, torch.nn.functional.mse_loss(compact(x), y).item(), rtol=1e-5, atol=1e-6)
        assert_close(sight.signals[-1], compact(input_square()).detach(), rtol=1e-4, atol=1e-5)
    assert int(torch.cat(sight.masks).sum()) == 0
    assert instrument.step == 300  # looking changes nothing


def test_the_words_of_a_perceptron():
    instrument = Instrument()
    loss = f"{instrument.history[-1].data_loss:.1e}"
    validation = f"{instrument.record.validation_loss:.1e}"
    wanted = f"step 0: 0 of 30 hidden neurons live, effective depth 1, data loss {loss}, validation {validation}"
    assert instrument.words() == wanted


def test_the_words_count_steps_live_neurons_and_depth():
    instrument = grown(hidden=(6, 5), validation=0.0)
    sight = replace(instrument.sight(), record=replace(instrument.record, step=1234567))
    shape, loss = structure(instrument.network), f"{instrument.history[-1].data_loss:.1e}"
    assert sum(shape.live) > 1
    wanted = f"step 1,234,567: {sum(shape.live)} of 11 hidden neurons live, effective depth {shape.depth}, data loss {loss}"
    assert instrument.words(sight) == wanted


def test_the_words_tell_what_pruning_costs():
    instrument = grown(hidden=(6, 5))
    instrument.threshold = float(torch.cat(instrument.sight().shape.strengths).median())
    sight = instrument.sight()
    assert instrument.words(sight).endswith(f"; 6 pruned, loss without them {sight.pruned_loss:.1e}")
    assert instrument.words() == instrument.words(sight)


@pytest.mark.parametrize(("threshold", "pruned"), [(0.0, None), (1e-9, 0), (1e6, 1)])
def test_the_words_of_a_network_with_one_neuron(threshold, pruned):
    instrument = grown(hidden=(1,), alpha=0.5, threshold=threshold, seed=3)
    words = instrument.words()
    assert re.match(r"step 300: [01] of 1 hidden neurons? live, effective depth [12], data loss \d\.\de-\d\d", words)
    assert (f"; {pruned} pruned, loss without" in words) == (pruned is not None)


def test_the_figure_is_of_now_and_needs_no_pyplot():
    instrument = grown(30)
    figure = instrument.figure()
    text = "\n".join(artist.get_text() for artist in figure.findobj(mpl.text.Text))
    assert re.search(r"α = 1 +β = 5", text)
    assert instrument.words().replace(", data loss", "\ndata loss") in text
    assert len(figure.axes) == 7  # network, spectrum, target, output, error, losses, transition
    assert figure.canvas.manager is None


# -- threads, and what belongs to the process --------------------------------------------------------------------------


def test_settings_may_be_moved_from_another_thread_while_it_trains():
    instrument, problems, done = Instrument(hidden=(5,)), [], threading.Event()

    def move():
        try:
            for n in range(150):
                instrument.alpha, instrument.rho, instrument.lr = n % 10 / 10, n % 7 / 100, 1e-3 * (1 + n % 5)
                instrument.threshold, instrument.batch_size = n % 3 / 10, 50 + n % 4
                instrument.words()
        except Exception as error:
            problems.append(error)
        finally:
            done.set()

    hand = threading.Thread(target=move)
    hand.start()
    steps, slices = 0, 0
    instrument.speed = 3
    while not done.is_set() or slices < 5:
        instrument.train_slice(60.0)
        steps, slices = steps + 3, slices + 1
    hand.join()
    assert problems == []
    assert instrument.step == steps
    last = {"alpha": 0.9, "rho": 0.02, "lr": 5e-3, "threshold": 0.2, "batch_size": 51}
    assert {name: instrument.settings()[name] for name in last} == last
    training = instrument._training
    assert (training.rho, training.lr, training.batch_size) == (0.02, 5e-3, 51)
    assert_close(training.data[1], data(0.9)[1], **EXACT)
    replayed = Instrument.from_state(instrument.state)
    assert_close(bits(replayed), bits(instrument), **EXACT)


@pytest.mark.parametrize(("name", "early", "late"), [("rho", 0.1, 0.2), ("alpha", 0.1, 0.2), ("lr", 0.1, 0.2)])
def test_of_two_threads_that_move_one_setting_the_last_wins_everywhere(name, early, late):
    """The slow thread has stored its value, and is held before the training hears of it until the fast one is through."""
    instrument, held, go_on = Instrument(hidden=(2,)), threading.Event(), threading.Event()
    lock = instrument._lock

    class Gate:
        def __enter__(self):
            if threading.current_thread().name == "slow":
                held.set()
                assert go_on.wait(10)
            lock.acquire()

        def __exit__(self, *_):
            lock.release()

    instrument._lock = Gate()
    slow = threading.Thread(target=setattr, args=(instrument, name, early), name="slow")
    slow.start()
    assert held.wait(10)
    setattr(instrument, name, late)
    go_on.set()
    slow.join()
    assert getattr(instrument, name) == late
    instrument.run(5)
    assert_close(bits(Instrument.from_state(instrument.state)), bits(instrument), **EXACT)
    hand = Instrument(**{"hidden": (2,), name: late})
    hand.run(5)
    assert_close(bits(hand), bits(instrument), **EXACT)


def test_the_process_is_left_as_it_was():
    def process():
        return (
            torch.get_rng_state().tolist(),
            torch.get_num_threads(),
            torch.get_num_interop_threads(),
            torch.is_grad_enabled(),
            torch.get_default_dtype(),
            str(torch.get_default_device()),
            dict(mpl.rcParams),
        )

    before = process()
    instrument = Instrument()
    instrument.run(25)
    instrument.alpha, instrument.threshold, instrument.seed = 0.2, 0.1, 5
    instrument.words()
    instrument.figure()
    Instrument.from_state(instrument.state)
    assert process() == before


OWN = (torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20.0))


@pytest.mark.parametrize("dtype", [torch.float64, torch.float32])
@pytest.mark.parametrize("options", [{}, {"task": "digits"}, {"data": OWN}], ids=["family", "digits", "own"])
def test_the_defaults_of_the_process_do_not_matter(options, dtype):
    before = torch.get_default_dtype()
    torch.set_default_dtype(dtype)
    try:
        with torch.no_grad():
            instrument = Instrument(**options)
            instrument.run(5)
        output = instrument.sight().signals[-1]
        instrument.alpha = 0.1
        instrument.switch(0, 3)
        instrument.run(5)
    finally:
        torch.set_default_dtype(before)
    assert output.dtype == torch.float32
    assert instrument.step == 10


# -- the story ---------------------------------------------------------------------------------------------------------


def distance_from_a_plane(output):
    """RMS of what is left of a function on the input square after the best a + b·x is taken away."""
    square = input_square().double()
    columns = torch.cat([square, torch.ones(len(square), 1, dtype=torch.float64)], dim=1)
    plane = columns @ torch.linalg.lstsq(columns, output.double()).solution
    return (output - plane).square().mean().sqrt().item()


@pytest.mark.slow
@pytest.mark.parametrize("seed", [0])
def test_alpha_grows_the_network_and_rho_takes_it_back(seed):
    instrument = Instrument(alpha=0.0, seed=seed)
    perceptron = instrument.run(2000)
    assert perceptron.live == (0,)
    assert perceptron.depth == 1
    instrument.alpha = 1.0
    network = instrument.run(2000)
    assert network.live[0] >= 3
    assert network.depth == 2
    assert network.path_norm > 100 * perceptron.path_norm
    bent = distance_from_a_plane(instrument.sight().signals[-1])
    assert bent > 0.1
    instrument.rho = 1.0
    silenced = instrument.run(2000)
    assert silenced.live == (0,)
    assert silenced.path_norm < LIVE
    assert distance_from_a_plane(instrument.sight().signals[-1]) < bent / 50
    instrument.rho = 1e-4
    assert instrument.run(2000).live[0] >= 3
    assert instrument.history[-1].path_norm > 100 * silenced.path_norm


def test_the_grid_has_the_points_that_the_views_expect():
    assert input_square().shape == (GRID**2, 2)
    assert Instrument().problem.target.shape == (GRID**2,)


def test_after_a_divergence_with_huge_but_finite_weights_a_lower_learning_rate_goes_on():
    instrument = Instrument(hidden=(5, 5, 5), rho=0.0, lr=1e3)
    with pytest.raises(TrainingDiverged, match="Lower lr"):
        instrument.run(2000)
    instrument.lr = 1e-3
    instrument.run(40)
    assert instrument.history[-1].path_norm < float("inf")
