"""What can be taken home: every kind of file is valid, the code rebuilds the run, and exporting changes nothing."""

import io
import json
import re
import xml.etree.ElementTree as ET
from itertools import pairwise
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image
from torch.testing import assert_close

from spectral_lab import DirectNet, SpectralNet, load_network
from spectral_lab.live import export as module
from spectral_lab.live import picture
from spectral_lab.live.export import FRAMES, KINDS, READABLE, animation, code, export, export_to
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.playground import Playground
from spectral_lab.live.presets import PRESETS
from spectral_lab.live.settings import SETTINGS

EXACT = {"rtol": 0, "atol": 0}
RANDOM = np.random.default_rng(0)
DATA = (RANDOM.random((40, 2)), ["no", "yes", "yes", "no"] * 10)


def bits(instrument):
    return {name: value.clone() for name, value in instrument.network.state_dict().items()}


def steered(make=Instrument, **options):
    """A run with moves of the settings, an eigenvalue moved by hand, and a neuron switched off."""
    instrument = make(**{"alpha": 1.0, "hidden": (6,), "lr": 0.02, **options})
    instrument.run(30)
    instrument.rho = 0.01
    instrument.set_eigenvalue(0, 2, -0.75)
    instrument.run(25)
    instrument.switch(0, 1, False)
    instrument.alpha = 0.9
    instrument.run(10)
    return instrument


@pytest.fixture(scope="module")
def run():
    return steered()


def everything(instrument):
    """All that an export must leave alone."""
    return (
        instrument.settings(),
        instrument.step,
        instrument.last_step,
        instrument.state,
        instrument.steps_kept,
        instrument.history,
        (instrument.can_undo, instrument.can_redo, len(instrument._undo.back), len(instrument._undo.forth)),
        instrument.off,
        instrument.words(),
    )


def without_ids(content):
    """The same without the random names that matplotlib gives the parts of an SVG."""
    return re.sub(rb"[a-zA-Z_][0-9a-f]{10}\b", b"id", content) if b"<svg" in content else content


# -- the files -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_is_a_file_with_its_ending_and_type_and_exporting_it_changes_nothing(run, kind, tmp_path):
    before, weights = everything(run), bits(run)
    said = []
    made = export(run, kind, lambda done, total: said.append((done, total)))
    assert made.name == f"spectral_lab{KINDS[kind][0]}"
    assert made.mime == KINDS[kind][1]
    assert len(made.content) > 100
    assert (said != []) == (kind == "animation")
    run.export(tmp_path / made.name)
    assert without_ids((tmp_path / made.name).read_bytes()) == without_ids(made.content)
    assert [path.name for path in tmp_path.iterdir()] == [made.name]
    assert everything(run) == before
    assert_close(bits(run), weights, **EXACT)


def test_exporting_does_not_disturb_the_steps_that_follow():
    exported, undisturbed = steered(), steered()
    for kind in ("small", "svg", "animation"):
        export(exported, kind)
    for instrument in (exported, undisturbed):
        instrument.run(20)
        instrument.undo()
        instrument.redo()
    assert_close(bits(exported), bits(undisturbed), **EXACT)
    assert everything(exported) == everything(undisturbed)


@pytest.mark.parametrize("name", ["run.compact.safetensors", "a.b.compact.safetensors"])
def test_the_longer_ending_wins(run, tmp_path, name):
    export_to(run, tmp_path / name)
    assert isinstance(load_network(tmp_path / name), DirectNet)
    export_to(run, tmp_path / "compact.safetensors")
    assert isinstance(load_network(tmp_path / "compact.safetensors"), SpectralNet)


