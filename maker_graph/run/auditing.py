"""The audit of a run: labels of decided steps that are drawn at random, and what they say about all decided steps.

The population is all steps that votes have decided by now. Steps that a person or the program answered, that a verifier
proved, or that are open are counted apart. The population and the order of the draw are fixed when the draw
begins. If the run goes on, it has another population, and the next audit is another draw, in another file.

Labels count in the order of the draw, up to the first step without a label, because what the labels
say must not decide which of them count. If somebody could not tell, the label counts as wrong. If a step was labelled
again, its newest label counts, and the bound is computed as if that label had been there from the beginning. The bound
holds if the right answer at a step does not depend on when somebody is asked for it.
"""

from collections.abc import Callable
from dataclasses import dataclass, replace
from itertools import takewhile
from pathlib import Path

from maker_graph.core.items import Items
from maker_graph.errors import UsageError
from maker_graph.files import is_there
from maker_graph.run.home import Run
from maker_graph.run.label_lines import LabelHeader
from maker_graph.run.labelling import Labelling, Source, label_drawn, order_of, see_apart, seed_of
from maker_graph.run.labels import LabelFile, opened_labels, reading_labels
from maker_graph.run.populations import Population, decided_steps, run_at, voted_steps
from maker_graph.run.settings import unchanged
from maker_graph.run.uses import keep_use
from maker_graph.statistics.audit import CONFIDENCE, Bound


@dataclass(frozen=True, slots=True)
class Audit:
    """What the labels of a draw say about a run.

    Attributes:
        population: steps that models decided.
        drawn: how many of them have a label that counts: the first ones of the draw.
        wrong: how many of the drawn ones their label contradicts.
        unsure: how many of the drawn ones nobody could tell. For the bound they are wrong.
        most: how many of the population are wrong at most.
        confidence: the chance that `most` is not below the truth, however often somebody looks at it.
        waiting: labels that do not count yet, because a step before theirs in the draw has none.
        open: steps that were left open. They are not audited.
        person: steps that a person answered. They are not audited.
        given: steps whose answer was given, by the program or the world. They are not audited.
        proved: steps whose answer the task's verifier proved. They are not audited.
        wrong_steps: the steps that a label contradicts, in the order of the draw.
        file: the file of the labels.
        things: what the run calls its steps: "steps", or "items".
    """

    population: int
    drawn: int
    wrong: int
    unsure: int
    most: int
    confidence: float
    waiting: int
    open: int
    person: int
    given: int
    wrong_steps: tuple[int, ...]
    file: Path
    things: str = "steps"
    proved: int = 0

    def __str__(self) -> str:
        """Return the result of the audit in sentences."""
        were = "was" if self.drawn == 1 else "were"
        counts = "counts" if self.unsure == 1 else "count"
        unsure = f", and {self.unsure:,} that nobody could tell, which {counts} as wrong" if self.unsure else ""
        said = (
            f"Of {self.population:,} decided {self.things}, {self.drawn:,} drawn at random {were} checked; {self.wrong:,} "
            f"{'is' if self.wrong == 1 else 'are'} wrong{unsure}. With {100 * self.confidence:g} % confidence, at most "
            f"{self.most:,} of all {self.population:,} are wrong. The bound holds whenever you look at it, and assumes nothing "
            "about the model."
        )
        others = (
            (self.open, "left open"),
            (self.person, "answered by a person"),
            (self.given, "given by a program or the world"),
            (self.proved, "proved by the task's verifier"),
        )
        apart = ", ".join(f"{number:,} {how}" for number, how in others if number)
        return f"{said} It says nothing about the other {self.things}: {apart}." if apart else said


def audit(run: Run, how: Labelling, confidence: float = CONFIDENCE) -> Audit:
    """Draw steps that models decided, have them labelled, and return what the labels say about all of them.

    Raises:
        UsageError: models decided nothing, or the file holds labels of something else.
        DamagedRun: the journal was changed since it was written.
        LimitReached: the file cannot be written.
    """
    population = decided_steps(run)
    if not population.steps:
        proved = f" The task's verifier proved {population.proved:,}." if population.proved else ""
        raise UsageError(f"No step of this run was decided by votes: there is nothing to audit.{proved}")
    Bound(len(population.steps), confidence)  # raises if the confidence is wrong, before anybody is asked
    path = how.labels or _draw_of(run, population, how.warn)
    see_apart(path, run)
    population = _drawn_from(run, path, population)
    with opened_labels(path, _header(run, population, how.seed), any_seed=how.seed is None) as file:
        label_drawn(file, lambda: _source(run), population, how)
        if run_at(run) != population.at:
            how.warn("The run has gone on meanwhile. This is about the steps that were decided when the audit began.")
        found = _found(run, file, population, confidence)
        keep_use(run.journal, file, "audit", str(found))
    return found


def _header(run: Run, population: Population, seed: int | None) -> LabelHeader:
    return LabelHeader(
        task=run.settings.task,
        options=run.settings.options,
        inputs=run.settings.inputs,
        population=len(population.steps),
        seed=seed_of(seed),
        run=run.settings.id,
        digest=population.digest,
    )


def _draw_of(run: Run, population: Population, warn: Callable[[str], None]) -> Path:
    """Return the file of the draw from this population, in the directory of the run.

    If there is none yet, it is the next free name, for a new draw.

    Raises:
        UsageError: one of the audit files holds something else.
    """
    number, older, folder = 1, "", run.home.made_folder()
    while is_there(path := folder / f"audit{f'-{number}' if number > 1 else ''}.jsonl"):
        if path.stat().st_size == 0:
            break
        with reading_labels(path) as file:
            if (file.header.run, file.header.digest) == (run.settings.id, population.digest):
                return path
            older = f"{path.name} was drawn from {file.header.population:,} of them"
        number += 1
    if older:
        now = f"now there are {len(population.steps):,}"
        warn(f"The decided steps have changed: {older}, and {now}. So another draw begins, in {path.name}.")
    return path


def _drawn_from(run: Run, path: Path, decided: Population) -> Population:
    """Return the population for the draw in a file: `decided`, unless the file was drawn from all steps with a vote.

    Then it is the decided ones among these. They come in a random order too.
    """
    if not is_there(path) or not path.is_file() or path.stat().st_size == 0:
        return decided
    with reading_labels(path) as file:
        digest = file.header.digest
    voted = decided if digest == decided.digest else voted_steps(run)
    return replace(voted, only=frozenset(decided.steps)) if voted.digest == digest != decided.digest else decided


def _source(run: Run) -> Source:
    unchanged(run.settings, run.task)
    return Source.of(run)


def _found(run: Run, file: LabelFile, population: Population, confidence: float) -> Audit:
    """Return what the labels that count say."""
    bound, unsure, wrong_steps = Bound(population.number, confidence), 0, list[int]()
    for step in takewhile(lambda step: step in file.labels, order_of(population, file.header.seed)):
        label, decision = file.labels[step], run.journal.decision(step)
        right = decision is not None and label.candidate == decision["candidate"]
        bound.see(wrong=not right)
        unsure += label.unsure
        if not (right or label.unsure):
            wrong_steps.append(step)
    return Audit(
        population=population.number,
        drawn=bound.drawn,
        wrong=len(wrong_steps),
        unsure=unsure,
        most=bound.most,
        confidence=confidence,
        waiting=sum(population.has(step) for step in file.labels) - bound.drawn,
        open=population.open,
        person=population.person,
        given=population.given,
        proved=population.proved,
        wrong_steps=tuple(wrong_steps),
        file=file.path,
        things="items" if run.has_task and isinstance(run.task, Items) else "steps",
    )
