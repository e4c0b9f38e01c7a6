"""A budget holds, whoever shares it: microsteps, threads, event loops, and models with other prices."""

import asyncio
import sys
import threading
from collections.abc import Callable
from typing import Any

import pytest

from maker_graph import Budget, LimitReached, UsageError, create_maker, create_microstep
from maker_graph.core.judging import Usage
from maker_graph.core.red_flags import Sample
from maker_graph.core.spending import Spent
from maker_graph.models.calls import Call
from maker_graph.tasks import Hanoi
from tests.conftest import Scripted, replies
from tests.models.serving import PROMPT, completion, problem, sampler, scripted, server

MOST = Usage(input=100, cached=0, output=50)
QUESTION: Any = {"messages": [("user", "1 + 1?")]}


def call(read: int = 10, written: int = 5, name: str = "sample") -> Call:
    sample = Sample(0, "2", input_tokens=read, cached_tokens=4, output_tokens=written)
    return Call([("human", "?")], "m", None, sample, name)


def test_what_a_request_may_cost_is_set_aside_until_it_is_known_what_it_did_cost() -> None:
    budget = Budget(max_cost=400.0, price=lambda usage: usage["input"] + usage["output"])
    budget.reserve(MOST)
    budget.reserve(MOST)
    with pytest.raises(LimitReached, match=r"limit of \$400 is reached: the next call may bring the cost to \$450.* max_cost"):
        budget.reserve(MOST)
    assert budget.spent == Spent(), "what is under way is not spent"
    budget.settle(MOST, call())
    assert budget.spent == Spent(15.0, calls=1, samples=1, input=10, cached=4, output=5)
    budget.reserve(MOST)
    with pytest.raises(LimitReached):
        budget.reserve(MOST)


def test_what_a_request_cost_beyond_what_was_set_aside_is_booked_and_set_aside_for_all_after_it() -> None:
    budget = Budget(max_cost=1100.0, price=(1e6, 1e6))
    for _ in range(2):
        budget.reserve(MOST)
    budget.settle(MOST, call(read=100, written=250))
    assert budget.spent.cost == 350, "all of it"
    budget.reserve(MOST)  # 350 spent, and 350 more for each of those under way
    with pytest.raises(LimitReached, match=r"limit of \$1100 is reached: the next call may bring the cost to \$1400"):
        budget.reserve(MOST)


def test_a_limit_that_was_passed_by_what_was_under_way_is_said_to_be_and_nothing_more_is_asked() -> None:
    budget = Budget(max_cost=400.0, price=(1e6, 1e6))
    for _ in range(2):
        budget.reserve(MOST)
    for _ in range(2):
        budget.settle(MOST, call(read=100, written=500))
    assert budget.spent.cost == 1200
    passed = r"limit of \$400 is exceeded: \$1200.0000 were spent; the provider counted more tokens .* higher max_cost"
    with pytest.raises(LimitReached, match=passed):
        budget.reserve(Usage(input=0, cached=0, output=0))


def test_zeros_for_what_was_read_and_written_do_not_defeat_a_limit() -> None:
    usage = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    text = "x" * 4000
    choice = {"index": 0, "message": {"role": "assistant", "content": text}, "finish_reason": "stop"}
    budget = Budget(max_cost=0.01, price=(1.0, 1.0))
    with server((200, completion(choices=[choice], usage=usage), {})) as (url, asked):
        drawn = sampler(url, meter=budget)
        for index in range(8):
            drawn.draw(PROMPT, index)
        with pytest.raises(LimitReached, match=r"limit of \$0.01 is reached"):
            [drawn.draw(PROMPT, index) for index in range(8, 20)]
    assert len(asked) <= 10
    assert budget.spent.output == 1000 * len(asked)


def test_a_request_that_failed_is_a_call_and_costs_all_that_was_set_aside_if_it_may_be_billed() -> None:
    budget = Budget(max_calls=3, price=(1e6, 1e6))
    for billed in (True, False):
        budget.reserve(MOST)
        budget.abandon(MOST, billed=billed)
    assert budget.spent == Spent(150.0, calls=2)
    budget.reserve(MOST)
    with pytest.raises(LimitReached, match=r"limit of 3 calls is reached\. Give the budget a higher max_calls"):
        budget.reserve(MOST)


