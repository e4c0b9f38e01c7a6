"""The lines of a calibration's file: what was asked for, its account, a model's samples of a step, and a model's result."""

from collections import Counter
from collections.abc import Iterable
from typing import Any, Literal

from pydantic import (
    AliasChoices,
    BaseModel,
    ConfigDict,
    Field,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)

from maker_graph.core.spending import Account, Reserved, Spent

FORM: Literal[2] = 2
"""The form of the file. The first one, that of maker_graph 0.1.0, had no account."""


class CalibrationRequest(BaseModel):
    """What a calibration was asked for: the first line of its file, which never changes.

    Attributes:
        calibration: the form of the file.
        task: the name of the task, as in a run.
        options: what the task is made with.
        inputs: name -> digest of what the task stands on, see `tasks/inputs.py`.
        total: the steps of the task, or of its `part`, without those that the program answers.
        models: each `provider:model`, in the order in which they are calibrated.
        max_tokens: the output cap of each model's samples; `caps` in the file.
        steps: how many steps are asked.
        samples: the samples of each step by each model.
        temperature: the temperature of the first sample and of the others; None leaves it to the model.
        check: whether answers that break the task's rules are flagged.
        truth: whether samples are held against the right answers, or only against each other.
        seed: the seed for the choice of steps, and for a simulated model.
        part: the part of the task that is asked; empty if it has only one.
        among: the steps that models vote on, counted from 0, if they are not all of the task.
        labels: step, counted from 0 -> the candidate that a label says is right; None if nobody could say. It is empty if
            there are no labels.
        use: what the labels are for, see `run/labels.py`; empty without labels.
        variants: whether each sample is asked one of the task's equivalent questions.
        stop: texts at which a reply ends.
        structured: whether the answer's JSON schema is sent along.
        emit: how a second call writes down each answer, with the keys of `Emit`; None if there is no second call.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    calibration: Literal[1, 2] = FORM
    task: str
    options: dict[str, Any]
    inputs: dict[str, str] = Field(default_factory=dict)
    total: int
    models: list[str]
    max_tokens: dict[str, int] = Field(validation_alias=AliasChoices("caps", "max_tokens"), serialization_alias="caps")
    steps: int
    samples: int
    temperature: tuple[float, float] | None
    check: bool
    truth: bool
    seed: int | None
    part: str = ""
    among: list[int] = []
    labels: dict[int, str | None] = {}
    use: str = ""
    variants: bool = False
    stop: list[str] = []
    structured: bool = False
    emit: dict[str, Any] | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return what is written: newer fields are left out if they are not used, so that earlier versions can read it."""
        kept: dict[str, Any] = dump(self)
        later = {"labels": ("labels", "use"), **{name: (name,) for name in ("variants", "stop", "structured", "emit")}}
        return _without(kept, [each for name, names in later.items() if not getattr(self, name) for each in names])

    def knows(self, step: int) -> bool:
        """Say whether the right answer of a step, counted from 0, is known; it is not if the label says that nobody is sure."""
        return self.truth and (not self.labels or self.labels.get(step) is not None)

    @model_validator(mode="before")
    @classmethod
    def _as_now(cls, found: Any) -> Any:
        """Return the content of an older file, in which `records` had its digest among its options, in the present form."""
        if not isinstance(found, dict) or "inputs" in found or "digest" not in found.get("options", {}):
            return found
        options = dict(found["options"])
        return {**found, "inputs": {"input": options.pop("digest")}, "options": options}


