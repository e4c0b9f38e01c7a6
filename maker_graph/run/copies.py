"""Keeps what a run has seen of copies among its replies, because a certificate must not rest on copies."""

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
    """Keeps in the journal what `copies` has seen."""

    journal: Journal
    copies: Copies
    _kept: tuple[int, bool, bool | None] = (0, False, None)

    def keep(self) -> None:
        """Write the note, if it says more than before.

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
    """Ask `model` the probe, with the settings for the later samples of a step. What is seen goes to `calls["copies"]`.

    At temperature 0 nothing is asked. A provider that cannot be reached is not waited for, because the run itself waits
    for it. Nothing is traced.

    Raises:
        LimitReached: the probe might exceed a limit.
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
