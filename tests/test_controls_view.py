"""The controls as they are sent: each moves one setting that exists, over values that the setting accepts."""

import pytest

from spectral_lab.live import controls
from spectral_lab.live.controls import GROUPS, SENT, TRANSPORT
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.settings import SETTINGS, check
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.training import PENALTIES

CONTROLS = [*(control for group in GROUPS for control in group["controls"]), *TRANSPORT]
SLIDERS = [control for control in CONTROLS if control["kind"] in ("linear", "log")]
CHOICES = [control for control in CONTROLS if control["kind"] == "choice"]


def named(found):
    return [pytest.param(control, id=control["name"]) for control in found]


@pytest.mark.parametrize("control", named(CONTROLS))
def test_a_control_moves_a_setting_and_says_what_it_is(control):
    assert control["name"] in SETTINGS
    assert control["label"].strip()
    assert len(control["help"]) > 5
    assert control["kind"] in {"linear", "log", "choice", "flag", "whole", "layers"}
    anew = "starts anew" in control["help"]
    assert anew == SETTINGS[control["name"]].restarts


@pytest.mark.parametrize("control", named(SLIDERS))
def test_a_slider_has_its_default_in_its_range_and_its_range_in_that_of_the_setting(control):
    default = SETTINGS[control["name"]].default
    assert control["low"] <= default <= control["high"] or (default == 0 and control["zero"])
    for value in (control["low"], control["high"], *([0] if control.get("zero") else [])):
        assert check(control["name"], value) == value
    if control["kind"] == "log":
        assert 0 < control["low"] < control["high"]
    else:
        assert 0 < control["step"] < control["high"] - control["low"]


@pytest.mark.parametrize("control", named(CHOICES))
def test_a_choice_offers_its_default_and_nothing_that_is_refused(control):
    values = [value for value, _ in control["options"]]
    assert SETTINGS[control["name"]].default in values
    assert [check(control["name"], value) for value in values] == values
    assert len({label for _, label in control["options"]}) == len(values) > 1


@pytest.mark.parametrize(("name", "known"), [("penalty", PENALTIES), ("activation", ACTIVATIONS)])
def test_a_choice_offers_everything_there_is(name, known):
    (control,) = (control for control in CONTROLS if control["name"] == name)
    assert {value for value, _ in control["options"]} == set(known)


def test_every_setting_of_a_scene_but_the_batch_size_has_one_control():
    names = [control["name"] for control in CONTROLS]
    assert len(set(names)) == len(names)
    assert set(names) == {name for name, setting in SETTINGS.items() if setting.scene} - {"batch_size"} | {"speed"}


def test_the_layers_that_can_be_asked_for_are_those_that_are_taken():
    (control,) = (control for control in CONTROLS if control["kind"] == "layers")
    widest = (control["high"],) * control["most"]
    assert check("hidden", widest) == widest


def test_the_groups_have_titles_and_are_sent_once():
    assert all(group["title"] and group["controls"] for group in GROUPS)
    assert controls.scene(Instrument()) == ({"groups": GROUPS, "transport": TRANSPORT}, {})


def test_each_picture_brings_the_value_of_every_setting_that_has_a_control():
    instrument = Instrument(alpha=0.3, hidden=(4, 2), playing=True)
    own, arrays = controls.frame(instrument, instrument.moment())
    assert set(own["values"]) == set(SENT) == set(SETTINGS) - {"batch_size"}
    assert own["values"] == {name: getattr(instrument, name) for name in SENT}
    assert arrays == {}
