"""`maker-graph run --labelled`: a model is measured on labelled rows before the run, and they choose how the run samples.

The same command goes on wherever it stopped: with the measuring, or with the run if that has begun. To find it again, a run
without a name is named after the digest of all that was asked for.
"""

import json
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from maker_graph.calibration.choosing import (
    NOTE,
    TARGET,
    TEMPERATURES,
    Chosen,
    Sampling,
    choose_by_labels,
    digest_of,
    labelled_rows,
    most_cautious,
    requests_of,
)
from maker_graph.calibration.labelled import PlanGoal
from maker_graph.cli.calibrated import calls_of
from maker_graph.cli.output import console, shown, tell
from maker_graph.cli.progress import Bar
from maker_graph.core.emitting import emit_of
from maker_graph.core.guarding import guarded
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER
from maker_graph.errors import UsageError
from maker_graph.files import OwnFiles
from maker_graph.models.names import info_of
from maker_graph.models.pricing import FREE
from maker_graph.models.prompts import as_pairs
from maker_graph.run.cascades import rungs_of
from maker_graph.run.home import Home
from maker_graph.run.options import RunOptions
from maker_graph.run.preflight import see_models, see_results
from maker_graph.run.settings import new_settings
from maker_graph.run.votings import NO_LADDER
from maker_graph.runs import Run, Solving
from maker_graph.tasks.loading import LoadedTask


class ByLabels:
    """A run whose rule labelled rows choose.

    Attributes:
        digest: the digest of all that decides what is chosen.
    """

    def __init__(
        self,
        loaded: LoadedTask,
        voted: Mapping[str, Any],
        kept: Mapping[str, Any],
        how: Solving,
        target: float | None,
        *,
        quiet: bool,
    ) -> None:
        """Take what was said on the command line.

        Args:
            loaded: the task, with its labelled rows.
            voted: how a run votes, as arguments of `Run.create`.
            kept: what a run keeps and a resume may change: limits, price, where the results go.
            how: how the run goes on.
            target: the share of the decided rows that must be right; None is the default.
            quiet: whether nothing is shown.

        Raises:
            UsageError: an option sets what labelled rows choose, or there are no labelled rows.
        """
        _see_left_to_labels(voted)
        self._loaded, self._kept, self._how, self._quiet = loaded, kept, how, quiet
        self._sampling = _sampling_of(voted)
        self._target = TARGET if target is None else target
        self._rows = labelled_rows(loaded.task)
        self._asked = requests_of(loaded, self._sampling, self._rows)
        self.digest = digest_of(self._asked, PlanGoal(self._target))

    def run(self, home: Home) -> Run:
        """Open the run and return it: the one that the same command began, or a new one after the measuring.

        Raises:
            UsageError: another run is there, or a setting is wrong.
            MakerError: the measuring stopped; the same command goes on.
        """
        if not home.is_there():
            self._see_run()
            chosen = self._chosen(home.folder.with_name(f"{home.name}.labelled"))
            kept = {**self._kept, **self._left(chosen.notes[NOTE])}
            return Run.create(home, self._loaded, cascade=chosen, warn=tell, **kept)
        run = Run.at(home, task=self._loaded)
        if (note := run.note(NOTE)) is None or json.loads(note)["digest"] != self.digest:
            run.close()
            raise UsageError(
                f"{home} is a run of something else: give another name with --run, or go on with it by maker-graph resume."
            )
        return run

    def _see_run(self) -> None:
        """Check, before anything is measured, that the run can be made, whatever rule is chosen.

        Raises:
            UsageError: the results cannot be written, or a setting is wrong.
        """
        how, task = self._sampling, self._rows.task
        first, *others = rungs_of(most_cautious(how, task), seed=how.seed, check=how.check)
        settings = new_settings(self._loaded, first.model, first.voting, NO_LADDER, cascade=others)
        options = RunOptions.of(**{name: value for name, value in self._kept.items() if name != "force"})
        see_models(settings, options, self._loaded.task)
        see_results(settings, options, self._loaded.task, OwnFiles(), force=self._kept["force"])

    def how(self, run: Run) -> Solving:
        """Return how the run goes on, with the limits and the places of results that this command gives."""
        kept = {name: value for name, value in self._kept.items() if value is not None}
        return Solving(**{**self._how, **kept, **self._left(run.note(NOTE))})  # type: ignore[typeddict-item]  # its own names

    def _left(self, note: str | None) -> dict[str, Any]:
        """Return the limits of the run: what the measuring has left of those of the command."""
        used, kept = json.loads(note or "{}"), self._kept
        gone = {"max_cost": used["cost"], "max_calls": used["calls"], "max_minutes": used["seconds"] / 60}
        return {name: max(0, kept[name] - spent) for name, spent in gone.items() if kept[name] is not None}

    def _chosen(self, folder: Path) -> Chosen:
        """Tell what will be asked, ask it, and tell what was chosen. The samples are kept in `folder`."""
        if not self._quiet:
            for line in self._announced(folder):
                tell(line)
        how, kept = self._how, self._kept
        with _progress(quiet=self._quiet) as progress:
            chosen = choose_by_labels(
                self._loaded,
                self._sampling,
                folder,
                target=self._target,
                max_cost=kept["max_cost"],
                max_calls=kept["max_calls"],
                max_minutes=kept["max_minutes"],
                price=kept["price"],
                concurrency=how.get("concurrency") or 16,
                calls=calls_of(how.get("rpm"), _seconds(how), how["patience"] / 60),
                probe=how["probe"],
                progress=progress,
                warn=tell,
            )
        if not self._quiet:
            (rung,) = chosen.cascade.rungs
            rule = rung.settings(seed=None, check=True).voting.rule
            console(err=True).print(shown(("Chosen: ", "bold"), f"{rung.model} at temperature {rung.temperature}, {rule}."))
            tell(chosen.statement)
        return chosen

    def _announced(self, folder: Path) -> Iterator[str]:
        """Yield what a person is told before the first call."""
        task, voted, how = self._rows.task, len(self._rows.voted), self._sampling
        shown = sum(each.row is not None for each in task.examples)
        parts = [
            *([f"{shown:,} are examples"] if shown else []),
            *([f"the program answers {self._rows.program.decided:,}"] if self._rows.program.decided else []),
        ]
        heats = ", ".join(f"{each:g}" for each in how.temperatures)
        total = shown + voted + self._rows.program.decided
        yield f"{total:,} labelled rows: {', '.join([*parts, f'{voted:,} are measured'])}."
        if not voted:
            return
        samples = voted * how.samples * len(self._asked)
        calls = samples * (1 if emit_of(how.emit) is None else 2)
        yield (
            f"Measured before the run: {how.samples} samples of each row at each of the temperatures {heats}, {calls:,} calls"
            f"{self._most(samples)}. They are kept in {folder}. If this command stops, give it again: nothing is paid twice."
        )

    def _most(self, samples: int) -> str:
        """Return the most that `samples` samples may cost, in words; an empty text if no price is known."""
        (price, of_form), emit = self._sampling.prices(self._kept["price"]), emit_of(self._sampling.emit)
        if of_form is None or price is None or price == FREE or info_of(self._sampling.model).ships:
            return ""
        task = guarded(self._rows.task)
        asked = as_pairs(task.prompt({self._rows.task.place: self._rows.voted[0]}))
        examples = sum(len(str(each.item)) + len(each.reply) for each in self._rows.task.examples[:5])
        read = (len(str(asked)) + examples) // 4
        cap = self._asked[0].max_tokens[self._sampling.model]
        each = price({"input": read, "cached": 0, "output": cap})
        if emit is not None:
            each += of_form({"input": read + cap, "cached": 0, "output": emit.max_tokens or cap})
        return f", up to ${samples * each:,.2f} if every reply fills its {cap} tokens"


