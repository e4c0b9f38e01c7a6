"""The ladder: the rungs that a stuck step climbs, one after the other, when its vote ends undecided.

A step is stuck if its samples are red-flagged or no two of them agree. It climbs a ladder: a higher temperature, the task's
rephrased prompt, a stronger model, then what `on_undecided` says (raise, leave it open, ask a person). A step that is contested
(`passed`, `core/decision.py`) climbs no ladder. It goes to a cascade if there is one (`cascade.py`), else to `on_undecided`.

Each rung is another sampler, and votes in a ballot of its own from zero. Votes of several samplers in one ballot would break
the guarantee. A lead of k says how much likelier one answer is than another only if all votes are draws of one fixed procedure.
Here the procedure would change *because* of how the vote went: the first sampler might build a lead on its own error, and a few
votes of the second would complete it.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, TypeAlias

from maker_graph.core.guarding import Guarded
from maker_graph.core.task import Rephrases
from maker_graph.core.voting import Auto, Temperature
from maker_graph.models.calls import Calls
from maker_graph.models.resolving import Model

Models: TypeAlias = Model | Sequence[Model]


@dataclass(frozen=True, slots=True)
class Ladder:
    """The rungs that a stuck step climbs before `on_undecided` applies.

    Attributes:
        temperature: the temperature of all samples of the first rung; None removes the rung.
        rephrase: whether the second rung shows the task's rephrased prompt, if the task has one.
        model: the model of the third rung; None removes the rung.
        calls: how requests of that model are made, if not as those of the first model: for example at another price.
        model_temperature: the temperature of that model's first sample, and of its others. "same" is that of the first vote;
            "auto" is what suits the model.
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
