"""The vote of a microstep without its graph. It is used where nobody watches a trace or a stream.

A compiled microstep takes about two milliseconds of processor time, besides the requests of its samples. That is little beside
a model over a network. It is most of the time if many short votes share one processor. The vote is the same here: it has the
same sampler, the same reader, the same rounds and the same decision.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import dataclass
from typing import Any

from maker_graph.core.decision import Decision
from maker_graph.core.judging import Reader
from maker_graph.core.red_flags import Sample
from maker_graph.core.task import Prompt
from maker_graph.core.voting import Voting
from maker_graph.graph.variants import prompt_for
from maker_graph.models.counting import VoteCount
from maker_graph.models.emitting import AnySampler


@dataclass(frozen=True, slots=True)
class DirectVote:
    """One voted decision, drawn by `sampler`.

    Attributes:
        sampler: draws the samples.
        voting: how the vote is taken.
        prompt: a function from the caller's values to what is asked.
        reader: a function from the caller's values to how replies are read.
        by: the rung that the decision names.
    """

    sampler: AnySampler
    voting: Voting
    prompt: Callable[[Any], Prompt]
    reader: Callable[[Any], Reader]
    by: str

    def vote(self, values: Any) -> Decision:
        """Return the decision; the samples of a round are drawn in threads.

        Raises:
            MakerError: a sample could not be drawn.
        """
        count, prompt = self._count(values), self.prompt(values)
        with ThreadPoolExecutor(self.voting.first_round, thread_name_prefix="maker-graph-vote") as pool:
            while count.more:
                drawing = [
                    pool.submit(copy_context().run, self._draw, prompt_for(prompt, each[0]), each, count.rounds + 1)
                    for each in self.sampler.batched(count.next)
                ]
                count.take(_in_order(each.result() for each in drawing))
        return count.decision()

    async def avote(self, values: Any) -> Decision:
        """Return the decision; see `vote`."""
        count, prompt = self._count(values), self.prompt(values)
        while count.more:
            drawing = [
                asyncio.ensure_future(self.sampler.adraw_all(prompt_for(prompt, each[0]), each, round=count.rounds + 1))
                for each in self.sampler.batched(count.next)
            ]
            try:
                await count.atake(_in_order(await asyncio.gather(*drawing)))
            except BaseException:
                for each in drawing:
                    each.cancel()
                await asyncio.gather(*drawing, return_exceptions=True)
                raise
        return count.decision()

    def _count(self, values: Any) -> VoteCount:
        return VoteCount(self.voting, self.reader(values), self.sampler.look, self.by)

    def _draw(self, prompt: Prompt, indices: Sequence[int], number: int) -> list[Sample]:
        return self.sampler.draw_all(prompt, indices, round=number)


def _in_order(drawn: Iterable[list[Sample]]) -> list[Sample]:
    """Return the samples of a round in the order of their numbers."""
    return sorted((sample for samples in drawn for sample in samples), key=lambda sample: sample.index)
