"""The lines of a file of labels: the header, which says what was drawn from, and the labels."""

import json
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from pydantic import BaseModel, ConfigDict, Field

from maker_graph.core.canonical import JSON, canonical, strict_json

FORM: Literal[1] = 1
"""The form of the file."""

Use: TypeAlias = Literal["certify", "choose", "example"]
"""What labels are for: to certify a plan or a run, to choose a rule or a model, or to be shown to models as examples.
A label that was used to choose, or as an example, can no longer show how good the choice is. Only "certify" certifies."""

USES: tuple[Use, ...] = ("certify", "choose", "example")


class LabelHeader(BaseModel):
    """The first line of a file of labels. It says what was drawn from, and never changes.

    Attributes:
        labels: the form of the file.
        task: the name of the task.
        options: what the task is made with.
        inputs: name -> digest of an input of the task; see `tasks/inputs.py`.
        population: how many steps were drawn from.
        seed: the seed of the draw; see `statistics/drawing.py`.
        run: the id of the run whose steps were drawn; None if they are steps of the task itself.
        use: what the labels are for.
        digest: a digest of the run's steps and decisions at the time of the draw; None if the steps are of no run.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    labels: Literal[1] = FORM
    task: str
    options: dict[str, Any]
    inputs: dict[str, str] = Field(default_factory=dict)
    population: int = Field(ge=1)
    seed: int = Field(ge=0)
    run: str | None = None
    use: Use = "certify"
    digest: str | None = None


@dataclass(frozen=True, slots=True)
class Label:
    """A label: what is right at one step, as somebody says.

    Attributes:
        step: its number, from 1.
        who: who says so.
        when: the time, in UTC, ISO 8601.
        answer: the right answer; None if it was not known.
        candidate: the answer as canonical JSON, as votes are compared; None if it was not known.
    """

    step: int
    who: str
    when: str
    answer: JSON = None
    candidate: str | None = None

    @property
    def unsure(self) -> bool:
        """Whether the one who was asked could not say."""
        return self.candidate is None

    def line(self) -> str:
        """Return it as a line of a file."""
        said = {"unsure": True} if self.candidate is None else {"answer": self.answer, "candidate": self.candidate}
        return json.dumps({"step": self.step, **said, "who": self.who, "when": self.when}, ensure_ascii=False) + "\n"


def label_of(line: str) -> Label:
    """Return the label in a line.

    Raises:
        ValueError: there is none.
    """
    found = strict_json(line)
    if not isinstance(found, dict):
        raise ValueError("a line is an object")  # noqa: TRY004  as all else that is not a label
    step, who, when = found.pop("step", None), found.pop("who", ""), found.pop("when", "")
    if isinstance(step, bool) or not isinstance(step, int) or step < 1:
        raise ValueError('"step" is a whole number of at least 1')
    if not isinstance(who, str) or not isinstance(when, str):
        raise ValueError('"who" and "when" are texts')  # noqa: TRY004
    if found == {"unsure": True}:
        return Label(step, who, when)
    if found.keys() != {"answer", "candidate"}:
        raise ValueError('it has "answer" and "candidate", or "unsure": true')
    answer, candidate = found["answer"], found["candidate"]
    if not isinstance(candidate, str) or canonical(strict_json(candidate), own=True) != candidate:
        raise ValueError('"candidate" is a text that holds canonical JSON')
    return Label(step, who, when, answer, candidate)
