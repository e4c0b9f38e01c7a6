"""The slots of one invocation over independent items: which items are begun, which are finished, and what is committed next.

    committed | finished ... not yet ... finished ... | in flight, in `width` slots | not begun
              ^ the front: what is finished here, without a gap, is committed together

An item goes first to the task's program (`given`). If the program is not sure, the item takes a slot. It is voted on there,
climbs the rungs of the ladder in its slot, and is left open if no rung decides it. Only the commits of the items after it wait
for it. Finished items may wait for a slow one, up to four times as many as there are slots; then nothing new begins.

If an item fails with an error, no other item is begun. The items before it are awaited and committed, and then the error is
raised. Items after it that are decided by then are handed to the log, if the log keeps them, so that nobody pays for them
again. The votes that rungs of a cascade have passed on are handed to it too, so that no rung votes on these items again.
"""

import asyncio
import threading
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import NamedTuple, Protocol, TypeAlias, cast

from maker_graph.core import checks
from maker_graph.core.canonical import JSON, plain
from maker_graph.core.checks import broken_rule
from maker_graph.core.decision import Decision, Vote, given
from maker_graph.core.guarding import Guarded
from maker_graph.core.machine import Climb, ClimbLog, KeepingLog, Log
from maker_graph.core.task import Checks, Located, Verifies
from maker_graph.core.verifying import verification_of
from maker_graph.errors import UsageError

WIDTH = 32
"""The number of slots if nothing limits the requests in flight."""

WAITING = 4
"""The most voted items that may be finished and wait for a slow one, as a multiple of the width."""

GIVEN_WAITING = 4096
"""The most items with a given answer that may wait. They cost nothing but memory."""

BATCH = 1024
"""The most items that are committed together."""

PACE = 0.02
"""Seconds for which a finished item may wait for others that are committed with it. No slot is idle meanwhile."""

TURN = 0.01
"""Seconds for which programs are asked before the votes that wait for replies get their turn."""

Work: TypeAlias = asyncio.Future[Decision] | Future[Decision]


class Crew(Protocol):
    """Answers items: as tasks of an event loop, or in threads."""

    def vote(self, state: JSON, step: int, /) -> Work:
        """Begin to vote on the item of `step`, on as many rungs as it takes."""
        ...


class Limits(NamedTuple):
    """What one invocation may do.

    Attributes:
        last: no item beyond this one is begun; None is no limit.
        width: the number of slots.
        samples: nothing is begun once this many samples are drawn in all; None is no limit.
        each: the most samples that one item may draw, on all rungs together.
    """

    last: int | None = None
    width: int = 1
    samples: int | None = None
    each: int = 1


@dataclass(frozen=True, slots=True)
class _Given:
    answer: JSON


Ended: TypeAlias = Decision | _Given | BaseException
"""How an item ended: with a vote, with an answer of the program, or with an error."""


