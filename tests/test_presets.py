"""Presets: each can be begun, its moves come by themselves until the hand takes over, and each tells its story."""

import pytest
import torch
from doings import bits, same_bits

from spectral_lab.live import controls
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.presets import PRESETS, sweep
from spectral_lab.live.settings import HANDS, SETTINGS, check
from spectral_lab.topology import LIVE

SCRIPTED = [name for name, preset in PRESETS.items() if preset.moves]


def shown(name, **options):
    instrument = Instrument(**options)
    instrument.show_preset(name)
    return instrument


# -- what is written down ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_has_a_title_a_question_and_legal_values(name):
    preset = PRESETS[name]
    assert 5 < len(preset.title) < 60
    assert "?" in preset.question
    for setting, value in preset.settings.items():
        assert SETTINGS[setting].scene
        assert check(setting, value) == value
    before = preset.trained
    for step, setting, value in preset.moves:
        assert step >= before
        assert setting in HANDS or not SETTINGS[setting].restarts
        assert check(setting, value) == value
        before = step


def test_the_presets_have_titles_of_their_own():
    assert len({preset.title for preset in PRESETS.values()}) == len(PRESETS) >= 7


def test_a_sweep_goes_from_the_first_to_the_last_step_at_equal_gaps():
    assert sweep("alpha", 100, 200, [0.0, 0.5, 1.0]) == [(100, "alpha", 0.0), (150, "alpha", 0.5), (200, "alpha", 1.0)]
    assert sweep("rho", 7, 99, [0.3]) == [(7, "rho", 0.3)]
    assert sweep("rho", 7, 99, []) == []


# -- beginning one -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", PRESETS)
def test_a_preset_stands_where_it_says_and_trains_and_replays(name):
    preset, instrument = PRESETS[name], Instrument(alpha=0.33, hidden=(2,), beta=50.0, threshold=0.5, speed=7, seed=9)
    instrument.run(5)
    before, state, network = instrument.settings(), instrument.state, bits(instrument)
    instrument.show_preset(name)
    defaults = {setting: about.default for setting, about in SETTINGS.items() if about.scene}
    found = {setting: value for setting, value in instrument.settings().items() if SETTINGS[setting].scene}
    assert found == defaults | preset.settings
    assert instrument.speed == 7  # how it is looked at is the user's own
    assert (instrument.step, instrument.heading) == (preset.trained, (preset.title, preset.question))
    assert instrument.scene().coming == preset.moves
    assert instrument.run(30).step == preset.trained + 30
    replayed = Instrument.from_state(instrument.state)
    assert same_bits(bits(replayed), bits(instrument))
    assert replayed.state == instrument.state
    instrument.undo()
    assert (instrument.settings(), instrument.state, instrument.heading) == (before, state, ("", ""))
    assert same_bits(bits(instrument), network)


@pytest.mark.parametrize("name", ["", "Grow", "x", None, 3])
def test_an_unknown_preset_is_refused_with_the_known_ones_and_changes_nothing(name):
    instrument = Instrument(hidden=(2,))
    state = instrument.state
    with pytest.raises(ValueError, match=r"there is no preset .*; wanted one of perceptron, grow"):
        instrument.show_preset(name)
    assert (instrument.state, instrument.can_undo) == (state, False)


def test_a_preset_is_the_same_every_time():
    one, other = shown("again", seed=3, alpha=0.2), shown("again")
    assert one.state == other.state
    assert same_bits(bits(one), bits(other))


# -- moves that come by themselves -------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", SCRIPTED)
def test_the_moves_come_at_their_steps_and_the_controls_follow(name):
    preset, instrument = PRESETS[name], shown(name)
    settings = {setting for _, setting, _ in preset.moves}
    for k, (step, setting, value) in enumerate(preset.moves[:8]):
        before = getattr(instrument, setting)
        instrument.run(step - instrument.step)
        assert instrument.step == step
        assert getattr(instrument, setting) == before  # it comes with the step after
        instrument.run(1)
        own, _ = controls.frame(instrument, instrument.sight())
        assert own["values"][setting] == getattr(instrument, setting) == value
        assert instrument.scene().coming == preset.moves[k + 1 :]
        assert getattr(instrument.record, setting) == value
    changes = [move for k, move in enumerate(preset.moves[:8]) if k or move[2] != SETTINGS[move[1]].default]
    assert instrument.scene().moves[-7:] == changes[-7:]
    assert settings <= {"alpha", "rho"}


@pytest.mark.parametrize("name", SCRIPTED)
def test_the_hands_own_move_of_the_setting_cancels_the_rest_and_of_another_one_does_not(name):
    preset, instrument = PRESETS[name], shown(name)
    setting = preset.moves[0][1]
    instrument.run(preset.moves[2][0] - instrument.step + 1)
    instrument.beta = 9.0
    instrument.set_eigenvalue(0, 0, 0.1)
    assert instrument.scene().coming == preset.moves[3:]
    before = getattr(instrument, setting)
    setattr(instrument, setting, 0.42)
    assert instrument.scene().coming == []
    instrument.run(preset.moves[5][0] - instrument.step)
    assert getattr(instrument, setting) == 0.42
    instrument.undo()
    assert getattr(instrument, setting) == before
    assert instrument.scene().coming == preset.moves[3:]  # taken back, the script goes on
    instrument.run(preset.moves[4][0] - instrument.step + 1)
    assert getattr(instrument, setting) == preset.moves[4][2]


