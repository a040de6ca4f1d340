"""Settings: each has a range, refuses what lies outside it in words, and a refused value changes nothing."""

import math
import re

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from spectral_lab.live.instrument import Instrument
from spectral_lab.live.settings import HANDS, MAX_LAYERS, MAX_WIDTH, SETTINGS, check
from spectral_lab.live.steering import Steering
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.penalties import PENALTIES

NO_NUMBERS = [math.nan, math.inf, -math.inf, "0.5", True, None, [0.5], 1 + 0j, 10**400]
NO_WHOLE_NUMBERS = [1.0, "1", True, None, math.nan, [1]]
NO_NAMES = ["", "unknown", 1, None, ["l1"], {}]

# name → (illegal values, what the message says is wanted)
ILLEGAL = {
    "task": (["Bowl", torch.relu, *NO_NAMES], "one of 'bowl', 'product', 'saddle', 'ring', 'digits', 'own'"),
    "noise": ([-1e-9, 10.1, *NO_NUMBERS], "a number in [0, 10]: the standard deviation of noise"),
    "validation": ([-1e-9, 0.91, 1, *NO_NUMBERS], "a number in [0, 0.9]: the share of the data kept for validation"),
    "section": (
        [(0, 0), (0,), (0, 1, 2), "01", b"01", 1, None, {0, 1}, {0: 1, 1: 2}],
        "two different inputs, counted from 0, e.g. (0, 1)",
    ),
    "alpha": ([-1e-9, 1 + 1e-9, *NO_NUMBERS], "a number in [0, 1]: how non-linear"),
    "beta": ([0, -1, 1e7, *NO_NUMBERS], "a number in (0, 1e+06]: how sharp"),
    "rho": ([-1e-9, 1e7, *NO_NUMBERS], "a number in [0, 1e+06]: the strength of the regulariser"),
    "hidden": (
        [(), [], (1,) * (MAX_LAYERS + 1), "30", "", b"30", 30, 30.0, None, {30}, {30: 1}],
        "the sizes of 1 to 4 hidden layers, e.g. (30,)",
    ),
    "seed": ([-1, 2**63, *NO_WHOLE_NUMBERS], "a whole number from 0 to 9223372036854775807: a seed"),
    "penalty": (["l2", *NO_NAMES], "one of 'l1', 'l2_norm', 'l2_squared'"),
    "train_input_eigenvalues": ([0, 1, "True", None, np.True_], "True or False"),
    "activation": (["ReLU", torch.relu, *NO_NAMES], "one of 'elu', 'gelu', 'relu', 'sigmoid', 'tanh'"),
    "lr": ([0, -1e-3, 1e4, *NO_NUMBERS], "a number in (0, 1000]: a learning rate"),
    "batch_size": ([0, -1, 2001, *NO_WHOLE_NUMBERS], "a whole number from 1 to 2000: samples a step"),
    "threshold": ([-1e-9, 1e7, *NO_NUMBERS], "a number in [0, 1e+06]: the path strength up to which neurons are pruned"),
    "speed": ([-1, 10_001, *NO_WHOLE_NUMBERS], "a whole number from 0 to 10000: training steps a picture"),
    "playing": ([0, 1, "yes", None], "True or False"),
}
# name → legal values at the ends of the range and inside it
LEGAL = {
    "task": ["bowl", "product", "saddle", "ring", "digits", "own"],
    "noise": [0, 10, 0.1],
    "validation": [0, 0.9, 0.2],
    "section": [(0, 1), [1, 0], (10_000, 3)],
    "alpha": [0, 1, 0.3],
    "beta": [1e-9, 5, 1e6],
    "rho": [0, 1e-4, 1e6],
    "hidden": [(1,), [MAX_WIDTH], (3, 2, 1, 300)],
    "seed": [0, 2**63 - 1],
    "penalty": sorted(PENALTIES),
    "train_input_eigenvalues": [True, False],
    "activation": sorted(ACTIVATIONS),
    "lr": [1e-9, 1e3],
    "batch_size": [1, 2000],
    "threshold": [0, 0.5, 1e6],
    "speed": [0, 10_000],
    "playing": [True, False],
}


def cases(table):
    return [pytest.param(name, value, id=f"{name}-{value!r:.20}") for name, values in table.items() for value in values]


def bits(instrument):
    return {name: value.clone() for name, value in instrument.network.state_dict().items()}


@pytest.mark.parametrize("name", SETTINGS)
def test_every_setting_accepts_its_default_and_has_its_cases_here(name):
    default = SETTINGS[name].default
    assert check(name, default) == default
    assert type(check(name, default)) is type(default)
    assert ILLEGAL[name]
    assert LEGAL[name]


def test_the_settings_are_the_traits_of_the_instrument_with_the_same_defaults():
    own = {name for name, trait in Instrument.class_traits().items() if trait.this_class is Steering}
    assert own == {*SETTINGS, "title", "question"}
    assert Instrument().settings() == {name: setting.default for name, setting in SETTINGS.items()}


def test_what_builds_the_network_anew_is_no_matter_of_taste():
    anew = {"task", "validation", "hidden", "seed", "train_input_eigenvalues", "activation"}
    assert {name for name, s in SETTINGS.items() if s.restarts} == anew
    assert {name for name, s in SETTINGS.items() if not s.scene} == {"section", "speed", "playing"}


