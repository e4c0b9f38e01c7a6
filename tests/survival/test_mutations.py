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
        "journal/sqlite/journal.py",
        "follows = (books.step, books.hash) == (first - 1, self._hash) and last == first + len(steps) - 1",
        "follows = True",
        "tests/journal/test_protocol.py::test_an_append_must_follow_the_last_step",
    ),
    "the epoch": Mutation(
        "journal/sqlite/journal.py",
        "owned = books.owner == self.epoch\n            follows",
        "owned = True\n            follows",
        "tests/journal/test_protocol.py::test_of_two_processes_at_the_same_step_one_is_refused",
    ),
    "the epoch before a call": Mutation(
        "journal/sqlite/journal.py",
        "if self._books().owner != self.epoch:",
        "if False:",
        "tests/survival/test_budget.py::test_an_owner_that_was_taken_over_pays_for_no_further_call",
    ),
    "the hash": Mutation(
        "journal/steps.py",
        "if before != stored or digest != place_digest(after):",
        "if False:",
        "tests/journal/test_reading.py::test_damage_is_found_with_its_step",
    ),
    "the seal of notes and account": Mutation(
        "journal/steps.py",
        "if not isinstance(value, str) or stored != seal(origin, name, value):",
        "if not isinstance(value, str):",
        "tests/survival/test_damage.py::test_no_bit_of_an_account_or_note_can_turn_without_being_seen",
    ),
    "the names of the notes": Mutation(
        "journal/sqlite/books.py",
        'if names != frozenset(json.loads(_read(db, origin, "names"))):',
        "if False:",
        "tests/survival/test_damage.py::test_no_bit_of_the_name_of_a_note_can_turn_without_being_seen",
    ),
    "one transaction for step and account": Mutation(
        "journal/sqlite/journal.py",
        'self._db.execute("BEGIN IMMEDIATE")',
        "pass",
        "tests/survival/test_kills.py::test_a_crash_at_every_point_up_to_the_end_of_a_commit_loses_nothing_and_doubles_nothing",
    ),
    "one look at step and account": Mutation(
        "journal/sqlite/journal.py",
        "if self._db.in_transaction:\n            yield",
        "if True:\n            yield",
        "tests/survival/test_owners.py::test_a_run_at_work_can_be_looked_at_at_any_moment",
    ),
    "the look at which files they are": Mutation(
        "journal/sqlite/open_files.py",
        "return Found.WRITTEN if same else Found.GONE",
        "return Found.WRITTEN",
        "tests/journal/sqlite/test_journal.py::test_an_owner_whose_journal_is_lost_stops_before_its_next_call",
    ),
    "the look before a call": Mutation(
        "journal/sqlite/journal.py",
        "if not self._settled or self._files.look() is not Found.SAME:",
        "if False:",
        "tests/journal/sqlite/test_journal.py::test_an_owner_whose_journal_is_lost_stops_before_its_next_call",
    ),
    "the empty log that an owner begins with": Mutation(
        "journal/sqlite/journal.py",
        "self._settle()",
        "pass",
        "tests/journal/sqlite/test_journal.py::test_an_owner_that_begins_on_a_log_that_another_was_copied_over_can_be_followed",
    ),
    "the look at what was written over": Mutation(
        "journal/sqlite/journal.py",
        "self._see_content()",
        "pass",
        "tests/journal/sqlite/test_journal.py::test_an_older_copy_that_is_written_over_the_open_files_stops_the_owner",
    ),
    "emptying a log that was written over": Mutation(
        "journal/sqlite/journal.py",
        'self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)")',
        'self._db.execute("SELECT 0, 0, 0")',
        "tests/journal/sqlite/test_journal.py::test_an_older_log_over_one_that_was_read_to_its_end_does_no_harm_after_a_kill",
    ),
    "the high-water mark": Mutation(
        "journal/sqlite/journal.py",
        "for mark in filter(None, marks):",
        "for mark in ():",
        "tests/journal/sqlite/test_journal.py::test_an_older_journal_is_refused_and_accepted_with_all_that_was_spent",
    ),
    "the budget of a loss that was accepted": Mutation(
        "journal/sqlite/journal.py",
        "account = account.covering(mark.account)",
        "pass",
        "tests/journal/sqlite/test_journal.py::test_an_older_journal_is_refused_and_accepted_with_all_that_was_spent",
    ),
    "the mark of a claim before its commit": Mutation(
        "journal/sqlite/journal.py",
        "self._marks.write([(mark or now)._replace(epoch=books.owner) for mark in marks])",
        "pass",
        "tests/survival/test_simulation.py::test_in_200_worlds_nothing_is_lost_paid_or_passed_in_silence",
    ),
    "a mark that is missing": Mutation(
        "journal/sqlite/journal.py",
        "if marks[0] is None and books.account.serial and not self.accept_loss:",
        "if False:",
        "tests/journal/sqlite/test_journal.py::test_a_journal_without_its_mark_can_be_looked_at_and_must_be_accepted",
    ),
    "the checksum of a mark": Mutation(
        "journal/watermark.py",
        "if not text or checksum != _checksum(text):",
        "if not text:",
        "tests/journal/test_watermark.py::test_no_bit_of_a_mark_can_turn_without_being_seen",
    ),
    "the checkpoint as a witness": Mutation(
        "run/recovery.py",
        "if known > ends and not run.journal.accept_loss:",
        "if False:",
        "tests/cli/test_resume.py::test_a_journal_put_back_is_refused_with_what_is_missing_and_accepted_without_a_new_budget",
    ),
    "the epoch of an append in Postgres": Mutation(
        "journal/postgres/schema.py",
        "AND r.epoch = %(epoch)s AND r.step = %(before)s AND r.head = %(head)s",
        "AND r.step = %(before)s AND r.head = %(head)s",
        "tests/journal/test_protocol.py::test_of_two_processes_at_the_same_step_one_is_refused",
    ),
    "the step of an append in Postgres": Mutation(
        "journal/postgres/schema.py",
        "AND r.step = %(before)s AND r.head = %(head)s",
        "AND r.head IS NOT NULL",
        "tests/journal/test_protocol.py::test_an_append_must_follow_the_last_step",
    ),
    "the hash of an append in Postgres": Mutation(
        "journal/postgres/schema.py",
        "AND r.step = %(before)s AND r.head = %(head)s",
        "AND r.step = %(before)s",
        "tests/journal/test_protocol.py::test_steps_are_added_to_the_very_steps_that_their_owner_knows",
    ),
    "the epoch of an intent in Postgres": Mutation(
        "journal/postgres/schema.py",
        "WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.step = %(step)s FOR UPDATE",
        "WHERE r.number = %(run)s AND r.step = %(step)s FOR UPDATE",
        "tests/journal/test_protocol.py::test_an_owner_that_was_taken_over_learns_it_at_its_next_write",
    ),
    "the step of an intent in Postgres": Mutation(
        "journal/postgres/schema.py",
        "WHERE r.number = %(run)s AND r.epoch = %(epoch)s AND r.step = %(step)s FOR UPDATE",
        "WHERE r.number = %(run)s AND r.epoch = %(epoch)s FOR UPDATE",
        "tests/journal/test_protocol.py::test_an_intent_is_about_the_next_step_or_refused",
    ),
    "the name of a change whose answer was lost": Mutation(
        "journal/postgres/schema.py",
        'IF_BOOKED = f"{STANDS} AND %(booked)s::uuid IN (r.booked, r.booked_late)"',
        'IF_BOOKED = f"{STANDS} AND false"',
        "tests/journal/postgres/test_journal.py::test_what_is_spent_while_a_connection_is_lost_is_booked_once",
    ),
    "a name of its own for what is booked late": Mutation(
        "journal/postgres/schema.py",
        "booked_late = %(booked)s::uuid,",
        "booked = %(booked)s::uuid,",
        "tests/journal/postgres/test_journal.py::test_an_owner_and_a_former_one_do_not_hide_from_each_other_what_they_have_booked",
    ),
    "the name of a change that arrives again": Mutation(
        "journal/postgres/schema.py",
        '_NEW = "r.booked IS DISTINCT FROM %(booked)s::uuid"',
        '_NEW = "true"',
        "tests/journal/postgres/test_journal.py::test_what_is_spent_and_arrives_again_is_counted_once",
    ),
    "the last look for a change that arrives again": Mutation(
        "journal/postgres/journal.py",
        "or self._db.once(statement, given) or done()",
        "or self._db.once(statement, given)",
        "tests/journal/postgres/test_journal.py::test_what_arrives_between_the_look_and_the_second_try_is_counted_once",
    ),
    "the look for steps whose answer was lost": Mutation(
        "journal/postgres/journal.py",
        "if (now.epoch, now.step, now.hash) != (self.epoch, last, after):",
        "if True:",
        "tests/journal/postgres/test_journal.py::test_a_step_whose_outcome_nobody_knows_can_be_appended_again",
    ),
    "the compare-and-set of a claim in Postgres": Mutation(
        "journal/postgres/schema.py",
        "WHERE r.number = %(run)s AND r.serial = %(serial)s",
        "WHERE r.number = %(run)s",
        "tests/journal/postgres/test_journal.py::test_what_is_booked_between_the_look_and_the_claim_is_not_lost",
    ),
    "the count of writes of a loss that was accepted": Mutation(
        "journal/postgres/schema.py",
        "serial = greatest(r.serial, %(known)s) + 1",
        "serial = r.serial + 1",
        "tests/journal/test_protocol.py::test_an_older_journal_is_refused_and_accepted_with_all_that_was_spent",
    ),
    "that a run in Postgres is of these settings": Mutation(
        "journal/postgres/journal.py",
        "if found.origin != self._origin:",
        "if False:",
        "tests/journal/test_reading.py::test_a_journal_of_another_run_or_of_other_settings_does_not_load",
    ),
    "the end of what is replayed": Mutation(
        "journal/reading.py",
        "machine, start, self.step)",
        "machine, start, 0)",
        "tests/journal/test_reading.py::test_steps_cut_off_at_the_end_are_missed",
    ),
    "the end of what is listed": Mutation(
        "journal/reading.py",
        "whole(readable(self._rows()), self.step)",
        "readable(self._rows())",
        "tests/journal/test_reading.py::test_steps_that_are_missing_are_missed_by_who_only_lists_them",
    ),
    "the number of later answers": Mutation(
        "journal/reading.py",
        "if len(found) < least:",
        "if False:",
        "tests/journal/test_reading.py::test_damage_to_a_later_answer_is_found",
    ),
    "the lock of who makes the tables": Mutation(
        "journal/postgres/connection.py",
        'db.execute("SELECT pg_advisory_xact_lock(%s)", (_LOCK,))',
        "pass",
        "tests/journal/postgres/test_connection.py::test_many_may_make_the_tables_at_once",
    ),
    "that nothing is done again within a transaction": Mutation(
        "journal/postgres/connection.py",
        "if self._within:\n                raise",
        "if False:\n                raise",
        "tests/journal/postgres/test_connection.py::test_a_transaction_that_loses_its_connection_anywhere_is_whole_or_nothing",
    ),
    "waiting for the disk of a server": Mutation(
        "journal/postgres/connection.py",
        "('synchronous_commit', 'on'), ",
        "",
        "tests/journal/postgres/test_connection.py::test_a_commit_waits_for_the_disk_unless_the_address_says_otherwise",
    ),
    "the lock of who makes a run": Mutation(
        "run/birth.py",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        "tests/run/test_birth.py::test_a_maker_that_is_at_work_is_left_alone",
    ),
    "that a run is made under another name": Mutation(
        "run/directory.py",
        "with cradle(directory) as draft, disk_errors(str(directory)):",
        "draft = directory\n    directory.mkdir()\n    with disk_errors(str(directory)):",
        "tests/survival/test_kills.py::test_a_crash_while_a_run_is_made_leaves_a_whole_run_or_none_and_it_can_be_made_again",
    ),
    "asking before a task is imported": Mutation(
        "run/home.py",
        "if self._task is None and self._is_code:",
        "if False:",
        "tests/run/test_directory.py::test_looking_at_a_run_imports_nothing_of_what_its_settings_name",
    ),
    "the launch order": Mutation(
        "graph/microstep.py",
        'samples = sorted(map(as_sample, values["vote_samples"]), key=lambda each: each.index)',
        'samples = [*map(as_sample, values["vote_samples"])]',
        "tests/graph/test_microstep.py::test_samples_are_judged_in_the_order_of_launch_even_if_the_channel_has_them_in_another",
    ),
    "what is held in the journal": Mutation(
        "run/account.py",
        "self.book.spend(Spent(), held)",
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
    "the lock on a calibration": Mutation(
        "calibration/file.py",
        "fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)",
        "pass",
        "tests/calibration/test_file.py::test_one_process_at_a_time_owns_a_file_and_reading_it_is_free",
    ),
    "what a killed calibration may have spent": Mutation(
        "calibration/file.py",
        "unsettled=account.unsettled.plus(account.reserved)",
        "unsettled=account.unsettled",
        "tests/calibration/test_file.py::test_what_was_spent_and_what_a_killed_call_may_have_spent_are_in_the_file",
    ),
    "a calibration's file is still its own": Mutation(
        "calibration/file.py",
        "if os.path.samestat(there, os.fstat(self._file)) and there.st_size == self._end:",
        "if True:",
        "tests/calibration/test_file.py::test_nothing_more_is_paid_for_once_the_file_is_another",
    ),
    "whose a file is": Mutation(
        "files.py",
        "if taken and not force:",
        "if False:",
        "tests/cli/test_out.py::test_what_the_run_has_written_it_writes_again_until_it_is_changed",
    ),
    "what is to be written is known before": Mutation(
        "files.py",
        "self._know({name: [*self._known.get(name, []), digest] for name, digest in digests.items()})",
        "pass",
        "tests/run/test_own_files.py::test_what_is_to_be_written_is_known_before_it_is_and_a_kill_leaves_no_file_in_doubt",
    ),
    "code of a run from elsewhere": Mutation(
        "runs.py",
        '(trust == "mine" and opened.journal.claimed_here)',
        'trust == "mine"',
        "tests/cli/test_trust.py::test_to_go_on_with_a_run_from_elsewhere_needs_a_word_once",
    ),
    "nobody has to listen": Mutation(
        "cli/output.py",
        "except (OSError, ValueError) as error:  # a stream that was closed is a ValueError",
        "except ZeroDivisionError as error:",
        "tests/cli/test_output.py::test_nobody_has_to_listen_and_the_exit_code_is_right_all_the_same",
    ),
}


