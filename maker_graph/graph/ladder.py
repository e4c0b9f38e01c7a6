"""The ladder: what a step climbs on which a vote ends undecided, rung by rung.

A step whose vote ends undecided is stuck, and climbs a ladder: a higher temperature, the task's rephrased prompt, a stronger
model, then what `on_undecided` says (raise, leave it open, ask a person). Each rung is another sampler, and votes in a ballot
of its own from zero. Poured into one ballot, the votes would break the law on which the promise stands: a lead of k says how
much likelier one answer is than another only if all votes are draws of one fixed procedure. Here the procedure would change
*because* of how the vote went, so a lead that the first sampler built on its own error would be finished off by a few votes of
the second, and which votes count together would depend on what they said.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from langgraph.graph.state import CompiledStateGraph

from maker_graph.core.decision import Reading
from maker_graph.core.task import Checks, Keyed, Prompt, Rephrases, Task
from maker_graph.graph.microstep import create_microstep
from maker_graph.models.names import Model
from maker_graph.models.sampler import Calls, sample_seed

Voter: TypeAlias = CompiledStateGraph[Any, Any, Any, Any]
"""A compiled microstep."""

Models: TypeAlias = Model | Sequence[Model]

Heat: TypeAlias = float | tuple[float, float] | None
"""A temperature, or that of the first sample and of the others; None leaves it to the model."""


@dataclass(frozen=True, slots=True)
class Ladder:
    """What a stuck step climbs before `on_undecided` says what becomes of it.

    Attributes:
        temperature: of all samples of the first rung; None takes the rung away.
        rephrase: whether the second rung shows the task's rephrased prompt, if the task has one.
        model: who answers on the third rung; None takes it away.
        calls: how requests of that model are made, where not as those of the first (another price, another provider's gate).
        heat: the temperature of that model's samples, or of its first and its others; "same" is as in the first vote.
    """

    temperature: float | None = 1.0
    rephrase: bool = True
    model: Models | None = None
    calls: Calls | None = None
    heat: Heat | Literal["same"] = "same"

    def votes(self, task: Task) -> int:
        """Return how many votes a step of `task` may take, the first one included."""
        rephrased = self.rephrase and isinstance(task, Rephrases)
        return 1 + (self.temperature is not None) + rephrased + (self.model is not None)


def create_voters(
    task: Task,
    ladder: Ladder,
    *,
    model: Models,
    temperature: Heat,
    seed: int | None,
    check: bool,
    calls: Calls | None,
    **settings: Any,
) -> list[Voter]:
    """Return the microsteps of `task`, compiled: the one that every step begins with, then the rungs of the ladder.

    They share nothing but the task: with a seed, each rung draws samples of its own. `settings` go to `create_microstep`.
    """

    def voter(by: str, asked: Models, heat: Heat, prompt: Callable[[Any], Prompt], made: Calls | None = calls) -> Voter:
        return create_microstep(
            asked,
            prompt=lambda values: prompt(values["state"]),
            answer=task.parse,
            key=_key(task),
            check=check_of,
            into="answer",
            decision="decision",
            temperature=heat,
            seed=seed if seed is None or by == "base" else sample_seed(seed, by, 0),
            on_undecided="return",
            by=by,
            calls=made,
            **settings,
        )

    obeys = _rules(task, check=check)
    check_of = None if obeys is None else _on_values(obeys)
    voters = [voter("base", model, temperature, task.prompt)]
    if ladder.temperature is not None:
        voters.append(voter("temperature", model, ladder.temperature, task.prompt))
    if ladder.rephrase and isinstance(task, Rephrases):
        voters.append(voter("rephrased", model, temperature, lambda state: task.rephrase(state, 1)))
    if ladder.model is not None:
        voters.append(
            voter(
                "model",
                ladder.model,
                temperature if ladder.heat == "same" else ladder.heat,
                task.prompt,
                Calls(**{**(calls or {}), **(ladder.calls or {})}),
            )
        )
    return voters


def reading_of(task: Task, state: Any, *, check: bool) -> Reading:
    """Return how a person's reply to the step at `state` is read: as a sample's, without the flags of raw samples."""
    obeys = _rules(task, check=check)
    return Reading(
        parse=task.parse,
        key=_key(task),
        check=None if obeys is None else lambda answer: obeys(state, answer),
        red_flags={},
    )


def _rules(task: Task, *, check: bool) -> Callable[[Any, Any], bool] | None:
    return task.check if check and isinstance(task, Checks) else None


def _on_values(obeys: Callable[[Any, Any], bool]) -> Callable[[Any, Any], bool]:
    return lambda values, answer: obeys(values["state"], answer)


def _key(task: Task) -> Callable[[Any], Any] | None:
    return task.key if isinstance(task, Keyed) else None
