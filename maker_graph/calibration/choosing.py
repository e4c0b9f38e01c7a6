"""Labelled rows choose how a run samples: the model is asked these rows at several temperatures, and the best rule is taken.

The model is asked the labelled rows that the task's program does not answer (`Items.given`), with the very prompt, examples,
flags and check of the run. The samples go into a calibration file for each temperature. `plan_labelled` then says which rules
keep the target. The rules are proved together, so the rows may also choose among the proved ones. A rule must leave at most
half as many wrong answers as a majority of 5, and take no more samples. Of these rules, the one that decides most is chosen.

If nothing is proved, the most cautious rule is taken: unanimity of 5, at the temperature with the lowest bound. That rule was
fixed before the samples were seen, so its bound is proved, with 1 - confidence shared by the temperatures.
"""

import asyncio
import copy
import hashlib
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from maker_graph.calibration.accounts import left, together
from maker_graph.calibration.file import Calibration, open_calibration
from maker_graph.calibration.labelled import LabelPlan, Line, PlanGoal, plan_labelled
from maker_graph.calibration.lines import CalibrationRequest
from maker_graph.calibration.measuring import calibrate
from maker_graph.calibration.statement import percent, plan_statement
from maker_graph.calibration.steps import state_at
from maker_graph.calibration.trials import majority_of
from maker_graph.calibration.votes import in_words, read_votes
from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.core.emitting import Emit, emit_of, kept_emit
from maker_graph.core.guarding import AnyTask, Guarded, guarded
from maker_graph.core.items import Items
from maker_graph.core.spending import Account, Spent
from maker_graph.core.task import Keyed
from maker_graph.core.voting import MAX_TOKENS, Auto, Voting
from maker_graph.errors import UsageError
from maker_graph.extras import need_plan_extra
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.pricing import Price, other_price, own_prices, price_for
from maker_graph.models.resolving import model_for
from maker_graph.run.account import Limits
from maker_graph.run.cascades import CascadeFile, ChosenCascade, ExpectedRows, RungFile
from maker_graph.run.uses import NOTE as USES
from maker_graph.run.uses import LabelsUsed, uses_note
from maker_graph.statistics.labelled import Counts, bound_of
from maker_graph.tasks.labelled import OPTION
from maker_graph.tasks.loading import LoadedTask, described

TEMPERATURES = (0.4, 0.7, 1.0)
"""The temperatures at which labelled rows are asked, if none is named. Below these, samples are nearly copies."""

SAMPLES = 8
"""The fewest samples of each row at each temperature: enough for rules of five votes, with room for red flags."""

TARGET = 0.95
"""The share of the decided rows that is to be right, if no other target is given."""

VOTED = "by vote"
"""The words in a file which say that only a vote has decided a row."""

MAJORITY = 5
"""The votes of the majority that the chosen rule is compared with."""


_ELSEWHERE = "give another name to the run (--run, in Python another folder)"
"""What to do if other samples are already in this place."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How a model is asked, when labelled rows are measured and in the run.

    Attributes:
        model: `provider:model`.
        temperatures: the temperatures at which the labelled rows are asked.
        samples: the samples of each row at each temperature.
        max_tokens: the output cap of a sample; "auto" is what suits the model.
        check: whether answers that break the task's rules are discarded.
        stop: texts at which a reply ends.
        structured: whether the answer's JSON schema is sent along.
        emit: the model that writes down each answer in a second call, as `Run.create` takes it.
        seed: makes the samples repeatable; "auto" is the seed of the model.
    """

    model: str
    temperatures: Sequence[float] = TEMPERATURES
    samples: int = SAMPLES
    max_tokens: int | Auto | None = "auto"
    check: bool = True
    stop: Sequence[str] = ()
    structured: bool = False
    emit: Emit | str | bool | None = None
    seed: int | Auto | None = "auto"

    def __post_init__(self) -> None:
        if not self.temperatures:
            raise UsageError("Name at least one temperature at which the labelled rows are asked.")
        if self.samples < SAMPLES:
            raise UsageError(
                f"Each labelled row needs at least {SAMPLES} samples, for rules of five votes, not {self.samples}."
            )

    def prices(self, own: str | None, max_cost: float | None = None) -> tuple[Price | None, Price | None]:
        """Return the price of a request to the model, and to the model that writes its answers; None if it is not known.

        Raises:
            UsageError: `own` is no price, or a price is needed and not known.
        """
        said, emit = own_prices(own), emit_of(self.emit)
        price = price_for(self.model, said.get(self.model, said.get("")), max_cost)
        writer = None if emit is None else emit.writer
        return price, price if writer in {None, self.model} else other_price(writer, max_cost, said.get(writer or ""))


