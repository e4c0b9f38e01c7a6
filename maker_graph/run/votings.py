"""How a run votes, as settings.json keeps it: a `Voting`, a ladder, what is set for single parts, the rungs of a cascade."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from maker_graph.core.rules import AheadBy, Confirm, StoppingRule
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError

SINCE_4 = ("within", "confirm", "variants", "stop", "structured", "emit")
"""What of a `Voting` is kept since the fourth form of settings.json."""

_AS_THEY_ARE = ("temperature", "max_tokens", "max_samples", "stuck_after", "seed", "check", "variants", "structured")


def see_kept(voting: Voting) -> None:
    """See that `voting` can be kept with a run.

    Raises:
        UsageError: it cannot: another rule decides than one that ships, or other red flags.
    """
    if voting.red_flags is not None or not isinstance(voting.rule, AheadBy | Confirm):
        raise UsageError(
            "A run is decided by AheadBy(k), AheadBy(k, within=m) or Confirm(by, of), and by the red flags that ship: other "
            "rules cannot be kept with it."
        )
    if voting.emit is not None:
        voting.emit.to_json()  # or it raises


def _to_json(voting: Voting) -> dict[str, Any]:
    """Return a `Voting` in today's form; that of an older run has no value for what came later."""
    rule = voting.k  # as it was said: `voting.rule` is also limited by `max_samples`, which a resume may raise
    return {
        "k": voting.lead,
        **{name: getattr(voting, name) for name in _AS_THEY_ARE},
        "within": rule.within if isinstance(rule, AheadBy) else None,
        "confirm": [rule.by, rule.of] if isinstance(rule, Confirm) else None,
        "stop": list(voting.stop),
        **({} if voting.emit is None else {"emit": voting.emit.to_json()}),  # so that runs without one stay what they are
    }


def _from_json(value: Any) -> Voting:
    if isinstance(value, Voting):
        return value
    found = dict(value)
    rule = rule_of(found.pop("k"), found.pop("within", None), found.pop("confirm", None))
    temperature = found["temperature"]
    found["temperature"] = tuple(temperature) if isinstance(temperature, list) else temperature
    return Voting(**{**found, "k": rule, "stop": tuple(found.get("stop", ()))})


def rule_of(k: int | None, within: int | None, confirm: list[int] | None) -> int | StoppingRule:
    """Return the rule that is kept so.

    Raises:
        UsageError: it is no rule.
    """
    if confirm is not None:
        by, of = confirm
        return Confirm(by, of)
    if k is None:
        raise UsageError("k is missing")
    return k if within is None else AheadBy(k, within)


StoredVoting = Annotated[Voting, PlainValidator(_from_json), PlainSerializer(_to_json, return_type=dict[str, Any])]
"""A `Voting` in settings.json."""


class LadderSettings(BaseModel):
    """What a stuck step of a run climbs before a person is asked.

    Attributes:
        temperature: of the samples of the first rung; None takes the rung away.
        rephrase: whether the next rung shows the task's rephrased prompt.
        model: the stronger model on the last rung; None takes it away.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = 1.0
    rephrase: bool = True
    model: str | None = None


NO_LADDER = LadderSettings(temperature=None, rephrase=False)


class PartSettings(BaseModel):
    """How one part of a task is voted on, where not as the others.

    Attributes:
        k: the lead that decides.
        model: `provider:model`; None is the run's.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(ge=1)
    model: str | None = None


class RungSettings(BaseModel):
    """One rung of a cascade.

    Attributes:
        model: `provider:model`.
        voting: how is voted on it.
        rephrase: which prompt is asked: 0 is the task's own, n its `rephrase(state, n)`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    voting: StoredVoting
    rephrase: int = Field(default=0, ge=0)
