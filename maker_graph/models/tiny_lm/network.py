"""The tiny transformer in numpy, in exact arithmetic: the same tokens give the same logits, bit for bit.

A sum of floats depends on the order of its terms, and so on the batch, the library and the machine. So only whole numbers are
summed here, in floats, and no sum is rounded: each activation is rounded to a grid before it is multiplied, weights lie on a
grid, and all sums stay below 2^24, up to which a float32 holds every whole number (`Network.headroom` proves it for the loaded
weights). Exponentials are looked up in a table of whole numbers. The remaining operations, products and quotients of single
numbers, round in the same way everywhere (IEEE 754). So a reply cannot depend on the other replies of the batch, and batches
need no padding to fixed shapes.
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
"""The most tokens of a reply, including its end. A reply for 20 disks has 53."""

GUESSED = 4
"""The most guessed tokens that are read at once."""

ROOM = WINDOW + LONGEST + GUESSED
"""The most tokens in the memory."""

# How many steps each grid has from 0 to 1:
_WEIGHT = 1024  # weights
_NORMED = 256  # activations after a norm, and mixtures of values
_HIDDEN = 64  # the hidden layer
_TURNED = 128  # queries, keys and values
_SCORE = 64  # differences of scores
_SHARE = 4096  # shares of attention
_SQUARE = 4096.0  # values that are squared for a norm, in float64
_MOST = 1 << 24
_BLOCK = 16  # how many rows are multiplied at a time: too few for a BLAS to start threads, which would spin in between
_CLIP = 6.0  # the bound of the hidden layer (ReLU6)

_EXP = np.array([round(_SHARE * math.exp(-i / _SCORE)) for i in range(10 * _SCORE)] + [0], np.float32)


@dataclass(slots=True)
class Memory:
    """Keys and values of the tokens so far, (layers, rows, heads, room, width of a head); each row is for one reply."""

    keys: Floats
    values: Floats

    def take(self, row: int, other: "Memory", other_row: int) -> None:
        """Copy the row `other_row` of another memory into `row`; only as many places as the other memory has."""
        room = other.keys.shape[3]
        self.keys[:, row, :, :room] = other.keys[:, other_row]
        self.values[:, row, :, :room] = other.values[:, other_row]


@dataclass(frozen=True, slots=True)
class Network:
    """The weights, each a whole number of `_WEIGHT`-ths, and the tables of angles.

    Attributes:
        embed: (3, words, width): embeddings for the token at a position, and for the two tokens before it.
        attend: (layers, width, 3 width): weights for queries, keys and values.
        merge: (layers, width, width): weights for the result of attention.
        widen: (layers, width, hidden): weights into the hidden layer.
        narrow: (layers, hidden, width): weights out of the hidden layer.
        unembed: (width, words): weights for the logits.
        heads: the number of attention heads.
        cosine: (room, width of a head / 2): cosines of the angles by which positions are turned.
        sine: the sines of these angles.
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
        """Return the logits of the token after each prompt, (prompts, words), and the memory of the prompts."""
        lengths = np.array([len(prompt) for prompt in prompts])
        tokens = np.full((len(prompts), 2 + int(lengths.max())), PAD)
        for row, prompt in enumerate(prompts):
            tokens[row, 2 : 2 + len(prompt)] = prompt
        memory = self.memory(len(prompts), tokens.shape[1] - 2)
        x = self._forward(tokens, np.zeros(len(prompts), np.int64), memory, len(prompts))
        return self._logits(x[np.arange(len(prompts)), lengths - 1]), memory

    def follow(self, tokens: Ints, at: Ints, memory: Memory) -> Floats:
        """Return the logits of the token after each of `tokens` but the first two, (rows, places, words).

        These tokens are added to the memory. Wrong guesses do no harm: no token sees what stands after its own place, and the
        right tokens overwrite the wrong ones later.

        Args:
            tokens: (rows, 2 + places): for each of the first rows of `memory`, its newest tokens after the two before them.
            at: (rows,): the place of the first new token, from 0.
            memory: the memory of all tokens before.
        """
        return self._logits(self._forward(tokens, at, memory, len(tokens)))

    def headroom(self) -> float:
        """Return the ratio of the smallest sum that float32 might round to the largest possible sum; above 1 is safe.

        The bound is by Cauchy-Schwarz if a norm bounds the activations, and with all hidden units at their clip for the hidden
        layer. Turning does not make queries and keys longer.
        """
        width = self.embed.shape[-1]
        length = np.sqrt(width) * _NORMED + np.sqrt(width) / 2  # the length of a normed vector after rounding
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
        """Return the activations, (rows, places, width), for `tokens` without the first two; their places begin at `at`."""
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
    """Return the network with the weights in `path`, which are plain arrays of float16."""
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
    """Return the product of `x`, whole numbers of `grid`-ths, with whole `weights`; its sums are exact in any order."""
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
    """Return x scaled to a mean square of 1 at each position, in whole numbers of `_NORMED`-ths."""
    whole = np.rint(x * _SQUARE, dtype=np.float64)
    square = np.einsum("...i,...i->...", whole, whole) / (_SQUARE**2 * x.shape[-1])
    scale = _NORMED / np.sqrt(square + 1e-5)
    result: Floats = np.rint(whole * (scale / _SQUARE)[..., None]).astype(np.float32)
    return result


def _turned(x: Floats, turn: tuple[Floats, Floats]) -> Floats:
    """Return x with each pair of values turned by the angle of its place, in whole numbers of `_TURNED`-ths."""
    cosine, sine = turn
    half = x.shape[-1] // 2
    first, second = x[..., :half] * np.float32(_TURNED), x[..., half:] * np.float32(_TURNED)
    result: Floats = np.rint(np.concatenate([first * cosine - second * sine, first * sine + second * cosine], axis=-1))
    return result


def _shares(score: Floats, unseen: NDArray[np.bool_], width: int) -> Floats:
    """Return the shares of attention, in whole numbers of `_SHARE`-ths: a softmax over the last axis, by table."""
    score = np.where(unseen, np.float32(-np.inf), score)
    below = (score.max(-1, keepdims=True) - score) * np.float32(_SCORE / (_TURNED**2 * math.sqrt(width)))
    weight = _EXP[np.minimum(np.rint(below), len(_EXP) - 1).astype(np.intp)]
    result: Floats = np.rint(weight * np.float32(_SHARE) / weight.sum(-1, keepdims=True))
    return result
