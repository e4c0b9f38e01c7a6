"""The audit of a ledger: what a program finds alone, what one sample adds, and what a vote does; and a million entries.

    python tests/benchmarks/ledger.py --out tests/benchmarks/results/ledger.json

The ledger is made by beancount's own generator, which is installed from the package index into an environment of its own beside
the temporary files (beancount is under the GPL: it is run, and nothing of it is kept here). Forty faults are planted in it.

The model is simulated, so its errors are assumed: it takes one entry in twenty that has no fault for faulty, and
overlooks a quarter of the faults. Entries differ in how hard they are (rho = .3). The figures are no evidence about a real
model. They show what a program and a vote do to such errors.

Precision and recall count pairs of an entry and a rule. An entry on which no vote was won counts against recall, and `open`
says how many there are. `recall_with_review` is recall if a person then looks at those.
"""

import argparse
import asyncio
import json
import re
import subprocess
import tempfile
import time
import venv
from collections.abc import Iterator
from datetime import date, timedelta
from pathlib import Path
from typing import Any

from examples.ledger.audit import RULES, Audit, found_in
from examples.ledger.plant import plant
from examples.ledger.reconciling import reconcile
from maker_graph import Run
from maker_graph.core.machine import MakerOutput
from tests.benchmarks.items import memory

BEANCOUNT = "beancount==3.1.0"
CACHE = Path(tempfile.gettempdir()) / "maker-graph-benchmarks"
MODEL = "sim:perfect,error=.1,rho=.3,flagged=.03"
SEEDS = range(1, 6)
WEEKS = 157
"""From one copy of the ledger to the next in the long one: a little more than its three years."""

GENERATE = """
import random, sys
from datetime import date
from beancount.scripts.example import write_example_file
random.seed(1)
write_example_file(date(1980, 5, 12), date(2021, 1, 1), date(2023, 12, 31), True, file=sys.stdout)
"""


def generated() -> str:
    """Return the ledger of beancount's generator for three years."""
    CACHE.mkdir(exist_ok=True)
    made, python = CACHE / "ledger.beancount", CACHE / "beancount" / "bin" / "python"
    if not made.exists():
        if not python.exists():
            venv.create(python.parents[1], with_pip=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", BEANCOUNT], check=True)
        text = subprocess.run([python, "-c", GENERATE], check=True, capture_output=True, text=True).stdout
        made.write_text(text, encoding="utf-8")
    return made.read_text(encoding="utf-8")


def audited(ledger: Path, planted: Path, seed: int, **how: Any) -> dict[str, Any]:
    """Return what an audit finds, against what is planted."""
    true = {(int(line), rule) for line, rules in json.loads(planted.read_text()).items() for rule in rules}
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.create(f"{folder}/r", Audit(ledger, planted=planted), seed=seed, **how) as run,
    ):
        samples = run.solve()["samples"]
        tried = [*found_in(run)]
    found = {(each.line, each.rule) for _, voted, program in tried for each in (*program, *(voted or ()))}
    still_open = {item["line"] for item, voted, _ in tried if voted is None}
    totals = reconcile(ledger, ((item, voted is None, bool(voted or program)) for item, voted, program in tried))
    return {**against(found, true, still_open), "samples": samples, "totals add up": totals.adds_up}


def against(found: set[tuple[int, str]], true: set[tuple[int, str]], still_open: set[int]) -> dict[str, Any]:
    """Return precision and recall of what was found; findings and faults are pairs of a line and a rule."""
    reviewed = {each for each in true if each[0] in still_open}
    return {
        "right": len(found & true),
        "wrong": len(found - true),
        "missed": len(true - found),
        "open": len(still_open),
        "precision": len(found & true) / len(found),
        "recall": len(found & true) / len(true),
        "recall_with_review": len(found & true | reviewed) / len(true),
    }


def by_program(ledger: Path, planted: Path) -> dict[str, Any]:
    """Return what the program finds alone; every entry to which a rule in prose applies is left as it is."""
    true = {(int(line), rule) for line, rules in json.loads(planted.read_text()).items() for rule in rules}
    audit = Audit(ledger)
    found = {(item["line"], each.rule) for item in audit.items for each in audit.rules.findings(item)}
    return {**against(found, true, set()), "samples": 0}


