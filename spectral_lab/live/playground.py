"""The playground: the instrument in a notebook, as one widget.

The browser is the clock.  As pictures arrive and are painted it asks for the next slices of training; the kernel trains
for about 30 ms a slice and answers with one picture each.  What the hand has moved goes at once, in one question at a
time.  So nothing queues up, and a closed or hidden view stops the work by itself.  The browser's half of this is
``playground.js``; every view is a pair of modules, ``graph.py`` and ``graph.js`` and so on.
"""

from __future__ import annotations

import logging
import time
import uuid
from types import ModuleType
from typing import Any, Self

import anywidget
import traitlets

from spectral_lab.live import controls, curves, fit, graph, hover, spectrum
from spectral_lab.live.assets import script, styles
from spectral_lab.live.cells import retire_former
from spectral_lab.live.frames import Arrays, pack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.settings import check
from spectral_lab.plotting import MIDDLE, NEGATIVE, POSITIVE

VIEWS: dict[str, ModuleType] = {
    "controls": controls,
    "graph": graph,
    "hover": hover,
    "spectrum": spectrum,
    "fit": fit,
    "curves": curves,
}
SCRIPTS = ("canvas", "run", *VIEWS, "timeline", "dialog", "frames", "playground")
SLICE = 0.03  # seconds of training a picture: about 25 pictures a second, and most of the time for training
MOST_SLICES = 4  # a question; the browser asks for fewer
SELDOM = {"fit": 3}  # while it trains these go only with every so many pictures, to keep them light
IDLE = 600.0  # seconds without a touch, after which training pauses: on a shared machine nobody may be watching
ACTIONS = ("train", "pause", "step", "reset", "undo", "redo", "seek", "preset", "real", "export")
log = logging.getLogger(__name__)


