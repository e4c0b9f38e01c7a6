"""A cascade in a file: JSON with all rungs, the first included, as `maker-graph run --cascade` and `plan` read it.

{"rungs": [
    {"model": "openai:gpt-4.1-nano", "k": 3, "within": 3, "temperature": 0.7},
    {"model": "openai:gpt-4.1", "confirm": 3, "of": 4, "temperature": [0.1, 0.7]}
]}
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError, model_validator

from maker_graph.core.canonical import strict_json
from maker_graph.core.characters import visible
from maker_graph.core.emitting import emit_of
from maker_graph.core.rules import AheadBy, Confirm, StoppingRule
from maker_graph.core.voting import MAX_SAMPLES, STUCK_AFTER, Auto, K, Voting
from maker_graph.errors import UsageError
from maker_graph.files import users_text
from maker_graph.models.names import info_of
from maker_graph.run.votings import RungSettings, see_kept

if TYPE_CHECKING:
    from maker_graph.graph.cascade import Rung

_Whole = Annotated[int, Field(strict=True, ge=1)]
_Number = Annotated[float, Field(ge=0)]


class RungFile(BaseModel):
    """One rung in the file of a cascade. What is left out has the default of `maker-graph run`.

    Attributes:
        model: `provider:model`.
        k: the lead that decides.
        within: the most votes of the rung. If nobody can win within them, the step goes to the next rung.
        confirm: in place of k: how many votes must agree with the first one.
        of: the most votes after the first one.
        temperature: the temperature of all samples, or a list: that of the first sample and that of the others. null
            sends none, "auto" is what suits the model.
        max_tokens: the output cap of a sample; null sends none.
        max_samples: a vote that is not decided after this many samples ends undecided.
        stuck_after: a step is stuck after this many red flags in a row.
        rephrase: which prompt is asked: 0 for the task's own prompt, n for its `rephrase(state, n)`.
        variants: whether each sample is asked one of the task's equivalent questions.
        stop: texts at which a reply ends.
        structured: whether the answer's JSON schema is sent along.
        emit: whether each answer is written down in a second call: true or "same" for a call of the rung's model, a
            name for a call of that model, or an object with the fields of `Emit`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: Annotated[str, Field(min_length=1)]
    k: _Whole | None = None
    within: _Whole | None = None
    confirm: _Whole | None = None
    of: _Whole | None = None
    temperature: _Number | tuple[_Number, _Number] | Literal["auto"] | None = "auto"
    max_tokens: _Whole | Literal["auto"] | None = "auto"
    max_samples: _Whole = MAX_SAMPLES
    stuck_after: _Whole = STUCK_AFTER
    rephrase: Annotated[int, Field(strict=True, ge=0)] = 0
    variants: Annotated[bool, Field(strict=True)] = False
    stop: list[str] = []
    structured: Annotated[bool, Field(strict=True)] = False
    emit: Annotated[bool, Field(strict=True)] | str | dict[str, Any] | None = None

    @model_validator(mode="after")
    def _one_rule(self) -> "RungFile":
        if (self.confirm is None) != (self.of is None):
            raise ValueError("confirm and of belong together: give both, or neither")
        if self.confirm is not None and (self.k, self.within) != (None, None):
            raise ValueError("confirm replaces k and within: leave these out")
        return self

    def rule(self) -> int | StoppingRule:
        """Return the rule that decides.

        Raises:
            UsageError: no answer can win by this rule.
        """
        if self.confirm is not None and self.of is not None:
            return Confirm(self.confirm, self.of)
        k = K if self.k is None else self.k
        return k if self.within is None else AheadBy(k, self.within)

    def settings(self, *, seed: int | None, check: bool) -> RungSettings:
        """Return the rung as a run keeps it.

        Raises:
            UsageError: a value is wrong.
        """
        names = ("temperature", "max_tokens", "max_samples", "stuck_after", "variants", "stop", "structured")
        voting = Voting(
            k=self.rule(), seed=seed, check=check, emit=emit_of(self.emit), **{name: getattr(self, name) for name in names}
        )
        return RungSettings(model=self.model, voting=voting, rephrase=self.rephrase)


class ExpectedRows(BaseModel):
    """How a cascade did on the labelled rows that it was planned with.

    Attributes:
        rows: how many rows there were.
        open: how many of them no rung decided.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    rows: _Whole
    open: Annotated[int, Field(strict=True, ge=0)]


class CascadeFile(BaseModel):
    """A cascade in a file.

    Attributes:
        name: what it is called in a plan.
        rungs: all of them, the first included.
        expected: how it did on the rows that it was planned with. A run that does otherwise says so.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: str = ""
    rungs: Annotated[list[RungFile], Field(min_length=1)]
    expected: ExpectedRows | None = None


