r"""The proofs and the misprints as widgets: choose one, read what it says, fold out how it is shown.

Every verdict is that of SymPy a moment ago (:mod:`spectral_lab.proofs`); nothing is stored.  The functions
:func:`proved` and :func:`compared` make what is shown from a choice, and the widgets put it on the page.

>>> browser = ProofBrowser("inverse", max_b=3)
>>> browser.proof.verdict
'holds (every B)'
"""

from __future__ import annotations

import re
from collections import Counter
from html import escape
from typing import Any, NamedTuple

from ipywidgets import HTML, Dropdown, HTMLMath, IntText, Layout, Select, VBox
from sympy.logic.boolalg import Boolean

from spectral_lab.identities import catalogue, statement
from spectral_lab.live.explorer import alarm, beside, page
from spectral_lab.misprints import Misprint, misprints
from spectral_lab.proofs import EVERY_B, Proof, Step

EVERYWHERE = "all papers"


class Fold(NamedTuple):
    """Something to be folded out: a title, and HTML or more folds."""

    title: str  # in plain text
    content: str | list[Fold]


def prose(text: str) -> str:
    """Words as HTML, with indices and powers where they belong.

    >>> prose("Φ_B^{-1}, n < B, W_{ij} and W_ij")
    'Φ<sub>B</sub><sup>-1</sup>, n &lt; B, W<sub>ij</sub> and W<sub>ij</sub>'
    """
    text = escape(text)
    for sign, tag in (("_", "sub"), (r"\^", "sup")):
        text = re.sub(sign + r"(?:\{([^{}]*)\}|(\w+))", rf"<{tag}>\1\2</{tag}>", text)
    return text


def step(found: Step) -> Fold:
    """A step of a proof: its claim, and what SymPy made of what."""
    if not found.holds:
        words = "This step does not hold."
    elif isinstance(found.left, Boolean):
        words = "SymPy finds it true."
    else:
        words = "SymPy finds a difference." if found.differs else "SymPy reduces it to zero."
    return Fold(f"{found.mark} {found.claim}", f'<div class="sl-formula">$${escape(found.latex)}$$</div><i>{words}</i>')


def steps(proof: Proof) -> list[Fold]:
    """The steps of a proof: those for every B one by one, then all that was multiplied out besides in one fold."""
    general = [step(found) for found in proof.steps if found.scope == EVERY_B]
    checked = [found for found in proof.steps if found.scope != EVERY_B]
    folds = [Fold(f"{step(found).title}   ({found.scope})", step(found).content) for found in checked]
    if not general or len(checked) < 2:
        return [*general, *folds]
    mark = "✓" if all(found.holds for found in checked) else "✗"
    return [*general, Fold(f"{mark} besides, multiplied out: {len(checked)} times", folds)]


class Proved(NamedTuple):
    """A proof as it is shown."""

    head: str  # HTML: the statement, where it is printed, the idea, the verdict
    folds: list[Fold]
    proof: Proof | None  # none if there was something wrong with the question


def proved(name: str, max_b: Any = 8) -> Proved:
    """Prove a statement now; a name that nothing has, or a ``max_b`` that is no whole number, is answered in words."""
    try:
        chosen = statement(name)
        proof = chosen.prove(max_b)
    except (KeyError, ValueError) as error:
        return Proved(alarm(error), [], None)
    count = f"{len(proof.steps)} step{'s' if len(proof.steps) > 1 else ''}"
    head = (
        f'<div class="sl-formula">$${escape(chosen.latex)}$$</div>'
        f'<div class="sl-words"><b>{escape(chosen.source)}.</b> {prose(chosen.idea)}</div>'
        f'<div class="sl-words"><b>{"✓" if proof.holds else "✗"} {prose(proof.verdict)}</b>'
        f" &ensp; {count} in {proof.seconds:.2f} s</div>"
    )
    return Proved(page(head), steps(proof), proof)


