"""One layer under the hand: its numbers against the dense A = ΦΛΦ⁻¹, and whatever a page may ask for, legal or not."""

import base64
import io
import json
import math
import re
import threading

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from matplotlib.figure import Figure
from PIL import Image
from torch.testing import assert_close

from spectral_lab import SpectralLinear
from spectral_lab.live import OneLayer, onelayer
from spectral_lab.live.bipartite import MOST, picture, words
from spectral_lab.plotting import FAINT, NEGATIVE, POSITIVE, plot_bipartite, plot_matrix

PHI, LAM_IN, LAM_OUT, X = [[0.9, -0.6, 0.4], [-0.8, 1.0, 0.7]], [1.0, 0.4, -0.5], [0.2, -0.6], [0.8, -0.5, 0.6]
sizes = st.integers(1, MOST)


def drawn(n_in, n_out, seed):
    """(phi, lam_in, lam_out, x), double precision."""
    generator = torch.Generator().manual_seed(seed)
    shapes = [(n_out, n_in), (n_in,), (n_out,), (n_in,)]
    return [torch.randn(shape, dtype=torch.float64, generator=generator) for shape in shapes]


def layer(**options):
    """A layer whose messages are kept in ``sent`` instead of going to a browser."""
    made = OneLayer(PHI, LAM_IN, LAM_OUT, X, **options)
    made.sent = []
    made.send = lambda content, buffers=None: made.sent.append(content)
    return made


def ask(made, question):
    """Ask, and return the answer: one picture that can be sent and says to whom it belongs."""
    made.sent.clear()
    made._on_message(made, question, [])
    (answer,) = made.sent
    json.dumps(answer, allow_nan=False)
    assert answer["kind"] == "picture"
    assert {name: answer[name] for name in made.numbers} == made.numbers
    assert answer["node"] == made.node
    return answer


# -- the numbers ---------------------------------------------------------------------------------------------------------


@given(n_in=sizes, n_out=sizes, seed=st.integers(0, 1000))
def test_every_matrix_is_that_of_the_dense_decomposition(n_in, n_out, seed):
    phi, lam_in, lam_out, x = drawn(n_in, n_out, seed)
    shown = {name: torch.tensor(value, dtype=torch.float64) for name, value in picture(phi, lam_in, lam_out, x).items()}
    Phi = torch.eye(n_in + n_out, dtype=torch.float64)
    Phi[n_in:, :n_in] = phi
    Lam = torch.diag(torch.cat([lam_in, lam_out]))
    A = Phi @ Lam @ torch.linalg.inv(Phi)
    assert_close([shown[name] for name in ("Phi", "Lam", "A")], [Phi, Lam, A])
    assert_close(shown["inverse"], torch.linalg.inv(Phi))
    assert_close(shown["W"], A[n_in:, :n_in])
    assert_close(shown["y"], (A @ torch.cat([x, torch.zeros(n_out, dtype=torch.float64)]))[n_in:])
    assert_close([shown[name] for name in ("phi", "lam_in", "lam_out", "x")], [phi, lam_in, lam_out, x], rtol=0, atol=0)


@given(n_in=sizes, n_out=sizes, seed=st.integers(0, 1000))
def test_the_two_sums_of_homeostasis_are_those_of_pre_equation_3_in_loops(n_in, n_out, seed):
    phi, lam_in, lam_out, x = drawn(n_in, n_out, seed)
    shown = picture(phi, lam_in, lam_out, x)
    for i in range(n_out):
        around = sum(float(phi[i, j] * x[j]) for j in range(n_in))
        carried = sum(float(lam_in[j] * phi[i, j] * x[j]) for j in range(n_in))
        assert shown["field"][i] == pytest.approx(around)
        assert shown["carried"][i] == pytest.approx(carried)
        assert shown["own"][i] == pytest.approx(-float(lam_out[i]) * around)
        assert shown["y"][i] == pytest.approx(shown["carried"][i] + shown["own"][i])
    assert shown["reach"] >= max(abs(v) for name in ("carried", "own", "y") for v in shown[name])
    assert f"{shown['reach']:.0e}"[0] in "125"
    assert shown["scale"] >= float(phi.abs().max())


