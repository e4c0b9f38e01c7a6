"""What a report shows of a run: counts and bins of its journal, made in one pass that keeps no list of steps.

A million steps are read in half a minute. What is kept of them fits on a page: histograms, `BINS` bins along the run, the
`CONTESTS` most contested votes, and at most `FRAMES` positions of the pegs. A run of up to `REPLAYED` steps is replayed as
well. If its task knows the truth, each vote is held against it. In longer runs the decided answer stands for the truth.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from maker_graph.core.guarding import guarded, total_of
from maker_graph.core.judging import Usage
from maker_graph.core.spending import Spent
from maker_graph.core.task import Skippable
from maker_graph.core.verdict import Verdict
from maker_graph.core.voting import MAX_TOKENS
from maker_graph.errors import DamagedRun, MakerError
from maker_graph.journal.entry import skim
from maker_graph.models.pricing import FlatPrice
from maker_graph.report.counting.bins import BinCounter, BinnedCounts
from maker_graph.report.counting.contests import Contest, ContestFinder
from maker_graph.report.counting.endings import EndingCounter, Endings
from maker_graph.report.counting.frames import FrameRecorder, Frames
from maker_graph.report.counting.parts import PartCounter, PartCounts
from maker_graph.report.counting.steps import counted_step
from maker_graph.report.counting.timing import Timing, timing_of
from maker_graph.report.counting.tree import TreeRecorder
from maker_graph.report.counting.truth import Lengths, Truth, VoteJudge
from maker_graph.report.counting.verifier import NOTHING_VERIFIED, VerifierCounter, VerifierCounts
from maker_graph.report.counting.walk import TruthWalk
from maker_graph.report.labels import label_sentences
from maker_graph.run.home import Run
from maker_graph.run.options import kept_options
from maker_graph.run.rungs import RungCounts, counted_rungs
from maker_graph.run.settings import Settings
from maker_graph.run.summary import kept_verdict, summary
from maker_graph.tasks.decompose import Node

REPLAYED = 100_000
"""The most steps of a run that is replayed and verified for the report."""


@dataclass(frozen=True, slots=True)
class ReportData:
    """All that a report shows of a run.

    Attributes:
        name: the name of the run.
        settings: what was asked for.
        steps: the committed steps.
        total: the steps of the task, if their number is known.
        dependent: whether a step's question needs the answers before it.
        done: whether the task is at its end; None if this is not known, because the task's code was not imported.
        verdict: what the run is worth, in a word of `core/verdict.py`; None if the run was not replayed.
        because: why, in a clause; empty if the run was not replayed.
        spent: what was used up, with the samples that were dropped.
        sessions: in how many sessions the run was made.
        list_price: USD that the calls of a simulated model would have cost; None if it has no price.
        samples: the samples of committed steps; all that follows is of committed steps too.
        votes: the samples without a red flag.
        outvoted: votes that lost.
        lost: replies that never came, for a reason that may depend on what they said.
        contested: steps on which a vote lost.
        rounds: parallel fan-outs.
        flags: red flag -> samples.
        by: sampler, or "person" -> steps decided.
        single_differs: steps whose first sample alone would not have given the decided answer.
        first_sample_wrong_at: the first of these steps.
        certificate: the certificate, as `certificate.as_json` returns it.
        parts: what each part of the task took; empty if there is only one.
        tree: the problems of a decomposition, each with its ballots; None for other tasks.
        labels: sentences on the labels of the run, and on its audits.
        rungs: what each rung of a cascade took; empty if there is no cascade.
        passed: open steps that are contested, and left to a person.
        verifier: what the task's verifier and its `key` did.
        plan: k, p, rho, p_full, samples, cost_usd, model_of_errors; each may be None.
    """

    name: str
    settings: Settings
    steps: int
    total: int | None
    dependent: bool
    done: bool | None
    verdict: Verdict | None
    because: str
    spent: Spent
    sessions: int
    list_price: float | None
    samples: int
    votes: int
    outvoted: int
    lost: int
    contested: int
    rounds: int
    flags: Mapping[str, int]
    by: Mapping[str, int]
    single_differs: int
    first_sample_wrong_at: int | None
    endings: Endings
    contests: Sequence[Contest]
    bins: BinnedCounts
    lengths: Lengths | None
    truth: Truth
    timing: Timing | None
    plan: Mapping[str, Any] | None
    certificate: Mapping[str, Any] | None
    frames: Frames | None
    parts: Sequence[PartCounts] = ()
    tree: Node | None = None
    labels: Sequence[str] = ()
    rungs: Sequence[RungCounts] = ()
    passed: int = 0
    verifier: VerifierCounts = NOTHING_VERIFIED


def collect(run: Run, certificate: Mapping[str, Any] | None = None) -> ReportData:
    """Return what a report shows of `run`.

    `certificate` is what `certificate.as_json` returns.

    Raises:
        DamagedRun: the journal was changed after it was written.
    """
    journal, settings = run.journal, run.settings
    task = run.task if run.has_task else None
    replayed = task is not None and journal.step <= REPLAYED
    total = None if task is None else total_of(task)
    done, verdict, because = _ended(run, total, replayed=replayed or task is None)
    walk, bins, endings = TruthWalk(task, replayed=replayed), BinCounter(journal.step), EndingCounter()
    contests, frames, parts, tree = ContestFinder(), FrameRecorder(task, journal.step), PartCounter(), TreeRecorder(task)
    verifier = VerifierCounter()
    replies = VoteJudge(settings.voting.output_cap or MAX_TOKENS, known=walk.known)
    adds = [part.add for part in (bins, endings, contests, replies, frames, parts, tree, walk, verifier)]
    for number, entry in journal.entries():
        try:
            seen = skim(entry)
            step = counted_step(number, seen, settings.leads.get(seen.part, settings.k), walk.truth(number))
            for add in adds:
                add(step)
        except MakerError:
            raise  # the journal is whole, and a function of the task failed
        except (ValueError, TypeError, LookupError, OverflowError) as error:
            raise DamagedRun(f"The journal is damaged at step {number}: {error}.", number) from error
    spent, pace = journal.account().spent, _note(run, "pace")
    return ReportData(
        name=run.home.name,
        settings=settings,
        steps=journal.step,
        total=total,
        dependent=not isinstance(None if task is None else guarded(task), Skippable),
        done=done,
        verdict=verdict,
        because=because,
        spent=spent,
        sessions=journal.owners(),
        list_price=_list_price(settings, spent),
        samples=sum(bins.samples),
        votes=endings.total("votes"),
        outvoted=sum(bins.outvoted),
        lost=endings.lost,
        contested=contests.number,
        rounds=endings.total("rounds"),
        flags={name: sum(counts) for name, counts in sorted(bins.flags.items())},
        by=endings.by(),
        single_differs=endings.single_differs,
        first_sample_wrong_at=endings.first_differs_at,
        endings=endings.endings(),
        contests=contests.found(),
        bins=BinnedCounts(bins.size, bins.steps, bins.samples, bins.outvoted, dict(sorted(bins.flags.items()))),
        lengths=replies.lengths(),
        truth=replies.truth(),
        timing=None if pace is None else timing_of(pace),
        plan=_note(run, "plan"),
        certificate=certificate,
        frames=frames.found(),
        parts=parts.parts(),
        tree=tree.root(),
        labels=label_sentences(journal),
        rungs=counted_rungs(settings, kept_options(journal), journal.decisions() if settings.cascade else ()),
        passed=sum(map(settings.passed, (decision for _, decision in journal.left_open()))),
        verifier=verifier.counts(),
    )


def _ended(run: Run, total: int | None, *, replayed: bool) -> tuple[bool | None, Verdict | None, str]:
    """Return whether the task is at its end, what the run is worth, and why; None if nobody knows."""
    if replayed:
        found = summary(run)
        return found["done"], found["verdict"], found["because"] or ""
    verdict, because = kept_verdict(run) or (None, "")
    return run.journal.step == total, verdict, because


def _note(run: Run, name: str) -> dict[str, Any] | None:
    text = run.journal.note(name)
    note = None if text is None else json.loads(text)
    return note if isinstance(note, dict) else None


def _list_price(settings: Settings, spent: Spent) -> float | None:
    if not settings.simulated:
        return None

    profile = settings.info.profile()
    price = FlatPrice(profile.input_price, profile.output_price)
    return price(Usage(input=spent.input, cached=spent.cached, output=spent.output)) or None
