r"""The mathematics of spectral networks, proved: Φ_B, its inverse, the weights, and the binomial identities behind them.

Every statement that the course uses stands here with its proof, most of them for *every* number of blocks B and every size of
the blocks.  A proof is a list of steps (:mod:`spectral_lab.proofs`); each step is an expression that SymPy reduces to zero
at run time.  How the steps make the proof is said in words, in the statement's ``idea``, and this is all that has to be
believed.  Besides, everything is multiplied out for B = 1 … 8, a route that shares nothing with the general one.

Steps stand in :mod:`~spectral_lab.binomials`, :mod:`~spectral_lab.inverses` and :mod:`~spectral_lab.transfer`, listed here.
The matrices are those of :mod:`spectral_lab.blocks`: their entries are symbols that do not commute and stand for blocks.

>>> from spectral_lab.blocks import inverse_coefficient
>>> inverse = statement("inverse")
>>> print(inverse)
inverse: Φ_B^{-1} = Σ_{i=0}^{B} (-1)^i C(B+1, i+1) Φ_B^i (SPARCS 4.1, A.1), on both sides.
>>> inverse.prove(max_b=3).verdict
'holds (every B)'
>>> inverse.prove(max_b=3, coefficient=lambda B, i: inverse_coefficient(B - 1, i)).verdict  # the binomials of B - 1
'does not hold: both sides at x^{k+1}, 0 ≤ k ≤ B'

``python -m spectral_lab.identities`` prints the table of all statements.  Where the papers print something else than what
is proved here, :func:`misprints` has the printed formula, the right one, and a counter-example.
"""

from __future__ import annotations

import argparse
import json
import sys
from collections.abc import Sequence
from pathlib import Path

from rich.box import SIMPLE
from rich.console import Console
from rich.markup import escape
from rich.progress import track
from rich.table import Table

from spectral_lab.binomials import alternating, alternating_shifted, geometric, inversion, orthogonality, pascal
from spectral_lab.blocks import check_b
from spectral_lab.files import write_atomically
from spectral_lab.inverses import inverse, inverse_blocks, nilpotency, power_blocks
from spectral_lab.misprints import misprints
from spectral_lab.proofs import Proof, Statement
from spectral_lab.transfer import (
    eigenvectors,
    from_neighbour,
    homeostasis,
    one_layer,
    parameters,
    perceptron,
    recurrence,
    three_layers,
    weights,
)

# ---------------------------------------------------------------- the catalogue

TELESCOPE = (
    "Each term is a difference G(k+1) - G(k) (Gosper's certificate), so that the sum telescopes; the boundary terms "
    "decide its value."
)
BLOCKS = "Multiplying by Φ_B leaves two terms of the sum over layers, "

