"""Writes many replies at once: a request joins the batch under way, and leaves it when its reply ends.

One thread does the work while there is any. It is started by the first request and ends after the last, so none is left when
the program ends, and event loops may come and go.

While few replies are being written, a pass through the network takes hardly longer for several tokens of each than for one, and
much of a reply is copied from the prompt. So the next tokens are guessed and read in the same pass, and kept as far as they are
the tokens that are drawn. The reply is the same as if it were written token by token, but takes half the passes (speculative
decoding by prompt lookup).
"""

import hashlib
import random
import threading
import time
from collections import OrderedDict, deque
from collections.abc import Sequence
from concurrent.futures import Future
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Literal

import numpy as np

from maker_graph.models.tiny_lm.network import GUESSED, LONGEST, Doubles, Floats, Ints, Memory, Network, load
from maker_graph.models.tiny_lm.tokenizer import END, PAD, REPLY, decode, window

WEIGHTS = Path(__file__).with_name("weights.npz")

CALIBRATION = Path(__file__).with_name("calibration.jsonl")
"""A calibration of how often the model errs over all steps of 10 disks, without the lines of single steps."""

ROWS = 32
"""The most replies that are written at once."""

REMEMBERED = 128
"""For how many prompts the network's state is remembered, for other samples of the same step. This only saves time."""

FEW = 16
"""With more replies at once, reading guessed tokens takes longer than it saves."""

GATHERING = 0.0005
"""How many seconds the first request of a batch waits for others that are sent at the same time."""


@dataclass(frozen=True, slots=True)
class Ask:
    """A request for a reply.

    Attributes:
        prompt: the text of the prompt, of which only the end is read.
        temperature: how freely tokens are drawn; at 0 the likeliest token is always taken.
        seed: the seed of the reply, any whole number; None draws at random.
        max_tokens: the reply is cut after so many tokens, and always after `LONGEST`.
        stop: texts before the first of which the reply ends.
    """

    prompt: str
    temperature: float = 1.0
    seed: int | None = None
    max_tokens: int | None = None
    stop: Sequence[str] = ()


@dataclass(frozen=True, slots=True)
class Completion:
    """A reply of the model.

    Attributes:
        text: the reply.
        finish: "length" if it was cut, else "stop".
        input_tokens: tokens that were read.
        output_tokens: tokens that were written, without the end mark.
    """

    text: str
    finish: Literal["stop", "length"]
    input_tokens: int
    output_tokens: int


@dataclass(slots=True)
class _Writing:
    """A reply that is being written."""

    ask: Ask
    future: Future[Completion]
    read: list[int]
    rng: random.Random
    most: int
    written: list[int] = field(default_factory=list)
    guessed: list[int] = field(default_factory=list)

    def newest(self, most: int) -> list[int]:
        """Return the last three tokens, followed by `most` guesses of the next ones, padded if there are fewer."""
        known = bytes([PAD, PAD, *self.read, *self.written])
        self.guessed = []
        for length in (2, 1):  # guess what followed the last tokens when they came before
            before = known.rfind(known[-length:], 0, len(known) - 1)
            if before >= 0:
                self.guessed = list(known[before + length :][:most])
                break
        return [*known[-3:], *self.guessed, *[PAD] * (most - len(self.guessed))]

    def write(self, likeliest: Ints, total: Doubles) -> Completion | None:
        """Draw the next token, and further ones as long as they were guessed; return the reply if it has ended.

        Both arguments are for the next token and for the tokens after each guess. `likeliest`, (places,), is the likeliest
        token. `total`, (places, words), is the cumulative probability over the vocabulary, up to a factor.
        """
        for place, sure in enumerate(likeliest.tolist()):
            drawn = (
                total[place].searchsorted(self.rng.random() * total[place, -1], side="right") if self.ask.temperature else sure
            )
            reply = self._add(int(drawn))
            if reply is not None or drawn not in self.guessed[place : place + 1]:
                return reply
        return None

    def _add(self, token: int) -> Completion | None:
        """Write `token`, and return the reply if it has ended."""
        if token != END:
            self.written.append(token)
        text = decode(self.written) if token == END or self.ask.stop else ""
        stops = [at for stop in self.ask.stop if stop and (at := text.find(stop)) >= 0]
        if token == END or stops:
            return self._reply(text[: min(stops)] if stops else text, "stop")
        return self._reply(decode(self.written), "length") if len(self.written) >= self.most else None

    def _reply(self, text: str, finish: Literal["stop", "length"]) -> Completion:
        return Completion(text, finish, len(self.read), len(self.written))


