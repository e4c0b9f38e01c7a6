"""Tests an application in a browser, and writes a page about the test, with pictures.

    python -m examples.app_testing.demo
    python -m examples.app_testing.demo --plan plan.toml --folder test --model openai:gpt-4.1-mini

Without a plan it serves the notes (`notes.py`) with faults, and tests them with a simulated model. With `--folder` the run is
kept, and the same command goes on with it.
"""

import argparse
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Any

from examples.app_testing.driver import Driver
from examples.app_testing.notes import FAULTS, Notes, served
from examples.app_testing.pages import write_page
from examples.app_testing.plan import read_plan
from examples.app_testing.testing import AppTest
from maker_graph import MakerError, Run

PLAN = Path(__file__).with_name("notes.toml")


def main(arguments: Sequence[str] | None = None) -> None:
    """Test the application, and print how each scenario ended."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--plan", type=Path, help="the scenarios, as in notes.toml")
    parser.add_argument("--folder", type=Path, help="where the run, the pictures and the page are kept")
    parser.add_argument("--fault", action="append", choices=[*FAULTS], help="a fault to put into the notes")
    parser.add_argument("--model", default="sim:perfect,error=.1,rho=.2,flagged=.03")
    parser.add_argument("--k", type=int, default=3)
    args = parser.parse_args(arguments)
    try:
        with ExitStack() as stack:
            folder = args.folder or Path(stack.enter_context(tempfile.TemporaryDirectory()))
            url, scenarios = read_plan(args.plan or PLAN)
            notes = Notes(args.fault or ["lost", "script"])
            if args.plan is None:
                url = stack.enter_context(served(notes))
            driver = Driver(folder, url, reset=notes.reset)
            stack.callback(driver.close)
            _test(args, folder, AppTest(scenarios, driver))
    except MakerError as error:
        parser.exit(2, f"Error: {error}\n")


def _test(args: argparse.Namespace, folder: Path, task: AppTest) -> None:
    directory = folder / "run"
    opened = Run.open(directory, task=task) if directory.exists() else Run.create(directory, task, model=args.model, k=args.k)
    with opened as run:
        result: Any = run.solve()["result"]
        write_page(run, folder / "test.html")
    for scenario in task.scenarios:
        print(f"{result[scenario.name]}: {scenario.name}")
    if args.folder:
        print(folder / "test.html")


if __name__ == "__main__":
    main()
