"""The machinery of proofs: what holds, what does not, and that a broken step is named."""

import pytest
from sympy import Eq, Matrix, Ne, S, Symbol, binomial, eye, sqrt, symbols, zeros

from spectral_lab.blocks import phi
from spectral_lab.proofs import Proof, Statement, Step, check, reduced, shortened, telescoping, telescoping_in_both, typeset

k, n, r, s, m = symbols("k n r s m", integer=True, nonnegative=True)
x = Symbol("x")


def proof_of(steps):
    return Proof("a claim", tuple(steps), 0.0)


@pytest.mark.parametrize(
    "vanishing",
    [
        S.Zero,
        (x + 1) ** 2 - x**2 - 2 * x - 1,
        sqrt(8) - 2 * sqrt(2),
        binomial(k + 2, k + 1) - k - 2,
        (phi(1) + 1) ** 2 - phi(1) ** 2 - 2 * phi(1) - 1,
        (binomial(k + 1, 1) - k - 1) * phi(2) * phi(1),
        Matrix([[0, x - x], [phi(1) - phi(1), 0]]),
        Ne(k + 1, 0),
    ],
)
def test_what_vanishes_or_is_true_holds(vanishing):
    assert check("a claim", vanishing).holds
    assert not check("a claim", vanishing, differs=True).holds


@pytest.mark.parametrize(
    "other",
    [S.One, x, phi(1) * phi(2) - phi(2) * phi(1), Matrix([[0, x]]), Ne(k, 0), Eq(k, k + 1), (k + 1) * phi(1), eye(2)],
)
def test_what_does_not_vanish_or_is_undecided_does_not_hold(other):
    assert not check("a claim", other).holds
    assert check("a claim", other, differs=True).holds


def test_each_product_of_blocks_keeps_its_reduced_number():
    assert reduced((binomial(k + 1, k) - k) * phi(1) + phi(2) - phi(2)) == phi(1)


def test_a_proof_without_steps_does_not_hold():
    nothing = proof_of([])
    assert not nothing.holds
    assert nothing.broken is None
    assert nothing.scope == "nothing"
    assert nothing.verdict == "does not hold: nothing was checked"


def test_one_broken_step_breaks_a_proof_and_is_named():
    proof = proof_of([check("fine", 0), check("the sign", x), check("also broken", 1)])
    assert not proof.holds
    assert proof.broken.claim == "the sign"
    assert proof.verdict == "does not hold: the sign"
    assert "✗ the sign" in str(proof)
    assert "✓ fine" in str(proof)


def test_the_scope_is_what_the_steps_cover():
    assert proof_of([check("a", 0, scope="B = 1"), check("b", 0, scope="B = 2")]).scope == "B = 1, B = 2"
    assert proof_of([check("a", 0, scope="B = 1"), check("b", 0)]).scope == "every B"


def test_a_step_cannot_be_told_that_it_holds():
    with pytest.raises(TypeError):
        Step("a claim", x, S.Zero, x, holds=True)
    assert not Step("a claim", x, x, found=x).holds  # what counts is what SymPy found


def alternating(certificate=lambda k: -k / n, total=0, first=0, last=n, beyond=n):
    def term(k):
        return S.NegativeOne**k * binomial(n, k)

    return list(
        telescoping(
            term,
            lambda k: certificate(k) * term(k),
            index=k,
            first=first,
            last=last,
            total=total,
            inside={n: k + 1 + r},
            beyond={n: s + 1},
        )
    )


def test_a_sum_telescopes_with_the_right_certificate():
    assert proof_of(alternating()).holds


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"certificate": lambda k: k / n}, "the certificate"),
        ({"certificate": lambda k: -(k + 1) / n}, "the certificate"),
        ({"total": 1}, "the boundary"),
        ({"first": 1}, "the boundary"),
        ({"certificate": lambda k: -k / (n - n)}, "the certificate"),
        ({"certificate": lambda k: -k * (n - 1) / (n * (n - 1))}, None),
    ],
)
def test_a_wrong_certificate_or_boundary_is_named(change, broken):
    proof = proof_of(alternating(**change))
    assert proof.holds is (broken is None)
    if broken:
        assert proof.broken.claim.startswith(broken)