@dataclass(frozen=True, slots=True)
class Chosen(ChosenCascade):
    """How a run samples, chosen by labelled rows: its `cascade` holds the model, the temperature and the rule.

    Attributes:
        plan: what the labels say of each rule; None if the program answers all of them, so that no rule could be tried.
        proved: whether the rule is proved to keep the target.
        statement: what the labels prove, in sentences that may be printed.
        account: what the measuring has used up.
    """

    plan: LabelPlan | None
    proved: bool
    statement: str
    account: Account


NOTE = "labelled"
"""The note in which a run keeps the digest of what was asked for, and what the measuring has used up."""


@dataclass(frozen=True, slots=True)
class Rows:
    """The labelled rows of a task, and which of them its program leaves to the vote.

    Attributes:
        task: the task whose items are the labelled rows.
        voted: the places of the rows that the program leaves to the vote.
        truths: the right candidate of each row.
        program: how many rows the program answers, and how many of these answers differ from the label.
    """

    task: Items
    voted: Sequence[int]
    truths: Sequence[str]
    program: Counts


def labelled_rows(task: AnyTask) -> Rows:
    """Return the labelled rows of a task.

    Raises:
        UsageError: the task is not an items task with labelled rows, or an answer cannot be a vote.
    """
    if not isinstance(task, Items) or not task.labelled:
        raise UsageError(
            "The task has no labelled rows to measure with: it must be an items task with the option labelled, for example "
            "curate."
        )
    asked = copy.copy(task)
    asked.items, asked.labelled = [each.item for each in task.labelled], ()
    inside = guarded(asked)
    states = [state_at(asked, place) for place in range(len(task.labelled))]
    truths = [_candidate(inside, each.answer) for each in task.labelled]
    given = [None if inside.given is None else inside.given(state) for state in states]
    answered = [place for place, answer in enumerate(given) if answer is not None]
    wrong = sum(_candidate(inside, given[place]) != truths[place] for place in answered)
    voted = [place for place, answer in enumerate(given) if answer is None]
    return Rows(asked, voted, truths, Counts(wrong, len(answered)))


def _candidate(task: Guarded, answer: JSON) -> str:
    return candidate_of(task.key(answer) if isinstance(task, Keyed) else answer)


def requests_of(loaded: LoadedTask, how: Sampling, rows: Rows) -> list[CalibrationRequest]:
    """Return what is asked at each temperature: the same rows each time.

    Raises:
        UsageError: a setting is wrong.
    """
    info = info_of(how.model)
    cap = info.suited(Voting(max_tokens=how.max_tokens)).output_cap or MAX_TOKENS
    return [
        CalibrationRequest(
            task=loaded.name,
            options=loaded.options,
            inputs=loaded.inputs,
            total=len(rows.voted),
            models=[how.model],
            max_tokens={how.model: cap},
            steps=len(rows.voted),
            samples=how.samples,
            temperature=(float(each), float(each)),
            check=how.check,
            truth=True,
            seed=info.seed if how.seed == "auto" else how.seed,
            among=list(rows.voted),
            labels={place: rows.truths[place] for place in rows.voted},
            use="certify",
            variants=bool(rows.task.examples),
            stop=list(how.stop),
            structured=how.structured,
            emit=kept_emit(how.emit),
        )
        for each in dict.fromkeys(how.temperatures)
    ]