@pytest.mark.parametrize("name", ["run", "run.pt", "run.jpeg", "run.PNG", "png", "run.png.gz"])
def test_an_ending_that_stands_for_nothing_is_refused_with_the_known_ones(run, tmp_path, name):
    known = re.escape(", ".join(ending for ending, _, _ in KINDS.values()))
    with pytest.raises(ValueError, match=rf"{re.escape(name)} could be anything; wanted a name that ends in one of {known}"):
        run.export(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("kind", ["", "gif", ".png", None])
def test_an_unknown_kind_is_refused_with_the_known_ones(run, kind):
    with pytest.raises(ValueError, match=f"there is no export {kind!r}; wanted one of {', '.join(KINDS)}"):
        export(run, kind)


def test_an_error_while_exporting_leaves_the_old_file_and_nothing_else(run, tmp_path, monkeypatch):
    place = tmp_path / "run.png"
    place.write_text("old")

    def broken(*_):
        raise RuntimeError("no picture")

    monkeypatch.setattr(picture, "figure", broken)
    with pytest.raises(RuntimeError, match="no picture"):
        run.export(place)
    monkeypatch.undo()

    def half(path, content):
        with path.open("wb") as file:
            file.write(content[:10])
        raise OSError("disk full")

    monkeypatch.setattr(Path, "write_bytes", half)
    with pytest.raises(OSError, match="disk full"):
        run.export(place)
    assert place.read_text() == "old"
    assert list(tmp_path.iterdir()) == [place]


def test_a_folder_that_is_not_there_is_an_ordinary_error(run, tmp_path):
    with pytest.raises(FileNotFoundError):
        run.export(tmp_path / "nowhere" / "run.json")


def test_the_scene_is_json_that_replays(run):
    content = export(run, "scene").content.decode()
    assert json.loads(content)["format"] == "spectral-lab:2"
    replayed = Instrument.from_state(content)
    assert_close(bits(replayed), bits(run), **EXACT)
    assert replayed.off == run.off


def test_the_weights_give_the_same_outputs(run, tmp_path):
    run.export(tmp_path / "run.safetensors")
    network = load_network(tmp_path / "run.safetensors")
    assert_close(dict(network.state_dict()), bits(run), **EXACT)
    x = run.problem.x
    assert_close(network(x), run.network(x), **EXACT)
    run.export(tmp_path / "run.compact.safetensors")
    small = load_network(tmp_path / "run.compact.safetensors")
    masks = [torch.tensor([1.0, 0.0, 1.0, 1.0, 1.0, 1.0])]
    assert_close(small(x), run.network.signals(x, masks)[-1], rtol=1e-5, atol=1e-5)
    assert small.nodes[1] <= 5


def test_the_compacted_weights_are_without_the_neurons_below_the_threshold(tmp_path):
    instrument = Instrument(alpha=1.0, lr=0.02, hidden=(8,))
    instrument.run(200)
    instrument.threshold = float(instrument.sight().shape.strengths[0].median())
    instrument.export(tmp_path / "run.compact.safetensors")
    small, wanted = load_network(tmp_path / "run.compact.safetensors"), instrument.network.compact(instrument.threshold)
    assert small.nodes == wanted.nodes
    assert_close(small(instrument.problem.x), wanted(instrument.problem.x), **EXACT)


def test_the_pictures_are_valid_and_the_svg_has_no_date(run):
    image = Image.open(io.BytesIO(export(run, "png").content))
    image.load()
    assert (image.format, image.size) == ("PNG", (1800, 900))
    svg = export(run, "svg").content.decode()
    assert ET.fromstring(svg).tag == "{http://www.w3.org/2000/svg}svg"
    assert "date" not in svg.lower()


# -- the animation -------------------------------------------------------------------------------------------------------


def frames_of(content):
    image = Image.open(io.BytesIO(content))
    assert image.format == "WEBP"
    frames = []
    for k in range(image.n_frames):
        image.seek(k)
        frames.append(np.asarray(image.convert("RGB"), np.int16))
    return frames


def test_the_animation_is_the_run_from_its_first_step_to_now(run):
    said = []
    frames = frames_of(animation(run, lambda done, total: said.append((done, total))))
    assert said == [(k, len(run.steps_kept)) for k in range(len(run.steps_kept))]
    assert len(frames) == len(run.steps_kept) > 2
    assert {frame.shape for frame in frames} == {(384, 768, 3)}
    for place, instrument in [(0, Instrument(alpha=1.0, hidden=(6,), lr=0.02)), (-1, run)]:
        wanted = np.asarray(Image.open(io.BytesIO(instrument.figure().file("png", 64))).convert("RGB"), np.int16)
        assert np.abs(frames[place] - wanted).mean() < 3  # WebP is not exact
    assert np.abs(frames[0] - frames[-1]).mean() > 3


def test_a_run_that_has_not_begun_is_one_picture():
    assert len(frames_of(animation(Instrument(hidden=(2,))))) == 1


def test_the_animation_of_a_run_that_was_gone_back_in_ends_where_it_stands():
    instrument = Instrument(hidden=(2,), lr=0.02)
    instrument.run(80)
    instrument.seek(40)
    before, said = everything(instrument), []
    animation(instrument, lambda done, total: said.append(total))
    assert set(said) == {3}
    assert everything(instrument) == before
    assert instrument.last_step == 80


def test_a_long_run_has_not_more_than_so_many_pictures_evenly_spread(monkeypatch):
    instrument = Instrument(hidden=(1,), batch_size=10)
    monkeypatch.setattr(module, "FRAMES", 8)
    instrument.run(20 * 3 * 8)
    seen, drawn = [], picture.figure(instrument)

    def figure(other):
        seen.append(other.step)
        return drawn

    monkeypatch.setattr(picture, "figure", figure)
    animation(instrument)
    assert len(seen) == 8 < FRAMES
    assert (seen[0], seen[-1]) == (0, 20 * 3 * 8)
    assert {later - earlier for earlier, later in pairwise(seen)} <= {60, 80}


# -- the code ------------------------------------------------------------------------------------------------------------


def executed(instrument, **names):
    """What the exported code builds."""
    text = code(instrument)
    assert export(instrument, "code").content.decode() == text
    assert text.endswith("\np\n")
    assert max(map(len, text.splitlines()[1:])) <= 128 or "question=" in text or "follow" in text
    names = dict(names)
    exec(compile(text, "exported.py", "exec"), names)
    return names["p"]


def assert_same_run(made, instrument):
    assert isinstance(made, Playground)
    assert_close(bits(made), bits(instrument), **EXACT)
    assert made.settings() == {**instrument.settings(), "playing": False, "speed": 0}
    assert (made.step, made.off) == (instrument.step, instrument.off)
    assert (made.title, made.question, made.hide, made.locked) == (
        instrument.title,
        instrument.question,
        instrument.hide,
        instrument.locked,
    )
    assert made.scene().coming == instrument.scene().coming


def test_the_code_of_a_run_can_be_read(run):
    loss = run.words()
    assert code(run).splitlines() == [
        f"# {loss}",
        "from spectral_lab.live import Playground",
        "",
        "p = Playground(alpha=1.0, hidden=(6,), lr=0.02)",
        "p.run(30)",
        "p.rho = 0.01",
        "p.set_eigenvalue(0, 2, -0.75)",
        "p.run(25)",
        "p.switch(0, 1, False)",
        "p.alpha = 0.9",
        "p.run(10)",
        "p",
    ]
    made = executed(run)
    assert_same_run(made, run)
    assert made.state == run.state


def test_the_code_of_an_untouched_instrument_is_short():
    assert code(Instrument()).splitlines()[3:] == ["p = Playground()", "p"]
    assert_same_run(executed(Instrument()), Instrument())


def test_an_exercise_is_in_the_code():
    given = {"title": "A \"title\"\nof 'two' lines", "question": "How many? α → β", "hide": ["seed"], "lock": ["alpha", "time"]}
    instrument = Instrument(hidden=(2,), **given)
    made = executed(instrument)
    assert_same_run(made, instrument)
    assert (made.title, made.locked) == (given["title"], ("alpha", "time"))


def test_moves_that_are_still_to_come_are_in_the_code():
    instrument = Instrument(hidden=(3,))
    instrument.follow([(10, "alpha", 0.1), (20, "eigenvalue", (0, 1, 0.5)), (60, "alpha", 0.3), (70, "switch", (0, 2, False))])
    instrument.run(30)
    assert [step for step, _, _ in instrument.scene().coming] == [60, 70]
    made = executed(instrument)
    assert_same_run(made, instrument)
    for other in (made, instrument):
        other.run(50)
    assert_same_run(made, instrument)
    assert instrument.alpha == 0.3


@pytest.mark.parametrize("moves", [READABLE, READABLE + 1])
@pytest.mark.parametrize("data", [None, DATA], ids=["task", "own data"])
def test_many_moves_go_in_as_the_string(moves, data):
    instrument = Instrument(hidden=(2,), data=data, title="t")
    for k in range(moves):
        instrument.rho = 0.001 * (k + 1)
        instrument.run(1)
    instrument.follow([(100, "rho", 0.5)])
    assert ("from_state" in code(instrument)) == (moves > READABLE)
    names = {} if data is None else {"x": DATA[0], "y": DATA[1]}
    made = executed(instrument, **names)
    assert_same_run(made, instrument)
    assert made.state == instrument.state


def test_the_code_of_own_data_takes_them_from_x_and_y():
    instrument = steered(data=DATA)
    text = code(instrument)
    assert "data=(x, y)" in text
    assert "task=" not in text
    assert text.splitlines()[3].startswith("# x, y: the data")
    assert_same_run(executed(instrument, x=DATA[0], y=DATA[1]), instrument)
    with pytest.raises(NameError):
        executed(instrument)


@pytest.mark.parametrize("name", ["depth", "trap", "grow"])
def test_presets_are_rebuilt_by_their_code(name):
    instrument = Instrument()
    instrument.show_preset(name)
    instrument.run(10)
    assert instrument.title == PRESETS[name].title
    assert_same_run(executed(instrument), instrument)


VALUES = {
    "alpha": st.floats(0, 1),
    "beta": st.floats(0.1, 1000),
    "rho": st.floats(0, 1),
    "noise": st.floats(0, 1),
    "lr": st.floats(1e-5, 0.02),
    "batch_size": st.integers(1, 300),
    "penalty": st.sampled_from(["l1", "l2_norm"]),
    "threshold": st.floats(0, 2),
    "eigenvalue": st.tuples(st.integers(0, 1), st.integers(0, 2), st.floats(-1, 1)),
    "switch": st.tuples(st.integers(0, 1), st.integers(0, 2), st.booleans()),
}
MOVES = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just(name), VALUES[name]))
STARTS = st.fixed_dictionaries(
    {},
    optional={
        "task": st.sampled_from(["bowl", "ring"]),
        "seed": st.integers(0, 99),
        "activation": st.sampled_from(["relu", "tanh"]),
        "validation": st.floats(0, 0.5),
        "train_input_eigenvalues": st.booleans(),
        "alpha": st.floats(0, 1),
    },
)


@settings(max_examples=15)
@given(start=STARTS, doings=st.lists(MOVES | st.integers(0, 25), max_size=8))
def test_the_code_of_any_run_rebuilds_it_to_the_same_bits(start, doings):
    instrument = Instrument(hidden=(3, 3), **start)
    for doing in doings:
        if isinstance(doing, int):
            instrument.run(doing)
        elif doing[0] == "eigenvalue":
            instrument.set_eigenvalue(*doing[1])
        elif doing[0] == "switch":
            instrument.switch(*doing[1])
        else:
            setattr(instrument, *doing)
    assert_same_run(executed(instrument), instrument)
    assert set(start) <= set(SETTINGS)
