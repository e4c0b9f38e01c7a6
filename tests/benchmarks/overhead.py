"""What does the stack cost at zero model latency, beside a LangGraph app written by hand and a bare loop?

    python tests/benchmarks/overhead.py --disks 9

One process, Hanoi with a perfect simulated model and k = 3, all variants in turn, several times; the best time of each counts.

- whole run: what `maker-graph run` does, with journal, account and checkpoints, `--fsync normal`; lookahead 1 and 32
- graph alone: the machine without journal and checkpoints
- hand-written: the same shape in plain LangGraph (a subgraph that fans out three samples, filters, votes and loops, inside a
  graph that applies the answer and loops), with LangGraph's SQLite checkpointer, saved at each superstep (`sync`) or behind it
  (its default, `async`)
- bare loop: the samples gathered, judged and counted with asyncio alone
- model alone: what the simulated model itself takes
"""

import argparse
import asyncio
import gc
import json
import operator
import tempfile
import time
from collections import Counter
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Annotated, Any, Literal

from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver
from langgraph.graph import END, START, StateGraph
from langgraph.types import Send
from typing_extensions import TypedDict

from maker_graph import create_maker
from maker_graph.core.decision import decide
from maker_graph.core.judging import Reader, judge
from maker_graph.core.machine import Machine
from maker_graph.core.rules import AheadBy
from maker_graph.core.voting import Voting
from maker_graph.models.resolving import resolve_model
from maker_graph.models.sampler import Sampler
from maker_graph.run.options import RunOptions
from maker_graph.run.solving import solve
from maker_graph.tasks import Hanoi
from tests.made import created, new_settings

MODEL = "sim:perfect"
K = 3


async def whole_run(disks: int, lookahead: int = 1) -> None:
    """The run as `maker-graph run` does it."""
    with tempfile.TemporaryDirectory() as folder:
        settings = new_settings("hanoi", {"disks": disks}, MODEL, k=K, max_tokens=750)
        with created(Path(folder) / "run", settings, fsync="normal") as run:
            await solve(run, RunOptions(lookahead=lookahead))


async def ahead(disks: int) -> None:
    """The same with lookahead."""
    await whole_run(disks, 32)


async def graph_alone(disks: int) -> None:
    """The graph without journal and checkpointer."""
    await create_maker(Hanoi(disks), model=MODEL, k=K, seed=1).compile().ainvoke({})


class Inner(TypedDict, total=False):
    """What the hand-written microstep works on."""

    state: Any
    samples: Annotated[list[dict[str, Any]], operator.add]
    kept: list[dict[str, Any]]
    answer: Any


class Ask(TypedDict):
    """One sample to draw."""

    state: Any
    index: int


class Microstep(TypedDict):
    """What the hand-written microstep takes."""

    state: Any


class Answer(TypedDict):
    """What the hand-written microstep gives."""

    answer: Any


class Outer(TypedDict, total=False):
    """What the hand-written machine works on."""

    state: Any
    step: int
    answer: Any


def hand_written(disks: int, saver: Any) -> Any:
    """Return the same shape as an engineer would write it, with LangGraph alone."""
    task, model = Hanoi(disks), resolve_model(MODEL, seed=1)

    def leader(kept: list[dict[str, Any]]) -> tuple[str, int]:
        ranked = Counter(each["vote"] for each in kept).most_common(2)
        return (ranked[0][0], ranked[0][1] - (ranked[1][1] if len(ranked) > 1 else 0)) if ranked else ("", 0)

    async def sample(ask: Ask) -> dict[str, Any]:
        reply = await model.ainvoke(task.prompt(ask["state"]), seed=ask["index"])
        return {"samples": [{"index": ask["index"], "text": reply.text, "finish": reply.response_metadata["finish_reason"]}]}

    async def red_flag(values: Inner) -> dict[str, Any]:
        kept = []
        for each in values["samples"]:
            try:
                answer = task.parse(each["text"])
            except ValueError:
                continue
            if each["finish"] == "stop" and task.check(values["state"], answer):  # type: ignore[arg-type]  # parsed just now
                kept.append({"vote": json.dumps(answer, sort_keys=True), "answer": answer})
        return {"kept": kept}

    async def vote(values: Inner) -> dict[str, Any]:
        first, ahead_by = leader(values["kept"])
        if ahead_by < K:
            return {}
        return {"answer": next(each["answer"] for each in values["kept"] if each["vote"] == first)}

    def fan_out(values: Inner) -> list[Send]:
        drawn = len(values.get("samples", []))
        lacking = K - (leader(values["kept"])[1] if drawn else 0)
        return [Send("sample", {"state": values["state"], "index": drawn + i}) for i in range(lacking)]

    def again(values: Inner) -> list[Send] | Literal["__end__"]:
        return "__end__" if "answer" in values else fan_out(values)

    small: Any = StateGraph(Inner, input_schema=Microstep, output_schema=Answer)
    inner = (
        small.add_node("sample", sample)
        .add_node("red_flag", red_flag)
        .add_node("vote", vote)
        .add_conditional_edges(START, fan_out, ["sample"])
        .add_edge("sample", "red_flag")
        .add_edge("red_flag", "vote")
        .add_conditional_edges("vote", again, ["sample", END])
        .compile()
    )

    async def commit(values: Outer) -> dict[str, Any]:
        return {"state": task.apply(values["state"], values["answer"]), "step": values["step"] + 1}

    def done(values: Outer) -> Literal["microstep", "__end__"]:
        return "__end__" if task.done(values["state"]) else "microstep"

    outer: Any = StateGraph(Outer)
    outer.add_node("microstep", inner).add_node("commit", commit).add_edge(START, "microstep")
    return outer.add_edge("microstep", "commit").add_conditional_edges("commit", done).compile(checkpointer=saver)


