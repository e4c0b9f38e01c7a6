"""Going on with a run with the answers that people leave for it, and waiting for such answers.

A run that goes on takes up the answers that were left (`left_answers.py`). It takes those to open items before its first
step and after its last one. It takes the one to the step on which it is stuck instead of a new vote. With `wait`, the
run does not end if only a person can help, but waits for an answer. The session that commits an answer reads and checks
it once more.
"""

import asyncio
from collections.abc import Awaitable, Callable

from maker_graph.core.guarding import guarded
from maker_graph.errors import OutOfReach, Undecided, UsageError
from maker_graph.run.home import Run
from maker_graph.run.left_answers import LeftAnswer
from maker_graph.run.review import answer_items, count_open
from maker_graph.run.session import Question, Session
from maker_graph.run.stuck import stuck_step

LOOKS = 0.5
"""How many seconds pass between two looks for an answer."""


class Waiting:
    """The answers that were left for one run, as its owner takes them up."""

    def __init__(self, run: Run, session: Session, warn: Callable[[str], None]) -> None:
        """Take the answers to `run`; its owner reports by `session`, and `warn` is told which answers were not taken."""
        self._run, self._session, self._warn = run, session, warn
        self._left = run.home.answers()
        self._items = guarded(run.task).given is not None
        self._seen: set[str] = set()

    async def solved(
        self, solve: Callable[[str | None], Awaitable[None]], answer: str | None = None, *, wait: bool = False
    ) -> None:
        """Go on with the run to its end.

        Args:
            solve: goes on with the run. It takes an answer to the step that is stuck, or None.
            answer: the answer for the first call of `solve`.
            wait: whether to wait for people's answers, instead of ending when one is needed.

        Raises:
            MakerError: why the run stopped before its end, as `solve` raises it.
        """
        self.take_items()
        while True:
            left = self.for_stuck() if answer is None else None
            try:
                await (solve(answer) if left is None else self._solved_by(left, solve))
            except Undecided as error:
                if left is not None and self._run.journal.step < left.step:
                    self._refused(left, error.reason)
                if not wait:
                    raise
                await self._wait(lambda: self.for_stuck() is not None, error)
            else:
                self.take_items()
                if wait:
                    await self._wait_for_items()
                return
            finally:
                self._forget_decided()
            answer = None

    def take_items(self) -> None:
        """Commit the answers that were left to items that are open."""
        if not self._items:
            return
        waiting = self._for_items()
        if not waiting:
            return
        found = answer_items(self._run, {step: left.meant() for step, left in waiting.items()})
        for step, left in waiting.items():
            decided = self._run.journal.decision(step)
            if step in found.refused and (decided is None or decided["status"] != "decided"):
                self._refused(left, found.refused[step])
            else:  # taken, or somebody else's answer came first
                self._taken_up(left)

    def _waiting(self) -> dict[int, LeftAnswer]:
        """Return, by step, the answers that were not taken up yet.

        An answer that was taken up does not count, even if its file could not be deleted.
        """
        return {step: left for step, left in self._left.waiting().items() if left.key not in self._seen}

    def _for_items(self) -> dict[int, LeftAnswer]:
        """Return, by item, the answers to items that were tried already."""
        return {step: left for step, left in self._waiting().items() if step <= self._run.journal.step}

    def for_stuck(self) -> LeftAnswer | None:
        """Return the answer that was left to the step on which the run is stuck; None if there is none."""
        journal = self._run.journal
        left = None if self._items else self._waiting().get(journal.step + 1)
        return left if left is not None and left.after == journal.head and stuck_step(journal) == left.step else None

    async def _solved_by(self, left: LeftAnswer, solve: Callable[[str | None], Awaitable[None]]) -> None:
        """Go on with an answer that was left. If the checkpoint that waits for it is gone, vote on the step first."""
        before = self._run.journal.step
        try:
            await solve(left.reply)
        except UsageError:
            if self._run.journal.step != before:
                raise
            try:
                await solve(None)
            except Undecided:
                if self._run.journal.step != before:
                    raise
                await solve(left.reply)

    async def _wait_for_items(self) -> None:
        """Wait until no item is open any more, and take up each answer when it comes."""
        while self._items and (number := count_open(self._run)):
            command = self._run.home.command
            self._warn(f"Items that wait for answers: {number:,}. Give them with: maker-graph watch {command}")
            await self._wait(lambda: bool(self._for_items()))
            self.take_items()

    async def _wait(self, there: Callable[[], bool], error: Undecided | None = None) -> None:
        """Wait until `there` says that an answer is there. `error` is how the vote on a stuck step ended.

        Raises:
            TakenOver: another process has gone on with the run meanwhile.
        """
        journal, question = self._run.journal, None
        self._forget_decided()
        if error is not None:
            command = self._run.home.command
            self._warn(f"Step {journal.step + 1:,} waits for an answer. Give it with: maker-graph watch {command}")
            question = None if self._session.at is None else Question.of(error, self._session.at)
        if journal.epoch is not None:
            self._session.say("waits", journal.epoch, question=question)
        while not self._looked(there):  # noqa: ASYNC110  no event tells this process: the answer comes from another one
            await asyncio.sleep(LOOKS)

    def _looked(self, there: Callable[[], bool]) -> bool:
        """Say whether an answer is there; False while the journal is out of reach, so that it is tried again.

        Raises:
            TakenOver: another process has gone on with the run meanwhile.
        """
        try:
            self._run.journal.owned()
            return there()
        except OutOfReach:
            return False

    def _refused(self, left: LeftAnswer, why: str) -> None:
        self._warn(f"The answer to {'item' if self._items else 'step'} {left.step:,} was not taken: {why}")
        self._seen.add(left.key)
        self._left.refuse(left, why)

    def _taken_up(self, left: LeftAnswer) -> None:
        self._seen.add(left.key)
        self._left.remove(left)

    def _forget_decided(self) -> None:
        """Delete the answers to steps that are decided by now."""
        for left in () if self._items else self._left.all():
            if left.step <= self._run.journal.step:
                self._left.remove(left)
