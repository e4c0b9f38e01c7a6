"""The window of lookahead: the microsteps in flight of one invocation.

`Window` is the chain of an invocation: the real state, the states predicted after it, and the votes on them.

    real state -> predicted -> predicted -> predicted ...      each with its vote: not begun, in flight, or decided
    ^ committed in order                    ^ the draft goes on from the last one

As soon as a vote is decided, its answer is applied to the state it was asked about. If the next state in the chain asks another
question, it and all after it are dropped, and the chain goes on from the voted answer. The states before it may still vote.

Votes and drafts outlive a superstep of the graph, so a window lives as long as an invocation (`WindowedGraph`), and what is
still in flight at its end is cancelled.
"""

import asyncio
from collections import deque
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Protocol, TypeAlias

from maker_graph.core.canonical import JSON, canonical, plain
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import Guarded
from maker_graph.core.task import Varies
from maker_graph.graph.drafter import LONGEST_DRAFT, SHORTEST_DRAFT
from maker_graph.graph.width import MOST, Width
from maker_graph.models.prompts import as_messages

Work: TypeAlias = asyncio.Future[Any] | Future[Any]


class Crew(Protocol):
    """Does the work of a window: as tasks of an event loop, or in threads."""

    def vote(self, state: JSON, step: int, /) -> Work:
        """Begin to vote on `state`, which is before `step`."""
        ...

    def draft(self, state: JSON, n: int, /) -> Work:
        """Begin to draft the `n` states after `state`."""
        ...


@dataclass(slots=True)
class _Place:
    """A state in the chain.

    Attributes:
        step: the number of the step that it asks for.
        state: the real state, or the predicted one.
        drafted: whether it was drafted; else a vote gave it.
        vote: the vote on it, once that is begun.
        seen: whether the answer of the vote was held against the next place.
    """

    step: int
    state: JSON
    drafted: bool
    vote: Work | None = None
    seen: bool = False