@pytest.mark.parametrize(("side", "k"), [("in", 1), ("out", 0), ("out", 2)])
def test_an_eigenvalue_moves_its_row_or_column_and_one_place_on_the_diagonal(side, k):
    phi, lam_in, lam_out, x = drawn(4, 3, 0)
    before = picture(phi, lam_in, lam_out, x)
    (lam_in if side == "in" else lam_out)[k] += 0.25
    after = picture(phi, lam_in, lam_out, x)
    moved = {name: np.not_equal(before[name], after[name]) for name in ("W", "A", "Lam", "Phi", "inverse")}
    row_or_column = np.zeros((3, 4), bool)
    row_or_column[(slice(None), k) if side == "in" else (k, slice(None))] = True
    diagonal = np.zeros((7, 7), bool)
    diagonal[(k, k) if side == "in" else (4 + k, 4 + k)] = True
    assert (moved["W"] == row_or_column).all()
    assert (moved["Lam"] == diagonal).all()
    assert (moved["A"][4:, :4] == row_or_column).all()
    moved["A"][4:, :4] = False
    assert (moved["A"] == diagonal).all()
    assert not moved["Phi"].any()
    assert not moved["inverse"].any()


def test_a_weight_of_zero_is_a_positive_zero_and_no_negative_one():
    shown = picture(torch.tensor([[-1.0]]), torch.tensor([0.5]), torch.tensor([0.5]), torch.tensor([1.0]))
    assert [math.copysign(1, shown["W"][0][0]), math.copysign(1, shown["own"][0])] == [1, 1]
    assert shown["reach"] == 1.0


@pytest.mark.parametrize(
    ("lam_in", "lam_out", "touched", "said"),
    [
        ([1.0, 0.5], [0.0, 0.2], None, "Drag an eigenvalue. No weight is 0."),
        ([1.0, -0.5], [0.0, 0.2], ("in", 1), "λⁱⁿ₁ = −0.50 moves column 1 of W and no other weight. No weight is 0."),
        ([1.0, 0.2], [0.0, 0.2], ("out", 1), "λᵒᵘᵗ₁ = 0.20 moves row 1 of W and no other weight. 1 of 4 weights is 0: w₁₁."),
        ([0.2, 0.2], [0.0, 0.2], None, "2 of 4 weights are 0: w₁₀, w₁₁."),
        ([1.0, 1.0], [1.0, 1.0], None, "Every weight vanishes: nothing of layer 1 arrives at layer 2."),
    ],
)
def test_the_words_say_what_moved_and_which_weights_vanish(lam_in, lam_out, touched, said):
    shown = picture(torch.ones(2, 2), torch.tensor(lam_in), torch.tensor(lam_out), torch.ones(2))
    assert words(shown, touched) == said


# -- the object ----------------------------------------------------------------------------------------------------------


def test_it_takes_tensors_arrays_tuples_and_a_layer_and_its_weights_are_theirs():
    wanted = layer().weights
    assert_close(torch.tensor(wanted), (torch.tensor(LAM_IN) - torch.tensor(LAM_OUT)[:, None]) * torch.tensor(PHI))
    assert OneLayer(torch.tensor(PHI), torch.tensor(LAM_IN), np.array(LAM_OUT), tuple(X)).weights == wanted
    spectral = SpectralLinear(3, 2, generator=torch.Generator().manual_seed(0))
    shown = OneLayer(spectral.eigenvectors, spectral.eigenvalues_in, spectral.eigenvalues_out)
    assert_close(torch.tensor(shown.weights), spectral.weight.detach(), rtol=0, atol=1e-5)


@pytest.mark.parametrize(("n_in", "n_out"), [(1, 1), (4, 3), (8, 8), (2, 7)])
def test_what_is_drawn_can_be_shown_and_depends_on_the_seed_alone(n_in, n_out):
    one, again, other = (OneLayer(n_in=n_in, n_out=n_out, seed=seed) for seed in (3, 3, 4))
    assert one.state == again.state != other.state
    assert (len(one.eigenvalues_in), len(one.eigenvalues_out)) == (n_in, n_out)
    assert all(0.3 <= abs(v) <= 1.2 for row in one.eigenvectors for v in row)
    assert repr(one) == f"OneLayer({n_in} nodes to {n_out})"


