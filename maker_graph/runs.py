"""A run in Python: all that the command line can do with one.

    run = Run.create("runs/mine", Hanoi(disks=5), model="openai:gpt-4.1-mini", k=3, max_cost=2.0)
    result = run.solve()
    print(run.certify())

The command line is a thin layer on this module. A function imports what only it needs, so a look at a run does not wait
for the import of LangGraph or numpy.
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
from maker_graph.run.directory import Directory
from maker_graph.run.left_answers import Reply
from maker_graph.run.options import RunOptions, kept_options
from maker_graph.run.own_files import note_of, own_files
from maker_graph.run.preflight import expected_of, see_alone, see_models, see_results
from maker_graph.run.provenance import Provenance
from maker_graph.run.results import write_out
from maker_graph.run.review import OpenItem, Reviewed, answer_items, count_open, open_items
from maker_graph.run.settings import Settings, new_settings
from maker_graph.run.summary import Summary, keep_verdict, summary
from maker_graph.run.traces import Trace
from maker_graph.run.votings import NO_LADDER, LadderSettings
from maker_graph.statistics.audit import CONFIDENCE
from maker_graph.statistics.forecast import TARGET
from maker_graph.statistics.race import check_target
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

OPEN_IN_A_ROW = frozenset({20, 200, 2_000, 20_000})
"""A run warns when so many items in a row, of those that models vote on, are left open: then it may be all in vain."""


@dataclass(frozen=True, slots=True)
class DecidedStep:
    """One committed step of a run.

    Attributes:
        step: its number, from 1.
        decision: how it ended, with its ballot, samples, flags, rounds, usage and earlier rungs; see `Decision`.
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

    The run keeps those from `max_cost` to `provenance` for later sessions. None leaves them as they were.

    Attributes:
        answer: your reply to the step that waits for a person, in the form of a model's reply.
        max_cost: USD, over all sessions. The run stops before it spends more.
        max_calls: requests over all sessions, failed ones included.
        max_minutes: minutes of work, over all sessions.
        max_steps: steps of the task.
        max_samples: a step that is not decided after this many samples stays undecided.
        price: USD per million tokens, as "input,output", if it is not the list price. For several models
            "model=input,output; ...".
        lookahead: microsteps in flight at once, or "auto".
        draft_model: the model that drafts states for `lookahead`; by default the run's own model.
        on_doubt: what to do with an action on the world that was begun and not committed: "again" performs it again,
            "ask" stops and asks.
        out: the file for the results of a task that has results.
        provenance: the file that says of each item how it ended.
        force: whether a file of yours that is already there may be replaced.
        concurrency: the most samples in flight at once.
        rpm: the most requests per minute.
        gate: a gate that several runs share, and that all requests go through. It has its own rate, so `rpm` must be left out.
        timeout: seconds after which a request is given up and made again; "auto" adapts to how long replies take; see `Calls`.
        patience: seconds to wait for a provider that does not answer, before the run stops.
        batch: whether to ask for all samples of a round in one request, if the model allows it; see `Calls`.
        trace: what is traced to LangSmith; None follows LANGSMITH_TRACING.
        probe: whether a real model is first asked one small question three times, to see whether a cache answers in its
            place. These samples are counted and paid for. True by default.
        retry_open: whether to vote again on the items that are open at the end, with new samples.
        wait: if only a person can go on, whether to wait for the answer given in `maker-graph watch` instead of ending.
        progress: called after each commit with the state of the task.
        record: called with every prompt and reply.
        warn: called with a text when something went wrong that does not stop the run.
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
    """A run in a directory, or in a database of journals. It survives a crash, and goes on where it stopped.

    To open a run changes nothing. `solve` makes this process the owner of the run, and any other process that works on
    it stops. Use the run as a context manager, or `close` it. Use it only in the thread that opened it.

    Attributes:
        settings: what was asked for.
        plan: what was expected before the first call; None if too little was known of the model.
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
        """Make a new run, and open it. No model is asked yet.

        Args:
            path: the directory, which must be empty or not exist yet. With `journal` the name of the run there. A
                `Home` says both.
            task: the task.
            journal: the address of a database that other machines can reach, such as postgresql://HOST/DATABASE. The
                run is kept there, and not on this machine. It needs pip install 'maker-graph[fleet]'.
            model: `provider:model`, `sim:PROFILE` or `tiny`; left out with a `cascade`. For a task with several voted
                parts also a mapping from each of them to a model.
            k: an answer wins when it is ahead of every other by this many votes. "auto" computes the number for `target` if
                enough is known of the model, and takes 3 otherwise. For a task with several voted parts also a mapping.
            within: the most votes that a step may take. If no answer can win within them any more, the step is
                contested: it is left open for a person, and no model votes on it again.
            cascade: a file as for `maker-graph run --cascade`, a list of `Rung`s whose models are given by name, or
                what `choose_by_labels` has chosen. A step that one rung does not decide goes to the next. Leave out
                model, k, within, temperature and the ladder then.
            target: for k="auto", the chance that no step is wrong.
            calibration: the file that `maker-graph calibrate` wrote about the model. For a task with several voted parts a
                mapping from the name of a part to its file.
            temperature: a pair, for the first sample and for the others, or one number for all. None sends none. "auto"
                is what suits the model.
            max_tokens: the most tokens of a reply. None sends no limit. "auto" is what suits the model.
            max_samples: a step that is not decided after this many samples stays undecided.
            stuck_after: a step is stuck after this many red flags in a row. Then it climbs the ladder.
            seed: makes samples repeatable. None sends none. "auto" is 1 for models that ship, and none for others.
            check: whether answers that break the task's rules are discarded.
            variants: whether each sample is asked another of the equivalent questions that the task's `variants(state)`
                returns.
            stop: texts at which a reply ends; the reply does not hold them. Some models refuse them.
            structured: whether the JSON schema of the answer is sent, if the task has one and the model takes one.
            emit: whether the model reasons freely, and a second, short call writes its answer in the asked form. True:
                the same model makes that call. A name: the model of this name does. `Emit(...)` says more.
            retry_temperature: the first rung of the ladder: the temperature of the next samples of a stuck step. None
                leaves the rung out.
            rephrase: the second rung: the task's prompt in other words, if it has some.
            escalate: the third rung: a stronger model.
            max_cost: USD, over all sessions. The run stops before it spends more.
            max_calls: requests over all sessions, failed ones included.
            max_minutes: minutes of work, over all sessions.
            max_steps: steps of the task. None: as many as the task says, or 10,000,000 if it does not say.
            price: USD per million tokens, as "input,output", if it is not the list price. For several models
                "model=input,output; ...".
            lookahead: microsteps in flight at once, or "auto". By default one, or as many independent items as `concurrency`
                allows.
            draft_model: the model that drafts states for `lookahead`; by default the model itself.
            on_doubt: what to do with an action on the world that was begun and not committed: "again" performs it again, "ask"
                stops and asks.
            out: the file for the results of a task that has results.
            provenance: the file that says of each item how it ended, as JSON Lines; see `run/provenance.py`.
            force: whether a file of yours that is already there may be replaced.
            fsync: "full": each step is on the disk before the next begins. "normal": a power cut may lose the last steps.
            warn: called with a text that is worth knowing about the calibration.

        Raises:
            UsageError: a setting is wrong, or the directory cannot be used. Nothing was made.
            LimitReached: the disk is full. Nothing was made.
            OutOfReach: the database cannot be reached.
        """
        from maker_graph.calibration.leads import Said, planned_votes

        check_target(target)
        loaded = described(task)
        asked = Voting(
            k=1 if within is None else AheadBy(1, within),  # the lead is planned below
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
            raise UsageError("No model is given: give model, or a cascade.")
        else:
            votes = planned_votes(loaded, Said(model, k, calibration), asked, target, warn)
            ladder = LadderSettings(temperature=retry_temperature, rephrase=rephrase, model=escalate)
            estimates = votes.estimates if within is None else None  # the plan is for a vote without a limit
            settings = new_settings(loaded, votes.model, votes.voting, ladder, parts=votes.parts)
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
        """Open an existing run, to look at it or to go on with it.

        A task that does not ship is needed to replay the run, or to go on with it. Without it you can look at the
        steps, the certificate, and all figures that need no replay.

        Args:
            path: the directory of the run. With `journal` the name of the run there.
            journal: see `create`.
            task: the task, if it is not one that ships.
            trust: whether to import the task by the name in the settings of the run. This runs code that whoever made
                the run has chosen. "mine": only if you have gone on with this run on this machine before.
            fsync: see `create`.
            accept_loss: whether to open the run although its journal is an older copy. When the run goes on,
                the missing steps are sampled again. What was spent on them stays counted.

        Raises:
            UnusableRun: there is no such run, or another process holds it.
            DamagedRun: what is stored contradicts itself.
            OlderJournal: the journal is an older copy: what was committed or paid for since is missing from it.
            OutOfReach: the database cannot be reached.
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
        """Open the run that a home keeps; see `open`."""
        with ExitStack() as stack:
            opened = stack.enter_context(home.opened(task, accept_loss=accept_loss))
            if trust is True or (trust == "mine" and opened.journal.claimed_here):
                opened.load()
            return cls(opened, stack.pop_all())

    @property
    def directory(self) -> Path:
        """The directory. For a run in a database: the folder on this machine for its report and labels, if it exists."""
        return self._opened.home.folder

    @property
    def home(self) -> homes.Home:
        """Where the run is kept."""
        return self._opened.home

    @property
    def settings(self) -> Settings:
        """What was asked for."""
        return self._opened.settings

    @property
    def task(self) -> AnyTask:
        """The task.

        Raises:
            UnusableRun: the task does not ship, and the run was opened without it.
        """
        return self._opened.task

    @property
    def options(self) -> RunOptions:
        """The options of the next `solve`, unless it is given others."""
        return kept_options(self._opened.journal)

    @property
    def step(self) -> int:
        """The number of committed steps."""
        return self._opened.journal.step

    @property
    def plan(self) -> dict[str, Any] | None:
        """What was expected before the first call; None if too little was known of the model."""
        note = self._opened.journal.note("plan")
        return None if note is None else dict(json.loads(note))

    @property
    def backing(self) -> str:
        """What labelled rows say about the run's decisions, in sentences; empty if they did not choose its rule."""
        from maker_graph.run.uses import labels_used

        return " ".join(each.said for each in labels_used(self._opened.journal) if each.purpose == "measured")

    def note(self, name: str) -> str | None:
        """Return the note of this name in the journal; None if there is none."""
        return self._opened.journal.note(name)

    def solve(self, **how: Unpack[Solving]) -> Summary:
        """Go on from the last committed step to the end. Return the figures of the run.

        Raises:
            UsageError: an event loop is running: use `await run.asolve()`.
            MakerError: the run stopped before its end. All committed steps are kept, and it can be solved again.
        """
        _refuse_running_loop("result = await run.asolve()")
        return asyncio.run(self.asolve(**how))

    async def asolve(self, **how: Unpack[Solving]) -> Summary:
        """Do what `solve` does, in the running event loop."""
        await self.drive(**how)
        self.write_results()
        return self.verify()

    def events(self, **how: Unpack[Solving]) -> Iterator[DecidedStep]:
        """Go on to the end as `solve` does, and yield each step after its commit. The run waits until you ask for the next.

        Raises:
            UsageError: an event loop is running: use `async for step in run.aevents()`.
            MakerError: the run stopped before its end.
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
        """Do what `events` does, in the running event loop. The run goes on while you handle a step."""
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
        """Go on to the end, and call `decided` after each step. Results are not written, and nothing is verified.

        Raises:
            MakerError: the run stopped before its end.
        """
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

            in_a_row = 0

            def committed(step: Committed) -> None:
                nonlocal in_a_row
                if step.decision["status"] == "decided":
                    in_a_row = in_a_row if step.decision["by"] == "program" else 0
                else:
                    session.left_open(step.after["step"], step.decision)
                    in_a_row += 1
                    if in_a_row in OPEN_IN_A_ROW:
                        warn(f"{in_a_row:,} items in a row are left open. The last one: {step.decision['reason']}")
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
        """Return the options of the run from now on, and keep them in its journal.

        Raises:
            UsageError: an option is wrong.
        """
        options = self.options.updated(**{name: value for name, value in how.items() if name in RunOptions.model_fields})
        see_models(self.settings, options, self.task)
        if how.get("retry_open") and guarded(self.task).given is None:
            raise UsageError(f"{self.settings.task} has no items: leave out retry_open (--retry-open).")
        for name, path in (("out", options.out), ("provenance", options.provenance)):
            if path is not None and self.home.holds(path):
                raise UsageError(f"{path} is in the run's own directory: give a file outside of it for {name} (--{name}).")
        if self._opened.journal.writable:  # a run that is not writable is finished, and has its results
            see_results(self.settings, options, self.task, own_files(self._opened.journal), force=how.get("force", False))
        options.keep(self._opened.journal)
        return options

    def open_items(self) -> Iterator[OpenItem]:
        """Yield the open items, with what was asked and their ballots.

        Raises:
            UsageError: the task has no items.
        """
        return open_items(self._opened)

    def open_count(self) -> int:
        """Return how many steps are open."""
        return count_open(self._opened)

    def answer(self, replies: Mapping[int, Reply], *, write: bool = True) -> Reviewed:
        """Answer open items in a model's place. On return, the answers that were taken are on the disk.

        Each reply is read and checked like a model's reply. Another process that works on the run stops.

        Args:
            replies: number of the item -> reply. A `run.left_answers.Candidate` is one of the ballot's candidates.
            write: whether to write the results again if an answer was taken.

        Raises:
            UsageError: the task has no items.
        """
        found = answer_items(self._opened, replies)
        if found.taken and write:
            self.write_results()
        return found

    def steps(self) -> Iterator[DecidedStep]:
        """Yield every committed step in order, from the journal. No model is asked."""
        for number, decision in enumerate(self._opened.journal.decisions(), start=1):
            yield DecidedStep(number, decision)

    def verify(self, progress: Callable[[int], None] = lambda _: None) -> Summary:
        """Replay the run from its journal by the rules of the task, without a model. Return its figures.

        `verdict` says how far the answers are confirmed; see `core/verdict.py` for the words. A million steps take a
        minute or two. `progress` is called with the step, every thousand steps.

        Raises:
            DamagedRun: the journal was changed since it was written.
        """
        result = summary(self._opened, progress)
        if result["done"]:
            with suppress(MakerError):  # the journal may be read-only
                keep_verdict(self._opened, result)  # so that the report of a long run need not replay it
        return result

    def certify(self) -> "Certificate":
        """Estimate from the votes alone how likely it is that no step is wrong.

        If copies were seen among the replies, the certificate gives no chance, and says why (`refused`).

        Raises:
            UsageError: numpy and scipy are missing: pip install 'maker-graph[plan]'.
            DamagedRun: the journal was changed since it was written.
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
        """Label random steps among those on which models voted; see `maker-graph label`.

        Raises:
            UsageError: there are no such steps, or the file holds labels of something else.
            DamagedRun: the journal was changed since it was written.
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
        """Return an upper bound for how many decided steps are wrong, from labels of random steps.

        You may look at the bound after each label, and stop for any reason. It assumes nothing about the model.

        Args:
            random: how many steps to label, including those of earlier calls.
            labels: the file of labels; by default `audit.jsonl` in `directory`.
            truth: whether to take the right answers that the task knows, and ask nobody.
            confidence: the chance that the bound holds.
            ask: called for the right answer to a step, which is shown without the model's answer. It returns a reply in
                the form of a model's reply, "?" if it cannot say, or None to stop. Without `ask`, only the labels in
                the file count.
            who: the name of the person who answers.
            seed: the seed of the draw; by default a random one, which the file keeps.
            again: steps to ask again.
            warn: called with texts that are worth knowing.

        Raises:
            UsageError: models decided nothing, or the file holds labels of something else or for another use.
            DamagedRun: the journal was changed since it was written.
            LimitReached: the file cannot be written.
        """
        from maker_graph.run.auditing import audit
        from maker_graph.run.labelling import Labelling

        path = None if labels is None else Path(labels)
        return audit(self._opened, Labelling(random, path, seed, truth, ask, tuple(again), who, warn), confidence)

    def report(self, *, force: bool = False) -> list[Path]:
        """Write a page about the run, report.html in `directory`, and its pictures. Return the files, the page first.

        Args:
            force: whether files of yours that are already there may be replaced.

        Raises:
            UsageError: a file of yours is there; or numpy, scipy or matplotlib is missing: pip install
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
        """Item -> why its decided answer is left out of the results."""
        note = self._opened.journal.note("refused")
        return {} if note is None else {int(number): str(why) for number, why in json.loads(note).items()}

    def refuse(self, reasons: Mapping[int, str]) -> None:
        """Leave the answers to these items out of the results, and only to these.

        Args:
            reasons: item -> the reason.

        Raises:
            LimitReached: the disk is full.
        """
        if dict(reasons) != self.refused:
            self._opened.journal.set_note("refused", json.dumps(dict(reasons)))

    @property
    def to_be_tested(self) -> str | None:
        """The command that must test the answers before the results are written; None if there is none."""
        return self._opened.journal.note("to be tested") or None

    def test_with(self, command: str | None) -> None:
        """Set the command that must test the answers before the results are written; None once it has tested them.

        Raises:
            LimitReached: the disk is full.
        """
        if command != self.to_be_tested:
            self._opened.journal.set_note("to be tested", command or "")

    def write_results(self) -> int:
        """Write the results to `options.out` if the task has results. Return how many steps are left open.

        Raises:
            UsageError: a file of yours is there, or the folder is gone: solve again with another `out`, or with
                `force`.
            LimitReached: the disk is full, or the file may not be written.
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
        """Close the files, or the connection, of the run."""
        self._stack.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()


def home_named(path: str | Path, journal: str | None = None, fsync: Fsync = "full", *, standing: bool = False) -> homes.Home:
    """Return the home of a run: its directory, or its name in a database of journals.

    A `standing` home keeps its connection to the database after a run that was opened there is closed.

    Raises:
        UsageError: the arguments do not go together, or the address is not one.
    """
    if journal is None:
        return Directory(Path(path), fsync)
    from maker_graph.journal.postgres.connection import Connection, StandingConnection
    from maker_graph.run.remote import Remote

    if fsync != "full":
        raise UsageError("A database decides by itself when a step is on its disk: leave out fsync (--fsync).")
    return Remote(str(path), StandingConnection(journal) if standing else Connection(journal))


def _seed(model: str | Mapping[str, str] | None) -> int | None:
    """Return the seed for `seed="auto"`: the seed of the model, or of the first of several models."""
    first = next(iter(model.values()), "") if isinstance(model, Mapping) else model
    return info_of(first or "").seed


def _plan(estimates: "ModelEstimates | None", settings: Settings, task: AnyTask) -> dict[str, str]:
    """Return the note with what is expected of a run; no note if too little is known of the model or the task."""
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