class Engine:
    """Answers requests in batches.

    While few replies are being written, `guessed` tokens are guessed, at most `GUESSED`. This changes no reply.
    """

    def __init__(self, network: Network, guessed: int = GUESSED) -> None:
        self._network = network
        self._guessed = min(guessed, GUESSED)
        self._memory = network.memory(ROWS)
        self._waiting: deque[_Writing] = deque()
        self._writing: list[_Writing] = []  # each has the row of the memory with the same number
        self._lately: OrderedDict[tuple[int, ...], tuple[Floats, Memory]] = OrderedDict()
        self._lock = threading.Lock()
        self._works = False

    def submit(self, ask: Ask) -> Future[Completion]:
        """Return a future with the reply."""
        read = window(ask.prompt)
        most = LONGEST if ask.max_tokens is None else min(ask.max_tokens, LONGEST)
        new = _Writing(ask, Future(), read, _rng(ask.seed, read), most)
        with self._lock:
            if not self._works:
                threading.Thread(target=self._work, name="tiny-lm").start()
                self._works = True
            self._waiting.append(new)
        return new.future

    def _work(self) -> None:
        """Write until nothing is left to write."""
        time.sleep(GATHERING)
        while True:
            with self._lock:
                room = ROWS - len(self._writing)
                new = [self._waiting.popleft() for _ in range(min(room, len(self._waiting)))]
                if not (new or self._writing):
                    self._works = False
                    return
            try:
                self._step([each for each in new if each.future.set_running_or_notify_cancel()])
            except BaseException as error:  # noqa: BLE001  the waiting callers must get the error
                failed = {id(each): each for each in (*self._writing, *new) if not each.future.done()}
                self._writing.clear()
                for each in failed.values():
                    each.future.set_exception(error)

    def _step(self, new: list[_Writing]) -> None:
        """Write some tokens of each reply, after `new` ones have joined."""
        if self._writing:
            at = np.array([len(each.read) + len(each.written) - 1 for each in self._writing])
            guessed = self._guessed if len(self._writing) <= FEW else 0
            tokens = np.array([each.newest(guessed) for each in self._writing])
            self._write(self._writing[:], self._network.follow(tokens, at, self._memory))
        if new:
            self._read(new)

    def _read(self, new: list[_Writing]) -> None:
        """Read the prompts of `new`, each once, and write the first tokens of their replies."""
        keys = [tuple(each.read) for each in new]
        unread = [list(key) for key in dict.fromkeys(keys) if key not in self._lately]
        if unread:
            logits, memory = self._network.read(unread)
            for row, prompt in enumerate(unread):
                mine = slice(row, row + 1), slice(None), slice(len(prompt))
                parts = (array[:, *mine].copy() for array in (memory.keys, memory.values))
                self._lately[tuple(prompt)] = logits[row], Memory(*parts)
        for each, key in zip(new, keys, strict=True):
            self._memory.take(len(self._writing), self._lately[key][1], 0)
            self._writing.append(each)
        self._write(new, np.stack([self._lately[key][0] for key in keys])[:, None])
        for key in keys:
            self._lately.move_to_end(key)
        while len(self._lately) > REMEMBERED:
            self._lately.popitem(last=False)

    def _write(self, whose: list[_Writing], logits: Floats) -> None:
        """Draw the next tokens of each reply, and finish those that have ended; the last row takes the place of a finished one.

        `logits`, (rows, places, words), are for the next token, and for the token after each guess.
        """
        above = logits.astype(np.float64)
        above[..., [PAD, REPLY]] = -np.inf  # these are never written
        above -= above.max(-1, keepdims=True)
        temperature = np.array([[[each.ask.temperature or 1.0]] for each in whose])
        total = np.exp(above / temperature).cumsum(-1)
        for each, likeliest, totals in zip(whose, above.argmax(-1), total, strict=True):
            reply = each.write(likeliest, totals)
            if reply is None:
                continue
            row = next(number for number, one in enumerate(self._writing) if one is each)
            last = self._writing.pop()
            if last is not each:
                self._writing[row] = last
                self._memory.take(row, self._memory, len(self._writing))
            each.future.set_result(reply)


@cache
def shared_engine() -> Engine:
    """Return the engine that all tiny models of this process share."""
    return Engine(load(WEIGHTS))


def _rng(seed: int | None, read: list[int]) -> random.Random:
    """Return the generator of a reply, which depends on `seed` and on the prompt, so that prompts do not err together."""
    if seed is None:
        return random.Random()  # noqa: S311  no secret
    digest = hashlib.blake2b(f"{seed}:{read}".encode(), digest_size=16).digest()
    return random.Random(digest)  # noqa: S311  no secret
