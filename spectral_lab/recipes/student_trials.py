"""One trial of the recipes on students and teachers: train one student one way, and ask which nodes it uses.

Teacher and data are fixed, as in *Student* Section 3; the seed of a trial decides where the student starts and in which order
it sees the data.  Both kinds of students are trained alike, so that nothing but the parametrisation and its regulariser
tells them apart; the paper takes batches of 300 (spectral) and 500 (direct), and prints neither learning rate nor any α.
"""

from __future__ import annotations

import time
from typing import Any

import torch
from torch import Tensor, nn

from spectral_lab.recipes.recipe import Outcome, Trial
from spectral_lab.stacks import read_stack
from spectral_lab.tasks import Split
from spectral_lab.teachers import committee, core, delta_mse, regulariser, relevance, students, teacher
from spectral_lab.topology import path_distribution, path_tensor
from spectral_lab.training import train

KINDS = ("spectral", "direct")
TRAINING = {"batch_size": 300, "lr": 5e-3}
# α of every term of Student Eqs. 7 and 8.  The teacher's least node is worth 0.02 of mean squared error: at 2e-3 every student
# gave it up (19 nodes), at 5e-4 one of four kept a node too many.  After 600 epochs; two seeds each, h = 40 and 200.
ALPHA = 1e-3
RECORD_EVERY = 500  # steps; the losses between two records are kept in memory
QUANTILES = 101  # numbers that stand for a distribution of paths
OTHERS = 5  # teachers of the same size, to see how far apart the paths of two of them are


def trial(kind: str, h: int, seed: int, **options: Any) -> Trial:
    """Everything one training depends on.

    Args:
        kind: "spectral" or "direct".
        h: nodes of the first hidden layer.
        seed: of the start and of the order of the batches.
        options: ``sizes``, ``teacher_seed`` and ``n`` (rows) of the teacher, or what stands for them; ``epochs``,
            ``batch_size``, ``lr``, and ``alpha``.
    """
    return {"kind": kind, "h": h, "seed": seed, **options}


def run(trial: Trial, device: str = "cpu") -> Outcome:
    """Train one student on what a committee says; compare its paths (Student Eq. 11) and its nodes with the teacher's."""
    sizes, seed = trial["sizes"], trial["teacher_seed"]
    lesson = teacher(sizes, n=trial["n"], seed=seed)
    student = getattr(students(trial["h"], sizes, seed=trial["seed"]), trial["kind"])
    outcome = study(student, lesson.data, trial, device)
    theirs = path_distribution(lesson.network, last=2)
    others = [path_distribution(other_teacher(sizes, seed + k), last=2) for k in range(1, OTHERS + 1)]
    student = student.cpu()
    outcome |= paths(student, theirs, sizes[1], trial["kind"]) | {"others": distances(others, theirs)}
    return outcome | {"cosines": digits(cosines(student, lesson.network, sizes[1]))}


def study(student: nn.Sequential, data: Split, trial: Trial, device: str) -> Outcome:
    """Train a student in place with Student Eq. 7 or 8, and say what its first hidden layer came to."""
    student.to(device)
    x, y, x_test, y_test = (part.to(device) for part in data)
    start, alpha = time.perf_counter(), trial["alpha"]
    spectral = {"alpha_phi": alpha, "alpha_lambda": alpha} if trial["kind"] == "spectral" else {}
    omega = regulariser(student, alpha_w=alpha, **spectral)
    steps = trial["epochs"] * -(-len(x) // trial["batch_size"])
    options: dict[str, Any] = {name: trial[name] for name in TRAINING} | {"seed": trial["seed"], "record_every": RECORD_EVERY}
    for _ in train(student, x, y, steps=steps, rho=1.0, penalty=omega, penalised=omega.names, **options):
        pass  # each record looks for NaN
    seconds = time.perf_counter() - start
    with torch.no_grad():
        scores, error = relevance(student), nn.functional.mse_loss(student(x_test), y_test)
    found = core(scores)
    return {
        "mse": digits(error),
        "variance": digits(y_test.var(0, correction=0).mean()),  # the error of a constant
        "core": found.size,
        "clear": found.clear and found.size < len(scores),  # a gap, and nodes on both sides of it
        "gap": digits(found.gap),
        "relevance": digits(scores),
        "delta_mse": digits(delta_mse(student, x_test, y_test)),
        "seconds": round(seconds, 2),
    }


# ---------------------------------------------------------------- paths


def other_teacher(sizes: list[int], seed: int) -> nn.Sequential:
    """A teacher of the same size that has nothing to do with ours."""
    return committee(sizes, generator=torch.Generator().manual_seed(1_000_000 + seed))


@torch.no_grad()
def paths(student: nn.Sequential, theirs: Tensor, n: int, kind: str) -> Outcome:
    """How far the student's paths are from the teacher's: all of them, and those through its n most relevant nodes.

    The quantiles for the picture are those of the paper: the spectral student pruned, the direct one whole.
    """
    Gamma = path_tensor(student, last=2)  # (N_2, h, N_0)
    nodes = relevance(student).topk(min(n, Gamma.shape[1])).indices
    found = {"whole": Gamma.flatten().sort().values, "pruned": Gamma[:, nodes].flatten().sort().values}
    shown = found["pruned" if kind == "spectral" else "whole"]
    return {"distance": {name: distances([values], theirs) for name, values in found.items()}, "paths": quantiles(shown)}


@torch.no_grad()
def cosines(student: nn.Sequential, network: nn.Sequential, n: int) -> Tensor:
    """For each node of the teacher's first hidden layer the cosine with the nearest of the student's n most relevant, sorted.

    The weights into two nodes with cosine 1 are the same but for a factor: the student has found this node.
    """
    ours, theirs = (nn.functional.normalize(read_stack(one).layers[0].weight, dim=1) for one in (student, network))
    return (theirs @ ours[relevance(student).topk(min(n, len(ours))).indices].T).amax(1).sort().values


def quantiles(values: Tensor) -> list[float]:
    """Evenly spaced quantiles, from the least value to the largest."""
    made: list[float] = digits(values.quantile(torch.linspace(0, 1, QUANTILES, dtype=values.dtype)))
    return made


def distances(many: list[Tensor], theirs: Tensor) -> Outcome:
    """Mean distances of distributions to the teacher's, all sorted, by two measures.

    "wasserstein" is the area between the two curves of Student Fig. 4, as a share of the mean |Γ| of the teacher: 1 for a
    network all of whose paths are 0.  "kolmogorov" is the largest difference of the two distribution functions.
    """
    measured = []
    for values in many:
        ends = torch.cat([values, theirs]).sort().values
        below = [torch.searchsorted(sample, ends, right=True) / len(sample) for sample in (values, theirs)]
        apart = (below[0] - below[1]).abs()
        measured.append(((apart[:-1] * ends.diff()).sum() / theirs.abs().mean(), apart.max()))
    wasserstein, kolmogorov = (torch.stack(column).mean() for column in zip(*measured, strict=True))
    return {"wasserstein": digits(wasserstein), "kolmogorov": digits(kolmogorov)}


def digits(values: Tensor | float, n: int = 5) -> Any:
    """Numbers for a file: n significant digits, as a float or nested lists of floats."""
    if isinstance(values, Tensor) and values.dim():
        return [digits(value, n) for value in values]
    return float(f"{float(values):.{n}g}")
