"""The pruning bench as a widget: a slider for the share of pruned neurons; graph, accuracy and curves follow at once.

All that the slider needs goes to the browser once: the order in which each ranking removes the neurons, and the accuracy for
every number of them (:mod:`spectral_lab.live.bench`).  So a drag never waits for the kernel.  What does need it, a real
pruned network, training it once more, another network, is asked for in questions, each answered with one picture; long work is
done in slices, one a question, so that other cells and a closed page find the kernel free.  The browser's half is
``pruningbench.js``, with the pictures in ``neurons.js`` and ``removal.js``.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from typing import Any

from torch import Tensor, nn

from spectral_lab.certificates import Certificate
from spectral_lab.live.assets import script, styles
from spectral_lab.live.bench import Bench, Retraining
from spectral_lab.live.benchrules import check_share
from spectral_lab.live.benchview import figure, scene
from spectral_lab.live.frames import Arrays, pack
from spectral_lab.live.picture import Picture
from spectral_lab.live.pulled import Pulled, check_moves
from spectral_lab.pruning import Pruned
from spectral_lab.rankings import Ranking

SETTINGS = ("hidden", "start", "gamma", "seed")  # of the network; a move of one trains another
ACTIONS = ("real", "retrain", "pretrain", "stop")
STEPS = 20  # of retraining in one slice


class PruningBench(Pulled):
    """The live bench: drag the share, choose the ranking, make it real, train what is left.

    >>> from spectral_lab.live import PruningBench
    >>> bench = PruningBench(hidden=(30,), epochs=5)
    >>> bench.share, bench.ranking = 0.8, "connectivity"
    >>> len(bench.kept[0]), bench.network[0].n_out
    (6, 6)

    As the last expression of a notebook cell it shows itself.

    Args:
        model, x, y, training, rankings, rules: as in :class:`~spectral_lab.live.bench.Bench`: nothing for a network that
            learns the digits, or a trained stack of one's own with data to test it.
        share: of the pruned neurons, to begin with.
        ranking: to begin with; None is the first.

    Attributes:
        bench: the network and its curves, of :class:`~spectral_lab.live.bench.Bench`.
    """

    _esm = script("canvas", "neurons", "rankings", "removal", "clock", "panel", "frames", "pruningbench")
    _css = styles("playground", "pruningbench")

    def __init__(
        self,
        model: nn.Module | None = None,
        x: Tensor | None = None,
        y: Tensor | None = None,
        *,
        training: tuple[Tensor, Tensor] | None = None,
        rankings: Sequence[str | Ranking] | None = None,
        share: float = 0.0,
        ranking: str | None = None,
        **rules: Any,
    ) -> None:
        self._rankings, self.build = rankings, 0
        self._share, self._ranking = check_share(share), ranking or ""
        self._show_bench(Bench(model, x, y, training=training, rankings=rankings, **rules))
        if ranking is not None:
            self._ranking = self.bench.check_ranking(ranking)
        super().__init__()

    def __repr__(self) -> str:
        sizes = "-".join(map(str, self.bench.sizes))
        return f"PruningBench({sizes}, share={self.share:g}, ranking={self.ranking!r})"

    def _show_bench(self, bench: Bench) -> None:
        self.bench = bench
        self.build += 1
        if self._ranking not in bench.ranked:
            self._ranking = next(iter(bench.ranked))
        self._tickets: Iterator[float] | None = None
        self.retrained: list[dict[str, Any]] = []  # what training once more brought, for each time
        self._forget()
        self._scene: tuple[dict[str, Any], Arrays] | None = None

    def _forget(self) -> None:
        """What was made real, and is perhaps being trained, belongs to another share, another ranking or another network."""
        self._pruned: Pruned | None = None
        self._shown: Certificate | None = None
        self._retraining: Retraining | None = None

    # -- what a hand or a script does --------------------------------------------------------------------------------

    @property
    def share(self) -> float:
        """Share of the hidden neurons that are pruned, in [0, 1]."""
        return self._share

    @share.setter
    def share(self, share: float) -> None:
        self.move(share=share)

    @property
    def ranking(self) -> str:
        """By what the neurons are pruned."""
        return self._ranking

    @ranking.setter
    def ranking(self, ranking: str) -> None:
        self.move(ranking=ranking)

    @property
    def accuracy(self) -> float:
        """Of what is left, before it is trained once more."""
        return self.bench.state(self.share, self.ranking).accuracy

    @property
    def kept(self) -> tuple[tuple[int, ...], ...]:
        """Which neurons of each hidden layer are left."""
        return self.bench.state(self.share, self.ranking).kept

    @property
    def certificate(self) -> Certificate:
        """What pruning at this share does to the network, in numbers."""
        return self._left().certificate

    @property
    def network(self) -> nn.Module:
        """A network of its own of what is left; the one that was trained once more, if that was done at this share."""
        with self._lock:
            return self._left().network if self._retraining is None else self._retraining.network

    def _left(self) -> Pruned:
        with self._lock:
            if self._pruned is None:
                self._pruned = self.bench.prune(self.share, self.ranking)
            return self._pruned

    def move(self, **moved: Any) -> None:
        """Change the share, the ranking, or the rules ``hidden``, ``start``, ``gamma``, ``seed``; these train another network.

        Raises:
            ValueError: a value outside its range; nothing has changed then.
        """
        with self._lock:
            check_moves(moved, ("share", "ranking", *SETTINGS))
            share = check_share(moved.get("share", self._share))
            rules = {name: moved[name] for name in SETTINGS if name in moved}
            bench = self._renewed(rules) if rules else self.bench
            ranking = bench.check_ranking(moved["ranking"]) if "ranking" in moved else self._ranking
            if (share, ranking) != (self._share, self._ranking):
                self._forget()
            self._share, self._ranking = share, ranking
            if bench is not self.bench:
                self._show_bench(bench)
        self._push()

    def _renewed(self, rules: dict[str, Any]) -> Bench:
        """Another network; whatever its rankings are by default, unless they were given."""
        if self.bench.own:
            raise ValueError("the model is your own; make another bench for another network: PruningBench(model, x, y)")
        if isinstance(rules.get("hidden"), list):
            rules["hidden"] = tuple(rules["hidden"])
        return Bench(rankings=self._rankings, **vars(replace(self.bench.rules, **rules)))

    def act(self, action: str) -> None:
        """Press a button: "real", "retrain", "pretrain" or "stop".

        The two long ones go on slice by slice as the browser asks; from a script call :meth:`retrain` or :meth:`pretrain`.

        Raises:
            ValueError: there is no such button, or it cannot be done with this network at this share.
        """
        if action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        with self._lock:
            self._tickets = None
            if action == "real":
                self._shown = self._left().certificate
            elif action == "retrain":
                self._begin_retraining()
            elif action == "pretrain":
                self._tickets = self.bench.pretrain()
                self._work()  # the first share: what cannot be done is said at once
        self._push()

    def _begin_retraining(self) -> None:
        self._shown = self._left().certificate
        self._retraining = self.bench.retraining(self.share, self.ranking)
        state = self._retraining.state
        point = {"share": state.share, "ranking": state.ranking, "before": state.accuracy, "after": state.accuracy}
        self.retrained = [one for one in self.retrained if (one["share"], one["ranking"]) != (state.share, state.ranking)]
        self.retrained.append(point)

    @property
    def at_work(self) -> str:
        """What is going on: "retrain", "pretrain", or nothing."""
        if self._tickets is not None:
            return "pretrain"
        return "retrain" if self._retraining is not None and not self._retraining.over else ""

    def _work(self) -> None:
        """One slice of what is going on."""
        if self._tickets is not None:
            if next(self._tickets, None) is None:
                self._tickets = None
        elif self._retraining is not None and not self._retraining.over:
            self.retrained[-1]["after"] = self._retraining.advance(STEPS)

    def retrain(self) -> float:
        """Train what is left once more, here and now, and say how accurate it is then."""
        self.act("retrain")
        return self._finish(self.retrained)[-1]["after"]

    def pretrain(self) -> dict[float, float]:
        """Accuracies of Pruning's protocol (i) at several shares, found here and now."""
        self.act("pretrain")
        return self._finish(self.bench.tickets)

    def _finish(self, found: Any) -> Any:
        with self._lock:
            while self.at_work:
                self._work()
        self._push()
        return found

    # -- talking with the browser --------------------------------------------------------------------------------------

    @property
    def playing(self) -> bool:  # type: ignore[override]
        """Whether the browser's questions go on with some work."""
        return bool(self.at_work)

    def _train(self) -> None:
        self._work()

    def _stop(self) -> None:
        self._tickets = self._retraining = None

    def picture(self, question: dict[str, Any]) -> tuple[dict[str, Any], Arrays]:
        """What the browser shows; with all that the slider needs, if it does not have that yet."""
        bench, rules = self.bench, self.bench.rules
        real = self._shown
        told: dict[str, Any] = {
            "kind": "picture",
            "client": question.get("client"),
            "number": question.get("number"),
            "build": self.build,
            "from": 0,
            "rows": [],
            "playing": bool(self.at_work),
            "share": self.share,
            "ranking": self.ranking,
            "real": None if real is None else {"rows": real.rows, "summary": real.summary, "exact": real.exact},
            "retrained": self.retrained,
            "tickets": sorted(bench.tickets.items()),
            "work": self.at_work,
            "values": {name: getattr(rules, name) for name in SETTINGS},
            "can": {"retrain": bench.training is not None, "pretrain": not bench.own, "renew": not bench.own},
            "message": self._message,
        }
        if question.get("shown") == self.build:
            return told, {}
        if self._scene is None:
            self._scene = scene(bench)
        told["scene"], arrays = self._scene
        return told, arrays

    def _show(self, question: dict[str, Any]) -> None:
        told, arrays = self.picture(question)
        told["contents"], buffer = pack(arrays)
        self.send(told, [buffer] if arrays else None)

    def _push(self) -> None:
        """Show a change that came from Python, if anybody looks; a page that lacks the scene asks for it."""
        if self._watched:
            with self._lock:
                self._show({"shown": self.build})

    # -- where there is no browser -------------------------------------------------------------------------------------

    def figure(self, *, width: float = 11.0, height: float = 4.2) -> Picture:
        """Neurons and curves at this share, as a static picture."""
        return figure(self.bench, self.share, self.ranking, width=width, height=height)
