"""Algebra within limits: what hangs is cut off, and SymPy is only loaded in the child."""

import copy
import pickle
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from maker_graph import UsageError
from maker_graph.core.verifying import Unknown, Valid
from maker_graph.errors import Invalid
from maker_graph.verify.algebra import Algebra

ROOT = Path(__file__).parents[2]


def test_it_says_what_the_child_finds() -> None:
    algebra = Algebra(seconds=20)
    assert algebra.equal("x^2 - 1", "(x - 1)*(x + 1)") == Valid("x^2 - 1 = (x - 1)*(x + 1)", conclusive=True)
    assert algebra.equal("x", "x", conclusive=False) == Valid("x = x", conclusive=False)
    assert algebra.solves("3*x = 12", "4") == Valid("x = 4 is the only real solution of 3*x = 12", conclusive=True)
    found = algebra.solves(["x + y = 3"], {"x": "1", "y": "2"}, conclusive=True)
    assert found == Valid("x = 1, y = 2 solves x + y = 3", conclusive=True)
    with pytest.raises(Invalid, match="the left side is 15"):
        algebra.solves("3*x = 12", "x = 5")
    assert isinstance(algebra.equal("3x", "3x"), Unknown)


HARD = " + ".join(f"sqrt({prime})" for prime in (2, 3, 5, 7, 11, 13, 17, 19))


def test_what_takes_too_long_is_cut_off_and_the_next_answer_works() -> None:
    assert Algebra(seconds=0.5).equal(HARD, "20") == Unknown("the verification was cut off after 0.5 seconds")
    assert Algebra(seconds=20).equal("1/2", "50%") == Valid("1/2 = 50%", conclusive=True)


def test_it_can_be_copied_and_pickled_and_shares_its_process() -> None:
    algebra = Algebra(seconds=20)
    for each in (copy.deepcopy(algebra), pickle.loads(pickle.dumps(algebra))):  # noqa: S301  our own
        assert each.equal("1", "1") == algebra.equal("1", "1")


def test_wrong_settings_are_told_at_once() -> None:
    wrong: Any = 1
    for call in (
        lambda: Algebra(seconds=0), lambda: Algebra(megabytes=1), lambda: Algebra().equal("1", "1", conclusive=wrong),
        lambda: Algebra().solves([], "1"), lambda: Algebra().solves([""], "1"), lambda: Algebra().solves("x = 1", wrong),
        lambda: Algebra().solves("x = 1", "1", conclusive=wrong),
    ):  # fmt: skip
        with pytest.raises(UsageError):
            call()


def test_sympy_and_z3_are_not_loaded_here(tmp_path: Path) -> None:
    code = (
        "import sys; from maker_graph.verify import Algebra, Logic; "
        "print(Algebra(seconds=60).equal('sqrt(2)', 'sqrt(2)'), Logic(seconds=60).follows('x > 2', 'x > 1')); "
        "assert not {'sympy', 'z3'} & set(sys.modules)"
    )
    command, env = [sys.executable, "-c", code], {"PYTHONPATH": str(ROOT)}
    done = subprocess.run(command, cwd=tmp_path, env=env, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count("conclusive=True") == 2
