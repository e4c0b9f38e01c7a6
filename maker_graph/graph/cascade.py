"""A cascade: rungs that a step goes through until one of them decides it.

What a rung does not decide, because it is contested (`passed`) or because it is stuck, goes to the next one. Each rung is a
model, a `Voting` and a prompt of its own, and votes in a ballot of its own from zero. So the cascade is one fixed procedure.
How often it errs, and how much it leaves to a person, can be measured before a run (`maker-graph plan --labelled`).

A ladder (`ladder.py`) is something else: it helps a step on which the model cannot be read, and never votes again on a
contested one.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field

from maker_graph.core.task import Rephrases
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.graph.ladder import Models
from maker_graph.models.calls import Calls


@dataclass(frozen=True, slots=True)
class Rung:
    """One rung of a cascade.

    >>> Rung("sim:perfect", Voting(k=3)).rephrase
    0

    Attributes:
        model: the model that is asked; as for `create_microstep`.
        voting: how this rung votes. It passes contested steps on if its rule gives up, as `AheadBy(3, within=5)` does.
        rephrase: which prompt is asked: 0 is the task's own, n is its `rephrase(state, n)`.
        calls: how requests are made, if not as on the first rung: for example at another price.

    Raises:
        UsageError: `rephrase` is not a whole number of at least 0, or `voting` is not a `Voting`.
    """

    model: Models
    voting: Voting = field(default_factory=Voting)
    rephrase: int = 0
    calls: Calls | None = None

    def __post_init__(self) -> None:
        if isinstance(self.rephrase, bool) or not isinstance(self.rephrase, int) or self.rephrase < 0:
            raise UsageError(f"rephrase must be a whole number of at least 0; it is {self.rephrase!r}.")
        if not isinstance(self.voting, Voting):
            raise UsageError(
                f"The voting of a rung must be a Voting, such as Voting(k=AheadBy(3, within=5)); it is {self.voting!r}."
            )


@dataclass(frozen=True, slots=True)
class Cascade:
    """The rungs after the first, which is the vote that every step begins with."""

    rungs: Sequence[Rung]

    def votes(self, _: object) -> int:
        """Return how many votes a step may take, the first one included."""
        return 1 + len(self.rungs)


def see_cascade(cascade: object) -> tuple[Rung, Cascade]:
    """Return the first rung of a cascade, and the others.

    Raises:
        UsageError: `cascade` is not a list of rungs, or its first rung asks another prompt than the task's own.
    """
    if isinstance(cascade, str) or not isinstance(cascade, Sequence) or not all(isinstance(each, Rung) for each in cascade):
        raise UsageError(f"cascade must be a list of Rung(model, voting), the first rung included; it is {cascade!r}.")
    if not cascade:
        raise UsageError("A cascade needs at least one rung: leave it out to vote with one model.")
    first, *others = cascade
    if first.rephrase:
        raise UsageError("The first rung of a cascade asks the task's own prompt: leave out its rephrase.")
    return first, Cascade(others)


def see_rephrases(part: object, rung: Rung) -> Rephrases | None:
    """Return the part that rephrases, if the rung needs one.

    Raises:
        UsageError: the rung needs one, and `part` does not rephrase.
    """
    if not rung.rephrase:
        return None
    if not isinstance(part, Rephrases):
        raise UsageError(
            "A rung of the cascade asks a rephrased prompt, but the task has no rephrase(state, attempt): give it that "
            "function, or leave out the rung's rephrase."
        )
    return part