class Slots:
    """The items under way of one invocation.

    Attributes:
        executor: the threads, if the work is done in threads.
        signal: set whenever an item ends.
        climbs: the votes of items that are on their way up a cascade, by step.
        refusals: how many questions in a row the provider has not accepted.
    """

    def __init__(
        self, task: Guarded, *, checked: bool, log: Log | None = None, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """Begin with nothing.

        Args:
            task: an items task.
            checked: whether answers must keep the rules of the task, if it has some.
            log: if it is a `KeepingLog`, it keeps decisions on items whose turn has not come yet, and gives them back.
            clock: a function that returns the time in seconds.
        """
        assert isinstance(task, Located)  # noqa: S101  items are
        self.executor: ThreadPoolExecutor | None = None
        self.signal: asyncio.Event | threading.Event = threading.Event()
        self._program, self._located = task.given, task
        self._check = task.check if checked and isinstance(task, Checks) else None
        self._verify = task.verify if checked and isinstance(task, Verifies) else None
        self._clock = clock
        self._limits, self._crew = Limits(), cast("Crew", None)
        self._front = self._next = 0
        self._unsure: JSON = None  # the state of the next item, if the program was asked about it and is not sure
        self._flying: dict[Work, int] = {}
        self._ended: deque[Work] = deque()
        self._finished: dict[int, Ended] = {}
        self._voted = 0  # of the finished ones
        self._taken: dict[int, Decision] = {}  # and not known to be committed
        self._log = log if isinstance(log, KeepingLog) else None
        self._kept: dict[int, Decision] = {} if self._log is None else dict(self._log.decided_ahead())
        self._climb_log = log if isinstance(log, ClimbLog) else None
        self.climbs: dict[int, Sequence[Vote]] = {}
        self.refusals = 0
        if self._climb_log is not None:
            self.climbs = {step: climb.tried for step, climb in self._climb_log.climbs().items() if climb.tried}
        self._drawn = 0
        self._due = 0.0
        self._begun = self._failed = self._hurried = False

    def follow(self, step: int, drawn: int, limits: Limits, crew: Crew) -> None:
        """Go on after `step`, the last committed one; `drawn` samples were drawn up to it."""
        if self._front != step + 1:
            self._front = self._next = step + 1
            self._drawn = drawn
        self._limits, self._crew = limits, crew
        self._taken = {}

    def ready(self) -> bool:
        """Begin what may begin; say whether there is something to commit or to raise now."""
        self.signal.clear()
        self._collect()
        alone = self._limits.width == 1 and isinstance(self._finished.get(self._front), dict)
        if not alone:
            self._fill()
        first = self._finished.get(self._front)
        if first is None or isinstance(first, BaseException):
            return first is not None or not (self._flying or self._hurried)
        idle = not (self._flying or self._hurried)
        return alone or idle or self._clock() >= self._due or len(self._finished) >= BATCH

    def patience(self) -> float | None:
        """Return for how many seconds to wait for the signal at most; None is for ever."""
        if self._hurried:
            return 0.0
        return max(0.0, self._due - self._clock()) if self._front in self._finished else None

    def take(self, *, stops: bool) -> list[Decision]:
        """Return the decisions at the front, in order; with `stops`, an open one is returned alone.

        Raises:
            BaseException: what the first item failed with.
        """
        if isinstance(failure := self._finished.get(self._front), BaseException):
            raise failure
        found: list[Decision] = []
        while len(found) < BATCH and isinstance(ended := self._finished.get(self._front), dict | _Given):
            decision = given(ended.answer, "program") if isinstance(ended, _Given) else ended
            stopped = stops and decision["status"] != "decided"
            if stopped and found:
                break
            del self._finished[self._front]
            if isinstance(ended, dict):
                self._taken[self._front] = ended
            self._front += 1
            self._voted -= isinstance(ended, dict)
            found.append(decision)
            if stopped:
                break
        self._due = self._clock() + (PACE if self._limits.width > 1 else 0.0)
        return found

    @property
    def full(self) -> bool:
        """Whether all samples that may be drawn were drawn, and nothing is under way any more."""
        return not self._may_draw() and not self._flying and not self._finished

    def hear(self, work: Work) -> None:
        """Take notice that some work ended; any thread may call it."""
        self._ended.append(work)
        self.signal.set()

    def close(self) -> list[Work]:
        """Keep what is decided, cancel what is in flight; return all that is still ending, to be awaited."""
        self._collect()
        if self._log is not None:
            finished = {step: ended for step, ended in sorted(self._finished.items()) if isinstance(ended, dict)}
            self._log.keep_ahead({**self._kept, **self._taken, **finished})
        if self._climb_log is not None:
            self._climb_log.keep_climbs({step: Climb(tried) for step, tried in sorted(self.climbs.items())})
        for work in self._flying:
            work.cancel()
            work.add_done_callback(_hear)
        return list(self._flying)

    def _collect(self) -> None:
        """Move the items that have ended to those that are finished."""
        while self._ended:
            work = self._ended.popleft()
            step = self._flying.pop(work)
            error = asyncio.CancelledError() if work.cancelled() else work.exception()
            if error is not None:
                self._finished[step], self._failed = error, True
                continue
            self._decided(step, work.result())
            self._begun = True  # not set by decisions of an earlier session: they say nothing of the limits of this one

    def _decided(self, step: int, decision: Decision) -> None:
        self._finished[step] = decision
        self.climbs.pop(step, None)
        self._voted += 1
        self._drawn += sum(vote["samples"] for vote in (*decision["tried"], decision))

    def _fill(self) -> None:
        """Begin all that there is room for; votes that wait for replies get their turn between many answers of the program."""
        until = self._clock() + TURN
        self._hurried = False
        while not self._failed and not (self._limits.last is not None and self._next > self._limits.last):
            if self._next in self._kept:
                self._decided(self._next, self._kept.pop(self._next))
                self._next += 1
                continue
            if self._unsure is None:
                if len(self._finished) - self._voted >= GIVEN_WAITING:
                    return
                if self._clock() >= until:
                    self._hurried = True
                    return
                state = self._located.state_at(self._next - 1)
                ended = self._of_program(state)
                if ended is not None:
                    self._finished[self._next] = ended
                    self._failed = isinstance(ended, BaseException)
                    self._next += 1
                    continue
                self._unsure = state
            if not self._has_room():
                return
            work = self._crew.vote(self._unsure, self._next)
            self._flying[work] = self._next
            work.add_done_callback(self.hear)
            self._next, self._unsure = self._next + 1, None

    def _has_room(self) -> bool:
        """Say whether one more item may be voted on.

        The first item of an invocation votes alone, so each invocation commits an item even if a limit is nearly reached.
        Otherwise none would be committed, and all samples in flight would be paid for again and again.
        """
        width = self._limits.width if self._begun else 1
        return len(self._flying) < width and self._voted < WAITING * self._limits.width and self._may_draw()

    def _may_draw(self) -> bool:
        most = self._limits.samples
        if most is None:
            return True
        return self._drawn < most and (not self._flying or self._drawn + len(self._flying) * self._limits.each < most)

    def _of_program(self, state: JSON) -> _Given | UsageError | None:
        """Return the answer of the program; None if the program is not sure, and an error if its answer cannot be used."""
        assert self._program is not None  # noqa: S101  items have one
        try:
            answer = self._program(state)
        except UsageError as error:
            return error
        except Exception as error:  # noqa: BLE001  it is raised once the items before it are committed
            return checks.failed("given", error)
        if answer is None:
            return None
        try:
            answer = plain(answer)
        except ValueError as error:
            return UsageError(f"given returned an answer that cannot be kept: it is {error}.")
        return self._refused(state, answer) or _Given(answer)

    def _refused(self, state: JSON, answer: JSON) -> UsageError | None:
        """Return the error if a rule of the task refuses an answer of the program, or fails on it."""
        try:
            broken = None if self._check is None else broken_rule(self._check, state, answer)
            if broken is not None:
                return _not_both("check", broken)
            found = None if self._verify is None else verification_of(self._verify, state, answer)
        except UsageError as error:
            return error
        return _not_both("verify", found) if isinstance(found, str) else None


def _not_both(name: str, why: str) -> UsageError:
    return UsageError(f"given returned an answer that {name} refuses{f': {why}' if why else ''}. Mend one of them.")


def _hear(work: Work) -> None:
    """Read the error of dropped work, because asyncio warns of errors that nobody reads."""
    if not work.cancelled():
        work.exception()