class Window:
    """The microsteps in flight of one invocation."""

    def __init__(self, task: Guarded, width: Width, *, first: int, checked: bool, asks: bool, varied: bool = False) -> None:
        """Make an empty window.

        Args:
            task: the task whose states these are.
            width: how many microsteps vote at once.
            first: samples in the first round of a vote, for the limit on samples in flight.
            checked: whether votes depend on the state beyond the prompt, because the rules of the task check answers.
            asks: whether a model is asked for drafts, which takes one of the requests in flight.
            varied: whether samples are asked the variants of a question.
        """
        self._task = task
        self._width = width
        self._first = first
        self._checked = checked
        self._varied = varied
        self._asks = asks
        self._rounds = 0
        self._dying: set[Work] = set()
        self._chain: deque[_Place] = deque()
        self._draft: tuple[int, Work] | None = None
        self._drafted_from: int | None = None
        self._most = MOST
        self._last: int | None = None
        self._crew: Crew | None = None
        self.executor: ThreadPoolExecutor | None = None
        self.dropped = 0

    def follow(self, state: JSON, step: int, last: int | None, crew: Crew, concurrency: int | None) -> None:
        """Go on from the real `state` after `step`: keep the votes in flight that ask the same, and begin more.

        Args:
            state: where the task stands.
            step: the last decided step.
            last: no step beyond this one is asked for.
            crew: what runs the votes and drafts.
            concurrency: the most samples in flight.
        """
        self._crew, self._last = crew, last
        self._most = self._width.fixed or MOST
        if concurrency is not None:
            self._most = max(1, min(self._most, (concurrency - self._asks) // self._first))
        if self._chain and (self._chain[0].step != step + 1 or not self._asks_this(self._chain[0], state)):
            self._cut(0)
        if not self._chain:
            self._forget_draft()
            self._chain.append(_Place(step + 1, state, drafted=False))
        if self._width(self._most) == 1:
            self._width.rest()
        self._rounds += 1
        self._top_up()

    def pending(self) -> list[Work]:
        """Return what to wait for until the first vote is decided; nothing once it is."""
        self._see_decided()
        self._see_draft()
        self._top_up()
        if (vote := self._chain[0].vote) is not None and vote.done():
            return []
        waiting = [place.vote for place in self._chain if place.vote is not None and not place.vote.done()]
        return waiting if self._draft is None else [*waiting, self._draft[1]]

    def decided(self) -> list[tuple[JSON, Decision]]:
        """Return the decisions at the front of the chain, each with its state; an undecided one is returned alone.

        Raises:
            MakerError: what the first vote failed with.
        """
        found: list[tuple[JSON, Decision]] = []
        while self._chain and (vote := self._chain[0].vote) is not None and vote.done():
            if found and (vote.exception() is not None or vote.result()["decision"]["status"] != "decided"):
                break
            decision = vote.result()["decision"]
            found.append((self._chain.popleft().state, decision))
            if decision["status"] != "decided":
                break
        return found

    def close(self) -> list[Work]:
        """Cancel what is in flight; return all that is still ending, to be awaited."""
        self._cut(0)
        return [*self._dying]

    def clear(self) -> None:
        """Drop what is in flight: a step on the ladder needs the limit on requests for itself."""
        self._cut(0)

    def _asks_this(self, place: _Place, state: JSON) -> bool:
        """Say whether a vote on `place` is a vote on `state`; if so, the chain goes on from `state`."""
        try:
            same = asks_the_same(self._task, place.state, state, checked=self._checked, varied=self._varied)
        except Exception:  # noqa: BLE001  a predicted state may be one for which the task has no prompt
            return False
        if same and place.state != state:
            place.state, place.seen = state, False
        return same

    def _see_decided(self) -> None:
        """Hold each new answer against the place after it; cut off what was predicted wrong."""
        for number, place in enumerate(self._chain):
            if place.seen or place.vote is None or not place.vote.done() or place.vote.exception() is not None:
                continue
            decision = place.vote.result()["decision"]
            place.seen = True
            if decision["status"] != "decided":
                continue
            try:
                state = plain(self._task.apply(place.state, decision["answer"]), own=True)
                over = self._ends(state) or place.step == self._last
            except Exception:  # noqa: BLE001  if the state is real, `commit` raises it; else it is not an error
                self._cut(number + 1)
                return
            follower = self._chain[number + 1] if number + 1 < len(self._chain) else None
            if follower is not None and not over and self._asks_this(follower, state):
                if follower.drafted:
                    self._width.hold()
                continue
            if follower is not None:
                self._width.miss()
                self._cut(number + 1)
            if not over:
                self._chain.append(_Place(place.step + 1, state, drafted=False))
            return

    def _see_draft(self) -> None:
        """Put the states of a draft that is ready at the end of the chain."""
        if self._draft is None or not self._draft[1].done():
            return
        step, work = self._draft
        self._draft = None
        for number, state in enumerate(work.result(), start=step):
            if number < self._chain[0].step:
                continue  # the votes were faster than the draft
            if number > (self._last or number) or self._over(state):
                break
            place = next((each for each in self._chain if each.step == number), None)
            if place is None:
                self._chain.append(_Place(number, state, drafted=True))
            elif not asks_the_same(self._task, place.state, state, checked=True):
                self._width.miss()
                break

    def _ends(self, state: JSON) -> bool:
        """Say whether lookahead ends at `state`, because the task is done there or the answer is given."""
        return self._task.part(state) not in self._task.voted_parts

    def _over(self, state: JSON) -> bool:
        try:
            return self._ends(state)
        except Exception:  # noqa: BLE001  a draft may be no state of the task at all
            return True

    def _top_up(self) -> None:
        """Begin votes and a draft, as far as there is room.

        The first step of an invocation votes alone, so each invocation commits a step even if a limit is nearly reached.
        Otherwise none would be committed, and all samples in flight would be paid for again and again.
        """
        assert self._crew is not None  # noqa: S101  `follow` is called first
        width = self._width(self._most)
        votes = [place.vote for place in self._chain if place.vote is not None]
        flying = sum(not vote.done() for vote in votes) + len(self._dying)
        failed = any(vote.done() and not vote.cancelled() and vote.exception() is not None for vote in votes)
        room = 0 if failed else width if self._rounds > 1 else 1
        waiting = 0
        for number, place in enumerate(self._chain):
            if place.vote is None:
                if number == 0 or (flying < room and number < 4 * width):
                    place.vote = self._crew.vote(place.state, place.step)
                    flying += 1
                else:
                    waiting += 1
        end = self._chain[-1]
        left = None if self._last is None else self._last - end.step
        if self._draft is None and width > 1 and waiting < width and left != 0 and self._drafted_from != end.step:
            n = max(SHORTEST_DRAFT, min(width, LONGEST_DRAFT))
            self._drafted_from = end.step  # so that a useless draft is not asked for again and again
            self._draft = end.step + 1, self._crew.draft(end.state, n if left is None else min(n, left))

    def _cut(self, number: int) -> None:
        """Drop the chain from place `number` on, and the draft that follows from it."""
        while len(self._chain) > number:
            place = self._chain.pop()
            if place.vote is not None:
                self.dropped += 1
                self._drop(place.vote)
        self._forget_draft()

    def _forget_draft(self) -> None:
        if self._draft is not None:
            self._drop(self._draft[1])
            self._draft = None
        self._drafted_from = None

    def _drop(self, work: Work) -> None:
        if not work.done():
            self._dying.add(work)
        work.add_done_callback(self._hear)
        work.cancel()

    def _hear(self, work: Work) -> None:
        """Note that work has ended. Read its error too, because asyncio warns of errors that nobody reads."""
        self._dying.discard(work)
        if not work.cancelled():
            work.exception()


def asks_the_same(task: Guarded, one: JSON, other: JSON, *, checked: bool, varied: bool = False) -> bool:
    """Say whether a vote on the state `one` is a vote on `other`.

    The part and the prompt must be the same. If samples are asked variants (`varied`), the variants must be the same too. If
    answers are `checked`, the states must be equal, because answers are held against the state.
    """
    if canonical(one, own=True) == canonical(other, own=True):
        return True
    if checked or (len(task.parts) > 1 and task.part(one) != task.part(other)):
        return False
    if varied:
        return _variants(task, one) == _variants(task, other)
    return [*as_messages(task.prompt(one))] == [*as_messages(task.prompt(other))]


def _variants(task: Guarded, state: JSON) -> list[Any]:
    part = task.voted(state)
    assert isinstance(part, Varies)  # noqa: S101  else its samples were not asked variants
    return [[*as_messages(variant.prompt)] for variant in part.variants(state)]
