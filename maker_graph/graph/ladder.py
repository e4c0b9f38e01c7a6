"""The ladder: what a step climbs on which a vote ends undecided, rung by rung.

A step whose vote ends undecided is stuck, and climbs a ladder: a higher temperature, the task's rephrased prompt, a stronger
model, then what `on_undecided` says (raise, leave it open, ask a person). Each rung is another sampler, and votes in a ballot
of its own from zero. Poured into one ballot, the votes would break the law on which the promise stands: a lead of k says how
much likelier one answer is than another only if all votes are draws of one fixed procedure. Here the procedure would change
*because* of how the vote went, so a lead that the first sampler built on its own error would be finished off by a few votes of
the second, and which votes count together would depend on what they said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, TypeAlias

from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from maker_graph.core.decision import Reader
from maker_graph.core.guarding import Guarded
from maker_graph.core.task import Checks, Keyed, Prompt, Rephrases
from maker_graph.core.voting import Auto, Temperature, Voting
from maker_graph.graph.microstep import Asking, build_microstep
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.requests import sample_seed
from maker_graph.models.resolving import Model


class Step(TypedDict):
    """What a microstep sees of the machine, and writes: few channels, for LangGraph goes over all of them at each superstep."""

    state: Any
    answer: Any
    decision: dict[str, Any]


Voter: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled microstep."""

Models: TypeAlias = Model | Sequence[Model]


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a stuck step climbs before `on_undecided` says what becomes of it.

    Attributes:
        temperature: of all samples of the first rung; None takes the rung away.
        rephrase: whether the second rung shows the task's rephrased prompt, if the task has one.
        model: who answers on the third rung; None takes it away.
        calls: how requests of that model are made, where not as those of the first (another price, another provider's gate).
        model_temperature: of that model's first sample and of its others; "same" is as in the first vote, "auto" what suits it.
    """

    temperature: float | None = 1.0
    rephrase: bool = True
    model: Models | None = None
    calls: Calls | None = None
    model_temperature: Temperature | Auto | Literal["same"] = "same"

    def votes(self, part: Guarded) -> int:
        """Return how many votes a step of `part` may take, the first one included."""
        rephrased = self.rephrase and isinstance(part, Rephrases)
        return 1 + (self.temperature is not None) + rephrased + (self.model is not None)


def create_voters(part: Guarded, ladder: Ladder, *, model: Models, voting: Voting, calls: Calls | None) -> list[Voter]:
    """Return the microsteps of a part, compiled: the one that each of its steps begins with, then the rungs of the ladder.

    They share nothing but the part: with a seed, each rung draws samples of its own.
    """
    obeys = _rules(part, check=voting.check)
    check = None if obeys is None else _on_values(obeys)
    base = info_of(model).suited(voting)

    def voter(by: str, asked: Models, how: Voting, prompt: Callable[[Any], Prompt], made: Calls | None = calls) -> Voter:
        if how.seed is not None and by != "base":
            how = replace(how, seed=sample_seed(how.seed, by, 0))
        asking = Asking(
            state=Step,
            prompt=_on_values(prompt),
            parse=lambda text, values: part.parse(text, values["state"]),
            key=_key(part),
            check=check,
            into="answer",
            decision="decision",
            rehearse=None if part.rehearse is None else _on_values(part.rehearse),
        )
        return build_microstep(asked, how, asking, on_undecided="return", calls=made, by=by)

    voters = [voter("base", model, base, part.prompt)]
    if ladder.temperature is not None:
        voters.append(voter("temperature", model, replace(base, temperature=ladder.temperature), part.prompt))
    if ladder.rephrase and isinstance(part, Rephrases):
        voters.append(voter("rephrased", model, base, lambda state: part.rephrase(state, 1)))
    if ladder.model is not None:
        how = base if ladder.model_temperature == "same" else replace(base, temperature=ladder.model_temperature)
        voters.append(voter("model", ladder.model, how, part.prompt, Calls(**{**(calls or {}), **(ladder.calls or {})})))
    return voters


def reading_of(part: Guarded, state: Any, *, check: bool) -> Reader:
    """Return how a person's reply to the step at `state` is read: as a sample's, without the flags of raw samples."""
    obeys = _rules(part, check=check)
    return Reader(
        parse=lambda text: part.parse(text, state),
        key=_key(part),
        check=None if obeys is None else lambda answer: obeys(state, answer),
        red_flags={},
    )


def _rules(part: Guarded, *, check: bool) -> Callable[[Any, Any], bool] | None:
    return part.check if check and isinstance(part, Checks) else None


def _on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda values, *more: function(values["state"], *more)


def _key(part: Guarded) -> Callable[[Any], Any] | None:
    return part.key if isinstance(part, Keyed) else None
