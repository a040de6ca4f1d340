"""A widget whose browser is the clock: it asks for a slice of training after each picture, and gets one picture a question.

So a hidden or closed page stops the work by itself, and the kernel answers other cells between two slices.  The browser's
half is ``clock.js``.  A question is ``{number, client, build, have, train, set, action}``: what a hand has moved, which button
was pressed, and whether to train.
"""

from __future__ import annotations

import base64
import logging
import threading
from collections.abc import Collection
from typing import Any

import anywidget

from spectral_lab.live.cells import retire_former
from spectral_lab.live.picture import Picture

log = logging.getLogger(__name__)


def check_moves(moved: Collection[str], known: Collection[str]) -> None:
    """Refuse a setting that a widget does not have.

    Raises:
        ValueError: naming the first one, and those that there are.
    """
    unknown = next((name for name in moved if name not in known), None)
    if unknown is not None:
        raise ValueError(f"there is no setting {unknown!r}; wanted some of {', '.join(known)}")


class Pulled(anywidget.AnyWidget):
    """What such widgets share; set up what is to be shown first, then call this constructor.

    Attributes:
        playing: whether the browser's questions train.
    """

    playing = False

    def __init__(self) -> None:
        self._lock = threading.RLock()  # questions may be answered in a second thread
        self._watched, self._message = False, ""
        super().__init__()
        self.on_msg(self._on_message)
        retire_former(self)

    # -- what each widget says for itself ------------------------------------------------------------------------------

    def move(self, **moved: Any) -> None:
        """Do what a control does."""
        raise NotImplementedError

    def act(self, action: str) -> None:
        """Do what a button does."""
        raise NotImplementedError

    def picture(self, question: dict[str, Any]) -> Any:
        """All that the browser shows."""
        raise NotImplementedError

    def figure(self) -> Picture:
        """A static picture."""
        raise NotImplementedError

    def _train(self) -> None:
        raise NotImplementedError

    # -- talking with the browser --------------------------------------------------------------------------------------

    def _on_message(self, _: Any, question: Any, buffers: Any) -> None:
        """Answer a question of the browser with one picture, whatever happens."""
        question = question if isinstance(question, dict) else {}
        self._watched = True
        with self._lock:
            try:
                self._obey(question)
            except Exception as error:  # shown in words; the instrument goes on living
                self._stop()
                self._message = str(error) or type(error).__name__
                if not isinstance(error, ValueError | ArithmeticError):
                    log.exception("%s could not do what the browser asked", type(self).__name__)
            self._show(question)

    def _obey(self, question: dict[str, Any]) -> None:
        moved, action = question.get("set"), question.get("action")
        if moved or action:
            self._message = ""
        self._watched, watched = False, self._watched  # the answer is the picture; no other one before it
        try:
            if moved:
                self.move(**moved)
            if action:
                self.act(action)
        finally:
            self._watched = watched
        if question.get("train") and self.playing:
            self._train()

    def _stop(self) -> None:
        self.playing = False

    def _show(self, question: dict[str, Any]) -> None:
        self.send(self.picture(question))

    def _alive(self, words: str) -> None:
        """Tell the browser what takes its time, so that it does not take the kernel for dead."""
        self.send({"kind": "alive", "words": words})

    def _push(self) -> None:
        """Show a change that came from Python."""
        if self._watched:
            self._show({})

    def close(self) -> None:
        """Stop, and take the widget out of every page."""
        self._watched = False
        self._stop()
        if self.comm is not None:
            self.layout.close()  # a widget of its own, which else would stay
        super().close()

    # -- where there is no browser -------------------------------------------------------------------------------------

    def _repr_mimebundle_(self, **kwargs: Any) -> Any:
        """The widget, and a static picture for closed and converted notebooks."""
        bundle = super()._repr_mimebundle_(**kwargs)
        data, metadata = bundle if isinstance(bundle, tuple) else (bundle, {})
        if data is not None:
            data["image/png"] = base64.b64encode(self.figure().file("png")).decode()
        return data, metadata