BAD_SIZES = [
    ({"n_in": 0}, "n_in = 0; wanted a whole number of nodes from 1 to 8"),
    ({"n_out": 9}, "n_out = 9; wanted"),
    ({"n_in": 2.5}, "n_in = 2.5"),
    ({"n_in": True}, "n_in = True"),
    ({"n_out": "3"}, "n_out = '3'"),
    ({"eigenvectors": []}, "n_out = 0|n_in = 0"),
    ({"eigenvectors": [[]]}, "n_in = 0"),
    ({"eigenvectors": [[1.0] * 9]}, "n_in = 9"),
    ({"eigenvectors": "phi"}, "eigenvectors = 'phi'; wanted a list of numbers"),
    ({"eigenvectors": 3.0}, "eigenvectors = 3.0"),
    ({"eigenvectors": [1.0, 2.0]}, r"eigenvectors\[0\] = 1.0; wanted a list"),
    ({"eigenvectors": [[1.0, 2.0], [1.0]]}, r"eigenvectors\[1\] has 1 entries; this layer wants 2"),
    ({"hide": "signal"}, "hide = 'signal'; wanted a tuple"),
    ({"hide": ("spectrum",)}, "hide = "),
]


@pytest.mark.parametrize(("options", "said"), BAD_SIZES)
def test_a_layer_that_cannot_be_is_refused_in_words(options, said):
    with pytest.raises(ValueError, match=said):
        OneLayer(**options)


BAD_VALUES = [
    ("eigenvalues_in", [1.0, 2.0], "eigenvalues_in has 2 entries; this layer wants 3"),
    ("eigenvalues_in", [1.0] * 4, "has 4 entries"),
    ("eigenvalues_in", [0.0, math.nan, 0.0], r"eigenvalues_in\[1\] = nan; wanted a number from -2 to 2"),
    ("eigenvalues_in", [0.0, math.inf, 0.0], r"eigenvalues_in\[1\] = inf"),
    ("eigenvalues_in", [0.0, "1", 0.0], r"eigenvalues_in\[1\] = '1'"),
    ("eigenvalues_in", [0.0, None, 0.0], r"eigenvalues_in\[1\] = None"),
    ("eigenvalues_in", [0.0, True, 0.0], r"eigenvalues_in\[1\] = True"),
    ("eigenvalues_in", [0.0, 1j, 0.0], r"eigenvalues_in\[1\] = 1j"),
    ("eigenvalues_in", [0.0, [1.0], 0.0], r"eigenvalues_in\[1\] = \[1.0\]"),
    ("eigenvalues_in", "abc", "eigenvalues_in = 'abc'; wanted a list of numbers"),
    ("eigenvalues_in", None, "eigenvalues_in = None"),
    ("eigenvalues_in", {0: 1.0}, "wanted a list of numbers"),
    ("eigenvalues_out", [2.5, 0.0], r"eigenvalues_out\[0\] = 2.5; wanted a number from -2 to 2"),
    ("eigenvalues_out", torch.tensor(1.0), "eigenvalues_out = 1.0"),
    ("x", [1.5, 0.0, 0.0], r"x\[0\] = 1.5; wanted a number from -1 to 1"),
    ("eigenvectors", [[1.0, 2.0, 3.0]], "eigenvectors has 1 rows; this layer wants 2 rows of 3 numbers"),
    ("eigenvectors", [[1.0, 2.0, math.nan]] * 2, r"eigenvectors\[0\]\[2\] = nan"),
    ("node", 2, "node 2 does not exist; wanted a whole number from 0 to 1"),
    ("node", -1, "node -1"),
    ("node", True, "node True"),
    ("node", "0", "node '0'"),
]


@pytest.mark.parametrize(("name", "value", "said"), BAD_VALUES)
def test_a_bad_value_is_refused_in_words_and_nothing_changes(name, value, said):
    made = layer()
    before = made.state
    with pytest.raises(ValueError, match=said):
        setattr(made, name, value)
    assert made.state == before


def test_an_eigenvalue_of_a_float32_tensor_is_equal_to_the_number_that_was_typed():
    made = OneLayer([[1.0]], torch.tensor([0.8]), [0.8])
    assert made.weights == [[0.0]]


def test_the_linear_start_keeps_every_weight():
    made = layer()
    wanted = made.weights
    made.linear()
    assert_close(torch.tensor(made.weights), torch.tensor(wanted))
    assert (made.eigenvalues_in, made.eigenvalues_out) == ((0.0,) * 3, (1.0,) * 2)
    assert_close(torch.tensor(made.eigenvectors), -torch.tensor(wanted))


