"""What a person is told before the first call of a run: what will happen, its chance of success, and its cost."""

from typing import Any

from maker_graph.calibration.plan import WIDE
from maker_graph.cli.output import console, shown, tell
from maker_graph.core.guarding import guarded, total_of
from maker_graph.core.rules import AheadBy
from maker_graph.core.task import Predicts
from maker_graph.models.pricing import FREE
from maker_graph.report.wording import chance
from maker_graph.run.options import prices_of
from maker_graph.run.settings import Settings
from maker_graph.runs import Run
from maker_graph.tasks.hanoi import Hanoi


def announce(run: Run, *, quiet: bool) -> None:
    """Tell what the run will do, how likely it is that no step is wrong, and what it may cost; `quiet` tells nothing."""
    if quiet:
        return
    settings, total, plan = run.settings, total_of(run.task), run.plan
    draws = console(err=True)
    steps = f"{total:,} steps" if total is not None else "steps until it is done"
    by = _rules(settings)
    lead = f": {steps}, each decided by {by}. Run: {run.home}"
    draws.print(shown((settings.task, "bold"), lead))
    if settings.simulated:
        profile = settings.info.profile()
        own = any(part.rehearse is not None for part in guarded(run.task).voted_parts.values())
        wrong = f"{profile.error:.2%} of its valid samples are wrong{' where the task does not say how hard a step is' * own}"
        errs = f" is simulated: {wrong}, {profile.flagged:.1%} are red-flagged. "
        draws.print(shown((settings.model, "bold"), errs, "Nothing is spent."))
    elif settings.info.ships:
        what = " is a language model of 42,240 numbers, trained from scratch on Towers of Hanoi with 3 to 12 disks. "
        free = "It runs on this machine and costs nothing, and nobody scripted its errors."
        other = "" if isinstance(run.task, Hanoi) else " It knows only this puzzle: its replies to any other task mean nothing."
        draws.print(shown((settings.model, "bold"), what, free, other))
    if plan is not None:
        draws.print(f"The chance that no step is wrong: {_stated(plan)}")
    elif total and not run.backing:
        draws.print(
            "The chance that no step is wrong is not known, because nobody said how often this model errs on this task: "
            "maker-graph calibrate measures it."
        )
    price = prices_of(settings, run.options).model
    cap = settings.voting.output_cap
    if price is not None and price != FREE and total is not None and cap is not None:
        calls = total * settings.k
        read = _prompt_tokens(run)
        most = calls * price(
            {"input": read, "cached": 0, "output": cap}
        )  # for each request by itself, as a price may depend on its length
        draws.print(
            f"Expected: at least {calls:,} calls{_more(settings)}; "
            f"up to ${most:,.2f} for these {calls:,} if every reply fills its {cap} tokens. "
            f"{_limit(run.options.max_cost, most)}"
        )


def _limit(max_cost: float | None, most: float) -> str:
    """Return what is said of the limit on the cost beside what a run may cost."""
    if max_cost is None:
        return "--max-cost sets a limit."
    return f"The limit is ${max_cost:g}" + (": the run stops there, if it comes so far." if max_cost < most else ".")


def _rules(settings: Settings) -> str:
    """Return what decides a step, in words."""
    if settings.cascade:
        rungs = [(settings.model, settings.voting), *((rung.model, rung.voting) for rung in settings.cascade)]
        return "one of these rungs: " + ", then ".join(f"{model} {voting.rule}" for model, voting in rungs)
    within = settings.voting.rule.within if isinstance(settings.voting.rule, AheadBy) else None
    within_text = "" if within is None else f" within {within}, or passed on"
    if settings.leads:
        return f"leads of {', '.join(f'{name} {k}' for name, k in settings.leads.items())} votes{within_text}"
    if settings.voting.lead is None:
        return f"the rule: {settings.voting.rule}"
    return f"a lead of k = {settings.k} votes{within_text}"


def _more(settings: Settings) -> str:
    if settings.cascade:
        return " on the first rung, and more for what it passes on"
    return ", and more where samples disagree or are discarded"


def _prompt_tokens(run: Run) -> int:
    """Return about how many tokens the first prompt has; 0 if the first step is answered without one."""
    task = guarded(run.task)
    state = task.start()
    return len(str(task.prompt(state))) // 4 if task.part(state) in task.voted_parts else 0


def _stated(plan: dict[str, Any]) -> str:
    """Return the chance of a plan in words, with what else it may be: at the worst, or if errors were independent."""
    likely, low = plan["p_full"], plan["p_full_low"]
    if low is not None and low < likely - WIDE:
        by = "by the error rate that was measured for this model on this task"
        return f"{chance(likely)} {by}, {chance(low)} in the worst case that the measurement allows."
    other = "" if not plan["rho"] else f" If samples erred independently it would be {chance(plan['p_full_independent'])}."
    return f"at least {chance(likely)}.{other}"


def announce_lookahead(run: Run, *, quiet: bool) -> None:
    """Tell how far a run looks ahead, who drafts, and what it costs if a draft is wrong."""
    options = run.options
    if (options.lookahead or 1) == 1 or guarded(run.task).given is not None or quiet:
        return
    by = "the task itself" if isinstance(run.task, Predicts) else options.draft_model or run.settings.model
    many = "as many microsteps at once as pay off" if options.lookahead == "auto" else f"{options.lookahead} microsteps at once"
    tell(f"Lookahead: {many}, drafted by {by}. Votes on a wrong draft are dropped, but paid for.")
