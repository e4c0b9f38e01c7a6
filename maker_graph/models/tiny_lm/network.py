"""The tiny transformer in numpy, in arithmetic that is exact: the same tokens give the same logits, bit for bit.

A sum of floats depends on the order in which it is made, and that on the batch, the library and the machine. So nothing is
summed here but whole numbers in floats, of which no sum can be rounded: each activation is rounded to a grid before it is
multiplied, weights lie on a grid, and all sums stay below 2^24, up to which a float32 holds every whole number
(`Network.headroom` proves it for the weights at hand). Exponentials are looked up in a table of whole numbers. What is left,
products and quotients of single numbers, rounds alike everywhere (IEEE 754). Hence a reply cannot depend on what else is in
the batch, and batches need no padding to fixed shapes.
"""

import math
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from maker_graph.models.tiny_lm.tokenizer import PAD, WINDOW

Floats = NDArray[np.float32]
Doubles = NDArray[np.float64]
Ints = NDArray[np.int64]

LONGEST = 72
"""A reply has at most so many tokens, its end included; one for 20 disks has 53."""

GUESSED = 4
"""So many tokens are read at once, at most, on the guess that they come next."""

ROOM = WINDOW + LONGEST + GUESSED
"""So many tokens have room in the memory."""

_WEIGHT = 1024  # steps of each grid in 1: weights,
_NORMED = 256  # activations after a norm, and mixtures of values,
_HIDDEN = 64  # the hidden layer,
_TURNED = 128  # queries, keys and values,
_SCORE = 64  # differences of scores,
_SHARE = 4096  # shares of attention,
_SQUARE = 4096.0  # and what is squared for a norm, in float64
_MOST = 1 << 24
_BLOCK = 16  # rows are multiplied so many at a time: too few for a BLAS to start threads, which would spin between the products
_CLIP = 6.0  # of the hidden layer (ReLU6)

_EXP = np.array([round(_SHARE * math.exp(-i / _SCORE)) for i in range(10 * _SCORE)] + [0], np.float32)


@dataclass(slots=True)
class Memory:
    """Keys and values of the tokens so far, (layers, rows, heads, room, width of a head); a row is a reply in the making."""

    keys: Floats
    values: Floats

    def take(self, row: int, other: "Memory", other_row: int) -> None:
        """Copy a row of another memory into `row`, as far as that one has room."""
        room = other.keys.shape[3]
        self.keys[:, row, :, :room] = other.keys[:, other_row]
        self.values[:, row, :, :room] = other.values[:, other_row]