def test_equal_eigenvalues_make_a_the_identity():
    made = layer()
    made.equal()
    assert made.numbers["A"] == torch.eye(5).tolist()
    assert made.numbers["y"] == [0.0, 0.0]


def test_reset_brings_back_every_number_that_it_was_made_with():
    made = layer()
    before = made.state
    made.linear()
    made.random()
    made.node = 1
    made.reset()
    assert made.state == before


def test_another_input_changes_nothing_but_the_input():
    made = layer()
    before = made.state
    made.random()
    assert made.x != before["x"]
    assert made.state | {"x": None} == before | {"x": None}


# -- what a page may ask -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("move", "name", "wanted"),
    [
        (["in", 1, 0.75], "eigenvalues_in", (1.0, 0.75, -0.5)),
        (["out", 1, -2], "eigenvalues_out", (0.2, -2.0)),
        (["x", 2, 0.1], "x", (0.8, -0.5, 0.1)),
        (["node", 1, 1], "node", 1),
    ],
)
def test_a_move_of_the_hand_sets_one_number(move, name, wanted):
    made = layer()
    before = made.state
    answer = ask(made, {"number": 7, "client": "c", "moves": [move]})
    assert getattr(made, name) == wanted
    changed = {key for key, value in made.state.items() if value != before[key]}
    assert changed - {"node"} == {name} - {"node"}
    assert (answer["number"], answer["client"], answer["message"]) == (7, "c", "")
    assert ("moves" in answer["words"]) == (move[0] in ("in", "out"))


def test_the_eigenvalue_of_a_receiver_chooses_its_node():
    made = layer()
    assert ask(made, {"moves": [["out", 1, 0.5]]})["node"] == 1
    assert ask(made, {"moves": [["in", 0, 0.5]]})["node"] == 1


@pytest.mark.parametrize("action", onelayer.ACTIONS)
def test_every_button_does_what_the_method_does(action):
    made, other = layer(), layer()
    for one in (made, other):
        one.eigenvalues_in = [0.5, 0.5, 0.5]
    answer = ask(made, {"action": action})
    getattr(other, action)()
    assert made.state == other.state
    assert answer["message"] == ""


ILLEGAL = [
    {"moves": [["in", 3, 0.5]]},
    {"moves": [["in", -1, 0.5]]},
    {"moves": [["in", "0", 0.5]]},
    {"moves": [["in", 0.0, 0.5]]},
    {"moves": [["in", 0, 2.01]]},
    {"moves": [["in", 0, math.nan]]},
    {"moves": [["in", 0, "0.5"]]},
    {"moves": [["in", 0, None]]},
    {"moves": [["in", 0, [0.5]]]},
    {"moves": [["x", 0, 1.01]]},
    {"moves": [["hide", 0, 0.5]]},
    {"moves": [[["in"], 0, 0.5]]},
    {"moves": [["node", 2, 2]]},
    {"moves": [["node", None, 2]]},
    {"moves": [["in", 0]]},
    {"moves": ["in"]},
    {"moves": [None]},
    {"moves": [{}]},
    {"moves": "in"},
    {"moves": 3},
    {"moves": {"in": 1}},
    {"moves": [["in", 0, 0.5], ["out", 0, 5.0]]},  # the first alone would be legal
    {"moves": [["out", 1, 0.5]], "action": "explode"},
    {"action": "close"},
    {"action": ["reset"]},
    {"action": 1},
]


@pytest.mark.parametrize("question", ILLEGAL, ids=json.dumps)
def test_what_cannot_be_is_said_in_words_and_nothing_of_it_is_kept(question):
    made = layer()
    before = made.state
    answer = ask(made, question | {"number": 1})
    assert len(answer["message"].split()) > 3
    assert made.state == before
    assert ask(made, {"moves": [["in", 0, 0.5]]})["message"] == ""  # the layer goes on living
    assert made.eigenvalues_in[0] == 0.5


@pytest.mark.parametrize("question", [None, [], "reset", 3, {}, {"moves": None}, {"moves": [], "action": None}])
def test_a_question_without_a_wish_is_answered_with_the_picture(question):
    made = layer()
    before = made.state
    assert ask(made, question)["message"] == ""
    assert made.state == before


def test_a_failure_of_our_own_is_said_too_and_logged(monkeypatch, caplog):
    made = layer()
    monkeypatch.setattr(OneLayer, "equal", lambda self: 1 / 0)
    assert ask(made, {"action": "equal"})["message"] == "division by zero"
    assert "could not do what the browser asked" in caplog.text


