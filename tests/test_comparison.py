"""The pruned network made real: the same function when only silent neurons go, and what it costs when others go too."""

import math
import re

import numpy as np
import pytest
import torch
from matplotlib.text import Text
from torch.testing import assert_close

from spectral_lab.live.instrument import Instrument
from spectral_lab.topology import direct_graph

EXACT = {"rtol": 0, "atol": 0}
X = np.random.default_rng(0).random((60, 5))
OPTIONS = {
    "a perceptron": ({"alpha": 0.0}, 0),
    "one hidden layer": ({}, 300),
    "several hidden layers": ({"hidden": (8, 6, 4), "lr": 0.01}, 200),
    "another activation": ({"hidden": (6, 5), "activation": "sigmoid"}, 100),
    "all eigenvalues trained": ({"hidden": (6,), "train_input_eigenvalues": True}, 100),
    "digits": ({"task": "digits", "hidden": (12,), "lr": 0.01}, 100),
    "own numbers": ({"data": (X, X.sum(1)), "hidden": (6,)}, 100),
    "own classes": ({"data": (X[:, :2], ["a", "b", "c"] * 20), "hidden": (6,)}, 100),
    "without validation": ({"validation": 0.0, "hidden": (6,)}, 100),
}


def trained(steps=300, **options):
    instrument = Instrument(**{"alpha": 1.0, "hidden": (12,), "lr": 0.02, **options})
    instrument.run(steps)
    return instrument


@pytest.fixture(scope="module", params=OPTIONS)
def instrument(request):
    options, steps = OPTIONS[request.param]
    return trained(steps, **options)


def silenced(instrument, layer=0, n=0):
    """A neuron out of which nothing comes any more, although something enters it."""
    with torch.no_grad():
        instrument.network.eigenvectors[layer + 1][:, n] = 0
    return instrument


def all_data(instrument):
    problem = instrument.problem
    return torch.cat([problem.x, problem.x_held]), torch.cat([problem.y, problem.y_held])


def test_without_a_cut_it_is_the_same_function(instrument):
    made = instrument.compacted()
    x, y = all_data(instrument)
    before, after = instrument.network(x).detach(), made.small(x).detach()
    assert made.same
    assert made.difference == (before - after).abs().max().item() <= 1e-5 * max(1, before.abs().max().item())
    assert made.largest == before.abs().max().item()
    assert made.words() == f"The same function: the largest change of an output is {made.difference:.1e}, rounding."
    assert made.loss_old == pytest.approx(instrument.problem.loss(before, y).item())
    assert made.loss_small == pytest.approx(instrument.problem.loss(after, y).item())
    assert made.loss_small == pytest.approx(made.loss_old, rel=1e-3, abs=1e-6)


def test_the_rows_are_those_of_the_small_network(instrument):
    made = instrument.compacted()
    rows = {what: (before, after) for what, before, after in made.rows()}
    assert list(rows) == ["nodes", "parameters", "loss on all data"]
    assert rows["nodes"] == (" - ".join(map(str, instrument.network.nodes)), " - ".join(map(str, made.small.nodes)))
    counts = [sum(p.numel() for p in network.parameters()) for network in (instrument.network, made.small)]
    assert [int(text.replace(",", "")) for text in rows["parameters"]] == counts
    assert [float(text) for text in rows["loss on all data"]] == pytest.approx([made.loss_old, made.loss_small], rel=0.01)


def test_the_instrument_is_not_changed_and_shares_nothing_with_the_comparison(instrument):
    before = {name: value.clone() for name, value in instrument.network.state_dict().items()}
    stood = instrument.state, instrument.step, instrument.can_undo, instrument.settings(), instrument.off, instrument.history
    made = instrument.compacted()
    with torch.no_grad():
        for network in (made.old, made.small):
            for p in network.parameters():
                p.add_(1.0)
    assert_close(dict(instrument.network.state_dict()), before, **EXACT)
    assert stood == (
        instrument.state,
        instrument.step,
        instrument.can_undo,
        instrument.settings(),
        instrument.off,
        instrument.history,
    )


def test_both_networks_are_drawn_side_by_side(instrument):
    made = instrument.compacted()
    figure = made.figure()
    figure.draw_without_rendering()
    before, after = figure.axes
    counts = [sum(p.numel() for p in network.parameters()) for network in (instrument.network, made.small)]
    assert [ax.get_title() for ax in figure.axes] == [f"before: {counts[0]:,} parameters", f"after: {counts[1]:,} parameters"]
    assert before.get_position().x1 <= after.get_position().x0 + 0.03
    drawn = [sum(len(c.get_offsets()) for c in ax.collections if not c.get_label().startswith("_")) for ax in figure.axes]
    assert drawn == [sum(instrument.network.nodes), sum(made.small.nodes)]
    assert figure.file("png", 40).startswith(b"\x89PNG")


