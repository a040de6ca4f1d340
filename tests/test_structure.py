"""The widgets of notebook 02 without a browser: what they show for every state, and words for what is wrong."""

import re
from dataclasses import replace
from html import unescape
from itertools import pairwise

import pytest

pytest.importorskip("ipywidgets")

from sympy import expand, eye, latex

from spectral_lab import blocks
from spectral_lab.identities import catalogue, statement
from spectral_lab.live import algebra, browsers, explorer
from spectral_lab.live.browsers import EVERYWHERE, MisprintBrowser, ProofBrowser, compared, entries, papers, proved
from spectral_lab.live.explorer import PARTS, StructureExplorer
from spectral_lab.misprints import misprints
from spectral_lab.plotting import FAINT, INK
from spectral_lab.proofs import Proof, check

EVERY = range(1, algebra.MOST_B + 1)


def rows(matrix):
    """The entries of a LaTeX matrix, row by row, grey taken off."""
    body = re.search(r"\\begin\{pmatrix\} (.*) \\end\{pmatrix\}", matrix)[1]
    return [
        [re.sub(r"^\{\\color\{gray\}\{(.*)\}\}$", r"\1", entry) for entry in row.split(" & ")] for row in body.split(r" \\ ")
    ]


# -- formulas ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("B", EVERY)
def test_the_sparse_matrices_have_the_entries_that_are_proved(B):
    for name, matrix in {"Phi": blocks.eigenvector_matrix(B), "Lambda": blocks.eigenvalue_matrix(B)}.items():
        wanted = [[latex(entry) for entry in row] for row in matrix.tolist()]
        found = [[entry.replace(r"\mathbb{I}", "1") for entry in row] for row in rows(algebra.matrix(B, name))]
        assert found == wanted


@pytest.mark.parametrize("B", EVERY)
@pytest.mark.parametrize(("name", "symbol"), [("inverse", "S"), ("A", r"\mathcal{W}")])
def test_the_full_matrices_are_written_out_as_long_as_that_can_be_read(B, name, symbol):
    matrix = {"inverse": blocks.inverse_eigenvector_matrix, "A": blocks.adjacency_matrix}[name](B)
    for i, row in enumerate(rows(algebra.matrix(B, name))):
        for j, entry in enumerate(row):
            if j >= i:
                assert entry.replace(r"\mathbb{I}", "1") == latex(matrix[i, j])
            elif B > algebra.WRITTEN_OUT:
                assert entry == f"{symbol}_{{{i + 1}{j + 1}}}"
            else:
                block = {"inverse": blocks.inverse_block, "A": blocks.weight_block}[name](i + 1, j + 1)
                assert entry == latex(block)
                assert expand(block - matrix[i, j]) == 0


def test_what_only_fills_a_matrix_is_grey():
    grey = r"{\color{gray}{%s}}"
    assert algebra.matrix(1, "Phi").count(grey % "0") == 1
    assert algebra.matrix(1, "Phi").count(grey % r"\mathbb{I}") == 2
    assert grey % r"\mathcal{L}_{1}" in algebra.matrix(1, "A")
    assert grey % r"\mathcal{L}_{1}" not in algebra.matrix(1, "Lambda")  # there they are what the matrix is made of


@pytest.mark.parametrize("B", EVERY)
def test_the_coefficients_make_the_inverse(B):
    summed = sum((c * power for c, power in zip(algebra.coefficients(B), blocks.powers(B), strict=True)), 0 * eye(B + 1))
    assert (blocks.eigenvector_matrix(B) * summed - eye(B + 1)).applyfunc(expand).is_zero_matrix
    assert all(a * b < 0 for a, b in pairwise(algebra.coefficients(B)))


def test_the_polynomial_is_written_with_its_coefficients():
    assert algebra.polynomial(1) == r"\Phi_1^{-1} = 2\,\mathbb{I} - \Phi_1"
    assert algebra.polynomial(3) == r"\Phi_3^{-1} = 4\,\mathbb{I} - 6\,\Phi_3 + 4\,\Phi_3^{2} - \Phi_3^{3}"


