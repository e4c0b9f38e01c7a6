"""Labels for drawn steps. They come from a person, who never sees the model's answer, or from the task's own truth."""

import re
import secrets
from collections import defaultdict
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from itertools import islice
from pathlib import Path
from typing import Any, NamedTuple, TypeAlias

from maker_graph.core.answers import candidate_of
from maker_graph.core.canonical import plain, strict_json
from maker_graph.core.characters import visible
from maker_graph.core.checks import failed, one_of, whole
from maker_graph.core.guarding import Guarded, guarded
from maker_graph.core.judging import Judged, judge
from maker_graph.core.red_flags import Sample, empty
from maker_graph.core.task import Known, Skippable
from maker_graph.core.verdict import RightPath
from maker_graph.errors import MakerError, UsageError
from maker_graph.run.home import Run
from maker_graph.run.label_lines import USES, Label, LabelHeader, Use
from maker_graph.run.labels import LabelFile, opened_labels
from maker_graph.run.populations import Population, states_in, states_of, task_steps, voted_steps
from maker_graph.run.settings import unchanged
from maker_graph.run.uses import keep_use
from maker_graph.statistics.drawing import drawn
from maker_graph.tasks.loading import LoadedTask

LABELS = 300
"""How many labels are asked for by default."""

UNSURE = "?"
"""The reply of a person who cannot say what is right."""

TRUTH = "truth"
"""The `who` of a label that comes from the task's own truth."""

_AT_ONCE = 1000
"""How many labels of the truth are written at once."""

_JSON_OF_A_PERSON = ("{", "[", '"')
"""The first characters of JSON that cannot be a plain reply. A number can be one, so digits are not among them."""


class Question(NamedTuple):
    """What a person is asked.

    Attributes:
        step: its number, from 1.
        place: its place in the draw, from 1.
        of: how many steps are to be labelled.
        question: (role, content) pairs, in order.
        refused: why the last reply was not taken; empty at first.
    """

    step: int
    place: int
    of: int
    question: list[tuple[str, Any]]
    refused: str = ""


Ask: TypeAlias = Callable[[Question], str | None]
"""Asks a person. It returns the reply: what is right, as a model would say it, or `UNSURE`, or None to stop."""


@dataclass(frozen=True, slots=True)
class Source:
    """Where the labelled steps come from.

    Attributes:
        task: the task of the steps.
        run: the run of the steps; None if they are steps of the task itself.
        check: whether a label must keep the task's rules.
    """

    task: Guarded
    run: Run | None
    check: bool

    @classmethod
    def of(cls, source: Run | LoadedTask, *, check: bool = True) -> "Source":
        """Return the source for the steps of a run, or of a task without a run."""
        if isinstance(source, Run):
            return cls(guarded(source.task), source, source.settings.voting.check)
        return cls(guarded(source.task), None, check)

    def states(self, steps: Collection[int]) -> Iterator[tuple[int, Any]]:
        """Yield steps with their states, in any order."""
        return states_of(self.task, steps) if self.run is None else states_in(self.run, steps)

    def question(self, state: Any) -> list[tuple[str, Any]]:
        """Return what is asked in a state."""
        from maker_graph.models.prompts import as_pairs  # noqa: PLC0415  LangChain, which a look at labels does not need

        return as_pairs(self.task.prompt(state))


class Labelling(NamedTuple):
    """How drawn steps are labelled.

    Attributes:
        random: how many steps are to be labelled, including those of earlier calls.
        labels: the file of labels; None for one in the folder of the run, or one with the name of the task.
        seed: the seed of the draw. None: a random one for a new file, and its own for a file that exists.
        truth: whether the task labels the steps, so that no person is asked.
        ask: the function that asks a person; None if nobody is asked.
        again: steps to ask once more.
        who: the name of the person who answers.
        warn: called with texts that are worth knowing.
    """

    random: int = LABELS
    labels: Path | None = None
    seed: int | None = None
    truth: bool = False
    ask: Ask | None = None
    again: tuple[int, ...] = ()
    who: str = ""
    warn: Callable[[str], None] = lambda _: None


def see_apart(path: Path, run: Run) -> None:
    """Make sure that a file of labels is not one of the files of the run itself.

    Raises:
        UsageError: it is one of them.
    """
    if run.home.keeps(path):
        raise UsageError(f"{path} is a file of the run itself: give another one to --labels.")


def seed_of(seed: int | None) -> int:
    """Return the seed of a new draw: a random one if none is given.

    Raises:
        UsageError: it is not a seed.
    """
    return secrets.randbits(32) if seed is None else whole("seed", seed, 0)


