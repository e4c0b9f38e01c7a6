"""Curating prices and addresses: a program, single samples, votes, votes that pass, and what labelled rows choose.

    python tests/benchmarks/curate.py --out tests/benchmarks/results/curate.json

The tables and the simulated model are those of `curate_data.py`. Each line of `all rows` is a run of all rows; of a majority of
5, which no run keeps, each row is asked until five samples are valid. `wrong` are the decided rows whose record is not the
right one. Dollars are what the tokens would cost at the list price of gpt-4.1-nano.

`ten minutes` draws 400 rows as labelled ones, for each seed, and curates the others: `choose_by_labels`, then a run with what
it has chosen. `majority_of_5` is asked about the very rows that the run votes on, with the same examples and temperature.
"""

import argparse
import json
import random
import tempfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maker_graph import Chosen, Run, Sampling, choose_by_labels
from maker_graph.calibration.choosing import labelled_rows, requests_of
from maker_graph.calibration.trials import majority_of
from maker_graph.calibration.votes import read_votes
from maker_graph.core.items import LabelledItem
from maker_graph.models.pricing import parse_price
from maker_graph.tasks.curate import Curate, curate
from maker_graph.tasks.loading import described
from tests.benchmarks import curate_data
from tests.benchmarks.curate_data import ERROR, LIST_PRICE, MODEL, RHO, Table, addresses, prices

CODE = Path(__file__).with_name("curate_data.py")
LABELLED = 400


def made(table: Table, folder: Path, program: str | None = None, places: tuple[list[int], list[int]] | None = None) -> Curate:
    """Return the task of a table: all of its rows, or those at the first `places`, with the others as labelled rows."""
    rows, truth = table.write(folder, None if places is None else places[0])
    labelled = None if places is None else table.write(folder, places[1], "few")[1]
    own = None if program is None else f"{CODE}:{table.programs[program]}"
    task = curate(rows, f"{CODE}:{table.schema}", program=own, truth=truth, labelled=labelled)
    task.rehearse = table.rehearse()  # type: ignore[assignment]  # the mistakes of this table
    return task


def voted(task: Curate, folder: Path, **how: Any) -> dict[str, Any]:
    """Return what a run of a task comes to."""
    with Run.create(folder / "run", task, lookahead=64, fsync="normal", **how) as run:
        found = run.solve()
        by = [step.decision["by"] for step in run.steps()]
        return {
            "rows": found["steps"],
            "by_program": by.count("program"),
            "open": run.open_count(),
            "wrong": found["wrong"],
            "samples": found["samples"],
            "dollars": dollars(found["tokens"]["input"], found["tokens"]["output"]),
        }


def dollars(read: int, written: int) -> float:
    """Return what tokens cost at the list price."""
    return round(parse_price(LIST_PRICE)({"input": read, "cached": 0, "output": written}), 4)


def program_alone(table: Table, program: str) -> dict[str, Any]:
    """Return what a program makes of a table."""
    answers = [getattr(curate_data, table.programs[program])(row) for row in table.rows]
    sure = [(answer, truth) for answer, truth in zip(answers, table.truths, strict=True) if answer is not None]
    wrong = sum(any(answer[name] != truth[name] for name in truth) for answer, truth in sure)
    rows = len(table.rows)
    return {"rows": rows, "by_program": len(sure), "open": rows - len(sure), "wrong": wrong, "samples": 0, "dollars": 0.0}


def majority(task: Curate, truths: list[dict[str, Any]], folder: Path, heat: float) -> dict[str, Any]:
    """Return what a majority of 5 makes of the rows of a task that its program leaves."""
    task.labelled = [
        LabelledItem(dict(row), truth, i + 1) for i, (row, truth) in enumerate(zip(task.items, truths, strict=True))
    ]
    how, rows = Sampling(MODEL, (heat,)), labelled_rows(task)
    choose_by_labels(task, how, folder / "majority")
    (request,) = requests_of(described(task), how, rows)
    (pool,) = read_votes([folder / "majority" / f"t{heat:g}.jsonl"]).pools.values()
    found = majority_of(pool, 5)
    assert found.rows == request.steps
    return {"rows": found.rows, "open": found.rows - found.decided, "wrong": found.wrong, "samples": found.samples}


