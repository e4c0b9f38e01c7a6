"""How a run votes, as settings.json stores it: a `Voting`, a ladder, settings of single parts, the rungs of a cascade."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, PlainValidator

from maker_graph.core.rules import AheadBy, Confirm, StoppingRule
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError

SINCE_4 = ("within", "confirm", "variants", "stop", "structured", "emit")
"""The fields of a `Voting` that settings.json has since its form 4."""

_AS_THEY_ARE = ("temperature", "max_tokens", "max_samples", "stuck_after", "seed", "check", "variants", "structured")


def see_kept(voting: Voting) -> None:
    """Make sure that `voting` can be stored with a run.

    Raises:
        UsageError: its rule or its red flags are not among those that ship.
    """
    if voting.red_flags is not None or not isinstance(voting.rule, AheadBy | Confirm):
        raise UsageError(
            "A run can store only the rules AheadBy(k), AheadBy(k, within=m) and Confirm(by, of), and the red flags that "
            "ship: use one of these rules, and leave red_flags out."
        )
    if voting.emit is not None:
        voting.emit.to_json()  # raises if it cannot be stored


def _to_json(voting: Voting) -> dict[str, Any]:
    """Return a `Voting` as JSON, in the newest form. The caller drops the fields that an older form does not have."""
    rule = voting.k  # not `voting.rule`, which `max_samples` limits too: a resume may raise that
    return {
        "k": voting.lead,
        **{name: getattr(voting, name) for name in _AS_THEY_ARE},
        "within": rule.within if isinstance(rule, AheadBy) else None,
        "confirm": [rule.by, rule.of] if isinstance(rule, Confirm) else None,
        "stop": list(voting.stop),
        **({} if voting.emit is None else {"emit": voting.emit.to_json()}),  # a run without one is written as before
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
    """Return the rule for these stored fields; a number is a lead.

    Raises:
        UsageError: they are no rule.
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
    """What is tried on a stuck step before a person is asked: up to three rungs, each with a new vote.

    Attributes:
        temperature: the temperature of the samples on the first rung; None: there is no such rung.
        rephrase: whether the next rung shows the task's rephrased prompt.
        model: the stronger model on the last rung; None: there is no such rung.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    temperature: float | None = 1.0
    rephrase: bool = True
    model: str | None = None


NO_LADDER = LadderSettings(temperature=None, rephrase=False)


class PartSettings(BaseModel):
    """How one part of a task is voted on.

    Attributes:
        k: the lead that decides.
        model: `provider:model`; None: the run's own model.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    k: int = Field(ge=1)
    model: str | None = None


class RungSettings(BaseModel):
    """One rung of a cascade.

    Attributes:
        model: `provider:model`.
        voting: how the rung votes.
        rephrase: which prompt is asked. 0: the task's own. n: its `rephrase(state, n)`.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    model: str
    voting: StoredVoting
    rephrase: int = Field(default=0, ge=0)