def mean(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Return the means of rows."""
    return {name: round(sum(row[name] for row in rows) / len(rows), 3) for name in rows[0]}


def table(folder: Path) -> dict[str, Any]:
    """Return what each way of auditing finds."""
    ledger, planted = folder / "faulty.beancount", folder / "planted.json"
    text, faults = plant(generated())
    ledger.write_text(text, encoding="utf-8")
    planted.write_text(json.dumps(faults))
    (folder / "clean.beancount").write_text(generated(), encoding="utf-8")
    clean = Audit(folder / "clean.beancount")
    ways: dict[str, dict[str, Any]] = {
        "program and a single sample": {"k": 1},
        "program and votes, ahead by 3": {"k": 3},
        "program and votes, 4 of 4 agree, else open": {"k": 4, "within": 4},
        "program and votes, ahead by 4 within 6, else open": {"k": 4, "within": 6},
    }
    rows = {"program alone": by_program(ledger, planted)}
    for name, how in ways.items():
        rows[name] = mean([audited(ledger, planted, seed, model=MODEL, **how) for seed in SEEDS])
        print(name, json.dumps(rows[name]), flush=True)
    return {
        "entries": len(clean.items),
        "faults": sum(map(len, faults.values())),
        "faults_in_prose": sum(rule in clean.rules.prose for rules in faults.values() for rule in rules),
        "program findings without faults": sum(len(clean.rules.findings(item)) for item in clean.items),
        "ways": rows,
    }


def copies(text: str, entries: int) -> Iterator[str]:
    """Yield the entries of a ledger over and over, each time later, until there are so many."""
    found = re.findall(r"^(\d{4}-\d\d-\d\d)( [*] .*\n(?:  .*\n)+)", text, re.MULTILINE)
    dated = [(date.fromisoformat(day), rest) for day, rest in found]
    for number in range(entries):
        copy, place = divmod(number, len(dated))
        day, rest = dated[place]
        yield f"{day + timedelta(weeks=WEEKS * copy)}{rest}\n"


def streamed(ledger: Path, rules: Path, model: str, k: int) -> dict[str, Any]:
    """Audit a long ledger; return how fast that goes, and in how much memory."""
    marks: dict[str, float] = {}
    began = time.monotonic()
    audit = Audit(ledger, rules)
    entries = len(audit.items)
    marks["seconds_to_index"] = round(time.monotonic() - began, 1)

    def progress(at: MakerOutput) -> None:
        if at["step"] * 10 >= entries and "memory_mb_at_a_tenth" not in marks:
            marks["memory_mb_at_a_tenth"] = memory()

    with tempfile.TemporaryDirectory() as folder:
        with Run.create(f"{folder}/r", audit, model=model, k=k) as run:
            asyncio.run(run.drive(progress=progress))
            seconds = time.monotonic() - began
            marks["memory_mb_at_the_end"] = memory()
            found = ((item, voted is None, bool(voted or program)) for item, voted, program in found_in(run))
            totals = reconcile(ledger, found)
        size = (Path(folder) / "r" / "journal.db").stat().st_size
    with ledger.open(encoding="utf-8") as file:
        lines = sum(1 for _ in file)
    return {
        "entries": entries,
        "lines": lines,
        "seconds": round(seconds, 1),
        "lines_per_second": round(lines / seconds),
        "entries_per_second": round(entries / seconds),
        **marks,
        "memory_mb_after_the_totals": memory(),
        "journal_bytes_an_entry": round(size / entries, 1),
        "totals add up": totals.adds_up,
        "with findings": totals.shares["found"].entries,
    }


def long(folder: Path, entries: int, voted: int) -> dict[str, Any]:
    """Return the figures of long ledgers: one that a program audits, and one with votes."""
    program = folder / "program.toml"
    program.write_text(RULES.read_text(encoding="utf-8").partition("[prose]")[0], encoding="utf-8")
    found = {}
    for name, number, rules in (("program", entries, program), ("program and votes", voted, RULES)):
        ledger = folder / f"{number}.beancount"
        with ledger.open("w", encoding="utf-8") as file:
            file.writelines(copies(generated(), number))
        found[name] = streamed(ledger, rules, "sim:perfect", 3)
        print(name, json.dumps(found[name]), flush=True)
        ledger.unlink()
    return found


def main() -> None:
    """Make the tables, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--entries", type=int, default=1_000_000, help="of the long ledger that a program audits")
    parser.add_argument("--voted", type=int, default=50_000, help="of the long ledger with votes")
    parser.add_argument("--only", choices=["table", "long"])
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    result: dict[str, Any] = {"ledger": f"{BEANCOUNT}, seed 1, 2021 to 2023", "model": MODEL, "seeds": len(SEEDS)}
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        if args.only != "long":
            result["table"] = table(folder)
        if args.only != "table":
            result["long"] = long(folder, args.entries, args.voted)
    text = json.dumps(result, indent=2)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
