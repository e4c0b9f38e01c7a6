"""`maker-graph run --labelled`: a model is measured on labelled rows first, and they choose rule and temperature.

The same command always goes on: with the measuring if that was interrupted, or with the run if that has begun. So a run without
a given name is named by the digest of everything that was asked for.
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
from maker_graph.cli.bars import progress_bar
from maker_graph.cli.calibrated import calls_of
from maker_graph.cli.output import console, shown, tell
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
    """A run whose rule is chosen by labelled rows.

    Attributes:
        digest: a hash of everything that the choice depends on.
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
            voted: how a run votes, as `Run.create` takes it.
            kept: what a run keeps and a resume may change: limits, price, the file for the results.
            how: how the run goes on.
            target: the share of the decided rows that must be right; None means the default.
            quiet: whether to show nothing.

        Raises:
            UsageError: an option is given that the labelled rows choose, or there are no labelled rows.
        """
        _see_left_to_labels(voted)
        self._loaded, self._kept, self._how, self._quiet = loaded, kept, how, quiet
        self._sampling = _sampling_of(voted)
        self._target = TARGET if target is None else target
        self._rows = labelled_rows(loaded.task)
        self._asked = requests_of(loaded, self._sampling, self._rows)
        self.digest = digest_of(self._asked, PlanGoal(self._target))

    def run(self, home: Home) -> Run:
        """Return the run, opened: the one that this same command has begun, or a new one after the measuring.

        Raises:
            UsageError: another run has this name, or a setting is wrong.
            MakerError: the measuring stopped before its end. The same command goes on.
        """
        if not home.is_there():
            self._see_run()
            chosen = self._chosen(home.folder.with_name(f"{home.name}.labelled"))
            kept = {**self._kept, **self._left(chosen.notes[NOTE])}
            return Run.create(home, self._loaded, cascade=chosen, warn=tell, **kept)
        run = Run.at(home, task=self._loaded)
        if (note := run.note(NOTE)) is None or json.loads(note)["digest"] != self.digest:
            run.close()
            raise UsageError(f"{home} is another run: give a new name to --run, or go on with that one by maker-graph resume.")
        return run

    def _see_run(self) -> None:
        """Check before the measuring that the run can be made after it, whatever rule is chosen.

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
        """Return how the run goes on, with the limits and the file for the results that this command gives."""
        kept = {name: value for name, value in self._kept.items() if value is not None}
        return Solving(**{**self._how, **kept, **self._left(run.note(NOTE))})  # type: ignore[typeddict-item]  # its own names

    def _left(self, note: str | None) -> dict[str, Any]:
        """Return the limits that are left for the run after the measuring."""
        used, kept = json.loads(note or "{}"), self._kept
        gone = {"max_cost": used["cost"], "max_calls": used["calls"], "max_minutes": used["seconds"] / 60}
        return {name: max(0, kept[name] - spent) for name, spent in gone.items() if kept[name] is not None}

    def _chosen(self, folder: Path) -> Chosen:
        """Say what will be asked, ask it, and say what was chosen. The samples are kept in `folder`."""
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
        """Yield the lines that are shown before the first call."""
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
            f"{self._most(samples)}. They are kept in {folder}. If this command stops, repeat it: nothing is paid twice."
        )

    def _most(self, samples: int) -> str:
        """Return in words the most that this many samples may cost; an empty text if no price is known."""
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
    """Check that no option is given that the labelled rows choose.

    Raises:
        UsageError: one is given.
    """
    if twice := [f"--{name.replace('_', '-')}" for name, default in _CHOSEN.items() if voted[name] != default]:
        raise UsageError(f"--labelled chooses the rule, and a person answers what no vote decides: leave out {twice[0]}.")
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
"""The options that the labelled rows choose, or that such a run does not have, with their defaults."""


def _sampling_of(voted: Mapping[str, Any]) -> Sampling:
    """Return how the model is asked.

    Raises:
        UsageError: the first sample has a temperature of its own, or no temperature is to be sent.
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
    """Return the seconds after which a request is given up; None if they adapt to how long replies take."""
    timeout = how["timeout"]
    return None if timeout == "auto" else timeout


@contextmanager
def _progress(*, quiet: bool) -> Iterator[Callable[[int, int], None]]:
    """Show a live bar of the measured rows. Yield the function to call with how many are done, and of how many."""
    if quiet:
        yield lambda *_: None
        return
    with progress_bar("labelled rows") as bar:
        row = bar.add_task("measuring", total=None)
        yield lambda done, total: bar.update(row, completed=done, total=total)
