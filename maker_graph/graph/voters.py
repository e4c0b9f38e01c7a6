"""The microsteps of one part of a task: the one that each step begins with, then the rungs of its ladder or cascade."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Any, NamedTuple, TypeAlias

from langgraph.graph.state import CompiledStateGraph
from typing_extensions import TypedDict

from maker_graph.core.decision import Decision, disputed
from maker_graph.core.guarding import Guarded
from maker_graph.core.judging import Reader
from maker_graph.core.task import Checks, Keyed, Prompt, Rephrases, Varies, Verifies
from maker_graph.core.verifying import Verification
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.graph.cascade import Cascade, see_rephrases
from maker_graph.graph.ladder import Ladder, Models
from maker_graph.graph.microstep import Asking, build_microstep
from maker_graph.models.calls import Calls
from maker_graph.models.names import info_of
from maker_graph.models.requests import sample_seed


class Step(TypedDict):
    """What a microstep reads and writes. It has few channels, because LangGraph goes over all of them at each superstep."""

    state: Any
    answer: Any
    decision: dict[str, Any]


Voter: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled microstep."""


@dataclass(frozen=True, slots=True)
class Voters:
    """The microsteps of a part.

    Attributes:
        rungs: the one that each step begins with, then the others.
        contested: whether the other rungs also vote on contested steps, and not only on stuck ones.
        samples: the most samples that a step may draw, on all rungs together.
    """

    rungs: Sequence[Voter]
    contested: bool
    samples: int

    def after(self, rung: int, decision: Decision) -> int | None:
        """Return the rung that votes on a step after this decision on `rung`, both counted from 0; None if none does."""
        ended = decision["status"] == "decided" or (decision.get("passed", False) and not self.contested)
        ended = ended or disputed(decision)
        return None if ended or rung + 1 >= len(self.rungs) else rung + 1


class _Rung:
    """Makes the microsteps of a part. They share nothing but the part: with a seed, each draws samples of its own."""

    def __init__(self, part: Guarded, calls: Calls | None) -> None:
        self._part = part
        self._calls = calls or Calls()
        self._asking = Asking(
            state=Step,
            parse=lambda text, values: part.parse(text, values["state"]),
            schema=part.schema,
            key=_key(part),
            into="answer",
            decision="decision",
            rehearse=None if part.rehearse is None else _on_values(part.rehearse),
        )

    def __call__(
        self, by: str, model: Models, voting: Voting, prompt: Callable[[Any], Prompt], calls: Calls | None = None
    ) -> Voter:
        if voting.seed is not None and by != "base":
            voting = replace(voting, seed=sample_seed(voting.seed, by, 0))
        obeys, verify = _rules(self._part, check=voting.check)
        asking = replace(
            self._asking,
            prompt=_on_values(prompt),
            check=None if obeys is None else _on_values(obeys),
            verify=None if verify is None else _on_values(verify),
        )
        made = Calls(**{**self._calls, **(calls or {})})
        if voting.variants:
            asking = replace(asking, variants=_on_values(self._varies().variants))
        return build_microstep(model, voting, asking, on_undecided="return", calls=made, by=by)

    def _varies(self) -> Varies:
        if not isinstance(self._part, Varies):
            raise UsageError(f"{self._part.title} has no variants(state): give it that function, or leave out variants=True.")
        return self._part


def create_voters(part: Guarded, after: Ladder | Cascade, *, model: Models, voting: Voting, calls: Calls | None) -> Voters:
    """Return the microsteps of a part, compiled; `after` says which rungs come after the first vote."""
    voter = _Rung(part, calls)
    base = info_of(model).suited(voting)
    first = voter("base", model, base, part.prompt)
    if isinstance(after, Cascade):
        most = sum(each.voting.max_samples for each in after.rungs)
        return Voters([first, *_of_cascade(part, after, voter)], contested=True, samples=voting.max_samples + most)
    voters = [first]
    if after.temperature is not None:
        voters.append(voter("temperature", model, replace(base, temperature=after.temperature), part.prompt))
    if after.rephrase and isinstance(part, Rephrases):
        voters.append(voter("rephrased", model, base, partial(_rephrased, part, 1)))
    if after.model is not None:
        how = base if after.model_temperature == "same" else replace(base, temperature=after.model_temperature)
        voters.append(voter("model", after.model, how, part.prompt, after.calls))
    return Voters(voters, contested=False, samples=len(voters) * voting.max_samples)


def _of_cascade(part: Guarded, cascade: Cascade, voter: _Rung) -> list[Voter]:
    found = []
    for number, rung in enumerate(cascade.rungs, start=2):
        rephrases = see_rephrases(part, rung)
        prompt = part.prompt if rephrases is None else partial(_rephrased, rephrases, rung.rephrase)
        voting = info_of(rung.model).suited(rung.voting)
        found.append(voter(f"rung {number}", rung.model, voting, prompt, rung.calls))
    return found


def _rephrased(part: Rephrases, attempt: int, state: Any) -> Prompt:
    return part.rephrase(state, attempt)


def reading_of(part: Guarded, state: Any, *, check: bool) -> Reader:
    """Return how a person's reply to the step at `state` is read: as a sample's, without the flags of raw samples."""
    obeys, verify = _rules(part, check=check)
    return Reader(
        parse=lambda text: part.parse(text, state),
        key=_key(part),
        check=None if obeys is None else lambda answer: obeys(state, answer),
        red_flags={},
        verify=None if verify is None else lambda answer: verify(state, answer),
    )


class _Rules(NamedTuple):
    """The rules that answers to a part are held against; None where there is no rule."""

    check: Callable[[Any, Any], bool] | None
    verify: Callable[[Any, Any], Verification] | None


def _rules(part: Guarded, *, check: bool) -> _Rules:
    if not check:
        return _Rules(None, None)
    return _Rules(part.check if isinstance(part, Checks) else None, part.verify if isinstance(part, Verifies) else None)


def _on_values(function: Callable[..., Any]) -> Callable[..., Any]:
    return lambda values, *more: function(values["state"], *more)


def _key(part: Guarded) -> Callable[[Any], Any] | None:
    return part.key if isinstance(part, Keyed) else None
