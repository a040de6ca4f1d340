"""Every statement is proved, the prover can fail, and it names the step that broke."""

import ast
import json
import random
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from sympy import MatrixBase, S, binomial, expand
from sympy.logic.boolalg import Boolean

import spectral_lab
from spectral_lab import binomials, identities, inverses, transfer
from spectral_lab.blocks import L, adjacency_block, inverse_block, phi, power_block, weight_block
from spectral_lab.identities import catalogue, main, statement
from spectral_lab.proofs import EVERY_B, check

NAMES = [found.name for found in catalogue()]
FOR_EVERY_B = [name for name in NAMES if name not in {"three layers", "one layer", "homeostasis"}]
sign = S.NegativeOne


@pytest.mark.parametrize("name", NAMES)
def test_every_statement_holds(name):
    proof = statement(name).prove(max_b=4)
    assert proof.holds, str(proof)


@pytest.mark.parametrize("name", FOR_EVERY_B)
def test_what_is_claimed_for_every_b_rests_on_general_steps_and_is_multiplied_out_besides(name):
    scopes = [step.scope for step in statement(name).prove(max_b=3).steps]
    assert statement(name).prove(max_b=3).scope == EVERY_B
    assert EVERY_B in scopes
    assert any("3" in scope or "4" in scope for scope in scopes)


def test_the_catalogue_has_what_the_course_needs_from_each_paper():
    sources = " ".join(found.source for found in catalogue())
    for equation in [
        "A.2",
        "B.2",
        "B.3",
        "B.8",
        "B.13",
        "B.16",
        "B.17",
        "B.23",
        "C.6",
        "D.1",
        "D.2",
        "3.1",
        "3.3",
        "4.1",
        "4.2",
        "4.3",
    ]:
        assert equation in sources
    assert "PRE Eq. 2" in sources
    assert "Pruning Eq. 2" in sources
    assert len(set(NAMES)) == len(NAMES)


# ---------------------------------------------------------------- numbers, as a route of their own


def at_random(expression, generator):
    """The value of a given expression with small whole numbers for its symbols."""
    places = {
        symbol: generator.randint(1 if symbol.is_positive else 0, 4)
        for symbol in expression.free_symbols
        if symbol.is_integer and symbol.is_commutative
    }
    return expand(expression.subs(places, simultaneous=True).doit())


@pytest.mark.parametrize("name", NAMES)
def test_the_general_steps_hold_for_whole_numbers_put_in(name):
    generator = random.Random(0)
    for step in statement(name).prove(max_b=1).steps:
        if step.scope == EVERY_B and not isinstance(step.left, (Boolean, MatrixBase)):
            for _ in range(5):
                assert at_random(step.left - step.right, generator) == 0, step.claim


# ---------------------------------------------------------------- the prover can fail

WRONG = [
    ("inverse", {"coefficient": lambda B, i: sign**i * binomial(B, i)}, "x^{k+1}"),
    ("inverse", {"coefficient": lambda B, i: sign**i * binomial(B + 1, i)}, "x^{k+1}"),
    ("inverse", {"coefficient": lambda B, i: sign ** (i + 1) * binomial(B + 1, i + 1)}, "x^{k+1}"),
    ("inverse", {"coefficient": lambda B, i: binomial(B + 1, i + 1)}, "x^{k+1}"),
    ("geometric", {"coefficient": lambda B, i: sign**i * binomial(B + 1, i + 1) + i}, "x^{k+1}"),
    ("three layers", {"coefficients": (-3, -3, 1)}, "= I"),
    ("orthogonality", {"smallest": binomials.rho}, "no division by zero at its end"),
    ("orthogonality", {"certificate": lambda n, k: (k - binomials.rho) / (n - binomials.rho)}, "the certificate"),
    ("alternating", {"certificate": lambda n, k: -k / (n + 1)}, "the certificate"),
    ("alternating", {"total": 1}, "the boundary"),
    ("alternating, shifted", {"certificate": lambda B, k: -k / (B + 1)}, "the certificate"),
    ("alternating, shifted", {"total": 0}, "the boundary"),
    ("inversion", {"mate": lambda B, k: binomial(k, binomials.rho) * binomial(B + 1, k)}, "the certificate"),
    ("powers", {"block": lambda i, j, n: binomial(n + 1, i - j) * power_block(i, j, n)}, "(Pascal)"),
    ("powers", {"block": lambda i, j, n: power_block(i, j, 1)}, "n = 0 below it"),
    ("inverse blocks", {"block": lambda i, j: sign * inverse_block(i, j)}, "on the diagonal"),
    ("inverse blocks", {"block": lambda i, j: abs(1) * inverse_block(i, j) * sign ** (i - j)}, "below it"),
    ("weights", {"block": lambda i, j: -adjacency_block(i, j)}, "on the diagonal"),
    ("weights", {"block": lambda i, j: adjacency_block(i, j) * sign ** (i - j)}, "below it"),
]


@pytest.mark.parametrize(("name", "instead", "broken"), WRONG)
def test_a_wrong_formula_is_found_and_the_step_is_named(name, instead, broken):
    proof = statement(name).prove(max_b=3, **instead)
    assert not proof.holds
    assert broken in proof.broken.claim
    assert proof.broken.claim in proof.verdict


