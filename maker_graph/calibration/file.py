"""The file of a calibration: how it is written line by line, read, and continued after an interruption.

It is JSON lines. The first line is what was asked for. Each step then has a line, which is on disk before the next is written.
At the end stands the result of each model. If a calibration is interrupted, the same call goes on and pays for no step twice.
Only the result needs numpy and scipy; a file is read without them.

Between the steps stands the account (`AccountLine`): what was spent, and what calls that are under way may spend, written
before they are made. So the limits hold for all calls on a file together, even if one of them was killed. One process at a time
owns the file: it holds a lock on it, which ends with the process.
"""

import fcntl
import json
import math
import os
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path

from pydantic import BaseModel, ValidationError

from maker_graph.calibration.lines import FORM, AccountLine, CalibrationRequest, Result, StepSamples
from maker_graph.calibration.result import measured_result
from maker_graph.calibration.steps import drawn_steps
from maker_graph.core.spending import NONE, NOTHING, Account, Reserved, Spent
from maker_graph.errors import DamagedRun, LimitReached, UsageError
from maker_graph.files import PRIVATE, destination
from maker_graph.journal.protocol import NO_NOTES, Notes


def read_calibration(path: Path) -> tuple[CalibrationRequest, list[Result]]:
    """Return what a calibration was asked for and its results, one for each model.

    Raises:
        UsageError: the file cannot be read, is not a calibration, or is not finished.
    """
    try:
        content = path.read_bytes()
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    lines = _Lines.of(content, path)
    missing = [model for model in lines.request.models if model not in lines.results]
    if missing:
        raise UsageError(f"{path} is not finished ({', '.join(missing)}): call maker-graph calibrate again as before.")
    return lines.request, [lines.results[model] for model in lines.request.models]


def read_samples(path: Path) -> tuple[CalibrationRequest, list[StepSamples]]:
    """Return what a calibration was asked for, and the samples of its steps, in the order of the file, finished or not.

    Raises:
        UsageError: the file cannot be read, or is not a calibration.
    """
    try:
        lines = _Lines.of(path.read_bytes(), path)
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    return lines.request, [*lines.steps.values()]


@dataclass(slots=True)
class _Lines:
    """The content of a file."""

    request: CalibrationRequest
    steps: dict[tuple[str, int], StepSamples] = field(default_factory=dict)
    results: dict[str, Result] = field(default_factory=dict)
    account: Account | None = None

    @classmethod
    def of(cls, content: bytes, path: Path) -> "_Lines":
        """Return the lines in `content`, which was read from `path`.

        Raises:
            UsageError: it is not a calibration, or a newer maker_graph wrote it.
        """
        try:
            first, *lines = content.decode().split("\n")[:-1]  # what follows the last line end is half a line
            _see_form(first, path)
            found = cls(CalibrationRequest.model_validate_json(first))
            for line in lines:
                found._take(line)
        except ValidationError as error:
            raise UsageError(
                f"{path} is not a calibration, or is damaged ({error.errors()[0]['msg']}): give another file."
            ) from None
        except UsageError:
            raise
        except (ValueError, LookupError, TypeError):
            raise UsageError(f"{path} is not a calibration, which maker-graph calibrate writes: give another file.") from None
        return found

    def _take(self, line: str) -> None:
        if line.startswith('{"result"'):
            result = Result.model_validate_json(line)
            self.results[result.model] = result
        elif line.startswith('{"account"'):
            self.account = AccountLine.model_validate_json(line).kept()
        else:
            step = StepSamples.model_validate_json(line)
            self.steps[step.model, step.step] = step

    def kept_account(self) -> Account:
        """Return the account; if the file has none, the sum of what its steps took."""
        if self.account is not None:
            return self.account
        steps = self.steps.values()
        samples = sum(len(step.sequence) for step in steps)
        return Account(
            spent=Spent(
                math.fsum(step.cost for step in steps),
                calls=samples,
                samples=samples,
                input=sum(step.input for step in steps),
                cached=sum(step.cached for step in steps),
                output=sum(sum(step.lengths) for step in steps),
            )
        )


def _see_form(first: str, path: Path) -> None:
    form = json.loads(first)["calibration"]
    if isinstance(form, int) and form > FORM:
        raise UsageError(f"{path} was written by a newer maker_graph (form {form}): install that version to go on.")


