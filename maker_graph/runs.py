"""A run in Python: all that the command line can do with one.

    run = Run.create("runs/mine", Hanoi(disks=5), model="openai:gpt-4.1-mini", k=3, max_cost=2.0)
    result = run.solve()
    print(run.certify())

It stands above every other room but the command line, which is a thin user of it. Each function imports what it alone needs:
who looks at a run waits for neither LangGraph nor numpy.
"""

import asyncio
import json
from collections.abc import AsyncGenerator, Callable, Iterator, Mapping, Sequence
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Literal, Self, Unpack

from typing_extensions import TypedDict

from maker_graph.core.canonical import JSON
from maker_graph.core.copies import NOTE, CopiesSeen
from maker_graph.core.decision import Decision
from maker_graph.core.emitting import Emit, emit_of
from maker_graph.core.guarding import AnyTask, guarded, total_of
from maker_graph.core.items import Items
from maker_graph.core.machine import Committed, MakerOutput
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, Temperature, Voting
from maker_graph.errors import MakerError, UsageError
from maker_graph.extras import need_plan_extra
from maker_graph.files import OwnFiles
from maker_graph.journal.sqlite.database import Fsync
from maker_graph.models.names import PATIENCE, info_of
from maker_graph.run import home as homes
from maker_graph.run.cascades import CascadeFile, ChosenCascade, read_cascade, rungs_of
from maker_graph.run.directory import Directory, Summary, keep_verdict, summary
from maker_graph.run.left_answers import Reply
from maker_graph.run.options import RunOptions, kept_options
from maker_graph.run.own_files import note_of, own_files
from maker_graph.run.preflight import expected_of, see_alone, see_models, see_results
from maker_graph.run.provenance import Provenance
from maker_graph.run.results import write_out
from maker_graph.run.review import OpenItem, Reviewed, answer_items, count_open, open_items
from maker_graph.run.settings import Settings, new_settings
from maker_graph.run.traces import Trace
from maker_graph.run.votings import NO_LADDER, LadderSettings
from maker_graph.statistics.audit import CONFIDENCE
from maker_graph.statistics.forecast import TARGET
from maker_graph.tasks.loading import LoadedTask, described

if TYPE_CHECKING:
    from maker_graph.calibration.estimates import ModelEstimates
    from maker_graph.graph.cascade import Rung
    from maker_graph.models.calls import Call
    from maker_graph.models.gate import Gate
    from maker_graph.report.certificate import Certificate
    from maker_graph.run.auditing import Audit
    from maker_graph.run.label_lines import Use
    from maker_graph.run.labelling import Ask, Labelled, Labelling


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """One committed step of a run.

    Attributes:
        step: its number, from 1.
        decision: how it ended: ballot, samples, flags, rounds, usage, earlier rungs; see `Decision`.
    """

    step: int
    decision: Decision

    @property
    def answer(self) -> JSON:
        """The decided answer; None if the step was left open."""
        return self.decision["answer"]

    @property
    def ballot(self) -> dict[str, int]:
        """Candidate -> votes, of the rung that ended the step."""
        return self.decision["ballot"]

    @property
    def samples(self) -> int:
        """How many samples were drawn, on all rungs."""
        return sum(vote["samples"] for vote in (*self.decision["tried"], self.decision))

    @property
    def flags(self) -> dict[str, int]:
        """Red flag -> discarded samples, of the rung that ended the step."""
        return self.decision["flags"]


