"""What a run knows of copies among its replies: kept with it, for a certificate must not rest on them."""

from dataclasses import dataclass

from langchain_core.language_models import BaseChatModel
from langsmith import tracing_context

from maker_graph.core.copies import NOTE
from maker_graph.core.voting import Voting
from maker_graph.journal.protocol import Journal
from maker_graph.models.calls import Calls
from maker_graph.models.copies import Copies, probe
from maker_graph.models.sampler import Sampler


@dataclass(slots=True)
class KeptCopies:
    """Keeps in the journal what `copies` has seen, whenever that says more than before."""

    journal: Journal
    copies: Copies
    _kept: tuple[int, bool, bool | None] = (0, False, None)

    def keep(self) -> None:
        """Write the note, if there is something new to tell.

        Raises:
            TakenOver: the run has another owner, who keeps what it sees.
        """
        seen = self.copies.seen
        found = (seen.proven, seen.suspected, seen.varied)
        if found != self._kept:
            self.journal.owned()
            self.journal.set_note(NOTE, seen.note())
            self._kept = found


async def see_draws(model: BaseChatModel, voting: Voting, calls: Calls) -> None:
    """Ask the probe of `model`, as the later samples of a step are asked; `copies` in `calls` takes note.

    At temperature 0 nothing is asked. Who cannot be reached is not waited for: the run itself waits. No trace is made.

    Raises:
        LimitReached: it might pass a limit.
    """
    prober = Sampler(
        [model],
        temperature=voting.temperatures,
        max_tokens=voting.output_cap,
        seed=voting.seed,
        calls={**calls, "patience": None},
        name="probe",
    )
    if prober.draws(1):
        with tracing_context(enabled=False):
            try:
                await probe(prober)
            finally:
                await prober.aclose()
