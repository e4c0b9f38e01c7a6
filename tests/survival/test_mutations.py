"""Each guard is taken away in a copy of the project, and the test that guards it must fail; else its figures prove little."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

ROOT = Path(__file__).parents[2]


class Mutation(NamedTuple):
    """What is taken away, and the test that must notice."""

    file: str
    text: str
    instead: str
    test: str


MUTATIONS = {
    "the compare-and-set": Mutation(
        "run/journal.py",
        "follows = self._last() == (first - 1, self._hash) and last == first + len(steps) - 1",
        "follows = True",
        "tests/run/test_journal.py::test_an_append_must_follow_the_last_step",
    ),
    "the epoch": Mutation(
        "run/journal.py",
        "owned = self._owner() == self.epoch",
        "owned = True",
        "tests/survival/test_owners.py::test_of_30_takeovers_the_old_owner_is_refused_every_time",
    ),
    "the hash": Mutation(
        "run/journal.py",
        "if link != stored or mark != mark_of(after):",
        "if False:",
        "tests/run/test_journal.py::test_damage_is_found_with_its_step",
    ),
    "the seal of notes and account": Mutation(
        "run/journal.py",
        "if not isinstance(value, str) or stored != self._seal(name, value):",
        "if not isinstance(value, str):",
        "tests/survival/test_damage.py::test_no_bit_of_an_account_or_note_can_turn_without_being_seen",
    ),
    "the names of the notes": Mutation(
        "run/journal.py",
        'if self._names() != json.loads(self._read("names")):',
        "if False:",
        "tests/survival/test_damage.py::test_no_bit_of_the_name_of_a_note_can_turn_without_being_seen",
    ),
    "one transaction for step and account": Mutation(
        "run/journal.py",
        'self._db.execute("BEGIN IMMEDIATE")',
        "pass",
        "tests/survival/test_kills.py::test_a_crash_at_every_point_up_to_the_end_of_a_commit_loses_nothing_and_doubles_nothing",
    ),
    "one look at step and account": Mutation(
        "run/journal.py",
        'self._db.execute("BEGIN")  # all at one moment',
        "pass  # all at one moment",
        "tests/survival/test_owners.py::test_a_run_at_work_can_be_looked_at_at_any_moment",
    ),
    "the launch order": Mutation(
        "graph/microstep.py",
        'samples = sorted((Sample(**each) for each in values["vote_samples"]), key=lambda each: each.index)',
        'samples = [Sample(**each) for each in values["vote_samples"]]',
        "tests/graph/test_microstep.py::test_samples_are_judged_in_the_order_of_launch_even_if_the_channel_has_them_in_another",
    ),
    "what is held in the journal": Mutation(
        "run/account.py",
        "self.journal.spend(Spent(), held)",
        "pass",
        "tests/survival/test_budget.py::test_a_run_that_is_killed_before_every_commit_reaches_its_limit_all_the_same",
    ),
    "the limit before the request": Mutation(
        "models/budget.py",
        "self._tally.check(cost)",
        "pass",
        "tests/models/test_budget.py::test_microsteps_that_share_a_budget_stop_together_before_the_request_that_may_pass_it",
    ),
    "telling an error of the record from one of the provider": Mutation(
        "run/account.py",
        "except OSError as error:",
        "except ZeroDivisionError as error:",
        "tests/survival/test_disk.py::test_a_full_disk_ends_the_command_with_4_and_a_sentence_also_when_only_the_record_is_full",
    ),
}


def outcome_of(root: Path, test: str) -> tuple[int, str]:
    """Run one test on the project in `root`; return how pytest ended, and its last line."""
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout.strip().splitlines()[-1]


@pytest.mark.campaign
@pytest.mark.parametrize("guard", MUTATIONS)
def test_without_a_guard_the_test_that_guards_it_fails(tmp_path: Path, guard: str) -> None:
    mutation = MUTATIONS[guard]
    for name in ("maker_graph", "tests"):
        shutil.copytree(ROOT / name, tmp_path / name, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    code, said = outcome_of(tmp_path, mutation.test)
    assert code == 0, f"it must pass with its guard: {said}"
    file = tmp_path / "maker_graph" / mutation.file
    text = file.read_text()
    assert text.count(mutation.text) == 1, f"{mutation.text!r} is no longer in {mutation.file}: say here what it has become"
    file.write_text(text.replace(mutation.text, mutation.instead))
    code, said = outcome_of(tmp_path, mutation.test)
    assert code == 1, f"nobody notices that {guard} is gone: {said}"
    assert re.search(r"\d+ failed", said), said