class AccountLine(BaseModel):
    """What a calibration has spent so far, in all its calls; the last such line of a file counts.

    Attributes:
        account: the form of the line.
        spent: what was used up, with the names of `Spent`.
        reserved: USD and requests of calls that may be under way.
        unsettled: USD and requests that killed processes had reserved; nobody can tell whether they were billed.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    account: Literal[1] = 1
    spent: dict[str, int | float]
    reserved: tuple[float, int]
    unsettled: tuple[float, int]

    @classmethod
    def of(cls, account: Account) -> "AccountLine":
        """Return the line that keeps `account`."""
        spent = {name: number for name, number in account.spent._asdict().items() if number}
        return cls(spent=spent, reserved=account.reserved, unsettled=account.unsettled)

    def kept(self) -> Account:
        """Return the account that the line keeps."""
        spent = {name: self.spent[name] for name in Spent._fields if name in self.spent}
        return Account(spent=Spent(**spent), reserved=Reserved(*self.reserved), unsettled=Reserved(*self.unsettled))  # type: ignore[arg-type]  # as they were


class StepSamples(BaseModel):
    """One model's samples of one step: a line of the file.

    Attributes:
        model: the model that was asked.
        step: the number of the step, counted from 0.
        sequence: for each sample the place of its candidate, or its red flag.
        right: the place of the right candidate; None if nobody voted for it, or the truth is not known.
        candidates: the candidates with votes; left empty if all votes were right.
        input: input tokens of all samples.
        cached: the input tokens that the provider had in its cache.
        lengths: output tokens of each sample.
        seconds: how long each reply took.
        cost: USD of all samples.
        lost: replies that never came, for a reason that may depend on what they said.
        variants: which variant of the question each sample was asked; empty if there is only one question.
        standings: what a verifier says of each sample: "proved", "valid" or "unknown", and empty for a flagged sample. There
            is no such field without a verifier.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    step: int
    sequence: list[int | str]
    right: int | None
    candidates: list[str]
    input: int
    cached: int
    lengths: list[int]
    seconds: list[float]
    cost: float
    lost: int = 0
    variants: list[int] = []
    standings: list[str] = []

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return what is written: newer fields are left out if they are not used."""
        return _without(dump(self), [] if self.standings else ["standings"])

    def proves_wrongly(self) -> bool:
        """Say whether a verifier proved an answer of this step that is not the right one."""
        return any(each == "proved" and place != self.right for place, each in zip(self.sequence, self.standings, strict=False))

    def votes(self) -> Counter[int]:
        """Return the votes of each candidate, by its place."""
        return Counter(place for place in self.sequence if isinstance(place, int))


class VerifierShares(BaseModel):
    """What a verifier said of the samples of a model.

    Attributes:
        proved: share of the samples whose answer it proved.
        valid: share of the samples that keep its conditions, without a proof.
        unknown: share of the samples on which it could not decide.
        first: share of the steps whose first sample it proved; one sample decides these steps.
        steps: share of the steps on which it proved a sample.
        wrong: steps on which it proved an answer that is not the right one; 0 if the truth is not known.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    proved: float
    valid: float
    unknown: float
    first: float
    steps: float
    wrong: int


class Interval(BaseModel):
    """An estimate with its 95 % interval."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    value: float
    low: float
    high: float


class VariantCorrelation(BaseModel):
    """How alike the errors are of two samples of one step, asked the same variant or two different ones.

    Attributes:
        within: the correlation of being wrong if both are asked the same variant; None if no pair shows it.
        between: the same if they are asked different ones.
        pairs: of samples, within and between.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    within: float | None
    between: float | None
    pairs: tuple[int, int]


class HardStep(BaseModel):
    """A step with wrong samples.

    Attributes:
        step: which, counted from 0.
        wrong: wrong samples; without the truth, those that do not agree with the most frequent answer.
        valid: samples without a red flag.
        answers: wrong answer -> samples.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    step: int
    wrong: int
    valid: int
    answers: dict[str, int]


class Result(BaseModel):
    """What was measured of one model.

    Attributes:
        model: `provider:model`.
        truth: whether samples were held against right answers; else only against each other.
        steps: the steps that were asked.
        samples: the samples that were drawn.
        valid: share of the samples without a red flag.
        flags: red flag -> share of the samples.
        p: probability that a valid sample is right.
        error: 1 - p.
        rho: correlation of the errors of two samples of one step; None if it cannot be told.
        rival: the largest share of the wrong samples that may give the most frequent wrong answer; 1 is the worst case.
        both_wrong: pairs of wrong samples of one step, and how many of them agree; `rival` is computed from these.
        input: mean input tokens of a sample.
        output: mean output tokens of a sample.
        seconds: median and 95th percentile of how long a reply took.
        price: USD per million tokens of input and output; None if not known.
        cost_usd: what the samples cost; None if no price is known.
        hard: the steps with the most wrong samples.
        lost: share of the replies that never came, for a reason that may depend on what they said.
        variants: how alike errors are within and between variants of a question; None if there was only one question.
        verifier: what the task's verifier said of the samples; there is no such field without one.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    result: Literal[1] = 1
    model: str
    truth: bool
    steps: int
    samples: int
    valid: Interval
    flags: dict[str, float]
    p: Interval
    error: Interval
    rho: Interval | None
    rival: float
    both_wrong: tuple[int, int]
    input: float
    output: float
    seconds: tuple[float, float]
    price: tuple[float, float] | None
    cost_usd: float | None
    hard: list[HardStep]
    lost: float = 0.0
    variants: VariantCorrelation | None = None
    verifier: VerifierShares | None = None

    @model_serializer(mode="wrap")
    def _as_before(self, dump: SerializerFunctionWrapHandler) -> dict[str, Any]:
        """Return what is written: newer fields are left out if they are not used."""
        return _without(dump(self), [] if self.verifier else ["verifier"])


def _without(kept: dict[str, Any], names: Iterable[str]) -> dict[str, Any]:
    left_out = frozenset(names)
    return {name: value for name, value in kept.items() if name not in left_out}
