"""The verdict on a run, by its task's own rules, goal and truth: a word, and the reason. No model is asked.

These are the words, in the order in which they are tried. The first one that fits is the verdict:

    contradicted   an answer breaks a rule, the goal is missed, or known truth says otherwise
    unfinished     the run is not over
    open           the run is over, and steps were left open
    proved         the task's verifier proves every answer (`verify`), or every answer keeps the rules and the goal is reached,
                   where the task has both (`check` and `goal`)
    right          every answer is the one that the task knows to be right (`truth`); this counts only if there is no goal
    consistent     every answer keeps the rules, if there are any, and nothing says that the answers are right

A contradiction comes first, because no later step can take it back. A goal is not missed while steps are open. If a task has no
`goal`, its goal is its own end, which is missed if `done` and `total` do not agree.

If the steps depend on each other, all steps after the first wrong answer build on it. So the rules and the truth are checked up
to that step. If the steps are independent (`skip`), all of them are checked.
"""

from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, plain
from maker_graph.core.characters import visible
from maker_graph.core.checks import broken_rule, failed, truth
from maker_graph.core.decision import Decision
from maker_graph.core.guarding import AnyTask, Given, guarded, total_of
from maker_graph.core.machine import MakerOutput
from maker_graph.core.task import Checks, Goal, Known, Located, Skippable, State, Verifies
from maker_graph.core.verifying import Valid, verification_of

Verdict: TypeAlias = Literal["proved", "right", "consistent", "contradicted", "open", "unfinished"]
"""The verdict on a run, in a word; see above."""

MOST_SHOWN = 200
"""How many characters are shown of what a check says."""


def verified(verdict: Verdict | None) -> bool | None:
    """Return whether a run with this verdict is right: True, False, or None if that is not known.

    >>> verified("proved"), verified("consistent"), verified("contradicted")
    (True, None, False)
    """
    return True if verdict in {"proved", "right"} else False if verdict == "contradicted" else None


class Findings(NamedTuple):
    """The verdict on a run, and the figures behind it.

    Attributes:
        verdict: the verdict, in a word.
        because: the reason, in a clause.
        wrong: decided steps that contradict the truth; None if the task does not know it.
        single_differs: steps that the first sample alone would have decided otherwise.
        single_wrong: steps that the first sample alone would have decided wrongly; None if the task does not know the truth.
    """

    verdict: Verdict
    because: str
    wrong: int | None
    single_differs: int
    single_wrong: int | None


class RightPath:
    """The right answer at each step, as far as the task knows it.

    If the steps depend on each other, the right answers are known up to the first wrong answer, and further if that answer
    leads to the right state. Given answers are not compared. If `truth` fails, the truth counts as not known, and the run is
    not lost.

    Attributes:
        known: whether the task knows the right answer at each step that is voted on.
        failure: how `truth` failed, in a clause; empty if it did not.
    """

    def __init__(self, task: AnyTask) -> None:
        self._task = inside = guarded(task)
        self._truth = inside.truth if isinstance(inside, Known) else None
        self._state_at = inside.state_at if isinstance(inside, Located) else None
        self._dependent = not isinstance(inside, Skippable)
        self._astray = False
        self._ended = False
        self.known = self._truth is not None
        self.failure = ""

    def right(self, state: State, step: int) -> str | None:
        """Return the right candidate at `step`, from 1, in `state`; None if it is not known."""
        if self._truth is None or self._ended:
            return None
        try:
            if self._astray and not self._rejoined(state, step):
                self._ended = True
                return None
            self._astray = False
            return None if isinstance(self._task.at(state), Given) else self.voted_on(self._truth(state), state)
        except Exception as error:  # noqa: BLE001  the run does not need the truth
            self._ended, self.known = True, False
            self.failure = visible(str(failed(f"truth, at step {step:,},", error)))
            return None

    def voted_on(self, answer: JSON, state: State) -> str:
        """Return the candidate of `answer` in `state`; also for an answer that was given and not voted on."""
        key = getattr(self._task.at(state), "key", None)
        return candidate_of(answer if key is None else key(plain(answer)))

    def _rejoined(self, state: State, step: int) -> bool:
        return self._state_at is not None and plain(self._state_at(step - 1), own=True) == state

    def take(self, right: str | None, candidate: str | None) -> None:
        """Take note that a step ended with `candidate`, None if undecided, and that `right` is right, None if not known."""
        if self._dependent and right is not None and candidate not in {None, right}:
            self._astray = True