@pytest.mark.parametrize("B", [1, 2, 5, 8])
def test_a_block_has_its_formulas_or_says_why_there_is_none(B):
    for i in range(1, B + 2):
        for j in range(1, B + 2):
            found = algebra.block(B, i, j)
            if j > i:
                assert found.formulas == ()
                assert "No links go back" in found.words
            elif j == i:
                assert found.formulas == (rf"S_{{{i}{i}}} = \mathbb{{I}}", rf"[A_{B}]_{{{i}{i}}} = \mathcal{{L}}_{{{i}}}")
                assert "self-loop" in found.words
            else:
                S, W = found.formulas
                assert S.endswith(rf"&= {latex(blocks.inverse_block(i, j))} \end{{aligned}}")
                assert W.endswith(rf"&= {latex(blocks.weight_block(i, j))} \end{{aligned}}")
                assert rf"(-1)^{{{i}-1-{j}}}" in W
                assert ("neighbours" in found.words) == (i == j + 1)


@pytest.mark.parametrize("B", [1, 2, 5, 8])
def test_the_graph_has_every_link_and_marks_the_chain_of_the_block(B):
    for i in range(1, B + 2):
        for j in range(1, B + 2):
            graph = algebra.layer_graph(B, i, j)
            assert list(graph) == list(range(1, B + 2))
            links = {role: [(s, t) for s, t, r in graph.edges(data="role") if r == role] for role in ("chain", "link", "loop")}
            assert links["chain"] == [(k, k + 1) for k in range(j, i)]
            assert links["link"] == ([(j, i)] if j < i else [])
            assert links["loop"] == ([(i, i)] if i == j else [])
            assert {(s, t) for s, t in graph.edges() if s < t} == {(s, t) for t in graph for s in range(1, t)}
            signs = [a["sign"] for _, _, a in graph.edges(data=True) if a["sign"]]
            assert signs == ([(-1) ** (i - 1 - j)] if j < i else [])


@pytest.mark.parametrize("B", [0, 9, -1, 2.0, "3", None, True])
def test_a_number_of_blocks_out_of_range_is_named(B):
    for ask in (algebra.check_range, algebra.matrices, algebra.coefficients, algebra.polynomial, StructureExplorer):
        with pytest.raises(ValueError, match=rf"B = {B!r}; wanted a whole number of blocks from 1 to 8"):
            ask(B)


@pytest.mark.parametrize(("i", "j", "named"), [(4, 1, "i = 4"), (0, 1, "i = 0"), (3, 9, "j = 9"), (2, None, "j = None")])
def test_a_layer_that_is_not_there_is_named(i, j, named):
    for ask in (algebra.block, algebra.layer_graph):
        with pytest.raises(ValueError, match=f"{named}; wanted a layer from 1 to 3"):
            ask(2, i, j)


def test_an_unknown_matrix_is_refused_with_the_known_ones():
    with pytest.raises(ValueError, match="no matrix is called 'Psi'; there are Phi, Lambda, inverse, A"):
        algebra.matrix(2, "Psi")


# -- the explorer --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("B", EVERY)
def test_the_slider_changes_everything_that_is_shown(B):
    shown = StructureExplorer(8 if B == 1 else B - 1)
    before = [w.value for w in (shown.matrices, shown.polynomial, shown.bars, shown.graph)]
    shown.slider.value = B
    after = [w.value for w in (shown.matrices, shown.polynomial, shown.bars, shown.graph)]
    assert all(a != b for a, b in zip(before, after, strict=True))
    assert unescape(shown.matrices.value).count(rf"\Phi_{B}") == 2
    assert f"{algebra.coefficients(B)[0]}" in re.search('aria-label="([^"]*)"', shown.bars.value)[1]
    assert f"{B + 1} layers" in shown.graph.value
    assert list(shown.target.options) == list(shown.source.options) == list(range(1, B + 2))


def test_every_block_can_be_chosen():
    shown = StructureExplorer(3)
    for i in range(1, 5):
        for j in range(1, 5):
            shown.target.value, shown.source.value = i, j
            assert algebra.block(3, i, j).words in unescape(shown.formulas.value)
            assert f"for the block ({i}, {j})" in shown.graph.value


def test_a_block_beyond_the_new_b_gives_way_and_comes_back():
    shown = StructureExplorer(8)
    shown.target.value, shown.source.value = 9, 5
    for B, block in [(6, (7, 5)), (3, (4, 4)), (1, (2, 2)), (8, (9, 5))]:
        shown.B = B
        assert (shown.target.value, shown.source.value) == block
        assert algebra.block(B, *block).words in unescape(shown.formulas.value)
    shown.B = 4
    shown.target.value = 3  # chosen by hand: this stays
    shown.B = 8
    assert (shown.target.value, shown.source.value) == (3, 5)
    assert "No links go back" in shown.formulas.value


