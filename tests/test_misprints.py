"""The misprints: each counter-example is evaluated, and it would not pass with the formulas exchanged."""

import re
from dataclasses import replace

import pytest
from sympy import Matrix, MatrixBase, N, Rational, Symbol, prime, symbols, sympify
from sympy.logic.boolalg import Boolean

from spectral_lab.blocks import L, phi
from spectral_lab.misprints import Misprint, Misprints, fails, holds, misprints
from spectral_lab.misprints.entry import layer_of_each_node, one_layer

ENTRIES = misprints()
NAMES = [entry.name for entry in ENTRIES]
FORMULAS = [(f"{entry.name}: {side}", getattr(entry, side)) for entry in ENTRIES for side in ("printed", "corrected")]
each = pytest.mark.parametrize("entry", ENTRIES, ids=NAMES)
each_formula = pytest.mark.parametrize("formula", [text for _, text in FORMULAS], ids=[name for name, _ in FORMULAS])

# The nine that were known when the package was planned.
KNOWN = [
    "SPARCS, Section 3",
    "SPARCS, B.23",
    "SPARCS, Section 4, number of diagonal blocks",
    "SPARCS, after B.5",
    "SPARCS, 5.1",
    "PRE, Appendix B, after B2",
    "Pruning, Appendix A, after A2",
    "Pruning, Appendix A, β",
    "Student, Eqs. 9 and 10, upper end",
    "Student, after Eq. 11, number of paths",
]

# Every command that the formulas use; MathJax knows them without any package but amsmath and amssymb.
COMMAND = re.compile(
    r"\\(Bigl|Bigr|Gamma|Lambda|Longleftarrow|Longrightarrow|Phi|alpha|beta|bigl|bigr|binom|cdot|cup|delta|det|dots|ell"
    r"|forall|frac|gamma|ge|in|lambda|le|left|mathbb|mathbf|mathcal|mathrm|odot|phi|prod|propto|quad|rho|right|sigma|sim"
    r"|sum|tanh|text|tfrac|tilde|times|vec)"
)


def shown(entry):
    """Its steps that show the printed form fail, and those that show the corrected one hold."""
    steps = entry.evaluate().steps
    return [step for step in steps if step.differs], [step for step in steps if not step.differs]


@each
def test_the_printed_form_fails_and_the_corrected_one_holds(entry):
    proof = entry.evaluate()
    assert proof.holds, proof
    printed, corrected = shown(entry)
    assert printed
    assert corrected
    assert all(step.claim.startswith("as printed: ") for step in printed)
    assert all(step.claim.startswith("corrected: ") for step in corrected)
    assert proof.scope == "counter-example"


@each
def test_the_corrected_form_does_not_pass_for_the_printed_one(entry):
    for step in shown(entry)[1]:
        proof = replace(entry, steps=lambda step=step: [fails("the corrected form", step.left, step.right)]).evaluate()
        assert not proof.holds, proof


@each
def test_the_printed_form_does_not_pass_for_the_corrected_one(entry):
    for step in shown(entry)[0]:
        proof = replace(entry, steps=lambda step=step: [holds("the printed form", step.left, step.right)]).evaluate()
        assert not proof.holds, proof


def difference(step):
    """Left less right, before SymPy reduced it."""
    return step.left - step.right if step.right != 0 else step.left


def at_a_point(expression):
    """The largest entry of an expression where every symbol and every block is a fraction of its own."""
    matrix = expression if isinstance(expression, MatrixBase) else Matrix([expression])
    letters = sorted(matrix.atoms(Symbol) | matrix.atoms(phi, L), key=str)
    numbers = {letter: Rational(prime(k + 5), prime(k + 2)) for k, letter in enumerate(letters)}
    return max(abs(N(sympify(entry).subs(numbers), 30)) for entry in matrix)


@each
def test_the_printed_form_misses_by_a_number_that_is_not_small(entry):
    """SymPy not finding a zero is no proof that there is none: so every difference is put into numbers."""
    for step in shown(entry)[0]:
        assert isinstance(step.left, Boolean) or at_a_point(difference(step)) > 1e-3, step


@each
def test_the_corrected_form_misses_by_nothing_in_numbers_too(entry):
    for step in shown(entry)[1]:
        assert isinstance(step.left, Boolean) or at_a_point(difference(step)) < 1e-20, step


@each
def test_remarks_are_short_plain_sentences(entry):
    assert entry.remark.endswith(".")
    assert 15 < len(entry.remark) < 260
    assert not re.search(r"[$\\!]", entry.remark)
    assert entry.printed != entry.corrected


