"""A file of runs, as JSON Lines. A line holds the settings of one run that differ from those of all runs."""

from collections.abc import Iterator
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from maker_graph.errors import UsageError
from maker_graph.files import users_text

EXAMPLE = ' An example: {"seed": 7, "set": {"disks": 5}}'

_Lead = Annotated[int, Field(strict=True, ge=1)] | Literal["auto"]
_Number = Annotated[int, Field(strict=True)]
_Degree = Annotated[float, Field(ge=0, allow_inf_nan=False)]
_Text = Annotated[str, Field(min_length=1)]


def _file(text: str) -> Path:
    return Path(text).absolute()


class RunLine(BaseModel):
    """The settings of one run, named as in `Run.create`. What a line leaves out is the same as for all runs.

    Attributes:
        task: the name of the task.
        set: options of the task. They are added to those of all runs, if it is the task of all runs.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    task: _Text | None = None
    set: dict[str, Any] | None = None
    model: _Text | dict[str, _Text] | None = None
    k: _Lead | dict[str, _Lead] | None = None
    within: _Number | None = None
    cascade: Annotated[str, AfterValidator(_file)] | None = None
    target: float | None = None
    calibration: Annotated[str, AfterValidator(_file)] | None = None
    temperature: _Degree | tuple[_Degree, _Degree] | Literal["auto"] | None = None
    max_tokens: _Number | Literal["auto"] | None = None
    max_samples: _Number | None = None
    stuck_after: _Number | None = None
    seed: _Number | None = None
    check: bool | None = None
    variants: bool | None = None
    stop: list[str] | None = None
    structured: bool | None = None
    emit: _Text | bool | None = None
    retry_temperature: _Degree | None = None
    rephrase: bool | None = None
    escalate: _Text | None = None
    max_minutes: float | None = None
    max_steps: _Number | None = None
    price: str | None = None
    lookahead: _Number | Literal["auto"] | None = None
    draft_model: str | None = None
    on_doubt: Literal["again", "ask"] | None = None

    def given(self) -> dict[str, Any]:
        """Return the settings on the line, without the task and its options."""
        found = {name: getattr(self, name) for name in self.model_fields_set - {"task", "set"}}
        if isinstance(degree := found.get("temperature"), float):
            found["temperature"] = (degree, degree)
        return found


def lines_in(file: Path) -> Iterator[tuple[int, RunLine]]:
    """Yield the number and the settings of each line that is not empty.

    Raises:
        UsageError: the file cannot be read, or a line is wrong; the text says which.
    """
    for number, line in enumerate(users_text(file, "the runs as JSON Lines").split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = RunLine.model_validate_json(line)
        except ValidationError as error:
            wrong = error.errors()[0]
            where = f"{wrong['loc'][0]}: " if wrong["loc"] else ""
            raise UsageError(
                f"Line {number} of {file.name} does not describe a run: {where}{wrong['msg']}.{'' if where else EXAMPLE}"
            ) from None
        yield number, found
