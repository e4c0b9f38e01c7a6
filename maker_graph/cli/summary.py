"""The summary of a run: its figures as a table, and its verdict as an exit code."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import Progress
from rich.text import Text

from maker_graph.cli.app import CONTRADICTED, EXIT_CODES, Ending
from maker_graph.cli.output import console, counted, facts, show, shown
from maker_graph.core.characters import visible
from maker_graph.core.verdict import Verdict
from maker_graph.core.verifying import STANDINGS
from maker_graph.errors import Undecided
from maker_graph.models.names import info_of
from maker_graph.models.pricing import list_price
from maker_graph.run.summary import LONG, Summary
from maker_graph.runs import Run

CODES: Mapping[Verdict | None, int] = {"contradicted": CONTRADICTED, "unfinished": CONTRADICTED, "open": EXIT_CODES[Undecided]}
"""The exit codes of verdicts that are not good. A run that is not over is among them, because `verify` expects an end."""

_GIVERS = {"program": "the program", "world": "the world", "person": "a person"}

STYLES: Mapping[Verdict | None, str] = {"proved": "green", "right": "green", "contradicted": "red", "open": "yellow"}


def summarized(run: Run, *, quiet: bool) -> Summary:
    """Return the figures of a run. While a long journal is replayed, show how far that is, unless `quiet`."""
    with replaying(run.step, quiet=quiet or run.step < LONG) as progress:
        return run.verify(progress)


@contextmanager
def replaying(steps: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show a bar of `steps` replayed steps; yield the function that is told how many are done."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Progress(console=console(err=True), transient=True) as bar:
        shown = bar.add_task("replaying the journal", total=steps)
        yield lambda step: bar.update(shown, completed=step)


def ending_of(result: Summary) -> Ending:
    """Return the ending of a command that expects a run to be done, and not contradicted."""
    verdict, because = result["verdict"], result["because"]
    if verdict not in CODES:
        return Ending(result=result)
    reason = f"The run is not done: {_position(result)}" if verdict == "unfinished" else f"The run is {verdict}: {because}"
    return Ending(CODES[verdict], f"{reason}.", result)


def print_summary(result: Summary, *, quiet: bool) -> None:
    """Show `result` as a table, or not at all."""
    if not quiet:
        show(facts(_summary_rows(result)))


def _position(result: Summary) -> str:
    total = result["total"]
    return f"{result['steps']:,}{'' if total is None else f' of {total:,}'} steps"


def _summary_rows(result: Summary) -> Iterator[tuple[str, str | Text]]:
    """Yield the lines of the table that a run ends with."""
    if result["done"] is None:
        why = "the task is code, which --task or --trust imports, or its input is not on this machine"
        yield "Final state", f"not computed from the {_position(result)}: {why}"
    elif result["verdict"] == "unfinished":
        yield "Final state", f"not done: {_position(result)}"
    else:
        verdict = result["verdict"]
        yield "Final state", shown((verdict or "", STYLES.get(verdict, "")), f": {result['because']}")
    if result["result"] is not None:
        yield "Result", visible(result["result"] if isinstance(result["result"], str) else json.dumps(result["result"]))
    yield "Steps", f"{_position(result).removesuffix(' steps')}, {_decided(result)}"
    yield from _passed_rows(result)
    yield from _verified_rows(result)
    yield "Samples", f"{result['samples']:,}{_each(result)}"
    kinds = ", ".join(f"{name} {number:,}" for name, number in result["flags"].items())
    yield "Red flags", f"{sum(result['flags'].values()):,}" + (f" ({kinds})" if kinds else "")
    if result["lost"]:
        share = result["lost"] / (result["samples"] + result["lost"])
        yield "Replies lost", f"{result['lost']:,} ({share:.2%}), to time-outs and the like: what they said is not known"
    if (stuck := result["stuck"]) is not None:
        votes = ":".join(str(number) for number in sorted(stuck["ballot"].values(), reverse=True)) or "none"
        what = "Contested" if stuck.get("passed", False) else "Stuck"
        yield what, f"at step {stuck['step']:,}, after {stuck['samples']:,} samples, votes {votes}"
    yield "Votes that lost", f"{result['outvoted']:,}"
    yield "One sample per step", _single(result)
    tokens = result["tokens"]
    drafts, dropped = result["drafts"], result["dropped"]
    if drafts["calls"]:
        share = dropped / max(result["samples"], 1)
        written = drafts["tokens"]["output"]
        yield "Lookahead", f"{drafts['calls']:,} drafts ({written:,} tokens out); {dropped:,} samples dropped ({share:.1%})"
    yield "Tokens", f"{tokens['input']:,} in ({tokens['cached']:,} cached), {tokens['output']:,} out"
    if result["simulated"]:
        published = list_price(result["model"])
        listed = 0.0 if published is None else published(tokens)
        spent = f"simulated, ${result['cost_usd'] or 0:,.2f} spent"
        yield "Cost", spent + (f"; the same calls at list price: ${listed:,.2f}" if listed else "")
    elif result["cost_usd"] is None:
        yield "Cost", "not known: a model has no price (--price tells it)"
    elif info_of(result["model"]).ships and not result["cost_usd"]:
        yield "Cost", f"nothing for {result['model']}, which runs on this machine"
    else:
        yield "Cost", f"${result['cost_usd']:,.4f} at the prices known"
    sessions = "" if result["sessions"] < 2 else f", in {result['sessions']} sessions"
    yield "Time", f"{result['seconds']:,.1f} s{sessions}"


def _passed_rows(result: Summary) -> Iterator[tuple[str, str]]:
    """Yield the lines about steps that were passed on, and about each rung of a cascade."""
    if result["passed"]:
        yield "Passed on", f"{result['passed']:,} open steps are contested: they are left to a person"
    for number, rung in enumerate(result["rungs"], start=1):
        cost = "" if rung["cost_usd"] is None or result["simulated"] else f", ${rung['cost_usd']:,.4f}"
        shares = f"{rung['decided']:,} decided, {rung['passed']:,} passed on" + f", {rung['stuck']:,} stuck" * bool(
            rung["stuck"]
        )
        told = f"{rung['steps']:,} steps, {shares}; {rung['samples']:,} samples{cost}; {rung['model']} {rung['rule']}"
        yield f"Rung {number}", visible(told)


def _verified_rows(result: Summary) -> Iterator[tuple[str, str]]:
    """Yield the lines about the task's verifier and its key."""
    if standings := result["standings"]:
        yield "Verifier", "says of the votes: " + ", ".join(f"{standings.get(name, 0):,} {name}" for name in STANDINGS)
    if merged := result["merged"]:
        what = "the winner has the most votes only because several answers count as one"
        yield "Merged", f"on {counted(merged, 'step')} {what}"


