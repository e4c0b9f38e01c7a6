"""A run in figures, and what it is worth.

For this the run is replayed from its journal by the task's rules, without a model. The verdict can be kept with the
run, so that a look at it need not replay it.
"""

import json
from collections import Counter
from collections.abc import Callable, Mapping
from typing import NamedTuple

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.checks import failed
from maker_graph.core.guarding import total_of
from maker_graph.core.judging import Usage
from maker_graph.core.machine import MakerOutput, Totals, added, digest_after, no_totals
from maker_graph.core.spending import Spent
from maker_graph.core.task import Concludes
from maker_graph.core.verdict import Examiner, Findings, Verdict, verified
from maker_graph.run.home import Run
from maker_graph.run.options import kept_options
from maker_graph.run.rungs import RungCounts, counted_rungs
from maker_graph.run.stuck import Stuck, kept_stuck

LONG = 20_000
"""With so many steps or more, a replay takes seconds, and the user is told of it."""

GIVERS = ("program", "world", "person")
"""Who gives an answer without a vote that decides."""

_OPEN = "open"

_VERDICT = "verdict"
"""The name of the note with the verdict."""


class Drafts(TypedDict):
    """The drafts of a run with lookahead.

    Attributes:
        calls: how many were made.
        tokens: the tokens of these calls.
        cost_usd: their part of the run's cost; None if a price is not known.
    """

    calls: int
    tokens: Usage
    cost_usd: float | None


class Summary(TypedDict):
    """A run in figures: what `--json` prints, the same for run, resume, status and verify.

    Without the run's task nothing is replayed. Then `total`, `done`, `verdict`, `because`, `verified`, `wrong`,
    `single_wrong` and `digest` are None. Votes, rounds and the like are those of committed steps. Samples, tokens and
    cost are all that were drawn and paid for.

    Attributes:
        run: the name of the run.
        task: the name of its task.
        model: the run's own model.
        simulated: whether all its models are simulated.
        steps: committed steps.
        total: the steps of the whole task; None if the task does not say.
        done: whether nothing is left to do.
        verdict: what the run is worth, in a word of `core/verdict.py`.
        because: the reason for the verdict, in a clause.
        verified: True for proved and right, False for contradicted, None otherwise.
        wrong: decided steps that contradict the truth; None if the task does not know it. If steps depend on each
            other, the steps after a wrong one are compared only if its answer led to the right state all the same.
        result: what the task came to, by its `result(state)`. None before its end, and if the task has no such
            function.
        k: the lead that decides.
        leads: part -> the lead that decides it, if the task has several voted parts.
        samples: samples that were drawn, also for steps that were not decided.
        votes: samples that were kept.
        outvoted: votes for another candidate than the winner.
        first_sample_wrong_at: the first of the steps that `single_differs` counts; None if there is none.
        single_differs: steps whose first sample alone does not give the decided answer.
        single_wrong: steps that the first sample alone would have decided wrongly, compared with the truth as for
            `wrong`.
        rounds: parallel rounds of samples.
        flags: red flag -> discarded samples, also those of the step that is `stuck`.
        tokens: the tokens of all samples.
        cost_usd: USD that were spent, not what simulated models would have cost. None if a price is not known.
        seconds: how long the run was at work.
        digest: one hash over the start and all answers.
        drafts: the drafts of a run with lookahead.
        dropped: samples that belong to no committed step. Their state was drafted wrong, or a session ended before
            their step was committed.
        lost: replies that never came, for a reason that may depend on what they said.
        sessions: how many sessions worked on the run, the first one included.
        stuck: the step on which the run last stopped undecided; None if there is none, or if it has been decided since.
        rule: the rule that decides, in words.
        passed: open steps that are contested. No model votes on them again.
        rungs: what each rung of the cascade did; empty without a cascade.
        proved: steps whose answer the task's verifier proved.
        standings: "proved", "valid", "unknown" -> votes of which the verifier says so. Samples that it calls invalid
            are in `flags`.
        merged: steps whose winner won only because the task's `key` makes one candidate of several answers.
        given: "program", "world" or "person" -> steps whose answer it gave, without a vote that decided.
        open: steps that are left open.
    """

    run: str
    task: str
    model: str
    simulated: bool
    steps: int
    total: int | None
    done: bool | None
    verdict: Verdict | None
    because: str | None
    verified: bool | None
    wrong: int | None
    result: JSON
    k: int
    leads: dict[str, int]
    samples: int
    votes: int
    outvoted: int
    first_sample_wrong_at: int | None
    single_differs: int
    single_wrong: int | None
    rounds: int
    flags: dict[str, int]
    tokens: Usage
    cost_usd: float | None
    seconds: float
    digest: str | None
    drafts: Drafts
    dropped: int
    lost: int
    sessions: int
    stuck: Stuck | None
    rule: str
    passed: int
    rungs: list[RungCounts]
    proved: int
    standings: dict[str, int]
    merged: int
    given: dict[str, int]
    open: int