def label_drawn(file: LabelFile, source: Callable[[], Source], population: Population, how: Labelling) -> None:
    """Label the drawn steps that have no label yet. `source` is only called if there are any.

    Raises:
        UsageError: the settings of `how` do not go together, or the task cannot be asked.
        MakerError: the file cannot be written, or the journal was changed since it was written.
    """
    if file.dropped:
        how.warn(f"{file.path}: half a line at its end does not count. Its step is asked again.")
    order = list(islice(order_of(population, file.header.seed), whole("random", how.random, 0)))
    known = {*order, *filter(population.has, file.labels)}
    if how.again and (how.ask is None or how.truth):
        raise UsageError("To label a step again, somebody must be asked: leave out the truth.")
    for step in how.again:
        if step not in known:
            raise UsageError(f"Step {step} is not among those that were drawn: it cannot be labelled again.")
    if not how.again and all(step in file.labels for step in order):
        return
    if how.truth:
        label_by_truth(file, source(), order)
    elif how.ask is not None:
        label_by_asking(file, source(), how.again or order, how.ask, how.who, again=bool(how.again))


def order_of(population: Population, seed: int) -> Iterator[int]:
    """Yield the steps of a population in the order of the draw."""
    steps = (population.steps[place - 1] for place in drawn(len(population.steps), seed))
    return filter(population.has, steps) if population.only is not None else steps


def label_by_asking(file: LabelFile, source: Source, order: Sequence[int], ask: Ask, who: str, *, again: bool = False) -> None:
    """Ask a person about the steps of `order`. Each label is on the disk before the next question.

    Steps that have a label are left out, unless they are to be asked `again`.

    Raises:
        MakerError: the file cannot be written, or the journal was changed since it was written.
    """
    missing = [step for step in order if again or step not in file.labels]
    states = dict(source.states(missing))
    places = {step: place for place, step in enumerate(order, start=1)}
    for step in missing:
        if not file.claim(step):  # somebody else is being asked about it
            continue
        try:
            file.refresh()
            if step in file.labels and not again:  # it was labelled meanwhile
                continue
            question = Question(step, places[step], len(order), source.question(states[step]))
            label = _asked(source, states[step], question, ask, who)
            if label is None:
                return
            file.add(label)
        finally:
            file.release(step)


def _asked(source: Source, state: Any, question: Question, ask: Ask, who: str) -> Label | None:
    """Ask until a reply is taken, and return its label; None if the person stops."""
    while (reply := ask(question)) is not None:
        if reply.strip() == UNSURE:
            return Label(question.step, who, _now())
        read, why = read_reply(source, state, reply)
        if read is not None:
            return Label(question.step, who, _now(), read["answer"], read["candidate"])
        question = question._replace(refused=why)
    return None


def read_reply(source: Source, state: Any, reply: str) -> tuple[Judged | None, str]:
    """Return the answer in a person's reply, or why the reply is not taken.

    The task reads the reply like a model's reply. If it cannot, and the reply is a JSON object, list or text, the reply
    itself is the answer.
    """
    from maker_graph.graph.voters import reading_of  # noqa: PLC0415  LangGraph, which a look at labels does not need

    part = source.task.voted(state)
    reading = replace(reading_of(part, state, check=source.check), red_flags={"empty": empty})
    try:
        read = judge(Sample(0, reply), reading)
        if read["flag"] == "malformed" and reply.lstrip().startswith(_JSON_OF_A_PERSON):
            as_answer = judge(Sample(0, reply.strip()), replace(reading, parse=strict_json))
            read = read if as_answer["flag"] == "malformed" else as_answer
    except UsageError as error:  # the check fails on an answer that the parser has not seen
        return None, visible(str(error)).rstrip(".")
    if read["flag"] is not None:
        return None, f"it is {read['flag']}{': ' + read['why'].rstrip('.') if read['why'] else ''}"
    return read, ""


def label_by_truth(file: LabelFile, source: Source, order: Sequence[int]) -> None:
    """Label the steps of `order` that have no label yet, by what the task knows to be right.

    If steps depend on each other, the task does not know what is right after a wrong answer. Such labels are unsure.

    Raises:
        UsageError: the task does not know, or its truth fails.
        MakerError: the file cannot be written, or the journal was changed since it was written.
    """
    if not isinstance(source.task, Known):
        raise UsageError(
            "The task does not know the right answers (it has no truth(state)): leave out --truth and answer yourself, or give "
            "the task a truth(state)."
        )
    places = {step: place for place, step in enumerate(order) if step not in file.labels}
    found = _truths(source, places)
    for labels in _chunks(sorted(found, key=lambda label: places[label.step])):
        file.add(*labels)