class Examiner:
    """Compares the steps of a run, one after the other, with the rules and the truth of its task."""

    def __init__(self, task: AnyTask) -> None:
        self._task = inside = guarded(task)
        self._total = total_of(task)
        self._check = inside.check if isinstance(inside, Checks) else None
        self._verify = inside.verify if isinstance(inside, Verifies) else None
        self._proved = 0
        self._goal = inside.goal if isinstance(inside, Goal) else None
        self._dependent = not isinstance(inside, Skippable)
        self._path = RightPath(task)
        self._steps = self._open = self._differs = 0
        self._broken = self._wrong = self._single_wrong = 0
        self._first_broken: tuple[int, str] | None = None
        self._first_wrong: int | None = None

    def see(self, decision: Decision, before: MakerOutput) -> None:
        """Take the next step; `before` is where the task stood before it.

        Raises:
            UsageError: the task's check or verifier fails, or returns something that it may not return.
        """
        self._steps += 1
        self._differs += not decision["first_agrees"]
        self._open += decision["status"] != "decided"
        self._hold_against_rules(decision, before["state"])
        self._hold_against_truth(decision, before["state"])

    def found(self, at: MakerOutput) -> Findings:
        """Return the verdict on the run, which has come to `at`.

        Raises:
            UsageError: the task's goal fails, or returns something other than True or False.
        """
        verdict, because = self._verdict(at)
        known = self._path.known
        return Findings(verdict, because, self._wrong if known else None, self._differs, self._single_wrong if known else None)

    def _hold_against_rules(self, decision: Decision, state: State) -> None:
        if decision["status"] != "decided" or (self._broken and self._dependent):
            return
        why = None if self._check is None else broken_rule(self._check, state, decision["answer"])
        if why is None and "proved" in decision:
            why = self._unproved(state, decision["answer"])
        if why is not None:
            self._broken += 1
            self._first_broken = self._first_broken or (self._steps, visible(why)[:MOST_SHOWN])

    def _unproved(self, state: State, answer: JSON) -> str | None:
        """Return why the verifier now says that a proved answer is wrong; None if it does not say so.

        Only proved answers are verified again, because a verifier may take seconds on an answer that it cannot prove.
        """
        found = None if self._verify is None else verification_of(self._verify, state, answer)
        if isinstance(found, str):
            return f"it was booked as proved, and the verifier now says: {found}" if found else "it was booked as proved"
        self._proved += isinstance(found, Valid) and found.conclusive
        return None

    def _hold_against_truth(self, decision: Decision, state: State) -> None:
        right = self._path.right(state, self._steps)
        if right is None:
            return
        given = decision["by"] in {"program", "world"}
        candidate = self._path.voted_on(decision["answer"], state) if given else decision["candidate"]
        if candidate is not None and candidate != right:
            self._wrong += 1
            self._first_wrong = self._first_wrong or self._steps
        self._single_wrong += (candidate if given else _single(decision)) != right
        self._path.take(right, candidate)

    def _verdict(self, at: MakerOutput) -> tuple[Verdict, str]:
        if against := list(self._contradictions(at)):
            return "contradicted", "; ".join(against)
        if not at["done"]:
            return "unfinished", f"{_of(self._steps, self._total)} are decided"
        if self._open:
            return "open", f"{_of(self._open, self._steps)} {'is' if self._open == 1 else 'are'} left open"
        return self._worth()

    def _worth(self) -> tuple[Verdict, str]:
        """Return the verdict on a run that is over, without open steps, and not contradicted."""
        if self._proved == self._steps and self._steps:
            return "proved", "the task's verifier proves every answer"
        if self._goal is not None and self._check is not None:
            return "proved", "every answer keeps the task's rules, and the goal is reached"
        if self._goal is not None:
            return "consistent", "the goal is reached; the task has no rules, so that does not prove the answers"
        if self._path.known:
            return "right", "every answer is the one that the task knows to be right"
        kept = "the task has no rules to check" if self._check is None else "every answer keeps the task's rules"
        nobody = f", because {self._path.failure}" if self._path.failure else ""
        return "consistent", f"{kept}, and nothing says that the answers are right{nobody}"

    def _contradictions(self, at: MakerOutput) -> Iterator[str]:
        """Yield each thing that speaks against the run, as a clause."""
        if self._first_broken is not None:
            step, why = self._first_broken
            yield f"{_against(self._broken, step)} a rule of the task{f' ({why})' if why else ''}"
        if self._first_wrong is not None and self._goal is None:
            yield f"{_against(self._wrong, self._first_wrong)} what the task knows to be right"
        if at["done"]:
            yield from self._missed(at)

    def _missed(self, at: MakerOutput) -> Iterator[str]:
        """Yield why the end of a run is not the end that was wanted."""
        if self._goal is not None:
            try:
                reached = self._goal(at["state"])
            except Exception as error:
                raise failed("goal", error) from error
            if not truth(f"{self._task.title}.goal", reached) and not self._open:
                yield "the goal is not reached"
        elif not truth(f"{self._task.title}.done", self._task.done(at["state"])):
            yield f"the task is not done after the {at['step']:,} steps that total() says"
        elif self._total not in {None, at["step"]}:
            yield f"the task is done after {at['step']:,} steps, and total() says {self._total:,}"


def _single(decision: Decision) -> str | None:
    """Return the candidate that the first sample of a step, alone, would have decided; None if it decides none."""
    first = next((vote for vote in (*decision["tried"], decision) if vote["sequence"]), None)
    if decision["first_agrees"] or first is None:
        return decision["candidate"]
    return next(iter(first["ballot"])) if isinstance(first["sequence"][0], int) else None


def _against(number: int, first: int) -> str:
    """Return a clause that says how many answers contradict something, and from which step on.

    >>> _against(1, 12), _against(15, 12)
    ('the answer of step 12 contradicts', '15 answers, the first of them at step 12, contradict')
    """
    if number == 1:
        return f"the answer of step {first:,} contradicts"
    return f"{number:,} answers, the first of them at step {first:,}, contradict"


def _of(number: int, total: int | None) -> str:
    """Return a number of steps, out of a total if that is known, in words.

    >>> _of(12, 31), _of(12, None)
    ('12 of 31 steps', '12 steps')
    """
    return f"{number:,} steps" if total is None else f"{number:,} of {total:,} steps"