@pytest.mark.parametrize(("name", "value"), cases(LEGAL))
def test_values_at_the_ends_of_a_range_are_taken_in_the_settings_own_type(name, value):
    taken = check(name, value)
    assert taken == (tuple(value) if name in ("hidden", "section") else value)
    assert type(taken) is type(SETTINGS[name].default)


@pytest.mark.parametrize(("name", "value"), cases({name: values for name, (values, _) in ILLEGAL.items()}))
def test_an_illegal_value_is_refused_with_its_name_what_was_found_and_what_is_wanted(name, value):
    with pytest.raises(ValueError, match=re.escape(f"{name} = {value!r}; wanted {ILLEGAL[name][1]}")):
        check(name, value)


@pytest.mark.parametrize("width", [0, -1, MAX_WIDTH + 1, 10**6, 10**400, 3.0, "3", True, None, math.nan, [3]])
def test_an_illegal_width_is_refused_with_its_place(width):
    with pytest.raises(ValueError, match=re.escape(f"hidden[1] = {width!r}; wanted a whole number from 1 to 300: the size of")):
        check("hidden", (5, width))


@pytest.mark.parametrize("name", ["alhpa", "", "run", "network", "_lock"])
def test_an_unknown_setting_is_refused_with_the_known_ones(name):
    for refused in (lambda: check(name, 1), lambda: Instrument(**{name: 1})):
        with pytest.raises(
            ValueError, match=re.escape(f"there is no setting {name!r}; known are task, alpha, beta, rho, noise")
        ):
            refused()


@pytest.mark.parametrize("name", SETTINGS)
def test_a_refused_value_changes_nothing_and_the_run_goes_on(name):
    steered, untouched = (Instrument(hidden=(3,), seed=1, alpha=0.9) for _ in range(2))
    steered.run(2)
    untouched.run(2)
    before, state = steered.settings(), steered.state
    for value in ILLEGAL[name][0]:
        with pytest.raises(ValueError, match=f"^{name} = "):
            setattr(steered, name, value)
    assert steered.settings() == before
    assert steered.state == state
    torch.testing.assert_close(bits(steered), bits(untouched), rtol=0, atol=0)
    assert steered.run(2) == untouched.run(2)
    torch.testing.assert_close(bits(steered), bits(untouched), rtol=0, atol=0)


@pytest.mark.parametrize("name", SETTINGS)
def test_a_refused_value_builds_no_instrument(name):
    with pytest.raises(ValueError, match=re.escape(f"{name} = {ILLEGAL[name][0][0]!r}; wanted")):
        Instrument(**{name: ILLEGAL[name][0][0]})


anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=5) | st.dictionaries(st.text(max_size=2), inner, max_size=2),
    max_leaves=6,
)


@given(name=st.sampled_from(sorted(SETTINGS)), value=anything)
def test_a_value_is_either_taken_or_refused_in_words(name, value):
    try:
        taken = check(name, value)
    except ValueError as error:
        assert "; wanted " in str(error)  # noqa: PT017 (both outcomes are right)
    else:
        assert check(name, taken) == taken
        assert type(taken) is type(SETTINGS[name].default)


# -- the hand on the network -------------------------------------------------------------------------------------------

NO_PLACES = [(4, 0), (-1, 0), (0, 300), (0, -1), (0.0, 0), (0, 1.0), ("0", 0), (True, 0), (None, 0), ([], 0), (0, math.nan)]
WRONG_HANDS = {
    "eigenvalue": [math.nan, math.inf, -math.inf, 1e7, -1e7, 10**400, "1", True, None, [1], 1j],
    "switch": [0, 1, "on", None, [True], 0.5],
}


@pytest.mark.parametrize("name", HANDS)
def test_a_hand_that_is_no_triple_is_refused_in_words(name):
    for value in [(), (0,), (0, 0), (0, 0, 1, 1), "abc", b"abc", None, 7, {0: 1}, {0, 1, 2}]:
        with pytest.raises(
            ValueError, match=re.escape(f"{name} = {value!r}; wanted (hidden layer from 0, index of the neuron,")
        ):
            check(name, value)


@pytest.mark.parametrize(("name", "good"), [("eigenvalue", 0.5), ("switch", True)])
def test_a_hand_on_no_neuron_is_refused_with_its_place(name, good):
    for place in NO_PLACES:
        with pytest.raises(ValueError, match=rf"^{name}\[[01]\] = .*; wanted a whole number from 0 to (3|299): a"):
            check(name, (*place, good))


@pytest.mark.parametrize(("name", "value"), cases(WRONG_HANDS))
def test_a_hand_with_an_illegal_value_is_refused(name, value):
    with pytest.raises(ValueError, match=re.escape(f"{name}[2] = {value!r}; wanted ")):
        check(name, (0, 0, value))


@given(name=st.sampled_from(sorted(HANDS)), value=anything | st.tuples(anything, anything, anything))
def test_a_hand_is_either_taken_or_refused_in_words(name, value):
    try:
        taken = check(name, value)
    except ValueError as error:
        assert "; wanted " in str(error)  # noqa: PT017 (both outcomes are right)
    else:
        assert check(name, taken) == taken
        assert [type(part) for part in taken] == [int, int, float if name == "eigenvalue" else bool]
