"""Answers questions about a database, and prints each with how it was found.

    python -m examples.sql_flow.demo

It makes a new database, unless you name one.
"""

import argparse
import json
import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from examples.sql_flow.questions import QUESTIONS
from examples.sql_flow.shop import write
from examples.sql_flow.task import SqlFlow
from maker_graph import MakerError, Run, UsageError
from maker_graph.core.characters import visible


def main(arguments: Sequence[str] | None = None) -> None:
    """Answer the questions, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--database", type=Path, help="a SQLite file that nobody changes during the run")
    parser.add_argument("--questions", type=Path, default=QUESTIONS)
    parser.add_argument("--model", default="sim:perfect,error=.25,flagged=.03")
    parser.add_argument("--k", type=int, default=3)
    parser.add_argument("--within", type=int, help="the most votes; after them the question stays open")
    parser.add_argument("--run", type=Path, help="the directory of the run; if it is there, the run goes on")
    args = parser.parse_args(arguments)
    try:
        with tempfile.TemporaryDirectory() as folder:
            if args.database is None:
                if args.run:
                    raise UsageError(
                        "--run keeps the run, but the demo's own database is deleted: name a file with --database."
                    )
                args.database = Path(folder) / "shop.db"
                write(args.database)
            _answered(args, args.run or Path(folder) / "run")
    except MakerError as error:
        parser.exit(2, f"Error: {error}\n")


def _answered(args: argparse.Namespace, directory: Path) -> None:
    task = SqlFlow(args.database.absolute(), args.questions.absolute())
    if directory.exists():
        opened = Run.open(directory, task=task)
    else:
        opened = Run.create(directory, task, model=args.model, k=args.k, within=args.within)
    with opened as run:
        done = run.solve()
    results: Any = done["result"]
    for question, found in zip(task.questions, results, strict=True):
        answer = f"open: {found['why']}"
        if found["status"] == "answered":  # the query is run again, because the run keeps only a digest of a long result
            answer = visible(json.dumps(task.database.run(found["sql"]).rows, ensure_ascii=False))
        print(f"{found['question']:2}. {question.text}\n    {answer}")
    still_open = sum(found["status"] == "open" for found in results)
    print(f"{len(results)} questions = {len(results) - still_open} answered + {still_open} open.")
    print(f"{done['samples']} samples in {done['steps']} steps.")


if __name__ == "__main__":
    main()
