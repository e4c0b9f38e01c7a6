"""Without the extra: everything else works, and one sentence says how to get it."""

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from maker_graph.extras import need_plan_extra

ROOT = Path(__file__).parents[1]


@pytest.fixture
def env(tmp_path: Path) -> dict[str, str]:
    """Return the environment of a Python that has all that is here but what these extras bring."""
    site = tmp_path / "site"
    site.mkdir()
    hidden = re.compile(r"(scipy|matplotlib|playwright|libcst|sympy|z3)([._-].*)?")
    for folder in {Path(entry) for entry in sys.path if entry.endswith("site-packages")}:
        for package in folder.iterdir():
            if not hidden.fullmatch(package.name) and not (site / package.name).is_symlink():
                (site / package.name).symlink_to(package)
    return {**os.environ, "PYTHONPATH": f"{ROOT}:{site}"}


def test_without_the_extra_one_sentence_says_how_to_get_it(tmp_path: Path, env: dict[str, str]) -> None:
    def bare(*args: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, "-S", "-m", "maker_graph.cli", *args]
        return subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)

    asked = bare("calibrate", "hanoi", "--model", "sim:perfect")
    assert (asked.returncode, asked.stderr) == (
        2, "Error: calibrate needs scipy and matplotlib: pip install 'maker-graph[plan]'.\n",
    )  # fmt: skip
    migrated = bare("run", "migrate", "--path", ".", "--out", "x.patch")
    assert (migrated.returncode, migrated.stderr) == (2, "Error: migrate needs libcst: pip install 'maker-graph[migrate]'.\n")
    assert bare("plan", "--p", ".9", "--steps", "100", "--json").returncode == 0
    run = bare("run", "hanoi", "--disks", "3", "--json", "-q")
    assert json.loads(run.stdout)["verified"], run.stderr


def test_in_python_it_is_the_same_sentence(tmp_path: Path, env: dict[str, str]) -> None:
    code = """
from maker_graph import Run, UsageError
from maker_graph.tasks import Hanoi
run = Run.create("made", Hanoi(disks=2), model="sim:perfect")
run.solve()
for call in (run.certify, run.report):
    try:
        call()
    except UsageError as error:
        print(error)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    says = "needs scipy and matplotlib: pip install 'maker-graph[plan]'.\n"
    assert (done.returncode, done.stdout) == (0, f"certify {says}report {says}"), done.stderr


def test_without_playwright_a_driver_says_how_to_get_it(tmp_path: Path, env: dict[str, str]) -> None:
    code = "from pathlib import Path; from examples.app_testing.driver import Driver; Driver(Path(), 'http://127.0.0.1')"
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    says = "Testing in a browser needs playwright: pip install 'maker-graph[browser]'.\n"
    assert done.stderr.endswith(f"maker_graph.errors.UsageError: {says}"), done.stderr


def test_without_sympy_and_z3_a_verifier_says_so_when_it_is_made(tmp_path: Path, env: dict[str, str]) -> None:
    code = """
from maker_graph import UsageError
from maker_graph.verify import Algebra, Logic, arithmetic, canonical_expression, limited
for make in (Algebra, Logic):
    try:
        make()
    except UsageError as error:
        print(error)
print(arithmetic("1 + 1 = 2").evidence, canonical_expression("50%"), limited(arithmetic, seconds=60)("1 + 1 = 2").evidence)
"""
    done = subprocess.run(
        [sys.executable, "-S", "-c", code], cwd=tmp_path, env=env, capture_output=True, text=True, check=False
    )
    assert done.stdout.splitlines() == [
        "Algebra needs sympy: pip install 'maker-graph[verify]'.",
        "Logic needs z3: pip install 'maker-graph[verify]'.",
        "1 + 1 = 2 1/2 1 + 1 = 2",
    ], done.stderr


def test_with_the_extra_nothing_is_said() -> None:
    need_plan_extra("anything")
