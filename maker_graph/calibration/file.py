"""The file of a calibration: written line by line, read, and gone on with where it was interrupted.

It is JSON lines: what was asked for; a line for each step, on disk before the next is written; at the end the result of each
model. What a line says was paid for once: the same call goes on where it was interrupted. Only the result needs numpy and
scipy; a file is read without them.
"""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO

from pydantic import BaseModel, ValidationError

from maker_graph.calibration.lines import CalibrationRequest, Result, StepSamples
from maker_graph.calibration.result import measured_result
from maker_graph.calibration.steps import drawn_steps
from maker_graph.errors import LimitReached, UsageError
from maker_graph.files import PRIVATE, destination


def read_calibration(path: Path) -> tuple[CalibrationRequest, list[Result]]:
    """Return what a calibration was asked for and its results, one for each model.

    Raises:
        UsageError: the file cannot be read, is no calibration, or is not finished.
    """
    request, _, results = _read(path)
    missing = [model for model in request.models if model not in results]
    if missing:
        raise UsageError(f"{path} is not finished ({', '.join(missing)}): call maker-graph calibrate again as before.")
    return request, [results[model] for model in request.models]


def _read(path: Path) -> tuple[CalibrationRequest, dict[tuple[str, int], StepSamples], dict[str, Result]]:
    steps: dict[tuple[str, int], StepSamples] = {}
    results: dict[str, Result] = {}
    try:
        first, *lines = path.read_text(encoding="utf-8").split("\n")[:-1]  # what follows the last line end is half a line
        request = CalibrationRequest.model_validate_json(first)
        for line in lines:
            if line.startswith('{"result"'):
                result = Result.model_validate_json(line)
                results[result.model] = result
            else:
                step = StepSamples.model_validate_json(line)
                steps[step.model, step.step] = step
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except ValidationError as error:
        raise UsageError(f"{path} is no calibration, or is damaged ({error.errors()[0]['msg']}).") from None
    except (ValueError, UnicodeDecodeError):
        raise UsageError(f"{path} is no calibration.") from None
    return request, steps, results


@dataclass(slots=True)
class Calibration:
    """An open file: what is in it, and where the next line goes."""

    request: CalibrationRequest
    steps: dict[tuple[str, int], StepSamples]
    results: dict[str, Result]
    _file: IO[str]

    def add(self, step: StepSamples) -> None:
        """Keep a step; on return it is on disk."""
        self._write(step)
        self.steps[step.model, step.step] = step

    def conclude(self, model: str, price: tuple[float, float] | None) -> Result:
        """Measure a model, all of whose steps are there, and keep the result."""
        if model not in self.results:
            steps = [step for (name, _), step in sorted(self.steps.items()) if name == model]
            self.results[model] = measured_result(self.request, model, steps, price)
            self._write(self.results[model])
        return self.results[model]

    def mean_input(self, model: str) -> int:
        """Return the tokens of input that a sample of `model` had on average; at least 1."""
        steps = [step for (name, _), step in self.steps.items() if name == model]
        return max(1, round(sum(step.input for step in steps) / max(1, sum(len(step.sequence) for step in steps))))

    def missing(self, model: str) -> list[int]:
        """Return the steps that `model` was not asked yet, in the order in which they were drawn."""
        return [step for step in drawn_steps(self.request) if (model, step) not in self.steps]

    def _write(self, line: BaseModel) -> None:
        try:
            self._file.write(line.model_dump_json(by_alias=True) + "\n")
            self._file.flush()
            os.fsync(self._file.fileno())
        except OSError as error:
            raise LimitReached(f"The calibration cannot be written ({error.strerror}): make room and call it again.") from None


@contextmanager
def open_calibration(path: Path, request: CalibrationRequest) -> Iterator[Calibration]:
    """Open the file of a calibration, or begin it.

    Raises:
        UsageError: the file is there and holds something else, or is no regular file.
        LimitReached: it cannot be written.
    """
    try:
        destination(path)
        known = path.exists() and path.stat().st_size > 0
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    steps: dict[tuple[str, int], StepSamples] = {}
    results: dict[str, Result] = {}
    if known:
        before, steps, results = _read(path)
        if before != request:
            differ = [name for name in CalibrationRequest.model_fields if getattr(before, name) != getattr(request, name)]
            raise UsageError(
                f"{path} holds a calibration with another {', '.join(differ)}: call it as before, or give another --out."
            )
    try:
        path.touch(mode=PRIVATE)  # replies are for the owner's eyes
        file = path.open("r+", encoding="utf-8")
    except OSError as error:
        raise UsageError(f"{path} cannot be written: {error.strerror}.") from None
    with file:
        whole = path.read_bytes().rpartition(b"\n")[0]
        file.truncate(len(whole) + 1 if whole else 0)
        file.seek(0, os.SEEK_END)
        calibration = Calibration(request, steps, results, file)
        if not known:
            calibration._write(request)  # noqa: SLF001  its own
        yield calibration
