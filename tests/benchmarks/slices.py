"""How long it takes to cut a table of a million rows, and to open one slice of it; and how much memory that takes.

    python -m tests.benchmarks.slices --rows 1000000 --slices 100 --out tests/benchmarks/results/slices.json

Each figure is that of a process of its own: `whole` opens the table, `cut` opens and cuts it and makes the settings of each
slice, `slice` makes the task of one slice in the middle as a worker does, and holds it against the digest.
"""

import argparse
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from maker_graph.core.voting import Voting
from maker_graph.run.settings import Settings, new_settings
from maker_graph.tasks.loading import cut_task, load_task
from tests.benchmarks.curate_million import write

SCHEMA = {"type": "object", "properties": {"amount": {"type": "integer"}}, "required": ["amount"]}


def convert(csv_file: Path, kind: str) -> Path:
    """Return the same table in a file of another kind."""
    import pyarrow.csv  # noqa: PLC0415  an extra
    import pyarrow.parquet  # noqa: PLC0415

    path = csv_file.with_suffix(f".{kind}")
    if kind != "csv" and not path.exists():
        table = pyarrow.csv.read_csv(csv_file)
        if kind == "parquet":
            pyarrow.parquet.write_table(table, path, row_group_size=10_000)
        else:
            with path.open("w", encoding="utf-8") as file:
                for batch in table.to_batches():
                    file.writelines(json.dumps(row) + "\n" for row in batch.to_pylist())
    return path


def measured(what: str, options: dict[str, str], slices: int, kept: Path) -> dict[str, Any]:
    """Do one thing in this process, and return how long it took, and how much more memory it had at most than before."""
    Path("/proc/self/clear_refs").write_text("5")  # the most memory is counted from now on
    before, begin, at_work = memory(), time.monotonic(), time.process_time()
    if what == "slice":
        settings = Settings.model_validate_json(kept.read_text())
        load_task(settings.task, settings.options, settings.began, only=settings.slice)
    else:
        loaded = load_task("curate", options)
        if what == "cut":
            made = [new_settings(each, "sim:perfect", Voting()) for each in cut_task(loaded, slices)]
            kept.write_text(made[len(made) // 2].text())
    seconds, cpu = time.monotonic() - begin, time.process_time() - at_work
    return {"seconds": round(seconds, 2), "cpu_seconds": round(cpu, 2), "memory_mb": round(memory() - before, 1)}


def memory() -> float:
    """Return the most memory that this process had, in MB; Linux tells it."""
    (line,) = (line for line in Path("/proc/self/status").read_text().splitlines() if line.startswith("VmHWM"))
    return int(line.split()[1]) / 1024


def main() -> None:
    """Measure each kind of file in processes of their own, and print it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--slices", type=int, default=100)
    parser.add_argument("--directory", type=Path, default=Path("runs/slices"))
    parser.add_argument("--out", type=Path)
    parser.add_argument("--one", nargs=2, metavar=("WHAT", "TABLE"), help="measure one thing in this process")
    given = parser.parse_args()
    schema, kept = given.directory / "schema.json", given.directory / "kept.json"
    if given.one:
        what, table = given.one
        options = {"input": str(Path(table).absolute()), "schema": str(schema.absolute())}
        print(json.dumps(measured(what, options, given.slices, kept)))
        return
    given.directory.mkdir(parents=True, exist_ok=True)
    schema.write_text(json.dumps(SCHEMA))
    write(given.directory / "rows.csv", given.rows)
    found: dict[str, Any] = {"rows": given.rows, "slices": given.slices}
    for kind in ("csv", "jsonl", "parquet"):
        path = convert(given.directory / "rows.csv", kind)
        found[kind] = {"table_mb": round(path.stat().st_size / 1e6, 1)}
        for what in ("whole", "cut", "slice"):
            command = [sys.executable, "-m", "tests.benchmarks.slices", "--one", what, str(path)]
            command += ["--slices", str(given.slices), "--directory", str(given.directory)]
            found[kind][what] = json.loads(subprocess.check_output(command, text=True))
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
