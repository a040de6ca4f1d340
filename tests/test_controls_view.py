"""The controls as they are sent: each moves one setting that exists, over values that the setting accepts."""

import json

import pytest
import torch

from spectral_lab.live import controls
from spectral_lab.live.controls import SENT, TRANSPORT
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.presets import PRESETS
from spectral_lab.live.settings import SETTINGS, check
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.penalties import PENALTIES

OWN = (torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20.0))
INSTRUMENTS = {"family": Instrument(), "digits": Instrument(task="digits"), "own": Instrument(data=OWN)}


def all_controls(instrument):
    return [*(control for group in controls.groups(instrument) for control in group["controls"]), *TRANSPORT]


CONTROLS = list({control["name"]: control for one in INSTRUMENTS.values() for control in all_controls(one)}.values())
SLIDERS = [control for control in CONTROLS if control["kind"] in ("linear", "log")]
CHOICES = [control for control in CONTROLS if control["kind"] == "choice"]


def named(found):
    return [pytest.param(control, id=control["name"]) for control in found]


def names(instrument):
    return [control["name"] for control in all_controls(instrument)]


@pytest.mark.parametrize("control", named(CONTROLS))
def test_a_control_moves_a_setting_and_says_what_it_is(control):
    assert control["name"] in SETTINGS
    assert control["label"].strip()
    assert len(control["help"]) > 5
    assert control["kind"] in {"linear", "log", "choice", "flag", "whole", "layers", "section"}
    assert ("starts anew" in control["help"]) == SETTINGS[control["name"]].restarts


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


@pytest.mark.parametrize("name", INSTRUMENTS)
def test_every_setting_that_means_something_to_the_task_has_one_control(name):
    found = names(INSTRUMENTS[name])
    assert len(set(found)) == len(found)
    family = {"alpha", "beta", "noise"} if name == "family" else set()
    section = {"section"} if name == "own" else set()  # more inputs than a picture has axes
    assert set(found) == set(SETTINGS) - {"playing", "alpha", "beta", "noise", "section"} | family | section


def test_own_data_are_offered_where_there_are_some():
    offered = {}
    for name, instrument in INSTRUMENTS.items():
        (task,) = (control for control in all_controls(instrument) if control["name"] == "task")
        offered[name] = [value for value, _ in task["options"]]
    assert "own" in offered["own"]
    assert "own" not in offered["family"] + offered["digits"]


def test_the_layers_that_can_be_asked_for_are_those_that_are_taken():
    (control,) = (control for control in CONTROLS if control["kind"] == "layers")
    widest = (control["high"],) * control["most"]
    assert check("hidden", widest) == widest


def test_the_scene_tells_groups_presets_exports_and_the_exercise():
    instrument = Instrument(title="A title", question="Why?")
    about, arrays = controls.scene(instrument)
    assert arrays == {}
    assert all(group["title"] and group["controls"] for group in about["groups"])
    assert [name for name, _ in about["presets"]] == list(PRESETS)
    assert {kind for kind, _ in about["exports"]} >= {"scene", "code", "weights", "small", "png", "svg", "animation"}
    assert (about["title"], about["question"]) == ("A title", "Why?")
    assert json.loads(json.dumps(about)) is not None


def test_a_hidden_control_is_not_sent_and_a_locked_one_says_so():
    instrument = Instrument(hide=["beta", "threshold", "seed", "graph"], lock=["rho", "lr"])
    about, _ = controls.scene(instrument)
    sent = {c["name"]: c["locked"] for c in [c for group in about["groups"] for c in group["controls"]] + about["transport"]}
    assert set(names(instrument)) - set(sent) == {"beta", "threshold", "seed"}
    assert {name for name, locked in sent.items() if locked} == {"rho", "lr"}
    assert "Pruning" not in [group["title"] for group in about["groups"]]  # nothing is left in it
    assert (about["hide"], about["lock"]) == (("beta", "threshold", "seed", "graph"), ("rho", "lr"))


def test_each_picture_brings_the_value_of_every_setting_and_what_can_be_taken_back():
    instrument = Instrument(alpha=0.3, hidden=(4, 2), playing=True)
    own, arrays = controls.frame(instrument, instrument.sight())
    assert set(own["values"]) == set(SENT) == set(SETTINGS)
    assert own["values"] == {name: getattr(instrument, name) for name in SENT}
    assert (own["undo"], own["redo"], arrays) == (False, False, {})
    instrument.alpha = 0.4
    assert controls.frame(instrument, instrument.sight())[0]["undo"] is True
    instrument.undo()
    own, _ = controls.frame(instrument, instrument.sight())
    assert (own["undo"], own["redo"]) == (False, True)