def digest_of(requests: Sequence[CalibrationRequest], goal: PlanGoal) -> str:
    """Return the digest of all that decides what is chosen."""
    asked = [each.model_dump(mode="json") for each in requests]
    return hashlib.sha256(sorted_json([asked, [goal.target, goal.confidence, goal.max_review]]).encode()).hexdigest()


def choose_by_labels(
    task: AnyTask | LoadedTask,
    model: str | Sampling,
    folder: str | Path,
    *,
    target: float = TARGET,
    max_cost: float | None = None,
    max_calls: int | None = None,
    max_minutes: float | None = None,
    price: str | None = None,
    concurrency: int = 16,
    calls: Calls | None = None,
    probe: bool = True,
    progress: Callable[[int, int], None] = lambda *_: None,
    warn: Callable[[str], None] = lambda _: None,
) -> Chosen:
    """Return the temperature and the rule with which a run should sample, chosen by the labelled rows of a task.

    All samples are kept in `folder`, in one file for each temperature. If it is stopped or killed, make the same call again: it
    goes on, and pays for no sample twice. Give the result to `Run.create(..., cascade=chosen)`.

    Args:
        task: an items task with labelled rows, as `curate(..., labelled=FILE)`.
        model: `provider:model`, or a `Sampling` that says more about how the model is asked.
        folder: where the samples are kept; it is made if it is not there.
        target: the share of the decided rows that is to be right.
        max_cost: the most USD, earlier calls included; it stops before it spends more.
        max_calls: the most requests, failed ones included.
        max_minutes: the most minutes at work.
        price: USD per million tokens, "input,output", if not the list price; for several models "model=input,output; ...".
        concurrency: samples in flight at once.
        calls: how requests are made.
        probe: whether a real model is first asked small questions, to see that no cache answers in its place.
        progress: called with the number of rows asked so far, at all temperatures together, and with the number of all. The
            first call counts the rows that earlier calls asked.
        warn: called with a text about what went wrong without stopping it.

    Raises:
        UsageError: the task has no labelled rows, a setting is wrong, or the folder cannot be used.
        MakerError: something stopped it; the text says what. The same call goes on.
    """
    need_plan_extra("choosing by labelled rows")
    _see_no_loop()
    loaded = described(task)
    how = Sampling(model) if isinstance(model, str) else model
    goal, rows = PlanGoal(target), labelled_rows(loaded.task)
    if voted := sum(each.by.endswith(VOTED) for each in loaded.task.labelled):  # type: ignore[union-attr]  # it has some
        warn(
            f"{voted:,} of the labelled rows are marked as decided by a vote. If no person has looked at them, the shares of "
            "errors only compare votes with votes."
        )
    requests = requests_of(loaded, how, rows)
    digest = digest_of(requests, goal)
    if not rows.voted:
        return _unmeasured(loaded, how, rows, digest)
    prices = how.prices(price, max_cost)
    folder = Path(folder)
    try:
        folder.mkdir(parents=True, exist_ok=True, mode=0o700)
    except OSError as error:
        raise UsageError(
            f"The folder {folder} for the samples of the labelled rows cannot be made ({error.strerror}): move away what is "
            "there, or give access."
        ) from None
    files = [folder / f"t{in_words(each.temperature or (0, 0))}.jsonl" for each in requests]
    limits = Limits(max_cost, max_calls, max_minutes)
    asking = _Asking(loaded, how, rows.task, prices, limits, concurrency, calls, probe)
    account = _asked(asking, list(zip(files, requests, strict=True)), progress, warn)
    return chosen_from(loaded, how, goal, rows, files, digest=digest, account=account)


def _see_no_loop() -> None:
    """Make sure that no event loop is running here.

    Raises:
        UsageError: an event loop is running.
    """
    try:
        asyncio.get_running_loop()
    except RuntimeError:
        return
    raise UsageError("An event loop is running here, as in a notebook: use await asyncio.to_thread(choose_by_labels, ...).")


