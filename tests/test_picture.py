"""The static figure of the instrument: every kind of problem, in the bytes of a file and in a notebook."""

import base64
import io
import re
import xml.etree.ElementTree as ET

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from spectral_lab.live.instrument import Instrument
from spectral_lab.live.picture import Picture, figure, png

RANDOM = np.random.default_rng(0)
X = RANDOM.random((60, 5)) + np.arange(1, 6)
KINDS = {  # options, (title, x label, ticks) of the axes that show the fit
    "square": ({}, [("target", "", "-1 1"), ("output", "", "-1 1"), ("error", "", "-1 1")]),
    "ring": ({"task": "ring"}, [("target", "", "-1 1"), ("output", "", "-1 1"), ("error", "", "-1 1")]),
    "section": ({"data": (X, X.sum(1)), "section": (3, 0)}, [("", "x4", "4 5")]),
    "line": ({"data": (X[:, 1], X[:, 1] ** 2)}, [("", "x1", "2 3")]),
    "two classes": ({"data": (X[:, :2], ["no", "yes", "yes"] * 20)}, [("", "x1", "1 2")]),
    "classes on a line": ({"data": (X[:, 0], ["no", "yes", "yes"] * 20)}, [("", "x1", "1 2")]),
    "table": ({"data": (X, ["ant", "bee", "cat"] * 20)}, [("", "answer", "ant bee cat")]),
    "digits": ({"task": "digits"}, [("", "answer", "0 1 2 3 4 5 6 7 8 9")]),
}


@pytest.fixture(scope="module", params=KINDS)
def drawn(request):
    options, wanted = KINDS[request.param]
    instrument = Instrument(hidden=(5, 3), lr=0.02, **options)
    instrument.run(40)
    return instrument, figure(instrument), wanted


def test_every_kind_of_problem_has_its_picture_of_the_fit(drawn):
    _, made, wanted = drawn
    made.draw_without_rendering()
    fits = made.axes[2:-2]  # after the network and the spectrum, before the losses and ‖Γ‖
    assert len(fits) == len(wanted)
    for ax, (title, label, ticks) in zip(fits, wanted, strict=True):
        found = [text.get_text().replace("−", "-") for text in ax.get_xticklabels()]
        found = [f"{float(text):.0f}" if re.fullmatch(r"-?\d+\.\d+", text) else text for text in found]
        assert (ax.get_title(), ax.get_xlabel(), " ".join(found)) == (title, label, ticks)
        assert ax.has_data()


def test_the_words_and_the_values_of_now_stand_in_the_figure(drawn):
    instrument, made, _ = drawn
    text = "\n".join(artist.get_text() for artist in made.findobj(mpl.text.Text))
    assert re.search(r"α = 0\.8 +β = 5 +ρ = 0\.0001", text)
    first, rest = instrument.words().split(", data loss")
    assert f"{first}\ndata loss{rest}" in text  # in two lines, so that they fit below the network


def test_the_figure_is_as_large_as_asked_and_needs_no_pyplot(drawn):
    instrument, made, _ = drawn
    assert isinstance(made, Picture)
    assert made.canvas.manager is None
    assert tuple(made.get_size_inches()) == (12.0, 6.0)
    assert tuple(figure(instrument, width=7, height=4).get_size_inches()) == (7.0, 4.0)


def test_the_files_of_a_picture_are_valid_and_the_png_is_always_the_same(drawn):
    instrument, made, _ = drawn
    content = made.file("png")
    image = Image.open(io.BytesIO(content))
    image.load()
    assert (image.format, image.size) == ("PNG", (840, 420))
    assert base64.b64decode(png(instrument)) == content
    svg = made.file("svg").decode()
    assert ET.fromstring(svg).tag.endswith("svg")
    assert "<dc:date>" not in svg


def test_a_picture_shows_itself_in_a_notebook_and_can_be_saved_finer():
    made = Picture(figsize=(2, 1))
    assert made._repr_png_() == made.file("png") == made.file("png", 70)
    assert Image.open(io.BytesIO(made.file("png", 150))).size == (300, 150)


def test_the_trail_lies_on_the_curves_of_the_paper_only_where_they_hold():
    labels = [[line.get_label() for line in figure(Instrument(task=task)).axes[-1].lines] for task in ("bowl", "ring")]
    assert sum("β" in label for label in labels[0]) >= 1
    assert not any("β" in label for label in labels[1])


def test_the_losses_are_those_of_the_records():
    instrument = Instrument(data=(X, X.sum(1)), hidden=(3,))
    instrument.run(60)
    data, penalty, validation = figure(instrument).axes[-2].lines
    assert list(data.get_xdata()) == [0, 20, 40, 60]
    assert list(data.get_ydata()) == [record.data_loss for record in instrument.history]
    assert list(validation.get_ydata()) == [record.validation_loss for record in instrument.history]
    assert penalty.get_ydata()[-1] == pytest.approx(instrument.rho * instrument.record.penalty)
    names = [text.get_text() for text in figure(instrument).axes[-2].get_legend().get_texts()]
    assert names == ["data loss", "ρ Ω(λ)", "validation"]
