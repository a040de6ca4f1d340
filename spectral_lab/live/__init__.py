"""The live instruments of the course, to be shown in a notebook or run from a script."""

try:
    from spectral_lab.live.classroom import Classroom
    from spectral_lab.live.filterbench import FilterBench
    from spectral_lab.live.headrun import HeadRun
    from spectral_lab.live.imagehead import ImageHead
    from spectral_lab.live.lesson import Lesson
    from spectral_lab.live.onelayer import OneLayer
    from spectral_lab.live.playground import Playground
    from spectral_lab.live.pruningbench import PruningBench
    from spectral_lab.live.race import Race
    from spectral_lab.live.racetrack import RaceTrack
except ModuleNotFoundError as error:  # torch is there, the notebook's packages are not
    raise ModuleNotFoundError(
        f"{error}. The playground needs the notebook packages: pip install 'spectral_lab[lab]'", name=error.name
    ) from error

__all__ = [
    "Classroom",
    "FilterBench",
    "HeadRun",
    "ImageHead",
    "Lesson",
    "OneLayer",
    "Playground",
    "PruningBench",
    "Race",
    "RaceTrack",
]
