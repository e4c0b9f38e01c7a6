"""How each voted part of a task is voted on: by which model, and with which lead."""

from collections.abc import Mapping
from dataclasses import replace

from maker_graph.core.guarding import Guarded
from maker_graph.core.rules import StoppingRule
from maker_graph.core.voting import Voting
from maker_graph.errors import UsageError
from maker_graph.graph.ladder import Ladder, Models, Voter, create_voters
from maker_graph.models.calls import Calls


class Asked:
    """The voted parts of a task, with the model and the `Voting` of each.

    Attributes:
        first_model: the model of the first part.
        first_round: samples in the first round of a vote at most.
    """

    def __init__(
        self,
        task: Guarded,
        model: Models | Mapping[str, Models],
        voting: Voting,
        leads: Mapping[str, int | StoppingRule],
    ) -> None:
        """Find what is meant for each part.

        Raises:
            UsageError: a name is that of no voted part, or a voted part has no model.
        """
        self._parts = task.voted_parts
        see_names("k", leads, self._parts)
        if isinstance(model, Mapping):
            see_names("model", model, self._parts)
            if missing := [name for name in self._parts if name not in model]:
                raise UsageError(f"model has none for the part {missing[0]!r}: name one for each of {', '.join(self._parts)}.")
        self._models: dict[str, Models] = {name: model[name] if isinstance(model, Mapping) else model for name in self._parts}
        self._votings = {name: _with_lead(part, voting, leads) for name, part in self._parts.items()}
        self.first_model = next(iter(self._models.values()), "")
        self.first_round = max((each.first_round for each in self._votings.values()), default=1)

    def voters(self, ladder: Ladder, calls: Calls | None) -> dict[str, list[Voter]]:
        """Return the microsteps of each voted part, by its name: see `create_voters`."""
        return {
            name: create_voters(part, ladder, model=self._models[name], voting=self._votings[name], calls=calls)
            for name, part in self._parts.items()
        }


def see_names(what: str, given: Mapping[str, object], parts: Mapping[str, Guarded]) -> None:
    """See that what is given by part names parts that are voted on.

    Raises:
        UsageError: one is not.
    """
    for name in given:
        if name not in parts:
            having = ", ".join(parts) or "none"
            raise UsageError(f"{what} names {name!r}, which is no voted part of this task: there are {having}.")


def _with_lead(part: Guarded, voting: Voting, leads: Mapping[str, int | StoppingRule]) -> Voting:
    k = leads.get(part.name, part.k)
    return voting if k is None else replace(voting, k=k)