def test_a_script_can_move_neurons_too_and_the_hand_takes_over():
    instrument = Instrument(hidden=(3,))
    script = [(3, "eigenvalue", (0, 1, 0.5)), (5, "switch", (0, 0, False)), (9, "switch", (0, 0, True))]
    instrument.follow(script)
    instrument.run(4)
    assert instrument.network.eigenvalues[1][1].item() == pytest.approx(0.5, abs=0.02)
    instrument.run(2)
    assert instrument.off == {(0, 0)}
    instrument.switch(0, 2)  # another neuron than the script's: that goes on
    assert instrument.scene().coming == script[2:]
    instrument.undo()
    instrument.switch(0, 0)
    instrument.switch(0, 0)  # its own: the hand wins
    instrument.run(9)
    assert instrument.off == {(0, 0)}
    assert not instrument.scene().coming


@pytest.mark.parametrize(
    "moves",
    [
        [(4, "alpha", 0.1)],
        [(9, "alpha", 0.1), (8, "alpha", 0.2)],
        [(9, "seed", 1)],
        [(9, "alpha", 2)],
        [(9, "speed", 1)],
        [3],
        7,
    ],
    ids=repr,
)
def test_a_script_that_cannot_be_followed_is_refused_and_the_one_before_stays(moves):
    instrument = Instrument(hidden=(2,))
    instrument.run(5)
    instrument.follow([(20, "rho", 0.1)])
    with pytest.raises((ValueError, TypeError)):
        instrument.follow(moves)
    assert instrument.scene().coming == [(20, "rho", 0.1)]


# -- the stories -------------------------------------------------------------------------------------------------------


def live(instrument):
    return sum(instrument.record.live)


@pytest.mark.slow
def test_a_perceptron_is_enough():
    instrument = shown("perceptron")
    record = instrument.run(2000)
    assert (live(instrument), record.depth) == (0, 1)
    assert record.validation_loss < 1e-3


@pytest.mark.slow
def test_it_grows():
    instrument = shown("grow")
    assert instrument.run(400).live == (0,)
    assert instrument.run(2400).live[0] >= 3
    assert (instrument.alpha, instrument.record.depth) == (1.0, 2)
    first = next(record for record in instrument.history if record.step >= 400 and sum(record.live))
    assert 0 < first.alpha < 1


@pytest.mark.slow
def test_it_dies():
    instrument = shown("die")
    assert live(instrument) >= 3
    assert instrument.run(200).live[0] >= 3
    # Adam's steps keep the last ones at the edge of life for some hundred steps after ρ has come to its end
    assert instrument.run(2600).live == (0,)
    assert (instrument.rho, instrument.record.depth) == (1.0, 1)
    assert instrument.record.path_norm < LIVE


@pytest.mark.slow
def test_it_grows_again():
    instrument = shown("again")
    assert live(instrument) == 0
    assert instrument.run(200).live == (0,)
    assert instrument.run(2500).live[0] >= 3
    assert instrument.rho == 1e-4


@pytest.mark.slow
@pytest.mark.parametrize("rounding", range(3))
def test_of_two_layers_the_second_wins_whatever_the_last_bits_are(rounding):
    instrument = shown("depth")
    if rounding:  # another processor adds up in another order
        generator = torch.Generator().manual_seed(rounding)
        for numbers in instrument.network.parameters():
            numbers.data *= 1 + 1e-6 * torch.randn(numbers.shape, generator=generator)
    record = instrument.run(3000)
    assert record.live[0] == 0
    assert record.live[1] >= 3
    assert record.depth == 2


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(3))
def test_in_the_trap_every_eigenvalue_is_tiny_and_the_neurons_are_alive(seed):
    instrument = shown("trap")
    if seed:
        instrument.seed = seed
    record = instrument.run(4000)
    assert instrument.network.eigenvalues[1].abs().max() < LIVE  # by |λ| all would be pruned
    assert record.live[0] >= 10
    assert record.path_norm > 0.3
    dead = Instrument(alpha=1.0, rho=1.0)
    assert record.data_loss < dead.run(600).data_loss / 5  # the fit is no plane
    instrument.threshold = LIVE
    assert instrument.sight().pruned_loss < 2 * record.data_loss + 1e-3


@pytest.mark.slow
def test_digits_are_learnt():
    instrument = shown("digits")
    assert instrument.record.accuracy < 0.3
    assert instrument.run(1500).accuracy >= 0.9
    assert live(instrument) >= 1