@dataclass(frozen=True, slots=True)
class _Asking:
    """What does not change from file to file."""

    loaded: LoadedTask
    how: Sampling
    task: Items
    prices: tuple[Price | None, Price | None]
    limits: Limits
    concurrency: int
    calls: Calls | None
    probe: bool


def _asked(
    asking: _Asking,
    files: Sequence[tuple[Path, CalibrationRequest]],
    progress: Callable[[int, int], None],
    warn: Callable[[str], None],
) -> Account:
    """Ask what is missing in the files, one file after the other; return what all of them have used up."""
    name = asking.how.model
    with ExitStack() as stack:
        opened = [stack.enter_context(open_calibration(*each, elsewhere=_ELSEWHERE)) for each in files]
        total = sum(each.request.steps for each in opened)

        def told() -> None:
            progress(sum(len(each.steps) for each in opened), total)

        async def ask(calibration: Calibration) -> None:
            others = [each.account() for each in opened if each is not calibration]
            await calibrate(
                calibration,
                asking.task,
                model_for(name, asking.loaded.task, calibration.request.seed),
                name,
                price=asking.prices[0],
                form_price=asking.prices[1],
                limits=left(asking.limits, others),
                concurrency=asking.concurrency,
                calls=asking.calls,
                probe=asking.probe,
                progress=told,
                warn=warn,
            )

        told()
        for calibration in opened:
            asyncio.run(ask(calibration))
        return together([each.account() for each in opened])


def chosen_from(
    loaded: LoadedTask,
    how: Sampling,
    goal: PlanGoal,
    rows: Rows,
    files: Sequence[Path],
    *,
    digest: str,
    account: Account,
) -> Chosen:
    """Return the choice that follows from the samples in `files`."""
    votes = read_votes(files)
    plan = plan_labelled(votes, goal)
    majorities = [each for each in (majority_of(pool, MAJORITY) for pool in votes.pools.values()) if each.decided]
    best = _best(
        plan,
        half=min((each.wrong / each.decided for each in majorities), default=1.0) / 2,
        samples=max((each.samples / each.rows for each in majorities), default=0.0),
    )
    line = best or min((each for each in plan.lines if _unanimous(each)), key=lambda each: each.bound)
    said = _proved(plan, line) if best else _unproved(plan, line, len(files))
    statement = " ".join([*_of_program(rows, goal), *(["Of the others:"] if rows.program.decided else []), said])
    tally = line.tally
    open_rows = tally.passed + tally.stuck
    cascade = CascadeFile(
        name=line.name,
        rungs=[_rung(rung, how, rows.task) for rung in line.trial.cascade.rungs],
        expected=ExpectedRows(rows=tally.decided + open_rows, open=open_rows) if tally.decided + open_rows else None,
    )
    notes = _notes(loaded, statement, digest, account)
    return Chosen(cascade, notes, plan=plan, proved=best is not None, statement=statement, account=account)


def _best(plan: LabelPlan, *, half: float, samples: float) -> Line | None:
    """Return the proved rule that is chosen; None if none is proved.

    Args:
        plan: what the labels say of each rule.
        half: half the share of wrong decisions that a majority leaves.
        samples: the samples that a majority takes for each row.
    """
    proved = [line for line in plan.lines if line.proved]
    if not proved:
        return None
    fit = [each for each in proved if (each.tally.error or 0.0) <= half and each.tally.samples <= samples * each.tally.rows]
    if fit:
        return max(fit, key=lambda each: (each.tally.decided, -each.tally.samples))
    return min(proved, key=lambda each: (each.tally.error or 0.0, -each.tally.decided))


def _unanimous(line: Line) -> bool:
    """Say whether a rule is the most cautious one of at most five votes."""
    (rung,) = line.trial.cascade.rungs
    return (rung.k, rung.within) == (MAJORITY, MAJORITY)


