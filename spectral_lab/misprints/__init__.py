r"""What is printed otherwise in the five papers than it can be meant, each with a counter-example that SymPy evaluates.

A list like this is made of respect: the papers' results stand, and where one is touched the entry says so.  Each entry has
the formula as printed and as corrected, and a few numbers or symbols for which the first fails and the second holds:

>>> from spectral_lab.misprints import misprints
>>> entry = misprints()["SPARCS, Section 3"]
>>> print(entry)
SPARCS, Section 3: The last sign. 4.1 is right and gives + for B = 2. Untouched: 3.1 to 3.3.
>>> entry.evaluate().verdict
'holds (counter-example)'

Short names: *SPARCS* is Peri et al., *PRE* Chicchi et al. (Phys. Rev. E 104, 054312), *Pruning* Buffoni et al.
(Sci. Rep. 12), *Poster* and *Student* Giambagli et al.  The entries stand in one module a family of papers:
:mod:`~spectral_lab.misprints.sparcs`, :mod:`~spectral_lab.misprints.pre_and_pruning`,
:mod:`~spectral_lab.misprints.poster_and_student`; what an entry is, in :mod:`~spectral_lab.misprints.entry`.
"""

from spectral_lab.misprints.entry import Misprint, Misprints, fails, holds
from spectral_lab.misprints.poster_and_student import POSTER, STUDENT
from spectral_lab.misprints.pre_and_pruning import PRE, PRUNING
from spectral_lab.misprints.sparcs import SPARCS

__all__ = ["Misprint", "Misprints", "fails", "holds", "misprints"]


def misprints() -> Misprints:
    """All entries, paper by paper, in the order of their places; a list that shows itself as a table in a notebook."""
    return Misprints([*SPARCS, *PRE, *PRUNING, *POSTER, *STUDENT])