def test_each_model_is_booked_at_its_own_price_on_one_budget() -> None:
    budget = Budget(max_cost=1000.0, price=(1e6, 1e6))
    dear = budget.at((10e6, 10e6))
    dear.reserve(Usage(input=60, cached=0, output=30))
    with pytest.raises(LimitReached):
        budget.reserve(MOST)
    dear.settle(Usage(input=60, cached=0, output=30), call())
    budget.reserve(MOST)
    budget.settle(MOST, call())
    assert budget.spent.cost == 165.0


def test_a_budget_goes_on_where_another_one_ended() -> None:
    before = Budget(max_calls=2)
    before.reserve(MOST)
    before.settle(MOST, call())
    after = Budget(max_calls=2, spent=before.spent)
    after.reserve(MOST)
    with pytest.raises(LimitReached):
        after.reserve(MOST)
    assert after.spent == before.spent


def test_microsteps_that_share_a_budget_stop_together_before_the_request_that_may_pass_it() -> None:
    model = Scripted(script=replies("2"))
    budget = Budget(max_calls=8)
    first, second = (create_microstep(model, k=3, calls={"meter": budget}) for _ in range(2))
    assert first.invoke(QUESTION)["messages"][-1].content == "2"
    assert second.invoke(QUESTION)["messages"][-1].content == "2"
    for microstep in (first, second):
        with pytest.raises(LimitReached, match="limit of 8 calls"):
            microstep.invoke(QUESTION)
    assert budget.spent.calls == len(model.log) == 8


async def test_a_request_that_is_made_again_counts_again() -> None:
    budget = Budget(max_calls=3, max_cost=1.0, price=(1.0, 1.0))
    failing = [(500, problem(), {"Retry-After": "0"}), (200, "<html>", {})]
    with server(*failing, (200, completion(), {})) as (url, asked):
        drawn = sampler(url, meter=budget)
        await drawn.adraw(PROMPT, 0)
        with pytest.raises(LimitReached):
            await drawn.adraw(PROMPT, 1)
    assert (len(asked), budget.spent.calls, budget.spent.samples) == (3, 3, 1)
    assert budget.spent.cost == pytest.approx((4 + 750 + 9 + 1) / 1e6), "the body that was not a completion may be billed"


def test_threads_and_event_loops_together_make_no_request_too_many() -> None:
    model = Scripted(script=replies("2"), delay=lambda _: 0.001)
    budget = Budget(max_calls=100)
    drawn = scripted(model=model, meter=budget)

    def plainly() -> None:
        for _ in range(101):
            drawn.draw(PROMPT, 0)

    async def concurrently() -> None:
        for _ in range(26):
            await asyncio.gather(*(drawn.adraw(PROMPT, index) for index in range(4)))

    def until_the_limit(target: Callable[[], object]) -> None:
        with pytest.raises(LimitReached):
            target()

    targets = [plainly, lambda: asyncio.run(concurrently())]
    threads = [threading.Thread(target=until_the_limit, args=[target]) for target in targets for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert budget.spent.calls == len(model.log) == 100


def test_no_sum_is_lost_between_threads() -> None:
    budget, times = Budget(max_cost=1e9, price=(1e6, 0.0)), 2000

    def spend() -> None:
        for _ in range(times):
            budget.reserve(MOST)
            budget.settle(MOST, call())

    threads = [threading.Thread(target=spend) for _ in range(4)]
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    try:
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    finally:
        sys.setswitchinterval(before)
    all_of_it = 4 * times
    spent = Spent(10.0 * all_of_it, calls=all_of_it, samples=all_of_it, input=10 * all_of_it, cached=4 * all_of_it)
    assert budget.spent == spent._replace(output=5 * all_of_it)


async def test_drafts_are_on_the_same_budget_and_told_apart() -> None:
    budget = Budget()
    maker = create_maker(Hanoi(3), model="sim:perfect", k=2, lookahead=3, calls={"meter": budget}).compile()
    assert (await maker.ainvoke({}))["done"]
    spent = budget.spent
    assert spent.drafts > 0
    assert spent.calls == spent.samples + spent.drafts
    assert min(spent.draft_output, spent.output) > 0


@pytest.mark.parametrize(
    ("settings", "advice"),
    [
        ({"max_cost": 1.0}, "needs a price"),
        ({"max_cost": -1.0, "price": (1.0, 1.0)}, "at least 0"),
        ({"max_cost": float("nan"), "price": (1.0, 1.0)}, "at least 0"),
        ({"max_calls": -1}, "at least 0"),
        ({"price": (-1.0, 1.0)}, "at least 0"),
    ],
)
def test_a_budget_that_cannot_be_is_refused(settings: dict[str, Any], advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        Budget(**settings)