async def by_hand(disks: int, durability: Any) -> None:
    """The hand-written app on its checkpointer."""
    with tempfile.TemporaryDirectory() as folder:
        async with AsyncSqliteSaver.from_conn_string(str(Path(folder) / "checkpoints.db")) as saver:
            config: Any = {"configurable": {"thread_id": "1"}, "recursion_limit": 10**6}
            start = {"state": Hanoi(disks).start(), "step": 0}
            result = await hand_written(disks, saver).ainvoke(start, config, durability=durability)
            assert result["step"] == Hanoi(disks).total()


async def by_hand_sync(disks: int) -> None:
    """It saves at each superstep."""
    await by_hand(disks, "sync")


async def by_hand_default(disks: int) -> None:
    """It saves behind the supersteps, as LangGraph does by default."""
    await by_hand(disks, None)


async def bare_loop(disks: int) -> None:
    """The same samples and decisions in a bare loop."""
    task = Hanoi(disks)
    machine, rule = Machine(task), AheadBy(K)
    sampler = Sampler([resolve_model(MODEL, seed=1)], temperature=(0.0, 0.1), max_tokens=750, seed=1)
    at = machine.begin()
    while not at["done"]:
        state = at["state"]
        how = Reader(parse=task.parse, key=None, check=lambda answer, state=state: task.check(state, answer), red_flags={})  # type: ignore[misc]  # bound here
        samples = await asyncio.gather(*(sampler.adraw(task.prompt(state), index) for index in range(K)))
        at = machine.advance(at, decide([judge(sample, how) for sample in samples], Voting(rule, max_samples=100), 1))


async def model_alone(disks: int) -> None:
    """The simulated model's own work, without LangChain."""
    model: Any = resolve_model(MODEL, seed=1)
    task = Hanoi(disks)
    state: Any = task.start()
    for _ in range(task.total()):
        prompt: Any = task.prompt(state)
        for number in range(K):
            reply = model.simulator.reply(prompt, seed=number, max_tokens=750)
        state = task.apply(state, task.parse(reply.text))  # type: ignore[arg-type]  # parsed just now


VARIANTS: dict[str, Callable[[int], Awaitable[None]]] = {
    "whole_run": whole_run,
    "whole_run_lookahead_32": ahead,
    "graph_alone": graph_alone,
    "hand_written_sync": by_hand_sync,
    "hand_written_default": by_hand_default,
    "bare_loop": bare_loop,
    "model_alone": model_alone,
}


def main() -> None:
    """Run and print one JSON object."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--disks", type=int, default=9)
    parser.add_argument("--times", type=int, default=3)
    parser.add_argument("--json", action="store_true", help="print one JSON object (always)")
    options = parser.parse_args()
    asyncio.run(graph_alone(4))  # imports and caches
    gc.collect()
    gc.freeze()  # as the command line does, for all alike
    best = dict.fromkeys(VARIANTS, float("inf"))
    for _ in range(options.times):
        for name, what in VARIANTS.items():
            began = time.perf_counter()
            asyncio.run(what(options.disks))  # type: ignore[arg-type]  # all are coroutines
            best[name] = min(best[name], time.perf_counter() - began)
    steps = Hanoi(options.disks).total()
    times = {f"{name}_ms_per_step": round(1000 * seconds / steps, 2) for name, seconds in best.items()}
    ratios = {
        "whole_run_to_hand_written_sync": round(best["whole_run"] / best["hand_written_sync"], 3),
        "whole_run_to_graph_alone": round(best["whole_run"] / best["graph_alone"], 3),
        "lookahead_32_to_1": round(best["whole_run_lookahead_32"] / best["whole_run"], 3),
    }
    print(json.dumps({"disks": options.disks, **times, **ratios}))


if __name__ == "__main__":
    main()