@dataclass(frozen=True, slots=True)
class Network:
    """The weights, each a whole number of `_WEIGHT`-ths, and the tables made of them.

    Attributes:
        embed: (3, words, width): for the token of a position, and for the two before it.
        attend: (layers, width, 3 width): to queries, keys and values.
        merge: (layers, width, width): from what was attended to.
        widen: (layers, width, hidden).
        narrow: (layers, hidden, width).
        unembed: (width, words).
        heads: how many parts attention has.
        cosine: (room, width of a head / 2): of the angle by which a position is turned.
        sine: the same.
    """

    embed: Floats
    attend: Floats
    merge: Floats
    widen: Floats
    narrow: Floats
    unembed: Floats
    heads: int
    cosine: Floats
    sine: Floats

    def memory(self, rows: int, room: int = ROOM) -> Memory:
        """Return an empty memory."""
        layers, width, _ = self.attend.shape
        shape = (layers, rows, self.heads, room, width // self.heads)
        return Memory(np.zeros(shape, np.float32), np.zeros(shape, np.float32))

    def read(self, prompts: list[list[int]]) -> tuple[Floats, Memory]:
        """Return the logits of the token after each prompt, (prompts, words), and the memory of them."""
        lengths = np.array([len(prompt) for prompt in prompts])
        tokens = np.full((len(prompts), 2 + int(lengths.max())), PAD)
        for row, prompt in enumerate(prompts):
            tokens[row, 2 : 2 + len(prompt)] = prompt
        memory = self.memory(len(prompts), tokens.shape[1] - 2)
        x = self._forward(tokens, np.zeros(len(prompts), np.int64), memory, len(prompts))
        return self._logits(x[np.arange(len(prompts)), lengths - 1]), memory

    def follow(self, tokens: Ints, at: Ints, memory: Memory) -> Floats:
        """Return the logits of the token after each of `tokens` but the first two, (rows, places, words).

        The memory learns of these tokens. If some were guessed wrong it does not matter: nobody sees what stands after his own
        place, and the right ones take theirs.

        Args:
            tokens: (rows, 2 + places): for each of the first rows of `memory` its newest tokens, after the two before them.
            at: (rows,): the place of the first of the newest, from 0.
            memory: of all tokens before.
        """
        return self._logits(self._forward(tokens, at, memory, len(tokens)))

    def headroom(self) -> float:
        """Return how far the largest sum that is possible stays below the least that float32 might round: above 1 is safe.

        By Cauchy-Schwarz where a norm bounds the activations, and with all hidden units at their clip where that does; queries
        and keys grow no longer by turning.
        """
        width = self.embed.shape[-1]
        length = np.sqrt(width) * _NORMED + np.sqrt(width) / 2  # of a normed vector, rounded
        column = [np.linalg.norm(w, axis=-2).max() for w in (self.attend, self.widen, self.unembed)]
        from_hidden = np.clip(self.narrow, 0, None).sum(1).max(), -np.clip(self.narrow, None, 0).sum(1).min()
        heads = self.attend.reshape(len(self.attend), width, 3, self.heads, -1)
        strength = np.linalg.norm(heads.transpose(0, 2, 3, 1, 4), ord=2, axis=(-2, -1))  # the largest singular values
        longest = strength / _WEIGHT * np.sqrt(width) * _TURNED + np.sqrt(width // self.heads)
        value = longest[:, 2].max()
        shares = _SHARE + ROOM / 2
        mixture = np.sqrt((longest[:, 2] ** 2).sum(-1)) / _TURNED * _NORMED * shares / _SHARE + np.sqrt(width)
        sums = [
            length * max(column),
            _CLIP * _HIDDEN * max(from_hidden),
            (longest[:, 0] * longest[:, 1]).max(),
            value * shares,
            (mixture * np.linalg.norm(self.merge, axis=-2).max(-1)).max(),
        ]
        return float(_MOST / max(sums))

    def _forward(self, tokens: Ints, at: Ints, memory: Memory, rows: int) -> Floats:
        """Return what is known at each place, (rows, places, width), of `tokens` but the first two; they stand from `at` on."""
        count = tokens.shape[1] - 2
        place = at[:, None] + np.arange(count)
        known = int(place.max()) + 1
        unseen = np.arange(known) > place[:, None, :, None]
        turn = self.cosine[place][:, None], self.sine[place][:, None]
        row = np.arange(rows)[:, None]
        x: Floats = self.embed[0][tokens[:, 2:]] + self.embed[1][tokens[:, 1:-1]] + self.embed[2][tokens[:, :-2]]
        for layer in range(len(self.attend)):
            parts = _times(_normed(x), self.attend[layer], _NORMED).reshape(rows, count, 3, self.heads, -1)
            query, key, value = parts.transpose(2, 0, 3, 1, 4)
            query, key = _turned(np.stack([query, key]), turn)
            memory.keys[layer, row, :, place] = key.transpose(0, 2, 1, 3)
            memory.values[layer, row, :, place] = np.rint(value * np.float32(_TURNED)).transpose(0, 2, 1, 3)
            keys, values = memory.keys[layer, :rows, :, :known], memory.values[layer, :rows, :, :known]
            share = _shares(np.matmul(query, keys.swapaxes(-1, -2)), unseen, query.shape[-1])
            mixed = np.matmul(share, values) * np.float32(_NORMED / _TURNED / _SHARE)
            mixed = np.rint(mixed).transpose(0, 2, 1, 3).reshape(rows, count, -1)
            x = x + _times(mixed, self.merge[layer], _NORMED)
            hidden = np.clip(_times(_normed(x), self.widen[layer], _NORMED), 0, np.float32(_CLIP))
            x = x + _times(np.rint(hidden * np.float32(_HIDDEN)), self.narrow[layer], _HIDDEN)
        return x

    def _logits(self, x: Floats) -> Floats:
        return _times(_normed(x), self.unembed, _NORMED)


def load(path: Path) -> Network:
    """Return the network whose weights are in `path`, plain arrays of float16."""
    with np.load(path, allow_pickle=False) as arrays:
        weights: dict[str, Any] = {
            name: arrays[name].astype(np.float32) * np.float32(1 if name == "embed" else _WEIGHT)
            for name in ("embed", "attend", "merge", "widen", "narrow", "unembed")
        }
        heads = int(arrays["heads"])
    half = weights["embed"].shape[-1] // heads // 2
    angle = np.arange(ROOM)[:, None] * 1000.0 ** (-np.arange(half) / half)
    cosine, sine = (np.round(turn * _SHARE).astype(np.float32) / _SHARE for turn in (np.cos(angle), np.sin(angle)))
    return Network(**weights, heads=heads, cosine=cosine, sine=sine)


def _times(x: Floats, weights: Floats, grid: int) -> Floats:
    """Return the product of `x`, whole numbers of `grid`-ths, with whole `weights`: an exact sum, whatever its order."""
    rows = np.ascontiguousarray(x).reshape(-1, x.shape[-1])
    whole = len(rows) - len(rows) % _BLOCK
    result = np.empty((len(rows), weights.shape[-1]), np.float32)
    if whole:
        blocks = result[:whole].reshape(-1, _BLOCK, result.shape[-1])
        np.matmul(rows[:whole].reshape(-1, _BLOCK, x.shape[-1]), weights, out=blocks)
    if whole < len(rows):
        np.matmul(rows[whole:], weights, out=result[whole:])
    result *= np.float32(1 / (grid * _WEIGHT))
    return result.reshape(*x.shape[:-1], result.shape[-1])


def _normed(x: Floats) -> Floats:
    """Return x, each position with a mean square of 1, in whole numbers of `_NORMED`-ths."""
    whole = np.rint(x * _SQUARE, dtype=np.float64)
    square = np.einsum("...i,...i->...", whole, whole) / (_SQUARE**2 * x.shape[-1])
    scale = _NORMED / np.sqrt(square + 1e-5)
    result: Floats = np.rint(whole * (scale / _SQUARE)[..., None]).astype(np.float32)
    return result


def _turned(x: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Return x with each pair turned by the angle of its place, in whole numbers of `_TURNED`-ths."""
    cosine, sine = turn
    half = x.shape[-1] // 2
    first, second = x[..., :half] * np.float32(_TURNED), x[..., half:] * np.float32(_TURNED)
    result: Floats = np.rint(np.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1))
    return result


def _shares(score: Floats, unseen: NDArray[np.bool_], width: int) -> Floats:
    """Return how much each place is attended to, in whole numbers of `_SHARE`-ths: a softmax over the last axis, by table."""
    score = np.where(unseen, np.float32(-np.inf), score)
    below = (score.max(-1, keepdims=True) - score) * np.float32(_SCORE / (_TURNED**2 * math.sqrt(width)))
    weight = _EXP[np.minimum(np.rint(below), len(_EXP) - 1).astype(np.intp)]
    result: Floats = np.rint(weight * np.float32(_SHARE) / weight.sum(-1, keepdims=True))
    return result
