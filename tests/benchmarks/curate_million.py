"""A million rows of curate, program first, through the command line, killed three times with SIGKILL and gone on with.

    python -m tests.benchmarks.curate_million --out tests/benchmarks/results/curate_million.json

One row in 500 is one of which the program is not sure; a model behind HTTP on this machine answers these, and counts what it is
asked. So it is seen whether a row is lost, whether one stands twice or in another place, and whether what was decided is asked
again: a call that was under way when the process was killed may be.
"""

import argparse
import csv
import json
import os
import re
import shutil
import subprocess
import sys
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import pairwise
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict

from tests.benchmarks.million import deciles, disk, going_on, watch

UNSURE = 500
"""One row in so many is left to the vote."""

K, WIDTH = 2, 32


class Amount(BaseModel):
    """The amount in a row, in euros."""

    model_config = ConfigDict(extra="forbid")

    amount: int


def program(row: dict[str, str]) -> dict[str, int] | None:
    """Return the amount where it is written in the usual way."""
    found = re.fullmatch(r"([0-9,]+)\.00 EUR", row["price"])
    return None if found is None else {"amount": int(found[1].replace(",", ""))}


def text_of(place: int) -> str:
    """Return the price in a row."""
    return f"about {place} euros" if place % UNSURE == UNSURE - 1 else f"{place:,}.00 EUR"


def write(file: Path, rows: int) -> None:
    """Write the table."""
    with file.open("w", encoding="utf-8", newline="") as out:
        lines = csv.writer(out)
        lines.writerow(["id", "price", "note"])
        lines.writerows([place, text_of(place), f"row {place}, as it came"] for place in range(rows))


@contextmanager
def model() -> Iterator[tuple[str, Counter[int]]]:
    """Serve a model that is always right; yield its address, and how often each row was asked."""
    asked: Counter[int] = Counter()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            row = json.loads(body["messages"][-1]["content"])
            asked[int(row["id"])] += 1
            message = {"role": "assistant", "content": json.dumps({"amount": int(row["id"])})}
            usage = {"prompt_tokens": 90, "completion_tokens": 8, "total_tokens": 98}
            choice = {"index": 0, "message": message, "finish_reason": "stop"}
            said = {"id": f"c-{sum(asked.values())}", "object": "chat.completion", "created": 1, "model": "m"}
            content = json.dumps({**said, "choices": [choice], "usage": usage}).encode()
            self.send_response(200)
            self.send_header("Content-Type", "application/json")
            self.send_header("Content-Length", str(len(content)))
            self.end_headers()
            self.wfile.write(content)

        def log_message(self, *_: Any) -> None:
            pass

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as http:
        threading.Thread(target=http.serve_forever, daemon=True).start()
        yield f"http://127.0.0.1:{http.server_address[1]}/v1", asked
        http.shutdown()


def wrong_rows(file: Path, rows: int) -> int:
    """Return how many rows of the results are missing, in another place, or not what they should be."""
    wrong = 0
    with file.open(encoding="utf-8", newline="") as found:
        lines = csv.reader(found)
        next(lines)
        place = -1
        for place, cells in enumerate(lines):
            by = "vote" if place % UNSURE == UNSURE - 1 else "program"
            wanted = [str(place), text_of(place), f"row {place}, as it came", str(place), f"decided by {by}"]
            wrong += cells != wanted
    return wrong + abs(rows - 1 - place)


def main() -> None:
    """Run, kill, go on, and print what came of it."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--kill-at", type=float, nargs="*", default=[0.25, 0.5, 0.75], help="shares of the rows")
    parser.add_argument("--directory", type=Path, default=Path("runs/curate-million"))
    parser.add_argument("--out", type=Path)
    given = parser.parse_args()
    shutil.rmtree(given.directory, ignore_errors=True)
    given.directory.mkdir(parents=True)
    table, results, run = (given.directory / name for name in ("rows.csv", "clean.csv", "run"))
    write(table, given.rows)
    code, program_file = Path(sys.executable).with_name("maker-graph"), Path(__file__).absolute()
    common = ["--quiet", "--json", "--concurrency", str(WIDTH)]
    command = [str(code), "run", "curate", "--input", str(table), "--schema", f"{program_file}:Amount"]
    command += ["--program", f"{program_file}:program", "--model", "openai:small", "--k", str(K), "--no-probe"]
    command += ["--out", str(results), "--run", str(run.absolute()), *common]
    resume = [str(code), "resume", str(run.absolute()), "--no-probe", *common]
    samples: list[dict[str, Any]] = []
    with model() as (url, asked):
        os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
        for share in [*given.kill_at, 2.0]:
            ended = watch(command, run, share * given.rows, samples, given.directory / "samples.json")
            assert not (ended is None and results.exists()), "results were written before all rows were tried"
            command = resume
            if ended is not None:
                break
    tenths = deciles(samples, given.rows)
    needed = K * (given.rows // UNSURE)
    status = subprocess.run([str(code), "status", str(run), "--json", "--trust"], capture_output=True, text=True, check=False)
    journal = (run / "journal.db").stat().st_size
    at_work = sum(
        after["seconds"] - before["seconds"] for before, after in pairwise(samples) if after["seconds"] > before["seconds"]
    )
    found = {
        "rows": given.rows,
        "exit_code": ended,
        "killed_at": given.kill_at,
        "sessions": json.loads(status.stdout or "{}").get("sessions"),
        "rows_per_second": round(given.rows / at_work, 1),
        "memory_mb_at_10_percent": tenths[0]["memory_mb"] if tenths else None,
        "memory_mb_at_the_end": tenths[-1]["memory_mb"] if tenths else None,
        "journal_bytes_a_row": round(journal / given.rows, 1),
        "disk_mb": disk(run),
        "seconds_from_resume_to_next_commit": going_on(samples),
        "wrong_missing_or_displaced_rows": wrong_rows(results, given.rows),
        "calls": asked.total(),
        "calls_needed": needed,
        "rows_asked_more_often_than_needed": sum(number > K for number in asked.values()),
        "most_in_flight": WIDTH,
        "deciles": tenths,
    }
    print(json.dumps(found, indent=1))
    if given.out:
        given.out.write_text(json.dumps(found, indent=1) + "\n")


if __name__ == "__main__":
    main()