@pytest.mark.parametrize(("name", "instead", "broken"), [case for case in WRONG if case[0] != "three layers"])
def test_the_general_steps_and_the_instances_find_it_independently(name, instead, broken):
    steps = statement(name).prove(max_b=3, **instead).steps
    assert not all(step.holds for step in steps if step.scope == EVERY_B)
    if "certificate" not in instead and "mate" not in instead and "total" not in instead:  # those are of the proof alone
        assert not all(step.holds for step in steps if step.scope != EVERY_B)


def test_a_wrong_boundary_term_is_found_in_the_induction(monkeypatch):
    shifted = statement("inversion").prove(
        max_b=2,
        mate=lambda B, k: (
            binomials.rho
            + -(k - binomials.rho)
            / (B + 1 - binomials.rho)
            * sign ** (k - binomials.rho)
            * binomial(k, binomials.rho)
            * binomial(B + 1, k)
        ),
    )
    assert shifted.holds  # a constant cancels in the boundary ...
    growing = statement("inversion").prove(
        max_b=2,
        mate=lambda B, k: (
            k
            + -(k - binomials.rho)
            / (B + 1 - binomials.rho)
            * sign ** (k - binomials.rho)
            * binomial(k, binomials.rho)
            * binomial(B + 1, k)
        ),
    )
    assert not growing.holds  # ... and what grows does not
    assert [step.claim.split(":")[0] for step in growing.steps if not step.holds][:2] == [
        "the certificate",
        "the boundary, from B to B+1",
    ]


@pytest.mark.parametrize("changed", ["shift_block", "inverse_block", "weight_block", "adjacency_block", "chain"])
def test_a_change_to_any_formula_that_a_proof_uses_breaks_a_proof(monkeypatch, changed):
    class WrongChain:
        """The factors in the opposite order."""

        def __new__(cls, i, j):
            return S.One if i == j else identities_chain(i, j) + 1

        split_left = staticmethod(lambda i, j: identities_chain(i - 1, j) * phi(i - 1))
        split_right = staticmethod(lambda i, j: phi(j) * identities_chain(i, j + 1))

    identities_chain = inverses.chain
    wrong = {
        "shift_block": lambda i, j, n=1: 2 * phi(j),
        "inverse_block": lambda i, j: 2 * inverse_block(i, j),
        "weight_block": lambda i, j: weight_block(i, j) + L(i),
        "adjacency_block": lambda i, j: adjacency_block(i, j) + L(j),
        "chain": WrongChain,
    }
    for part in (binomials, inverses, transfer):
        if hasattr(part, changed):
            monkeypatch.setattr(part, changed, wrong[changed])
    assert not all(found.prove(max_b=2).holds for found in catalogue())


# ---------------------------------------------------------------- asking for it


@pytest.mark.parametrize("max_b", [0, -1, 2.5, 60])
def test_a_number_of_blocks_that_is_none_or_too_large_is_refused(max_b):
    with pytest.raises(ValueError, match=f"B = {max_b}"):
        statement("inverse").prove(max_b=max_b)


def test_a_statement_that_does_not_exist_is_refused_with_the_names_of_all():
    with pytest.raises(KeyError, match="no statement is called 'inverze'; there are pascal"):
        statement("inverze")


def test_the_table_lists_every_statement_and_the_file_every_step(tmp_path, capsys):
    assert main(["--max-b", "2", "--json", str(tmp_path / "proofs.json")]) == 0
    printed = capsys.readouterr().out
    for name in NAMES:
        assert name.split()[0] in printed
    assert EVERY_B in printed
    content = json.loads((tmp_path / "proofs.json").read_text(encoding="utf-8"))
    assert [proof["name"] for proof in content["statements"]] == NAMES
    assert all(proof["holds"] and proof["steps"] for proof in content["statements"] + content["misprints"])
    assert sorted(path.name for path in tmp_path.iterdir()) == ["proofs.json"]


def test_the_exit_status_is_1_when_a_statement_fails(monkeypatch, capsys):
    def wrong(max_b):
        """One is two (a test)."""
        yield check("1 - 2", S.One - 2)

    monkeypatch.setattr(identities, "CATALOGUE", (replace(statement("pascal"), steps=wrong),))
    assert main(["--max-b", "1"]) == 1
    assert "does not hold" in capsys.readouterr().out


@pytest.mark.parametrize(
    ("b", "words"), [("0", "B = 0; wanted"), ("-1", "B = -1; wanted"), ("2.5", "2.5"), ("60", "B = 60 would take about")]
)
def test_a_bad_number_of_blocks_on_the_command_line_is_told_in_words(b, words, capsys):
    with pytest.raises(SystemExit) as stopped:
        main(["--max-b", b])
    assert stopped.value.code == 2
    assert words in capsys.readouterr().err


def test_the_module_runs_as_a_command():
    command = [sys.executable, "-m", "spectral_lab.identities", "--max-b", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "inverse blocks" in done.stdout


PACKAGE = Path(spectral_lab.__file__).parent
SYMBOLIC = [PACKAGE / f"{name}.py" for name in ("blocks", "proofs", "identities")] + sorted(
    (PACKAGE / "misprints").glob("*.py")
)


@pytest.mark.parametrize("path", SYMBOLIC, ids=lambda path: path.stem)
def test_the_proofs_need_no_torch(path):
    nodes = list(ast.walk(ast.parse(path.read_text(encoding="utf-8"))))
    names = {alias.name.split(".")[0] for node in nodes if isinstance(node, ast.Import) for alias in node.names}
    names |= {node.module.split(".")[0] for node in nodes if isinstance(node, ast.ImportFrom)}
    assert not names & {"torch", "numpy"}
