"""The images that a classifier takes for something else: each keeps its place on the board until it is read rightly."""

from __future__ import annotations

import base64
from dataclasses import dataclass

import torch
from torch import Tensor

PLACES = 24


@dataclass(frozen=True)
class Mistake:
    """One image on the board."""

    row: int  # of the validation images
    said: int
    true: int
    right: bool = False  # whether it is read rightly by now; then it leaves its place at the next look


class Mistakes:
    """A board with so many places.

    >>> board = Mistakes(places=2)
    >>> board.look(torch.tensor([0, 1, 1, 1]), torch.tensor([0, 0, 0, 0]))
    >>> [(m.row, m.said) for m in board.shown], board.count
    ([(1, 1), (2, 1)], 3)
    >>> board.look(torch.tensor([0, 0, 1, 1]), torch.tensor([0, 0, 0, 0]))
    >>> [(m.row, m.right) for m in board.shown]  # a mark, and its place goes to the next one at the next look
    [(1, True), (2, False)]

    Attributes:
        board: what stands at each place; None is a free one.
        count: all the images that are misread.
        version: grows with every change of what is shown.
    """

    def __init__(self, places: int = PLACES) -> None:
        self.board: list[Mistake | None] = [None] * places
        self.count, self.version = 0, 0

    @property
    def shown(self) -> list[Mistake]:
        """Those that stand on the board, place by place."""
        return [mistake for mistake in self.board if mistake is not None]

    def look(self, said: Tensor, y: Tensor) -> None:
        """See what is misread now.

        Args:
            said: class that each image is taken for (n,).
            y: its class (n,).
        """
        wrong = (said != y).nonzero().flatten().tolist()
        board = [self._again(mistake, said) for mistake in self.board]
        there = {mistake.row for mistake in board if mistake is not None}
        new = iter([row for row in wrong if row not in there])
        for place, mistake in enumerate(board):
            row = next(new, None) if mistake is None else None
            if row is not None:
                board[place] = Mistake(row, int(said[row]), int(y[row]))
        self.version += board != self.board
        self.board, self.count = board, len(wrong)

    @staticmethod
    def _again(mistake: Mistake | None, said: Tensor) -> Mistake | None:
        if mistake is None:
            return None
        now = int(said[mistake.row])
        if now != mistake.true:
            return Mistake(mistake.row, now, mistake.true)
        return None if mistake.right else Mistake(mistake.row, mistake.said, mistake.true, right=True)


def pixels(images: Tensor) -> Tensor:
    """Images (n, c, h, w) of any range as bytes (n, h, w, 1 or 3); the darkest number of all is 0, the lightest 255.

    Two channels, or more than four, have no colours: their mean is shown.  A fourth channel, opacity, is left out.
    """
    shown = images.detach().float()
    shown = shown[:, :3] if shown.shape[1] in (1, 3, 4) else shown.mean(1, keepdim=True)
    low, high = shown.amin(), shown.amax()
    return ((shown - low) / (high - low).clamp_min(1e-12) * 255).round().to(torch.uint8).permute(0, 2, 3, 1).contiguous()


def encoded(image: Tensor) -> str:
    """One image of :func:`pixels` as text for the browser."""
    return base64.b64encode(image.numpy().tobytes()).decode()
