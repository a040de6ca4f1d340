"""The live instruments, for a notebook or a script: ``Playground``, ``OneLayer``, ``RaceTrack``, ``PruningBench``."""

try:
    from spectral_lab.live.onelayer import OneLayer
    from spectral_lab.live.playground import Playground
    from spectral_lab.live.pruningbench import PruningBench
    from spectral_lab.live.race import Race
    from spectral_lab.live.racetrack import RaceTrack
except ModuleNotFoundError as error:  # torch is there, the notebook's packages are not
    raise ModuleNotFoundError(
        f"{error}. The playground needs the notebook packages: pip install 'spectral_lab[lab]'", name=error.name
    ) from error

__all__ = ["OneLayer", "Playground", "PruningBench", "Race", "RaceTrack"]
