"""What `run` and `resume` do for a migration after its votes: `--test` before the patch is written, `--apply` after it."""

import shlex
import signal
import sys
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from maker_graph.cli.asking import typed_line
from maker_graph.cli.output import counted, tell
from maker_graph.errors import MakerError, UnusableRun, UsageError
from maker_graph.tasks.migrate.rules import LEAVE
from maker_graph.tasks.migrate.task import Migrate

if TYPE_CHECKING:
    from maker_graph.run.suites import Suite, Tested
    from maker_graph.runs import Run


@dataclass(frozen=True, slots=True)
class Finishing:
    """What is done with the edits of a migration.

    Attributes:
        task: the migration.
        suite: the test command; None runs none.
        blame: whether edits that turn the suite red are left out; this needs a suite that is green without edits.
        apply: whether the edits are made in the tree.
    """

    task: Migrate
    suite: "Suite | None" = None
    blame: bool = False
    apply: bool = False

    def decided(self, run: "Run") -> None:
        """Run the suite with all edits, before they are written. Those that turn it red are refused.

        Raises:
            UsageError: the tree cannot be copied.
            LimitReached: there is no room.
        """
        if self.suite is None:
            return
        from maker_graph.run.suites import blamed

        run.test_with(self.suite.command)  # a run that is interrupted here goes on with the same tests
        answers = {number: code for number, code in _answers(run).items() if code != LEAVE}
        if not self.blame or not answers:
            run.test_with(None)
            return
        tell(f"The tests run with {counted(len(answers), 'edit')}: {self.suite.command}")
        found = blamed([*answers], lambda some: self._tested({number: answers[number] for number in some}).green)
        run.refuse(dict.fromkeys(found, "the tests are red with it"))
        run.test_with(None)
        if not found:
            tell("The tests are green with all of them.")
        for number in found:
            site = self.task.items[number - 1]
            tell(f"The tests are red with the edit of {site['file']}, line {site['line']} (item {number}): it is left out.")

    def _tested(self, answers: Mapping[int, str]) -> "Tested":
        assert self.suite is not None  # noqa: S101  called only if there is one
        with _ended_in_order():
            return self.suite.tested({Path(self.task.from_top(path)): new for path, new in self.task.edits(answers).items()})

    def written(self, run: "Run") -> MakerError | None:
        """Tell what was found, and make the edits in the tree if that was asked for; return the error if that fails."""
        from maker_graph.run.applying import Change, apply, is_applied, see_clean

        answers, refused = _answers(run), run.refused
        used = {number: code for number, code in answers.items() if number not in refused}
        new = self.task.edits(used)
        left = sum(code == LEAVE for code in used.values())
        not_done = len(self.task.items) - len(used)
        out = run.options.out
        where = "" if out is None else f"; {out}, to be applied in {self.task.top} with git apply or patch -p1"
        tell(
            f"{counted(len(used) - left, 'edit')} in {counted(len(new), 'file')}, {left:,} stay as they are, "
            f"{not_done:,} not done{where}"
        )
        if not_done and out is not None:
            tell(f"{out}.review lists what is not done.")
        if not self.apply:
            return None
        changes = [Change(self.task.from_top(path), self.task.sources[path].content(), new[path]) for path in sorted(new)]
        try:
            if changes and is_applied(self.task.top, changes):
                tell(f"All edits are in {self.task.top} already.")
                return None
            see_clean(self.task.top, [each.path for each in changes])
            apply(self.task.top, changes)
        except MakerError as error:
            tell(f"Error: {error}")
            return error
        tell(f"{counted(len(changes), 'file')} changed in {self.task.top}; git diff shows how.")
        return None