@each_formula
def test_formulas_are_balanced(formula):
    depth = 0
    for bracket in re.findall(r"(?<!\\)[{}]", formula):
        depth += 1 if bracket == "{" else -1
        assert depth >= 0
    assert depth == 0
    assert len(re.findall(r"\\left\b", formula)) == len(re.findall(r"\\right\b", formula))
    assert len(re.findall(r"\\[bB]igl", formula)) == len(re.findall(r"\\[bB]igr", formula))


@each_formula
def test_formulas_have_nothing_but_commands_that_mathjax_knows(formula):
    assert formula.isascii()
    assert "$" not in formula
    assert "\n" not in formula
    assert [command for command in re.findall(r"\\[A-Za-z]+", formula) if not COMMAND.fullmatch(command)] == []
    assert not re.search(r"[_^]\s*[_^]|[_^]\s*$", formula)


def test_no_two_entries_have_the_same_name():
    assert len(set(NAMES)) == len(NAMES)


def test_the_known_nine_are_in_the_list():
    assert set(KNOWN) <= set(NAMES)


def test_papers_stand_one_after_the_other():
    assert list(dict.fromkeys(entry.paper for entry in ENTRIES)) == ["SPARCS", "PRE", "Pruning", "Poster", "Student"]
    assert [entry.paper for entry in ENTRIES] == [
        paper.paper for name in ("SPARCS", "PRE", "Pruning", "Poster", "Student") for paper in ENTRIES.of(name)
    ]


def test_the_list_is_the_callers_own():
    misprints().clear()
    assert [entry.name for entry in misprints()] == NAMES


def test_an_entry_is_found_by_name_number_or_slice():
    entry = ENTRIES["SPARCS, 5.1"]
    assert entry in ENTRIES.of("SPARCS")
    assert ENTRIES[NAMES.index("SPARCS, 5.1")] is entry
    assert isinstance(ENTRIES[:2], Misprints)
    with pytest.raises(KeyError, match=r"no misprint is called 'SPARCS, 5\.3'; there are SPARCS, Section 2"):
        ENTRIES["SPARCS, 5.3"]


def test_an_unknown_kind_is_refused():
    with pytest.raises(ValueError, match=r"kind 'blunder' of SPARCS, B\.23; wanted one of misprint, wording, gap"):
        replace(ENTRIES["SPARCS, B.23"], kind="blunder")


def test_an_entry_that_shows_nothing_does_not_hold():
    assert not Misprint("SPARCS", "9.9", "a", "b", "Nothing.", lambda: []).evaluate().holds


def test_all_are_one_table_in_a_notebook():
    """A bar inside a formula would end the cell."""
    lines = ENTRIES._repr_markdown_().splitlines()
    assert len(lines) == len(ENTRIES) + 2
    assert all(line.count("|") == 6 for line in lines)
    assert any(r"\vert" in line for line in lines)


def test_an_entry_shows_both_formulas_in_a_notebook():
    entry = ENTRIES["SPARCS, Section 3"]
    text = entry._repr_markdown_()
    assert f"printed: $\\quad {entry.printed}$" in text
    assert f"corrected: $\\quad {entry.corrected}$" in text
    assert entry.remark in text


def test_whole_numbers_are_shown_before_they_are_subtracted():
    step = fails("links", 12, 18)
    assert (str(step.left), str(step.right), str(step.found)) == ("12", "18", "-6")
    assert not holds("links", 12, 18).holds
    assert holds("links", 18, 18).holds


def test_the_layer_that_the_counter_examples_use_has_the_weights_of_the_papers():
    layer = one_layer(2, 3)
    wanted = Matrix(3, 2, lambda i, j: (layer.lam_in[j] - layer.lam_out[i]) * layer.phi[i, j])
    assert (layer.w - wanted).expand().is_zero_matrix
    assert (layer.A * layer.Phi - layer.Phi * layer.Lam).expand().is_zero_matrix
    assert len({*layer.phi, *layer.lam_in, *layer.lam_out}) == 11


def test_nodes_are_counted_layer_by_layer():
    assert layer_of_each_node((1, 3, 2)) == [1, 2, 2, 2, 3, 3]


def test_a_wrong_correction_is_noticed():
    x = symbols("x")
    wrong = Misprint("SPARCS", "9.9", "x", "2x", "Twice.", lambda: [fails("x", x, 2 * x), holds("3x", 3 * x, 2 * x)])
    proof = wrong.evaluate()
    assert not proof.holds
    assert proof.broken.claim == "corrected: 3x"