def _each(result: Summary) -> str:
    """Return how many samples and rounds a step took, of those that models voted on."""
    without = sum(result["given"].get(by, 0) for by in ("program", "world"))
    voted = result["steps"] - without
    if voted < 1:
        return ""
    step = "a step" if not without else "for each step that was voted on"
    return f" ({result['samples'] / voted:.2f} {step}, in {result['rounds'] / voted:.2f} rounds)"


def _decided(result: Summary) -> str:
    """Return how many steps were answered or proved in which way, in words."""
    answered = [f"{number:,} answered by {_GIVERS[by]}" for by, number in result["given"].items()]
    answered += [f"{result['open']:,} left open"] if result["open"] else []
    if result["steps"] and sum(result["given"].values()) + result["open"] == result["steps"]:
        return ", ".join(answered)
    ways = [*answered, *([f"{result['proved']:,} proved"] if result["proved"] else [])]
    return f"{', '.join(ways)}{', each other one' if ways else 'each'} decided by {_by(result)}"


def _by(result: Summary) -> str:
    """Return what decides a step, in words."""
    if result["rungs"]:
        return "a cascade"
    if result["leads"]:
        return f"leads of {', '.join(f'{name} {k}' for name, k in result['leads'].items())}"
    plain = f"ahead by {result['k']}"
    return f"a lead of {result['k']}" if result["rule"] == plain else f"the rule: {result['rule']}"


def _single(result: Summary) -> str:
    """Return in words how the run would have ended with only the first sample of each step."""
    if not result["steps"]:
        return "nobody can tell: no step is decided"
    first, differs, stuck = result["first_sample_wrong_at"], result["single_differs"], result["stuck"]
    if not first:
        return "would have given the same answers" + ("" if stuck is None else f", but step {stuck['step']:,} is undecided")
    otherwise = f"would have given another answer, or none, on {counted(differs, 'step')}, first at step {first:,}"
    if result["single_wrong"] is None:
        return otherwise
    return f"{otherwise}. Wrong: {counted(result['single_wrong'], 'first sample')}, {counted(result['wrong'] or 0, 'decision')}"