class Solving(TypedDict, total=False):
    """How a run goes on. Each of these settings may differ from one session to the next.

    Attributes:
        answer: a person's reply to the step that waits for one, as a model would give it.
        max_cost: USD; the run stops before more are spent. It is kept, like all up to `out`.
        max_calls: requests, failed ones included.
        max_minutes: at work.
        max_steps: of the task. It is kept like the others, and None leaves it as it was.
        max_samples: a vote that needs more samples is undecided.
        price: USD per million tokens, "input,output", if not the list price; of several models "model=input,output; ...".
        lookahead: microsteps in flight at once, or "auto".
        draft_model: who drafts; the run's own model if None.
        on_doubt: an action on the world that was begun and not committed: "again" performs it again, "ask" stops and asks.
        out: where a task that has results writes them.
        provenance: where it is told of each item how it ended.
        force: files of the user's that stand there may be replaced, as they are now.
        concurrency: samples in flight at once.
        rpm: requests per minute at most.
        gate: what all requests go through, where several runs share one; its rate is its own, so `rpm` is refused beside it.
        timeout: seconds after which a request is given up and made again; "auto" follows what replies take; see `Calls`.
        patience: seconds for which an outage of the provider is waited out.
        batch: ask for the samples of a round in one request, where a model takes that; see `Calls`.
        trace: what LangSmith is shown; None follows LANGSMITH_TRACING.
        probe: ask a real model three small questions before the first step, which are counted and paid for as any request:
            whether the answers differ shows whether a cache answers in its place. On if left out.
        retry_open: vote once more on the items that are open at the end, with other samples; what is decided then amends them.
        wait: where only a person can go on, wait for the answer that `maker-graph watch` takes, in place of ending.
        progress: told where the task stands after each commit.
        record: told of every prompt and reply.
        warn: told what went wrong without stopping the run.
    """

    answer: str | None
    max_cost: float | None
    max_calls: int | None
    max_minutes: float | None
    max_steps: int | None
    max_samples: int | None
    price: str | None
    lookahead: int | Literal["auto"] | None
    draft_model: str | None
    on_doubt: Literal["again", "ask"] | None
    out: Path | None
    provenance: Path | None
    force: bool
    concurrency: int | None
    rpm: float | None
    gate: "Gate"
    timeout: float | Auto
    patience: float
    batch: bool
    trace: Trace | None
    probe: bool
    retry_open: bool
    wait: bool
    progress: Callable[[MakerOutput], None]
    record: "Callable[[Call], None] | None"
    warn: Callable[[str], None]


