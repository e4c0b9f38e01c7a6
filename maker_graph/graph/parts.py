"""How each voted part of a task is voted on: by which model, with which `Voting`, and how its requests are made."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from maker_graph.core.guarding import Guarded, see_names
from maker_graph.core.rules import StoppingRule
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.graph.cascade import Cascade, Rung, see_cascade
from maker_graph.graph.ladder import Ladder, Models
from maker_graph.graph.voters import Voters, create_voters
from maker_graph.models.calls import Calls


class OfPart(NamedTuple):
    """The settings of one part alone; None is the same as for the other parts."""

    model: Models | None = None
    voting: Voting | None = None
    calls: Calls | None = None


class Asked:
    """The voted parts of a task, with the model and the `Voting` of each, and the rungs that come after the first vote.

    Attributes:
        voting: the `Voting` of parts that have none of their own.
        first_model: the model of the first part.
        first_round: the most samples in the first round of a vote.
    """

    def __init__(
        self,
        task: Guarded,
        model: Models | None,
        voting: Voting,
        of_parts: Mapping[str, OfPart],
        after: Ladder | Cascade,
    ) -> None:
        """Find the model and the `Voting` of each part.

        Raises:
            UsageError: a name is that of no voted part, or a voted part has no model.
        """
        self._parts = task.voted_parts
        see_names("The settings name", of_parts, self._parts)
        self._of_parts = {name: of_parts.get(name, OfPart()) for name in self._parts}
        self._models: dict[str, Models] = {}
        for name, said in self._of_parts.items():
            found = model if said.model is None else said.model
            if found is None:
                raise UsageError(f"The part {name!r} has no model: name one in model= for each of {', '.join(self._parts)}.")
            self._models[name] = found
        self._votings = {name: self._of_parts[name].voting or _with_lead(part, voting) for name, part in self._parts.items()}
        self._after = after
        self.voting = voting
        self.first_model = next(iter(self._models.values()), "")
        self.first_round = max((each.first_round for each in self._votings.values()), default=1)

    def voters(self, calls: Calls | None) -> dict[str, Voters]:
        """Return the microsteps of each voted part, by its name: see `create_voters`."""
        return {
            name: create_voters(
                part,
                self._after,
                model=self._models[name],
                voting=self._votings[name],
                calls={**(calls or {}), **(self._of_parts[name].calls or {})},
            )
            for name, part in self._parts.items()
        }


def parts_asked(
    task: Guarded,
    model: Models | Mapping[str, Models] | None,
    k: int | StoppingRule | Mapping[str, int | StoppingRule],
    voting: Voting,
    ladder: Ladder | None,
) -> Asked:
    """Return what `model` and `k` say for all parts or for single ones.

    Raises:
        UsageError: one of them names no voted part, a voted part has no model, or `ladder` is not a `Ladder`.
    """
    if ladder is not None and not isinstance(ladder, Ladder):
        raise UsageError(f"ladder must be a Ladder, or None if a stuck step has no rungs to climb; it is {ladder!r}.")
    leads = k if isinstance(k, Mapping) else {}
    models = model if isinstance(model, Mapping) else {}
    see_names("k names", leads, task.voted_parts)
    see_names("model names", models, task.voted_parts)
    votings = {name: voting.led_by(lead) for name, lead in leads.items()}
    of_parts = {name: OfPart(models.get(name), votings.get(name)) for name in {**leads, **models}}
    for_all = None if isinstance(model, Mapping) else model
    return Asked(task, for_all, voting, of_parts, ladder or Ladder(temperature=None, rephrase=False))


def rungs_asked(task: Guarded, model: object, voting: Voting, cascade: Sequence[Rung]) -> Asked:
    """Return what a cascade says for all parts.

    Raises:
        UsageError: it is not a cascade, or there are other settings beside it.
    """
    if model is not None or voting != Voting():
        raise UsageError(
            "Each rung of a cascade has a model and a Voting of its own: leave out model, k, temperature, seed and the like."
        )
    first, after = see_cascade(cascade)
    of_parts = {name: OfPart(voting=first.voting, calls=first.calls) for name in task.voted_parts}
    return Asked(task, first.model, first.voting, of_parts, after)


def _with_lead(part: Guarded, voting: Voting) -> Voting:
    return voting if part.k is None else voting.led_by(part.k)