def test_a_number_of_blocks_that_is_set_too_large_is_kept_in_range():
    shown = StructureExplorer(2)
    shown.B = 99
    assert shown.B == 8
    shown.B = -3
    assert shown.B == 1


@pytest.mark.parametrize("parts", [["matrices"], ["coefficients"], ["block"], ["block", "matrices"], PARTS])
def test_only_the_parts_that_are_asked_for_are_shown(parts):
    shown = StructureExplorer(2, parts=parts)
    assert (shown.matrices in shown.children) == ("matrices" in parts)
    assert (shown.bars in shown.children) == ("coefficients" in parts)
    assert any(shown.graph in getattr(child, "children", ()) for child in shown.children) == ("block" in parts)


@pytest.mark.parametrize("parts", [[], ["matrix"], ["block", "all"]])
def test_unknown_parts_are_refused_with_the_known_ones(parts):
    with pytest.raises(ValueError, match="wanted some of matrices, coefficients, block"):
        StructureExplorer(2, parts=parts)


@pytest.mark.parametrize(
    ("show", "values", "words"),
    [
        (explorer.show_matrices, (9,), "B = 9; wanted"),
        (explorer.show_polynomial, (0,), "B = 0; wanted"),
        (explorer.draw_coefficients, ("x",), "B = 'x'; wanted"),
        (explorer.show_block, (2, 7, 1), "i = 7; wanted a layer from 1 to 3"),
        (explorer.draw_block, (2, 1, None), "j = None; wanted a layer from 1 to 3"),
    ],
)
def test_bad_values_are_answered_in_words(show, values, words):
    shown = show(*values)
    assert 'role="alert"' in shown
    assert words in unescape(shown)


def test_pictures_take_the_colours_of_the_page_and_leave_the_page_alone():
    for drawn in (explorer.draw_block(4, 4, 1), explorer.draw_coefficients(4)):
        svg = drawn[drawn.index("<svg") :]
        assert "currentColor" in svg
        assert "<style" not in svg  # matplotlib's rule would hold for every element of the page
        assert INK not in svg
        assert svg.count(FAINT) == svg.count(f"var(--jp-border-color1, {FAINT})")
        assert "#ffffff" not in svg.replace("var(--jp-layout-color0, #ffffff)", "")
        assert 'role="img" aria-label="' in svg


def titles(browser):
    """The titles of all folds of a browser, indices and powers in line."""
    assert "<details open" not in browser.folds.value
    return [unescape(re.sub(r"<[^>]*>", "", title)) for title in re.findall("<summary>(.*?)</summary>", browser.folds.value)]


# -- proofs --------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("name", [found.name for found in catalogue()])
def test_each_statement_is_shown_with_source_idea_verdict_and_all_its_steps(name):
    browser = ProofBrowser("pascal", max_b=2)
    browser.statement.value = name
    found = statement(name)
    head = unescape(browser.head.value)
    assert found.latex in head
    assert found.source in head
    assert re.sub(r"<[^>]*>", "", browser.proof.verdict) in re.sub(r"</?su[bp]>", "", head)
    assert f"{len(browser.proof.steps)} step" in head
    assert re.search(r"in \d+\.\d\d s", head)
    besides = [title for title in titles(browser) if "besides, multiplied out" in title]
    assert len(titles(browser)) - len(besides) == len(browser.proof.steps)
    assert all(title.startswith("✓ ") for title in titles(browser))


def test_a_step_shows_what_was_reduced_to_what():
    browser = ProofBrowser("geometric", max_b=1)
    (shown,) = [fold for fold in browsers.steps(browser.proof) if "at x^m, 1 ≤ m ≤ n" in fold.title]
    assert shown.title.startswith("✓ ")
    assert r"\binom" in shown.content
    assert r"\text{difference} \to 0" in shown.content
    assert shown.content in browser.folds.value
    assert "<summary>✓ the same at x<sup>m</sup>, 1 ≤ m ≤ n</summary>" in browser.folds.value


def test_another_b_multiplies_out_that_many_cases():
    browser = ProofBrowser("inverse", max_b=1)
    for B in (3, 2, 5):
        browser.max_b.value = B
        assert f"✓ besides, multiplied out: {2 * B} times" in titles(browser)
        assert titles(browser)[-1].endswith(f"(B = {B})")