CATALOGUE = (
    Statement(
        "pascal",
        "SPARCS B.8",
        r"\binom{n}{k} = \binom{n-1}{k-1} + \binom{n-1}{k}",
        "Both sides written with factorials, inside the triangle and at its edge.",
        pascal,
    ),
    Statement("alternating", "SPARCS D.2", r"\sum_{k=0}^{n} (-1)^k \binom{n}{k} = 0 \quad (n \ge 1)", TELESCOPE, alternating),
    Statement(
        "alternating, shifted",
        "SPARCS B.13, D.1",
        r"\sum_{k=0}^{B} (-1)^k \binom{B+1}{k+1} = 1",
        TELESCOPE,
        alternating_shifted,
    ),
    Statement(
        "orthogonality",
        "SPARCS B.23",
        r"\sum_{k=\rho}^{n} (-1)^k \binom{k}{\rho} \binom{n}{k} = 0 \quad (n > \rho)",
        TELESCOPE,
        orthogonality,
    ),
    Statement(
        "inversion",
        "SPARCS B.16, B.17",
        r"\sum_{k=\rho}^{B} (-1)^k \binom{k}{\rho} \binom{B+1}{k+1} = (-1)^\rho \quad (0 \le \rho \le B)",
        "Induction on B from B = ρ: the change from B to B+1 telescopes (a pair of Wilf and Zeilberger), and with "
        "its boundary terms it is zero.",
        inversion,
    ),
    Statement(
        "geometric",
        "behind SPARCS A.2",
        r"1 - (1-x)^{B+1} = x \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} x^i",
        "The coefficients of (1-x)^n by induction on n; then both sides are compared power by power.",
        geometric,
    ),
    Statement(
        "nilpotency",
        "SPARCS A.2 to A.5",
        r"(\Phi_B - \mathbb{I})^{B+1} = 0",
        "Φ_B - I moves a signal by one layer, its n-th power by n layers, and no two of B+1 layers are "
        "B+1 apart. Once more as in the paper, by induction on B.",
        nilpotency,
    ),
    Statement(
        "inverse",
        "SPARCS 4.1, A.1",
        r"\Phi_B^{-1} = \sum_{i=0}^{B} (-1)^i \binom{B+1}{i+1} \Phi_B^i",
        "Put x = Φ_B into the geometric identity: I - (I - Φ_B)^{B+1} = Φ_B Σ …, and the power on the left vanishes.",
        inverse,
    ),
    Statement(
        "powers",
        "SPARCS B.2, B.3",
        r"T_{ij}^{(B,n)} = \binom{n}{i-j}\, \varphi_{i-1} \cdots \varphi_j \quad (j \le i)",
        BLOCKS + "so the blocks of Φ_B^n obey Pascal's rule; induction on n.",
        power_blocks,
    ),
    Statement(
        "inverse blocks",
        "SPARCS 4.2, B.11",
        r"S_{ij} = (-1)^{i-j}\, \varphi_{i-1} \cdots \varphi_j \quad (j \le i)",
        BLOCKS + "and with the claimed blocks they cancel below the diagonal, from the left and from the right.",
        inverse_blocks,
    ),
    Statement(
        "weights",
        "SPARCS 4.3, C.3, C.6",
        r"\mathcal{W}_{ij} = (-1)^{i-1-j} [\varphi_{i-1} L_{i-1} - L_i \varphi_{i-1}]\, \varphi_{i-2} \cdots \varphi_j"
        r" \quad (j < i)",
        BLOCKS + "L_i S_{ij} + φ_{i-1} L_{i-1} S_{i-1,j} (C.2), with S from 4.2.",
        weights,
    ),
    Statement(
        "eigenvectors",
        "SPARCS Section 3",
        r"A_B \Phi_B = \Phi_B \Lambda_B",
        BLOCKS + "A_{ij} + A_{i,j+1}φ_j; no inverse is needed.",
        eigenvectors,
    ),
    Statement(
        "from the neighbour",
        "from SPARCS 4.3",
        r"\mathcal{W}_{ij} = -\mathcal{W}_{i,j+1}\, \varphi_j \quad (i - j \ge 2)",
        "Split the first block off the chain.",
        from_neighbour,
    ),
    Statement(
        "recurrence",
        "from SPARCS 4.5",
        r"u_{i+1} = a_i - \varphi_{i-1} u_i, \quad \varphi_{i-1} L_{i-1} u_i - L_i \varphi_{i-1} u_i"
        r" = \sum_{j<i} \mathcal{W}_{ij} a_j",
        "By induction u_{i+1} = Σ_{j ≤ i} S_{ij} a_j, whatever the signals a_j are: so an activation may stand "
        "between any two layers.",
        recurrence,
    ),
    Statement(
        "perceptron",
        "SPARCS Section 4",
        r"L_1 = \dots = L_B = 0,\; L_{B+1} = \mathbb{I}: \quad \mathcal{W}_{ij} = 0 \;(i \le B), \quad"
        r" \mathcal{W}_{B+1,j} = S_{B+1,j}",
        "Put the eigenvalues into 4.3.",
        perceptron,
    ),
    Statement(
        "three layers",
        "SPARCS 3.1 to 3.3",
        r"\mathcal{W}_{31} = (L_3 \varphi_2 - \varphi_2 L_2)\, \varphi_1, \quad"
        r" \Phi_2^{-1} = \Phi_2^2 - 3\Phi_2 + 3\mathbb{I}",
        "Multiplied out; the paper prints the last sign otherwise.",
        three_layers,
    ),
    Statement(
        "one layer",
        "PRE Eq. 2, Pruning Eq. 2",
        r"w_{ij} = (\lambda_j - \lambda_i)\, \varphi_{ij}",
        "The lower block of ΦΛ(2I - Φ), then entry by entry for any numbers of nodes.",
        one_layer,
    ),
    Statement(
        "homeostasis",
        "PRE Eq. 3, Pruning Eq. 3",
        r"\sum_j w_{ij} x_j = \sum_j \lambda_j \varphi_{ij} x_j - \lambda_i \sum_j \varphi_{ij} x_j",
        "Induction on the number of nodes that send.",
        homeostasis,
    ),
    Statement(
        "parameters",
        "PRE Section III",
        r"\sum_{k=1}^{\ell-1} (N_k + N_{k+1}) = N_1 + N_\ell + 2 \sum_{k=2}^{\ell-1} N_k",
        "Induction on the number of layers.",
        parameters,
    ),
)


