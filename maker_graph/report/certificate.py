"""Certify a run from its ballots, without any truth: how likely it is that no step is wrong, and what that rests on.

The theory is in `statistics/likelihood.py` and `statistics/unlabelled.py`. It is applied in this way:

- A step that was decided by a vote is covered. Its ballot is judged by how often samples were wrong over the whole run.
- A step that climbed the ladder (`ladder.py`) is judged by all its votes together, with those of the sampler that got stuck,
  as if the higher rung were no better on this step than the sampler before it. This is pessimistic, because the rung is there
  as it may be better. But a vote that starts from zero would forget that the step is a hard one.
- A step that a person answered, or that was left open, is counted and is not covered. Its votes, if there are any, still count
  in how often samples are wrong. Without them the run would look easier than it was.
- A step whose answer was given, by the program or the world, is counted and is not covered.
- A step whose answer a verifier proved is counted and is not covered. It rests on the verifier, and not on how many samples
  agree. Its votes count in how often samples are wrong, as those of a person's step do. They end with the first proved one, so
  they show the wrong votes before it and hide the right ones that would have followed. This is pessimistic. Without them, only
  the steps on which no sample was right would be left, and on these the wrong votes agree.
- Each part of a task is judged by its own steps, because it asks another question (`parts.py`). Each rung of a cascade is
  judged by the steps that it voted on, those that it passed on included, because it is another sampler.
- With k = 1 one vote decides, and nothing can contradict it. Such ballots are no evidence: the chance is anything from 0 to 1.
- If copies were seen among the replies (`core/copies.py`), agreement is no evidence either, and no chance is given. Proven
  copies did not vote, but nobody can tell how many other votes are copies.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import asdict, dataclass, field, fields, replace
from typing import Any

from maker_graph.core.checks import whole
from maker_graph.core.copies import CopiesSeen
from maker_graph.core.decision import Decision, Vote
from maker_graph.errors import DamagedRun, UsageError
from maker_graph.journal.entry import GIVEN, decode, skim, unanimous
from maker_graph.statistics.estimation import Estimate
from maker_graph.statistics.likelihood import Tally
from maker_graph.statistics.unlabelled import fit

NOTHING_SEEN = CopiesSeen()

MOST_LISTED = 20
"""The number of the most contested steps that are listed."""

UNSEEN = (
    "Votes certify what the model says most often. If its samples err in the same way, they agree, and a certificate cannot "
    "see that. maker-graph audit can, with labels of steps that are drawn at random."
)
"""What no certificate can see, and which command can."""

_ASSUMED = (
    (
        "Each step has one right answer. Valid samples of a step err independently of each other, at a rate that belongs to "
        "the step. Over the steps, these rates follow a Beta distribution."
    ),
    (
        "Samples are right more often than wrong, and there is no group of steps on which they are nearly always wrong in the "
        "same way. Ballots cannot show such steps, because they look like steps on which all samples are right. Only a "
        "calibration can show them."
    ),
    "Whether wrong samples agree with each other has nothing to do with how hard the step is.",
)


@dataclass(frozen=True, slots=True)
class Ballots:
    """The ballots of a run, those with the same votes counted together.

    Attributes:
        steps: all steps of the run so far.
        decided: votes of the winner and of the others -> steps decided with these votes.
        undecided: votes, the most first -> steps that a person answered, that a verifier proved, or that were left open.
        contested: steps on which valid samples disagreed.
        higher: decided steps that climbed the ladder.
        person: steps that a person answered.
        open: steps that were left open.
        examples: the first steps with each contested ballot, and their decisions.
        lost: replies that never came, on all steps.
        copies: samples that were discarded as copies, on all steps.
        given: steps whose answer was given.
        proved: steps whose answer a verifier proved.
        merged: steps whose winner won only because `key` made one candidate of several answers.
    """

    steps: int
    decided: dict[Tally, int]
    undecided: dict[Tally, int]
    contested: int
    higher: int
    person: int
    open: int
    examples: dict[Tally, list[tuple[int, Decision]]]
    lost: int = 0
    copies: int = 0
    given: int = 0
    proved: int = 0
    merged: int = 0


@dataclass(frozen=True, slots=True)
class ContestedStep:
    """A step on which valid samples disagreed.

    Attributes:
        step: its number, from 1.
        by: the sampler that decided it.
        winner: the candidate that won.
        ballot: candidate -> votes, on all rungs of the ladder together.
        samples: the samples drawn for it, on all rungs.
        flags: red flag -> discarded samples, on all rungs.
        wrong: how likely it is that the winner is wrong, with the error rate, the correlation and the agreement that fit best.
    """

    step: int
    by: str
    winner: str
    ballot: dict[str, int]
    samples: int
    flags: dict[str, int]
    wrong: float


@dataclass(frozen=True, slots=True)
class Certificate:
    """What the ballots of a run show; intervals are at 95 %.

    Attributes:
        steps: all steps of the run.
        k: the lead that decided.
        covered: steps that were decided by votes; the chance is for these steps.
        higher: covered steps that climbed the ladder.
        person: steps that a person answered; not covered.
        open: steps that were left open; not covered.
        given: steps whose answer was given, by the program or the world; not covered.
        lost: replies that never came, for a reason that may depend on what they said; each counts as a vote for the runner-up.
        copies: samples that were discarded because they were copies of earlier replies.
        refused: why no chance is given, in a sentence; `chance` is then anything from 0 to 1. Empty if a chance is given.
        contested: steps on which valid samples disagreed.
        error: the share of wrong samples that fits the ballots; None if the ballots are no evidence.
        rho: the correlation of the errors of two samples of one step; None as for `error`.
        agreement: how often two wrong samples of one step agree; None as for `error`.
        chance: the chance that no covered step is wrong.
        assumptions: what all this rests on, in sentences.
        contested_steps: contested steps, the ones most likely wrong first, at most `MOST_LISTED`.
        parts: name -> certificate of each part that was voted on, for a task of several parts; see `parts.py`.
        proved: steps whose answer a verifier proved; not covered.
        merged: steps whose winner won only because `key` made one candidate of several answers.
    """

    steps: int
    k: int
    covered: int
    higher: int
    person: int
    open: int
    given: int
    lost: int
    copies: int
    refused: str
    contested: int
    error: Estimate | None
    rho: Estimate | None
    agreement: Estimate | None
    chance: Estimate
    assumptions: list[str]
    contested_steps: list[ContestedStep]
    parts: "dict[str, Certificate]" = field(default_factory=dict)
    proved: int = 0
    merged: int = 0


def ballots_of(decisions: Iterable[Decision]) -> Ballots:
    """Return the ballots of a run, from its decisions in order: one pass, in little memory."""
    counter = _Counter()
    for step, decision in enumerate(decisions, start=1):
        counter.see(step, decision)
    return counter.ballots()


def ballots_in(entries: Iterable[tuple[int, str]], *, by_rung: bool = False) -> dict[str, Ballots]:
    """Return the ballots of each part of a run, by name, from the entries of its journal; it is faster than `ballots_of`.

    The only part of a task without parts has an empty name. With `by_rung`, each rung of a part is counted by itself, as
    "base", "rung 2" and so on.

    Raises:
        DamagedRun: an entry cannot be read.
    """
    parts: defaultdict[str, _Counter] = defaultdict(_Counter)
    for step, entry in entries:
        alike = None if '"copy"' in entry else unanimous(entry)
        if alike is not None:
            votes, part = alike
            parts[_named(part, "base") if by_rung else part].agreed(votes)
            continue
        try:
            seen = skim(entry)
            if seen.votes[-1].by in GIVEN:
                parts[seen.part].given += 1
            elif by_rung:
                decision = decode(entry)
                for vote in decision["tried"]:
                    parts[_named(seen.part, vote["by"])].passed(vote)
                last = decision["tried"][-1]["by"] if decision["by"] == "person" else decision["by"]
                parts[_named(seen.part, last)].see(step, {**decision, "tried": []})
            else:
                parts[seen.part].see(step, decode(entry))
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise DamagedRun(f"The journal is damaged at step {step}: {error}.", step) from error
    return {part: counter.ballots() for part, counter in parts.items()}


def _named(part: str, rung: str) -> str:
    return f"{part}, {rung}" if part else rung


@dataclass(slots=True)
class _Counter:
    """Counts the ballots of a part; the attributes are those of `Ballots`."""

    decided: Counter[Tally] = field(default_factory=Counter)
    undecided: Counter[Tally] = field(default_factory=Counter)
    examples: dict[Tally, list[tuple[int, Decision]]] = field(default_factory=dict)
    steps: int = 0
    contested: int = 0
    higher: int = 0
    person: int = 0
    open: int = 0
    lost: int = 0
    copies: int = 0
    given: int = 0
    proved: int = 0
    merged: int = 0

    def agreed(self, votes: int) -> None:
        """Take a step on which all valid samples agreed."""
        self.steps += 1
        self.decided[votes,] += 1

    def see(self, step: int, decision: Decision) -> None:
        """Take any step."""
        if decision["by"] in GIVEN:
            self.given += 1
            return
        self.steps += 1
        self.merged += decision.get("merged", False)
        ballot = _all_votes(decision) if decision["tried"] else decision["ballot"]
        self.contested += len(ballot) > 1
        missing = sum(vote.get("lost", 0) for vote in (*decision["tried"], decision))
        self.lost += missing
        self.copies += sum(vote["flags"].get("copy", 0) for vote in (*decision["tried"], decision))
        if "proved" in decision or decision["status"] != "decided" or decision["by"] == "person":
            self.proved += "proved" in decision
            self.open += decision["status"] != "decided"
            self.person += decision["status"] == "decided" and decision["by"] == "person"
            self._not_won(ballot)
            return
        tally = _tally(ballot, decision["candidate"], missing)
        self.decided[tally] += 1
        self.higher += bool(decision["tried"])
        if len(tally) > 1 and self.decided[tally] <= MOST_LISTED:
            self.examples.setdefault(tally, []).append((step, decision))

    def passed(self, vote: Vote) -> None:
        """Take the vote of a rung that did not decide; the step itself is counted where it ended."""
        self.lost += vote.get("lost", 0)
        self.copies += vote["flags"].get("copy", 0)
        self._not_won(vote["ballot"])

    def _not_won(self, ballot: Mapping[str, int]) -> None:
        """Take votes that did not decide their step by their number."""
        if ballot:
            self.undecided[tuple(sorted(ballot.values(), reverse=True))] += 1

    def ballots(self) -> Ballots:
        """Return what was counted."""
        counted = {each.name: getattr(self, each.name) for each in fields(Ballots)}
        return Ballots(
            **{
                **counted,
                "steps": self.steps + self.given,
                "decided": dict(self.decided),
                "undecided": dict(self.undecided),
            }
        )


def certify(ballots: Ballots, k: int, seen: CopiesSeen = NOTHING_SEEN) -> Certificate:
    """Return what the ballots of a run show; `k` is the lead that decided it, and `seen` is what was seen of copies.

    Raises:
        UsageError: k is out of range, or no step was decided by a vote.
    """
    whole("k", k)
    covered = sum(ballots.decided.values())
    if not covered:
        raise nothing_to_certify([ballots])
    copies = max(ballots.copies, seen.proven)
    refused = _refusal(copies, seen)
    found = fit(ballots.decided, ballots.undecided) if k > 1 and not refused else None
    return Certificate(
        steps=ballots.steps,
        k=k,
        covered=covered,
        higher=ballots.higher,
        person=ballots.person,
        open=ballots.open,
        given=ballots.given,
        proved=ballots.proved,
        merged=ballots.merged,
        lost=ballots.lost,
        copies=copies,
        refused=refused,
        contested=ballots.contested,
        error=found and found.error,
        rho=found and found.rho,
        agreement=found and found.agreement,
        chance=Estimate(0.0, 0.0, 1.0) if found is None else found.chance,
        assumptions=[] if refused else list(_assumptions(ballots, k, seen)),
        contested_steps=[] if found is None else _most_contested(ballots, found.wrong),
    )


def as_json(certificate: Certificate) -> dict[str, Any]:
    """Return the certificate as plain JSON; an estimate is an object with `value`, `low` and `high`, or null."""
    estimates = {name: getattr(certificate, name) for name in ("error", "rho", "agreement", "chance")}
    parts = {name: as_json(part) for name, part in certificate.parts.items()}
    plain = {name: None if each is None else each._asdict() for name, each in estimates.items()}
    return asdict(replace(certificate, parts={})) | plain | {"parts": parts}


def _all_votes(decision: Decision) -> dict[str, int]:
    """Return the votes of all rungs together."""
    return dict(sum((Counter(vote["ballot"]) for vote in decision["tried"]), Counter(decision["ballot"])))


def _tally(ballot: dict[str, int], winner: str | None, lost: int) -> Tally:
    """Return the votes of the winner and of the others; lost replies count as votes for the runner-up."""
    others = sorted((votes for candidate, votes in ballot.items() if candidate != winner), reverse=True)
    if lost:
        others = [others[0] + lost, *others[1:]] if others else [lost]
    return (ballot[winner or ""], *others)


def _most_contested(ballots: Ballots, wrong: dict[Tally, float]) -> list[ContestedStep]:
    """Return the steps whose winners are most likely wrong; of steps with the same votes, the first ones."""
    ranked = sorted(ballots.examples.items(), key=lambda item: (-wrong[item[0]], item[1][0][0]))
    return [_contested(step, decision, wrong[tally]) for tally, examples in ranked for step, decision in examples][:MOST_LISTED]


def _contested(step: int, decision: Decision, wrong: float) -> ContestedStep:
    votes = [*decision["tried"], decision]
    return ContestedStep(
        step=step,
        by=decision["by"],
        winner=decision["candidate"] or "",
        ballot=_all_votes(decision),
        samples=sum(vote["samples"] for vote in votes),
        flags=dict(sum((Counter(vote["flags"]) for vote in votes), Counter())),
        wrong=wrong,
    )


def _refusal(copies: int, seen: CopiesSeen) -> str:
    """Return why the votes are no evidence because copies were seen; empty if no copies were seen."""
    if copies:
        those = (
            "A sample was the copy of an earlier reply" if copies == 1 else f"{copies:,} samples were copies of earlier replies"
        )
        return (
            f"{those}: a cache answered in the model's place. These did not vote, but nobody can tell how many of the votes "
            "are copies too."
        )
    if seen.varied is False:
        return (
            "Before the first step the model gave the same reply, word for word, to a question whose answer is left to chance. "
            "So the votes of a step may be copies of one vote."
        )
    return ""


def _assumptions(ballots: Ballots, k: int, seen: CopiesSeen) -> Iterator[str]:
    if k == 1:
        yield (
            "With k = 1 each step was decided by one vote, which nothing can contradict. So the ballots are no evidence, and "
            "the chance that no step is wrong lies anywhere from 0 to 1."
        )
    else:
        yield from _ASSUMED
    if seen.suspected:
        yield (
            f"No cache answered in the model's place, although {seen.same:,} of {seen.compared:,} long replies were the same "
            "as an earlier one of their step."
        )
    if ballots.higher:
        yield (
            f"{_steps(ballots.higher)} decided on a higher rung of the ladder. All votes on such a step are counted together, "
            "as if the rung were no better on it than the sampler that got stuck."
        )
    if ballots.person:
        yield f"{_steps(ballots.person)} answered by a person, and not covered: the chance is for the other steps."
    if ballots.lost:
        yield (
            f"{ballots.lost:,} replies were lost to time-outs and the like. What they would have said is not known, so each "
            "counts as a vote for the runner-up of its step."
        )
    yield from beside_votes([ballots])
    if ballots.open:
        yield f"{_steps(ballots.open)} left open, and not covered: the chance is for the other steps."


def beside_votes(ballots: Sequence[Ballots]) -> Iterator[str]:
    """Yield sentences on steps whose answers are known although no vote decided them, and on steps won through `key`."""
    if given := sum(each.given for each in ballots):
        yield f"{_steps(given)} answered by the program or the world, and not covered: nobody voted on them."
    if proved := sum(each.proved for each in ballots):
        yield (
            f"{_steps(proved)} proved by the task's verifier, and not covered: their answers are as sure as the verifier is, "
            "however many samples agree."
        )
    if merged := sum(each.merged for each in ballots):
        yield (
            f"On {merged:,} {'step' if merged == 1 else 'steps'} the winner has the most votes only because several answers "
            "count as one. The task's key must put answers together only if they mean the same."
        )


def nothing_to_certify(ballots: Iterable[Ballots]) -> UsageError:
    """Return the error for a run in which no vote decided anything."""
    proved = sum(each.proved for each in ballots)
    beside = f" The task's verifier proved {proved:,}: maker-graph verify asks it again." if proved else ""
    return UsageError(f"No step of this run was decided by a vote: there is nothing to certify.{beside}")


def _steps(number: int) -> str:
    return "One step was" if number == 1 else f"{number:,} steps were"
