"""A vote that is taken round by round without a graph."""

import asyncio
from collections.abc import Callable, Sequence

from maker_graph.core.decision import Decision, decide, next_draw
from maker_graph.core.judging import Judged, Reader, judge_all
from maker_graph.core.red_flags import Sample
from maker_graph.core.voting import Voting


class VoteCount:
    """The samples of a vote so far, and what follows from them.

    Attributes:
        more: how many samples the next round draws; 0 if the vote has ended.
        rounds: how many rounds were drawn.
    """

    def __init__(
        self, voting: Voting, reader: Reader, look: Callable[[Sequence[Sample], Sequence[Sample]], bool], by: str = "base"
    ) -> None:
        """Begin with no sample.

        Args:
            voting: the settings of the vote.
            reader: how replies are read.
            look: looks for copies among the samples of a round, given those before it; returns whether different replies are
                known to have different ids.
            by: the `by` of the decision.
        """
        self._voting = voting
        self._reader = reader
        self._look = look
        self._by = by
        self._samples: list[Sample] = []
        self._judged: list[Judged] = []
        self.rounds = 0
        self.more = self._next()

    @property
    def next(self) -> range:
        """The numbers of the samples of the next round."""
        return range(len(self._judged), len(self._judged) + self.more)

    def take(self, drawn: Sequence[Sample]) -> None:
        """Count the samples of a round, in the order of their numbers."""
        ids_differ = self._look(drawn, self._samples)
        self._judged += judge_all(drawn, self._reader, self._samples, self._judged, ids_differ=ids_differ)
        self._samples += drawn
        self.rounds += 1
        self.more = self._next()

    async def atake(self, drawn: Sequence[Sample]) -> None:
        """Do the same as `take`. A verifier may take seconds, so it is asked in a thread, and other votes go on meanwhile."""
        if self._reader.verify is None:
            self.take(drawn)
        else:
            await asyncio.to_thread(self.take, drawn)

    def decision(self) -> Decision:
        """Return how the vote ended."""
        return decide(self._judged, self._voting, self.rounds, self._by)

    def _next(self) -> int:
        return next_draw(self._judged, self._voting, verifies=self._reader.verify is not None)