def finishing(
    task: Any, *, test: str | None, seconds: float | None, apply: bool, yes: bool, run: "Run | None" = None
) -> Finishing | None:
    """Return what is done with the edits of `task` in the end. All that can be wrong is found before anything is paid for.

    Args:
        task: the task of the run. If it is not a migration, None is returned.
        test: the test command.
        seconds: how many seconds it may take.
        apply: whether the edits are made in the tree.
        yes: whether the person has agreed that the tests run code that a model wrote.
        run: the run that goes on; None for a new one.

    Raises:
        UsageError: the task has no edits, nobody agreed, the test command cannot be run, or the tree is not clean.
        UnusableRun: files were changed since the run began, and some sites are not decided yet.
    """
    if not isinstance(task, Migrate):
        if test is not None or apply or yes or seconds is not None:
            raise UsageError(
                "--test, --test-seconds, --apply and --yes are for tasks that edit code, such as migrate: leave them out."
            )
        return None
    from maker_graph.run.applying import recover, see_clean

    if (said := recover(task.top)) is not None:
        if run is None:
            raise UsageError(f"{said} Give the command again.")
        tell(said)
    if run is not None and run.step < len(task.items):
        _see_unchanged(task)
    if apply and (run is None or run.step < len(task.items)):
        see_clean(task.top, map(task.from_top, task.sources))
    if run is not None and test == "none":
        run.test_with(None)
        test = None
    if run is not None and test is None and run.to_be_tested is not None:
        raise UsageError(
            f"The edits of this run must be tested first: add --test {shlex.quote(run.to_be_tested)}, or --test none."
        )
    if test is None:
        if yes or seconds is not None:
            raise UsageError("--yes and --test-seconds belong to --test: add --test COMMAND, or leave them out.")
        return Finishing(task, apply=apply)
    if not test.strip():
        raise UsageError("--test is empty: give a command, such as 'pytest -q'.")
    if not yes:
        _ask(test)
    return _with_suite(task, test, seconds, apply=apply, run=run)


def _with_suite(task: Migrate, test: str, seconds: float | None, *, apply: bool, run: "Run | None") -> Finishing:
    from maker_graph.run.suites import SECONDS, Suite

    suite = Suite(test, task.top, seconds or SECONDS, () if run is None else (run.directory.absolute(),))
    tell(f"The tests run on the code as it is: {test}")
    with _ended_in_order():
        before = suite.tested({Path(task.from_top(path)): source.content() for path, source in task.sources.items()})
    if before.missing:
        raise UsageError(f"--test {shlex.quote(test)} cannot be run, the shell says: {before.last or before.why}")
    if not before.green:
        tell(f"The tests are red before any edit ({before.why}), so no edit will be blamed. Their last lines:\n{before.last}")
    return Finishing(task, suite, before.green, apply)


def _ask(test: str) -> None:
    """Ask the person whether the tests may run.

    Raises:
        UsageError: the person does not agree, or nobody can be asked.
    """
    if sys.stdin is None or not sys.stdin.isatty():
        raise UsageError(
            "--test runs code that a model wrote, in a copy of the tree, and nobody can be asked here: add --yes to agree."
        )
    tell(f"--test runs code that a model wrote, in a copy of the tree, with your rights: {test}\nDo you agree? [y/N]")
    if (typed_line() or "").lower() not in {"y", "yes"}:
        raise UsageError("Nobody agreed to run the tests, so nothing was done: leave out --test to get the patch alone.")


def _see_unchanged(task: Migrate) -> None:
    for path, source in task.sources.items():
        try:
            same = (task.root / path).read_bytes() == source.content()
        except OSError:
            same = False
        if not same:
            raise UnusableRun(f"{task.root / path} is no longer what this run began with: put it back, or start a new run.")


def _answers(run: "Run") -> dict[int, str]:
    return {step.step: str(step.answer) for step in run.steps() if step.decision["status"] == "decided"}


@contextmanager
def _ended_in_order() -> Iterator[None]:
    """Let SIGTERM act like Ctrl-C meanwhile, so that the processes of the tests end too."""

    def stop(number: int, frame: object) -> None:
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before or signal.SIG_DFL)
