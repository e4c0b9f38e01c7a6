"""`maker-graph plan --labelled`: choose a cascade that keeps a target, which labelled rows prove."""

import json
from collections.abc import Sequence
from pathlib import Path

from rich.table import Table

from maker_graph.calibration.labelled import LabelPlan, Line, PlanGoal, plan_labelled
from maker_graph.calibration.statement import HOLDS_IF, as_data, cascade_data, chain_statement, percent, plan_statement
from maker_graph.calibration.votes import LabelledVotes, read_votes
from maker_graph.cli.app import Ending
from maker_graph.cli.options import make_folder
from maker_graph.cli.output import show, shown, tell
from maker_graph.extras import need_plan_extra
from maker_graph.files import OwnFiles
from maker_graph.run.cascades import read_cascades

NOT_REACHED = 3
"""The exit code if a cascade was to be written to a file, and none keeps the target."""


def plan_from_labels(
    files: Sequence[str],
    goal: PlanGoal,
    *,
    cascades: Path | None,
    choose_share: float,
    seed: int,
    steps: int | None,
    plot: Path | None,
    out: Path | None,
    force: bool,
    as_json: bool,
) -> Ending:
    """Make the plan, show it, and write its cascade and its pictures if that was asked for."""
    pictures = {} if plot is None else _places(plot)
    own = OwnFiles()
    own.see(*pictures.values(), *([] if out is None else [out]), force=force)
    votes = read_votes(files)
    listed = None if cascades is None else read_cascades(cascades)
    plan = plan_labelled(votes, goal, cascades=listed, choose_share=choose_share, seed=seed)
    result = as_data(plan, steps)
    if not as_json:
        _show(plan, votes, steps)
    if pictures:
        own.write(_drawn(plan, pictures))
        result["figures"] = [str(path) for path in pictures.values()]
        for path in pictures.values():
            tell(f"{path}")
    if out is None:
        return Ending(result=result)
    if plan.chosen is None:
        return Ending(NOT_REACHED, f"{out} is not written: {plan.reason}", result)
    own.write({out: (json.dumps(cascade_data(plan.chosen.trial.cascade, plan.chosen.tally), indent=2) + "\n").encode()})
    result["out"] = str(out)
    if not as_json:
        show(f"Written to {out}. Run with it: maker-graph run TASK --cascade {out}")
    return Ending(result=result)


def _places(folder: Path) -> dict[str, Path]:
    need_plan_extra("--plot")
    make_folder(folder)
    return {name: folder / f"{name}.png" for name in ("labelled-error", "labelled-cost")}


def _drawn(plan: LabelPlan, places: dict[str, Path]) -> dict[Path, bytes]:
    from maker_graph.report.figures.labelled import Point, labelled_figures
    from maker_graph.report.figures.style import png

    points = [
        Point(
            passed=line.tally.review,
            wrong=line.tally.error,
            bound=line.bound,
            samples=line.tally.samples / line.tally.rows,
            proved=line.proved,
            chosen=line is plan.chosen,
        )
        for line in plan.lines
        if line.tally.error is not None
    ]
    figures = labelled_figures(points, plan.goal.limit, plan.goal.max_review)
    return {places[name]: png(figure) for name, figure in figures.items()}


def _show(plan: LabelPlan, votes: LabelledVotes, steps: int | None) -> None:
    """Print the table, what is proved, and what the proof assumes."""
    for name, pool in votes.pools.items():
        show(f"{name}: {len(pool.rows):,} labelled rows, {pool.samples} samples each")
    for title, lines in _groups(plan, votes):
        show(_table(plan, title, lines))
    show("Needs: how many labelled rows would prove this rule alone, with the same shares of decided and wrong rows.", "")
    if plan.chosen is None:
        show(shown((plan.reason, "bold")))
    else:
        show(shown(("Chosen: ", "bold"), plan.chosen.name))
        show(plan_statement(plan), HOLDS_IF)
    if steps is not None:
        show(chain_statement(plan, steps))
    for note in (*plan.notes, *_hints(plan, votes)):
        show(shown(("Note:", "yellow"), f" {note}"))


def _hints(plan: LabelPlan, votes: LabelledVotes) -> list[str]:
    """Return what must be done before the chosen cascade can be run."""
    if plan.chosen is None:
        return []
    used = {rung.model for rung in plan.chosen.trial.cascade.rungs}
    pools = [pool for pool in votes.pools.values() if pool.name.model in used]
    unnamed = sorted({pool.name.model for pool in pools if not pool.named})
    found = [
        f"The file {each!r} names no model: to run with the plan, say whose samples it holds (MODEL@T=FILE)."
        for each in unnamed
    ]
    if any(pool.named and pool.name.temperature is None for pool in pools):
        found.append("The temperature of the samples is not known: run at the same one. MODEL@T=FILE says which it is.")
    return found


def _groups(plan: LabelPlan, votes: LabelledVotes) -> list[tuple[str, Sequence[tuple[str, Line]]]]:
    """Return the lines with their names, grouped by title: the name of a pool, or none."""
    found: dict[str, list[tuple[str, Line]]] = {}
    for line in plan.lines:
        pool = next((f"{name}" for name in votes.pools if line.name.startswith(f"{name} ")), "")
        found.setdefault(pool, []).append((line.name.removeprefix(f"{pool} "), line))
    return [*found.items()]


def _table(plan: LabelPlan, pool: str, lines: Sequence[tuple[str, Line]]) -> Table:
    on = "the other rows" if plan.chosen_apart else "all rows"
    title = f"Target {plan.goal.target:g}: at most {percent(plan.goal.limit)} wrong among the decided, held against {on}"
    table = Table(title=shown((f"{pool}. {title}" if pool else title, "bold")), title_justify="left", box=None, pad_edge=False)
    table.add_column("Cascade")
    stuck = any(line.tally.stuck or line.tally.short for line in plan.lines)
    names = ("Wrong", "Decided", "Passed", *(["Stuck"] if stuck else []), "Samples", "Bound", "Needs")
    for name in names:
        table.add_column(name, justify="right", no_wrap=True)
    for name, line in lines:
        tally = line.tally
        cells = {
            "Wrong": f"{tally.wrong:,} of {tally.decided:,}",
            "Decided": percent(tally.decided / tally.rows),
            "Passed": percent(tally.passed / tally.rows),
            "Stuck": percent((tally.stuck + tally.short) / tally.rows),
            "Samples": f"{tally.samples / tally.rows:.1f}",
            "Bound": percent(line.bound, up=True),
            "Needs": "proved" if line.proved else "-" if line.needed is None else f"{line.needed:,}",
        }
        table.add_row(shown(name), *(cells[each] for each in names), style="bold" if line is plan.chosen else None)
    return table