def test_python_speaks_to_the_page_only_if_there_is_one_and_once_for_each_change():
    made = layer()
    made.eigenvalues_in = [0.0, 0.0, 0.0]
    made.linear()
    assert made.sent == []
    ask(made, {})
    made.sent.clear()
    made.eigenvalues_in = [0.1, 0.2, 0.3]
    made.linear()
    assert len(made.sent) == 2
    assert made.sent[0]["lam_in"] == [0.1, 0.2, 0.3]
    assert {message["client"] for message in made.sent} == {None}  # it answers nobody's question


def test_a_picture_of_the_largest_layer_is_small():
    made = OneLayer(n_in=8, n_out=8)
    made.sent = []
    made.send = lambda content, buffers=None: made.sent.append(content)
    assert len(json.dumps(ask(made, {}))) < 16_000


def test_several_threads_may_ask_at_once():
    made = layer()

    def drag(side, k):
        for step in range(50):
            made._on_message(made, {"moves": [[side, k, step / 50]]}, [])

    threads = [threading.Thread(target=drag, args=move) for move in [("in", 0), ("in", 1), ("out", 0), ("x", 2)]]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert (made.eigenvalues_in[:2], made.eigenvalues_out[0], made.x[2]) == ((0.98, 0.98), 0.98, 0.98)
    assert len(made.sent) == 200
    assert not any(message["message"] for message in made.sent)


# -- pictures ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hide", [(), ("matrices",), ("signal",), ("matrices", "signal")])
def test_a_closed_notebook_shows_a_picture(hide):
    data, _ = layer(hide=hide)._repr_mimebundle_()
    assert data["text/plain"] == "OneLayer(3 nodes to 2)"
    shown = Image.open(io.BytesIO(base64.b64decode(data["image/png"])))
    assert shown.width >= 600
    assert len(shown.convert("RGB").resize((64, 64)).getcolors(64 * 64)) > 30


def test_the_script_is_one_module_with_one_export_and_fetches_nothing():
    script = str(OneLayer._esm)
    assert re.findall(r"^export .*", script, flags=re.MULTILINE) == ["export default { render };"]
    assert not re.search(r"\bimport\b|\brequire\(|\bfetch\(|XMLHttpRequest|WebSocket|//cdn|\bdata:", script)
    assert re.findall(r"https?://[^\"]+", script) == ["http://www.w3.org/2000/svg"]  # a name, not an address
    assert not re.search(r"@import|url\(", str(OneLayer._css))
    names = re.findall(r"^(?:function|const|let|class|var) +(\w+)", script, flags=re.MULTILINE)
    assert len(names) == len(set(names)) > 10


def test_every_number_that_the_script_reads_is_sent():
    script, answer = str(OneLayer._esm), ask(layer(), {})
    read = set(re.findall(r"\bshown\.([A-Za-z_]+)", script))
    assert read <= set(answer)
    assert {"lam_in", "lam_out", "phi", "W", "x", "y", "words", "message"} <= read


def test_links_are_as_wide_as_their_weight_and_coloured_by_its_sign():
    ax = plot_bipartite([[0.5, -1.0], [0.0, 2.0]], Figure().subplots(), lam_in=[0.1, 0.2], lam_out=[0.3, 0.4])
    links = [(line.get_color(), round(line.get_linewidth(), 2), line.get_linestyle()) for line in ax.lines]
    assert links == [(POSITIVE, 4.1, "-"), (NEGATIVE, 7.6, "-"), (FAINT, 0.6, ":"), (POSITIVE, 7.6, "-")]
    assert [text.get_text().count("0.1") for text in ax.texts] == [1, 0, 0, 0]
    assert len(ax.texts) == 4
    assert not plot_bipartite([[0.5, -1.0]], Figure().subplots()).texts


def test_a_matrix_is_drawn_with_its_numbers_but_not_its_zeros():
    ax = plot_matrix([[0.0, 1.25], [-0.5, 0.0]], Figure().subplots(), limit=2.0, title="A")
    assert [text.get_text() for text in ax.texts] in (["1.2", "-0.5"], ["1.3", "-0.5"])
    assert ax.images[0].get_clim() == (-2.0, 2.0)
    assert ax.get_title() == "A"