def _see_left_to_labels(voted: Mapping[str, Any]) -> None:
    """Check that no option sets what labelled rows choose.

    Raises:
        UsageError: an option does.
    """
    if twice := [f"--{name.replace('_', '-')}" for name, default in _CHOSEN.items() if voted[name] != default]:
        raise UsageError(f"--labelled chooses the rule, and leaves to a person what no vote decides: leave out {twice[0]}.")
    if not isinstance(voted["model"], str):
        raise UsageError("--labelled measures one model: name it with --model.")


_CHOSEN = {
    "k": "auto",
    "within": None,
    "cascade": None,
    "calibration": None,
    "max_samples": MAX_SAMPLES,
    "stuck_after": STUCK_AFTER,
    "variants": False,
    "retry_temperature": 1.0,
    "rephrase": True,
    "escalate": None,
}
"""The options that --labelled leaves at their defaults: labelled rows choose them, or the chosen rule does not use them."""


def _sampling_of(voted: Mapping[str, Any]) -> Sampling:
    """Return how the model is asked for the labelled rows.

    Raises:
        UsageError: the first sample has a temperature of its own, or no temperature is sent.
    """
    heat = voted["temperature"]
    if heat is None or (heat != "auto" and heat[0] != heat[1]):
        raise UsageError(
            "--labelled asks all samples of a row at one temperature: give --temperature one number, or leave it out."
        )
    names = ("max_tokens", "check", "stop", "structured", "emit", "seed")
    heats = TEMPERATURES if heat == "auto" else heat[:1]
    return Sampling(voted["model"], heats, **{name: voted[name] for name in names})


def _seconds(how: Solving) -> float | None:
    """Return the seconds after which a request is given up; None if that depends on how long replies take."""
    timeout = how["timeout"]
    return None if timeout == "auto" else timeout


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a live bar of the rows that are measured; yield the function that is told how many are done, of how many."""
    if quiet:
        yield lambda *_: None
        return
    with Bar("measuring", "labelled rows") as bar:
        yield bar.reach