class Calibration:
    """An open file, and its account: a `Book`.

    Attributes:
        request: what was asked for.
        steps: the samples of each model and step.
        results: what was measured of each model.
    """

    def __init__(self, path: Path, lines: _Lines, file: int | None, end: int) -> None:
        """Go on with `lines`, which stand in `path` up to the byte `end`; without a `file` nothing can be written."""
        self.request = lines.request
        self.steps: Mapping[tuple[str, int], StepSamples] = lines.steps
        self.results: Mapping[str, Result] = lines.results
        self._lines = lines
        self._account = lines.kept_account()
        self._path = path
        self._file = file
        self._end = end

    def claim(self) -> None:
        """Count what a process that was killed may have spent."""
        account = self._account
        if account.reserved != NONE:
            self._keep(account._replace(reserved=NONE, unsettled=account.unsettled.plus(account.reserved)))

    def account(self) -> Account:
        """Return what was spent, in all calls."""
        return self._account

    def owned(self) -> None:
        """Make sure that the file is still the one in its place, and as this process has written it.

        Raises:
            DamagedRun: it is not.
        """
        with suppress(OSError):
            if self._file is None:
                return
            there = self._path.stat()
            if os.path.samestat(there, os.fstat(self._file)) and there.st_size == self._end:
                return
        raise DamagedRun(
            f"{self._path} was deleted, moved, replaced or written to while the calibration was at work, which stops before "
            "its next call. Put the file back and calibrate again."
        )

    def provide(self, _: Spent, wished: Reserved, _least: Reserved, /) -> Reserved:
        """Return how much may be under way: what is wished."""
        return wished

    def spend(self, spent: Spent, reserved: Reserved, _: Notes = NO_NOTES, /) -> None:
        """Add what was spent; when it returns, this and what may be under way are on disk."""
        self._keep(self._account._replace(spent=self._account.spent.plus(spent), reserved=reserved))

    def add(self, step: StepSamples, spent: Spent = NOTHING, reserved: Reserved = NONE) -> None:
        """Keep a step, and what was spent since the last one; on return all of it is on disk."""
        self._keep(self._account._replace(spent=self._account.spent.plus(spent), reserved=reserved), step)
        self._lines.steps[step.model, step.step] = step

    def conclude(self, model: str, price: tuple[float, float] | None) -> Result:
        """Measure a model whose steps are all in the file, and keep the result."""
        if model not in self.results:
            steps = [step for (name, _), step in sorted(self.steps.items()) if name == model]
            result = measured_result(self.request, model, steps, price)
            self._write(result)
            self._lines.results[model] = result
        return self.results[model]

    def mean_input(self, model: str) -> int:
        """Return the tokens of input that a sample of `model` had on average; at least 1."""
        steps = [step for (name, _), step in self.steps.items() if name == model]
        return max(1, round(sum(step.input for step in steps) / max(1, sum(len(step.sequence) for step in steps))))

    def mean_price(self, model: str) -> tuple[float, float]:
        """Return the mean cost of a million tokens of `model` and of the model that wrote its answers, as input and output."""
        steps = [step for (name, _), step in self.steps.items() if name == model]
        each = 1e6 * sum(step.cost for step in steps) / max(1, sum(step.input + sum(step.lengths) for step in steps))
        return each, each

    def missing(self, model: str) -> list[int]:
        """Return the steps that `model` was not asked yet, in the order in which they were drawn."""
        return [step for step in drawn_steps(self.request) if (model, step) not in self.steps]

    def _keep(self, account: Account, *lines: BaseModel) -> None:
        self._write(AccountLine.of(account), *lines)  # the account first, so that a write that is cut off does not lose it
        self._account = account

    def _write(self, *lines: BaseModel) -> None:
        self.owned()
        content = "".join(line.model_dump_json(by_alias=True) + "\n" for line in lines).encode()
        try:
            if self._file is None:
                raise PermissionError(0, "it can only be read")
            written = os.pwrite(self._file, content, self._end)
            if written < len(content):
                os.pwrite(self._file, content[written:], self._end + written)  # on a full disk this says why
            os.fsync(self._file)
        except OSError as error:
            with suppress(OSError, TypeError):
                os.ftruncate(self._file, self._end)  # type: ignore[arg-type]  # None is suppressed
            raise LimitReached(f"The calibration cannot be written ({error.strerror}): make room and call it again.") from None
        self._end += len(content)


@contextmanager
def open_calibration(
    path: Path, request: CalibrationRequest, *, elsewhere: str = "give another --out"
) -> Iterator[Calibration]:
    """Open the file of a calibration, or begin it. A finished one can be opened even if it can only be read.

    Raises:
        UsageError: the file is there and holds something else, is not a regular file, or another process is at work on it.
        LimitReached: it cannot be written.
    """
    with ExitStack() as stack:
        try:
            target = destination(path)
            file = _owned_file(target, stack)
            content = target.read_bytes()
        except BlockingIOError:
            raise UsageError(f"Another process calibrates into {path}: wait for it, or {elsewhere}.") from None
        except OSError as error:
            raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
        new = not content or (b"\n" not in content and content.startswith(b'{"calibration":'))  # killed in its first moment
        lines = _Lines(request) if new else _Lines.of(content, path)
        before = lines.request.model_copy(update={"calibration": request.calibration})
        if before != request:
            differ = [name for name in CalibrationRequest.model_fields if getattr(before, name) != getattr(request, name)]
            raise UsageError(
                f"{path} holds a calibration with other values of {', '.join(differ)}: give those of before, or {elsewhere}."
            )
        if file is None and any(model not in lines.results for model in request.models):
            raise UsageError(f"{path} cannot be written, and is not finished: give access, or {elsewhere}.")
        end = content.rfind(b"\n") + 1
        if file is not None:
            os.ftruncate(file, end)
        calibration = Calibration(target, lines, file, end)
        if new:
            calibration._write(request)  # noqa: SLF001  its own
        calibration.claim()
        yield calibration


def _owned_file(path: Path, stack: ExitStack) -> int | None:
    """Return the file, opened and locked until `stack` ends, and made if it is not there; None if it can only be read.

    Raises:
        BlockingIOError: another process holds the lock.
        OSError: it can be neither written nor read.
    """
    while True:
        try:
            file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, PRIVATE)  # replies are for the owner's eyes
        except OSError:
            if os.access(path, os.R_OK):
                return None
            raise
        stack.callback(os.close, file)
        fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        with suppress(FileNotFoundError):
            if os.path.samestat(os.fstat(file), path.stat()):
                return file  # else it was replaced before it was locked