@dataclass(frozen=True, slots=True)
class ChosenCascade:
    """A cascade that was chosen before a run, with what the run keeps of that choice.

    Attributes:
        cascade: the rungs.
        notes: name -> note, for the journal.
    """

    cascade: CascadeFile
    notes: Mapping[str, str]


def read_cascade(path: Path) -> CascadeFile:
    """Return the cascade in a file.

    Raises:
        UsageError: the file cannot be read, or holds no cascade, or several; the text says where.
    """
    found = _json_of(path)
    if isinstance(found, list):
        raise UsageError(
            f"{path} holds several cascades: a run takes one. maker-graph plan --cascades {path} chooses among them."
        )
    return _cascade(found, str(path))


def read_cascades(path: Path) -> list[CascadeFile]:
    """Return the cascades in a file that holds one, or a list of them, in their order.

    A cascade without a name is called by its rules.

    Raises:
        UsageError: the file cannot be read, or holds no cascade, or two have the same name; the text says where.
    """
    found = _json_of(path)
    listed = found if isinstance(found, list) else [found]
    if not listed:
        raise UsageError(f"{path} holds no cascade: its list is empty.")
    cascades = [_cascade(each, f"{path}, cascade {number}") for number, each in enumerate(listed, start=1)]
    named = [each if each.name else each.model_copy(update={"name": told(each)}) for each in cascades]
    names = [each.name for each in named]
    if twice := next((name for name in names if names.count(name) > 1), None):
        raise UsageError(f"{path} holds two cascades that are called {visible(twice)!r}: give each a name of its own.")
    return named


def told(cascade: CascadeFile) -> str:
    """Return the rules of a cascade in words.

    >>> told(CascadeFile(rungs=[RungFile(model="a", k=3, within=3), RungFile(model="b", confirm=2, of=2)]))
    'a ahead by 3 within 3 votes, then b confirmed by 2 of 2'
    """
    rules = [(rung, rung.rule()) for rung in cascade.rungs]
    return ", then ".join(f"{rung.model} {AheadBy(rule) if isinstance(rule, int) else rule}" for rung, rule in rules)


def rungs_of(
    cascade: "str | Path | CascadeFile | Sequence[Rung]", *, seed: int | Auto | None, check: bool
) -> list[RungSettings]:
    """Return the rungs of a cascade as a run keeps them.

    `seed` and `check` apply to the rungs of a file. `Rung`s have their own. "auto" stands for the seed of the first
    model.

    Raises:
        UsageError: it is not a cascade, or a run cannot keep it.
    """
    if isinstance(cascade, str | Path):
        cascade = read_cascade(Path(cascade))
    if isinstance(cascade, CascadeFile):
        seed = info_of(cascade.rungs[0].model).seed if seed == "auto" else seed
        return [_see_first(place, rung.settings(seed=seed, check=check)) for place, rung in enumerate(cascade.rungs)]
    from maker_graph.graph.cascade import see_cascade  # noqa: PLC0415  LangGraph, which a file does not need

    see_cascade(cascade)
    found = []
    for place, rung in enumerate(cascade):
        if rung.calls is not None:
            raise UsageError("A run cannot keep the calls of a rung: leave calls out, and give such settings to the whole run.")
        if not isinstance(rung.model, str):
            raise UsageError(f"The models of a run's cascade are named by texts, provider:model, not by {rung.model!r:.80}.")
        see_kept(rung.voting)
        found.append(_see_first(place, RungSettings(model=rung.model, voting=rung.voting, rephrase=rung.rephrase)))
    return found


def _see_first(place: int, rung: RungSettings) -> RungSettings:
    if place == 0 and rung.rephrase:
        raise UsageError("The first rung of a cascade asks the task's own prompt: leave out its rephrase.")
    return rung


def _json_of(path: Path) -> Any:
    text = users_text(path, "the file as JSON")
    try:
        return strict_json(text)
    except ValueError as error:
        raise UsageError(f"{path} is not JSON: {visible(str(error))[:200]}. A cascade is {_EXAMPLE}.") from None


def _cascade(found: Any, where: str) -> CascadeFile:
    try:
        cascade = CascadeFile.model_validate(found)
        for rung in cascade.rungs:
            rung.settings(seed=None, check=True)
    except ValidationError as error:
        wrong = error.errors()[0]
        place = ".".join(str(each + 1) if isinstance(each, int) else each for each in wrong["loc"] if each not in _INTERNAL)
        raise UsageError(f"{where}{place and f', {place}'}: {visible(wrong['msg'])}. A cascade is {_EXAMPLE}.") from None
    except UsageError as error:
        raise UsageError(f"{where}: {error}") from None
    return cascade


_INTERNAL = ("float", "constrained-float", "tuple[float, float]", "literal['auto']", "int", "constrained-int")
_EXAMPLE = '{"rungs": [{"model": "openai:gpt-4.1-nano", "k": 3, "within": 5}, {"model": "openai:gpt-4.1"}]}'
