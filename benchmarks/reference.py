"""Compute the curves of ‖Γ‖ against α (SPARCS Fig. 7) at the playground's defaults, which it draws behind the trail.

python benchmarks/reference.py    # some minutes; writes spectral_lab/live/reference.json
"""

from __future__ import annotations

import json
from pathlib import Path
from statistics import mean

import torch

from spectral_lab.files import write_atomically
from spectral_lab.live.instrument import Instrument

ALPHAS = {
    5.0: [0, 0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9, 1.0],
    1000.0: [0, 0.49, 0.498, 0.499, 0.4995, 0.5, 0.5005, 0.501, 0.502, 0.51, 1.0],
}
SEEDS, STEPS = range(3), 3000
OUT = Path(__file__).parent.parent / "spectral_lab" / "live" / "reference.json"


def norm(alpha: float, beta: float, seed: int) -> float:
    """‖Γ‖ of one network after training."""
    instrument = Instrument(alpha=alpha, beta=beta, seed=seed)
    instrument.run(STEPS)
    return instrument.history[-1].path_norm or 0.0


def main() -> None:
    """Train all networks and write the means over the seeds."""
    torch.set_num_threads(1)
    curves = {}
    for beta, alphas in ALPHAS.items():
        norms = [round(mean(norm(alpha, beta, seed) for seed in SEEDS), 5) for alpha in alphas]
        curves[f"β = {beta:g}"] = [alphas, norms]
        print(f"beta = {beta:g}:", dict(zip(alphas, norms, strict=True)), flush=True)
    about = f"‖Γ‖, mean over {len(SEEDS)} seeds, after {STEPS} steps at the playground's defaults"
    text = json.dumps({"about": about, "curves": curves}, ensure_ascii=False, indent=1)
    write_atomically(OUT, lambda path: Path(path).write_text(text + "\n", encoding="utf-8"))


if __name__ == "__main__":
    main()