def all_rows(table: Table, tell: Callable[[str, dict[str, Any]], None]) -> None:
    """Tell what each way makes of all rows of a table."""
    ways: dict[str, dict[str, Any]] = {
        "single sample": {"k": 1},
        "voted, ahead by 3": {"k": 3},
        "voted, ahead by 3 within 5": {"k": 3, "within": 5},
        "voted, 5 of 5": {"k": 5, "within": 5},
    }
    for program in table.programs:
        tell(program, program_alone(table, program))
    for way, how in ways.items():
        with tempfile.TemporaryDirectory() as place:
            tell(way, voted(made(table, Path(place)), Path(place), model=MODEL, **how))
    with tempfile.TemporaryDirectory() as place:
        found = majority(made(table, Path(place)), [dict(each) for each in table.truths], Path(place), 0.7)
        tell("majority of 5", found)
    for program in table.programs:
        with tempfile.TemporaryDirectory() as place:
            task = made(table, Path(place), program)
            tell(f"{program}, then ahead by 3 within 5", voted(task, Path(place), model=MODEL, k=3, within=5))


def ten_minutes(table: Table, seed: int, program: str | None) -> dict[str, Any]:
    """Return what labelled rows choose and what becomes of the other rows, beside a majority of 5 on these."""
    places = list(range(len(table.rows)))
    random.Random(seed).shuffle(places)
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        task = made(table, folder, program, (sorted(places[LABELLED:]), sorted(places[:LABELLED])))
        chosen = choose_by_labels(task, MODEL, folder / "labelled")
        found = voted(task, folder, cascade=chosen)
        (rung,) = chosen.cascade.rungs
        truths = [dict(table.truths[each]) for each in sorted(places[LABELLED:])]
        rival = majority(task, truths, folder, rung.temperature)  # type: ignore[arg-type]  # one number
        asked = found["rows"] - found["by_program"]
        said = _of_voted(task, folder)
        return {
            "program": program,
            "seed": seed,
            "chosen": _told(chosen),
            "proved": chosen.proved,
            "statement": chosen.statement,
            "measuring_samples": chosen.account.spent.samples,
            **found,
            "voted_rows": asked,
            "voted_decided": said[0],
            "voted_wrong": said[1],
            "samples_a_voted_row": round(found["samples"] / asked, 2) if asked else None,
            "majority_of_5": {**rival, "samples_a_row": round(rival["samples"] / rival["rows"], 2)},
            "wrong_share": _share(said[1], said[0]),
            "majority_wrong_share": _share(rival["wrong"], rival["rows"] - rival["open"]),
        }


def _of_voted(task: Curate, folder: Path) -> tuple[int, int]:
    """Return how many rows votes have decided, and how many of these wrongly."""
    decided = wrong = 0
    with Run.open(folder / "run", task=task) as run:
        for place, step in enumerate(run.steps()):
            if step.answer is not None and step.decision["by"] != "program":
                decided += 1
                wrong += task.key(step.answer) != task.key(task._right(task.items[place]))  # type: ignore[arg-type]  # a record
    return decided, wrong


def _told(chosen: Chosen) -> str:
    (rung,) = chosen.cascade.rungs
    return f"{rung.rule()} at {rung.temperature}"


def _share(part: int, whole: int) -> float | None:
    return round(part / whole, 4) if whole else None


def main() -> None:
    """Do all of it, and print each line as it comes."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--seeds", type=int, default=3)
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    result: dict[str, Any] = {"model": MODEL, "error": ERROR, "rho": RHO, "list_price": LIST_PRICE}

    def publish() -> None:
        if given.out:
            given.out.write_text(json.dumps(result, indent=1) + "\n")

    for table in (prices(), addresses()):
        lines: dict[str, Any] = {}
        result[table.name] = {"all rows": lines, "ten minutes": []}

        def tell(name: str, found: dict[str, Any], lines: dict[str, Any] = lines) -> None:
            lines[name] = found
            print(name, found, flush=True)
            publish()

        all_rows(table, tell)
        for program in (None, next(iter(table.programs))):
            for seed in range(given.seeds):
                found = ten_minutes(table, seed, program)
                result[table.name]["ten minutes"].append(found)
                print(json.dumps(found), flush=True)
                publish()


if __name__ == "__main__":
    main()