def test_a_certificate_that_divides_by_zero_is_found_out():
    # Σ_{k=ρ}^{n} with n = ρ allowed: the certificate has the denominator n - ρ, and SymPy alone would cancel it
    rho = Symbol("rho", integer=True, nonnegative=True)

    def term(k):
        return S.NegativeOne**k * binomial(k, rho) * binomial(n, k)

    steps = telescoping(
        term,
        lambda k: -(k - rho) / (n - rho) * term(k),
        index=k,
        first=rho,
        last=n,
        total=0,
        inside={n: k + 1 + r, k: rho + s},
        beyond={n: rho + m},
    )
    assert proof_of(steps).broken.claim == "no division by zero at its end"


def two_to_the_n(start=0, total=1, mate=lambda B, k: -binomial(B, k - 1) / S(2) ** (B + 1)):
    """Σ_k C(B, k) / 2^B = 1."""
    B = Symbol("B", integer=True, nonnegative=True)
    return proof_of(
        telescoping_in_both(
            lambda B, k: binomial(B, k) / S(2) ** B,
            mate,
            parameter=B,
            index=k,
            first=0,
            start=start,
            total=total,
            inside={B: k + r, k: s + 1},
            beyond={B: m},
        )
    )


def test_a_sum_is_constant_when_its_mate_telescopes():
    assert two_to_the_n().holds


@pytest.mark.parametrize(
    ("change", "broken"),
    [
        ({"total": 2}, "the first case"),
        ({"start": 1}, "the first case"),
        ({"mate": lambda B, k: binomial(B, k - 1) / S(2) ** (B + 1)}, "the certificate"),
        ({"mate": lambda B, k: -binomial(B, k - 1) / S(2) ** (B + 1) + 1}, None),  # G may be shifted by a constant
        ({"mate": lambda B, k: -binomial(B, k - 1) / S(2) ** (B + 1) + k}, "the certificate"),
    ],
)
def test_a_wrong_mate_or_first_case_is_named(change, broken):
    proof = two_to_the_n(**change)
    assert proof.holds is (broken is None)
    if broken:
        assert proof.broken.claim.startswith(broken)


def one(max_b):
    """One is one (a test)."""
    yield check("1 - 1", 0 * max_b)


def test_a_statement_says_in_plain_text_what_its_steps_prove():
    statement = Statement("one", "nowhere", "1 = 1", "An idea.", one)
    assert str(statement) == "one: One is one (a test)."
    assert "$$1 = 1$$" in statement._repr_markdown_()
    assert statement.prove().holds


@pytest.mark.parametrize("max_b", [0, -1, 2.5, 60])
def test_no_work_is_done_for_a_number_of_blocks_that_is_refused(max_b):
    def steps(max_b):
        raise AssertionError("work was done")
        yield

    with pytest.raises(ValueError, match="wanted"):
        Statement("never", "nowhere", "", "", steps).prove(max_b)


def test_long_expressions_are_shortened_and_zero_matrices_are_named():
    long = sum(Symbol(f"symbol_{number}") for number in range(100))
    assert len(shortened(long)) < 200
    assert shortened(zeros(3, 2)) == "0 (3 × 2)"
    assert typeset(zeros(3, 2)) == r"\mathbb{O}_{3 \times 2}"
    assert "entries" in typeset(Matrix(9, 9, lambda r, c: long))
    assert typeset(x) == "x"


def test_a_proof_can_be_written_as_json():
    import json

    proof = proof_of([check("fine", x - x), check("differs", phi(1), differs=True), check("true", Ne(k + 1, 0))])
    content = json.loads(json.dumps(proof.as_dict()))
    assert [step["wanted"] for step in content["steps"]] == ["zero", "not zero", "true"]
    assert content["holds"] is True


def test_a_step_shows_both_sides_and_what_their_difference_came_to():
    step = check("the square", (x + 1) ** 2, x**2 + 2 * x)
    assert step.latex == r"\left(x + 1\right)^{2} \;=\; x^{2} + 2 x, \quad \text{difference} \to 1"
    assert str(step) == "✗ the square\n    (x + 1)**2\n  - x**2 + 2*x\n    → 1"
    assert check("a relation", Ne(k + 1, 0, evaluate=False)).latex == r"k + 1 \neq 0 \;\to\; \text{True}"
