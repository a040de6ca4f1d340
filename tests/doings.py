"""What a hand can do to an instrument, drawn at random: settings, neurons, drags, presets, training, undo, redo, seek."""

import torch
from hypothesis import strategies as st

from spectral_lab import TrainingDiverged
from spectral_lab.live.presets import Preset, sweep
from spectral_lab.live.settings import SETTINGS, check
from spectral_lab.networks import ACTIVATIONS
from spectral_lab.penalties import PENALTIES

# Values of every setting, from networks so small that a hundred runs take seconds.
VALUES = {
    "task": st.sampled_from(["bowl", "product", "saddle", "ring"]),
    "alpha": st.floats(0, 1),
    "beta": st.floats(0.1, 1000),
    "rho": st.floats(0, 10),
    "noise": st.floats(0, 1),
    "validation": st.floats(0, 0.9),
    "hidden": st.lists(st.integers(1, 4), min_size=1, max_size=3).map(tuple),
    "seed": st.integers(0, 2**63 - 1),
    "penalty": st.sampled_from(sorted(PENALTIES)),
    "train_input_eigenvalues": st.booleans(),
    "activation": st.sampled_from(sorted(ACTIVATIONS)),
    "lr": st.floats(1e-5, 0.1) | st.just(1e3),
    "batch_size": st.integers(1, 2000),
    "threshold": st.floats(0, 3),
    "section": st.sampled_from([(0, 1), (1, 0)]),
    "speed": st.integers(1, 30),
}

# Presets as those of the package, but short.
PRESETS = {
    "at once": Preset("At once", "What?", {"alpha": 0.0, "hidden": (3,)}, moves=sweep("alpha", 5, 20, [0.2, 0.5, 0.5, 1.0])),
    "trained": Preset("Trained", "Why?", {"hidden": (2, 2), "rho": 1.0}, 7, [(9, "rho", 0.1), (9, "switch", (1, 0, False))]),
}

settings_ = st.sampled_from(sorted(VALUES)).flatmap(lambda name: st.tuples(st.just("set"), st.just(name), VALUES[name]))
free = st.sampled_from([n for n in sorted(VALUES) if not SETTINGS[n].restarts]).flatmap(
    lambda name: st.tuples(st.just("set"), st.just(name), VALUES[name])
)
lambdas = st.floats(-3, 3) | st.sampled_from([0.0, 1e6, -1e6])
moves = (
    settings_
    | free
    | st.tuples(st.just("eigenvalue"), st.integers(0, 11), lambdas)
    | st.tuples(st.just("switch"), st.integers(0, 11), st.none() | st.booleans())
    | st.tuples(st.just("drag"), st.sampled_from(["alpha", "rho", "lr"]), st.lists(st.floats(0.01, 1), min_size=1, max_size=3))
    | st.tuples(st.just("pull"), st.integers(0, 11), st.lists(lambdas, min_size=1, max_size=3))
    | st.tuples(st.just("preset"), st.sampled_from(sorted(PRESETS)))
    | st.tuples(st.just("reset"))
)
training = st.tuples(st.just("run"), st.integers(1, 25)) | st.tuples(st.just("slice"))
seeks = st.tuples(st.just("seek"), st.floats(0, 1.2))
rewinds = st.tuples(st.just("undo")) | st.tuples(st.just("redo"))
starts = st.fixed_dictionaries(
    {"hidden": VALUES["hidden"], "seed": st.integers(0, 9)},
    optional={name: VALUES[name] for name in ("alpha", "rho", "task", "activation", "validation", "train_input_eigenvalues")},
)


def neuron(instrument, k):
    """The k-th hidden neuron, counted around: (hidden layer, index)."""
    places = [(layer, n) for layer, width in enumerate(instrument.hidden) for n in range(width)]
    return places[k % len(places)]


def do(instrument, doing, gesture=None):
    """Do it; True unless it was refused, had no effect, or the run diverged."""
    kind, *how = doing
    try:
        if kind == "set":
            name, value = how
            if check(name, value) == getattr(instrument, name):
                return False
            setattr(instrument, name, value)
        elif kind == "eigenvalue":
            instrument.set_eigenvalue(*neuron(instrument, how[0]), how[1])
        elif kind == "switch":
            instrument.switch(*neuron(instrument, how[0]), how[1])
        elif kind == "drag":
            with instrument._as_hand(gesture):
                took = [do(instrument, ("set", how[0], value)) for value in how[1]]
                return any(took)
        elif kind == "pull":
            with instrument._as_hand(gesture):
                took = [do(instrument, ("eigenvalue", how[0], value)) for value in how[1]]
                return any(took)
        elif kind == "run":
            instrument.run(how[0])
        elif kind == "slice":
            instrument.train_slice(60.0 if instrument.speed else 0.0)
        elif kind == "seek":
            before = instrument.step
            instrument.seek(round(how[0] * instrument.last_step))
            return instrument.step != before
        elif kind == "preset":
            instrument.show_preset(how[0])
        else:
            getattr(instrument, kind)()
    except (ValueError, TrainingDiverged):
        return False
    return True


def bits(instrument):
    return {name: value.clone() for name, value in instrument.network.state_dict().items()}


def same_bits(first, second):
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)