class Playground(Instrument, anywidget.AnyWidget):
    """The live instrument: drag α, β and ρ and watch the network grow hidden neurons and lose them.

    >>> from spectral_lab.live import Playground
    >>> p = Playground(alpha=0.8, beta=5, rho=1e-4, hidden=(30,), seed=0)
    >>> p.run(50).step  # trains here and now, without a browser
    50
    >>> p.alpha = 1.0  # settings are traits
    >>> copy = Playground.from_state(p.state)  # the same network, bit for bit

    As the last expression of a notebook cell it shows itself.  See
    :class:`spectral_lab.live.instrument.Instrument` for the arguments, ``run``, ``network``, ``history``, ``figure`` and
    ``state``, and :data:`spectral_lab.live.settings.SETTINGS` for every setting with its range.
    """

    _esm = script(*SCRIPTS)
    _css = styles("playground")
    _key = traitlets.Unicode().tag(sync=True)  # joins the views of one instrument in the browser

    @traitlets.default("_key")
    def _new_key(self) -> str:
        return uuid.uuid4().hex

    def __init__(
        self,
        alpha: float = 0.8,
        beta: float = 5.0,
        rho: float = 1e-4,
        hidden: tuple[int, ...] = (30,),
        seed: int = 0,
        **options: Any,
    ) -> None:
        self._watched = self._answering = False
        self._message = ""
        self._touched = time.monotonic()
        self._pictures = 0
        self._build_number = 0  # counts what the browser has to be told anew: networks, branches of the run, exercises
        super().__init__(alpha, beta, rho, hidden, seed, **options)
        self.on_msg(self._on_message)
        retire_former(self)

    def __repr__(self) -> str:
        return f"Playground(alpha={self.alpha:g}, beta={self.beta:g}, rho={self.rho:g}, hidden={self.hidden}, seed={self.seed})"

    def run(self, steps: int) -> Any:
        """Train for some steps, here and now, show the result, and return the last record; see :meth:`Instrument.run`."""
        record = super().run(steps)
        self._push()
        return record

    def close(self) -> None:
        """Stop, and take the widget out of every page."""
        self._watched = self.playing = False  # in this order: nothing more is sent
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which else would stay
        super().close()
        if hasattr(self, "_moments"):  # not if the constructor failed
            self.forget()  # the notebook's Out[…] may hold what a cell showed for as long as the kernel lives

    # -- talking with the browser ----------------------------------------------------------------------------------

    def _build(self) -> None:
        super()._build()
        self._build_number += 1

    def _apply(self, name: str, value: Any) -> None:
        super()._apply(name, value)
        if name == "section":  # the fit gets other axes and other data
            self._build_number += 1

    def _stand(self, moment: Any, run: Any = None) -> None:
        before = self.heading
        super()._stand(moment, run)
        if run is not None or before != self.heading:
            self._build_number += 1

    @traitlets.observe("title", "question")
    def _heading_changed(self, _: Any) -> None:
        if not self._quiet:
            self._build_number += 1
            self._push()

    def _after_change(self) -> None:
        if self._hand != "script":  # a move that comes by itself is no touch
            self._touched = time.monotonic()
        self._push()

    def _push(self) -> None:
        """Show a change that came from Python."""
        if not self._quiet and self._watched and not self._answering:
            with self._lock:
                self._send_picture({})

    def _on_message(self, _: Any, question: dict[str, Any], buffers: Any) -> None:
        """Answer a question of the browser with one picture, or one after each slice of training, whatever happens."""
        question = dict(question) if isinstance(question, dict) else {}
        self._watched = self._answering = True
        try:
            with self._lock:
                self._obey(question)
            slices = question.get("train")
            slices = min(slices, MOST_SLICES) if isinstance(slices, int) else 0
            for left in range(slices - 1, -1, -1):
                with self._lock:
                    self._rest_if_forgotten()
                    if not self.playing:
                        break
                    self.train_slice(SLICE)
                    if left and self.playing:
                        self._send_picture(question, done=False)
        except Exception as error:  # shown in words; the instrument goes on living
            self.playing = False
            self._message = str(error) or type(error).__name__
            if not isinstance(error, (ValueError, ArithmeticError)):
                log.exception("the playground could not do what the browser asked")
        finally:
            self._answering = False
        self._answer(question)

    def _answer(self, question: dict[str, Any]) -> None:
        try:
            with self._lock:
                self._send_picture(question)
        except Exception as error:  # not even the picture can be made: say so in plain words
            self.playing = False
            log.exception("the playground could not make its picture")
            words = f"The picture could not be made: {error or type(error).__name__}"
            self.send({"kind": "trouble", "words": words, **{k: question.get(k) for k in ("client", "number")}})

    def _rest_if_forgotten(self) -> None:
        if self.playing and time.monotonic() - self._touched > IDLE:
            self.playing = False
            self._message = (
                f"Paused after {IDLE / 60:.0f} minutes without a touch, to leave the machine to others. Press Train."
            )

    def _obey(self, question: dict[str, Any]) -> None:
        """Set what the hand moved, do what the button says, and look where it points."""
        moved, hands, action = question.get("set") or {}, question.get("hands") or [], question.get("action")
        self.look = _node(question.get("look"))
        if not (moved or hands or action):
            return
        self._message, self._touched = "", time.monotonic()
        checked = [(name, check(name, _tuple(value))) for name, value in [*moved.items(), *hands]]  # all, before any is moved
        for name, _ in checked:
            self._check_free(name)
        with self._as_hand((question.get("gesture"),) if question.get("gesture") is not None else None):
            for name, value in checked:
                self._move(name, value)
            if action is not None:
                self._act(*(action if isinstance(action, list) else [action]))

    def _check_free(self, name: str) -> None:
        if name in self.locked or name in self.hide:
            raise ValueError(f"{name} is locked in this exercise")

    def _act(self, name: str, value: Any = None) -> None:
        if name not in ACTIONS:
            raise ValueError(f"there is no action {name!r}; wanted one of {', '.join(ACTIONS)}")
        self._check_free(_PART.get(name, name))
        if name in ("train", "pause"):
            self.playing = name == "train"
        elif name == "step":
            self.playing = False
            super().run(1)
        elif name in ("reset", "undo", "redo"):
            getattr(self, name)()
        elif name == "seek":
            self.seek(value)
        elif name == "preset":
            self.playing = False
            self.show_preset(value)
        elif name == "export":
            self._send_file(value)
        else:
            self._send_comparison()

    def _send_file(self, kind: str) -> None:
        from spectral_lab.live.export import export

        def progress(done: int, total: int) -> None:
            self.send({"kind": "alive", "words": f"drawing picture {done + 1} of {total} of the animation"})

        name, mime, content = export(self, kind, progress)
        self.send({"kind": "file", "name": name, "mime": mime}, [content])

    def _send_comparison(self) -> None:
        self.playing = False
        made = self.compacted()
        head = {"kind": "real", "rows": made.rows(), "words": made.words(), "same": made.same}
        self.send(head, [made.figure().file("png", 90)])

    def _send_picture(self, question: dict[str, Any], *, done: bool = True) -> None:
        """Send what the views show now, and first what stays while a network trains, if the browser does not have it."""
        anew = question.get("build") != self._build_number
        if anew:
            self.send(*_packed("scene", [(name, view.scene(self)) for name, view in VIEWS.items()], build=self._build_number))
            question["build"] = self._build_number  # once for all the pictures that answer it
        sight = self.sight()
        head = {
            "build": self._build_number,
            "client": question.get("client"),
            "number": question.get("number"),
            "done": done,  # no more pictures will come for this question
            "playing": self.playing,
            "words": self.words(sight),
            "message": self._message,
        }
        self._pictures += 1
        full = anew or not self.playing or question.get("train") in (None, 0)
        shown = [name for name in VIEWS if full or self._pictures % SELDOM.get(name, 1) == 0]
        self.send(*_packed("frame", [(name, VIEWS[name].frame(self, sight)) for name in shown], **head))

    # -- where there is no browser ---------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and a static picture for closed and converted notebooks."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if data is not None:
            from spectral_lab.live.picture import png

            data["image/png"] = png(self)
        return data, metadata

    @classmethod
    def from_state(cls, state: str, **options: Any) -> Self:
        """Replay a scene to the same network, bit for bit; see :meth:`Instrument.from_state`."""
        return super().from_state(state, **options)


# The part of the page that an action belongs to, where it has another name.
_PART = {"redo": "undo", "pause": "train", "seek": "time", "preset": "presets"}


def _packed(
    kind: str, views: list[tuple[str, tuple[dict[str, Any], Arrays]]], **head: Any
) -> tuple[dict[str, Any], list[bytes]]:
    """A message of what the views show: their words as JSON, their numbers in one buffer."""
    arrays = {f"{name}.{key}": array for name, (_, own) in views for key, array in own.items()}
    contents, buffer = pack(arrays)
    colours = {"colours": {"positive": POSITIVE, "negative": NEGATIVE, "middle": MIDDLE}} if kind == "scene" else {}
    return {"kind": kind, "contents": contents, **{name: own for name, (own, _) in views}, **head, **colours}, [buffer]


def _tuple(value: Any) -> Any:
    return tuple(value) if isinstance(value, list) else value


def _node(value: Any) -> tuple[int, int] | None:
    """(layer, index) of the node that the browser says the hand points at; None if it says anything else."""
    if isinstance(value, list) and len(value) == 2 and all(type(v) is int and v >= 0 for v in value):
        return value[0], value[1]
    return None