def _rung(rung: RungFile, how: Sampling, task: Items) -> RungFile:
    """Return a rung with which a run samples as the labelled rows were sampled."""
    more: dict[str, Any] = {"variants": bool(task.examples), "stop": list(how.stop), "structured": how.structured}
    if (emit := kept_emit(how.emit)) is not None:
        more["emit"] = emit
    if (rung.k or 0) > 1 and rung.within is None:
        more["within"] = rung.max_samples  # as it was tried: an undecided step is then contested, and asked no more
    return RungFile.model_validate({**rung.model_dump(include=rung.model_fields_set), **more})


def _proved(plan: LabelPlan, line: Line) -> str:
    """Return what is proved of the rule that was chosen among those that keep the target."""
    return plan_statement(replace(plan, chosen=line, at_most=plan.goal.limit))


def _unproved(plan: LabelPlan, line: Line, temperatures: int) -> str:
    """Return what can be said of the most cautious rule if nothing keeps the target."""
    tally, goal = line.tally, plan.goal
    bound = bound_of(tally.counts, 1 - (1 - goal.confidence) / temperatures)
    return (
        f"{plan.reason} So the most cautious rule is taken, {line.name}: of {tally.rows:,} labelled rows it decided "
        f"{tally.decided:,}, {tally.wrong:,} of them wrong. With {percent(goal.confidence)} confidence at most "
        f"{percent(bound, up=True)} of the rows of this source that it decides contradict such labels. It says nothing of a "
        "single row."
    )


def _of_program(rows: Rows, goal: PlanGoal) -> list[str]:
    """Return what the labelled rows say of the program; nothing if it answers none."""
    wrong, decided = rows.program
    if not decided:
        return []
    bound = bound_of(rows.program, goal.confidence)
    return [
        (
            f"The program answered {decided:,} of {decided + len(rows.voted):,} labelled rows, {wrong:,} of them wrong: with "
            f"{percent(goal.confidence)} confidence at most {percent(bound, up=True)} of its answers contradict such labels."
        )
    ]


def most_cautious(how: Sampling, task: Items) -> CascadeFile:
    """Return the rule that is taken if nothing was measured: unanimity of 5."""
    heat = max(how.temperatures, key=lambda each: (each == 0.7, each))
    rung = RungFile(model=how.model, k=MAJORITY, within=MAJORITY, temperature=heat, max_tokens=how.max_tokens)
    return CascadeFile(rungs=[_rung(rung, how, task)])


def _unmeasured(loaded: LoadedTask, how: Sampling, rows: Rows, digest: str) -> Chosen:
    """Return what is chosen if the program answers all labelled rows, so that nothing is known of the vote."""
    statement = " ".join(_of_program(rows, PlanGoal(TARGET))) + " It left none to the vote, so nothing is known of the vote."
    notes = _notes(loaded, statement, digest, Account())
    return Chosen(most_cautious(how, rows.task), notes, plan=None, proved=False, statement=statement, account=Account())


def _notes(loaded: LoadedTask, statement: str, digest: str, account: Account) -> dict[str, str]:
    """Return the notes of a run: what each labelled row was used for, what was asked for, and what that has used up."""
    spent = account.spent.plus(Spent(cost=account.unsettled.cost, calls=account.unsettled.calls))
    used = {"cost": spent.cost, "calls": spent.calls, "seconds": spent.seconds}
    task: Any = loaded.task
    rows = [each.row for each in task.labelled]
    shown = [each.row for each in task.examples if each.row is not None]
    content = sorted_json([list(each) for each in task.labelled])
    of = LabelsUsed(
        file=str(loaded.options.get(OPTION, "")),
        digest=loaded.inputs.get(OPTION) or hashlib.sha256(content.encode()).hexdigest(),
        use="example",
        purpose="examples",
        labels=len(shown),
        steps=0,
        amended=0,
        rows=shown,
    )
    measured: dict[str, Any] = {"use": "certify", "purpose": "measured", "labels": len(rows), "rows": rows, "said": statement}
    uses = [*([of] if shown else []), of.model_copy(update=measured)]
    return {USES: uses_note(uses), NOTE: sorted_json({"digest": digest, **used})}