def _truths(source: Source, steps: Collection[int]) -> Iterator[Label]:
    run = source.run
    if run is None or isinstance(source.task, Skippable):
        for step, state in source.states(steps):
            yield _truth_at(source.task, step, state)
        return
    path, left = RightPath(source.task), len(steps)
    for committed, before, after in run.journal.replay(run.machine) if left else ():
        step = after["step"]
        right = path.right(before["state"], step)
        if path.failure:
            raise UsageError(f"The steps cannot be labelled: {path.failure}")
        if step in steps:
            left -= 1
            yield Label(step, TRUTH, _now()) if right is None else _truth_at(source.task, step, before["state"])
        if not left:
            return
        path.take(right, committed["candidate"])


def _truth_at(task: Guarded, step: int, state: Any) -> Label:
    try:
        part = task.voted(state)
        truth = task.truth(state)  # type: ignore[attr-defined]  # it was seen to know
        answer, key = plain(truth), getattr(part, "key", None)
        candidate = candidate_of(truth if key is None else key(answer))
    except MakerError:
        raise
    except Exception as error:
        raise failed(f"truth, asked for step {step:,},", error) from error
    return Label(step, TRUTH, _now(), answer, candidate)


def _chunks(labels: Iterable[Label]) -> Iterator[list[Label]]:
    going = iter(labels)
    while chunk := list(islice(going, _AT_ONCE)):
        yield chunk


def near_duplicates(source: Source, steps: Collection[int]) -> list[list[int]]:
    """Return groups of steps whose questions differ only in case, digits and spaces. Their labels say less."""
    groups: defaultdict[str, list[int]] = defaultdict(list)
    for step, state in source.states(steps):
        groups[folded(source.question(state))].append(step)
    return sorted(sorted(group) for group in groups.values() if len(group) > 1)


def folded(question: Iterable[tuple[str, Any]]) -> str:
    """Return the text of a question without its case, digits and extra spaces. Near-duplicates have the same.

    >>> folded([("human", "Price  of Tea: 12.50")]) == folded([("human", "price of tea: 9.75")])
    True
    """
    text = "\n".join(str(content) for _, content in question).casefold()
    return re.sub(r"\s+", " ", re.sub(r"\d+", "0", text)).strip()


def _now() -> str:
    return f"{datetime.now(UTC):%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Labelled:
    """How many steps of a draw are labelled.

    Attributes:
        population: how many steps were drawn from.
        asked: how many steps are to be labelled.
        labelled: how many of them have a label.
        unsure: how many of them have an unsure label.
        alike: groups of labelled steps whose questions differ only in case, digits and spaces.
        use: what the labels are for.
        file: the file of the labels.
    """

    population: int
    asked: int
    labelled: int
    unsure: int
    alike: list[list[int]]
    use: Use
    file: Path


def label(what: Run | LoadedTask, how: Labelling, use: Use = "certify", *, check: bool = True) -> Labelled:
    """Draw steps of a run on which models voted, or of a task on which they would vote, and have them labelled.

    Args:
        what: the run, or the task.
        how: how the steps are labelled.
        use: what the labels are for.
        check: whether a label must keep the rules of the task. For a run, its settings say so.

    Raises:
        UsageError: there are no such steps, or the file holds labels of something else.
        DamagedRun: the journal was changed since it was written.
        LimitReached: the file cannot be written.
    """
    one_of("use", use, USES)
    run = what if isinstance(what, Run) else None
    population = task_steps(what.task) if run is None else voted_steps(run)
    if not population.steps:
        raise UsageError("Models voted on no step of this run: there is nothing to label.")
    header = LabelHeader(
        task=what.name if isinstance(what, LoadedTask) else what.settings.task,
        options=what.options if isinstance(what, LoadedTask) else what.settings.options,
        inputs=what.inputs if isinstance(what, LoadedTask) else what.settings.inputs,
        population=len(population.steps),
        seed=seed_of(how.seed),
        run=None if run is None else run.settings.id,
        use=use,
        digest=population.digest,
    )
    path = how.labels or _own_file(what, use)
    if run is not None:
        see_apart(path, run)
        unchanged(run.settings, run.task)
    source = Source.of(what, check=check)
    with opened_labels(path, header, any_seed=how.seed is None) as file:
        label_drawn(file, lambda: source, population, how)
        order = list(islice(order_of(population, file.header.seed), how.random))
        labelled = [step for step in order if step in file.labels]
        if run is not None:
            keep_use(run.journal, file, "labelled")
        return Labelled(
            population=len(population.steps),
            asked=len(order),
            labelled=len(labelled),
            unsure=sum(file.labels[step].unsure for step in labelled),
            alike=near_duplicates(source, labelled),
            use=use,
            file=path,
        )


def _own_file(what: Run | LoadedTask, use: Use) -> Path:
    """Return the file for labels if none is named: one in the folder of the run, or one with the name of the task."""
    end = ".jsonl" if use == "certify" else f"-{use}.jsonl"
    if isinstance(what, Run):
        return what.home.made_folder() / f"labels{end}"
    return Path(f"labels-{what.name.rpartition(':')[2]}{end}")
