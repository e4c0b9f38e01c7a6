"""The figures of a run, for people and for programs."""

import json
import sys
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager

from rich.progress import Progress
from rich.text import Text

from maker_graph.cli.app import CONTRADICTED, EXIT_CODES, Ending
from maker_graph.cli.output import console, facts, show, shown
from maker_graph.core.characters import visible
from maker_graph.core.verdict import Verdict
from maker_graph.core.verifying import STANDINGS
from maker_graph.errors import Undecided
from maker_graph.models.names import info_of
from maker_graph.models.pricing import list_price
from maker_graph.run.directory import LONG, Summary
from maker_graph.runs import Run

CODES: Mapping[Verdict | None, int] = {"contradicted": CONTRADICTED, "unfinished": CONTRADICTED, "open": EXIT_CODES[Undecided]}
"""The exit codes of verdicts that are not good. An unfinished run is among them, because `verify` checks the end."""

STYLES: Mapping[Verdict | None, str] = {"proved": "green", "right": "green", "contradicted": "red", "open": "yellow"}


def summarized(run: Run, *, quiet: bool) -> Summary:
    """Return the figures of a run. For a long run, show how far its journal has been replayed."""
    with replaying(run.step, quiet=quiet or run.step < LONG) as progress:
        return run.verify(progress)


@contextmanager
def replaying(steps: int | None, *, quiet: bool) -> Iterator[Callable[[int], None]]:
    """Show how many of `steps` have been replayed. Yield the function to call with the number."""
    if quiet or not sys.stderr.isatty():
        yield lambda _: None
        return
    with Progress(console=console(err=True), transient=True) as bar:
        shown = bar.add_task("replaying the journal", total=steps)
        yield lambda step: bar.update(shown, completed=step)


def ending_of(result: Summary) -> Ending:
    """Return how a command ends that wants the run finished and not contradicted."""
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
        why = "its task is code (--task or --trust imports it), or its input is not on this machine"
        yield "Final state", f"not replayed, because {why}: {_position(result)}"
    elif result["verdict"] == "unfinished":
        yield "Final state", f"not done: {_position(result)}"
    else:
        verdict = result["verdict"]
        yield "Final state", shown((verdict or "", STYLES.get(verdict, "")), f": {result['because']}")
    if result["result"] is not None:
        yield "Result", visible(result["result"] if isinstance(result["result"], str) else json.dumps(result["result"]))
    steps = max(result["steps"], 1)
    others = f"{result['proved']:,} proved, each other one" if result["proved"] else "each"
    yield "Steps", f"{_position(result).removesuffix(' steps')}, {others} decided by {_by(result)}"
    yield from _passed_rows(result)
    yield from _verified_rows(result)
    yield "Samples", f"{result['samples']:,} ({result['samples'] / steps:.2f} a step, in {result['rounds'] / steps:.2f} rounds)"
    kinds = ", ".join(f"{name} {number:,}" for name, number in result["flags"].items())
    yield "Red flags", f"{sum(result['flags'].values()):,}" + (f" ({kinds})" if kinds else "")
    if result["lost"]:
        share = result["lost"] / (result["samples"] + result["lost"])
        yield "Replies lost", f"{result['lost']:,} ({share:.2%}), through time-outs and the like; nobody knows what they said"
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
    """Yield how many steps were passed on, and what each rung of a cascade decided."""
    if result["passed"]:
        yield "Passed on", f"{result['passed']:,} open steps are contested, and are left to a person"
    for number, rung in enumerate(result["rungs"], start=1):
        cost = "" if rung["cost_usd"] is None or result["simulated"] else f", ${rung['cost_usd']:,.4f}"
        shares = f"{rung['decided']:,} decided, {rung['passed']:,} passed on" + f", {rung['stuck']:,} stuck" * bool(
            rung["stuck"]
        )
        told = f"{rung['steps']:,} steps, {shares}; {rung['samples']:,} samples{cost}; {rung['model']} {rung['rule']}"
        yield f"Rung {number}", visible(told)


def _verified_rows(result: Summary) -> Iterator[tuple[str, str]]:
    """Yield what the verifier of the task said, and how often its key merged answers."""
    if standings := result["standings"]:
        yield "Verifier", "says of the votes: " + ", ".join(f"{standings.get(name, 0):,} {name}" for name in STANDINGS)
    if merged := result["merged"]:
        what = "the winner has the most votes only because several answers count as one"
        yield "Merged", f"on {merged:,} {'step' if merged == 1 else 'steps'} {what}"


def _by(result: Summary) -> str:
    """Return in words what decides a step."""
    if result["rungs"]:
        return "a cascade"
    if result["leads"]:
        return f"leads of {', '.join(f'{name} {k}' for name, k in result['leads'].items())}"
    plain = f"ahead by {result['k']}"
    return f"a lead of {result['k']}" if result["rule"] == plain else f"the rule: {result['rule']}"


def _single(result: Summary) -> str:
    """Return in words how the run would have gone with the first samples alone."""
    if not result["steps"]:
        return "not known: no step is decided"
    first, differs, stuck = result["first_sample_wrong_at"], result["single_differs"], result["stuck"]
    if not first:
        return "would have given the same answers" + ("" if stuck is None else f", but step {stuck['step']:,} is undecided")
    otherwise = f"another answer on {differs:,} step{'' if differs == 1 else 's'}, first at step {first:,}"
    if result["single_wrong"] is None:
        return otherwise
    return f"{otherwise}; wrong on {result['single_wrong']:,}, where the votes are wrong on {result['wrong']:,}"
