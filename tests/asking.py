"""What plays the browser's part in the tests: questions to a widget, and a check of a playground's answers."""

import json

import torch

from spectral_lab.live.playground import Playground

OWN = (torch.rand(20, 3, generator=torch.Generator().manual_seed(0)), torch.arange(20.0))


class Watched:
    """In front of a widget whose browser is the clock: keeps what it sends, and asks as the browser does."""

    def __init__(self, *arguments, **options):
        self.sent, self.buffers = [], []
        super().__init__(*arguments, **options)

    def send(self, content, buffers=None):
        self.sent.append(json.loads(json.dumps(content, allow_nan=False)))  # as the wire does it
        self.buffers.append(buffers)

    def ask(self, **question):
        """Ask, and return the answer."""
        self._on_message(self, question, [])
        return self.sent[-1]


def watched(**options):
    """A playground whose messages are kept in ``sent`` instead of going to a browser."""
    p = Playground(**({"hidden": (3,), "speed": 1} | options))
    p.sent = []
    p.send = lambda content, buffers=None: p.sent.append((content, buffers))
    return p


def ask(p, **question):
    """Ask and return the answer: the one frame, after checking that it is one and says so."""
    p.sent.clear()
    question = {"number": 1, "client": "c", "build": p._build_number, "train": 0} | question
    known = question["build"]
    p._on_message(p, question, [])
    kinds = [content["kind"] for content, _ in p.sent if content["kind"] not in ("file", "real", "alive")]
    assert kinds == (["frame"] if known == p._build_number else ["scene", "frame"])
    frame = p.sent[-1][0]
    assert frame["done"] is True
    assert (frame["number"], frame["client"]) == (question["number"], question["client"])
    assert frame["build"] == p._build_number
    assert frame["playing"] == p.playing
    for content, _ in p.sent:
        json.dumps(content, allow_nan=False)
    return frame


def bits(p):
    return {name: value.clone() for name, value in p.network.state_dict().items()}