def summary(run: Run, progress: Callable[[int], None] = lambda _: None) -> Summary:
    """Replay a run from its journal by the task's rules, without a model. Return its figures, and what it is worth.

    A million steps take a minute or two. `progress` is called with the step, every thousand steps.

    If the task of the run does not ship and is not loaded, the steps are only counted, and their hashes checked.

    Raises:
        DamagedRun: the journal was changed since it was written.
    """
    found = _replayed(run, progress) if run.has_task else _counted(run, progress)
    totals, findings, settings = found.totals, found.findings, run.settings
    spent, stuck = run.journal.account().spent, kept_stuck(run.journal)
    priced = _all_priced(run, spent)

    def cost(usd: float) -> float | None:
        return round(usd, 6) if priced else None

    return Summary(
        run=run.home.name,
        task=settings.task,
        model=settings.model,
        simulated=settings.simulated,
        steps=found.steps,
        total=total_of(run.task) if run.has_task else None,
        done=found.done,
        verdict=findings and findings.verdict,
        because=findings and findings.because,
        verified=findings and verified(findings.verdict),
        wrong=findings and findings.wrong,
        result=found.result,
        k=settings.k,
        leads=settings.leads,
        samples=max(spent.samples, totals["samples"]),
        votes=totals["votes"],
        outvoted=totals["outvoted"],
        first_sample_wrong_at=totals["first_sample_wrong_at"],
        single_differs=found.single_differs,
        single_wrong=findings and findings.single_wrong,
        rounds=totals["rounds"],
        flags=_sum(totals["flags"], {} if stuck is None else stuck["flags"]),
        tokens=Usage(input=spent.input, cached=spent.cached, output=spent.output),
        cost_usd=cost(spent.cost),
        seconds=round(spent.seconds, 3),
        digest=found.digest,
        drafts=Drafts(
            calls=spent.drafts,
            tokens=Usage(input=spent.draft_input, cached=spent.draft_cached, output=spent.draft_output),
            cost_usd=cost(spent.draft_cost),
        ),
        dropped=max(0, spent.samples - totals["samples"]),
        lost=totals.get("lost", 0),
        sessions=run.journal.owners(),
        stuck=stuck,
        rule=str(settings.voting.rule),
        passed=sum(map(settings.passed, (decision for _, decision in run.journal.left_open()))),
        rungs=counted_rungs(settings, kept_options(run.journal), run.journal.decisions() if settings.cascade else ()),
        proved=totals.get("proved", 0),
        standings=totals.get("standings", {}),
        merged=totals.get("merged", 0),
        given={by: found.given[by] for by in GIVERS if found.given[by]},
        open=found.given[_OPEN],
    )


def keep_verdict(run: Run, found: Summary) -> None:
    """Keep the verdict of a run in a note of its journal, for those who look at it later without a replay.

    Raises:
        LimitReached: the disk is full.
    """
    kept = {name: found[name] for name in ("steps", "verdict", "because")}
    text = json.dumps({**kept, "amended": run.journal.account().amended})
    if run.journal.note(_VERDICT) != text:
        run.journal.set_note(_VERDICT, text)


def kept_verdict(run: Run) -> tuple[Verdict, str] | None:
    """Return the kept verdict and its reason; None if none was kept, or if the run has changed since."""
    note = run.journal.note(_VERDICT)
    kept = {} if note is None else json.loads(note)
    now = (run.journal.step, run.journal.account().amended)
    return (kept["verdict"], kept["because"]) if (kept.get("steps"), kept.get("amended")) == now else None


class _Found(NamedTuple):
    """What the steps of a journal say. The fields with a default need a replay, and keep the default without one."""

    steps: int
    totals: Totals
    single_differs: int
    given: Counter[str]
    done: bool | None = None
    findings: Findings | None = None
    digest: str | None = None
    result: JSON = None


def _replayed(run: Run, progress: Callable[[int], None]) -> _Found:
    at, examiner = run.machine.begin(), Examiner(run.task)
    amended = run.journal.amendments()
    digest, totals, given = at["digest"], at["totals"], Counter[str]()
    for committed, before, after in run.journal.replay(run.machine):
        at, decision = after, amended.get(after["step"], committed)
        if amended:  # else both are those of the replay
            digest, totals = digest_after(digest, at["step"], decision), added(totals, decision, at["step"])
        examiner.see(decision, before)
        given[decision["by"] if decision["status"] == "decided" else _OPEN] += 1
        if at["step"] % 1000 == 0:
            progress(at["step"])
    if not amended:
        digest, totals = at["digest"], at["totals"]
    findings = examiner.found(at)
    task = run.machine.task
    result = _result(task, at) if isinstance(task, Concludes) and at["done"] else None
    return _Found(at["step"], totals, findings.single_differs, given, at["done"], findings, digest, result)


def _counted(run: Run, progress: Callable[[int], None]) -> _Found:
    run.journal.check(run.journal.step)
    step, differs, totals, given = 0, 0, no_totals(), Counter[str]()
    for step, decision in enumerate(run.journal.decisions(), start=1):
        totals = added(totals, decision, step)
        differs += not decision["first_agrees"]
        given[decision["by"] if decision["status"] == "decided" else _OPEN] += 1
        if step % 1000 == 0:
            progress(step)
    return _Found(step, totals, differs, given)


def _result(task: Concludes, at: MakerOutput) -> JSON:
    try:
        return plain(task.result(at["state"]), own=True)
    except Exception as error:
        raise failed("result", error) from error


def _all_priced(run: Run, spent: Spent) -> bool:
    """Say whether the price of every call is known.

    maker_graph 0.1.0 did not count calls without a known price. They are assumed if nothing was spent, though samples
    were drawn from a model that does not ship, and no price was given.
    """
    known = spent.cost or not spent.samples or run.settings.info.ships or kept_options(run.journal).price is not None
    return not spent.unpriced and bool(known)


def _sum(flags: Mapping[str, int], more: Mapping[str, int]) -> dict[str, int]:
    return {name: flags.get(name, 0) + more.get(name, 0) for name in sorted({*flags, *more})}
