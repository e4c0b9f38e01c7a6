"""Before a run's first call: what is known of its model, which lead that asks for, and what a person is told to expect."""

import json
from pathlib import Path
from typing import Any, NamedTuple

from rich.console import Console

from maker_graph.calibration.file import read as read_calibration
from maker_graph.calibration.lines import Asked
from maker_graph.calibration.plan import WIDE, Basis, basis_of, basis_of_profile, expected
from maker_graph.cli.app import tell
from maker_graph.core.red_flags import estimated_tokens
from maker_graph.core.task import Predicts, total_of
from maker_graph.errors import UsageError
from maker_graph.models.names import TINY
from maker_graph.models.pricing import FREE, Price
from maker_graph.models.prompts import as_pairs
from maker_graph.report.wording import chance
from maker_graph.run import directory as runs
from maker_graph.run.settings import load_task
from maker_graph.statistics.forecast import planned_k


class Conditions(NamedTuple):
    """What of a sample, beside its prompt, bears on how often it errs: a calibration tells of a run only if both are alike.

    Attributes:
        check: whether answers that break the task's rules are discarded.
        cap: the output cap.
        temperature: of the first sample and of the others; None leaves it to the model.
    """

    check: bool
    cap: int
    temperature: tuple[float, float] | None

    def __str__(self) -> str:
        """Return them as options."""
        heat = "none" if self.temperature is None else ",".join(f"{each:g}" for each in self.temperature)
        return f"{'--check' if self.check else '--no-check'} --max-tokens {self.cap} --temperature {heat}"


def basis_for(task: str, options: dict[str, Any], model: str, calibration: Path | None, conditions: Conditions) -> Basis | None:
    """Return what is known of the model: by a calibration of this task, or all of a simulated one.

    Raises:
        UsageError: the calibration cannot be read, or is of another task, other models or other conditions.
    """
    if calibration is not None:
        return _calibrated(task, options, model, calibration, conditions)
    if model == TINY:
        from maker_graph.models.tiny_lm import CALIBRATION  # noqa: PLC0415  numpy takes a tenth of a second to import

        asked, (result,) = read_calibration(CALIBRATION)
        same = (asked.task, asked.options, _conditions_of(asked, model)) == (task, options, conditions)
        return basis_of(result) if same else None
    if not model.startswith("sim:"):
        return None
    from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

    made = load_task(task, options)
    state = made.start()
    shown = "" if made.done(state) else "".join(str(content) for _, content in as_pairs(made.prompt(state)))
    return basis_of_profile(profile_of(model.removeprefix("sim:")), estimated_tokens(shown))


def _calibrated(task: str, options: dict[str, Any], model: str, calibration: Path, conditions: Conditions) -> Basis:
    asked, results = read_calibration(calibration)
    if asked.task != task:
        raise UsageError(f"{calibration} is a calibration of {asked.task}, not of {task}.")
    found = next((result for result in results if result.model == model), None)
    if found is None:
        raise UsageError(f"{calibration} knows {', '.join(asked.models)}, but not {model}: calibrate that first.")
    if (had := _conditions_of(asked, model)) != conditions:
        raise UsageError(
            f"{calibration} is of other samples than those of this run, which may err more or less often: it had {had}, the "
            f"run has {conditions}. Calibrate with what the run has, or the other way round."
        )
    if asked.options != options:
        tell(f"{calibration} is of {asked.options}, this run of {options}: the model may err more or less often here.")
    return basis_of(found)


def _conditions_of(asked: Asked, model: str) -> Conditions:
    return Conditions(asked.check, asked.caps[model], asked.temperature)


def plan_of(run: runs.Run, basis: Basis | None) -> dict[str, Any] | None:
    """Return what is expected of a new run, and keep it with the run; None if too little is known."""
    total = total_of(run.task)
    if basis is None or not total:
        return None
    plan = expected(basis, run.settings.k, total)
    run.journal.set_note("plan", json.dumps(plan))
    return plan


def planned_lead(task: str, options: dict[str, Any], basis: Basis, target: float) -> int | None:
    """Return the least k that reaches `target`; None if it is not known how long the task is.

    Raises:
        UsageError: no k does.
    """
    total = total_of(load_task(task, options))
    rho = 0.0 if basis.rho is None else basis.rho.value
    return None if not total else planned_k(basis.p, total, target, rho=rho, rival=basis.rival)


def announce(run: runs.Run, price: Price | None, plan: dict[str, Any] | None, *, quiet: bool) -> None:
    """Say before the first call what is about to happen and what it may cost."""
    if quiet:
        return
    settings, total = run.settings, total_of(run.task)
    console = Console(stderr=True, highlight=False)
    steps = f"{total:,} steps" if total is not None else "steps until it is done"
    console.print(f"[bold]{settings.task}[/]: {steps}, each decided by a lead of k = {settings.k} votes. Run: {run.directory}")
    if settings.simulated:
        from maker_graph.models.simulation import profile_of  # noqa: PLC0415  a real run knows nothing of the simulation

        profile = profile_of(settings.model.removeprefix("sim:"))
        console.print(
            f"[bold]{settings.model}[/] is simulated: {profile.error:.2%} of its valid samples are wrong, "
            f"{profile.flagged:.1%} are red-flagged. Nothing is spent."
        )
    elif settings.model == TINY:
        console.print(
            f"[bold]{TINY}[/] is a language model of 42,240 numbers, trained from scratch on Towers of Hanoi with 3 to 12 "
            "disks. It runs on this machine and costs nothing, and nobody scripted its errors."
        )
    if plan is not None:
        console.print(f"The chance that no step is wrong: {_stated(plan)}")
    elif total:
        console.print(
            "The chance that no step is wrong is not known, for nobody said how often this model errs on such samples: "
            "maker-graph calibrate measures it."
        )
    if price is not None and price != FREE and total is not None:
        calls = total * settings.k
        read = sum(len(str(message)) for message in run.task.prompt(run.task.start())) // 4
        most = price({"input": calls * read, "cached": 0, "output": calls * settings.max_tokens})
        console.print(
            f"Expected: {calls:,} calls, and some more where samples disagree; "
            f"up to ${most:,.2f} for them if every reply fills its {settings.max_tokens} tokens. --max-cost sets a limit."
        )


def _stated(plan: dict[str, Any]) -> str:
    """Return the chance of a plan in words, with what it rests on where that is much."""
    likely, low = plan["p_full"], plan["p_full_low"]
    if low is not None and low < likely - WIDE:
        return f"{chance(likely)} by what was measured, {chance(low)} at the worst that its calibration leaves open."
    other = "" if not plan["rho"] else f" If samples erred independently it would be {chance(plan['p_full_independent'])}."
    return f"at least {chance(likely)}.{other}"


def announce_lookahead(
    run: runs.Run,
    *,
    quiet: bool,
    lookahead: Any,
    draft_model: str | None,
    draft_price: Price | None,  # noqa: ARG001  as `solve`
) -> None:
    """Say how far a run looks ahead, who drafts, and what that costs."""
    if lookahead == 1 or quiet:
        return
    by = "the task itself" if isinstance(run.task, Predicts) else draft_model or run.settings.model
    many = "as many microsteps at once as drafts deserve" if lookahead == "auto" else f"{lookahead} microsteps at once"
    tell(f"Lookahead: {many}, drafted by {by}. Votes on what was drafted wrong are dropped, and paid for.")
