"""Models whose latency tells whether they are right, asked with a time-out, in a time that nobody has to wait for."""

import asyncio
import random
import selectors
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

from langchain_core.callbacks import AsyncCallbackManagerForLLMRun, CallbackManagerForLLMRun
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from typing_extensions import TypedDict

from maker_graph import Gate, expected_votes
from maker_graph.core.decision import Decision
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.graph.microstep import Asking, build_microstep

TIMEOUT, LATE = 10.0, 60.0
"""Seconds after which a reply is given up, and those that a late one would take."""

NEARLY_ALL = 0.95
"""On a hard question, the share of the slow kind of replies that come too late."""


class _Skipping(selectors.DefaultSelector):
    """Does not wait for a timer: the time is skipped."""

    skipped = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        events = super().select(None if timeout is None else 0)
        if not events and timeout is not None:
            self.skipped += max(0.0, timeout)
        return events


class SkippingLoop(asyncio.SelectorEventLoop):
    """An event loop whose timers are due at once, in their order; its time goes on by what was skipped."""

    def __init__(self) -> None:
        self._skipping = _Skipping()
        super().__init__(self._skipping)

    def time(self) -> float:
        return super().time() + self._skipping.skipped


@dataclass(frozen=True)
class World:
    """What is true of a model.

    Attributes:
        p: its share of right replies.
        k: the lead that decides.
        lost: the share of all requests whose reply comes too late.
        slow: which replies may come too late.
        hard: whether that is so on few questions only, on which nearly all replies of that kind do; else it is so on all alike.
    """

    p: float
    k: int
    lost: float
    slow: Literal["right", "wrong"]
    hard: bool = False

    @property
    def slow_share(self) -> float:
        return self.p if self.slow == "right" else 1 - self.p

    def hard_questions(self) -> float:
        """Return the share of questions that must be hard for `lost` to come out."""
        late = NEARLY_ALL * self.slow_share
        kept = (self.p - late) / (1 - late) if self.slow == "right" else self.p / (1 - late)
        again, votes, usual = late / (1 - late), expected_votes(kept, self.k), expected_votes(self.p, self.k)
        return self.lost * usual / (again * votes - self.lost * ((1 + again) * votes - usual))

    def late(self, question: str) -> float:
        """Return the chance that a reply of the slow kind comes too late."""
        if not self.hard:
            return self.lost / self.slow_share
        return NEARLY_ALL if random.Random(f"how hard {question}").random() < self.hard_questions() else 0.0


class Late(BaseChatModel):
    """Right with probability `world.p`; a reply that comes too late takes a minute, any other a second."""

    world: World
    tries: Counter[tuple[str, int]] = Counter()  # noqa: RUF012  pydantic copies defaults

    @property
    def _llm_type(self) -> str:
        return "late"

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        raise NotImplementedError

    async def _agenerate(
        self,
        messages: list[BaseMessage],
        stop: list[str] | None = None,  # noqa: ARG002  BaseChatModel's signature
        run_manager: AsyncCallbackManagerForLLMRun | CallbackManagerForLLMRun | None = None,
        **_: Any,
    ) -> ChatResult:
        assert run_manager is not None
        asked = messages[-1].text, run_manager.metadata["sample"]
        self.tries[asked] += 1
        chance = random.Random(f"{asked} {self.tries[asked]}")
        vote = "right" if chance.random() < self.world.p else "wrong"
        late = vote == self.world.slow and chance.random() < self.world.late(messages[-1].text)
        await asyncio.sleep(LATE if late else 1.0)
        return ChatResult(generations=[ChatGeneration(message=AIMessage(vote))])


class _Question(TypedDict):
    number: int
    answer: str
    decision: Decision


def decided(world: World, numbers: Sequence[int]) -> list[Decision]:
    """Return the decisions of real microsteps on these questions; the right answer of each is "right"."""

    async def asked() -> list[Decision]:
        gate = Gate(clock=asyncio.get_running_loop().time)
        asking = Asking(state=_Question, prompt=lambda state: str(state["number"]), into="answer", decision="decision")
        voting = Voting(AheadBy(world.k), max_samples=1000)
        calls: Any = {"gate": gate, "timeout": TIMEOUT, "patience": 1e9}
        step = build_microstep(Late(world=world), voting, asking, calls=calls)
        results = await step.abatch([{"number": number} for number in numbers], {"max_concurrency": 64})
        return [result["decision"] for result in results]

    with asyncio.Runner(loop_factory=SkippingLoop) as runner:
        return runner.run(asked())
