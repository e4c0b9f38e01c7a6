"""The steps from which labels are drawn, of a run or of a task without a run, and the state at each of them."""

import hashlib
from array import array
from bisect import bisect_left
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

from maker_graph.core.canonical import sorted_json
from maker_graph.core.guarding import AnyTask, Given, Guarded, guarded, total_of
from maker_graph.core.items import Items
from maker_graph.core.task import Known, Located
from maker_graph.errors import DamagedRun, UsageError
from maker_graph.journal.entry import GIVEN, skim, unanimous
from maker_graph.run.home import Run


@dataclass(frozen=True, slots=True)
class Population:
    """The steps from which labels are drawn.

    Attributes:
        steps: their numbers, from 1, in order.
        digest: a hash over these steps of a run and what was decided; None for a task without a run.
        open: how many steps of the run were left open.
        person: how many steps a person answered.
        given: how many steps had an answer that was given, by the program or the world.
        at: how many steps the run had at that time, and how many of them had been answered later.
        proved: how many steps have an answer that a verifier proved.
        only: the steps that may be labelled, if not all may. They are drawn together with the others, so that their
            order is random too.
    """

    steps: Sequence[int]
    digest: str | None = None
    open: int = 0
    person: int = 0
    given: int = 0
    at: tuple[int, int] = (0, 0)
    proved: int = 0
    only: frozenset[int] | None = None

    @property
    def number(self) -> int:
        """The number of steps that may be labelled."""
        return len(self.steps if self.only is None else self.only)

    def has(self, step: int) -> bool:
        """Say whether a step may be labelled."""
        if self.only is not None:
            return step in self.only
        place = bisect_left(self.steps, step)  # they are in order
        return place < len(self.steps) and self.steps[place] == step


def decided_steps(run: Run) -> Population:
    """Return the steps of a run that models decided without a proof. An audit draws from them.

    Raises:
        DamagedRun: the journal was changed since it was written.
    """
    return _steps_of(run, voted=False)


def voted_steps(run: Run) -> Population:
    """Return the steps of a run on which models voted, whether a vote decided them or not.

    Raises:
        DamagedRun: the journal was changed since it was written.
    """
    return _steps_of(run, voted=True)


def _steps_of(run: Run, *, voted: bool) -> Population:
    run.journal.check(run.journal.step)
    at = run_at(run)
    shown = _shown_as_examples(run.task) if run.has_task else frozenset()
    steps, counts = array("Q"), {"decided": 0, "open": 0, "person": 0, "given": 0, "proved": 0}
    digest = hashlib.sha256()
    for step, entry in run.journal.entries():
        try:
            ending = _ending(entry)
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise DamagedRun(f"The journal is damaged at step {step}: {error}.", step) from error
        if step in shown:
            continue
        counts[ending] += 1
        if ending == "decided" or (voted and ending != "given"):
            steps.append(step)
            digest.update(f"{step} {'' if voted else entry}\n".encode())
    return Population(steps, digest.hexdigest(), counts["open"], counts["person"], counts["given"], at, counts["proved"])


def run_at(run: Run) -> tuple[int, int]:
    """Return how many steps a run has now, and how many of them were answered later."""
    account = run.journal.account()
    return account.steps, account.amended


def _ending(entry: str) -> str:
    if unanimous(entry) is not None:
        return "decided"
    seen = skim(entry)
    if seen.votes[-1].by in GIVEN:
        return "given"
    if seen.winner is None:
        return "open"
    if seen.proved:
        return "proved"
    return "person" if seen.votes[-1].by == "person" else "decided"


def task_steps(task: AnyTask) -> Population:
    """Return the steps of a task on which models vote, as far as they are known without a run.

    Raises:
        UsageError: the task does not say how many steps it has or what the state at each one is, or models vote on none.
    """
    total, inside = total_of(task), guarded(task)
    if total is None:
        raise UsageError("The task has no total(), so its steps cannot be drawn at random: give it one, or name a run of it.")
    if not isinstance(inside, Located) and not (isinstance(inside, Known) and len(inside.parts) == 1):
        raise UsageError(
            "The task has no state_at(step), so its steps are not known without a run: give it one, or name a run of it."
        )
    if len(inside.parts) == 1 and (inside.given is None or (isinstance(task, Items) and type(task).given is Items.given)):
        found: Sequence[int] = range(1, total + 1)
    else:
        found = array("Q", (step for step, state in states_of(inside, range(1, total + 1)) if _asks(inside, state)))
    if shown := _shown_as_examples(task):
        found = array("Q", (step for step in found if step not in shown))
    if not found:
        raise UsageError("No step of the task is voted on: there is nothing to label.")
    return Population(found)


def _shown_as_examples(task: AnyTask) -> frozenset[int]:
    """Return the steps whose item the prompts show as an example: its label would say nothing about the others."""
    if not isinstance(task, Items) or not task.examples:
        return frozenset()
    shown = {sorted_json(example.item) for example in task.examples}
    return frozenset(step for step, item in enumerate(task.items, start=1) if sorted_json(item) in shown)


def _asks(task: Guarded, state: Any) -> bool:
    """Say whether models vote on a state."""
    if task.part(state) is None or isinstance(task.at(state), Given):
        return False
    return task.given is None or task.given(state) is None


def states_of(task: AnyTask, steps: Collection[int]) -> Iterator[tuple[int, Any]]:
    """Yield some steps of a task, from 1, each with the state before it.

    The state comes from the task's `state_at`, or is reached from the start by right answers, which its `truth` knows.

    Raises:
        UsageError: the task has neither.
    """
    inside = guarded(task)
    if isinstance(inside, Located):
        for step in steps:
            yield step, inside.state_at(step - 1)
        return
    if not isinstance(inside, Known):
        raise UsageError("The task has neither state_at(step) nor truth(state): give it one, so that its steps are known.")
    state, wanted, last = inside.start(), set(steps), max(steps, default=0)
    for step in range(1, last + 1):
        if step in wanted:
            yield step, state
        if step < last:
            state = inside.apply(state, inside.truth(state))


def states_in(run: Run, steps: Collection[int]) -> Iterator[tuple[int, Any]]:
    """Yield some steps of a run, from 1, each with the state in which it was asked.

    The states are replayed from the journal, without a model. Items need no replay.

    Raises:
        DamagedRun: the journal was changed since it was written.
    """
    if isinstance(run.task, Items):
        yield from states_of(run.task, steps)
        return
    left = set(steps)
    for _, before, after in run.journal.replay(run.machine) if left else ():
        if after["step"] in left:
            left.discard(after["step"])
            yield after["step"], before["state"]
            if not left:
                return
