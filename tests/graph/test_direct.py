"""The vote without a graph decides what the compiled microstep decides, to the last count."""

import asyncio
from typing import Any

import pytest

from maker_graph import ProviderFailure
from maker_graph.core.guarding import guarded
from maker_graph.core.voting import Voting
from maker_graph.graph.asked import MicrostepGraph
from maker_graph.graph.ladder import Ladder
from maker_graph.graph.voters import create_voters
from maker_graph.models.resolving import resolve_model
from maker_graph.tasks import Hanoi
from tests.conftest import Scripted
from tests.graph.test_maker import Countdown, counting

ERRS = "sim:perfect,error=.2,rho=.05,flagged=.15,favourite=.8"


def voters(task: Any, model: Any, **voting: Any) -> list[MicrostepGraph]:
    made = create_voters(guarded(task), Ladder(), model=model, voting=Voting(**voting), calls=None).rungs
    assert all(isinstance(each, MicrostepGraph) for each in made)
    return [each for each in made if isinstance(each, MicrostepGraph)]


@pytest.mark.parametrize("seed", range(20))
def test_it_decides_the_same_on_every_rung(seed: int) -> None:
    task = Hanoi(3)
    values = {"state": task.start()}
    for voter in voters(task, resolve_model(ERRS, seed=seed), k=2, seed=seed, max_samples=9):
        compiled = voter.invoke(values)["decision"]
        assert voter.direct.vote(values) == compiled
        assert asyncio.run(voter.direct.avote(values)) == compiled
        assert asyncio.run(voter.ainvoke(values))["decision"] == compiled


def test_a_failure_ends_the_vote_and_leaves_no_sample_in_flight() -> None:
    def script(index: int, text: str) -> str:
        if index == 1:
            raise ProviderFailure("no")
        return counting(index, text)

    model = Scripted(script=script, delay=lambda index: 0.0 if index == 1 else 5.0)
    (voter, *_) = voters(Countdown(3), model, k=3)

    async def voted() -> None:
        with pytest.raises(ProviderFailure, match="no"):
            await voter.direct.avote({"state": 3})
        assert len(asyncio.all_tasks()) == 1

    asyncio.run(voted())
    with pytest.raises(ProviderFailure, match="no"):
        voter.direct.vote({"state": 3})