def outcome_of(root: Path, test: str) -> tuple[int, str]:
    """Run one test on the project in `root`; return how pytest ended, and its last line."""
    env = {**os.environ, "PYTHONPATH": str(root)}
    command = [sys.executable, "-m", "pytest", "-q", "-x", "-p", "no:cacheprovider", test]
    done = subprocess.run(command, cwd=root, env=env, capture_output=True, text=True, check=False, timeout=300)
    return done.returncode, done.stdout.strip().splitlines()[-1]


@pytest.mark.parametrize("guard", MUTATIONS)
def test_what_is_taken_away_stands_in_the_code_just_once(guard: str) -> None:
    mutation = MUTATIONS[guard]
    text = (ROOT / "maker_graph" / mutation.file).read_text(encoding="utf-8")
    assert text.count(mutation.text) == 1, f"{mutation.text!r} is no longer in {mutation.file}: say here what it has become"
    file, _, test = mutation.test.partition("::")
    assert f"def {test}(" in (ROOT / file).read_text(encoding="utf-8"), f"{mutation.test} is not a test"


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
    file.write_text(file.read_text(encoding="utf-8").replace(mutation.text, mutation.instead), encoding="utf-8")
    code, said = outcome_of(tmp_path, mutation.test)
    assert code == 1, f"nobody notices that {guard} is gone: {said}"
    assert re.search(r"\d+ failed", said), said