@pytest.mark.parametrize("wrong", [0, -4, 25, 1000])
def test_a_b_that_cannot_be_is_answered_in_words_and_the_next_one_is_proved(wrong):
    browser = ProofBrowser("weights", max_b=2)
    browser.max_b.value = wrong
    assert 'role="alert"' in browser.head.value
    assert f"B = {wrong}" in browser.head.value
    assert titles(browser) == []
    assert browser.proof is None
    browser.max_b.value = 1
    assert browser.proof.holds
    assert 'role="alert"' not in browser.head.value


@pytest.mark.parametrize(("name", "max_b"), [("Fermat", 2), ("inverse", None), ("inverse", "3"), ("inverse", 1.5)])
def test_a_question_that_makes_no_sense_is_answered_in_words(name, max_b):
    browser = ProofBrowser("pascal", max_b=1)
    browser.show(name, max_b)
    assert 'role="alert"' in browser.head.value
    assert ("no statement is called 'Fermat'; there are pascal, " if name == "Fermat" else repr(max_b)) in unescape(
        browser.head.value
    )
    assert proved(name, max_b).proof is None


def test_a_browser_of_an_unknown_statement_is_refused():
    with pytest.raises(KeyError, match="no statement is called 'Fermat'"):
        ProofBrowser("Fermat")


def test_a_step_that_does_not_hold_is_crossed_out():
    broken = Proof("broken", (check("1 = 2", 1), check("0", 0), check("differs", 1, scope="B = 1", differs=True)), 0.0)
    first, second, third = browsers.steps(broken)
    assert (first.title, second.title, third.title) == ("✗ 1 = 2", "✓ 0", "✓ differs   (B = 1)")
    assert "does not hold" in first.content
    assert "reduces it to zero" in second.content
    assert "finds a difference" in third.content
    both = Proof("both", (check("0", 0), check("a", 1, scope="B = 1"), check("b", 0, scope="B = 2")), 0.0)
    assert browsers.steps(both)[-1].title == "✗ besides, multiplied out: 2 times"


@pytest.mark.parametrize(
    ("plain", "html"),
    [
        ("C(n, k) < 2", "C(n, k) &lt; 2"),
        ("W_ij and W_{i,j+1}", "W<sub>ij</sub> and W<sub>i,j+1</sub>"),
        ("x^2 x^{n+1}", "x<sup>2</sup> x<sup>n+1</sup>"),
    ],
)
def test_words_get_indices_and_powers(plain, html):
    assert browsers.prose(plain) == html


# -- misprints -----------------------------------------------------------------------------------------------------------


def test_every_misprint_is_listed_and_shown_with_its_counter_example():
    browser = MisprintBrowser()
    assert [label for label, _ in browser.place.options] == [entry.name for entry in misprints()]
    for number, entry in enumerate(misprints()):
        browser.place.index = number
        head = unescape(browser.head.value)
        assert entry.printed in head
        assert entry.corrected in head
        assert len(titles(browser)) == len(entry.evaluate().steps)
        assert all(title.startswith("✓ ") for title in titles(browser))


def test_the_list_can_be_narrowed_to_a_paper(monkeypatch):
    found = misprints()
    found[-1] = replace(found[-1], paper="Another")
    monkeypatch.setattr(browsers, "misprints", lambda: found)
    browser = MisprintBrowser()
    assert browser.paper.options == tuple(papers())
    assert (papers()[0], papers()[-1]) == (EVERYWHERE, "Another")
    for paper in [*papers()[1:], EVERYWHERE]:
        browser.paper.value = paper
        names = [entry.name for entry in found if paper in (EVERYWHERE, entry.paper)]
        assert [label for label, _ in browser.place.options] == names == [entry.name for entry in entries(paper)]
        assert sum(map(int, re.findall(r"(\d+) ×", browser.count.value))) == len(names)
        assert browser.place.index == 0
        assert entries(paper)[0].printed in unescape(browser.head.value)


def test_no_choice_leaves_what_is_shown():
    browser = MisprintBrowser()
    before = browser.head.value
    browser.place.index = None
    assert browser.head.value == before


def test_printed_and_corrected_stand_side_by_side():
    head, folds = compared(misprints()[0])
    assert head.index("✗ printed") < head.index("✓ corrected")
    assert [fold.title[:13] for fold in folds] == ["✓ as printed:", "✓ corrected: "]
