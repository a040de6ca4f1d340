"""What the pruning bench shows, at any share: the scene for the browser, and the static picture for all else."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise
from typing import Any

import numpy as np

from spectral_lab import plotting
from spectral_lab.live import neurons
from spectral_lab.live.bench import LABELS, Bench
from spectral_lab.live.benchrules import STARTS
from spectral_lab.live.frames import Arrays, quantised
from spectral_lab.live.picture import Picture
from spectral_lab.unfolding import unfold

COLOURS = {"eigenvalue": plotting.NEGATIVE, "connectivity": plotting.POSITIVE, "activation": "#9147b8", "random": plotting.INK}
OTHERS = ("#2a9d5c", "#b3261e", "#0d7f8c", "#7a5c00", plotting.NEGATIVE, "#9147b8")  # of other rankings, in their order
PRETRAINED = "#2a9d5c"  # green, as in Pruning's figures


def colours(names: Sequence[str]) -> dict[str, str]:
    """A colour for each ranking, the same in every picture."""
    free = iter([colour for colour in OTHERS if colour not in [COLOURS.get(name) for name in names]])
    return {name: COLOURS[name] if name in COLOURS else next(free) for name in names}


def scene(bench: Bench) -> tuple[dict[str, Any], Arrays]:
    """All that the browser needs to draw any share by any ranking by itself: places, links, orders, accuracies, answers."""
    first = np.concatenate([[0], np.cumsum(bench.sizes[1:-1])]).tolist()
    chosen, unfolded, tints = neurons.examples(bench.y), unfold(bench.model), colours(list(bench.ranked))
    image, arrays, rankings = neurons.image_shape(bench.x), {}, []
    for name, ranked in bench.ranked.items():
        curve = ranked.curve
        assert curve.accuracy is not None  # y holds classes
        score = [float(value) for values in ranked.scores for value in values]
        nodes = _nodes_left(bench.sizes, curve.order)
        about = {"name": name, "label": ranked.label, "colour": tints[name], "score": score}
        about |= {"order": [first[k] + n for k, n in curve.order], "accuracy": curve.accuracy.tolist()}
        about |= {"nodes": nodes, "weights": [sum(a * b for a, b in pairwise(left)) for left in nodes]}
        rankings.append(about)
        said = neurons.answers(unfolded, curve.order, bench.x[chosen])
        arrays[f"answers.{name}"] = (said * 127).round().cpu().numpy().astype(np.int8)
    if image is not None:
        arrays["looks"], _ = quantised(neurons.looks_for(bench.model).cpu().numpy(), np.int8)
        arrays["images"], _ = quantised(bench.x[chosen].flatten(1).cpu().numpy(), np.int8)
    described = {
        "sizes": list(bench.sizes),
        "image": image,
        "places": neurons.places(bench.sizes),
        "outputs": neurons.outputs(bench.sizes[-1]),
        "spacing": neurons.spacing(bench.sizes),
        "aspect": neurons.ASPECT,
        "links": neurons.links(bench.model),
        "bundles": neurons.bundles(bench.model),
        "eigenvalues": _eigenvalues(bench),
        "rankings": rankings,
        "band": [values.tolist() for values in bench.band],
        "examples": [int(bench.y[row]) for row in chosen],
        "colours": {"positive": plotting.POSITIVE, "negative": plotting.NEGATIVE, "pretrained": PRETRAINED},
        "starts": list(STARTS.items()),
        "unseen": len(bench.x),
    }
    return described, arrays


def _nodes_left(sizes: Sequence[int], order: Sequence[tuple[int, int]]) -> list[list[int]]:
    """Nodes of all layers with 0, 1, … of the hidden neurons."""
    found = [[sizes[0], *[0] * (len(sizes) - 2), sizes[-1]]]
    for k, _ in order:
        found.append(list(found[-1]))
        found[-1][k + 1] += 1
    return found


def _eigenvalues(bench: Bench) -> list[float] | None:
    """λ of every hidden neuron, where there are such."""
    layers = list(bench.model)
    found = [lam for layer in layers if (lam := getattr(layer, "eigenvalues_out", None)) is not None][: len(bench.sizes) - 2]
    return [value for lam in found for value in lam.tolist()] if len(found) == len(bench.sizes) - 2 else None


def figure(bench: Bench, share: float, ranking: str, *, width: float, height: float) -> Picture:
    """Neurons on the left, curves on the right."""
    tints = colours(list(bench.ranked))
    state, ranked = bench.state(share, ranking), bench.ranked[ranking]
    made = Picture(figsize=(width, height), layout="constrained")
    left, right = made.subplots(1, 2, width_ratios=(1, 1.15))
    kept = [n in nodes for size, nodes in zip(bench.sizes[1:-1], state.kept, strict=True) for n in range(size)]
    score = [float(value) for values in ranked.scores for value in values]
    places = neurons.places(bench.sizes) + neurons.outputs(bench.sizes[-1])
    links = [(a, b, w) for a, b, w in neurons.links(bench.model) if kept[a] and (b >= bench.pool or kept[b])]
    plotting.plot_neurons(places, score, kept, links, left, colour=tints[ranking])
    sizes = "-".join(map(str, state.nodes))
    left.set_title(f"{sizes}: {sum(kept)} of {bench.pool} neurons left, {state.weights:,} weights", fontsize="medium")
    lines = {
        one.label: (one.curve.removed.tolist(), one.curve.accuracy.tolist(), tints[name])  # type: ignore[union-attr]
        for name, one in bench.ranked.items()
    }
    lowest, highest = (values.tolist() for values in bench.band)
    plotting.plot_removal(lines, right, chosen=LABELS.get(ranking, ranking), share=state.share, band=(lowest, highest))
    if bench.tickets:
        found = sorted(bench.tickets.items())
        right.plot(*zip(*found, strict=True), color=PRETRAINED, marker="s", ms=5, lw=1.4, label="pre-training")
    right.set_title(f"accuracy {state.accuracy:.3f}", fontsize="medium")
    right.legend(frameon=False, fontsize="small", loc="lower left")
    return made
