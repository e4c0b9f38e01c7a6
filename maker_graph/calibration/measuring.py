"""Calibration: how often a model is wrong on the steps of a task, how its errors are correlated, and what a sample costs.

Steps of the task are drawn at random, and each is asked several times, with the very prompt, red flags, output cap and
temperatures of a run: the first sample at its own temperature, as there. At least two samples a step: what the second says of
the first is the correlation that plans rest on. Where the task knows the right answers (`truth`), samples are held against
them; without, only against each other, and an error that all samples share cannot be seen.
"""

import asyncio
import math
from collections.abc import Callable, Sequence
from dataclasses import InitVar, dataclass, field, replace
from typing import Any

from langchain_core.language_models import BaseChatModel

from maker_graph.calibration.file import Calibration
from maker_graph.calibration.lines import Step
from maker_graph.calibration.steps import known, state_at
from maker_graph.core.ballot import count
from maker_graph.core.canonical import canonical, plain
from maker_graph.core.decision import Judged, Reading, Usage, judge_all
from maker_graph.core.task import Task
from maker_graph.core.voting import Voting
from maker_graph.errors import LimitReached
from maker_graph.graph.ladder import reading_of
from maker_graph.models.pricing import Price
from maker_graph.models.sampler import Call, Calls, Sampler
from maker_graph.run.account import Limits


async def calibrate(
    calibration: Calibration,
    task: Task,
    model: BaseChatModel,
    name: str,
    *,
    price: Price | None = None,
    limits: Limits = Limits(),  # noqa: B008  immutable
    concurrency: int = 16,
    calls: Calls | None = None,
    progress: Callable[[], None] = lambda: None,
) -> None:
    """Ask `model`, which goes by `name`, all steps that are missing in `calibration`; `progress` is told of each.

    Raises:
        MakerError: why it stopped; what is in the file is kept, and the same call goes on.
    """
    asked, cap = calibration.asked, calibration.asked.caps[name]
    purse = _Purse(price, limits, calibration)
    made: Calls = {**(calls or {}), "meter": purse}
    sampler = Sampler([model], temperature=asked.temperature, max_tokens=cap, seed=asked.seed, **made)
    flags = Voting(max_tokens=cap).flags
    steps = iter(calibration.missing(name))

    async def work() -> None:
        for number in steps:
            state = state_at(task, number)
            prompt = task.prompt(state)
            samples = await asyncio.gather(*(sampler.adraw(prompt, index) for index in range(asked.samples)))
            how = replace(reading_of(task, state, check=asked.check), red_flags=flags)
            truth = _truth_of(task, state, how) if asked.truth else None
            calibration.add(_step(name, number, judge_all(samples, how), [sample.seconds for sample in samples], truth, price))
            progress()

    workers: list[asyncio.Future[None]] = []
    try:
        async with asyncio.timeout(None if limits.minutes is None else 60 * limits.minutes) as deadline:
            workers += [asyncio.ensure_future(work()) for _ in range(max(1, concurrency // asked.samples))]
            await asyncio.gather(*workers)
    except TimeoutError:
        if deadline.expired():
            raise LimitReached(f"The limit of {limits.minutes:g} minutes is reached: call it again.") from None
        raise
    finally:
        for worker in workers:
            worker.cancel()
        await asyncio.gather(*workers, return_exceptions=True)


def _truth_of(task: Task, state: Any, how: Reading) -> str:
    """Return the candidate of the right answer."""
    answer = plain(known(task).truth(state))
    return canonical(answer if how.key is None else plain(how.key(answer)))


def _step(  # noqa: PLR0917  a line of the file, from all that it is made of
    name: str, number: int, judged: Sequence[Judged], seconds: Sequence[float], truth: str | None, price: Price | None
) -> Step:
    ballot = list(count(j["candidate"] for j in judged if j["flag"] is None))
    right = ballot.index(truth) if truth in ballot else None
    return Step(
        model=name,
        step=number,
        sequence=[j["flag"] or ballot.index(j["candidate"]) for j in judged],
        right=right,
        candidates=[] if right is not None and len(ballot) == 1 else ballot,
        input=sum(j["usage"]["input"] for j in judged),
        cached=sum(j["usage"]["cached"] for j in judged),
        lengths=[j["usage"]["output"] for j in judged],
        seconds=[round(each, 4) for each in seconds],
        cost=0.0 if price is None else math.fsum(price(j["usage"]) for j in judged),
    )


@dataclass(slots=True)
class _Purse:
    """Keeps the account of a calibration: what its file tells of earlier calls, and all that this one does."""

    price: Price | None
    limits: Limits
    calibration: InitVar[Calibration]
    cost: float = field(init=False)
    calls: int = field(init=False)

    def __post_init__(self, calibration: Calibration) -> None:
        self.cost = math.fsum(step.cost for step in calibration.steps.values())
        self.calls = sum(len(step.sequence) for step in calibration.steps.values())

    def reserve(self, most: Usage, /) -> None:
        """Set aside the most that a request can use.

        Raises:
            LimitReached: it might exceed a limit.
        """
        cost, calls = self.cost + self._cost(most), self.calls + 1
        if cost > (math.inf if self.limits.cost is None else self.limits.cost):
            raise LimitReached(f"The limit of ${self.limits.cost:g} is reached: call it again with a higher --max-cost.")
        if calls > (math.inf if self.limits.calls is None else self.limits.calls):
            raise LimitReached(f"The limit of {self.limits.calls:,} calls is reached: call it again with a higher --max-calls.")
        self.cost, self.calls = cost, calls

    def settle(self, most: Usage, call: Call, /) -> None:
        """Put what a sample used in the place of what was set aside."""
        sample = call.sample
        usage = Usage(input=sample.input_tokens, cached=sample.cached_tokens, output=sample.output_tokens)
        self.cost += self._cost(usage) - self._cost(most)

    def abandon(self, most: Usage, /, *, billed: bool) -> None:
        """Count a request that failed."""
        self.cost -= 0.0 if billed else self._cost(most)

    def _cost(self, usage: Usage) -> float:
        return 0.0 if self.price is None else self.price(usage)