class Run:
    """A run in a directory, or in a database of journals: it survives a crash, and goes on where it stopped.

    Opening it claims nothing: `solve` makes this process its owner, and any other one stops then. Use it as a context manager,
    or `close` it. A run belongs to the thread that opened it.

    Attributes:
        settings: what was asked for.
        plan: what was expected of it before its first call; None if too little was known of the model.
    """

    def __init__(self, opened: homes.Run, stack: ExitStack) -> None:
        self._opened = opened
        self._stack = stack

    @classmethod
    def create(
        cls,
        path: str | Path | homes.Home,
        task: AnyTask | LoadedTask,
        *,
        journal: str | None = None,
        model: str | Mapping[str, str] | None = None,
        k: int | Auto | Mapping[str, int | Auto] = "auto",
        within: int | None = None,
        cascade: "str | Path | CascadeFile | Sequence[Rung] | ChosenCascade | None" = None,
        target: float = TARGET,
        calibration: str | Path | Mapping[str, str | Path] | None = None,
        temperature: Temperature | Auto = "auto",
        max_tokens: int | Auto | None = "auto",
        max_samples: int = MAX_SAMPLES,
        stuck_after: int = STUCK_AFTER,
        seed: int | Auto | None = "auto",
        check: bool = True,
        variants: bool = False,
        stop: Sequence[str] = (),
        structured: bool = False,
        emit: Emit | str | bool | None = None,
        retry_temperature: float | None = 1.0,
        rephrase: bool = True,
        escalate: str | None = None,
        max_cost: float | None = None,
        max_calls: int | None = None,
        max_minutes: float | None = None,
        max_steps: int | None = None,
        price: str | None = None,
        lookahead: int | Auto | None = None,
        draft_model: str | None = None,
        on_doubt: Literal["again", "ask"] = "again",
        out: str | Path | None = None,
        provenance: str | Path | None = None,
        force: bool = False,
        fsync: Fsync = "full",
        warn: Callable[[str], None] = lambda _: None,
    ) -> Self:
        """Make a new run, and open it. Nothing is asked of a model yet.

        Args:
            path: the directory; it must not exist. With `journal` the name of the run there; or a `Home`, which says all of it.
            task: what is to be done.
            journal: the address of a database of journals, like postgresql://HOST/DATABASE, which other machines reach: the run
                is made there, and nothing of it on this machine. It needs pip install 'maker-graph[fleet]'.
            model: `provider:model`, `sim:PROFILE` or `tiny`; left out with a `cascade`. For a task of parts also a mapping from
                each voted part to one.
            k: the lead that decides; "auto" plans for `target` if enough is known of the model, and is 3 otherwise. For a task
                of parts also a mapping from names of voted parts.
            within: so many votes at most; a step that nobody can win within them is contested, and passed on: it is left open
                for a person, and no model votes on it again.
            cascade: in place of model, k, within, temperature and the ladder: a file of `maker-graph run --cascade`, or a list
                of `Rung`s whose models are named, or what `choose_by_labels` has chosen. What one rung does not decide goes to
                the next.
            target: for k="auto", the chance that no step is wrong.
            calibration: what is known of the model: the file that `maker-graph calibrate` wrote; for a task of parts a mapping
                from the name of a part to its file.
            temperature: of the first sample and of the others, or one for all; None sends none; "auto" is what suits the model.
            max_tokens: the output cap of a sample; None sends none; "auto" is what suits the model.
            max_samples: a vote that needs more samples is undecided.
            stuck_after: and so is one with so many red flags in a row at its end; then it climbs the ladder.
            seed: for samples that can be repeated; None sends none; "auto" is 1 for models that ship, and none for others.
            check: whether answers that break the task's rules are discarded.
            variants: whether each sample is asked one of the equivalent questions that the task's `variants(state)` returns.
            stop: texts at which a reply ends, none of which it holds; not all models take them.
            structured: whether the answer's JSON schema is sent along, where model and answer have one.
            emit: form apart from answer: the model reasons freely, and a second, short call writes each answer down. True is
                the same model, a name another one, `Emit(...)` says more.
            retry_temperature: the first rung of the ladder: the temperature of a stuck step's next samples; None leaves it out.
            rephrase: the second rung: the task's prompt in other words, if it has one.
            escalate: the third rung: a stronger model.
            max_cost: USD; the run stops before more are spent.
            max_calls: requests, failed ones included.
            max_minutes: at work.
            max_steps: of the task; None is as many as it says, and 10,000,000 if it does not.
            price: USD per million tokens, "input,output", if not the list price; of several models "model=input,output; ...".
            lookahead: microsteps in flight at once, or "auto". By default one, or as many independent items as `concurrency`
                allows.
            draft_model: who drafts; the model itself if None.
            on_doubt: an action on the world that was begun and not committed: "again" performs it again, "ask" stops and asks.
            out: where a task that has results writes them.
            provenance: where it is told of each item how it ended: JSON Lines, see `run/provenance.py`.
            force: files of the user's that stand there may be replaced, as they are now.
            fsync: "full": each step is on disk before the next; "normal": a power cut may cost the last steps.
            warn: told what is worth knowing about the calibration.

        Raises:
            UsageError: a setting is wrong, or the directory cannot be used; nothing was made.
            OutOfReach: the database cannot be reached.
        """
        from maker_graph.calibration.leads import Said, planned_votes

        loaded = described(task)
        asked = Voting(
            k=1,  # until it is planned
            temperature=temperature,
            max_tokens=max_tokens,
            max_samples=max_samples,
            stuck_after=stuck_after,
            seed=_seed(model) if seed == "auto" else seed,
            check=check,
            variants=variants,
            stop=stop,
            structured=structured,
            emit=emit_of(emit),
        )
        estimates, expected = None, dict[str, str]()
        if isinstance(cascade, ChosenCascade):
            expected, cascade = dict(cascade.notes), cascade.cascade
        if cascade is not None:
            see_alone(
                model=(model, None),
                k=(k, "auto"),
                within=(within, None),
                calibration=(calibration or None, None),
                target=(target, TARGET),
                temperature=(temperature, "auto"),
                max_tokens=(max_tokens, "auto"),
                max_samples=(max_samples, MAX_SAMPLES),
                stuck_after=(stuck_after, STUCK_AFTER),
                variants=(variants, False),
                stop=([*stop], []),
                structured=(structured, False),
                emit=(emit or None, None),
                retry_temperature=(retry_temperature, 1.0),
                rephrase=(rephrase, True),
                escalate=(escalate, None),
                **({} if isinstance(cascade, str | Path | CascadeFile) else {"seed": (seed, "auto"), "check": (check, True)}),
            )
            read = read_cascade(Path(cascade)) if isinstance(cascade, str | Path) else cascade
            first, *others = rungs_of(read, seed=seed, check=check)
            expected |= expected_of(read)
            settings = new_settings(loaded, first.model, first.voting, NO_LADDER, cascade=others)
        elif model is None:
            raise UsageError("No model is named: give model, or a cascade.")
        else:
            votes = planned_votes(loaded, Said(model, k, calibration), asked, target, warn)
            ladder = LadderSettings(temperature=retry_temperature, rephrase=rephrase, model=escalate)
            voting = votes.voting if within is None else votes.voting.led_by(AheadBy(votes.voting.lead or 1, within))
            estimates = votes.estimates if within is None else None  # what is planned is a race without an end
            settings = new_settings(loaded, votes.model, voting, ladder, parts=votes.parts)
        options = RunOptions.of(
            max_cost=max_cost,
            max_calls=max_calls,
            max_minutes=max_minutes,
            max_steps=max_steps,
            price=price,
            lookahead=lookahead,
            draft_model=draft_model,
            on_doubt=on_doubt,
            out=None if out is None else Path(out).absolute(),
            provenance=None if provenance is None else Path(provenance).absolute(),
        )
        see_models(settings, options, loaded.task)
        home = path if isinstance(path, homes.Home) else home_named(path, journal, fsync)
        own = OwnFiles()
        see_results(settings, options, loaded.task, own, force=force)
        with ExitStack() as stack:
            notes = {**options.note(), **note_of(own.known), **_plan(estimates, settings, loaded.task), **expected}
            opened = stack.enter_context(home.created(settings, loaded, notes))
            return cls(opened, stack.pop_all())

    @classmethod
    def open(
        cls,
        path: str | Path,
        *,
        journal: str | None = None,
        task: AnyTask | LoadedTask | None = None,
        trust: bool | Literal["mine"] = False,
        fsync: Fsync = "full",
        accept_loss: bool = False,
    ) -> Self:
        """Open a run that exists, to look at it or to go on with it.

        A run of a task that does not ship can be looked at without it: its steps, its certificate, and its figures but those
        that only a replay tells. Its task is needed to replay it or to go on.

        Args:
            path: its directory. With `journal` its name there.
            journal: as in `create`.
            task: its task, if that is not one that ships.
            trust: import the task by the name that stands in the directory, which runs code that whoever made it has chosen;
                "mine": only if you have gone on with this run before, on this machine and in this directory.
            fsync: as in `create`.
            accept_loss: open it although its journal is an older copy of itself. When it goes on, missing steps are sampled
                again, and what was spent on them stays counted.

        Raises:
            UnusableRun: there is no run, or another process holds it.
            DamagedRun: what is stored contradicts itself.
            OlderJournal: what was committed or paid for since is missing from the journal.
            OutOfReach: the database of the journal cannot be reached.
        """
        return cls.at(home_named(path, journal, fsync), task=task, trust=trust, accept_loss=accept_loss)

    @classmethod
    def at(
        cls,
        home: homes.Home,
        *,
        task: AnyTask | LoadedTask | None = None,
        trust: bool | Literal["mine"] = False,
        accept_loss: bool = False,
    ) -> Self:
        """Open the run that is at home there; see `open`."""
        with ExitStack() as stack:
            opened = stack.enter_context(home.opened(task, accept_loss=accept_loss))
            if trust is True or (trust == "mine" and opened.journal.claimed_here):
                opened.load()
            return cls(opened, stack.pop_all())

    @property
    def directory(self) -> Path:
        """The directory; of a run in a database the one for its report and labels on this machine, which need not be there."""
        return self._opened.home.folder

    @property
    def home(self) -> homes.Home:
        """Where the run is."""
        return self._opened.home

    @property
    def settings(self) -> Settings:
        """What was asked for."""
        return self._opened.settings

    @property
    def task(self) -> AnyTask:
        """The task.

        Raises:
            UnusableRun: it does not ship, and the run was opened without it.
        """
        return self._opened.task

    @property
    def options(self) -> RunOptions:
        """The options that the next `solve` takes unless it is told otherwise."""
        return kept_options(self._opened.journal)

    @property
    def step(self) -> int:
        """The number of committed steps."""
        return self._opened.journal.step

    @property
    def plan(self) -> dict[str, Any] | None:
        """What was expected of the run before its first call; None if too little was known."""
        note = self._opened.journal.note("plan")
        return None if note is None else dict(json.loads(note))

    @property
    def backing(self) -> str:
        """What labelled rows back of its decisions, in sentences; empty if they did not choose its rule."""
        from maker_graph.run.uses import labels_used

        return " ".join(each.said for each in labels_used(self._opened.journal) if each.purpose == "measured")

    def note(self, name: str) -> str | None:
        """Return a note of its journal; None if there is none of this name."""
        return self._opened.journal.note(name)

    def solve(self, **how: Unpack[Solving]) -> Summary:
        """Go on from the last committed step to the end; return the run in figures.

        Raises:
            UsageError: an event loop is running: use `await run.asolve()`.
            MakerError: why it stopped before its end; all committed steps are kept, and it can be solved again.
        """
        _refuse_running_loop("result = await run.asolve()")
        return asyncio.run(self.asolve(**how))

    async def asolve(self, **how: Unpack[Solving]) -> Summary:
        """Go on to the end, as `solve` does, in the running event loop."""
        await self.drive(**how)
        self.write_results()
        return self.verify()

    def events(self, **how: Unpack[Solving]) -> Iterator[DecidedStep]:
        """Go on to the end as `solve` does, and yield each step when it is committed; the run waits while you look.

        Raises:
            UsageError: an event loop is running: use `async for step in run.aevents()`.
            MakerError: why it stopped before its end.
        """
        _refuse_running_loop("async for step in run.aevents()")
        with asyncio.Runner() as runner:
            stream = self.aevents(**how)

            async def following() -> DecidedStep | None:
                return await anext(stream, None)

            try:
                while (step := runner.run(following())) is not None:
                    yield step
            finally:
                runner.run(stream.aclose())

    async def aevents(self, **how: Unpack[Solving]) -> AsyncGenerator[DecidedStep, None]:
        """Go on to the end, as `events` does, in the running event loop."""
        queue: asyncio.Queue[DecidedStep | None] = asyncio.Queue()
        work = asyncio.ensure_future(self.drive(lambda step: queue.put_nowait(_decided(step)), **how))
        work.add_done_callback(lambda _: queue.put_nowait(None))
        try:
            while (step := await queue.get()) is not None:
                yield step
            await work
            self.write_results()
        finally:
            work.cancel()
            await asyncio.gather(work, return_exceptions=True)

    async def drive(self, decided: Callable[[Committed], None] = lambda _: None, **how: Unpack[Solving]) -> None:
        """Go on to the end and tell `decided` of each step; no results are written, and nothing is verified."""
        from maker_graph.models.calls import Calls
        from maker_graph.models.gate import Gate
        from maker_graph.run.reach import beating, in_reach
        from maker_graph.run.session import Session
        from maker_graph.run.solving import Watcher, solve
        from maker_graph.run.waiting import Waiting

        gate = how.get("gate")
        if gate is not None and how.get("rpm") is not None:
            raise UsageError("A gate has a rate of its own: leave rpm out.")
        options = self._options(how)
        warn: Callable[[str], None] = how.get("warn", lambda _: None)
        progress: Callable[[MakerOutput], None] = how.get("progress", lambda _: None)
        calls = Calls(
            gate=gate or Gate(rpm=how.get("rpm"), notice=warn),
            timeout=how.get("timeout", "auto"),
            patience=how.get("patience", PATIENCE),
            batch=how.get("batch", False),
        )
        journal = self._opened.journal
        with Session(self.home.voice(journal), total_of(self.task)) as session:

            def reached(at: MakerOutput) -> None:
                session.reached(at, journal.epoch)
                progress(at)

            def committed(step: Committed) -> None:
                if step.decision["status"] != "decided":
                    session.left_open(step.after["step"], step.decision)
                decided(step)

            async def once(answer: str | None) -> None:
                await solve(
                    self._opened,
                    options,
                    concurrency=how.get("concurrency"),
                    calls=calls,
                    answer=answer,
                    watcher=watcher,
                    trace=how.get("trace"),
                    probe=how.get("probe", True),
                    retry_open=how.get("retry_open", False),
                )

            watcher = Watcher(reached, committed, how.get("record"), warn)
            waiting = Waiting(self._opened, session, warn)
            try:
                async with beating(journal):
                    solved = partial(waiting.solved, once, wait=how.get("wait", False))
                    patience = how.get("patience", PATIENCE)
                    await in_reach(solved, how.get("answer"), journal, patience=patience, warn=warn)
            except BaseException as error:
                session.ended(error, journal.epoch)
                raise
            session.ended(None, journal.epoch)

    def _options(self, how: Solving) -> RunOptions:
        """Return the options of the run as they are from now on, and keep them.

        Raises:
            UsageError: one of them cannot be had.
        """
        options = self.options.updated(**{name: value for name, value in how.items() if name in RunOptions.model_fields})
        see_models(self.settings, options, self.task)
        if how.get("retry_open") and guarded(self.task).given is None:
            raise UsageError(f"{self.settings.task} has no items, so none is open: leave out retry_open (--retry-open).")
        for name, path in (("out", options.out), ("provenance", options.provenance)):
            if path is not None and self.home.holds(path):
                raise UsageError(f"{path} is in the run's own directory: give another place to {name} (--{name}).")
        if self._opened.journal.writable:  # else it can only be finished already, and its results be there
            see_results(self.settings, options, self.task, own_files(self._opened.journal), force=how.get("force", False))
        options.keep(self._opened.journal)
        return options

    def open_items(self) -> Iterator[OpenItem]:
        """Yield the items that no vote could decide, with what was asked and their ballots.

        Raises:
            UsageError: the task has no items.
        """
        return open_items(self._opened)

    def open_count(self) -> int:
        """Return how many steps are open."""
        return count_open(self._opened)

    def answer(self, replies: Mapping[int, Reply], *, write: bool = True) -> Reviewed:
        """Answer open items in the place of a model, by their numbers; on return what was taken is on disk.

        Each reply is read and checked like a model's. A process that is still at work on the run stops.

        Args:
            replies: number of the item -> reply. A `run.left_answers.Candidate` is one of the ballot.
            write: whether the results are written anew, if some were taken.

        Raises:
            UsageError: the task has no items.
        """
        found = answer_items(self._opened, replies)
        if found.taken and write:
            self.write_results()
        return found

    def steps(self) -> Iterator[DecidedStep]:
        """Yield every committed step in order, as the journal has it; no model is asked."""
        for number, decision in enumerate(self._opened.journal.decisions(), start=1):
            yield DecidedStep(number, decision)

    def verify(self, progress: Callable[[int], None] = lambda _: None) -> Summary:
        """Return the run in figures, replayed from its journal by the task's rules alone, without a model.

        `verdict` is what it is worth, in a word of `core/verdict.py`. A million steps take a minute or two; `progress` is told
        the step every thousand.

        Raises:
            DamagedRun: the journal is not what was written.
        """
        result = summary(self._opened, progress)
        with suppress(MakerError):  # a run that can only be read is judged all the same
            if result["done"]:
                keep_verdict(self._opened, result)  # a long run takes minutes to replay: its report need not
        return result

    def certify(self) -> "Certificate":
        """Return what the votes say, without any truth, of the chance that no step is wrong.

        Where copies were seen among the replies it gives no chance, and says why (`refused`).

        Raises:
            UsageError: numpy and scipy are missing: pip install 'maker-graph[plan]'.
            DamagedRun: the journal is not what was written.
        """
        need_plan_extra("certify")
        from maker_graph.report.certificate import ballots_in
        from maker_graph.report.parts import certify_parts

        journal = self._opened.journal
        journal.check(journal.step)
        settings = self.settings
        ballots = ballots_in(journal.entries(), by_rung=bool(settings.cascade))
        leads = settings.leads
        if rungs := settings.leads_of_rungs:
            leads = {name: rungs.get(name.rpartition(", ")[2], settings.k) for name in ballots}
        return certify_parts(ballots, settings.k, leads, CopiesSeen.of(journal.note(NOTE)))

    def label(self, how: "Labelling", use: "Use" = "certify") -> "Labelled":
        """Have steps labelled that are drawn at random from those on which models voted; see `maker-graph label`.

        Raises:
            UsageError: there are no such steps, or the file is one of other labels.
            DamagedRun: the journal is not what was written.
            LimitReached: the file cannot be written.
        """
        from maker_graph.run.labelling import label

        return label(self._opened, how, use)

    def audit(
        self,
        *,
        random: int = 300,
        labels: str | Path | None = None,
        truth: bool = False,
        confidence: float = CONFIDENCE,
        ask: "Ask | None" = None,
        who: str = "",
        seed: int | None = None,
        again: Sequence[int] = (),
        warn: Callable[[str], None] = lambda _: None,
    ) -> "Audit":
        """Return a bound on how many of the steps that models decided are wrong, from labels of some drawn at random.

        The bound may be looked at whenever you like, and labelling may stop for any reason. It assumes nothing about the model.

        Args:
            random: how many steps are to be labelled, those of earlier calls included.
            labels: the file of labels; `audit.jsonl` in `directory` by default.
            truth: take what the task knows to be right, and ask nobody.
            confidence: the chance that the bound is not below the truth.
            ask: asked what is right at a step, without the model's answer: it returns a reply as a model would give it, "?" for
                a step of which nobody can tell, or None to stop. Without it, the labels in the file are looked at.
            who: answers.
            seed: of the draw; by default a random one, which is kept in the file.
            again: steps that are asked once more.
            warn: told what is worth knowing.

        Raises:
            UsageError: models decided nothing, or the file is one of other labels, or of labels for another use.
            DamagedRun: the journal is not what was written.
            LimitReached: the file cannot be written.
        """
        from maker_graph.run.auditing import audit
        from maker_graph.run.labelling import Labelling

        path = None if labels is None else Path(labels)
        return audit(self._opened, Labelling(random, path, seed, truth, ask, tuple(again), who, warn), confidence)

    def report(self, *, force: bool = False) -> list[Path]:
        """Write a page about the run, report.html in `directory`, and its pictures; return the files, the page first.

        `force`: files of the user's that stand there may be replaced.

        Raises:
            UsageError: a file of the user's stands there; or numpy, scipy and matplotlib are missing: pip install
                'maker-graph[plan]'.
        """
        need_plan_extra("report")
        from maker_graph.report import page
        from maker_graph.report.certificate import as_json

        try:
            certificate = as_json(self.certify())
        except UsageError:  # no vote has decided a step
            certificate = None
        return page.write(self._opened, certificate, force=force)

    @property
    def refused(self) -> dict[int, str]:
        """Items whose answer is not used, although it was decided, with the reasons."""
        note = self._opened.journal.note("refused")
        return {} if note is None else {int(number): str(why) for number, why in json.loads(note).items()}

    def refuse(self, reasons: Mapping[int, str]) -> None:
        """Keep that the answers to these items are not used in the results; what was refused before is forgotten.

        Raises:
            LimitReached: there is no room.
        """
        if dict(reasons) != self.refused:
            self._opened.journal.set_note("refused", json.dumps(dict(reasons)))

    @property
    def to_be_tested(self) -> str | None:
        """The command with which the answers are to be tested before they are written; None if there is none."""
        return self._opened.journal.note("to be tested") or None

    def test_with(self, command: str | None) -> None:
        """Keep that the answers are to be tested with this command first, or None once they have been.

        Raises:
            LimitReached: there is no room.
        """
        if command != self.to_be_tested:
            self._opened.journal.set_note("to be tested", command or "")

    def write_results(self) -> int:
        """Write what a task with results has found to `options.out`; return the number of steps that are left open.

        Raises:
            UsageError: a file of the user's stands there, or the folder is gone: solve it again with another `out`, or `force`.
            LimitReached: there is no room, or no access.
        """
        options, task = self.options, self.task
        if not isinstance(task, Items) or (options.out is None and options.provenance is None):
            return 0
        if task.whole and self.step < (total_of(task) or 0):
            return 0
        task.refused = self.refused
        trail = None if options.provenance is None else Provenance(options.provenance, self.settings, options)
        journal = self._opened.journal
        return write_out(task, options.out, journal.decisions(), own_files(journal), trail)

    def close(self) -> None:
        """Close the run's files."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def home_named(path: str | Path, journal: str | None = None, fsync: Fsync = "full", *, standing: bool = False) -> homes.Home:
    """Return the home of the run in a directory, or of this name in a database of journals.

    A `standing` one keeps its connection when a run that was opened there is closed.

    Raises:
        UsageError: what is said does not go together, or the address is none.
    """
    if journal is None:
        return Directory(Path(path), fsync)
    from maker_graph.journal.postgres.connection import Connection, StandingConnection
    from maker_graph.run.remote import Remote

    if fsync != "full":
        raise UsageError("A run in a database has no file to wait for: leave out fsync (--fsync), its server sees to that.")
    return Remote(str(path), StandingConnection(journal) if standing else Connection(journal))


def _seed(model: str | Mapping[str, str] | None) -> int | None:
    """Return the seed of a run that is not given one: that of its model, or of the first of several."""
    first = next(iter(model.values()), "") if isinstance(model, Mapping) else model
    return info_of(first or "").seed


def _plan(estimates: "ModelEstimates | None", settings: Settings, task: AnyTask) -> dict[str, str]:
    """Return the note of what is expected of a run, if enough is known."""
    from maker_graph.calibration.plan import expected

    total = total_of(task)
    return {"plan": json.dumps(expected(estimates, settings.k, total))} if estimates is not None and total else {}


def _decided(step: Committed) -> DecidedStep:
    return DecidedStep(step.after["step"], step.decision)


def _refuse_running_loop(instead: str) -> None:
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError(f"An event loop is running here, as in a notebook: use {instead}.")
