"""The playground: the instrument in a notebook, as one widget.

The browser is the clock.  As pictures arrive and are painted it asks for the next slices of training; the kernel trains
for about 30 ms a slice and answers with one picture each.  What the hand has moved goes at once, in one question at a
time.  So nothing queues up, and a closed or hidden view stops the work by itself.  The browser's half of this is
``playground.js``; every view is a pair of modules, ``graph.py`` and ``graph.js`` and so on.
"""

from __future__ import annotations

import logging
import uuid
from pathlib import Path
from types import ModuleType
from typing import Any, Self

import anywidget
import traitlets

from spectral_lab.live import controls, curves, fit, graph, spectrum
from spectral_lab.live.frames import Arrays, pack
from spectral_lab.live.instrument import Instrument
from spectral_lab.live.settings import check
from spectral_lab.plotting import MIDDLE, NEGATIVE, POSITIVE

HERE = Path(__file__).parent
VIEWS: dict[str, ModuleType] = {"controls": controls, "graph": graph, "spectrum": spectrum, "fit": fit, "curves": curves}
SLICE = 0.03  # seconds of training a picture: about 25 pictures a second, and most of the time for training
MOST_SLICES = 4  # a question; the browser asks for fewer
ACTIONS = ("train", "pause", "step", "reset")
log = logging.getLogger(__name__)

# The instrument that each notebook cell shows, so that running the cell again retires the one before.
_shown: dict[str, tuple[int, list[Playground]]] = {}


def _script() -> str:
    """All JavaScript as one ES module: the views first, then the clock that drives them.  No build step, nothing fetched."""
    parts = [(HERE / f"{name}.js").read_text(encoding="utf-8") for name in ["canvas", *VIEWS, "playground"]]
    return "\n".join(part.replace("\nexport function", "\nfunction").removeprefix("export ") for part in parts)


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

    _esm = _script()
    _css = (HERE / "playground.css").read_text(encoding="utf-8")
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
        **settings: Any,
    ) -> None:
        self._watched = self._answering = False
        self._message = ""
        self._build = 0  # counts the networks built; tells the browser that nodes and links changed
        super().__init__(alpha, beta, rho, hidden, seed, **settings)
        self.on_msg(self._on_message)
        _retire_former(self)

    def __repr__(self) -> str:
        return f"Playground(alpha={self.alpha:g}, beta={self.beta:g}, rho={self.rho:g}, hidden={self.hidden}, seed={self.seed})"

    def reset(self) -> None:
        """Build the network anew from its seed, with the settings of now, and forget the run so far."""
        with self._lock:
            super().reset()
            self._build += 1
            self._push()

    def run(self, steps: int) -> Any:
        """Train for some steps, here and now, show the result, and return the last record; see :meth:`Instrument.run`."""
        record = super().run(steps)
        self._push()
        return record

    def close(self) -> None:
        """Stop, and take the widget out of every page."""
        self._watched = self.playing = False  # in this order: nothing more is sent
        super().close()

    # -- talking with the browser ----------------------------------------------------------------------------------

    def _after_change(self) -> None:
        self._push()

    def _push(self) -> None:
        """Show a change that came from Python."""
        if self._built and self._watched and not self._answering:
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
        with self._lock:
            self._send_picture(question)

    def _obey(self, question: dict[str, Any]) -> None:
        """Set what the hand moved and do what the button says."""
        moved, action = question.get("set") or {}, question.get("action")
        if moved or action:
            self._message = ""
        checked = {}
        for name, value in moved.items():  # all are looked at before any is moved
            if name not in controls.SENT:
                raise ValueError(f"there is no control {name!r}")
            checked[name] = check(name, tuple(value) if isinstance(value, list) else value)
        for name, value in checked.items():
            setattr(self, name, value)
        if action is not None and action not in ACTIONS:
            raise ValueError(f"there is no action {action!r}; wanted one of {', '.join(ACTIONS)}")
        if action == "reset":
            self.reset()
        elif action is not None:
            self.playing = action == "train"
        if action == "step":
            super().run(1)

    def _send_picture(self, question: dict[str, Any], *, done: bool = True) -> None:
        """Send what the views show now, and first what stays while a network trains, if the browser does not have it."""
        if question.get("build") != self._build:
            self.send(*self._picture("scene", [(name, view.scene(self)) for name, view in VIEWS.items()], build=self._build))
            question["build"] = self._build  # once for all the pictures that answer it
        moment = self.moment()
        head = {
            "build": self._build,
            "client": question.get("client"),
            "number": question.get("number"),
            "done": done,  # no more pictures will come for this question
            "playing": self.playing,
            "words": self.words(moment),
            "message": self._message,
        }
        self.send(*self._picture("frame", [(name, view.frame(self, moment)) for name, view in VIEWS.items()], **head))

    @staticmethod
    def _picture(
        kind: str, views: list[tuple[str, tuple[dict[str, Any], Arrays]]], **head: Any
    ) -> tuple[dict[str, Any], list[bytes]]:
        arrays = {f"{name}.{key}": array for name, (_, own) in views for key, array in own.items()}
        contents, buffer = pack(arrays)
        colours = {"colours": {"positive": POSITIVE, "negative": NEGATIVE, "middle": MIDDLE}} if kind == "scene" else {}
        return {"kind": kind, "contents": contents, **{name: own for name, (own, _) in views}, **head, **colours}, [buffer]

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


def _retire_former(new: Playground) -> None:
    """Close what the same notebook cell showed before it was run again; two in one cell, or in two, stay side by side."""
    try:
        shell = get_ipython()  # type: ignore[name-defined]  # IPython puts it there
        cell = shell.get_parent()["metadata"].get("cellId")
    except (NameError, AttributeError, KeyError):
        return  # a script, or a front end that does not name its cells
    if cell is None:
        return
    run, instruments = _shown.get(cell, (shell.execution_count, []))
    if run != shell.execution_count:
        for old in instruments:
            old.close()
        instruments = []
    _shown[cell] = (shell.execution_count, [*instruments, new])