def compared(entry: Misprint) -> tuple[str, list[Fold]]:
    """A misprint as it is shown: printed and corrected side by side with the remark, and the counter-example to fold out."""
    proof = entry.evaluate()
    sides = [("✗ printed", entry.printed), ("✓ corrected", entry.corrected)]
    pair = "".join(f'<div><h4>{title}</h4><div class="sl-formula">$${escape(text)}$$</div></div>' for title, text in sides)
    head = f'<div class="sl-words"><b>{escape(entry.name)}</b> ({entry.kind}). {prose(entry.remark)}</div>'
    folds = [step(found) for found in proof.steps]
    return page(f'<div class="sl-pair">{pair}</div>{head}'), folds


def papers() -> list[str]:
    """The short names of the papers with a misprint, in the order of the list, after one for all of them."""
    return [EVERYWHERE, *dict.fromkeys(entry.paper for entry in misprints())]


def entries(paper: str) -> list[Misprint]:
    """The misprints of one paper, or of all."""
    return misprints() if paper == EVERYWHERE else misprints().of(paper)


def folded(folds: list[Fold]) -> str:
    """Folds as HTML, all closed; each can be reached and opened by keyboard."""
    return "".join(
        f"<details><summary>{prose(fold.title)}</summary>"
        f'<div class="sl-inside">{fold.content if isinstance(fold.content, str) else folded(fold.content)}</div></details>'
        for fold in folds
    )


class ProofBrowser(VBox):
    """Choose a statement, read it, and fold out the steps of its proof.

    Args:
        name: the statement to begin with, one of :func:`spectral_lab.identities.catalogue`.
        max_b: besides the proof for every B, multiply out B = 1 … max_b.

    Raises:
        KeyError: no statement has that name; the names are listed.
    """

    def __init__(self, name: str = "nilpotency", max_b: int = 4) -> None:
        names = [found.name for found in catalogue()]
        self.statement = Dropdown(
            options=names, value=statement(name).name, description="statement", layout=Layout(width="320px")
        )
        self.max_b = IntText(
            max_b, description="and B up to", style={"description_width": "initial"}, layout=Layout(width="190px")
        )
        self.head, self.folds = HTMLMath(), HTMLMath()
        self.proof: Proof | None = None
        super().__init__([beside(self.statement, self.max_b), self.head, self.folds])
        self.add_class("sl-course")
        self._show()
        self.statement.observe(self._show, "value")
        self.max_b.observe(self._show, "value")

    def _show(self, change: Any = None) -> None:
        self.show(self.statement.value, self.max_b.value)

    def show(self, name: str, max_b: Any = 8) -> None:
        """Prove a statement and show it; what is wrong with a name or with ``max_b`` is shown in words."""
        self.head.value, folds, self.proof = proved(name, max_b)
        self.folds.value = page(folded(folds))


class MisprintBrowser(VBox):
    """All misprints of the papers: printed beside corrected, and the counter-example to fold out."""

    def __init__(self) -> None:
        self.paper = Dropdown(options=papers(), description="paper", layout=Layout(width="320px"))
        self.place = Select(description="place", rows=8, layout=Layout(width="420px"))
        self.count, self.head, self.folds = HTML(), HTMLMath(), HTMLMath()
        detail = VBox([self.head, self.folds], layout=Layout(flex="1 1 420px", min_width="0"))
        super().__init__([beside(VBox([self.paper, self.place, self.count]), detail, align="flex-start")])
        self.add_class("sl-course")
        self._list()
        self.paper.observe(self._list, "value")
        self.place.observe(self._show, "index")

    def _list(self, change: Any = None) -> None:
        found = entries(self.paper.value)
        self.place.options = [(entry.name, number) for number, entry in enumerate(found)]
        self.place.index = 0
        kinds = Counter(entry.kind for entry in found)
        self.count.value = page(", ".join(f"{number} × {kind}" for kind, number in kinds.most_common()))
        self._show()

    def _show(self, change: Any = None) -> None:
        number = self.place.index
        if number is None:  # for a moment, while the list changes
            return
        self.head.value, folds = compared(entries(self.paper.value)[number])
        self.folds.value = page(folded(folds))