def test_a_perceptron_is_one_linear_map():
    made = trained(0, alpha=0.0).compacted()
    assert made.small.nodes == (2, 1)
    assert made.rows()[0] == ("nodes", "3 - 12 - 1", "2 - 1")
    assert made.same


def test_silent_neurons_are_gone_and_nothing_is_lost():
    instrument = silenced(silenced(trained()), n=5)
    made = instrument.compacted()
    assert made.same
    assert made.small.nodes[1] <= 10
    assert made.small.report.exact


def test_silent_neurons_that_are_switched_off_or_below_the_threshold_change_nothing():
    instrument = silenced(trained())
    instrument.threshold = 1e-12
    instrument.switch(0, 0, False)
    made = instrument.compacted()
    assert made.same
    assert "The same function" in made.words()


def test_a_loud_neuron_that_is_switched_off_stays_out_and_the_words_say_what_it_would_change():
    instrument = trained()
    strongest = int(instrument.sight().shape.strengths[0].argmax())
    before = instrument.compacted()
    instrument.switch(0, strongest, False)
    made = instrument.compacted()
    x, y = all_data(instrument)
    masks = [torch.ones(12).index_fill(0, torch.tensor(strongest), 0.0)]
    without, whole = instrument.network.signals(x, masks)[-1].detach(), instrument.network(x).detach()
    assert made.same  # as the network that is trained now
    assert_close(made.small(x).detach(), without, rtol=1e-4, atol=1e-5)
    assert made.loss_old == pytest.approx(torch.nn.functional.mse_loss(without, y).item(), rel=1e-4)
    assert made.small.nodes[1] == before.small.nodes[1] - 1
    assert made.without == pytest.approx((whole - without).abs().max().item(), rel=1e-4)
    assert f"What was switched off (1) stays out; with it, outputs would differ by up to {made.without:.2g}" in made.words()


@pytest.mark.parametrize("hidden", [(12,), (6, 5)])
@pytest.mark.parametrize("activation", ["relu", "sigmoid"])
def test_loud_neurons_below_the_threshold_change_the_function(hidden, activation):
    instrument = trained(hidden=hidden, activation=activation)
    instrument.threshold = float(torch.cat(instrument.sight().shape.strengths).quantile(0.7))
    made = instrument.compacted()
    x, y = all_data(instrument)
    pruned = instrument.network.signals(x, instrument.sight().masks)[-1].detach()
    assert not made.same
    assert_close(made.small(x).detach(), pruned, rtol=1e-4, atol=1e-5)
    assert made.loss_small == pytest.approx(torch.nn.functional.mse_loss(pruned, y).item(), rel=1e-3)
    assert re.match(r"Not the same function: outputs change by up to [\d.e-]+ \(they reach [\d.e-]+\)", made.words())
    kept = [int(mask.sum()) for mask in instrument.sight().masks]
    assert all(n <= most for n, most in zip(made.small.nodes[1:-1], [k for k in kept if k], strict=False))


def test_everything_cut_leaves_the_straight_links():
    instrument = trained(hidden=(5, 4))
    instrument.threshold = 1e6
    made = instrument.compacted()
    assert made.small.nodes == (2, 1)
    assert direct_graph(made.small).number_of_edges() == 2
    crosses = next(c for c in made.figure().axes[0].collections if c.get_label() == "pruned")
    assert len(crosses.get_offsets()) == 9


def test_the_figure_says_nothing_that_is_not_so():
    made = trained(20).compacted()
    texts = [text.get_text() for text in made.figure().findobj(Text) if text.get_text()]
    assert texts == [f"{when}: {rows} parameters" for when, rows in zip(("before", "after"), made.rows()[1][1:], strict=True)]
    assert math.isfinite(made.loss_old)


def test_another_default_float_type_does_not_matter():
    instrument = trained(30)
    wanted = instrument.compacted()
    torch.set_default_dtype(torch.float64)
    try:
        made = instrument.compacted()
    finally:
        torch.set_default_dtype(torch.float32)
    assert (made.loss_old, made.loss_small, made.difference) == (wanted.loss_old, wanted.loss_small, wanted.difference)
