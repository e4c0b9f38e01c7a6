"""The ladder: what a step climbs on which a vote ends undecided, rung by rung.

A step whose samples are red-flagged, or of which no two agree, is stuck, and climbs a ladder: a higher temperature, the task's
rephrased prompt, a stronger model, then what `on_undecided` says (raise, leave it open, ask a person). A step that is contested
(`passed`, `core/decision.py`) climbs no ladder: it goes to a cascade if there is one (`cascade.py`), else to `on_undecided`.

Each rung is another sampler, and votes in a ballot of its own from zero. Poured into one ballot, the votes would break the law
on which the promise stands: a lead of k says how much likelier one answer is than another only if all votes are draws of one
fixed procedure. Here the procedure would change *because* of how the vote went, so a lead that the first sampler built on its
own error would be finished off by a few votes of the second, and which votes count together would depend on what they said.
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