def catalogue() -> list[Statement]:
    """All statements, in the order in which they build on each other."""
    return list(CATALOGUE)


def statement(name: str) -> Statement:
    """The statement of that name.

    Raises:
        KeyError: there is none; the names are listed.
    """
    for found in CATALOGUE:
        if found.name == name:
            return found
    raise KeyError(f"no statement is called {name!r}; there are {', '.join(found.name for found in CATALOGUE)}")


# ---------------------------------------------------------------- python -m spectral_lab.identities


def main(argv: Sequence[str] | None = None) -> int:
    """Prove all statements and show all misprints; exit status 0 if everything holds, 1 if not, 2 for bad options."""
    parser = argparse.ArgumentParser(
        prog="python -m spectral_lab.identities", description="Prove the mathematics, step by step."
    )
    parser.add_argument("--max-b", type=int, default=8, metavar="N", help="also multiply out B = 1 ... N (default 8)")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write every step to a file")
    options = parser.parse_args(argv)
    try:
        check_b(options.max_b)
    except ValueError as error:
        parser.error(str(error))
    console = Console()
    proofs = [found.prove(options.max_b) for found in track(CATALOGUE, "proving", console=console, transient=True)]
    shown = [misprint.evaluate() for misprint in track(misprints(), "misprints", console=console, transient=True)]
    console.print(table(proofs, shown))
    if options.json:
        content = {"statements": [proof.as_dict() for proof in proofs], "misprints": [proof.as_dict() for proof in shown]}
        text = json.dumps(content, indent=1, ensure_ascii=False)
        write_atomically(options.json, lambda path: Path(path).write_text(text, encoding="utf-8"))
    return 0 if all(proof.holds for proof in [*proofs, *shown]) else 1


def table(proofs: Sequence[Proof], shown: Sequence[Proof]) -> Table:
    """One line a statement, and one for all misprints (or for each that could not be shown)."""
    lines = Table("statement", "scope", "verdict", "seconds", "source", box=SIMPLE)
    for found, proof in zip(CATALOGUE, proofs, strict=True):
        verdict = "[green]holds[/]" if proof.holds else f"[red]{escape(proof.verdict)}[/]"
        lines.add_row(found.name, proof.scope, verdict, f"{proof.seconds:.2f}", found.source)
    lines.add_section()
    for proof in shown:
        if not proof.holds:
            lines.add_row("misprint", proof.scope, f"[red]{escape(proof.verdict)}[/]", f"{proof.seconds:.2f}", proof.name)
    right, seconds = sum(proof.holds for proof in shown), sum(proof.seconds for proof in shown)
    lines.add_row("misprints", "examples", f"{right} of {len(shown)} shown", f"{seconds:.2f}", "all five papers")
    return lines


if __name__ == "__main__":
    sys.exit(main())
