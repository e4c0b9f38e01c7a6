"""The node of a part whose answer is given: by the program, or by the world.

A part of the world acts. Before it acts, its intent is in the journal (`ActionLog`), and this process still owns the run.
Afterwards its answer is committed like any decision. A process that dies in between leaves an intent without an answer. Then
nobody knows whether the action was performed, and `on_doubt` says what happens when the run goes on: it is performed again,
or a person is asked. If an action was performed but its answer cannot be kept, a person is always asked before it is
performed again.

Without a journal, a checkpoint must be on the disk before each action: see `see_durable`.
"""

import asyncio
import contextvars
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import Any, Literal, TypeAlias, get_args

from langchain_core.runnables import RunnableConfig, ensure_config
from langgraph.config import get_config, get_stream_writer
from langgraph.types import interrupt

from maker_graph.core import checks
from maker_graph.core.canonical import JSON, plain, strict_json
from maker_graph.core.decision import given
from maker_graph.core.guarding import Given, Guarded
from maker_graph.core.machine import ActionLog, Log
from maker_graph.errors import MakerError, PartFailed, UsageError
from maker_graph.graph.runnables import Node

OnDoubt: TypeAlias = Literal["again", "ask"]
"""What happens if nobody knows whether an action was performed: it is performed again, or a person is asked."""

AGAIN = "again"
"""The reply of a person who wants the action to be performed again."""


def given_node(part: Given, task: str, log: Log | None, on_doubt: OnDoubt) -> Node:
    """Return the node that asks `part`, a part of the task named `task`, for its answer.

    Under `ainvoke` a plain function always runs in the same thread. So a connection that it opened can be used again.
    """
    where = f"{task}.parts[{part.name!r}].answer"
    acts = part.by == "world"
    actions = log if acts and isinstance(log, ActionLog) else None
    thread = ThreadPoolExecutor(1, thread_name_prefix=f"maker-graph-{part.name}")

    def called(values: Mapping[str, Any]) -> Callable[[], Any]:
        run = actions.run_id if actions is not None else str(get_config().get("configurable", {}).get("thread_id", ""))
        return partial(part.answer, values["state"], values["step"] + 1, run)

    def kept(answer: Any, step: int) -> JSON:
        try:
            return plain(answer, own=True)
        except ValueError as error:
            if actions is not None:
                actions.performed(step, part.name, None, known=False)
            raise UsageError(f"What {where} returned is {error}.") from error

    def act(values: Mapping[str, Any]) -> dict[str, Any]:
        if part.awaited:
            raise UsageError(f"{where} is a coroutine function: run the graph with ainvoke or astream.")
        step = values["step"] + 1
        answer, known = _prepared(part, actions, on_doubt, step)
        return _decided(answer if known else kept(_asked(where, called(values)), step), part)

    async def aact(values: Mapping[str, Any]) -> dict[str, Any]:
        step = values["step"] + 1
        answer, known = _prepared(part, actions, on_doubt, step)
        if not known:
            call = called(values)
            work = asyncio.ensure_future(_awaited(where, call) if part.awaited else _in_thread(thread, where, call))
            try:
                answer = kept(await (asyncio.shield(work) if acts else work), step)
            except asyncio.CancelledError:
                if actions is not None:  # what is under way comes to its end, and is not done again
                    actions.performed(step, part.name, kept(await work, step))
                raise
        return _decided(answer, part)

    return Node(act, aact)


def _prepared(part: Given, actions: ActionLog | None, on_doubt: OnDoubt, step: int) -> tuple[JSON, bool]:
    """Return the answer and True if it is known already; else None and False, after the intent to act is on the disk."""
    if actions is None:
        return None, False
    if (begun := actions.begun(step)) is not None:
        if begun.known:
            return begun.answer, True
        if begun.performed or on_doubt == "ask":
            answer, known = _person(part, step, performed=begun.performed)
            if known:
                return answer, True
    actions.intend(step, part.name)
    return None, False


def _person(part: Given, step: int, *, performed: bool) -> tuple[JSON, bool]:
    """Ask a person about an action in doubt; return its answer and True, or None and False to perform it again."""
    what, problem = f"action of step {step} ({part.name})", ""
    why = f"The process ended after the {what} was begun, and nobody knows whether it was performed."
    if performed:
        why = f"The {what} was performed, and what it returned could not be kept."
    while True:
        reply = interrupt(
            {
                "question": f"What did the {what} return?" if performed else f"Was the {what} performed?",
                "problem": problem,
                "reason": f"{why} Reply {AGAIN!r} to perform it again, or what it returned, as JSON.",
                "prompt": [],
                "ballot": {},
                "flags": {},
                "samples": 0,
                "replies": [],
            }
        )
        if reply == AGAIN:
            return None, False
        try:
            return strict_json(reply) if isinstance(reply, str) else plain(reply), True
        except ValueError as error:
            problem = f"The answer was not taken: it is neither {AGAIN!r} nor JSON ({error})."


def _asked(where: str, call: Callable[[], Any]) -> Any:
    try:
        return call()
    except MakerError:
        raise
    except Exception as error:
        raise _failed(where, error) from error


async def _awaited(where: str, call: Callable[[], Any]) -> Any:
    try:
        return await call()
    except MakerError:
        raise
    except Exception as error:
        raise _failed(where, error) from error


async def _in_thread(thread: ThreadPoolExecutor, where: str, call: Callable[[], Any]) -> Any:
    context = contextvars.copy_context()
    return await asyncio.get_running_loop().run_in_executor(thread, context.run, _asked, where, call)


def _failed(where: str, error: Exception) -> PartFailed:
    return PartFailed(f"{where} failed with {type(error).__name__}: {str(error)[:300]}. All steps before it are kept.")


def _decided(answer: JSON, part: Given) -> dict[str, Any]:
    decision = given(answer, part.by)
    get_stream_writer()({"decision": decision})
    return {"decision": dict(decision)}


def acts_unlogged(task: Guarded, log: Log | None, on_doubt: OnDoubt) -> bool:
    """Say whether `task` acts on the world and no log keeps its intents.

    Raises:
        UsageError: the log that is given keeps no intents, or `on_doubt` is "ask" and there is no log.
    """
    checks.one_of("on_doubt", on_doubt, get_args(OnDoubt))
    if not task.acts or isinstance(log, ActionLog):
        return False
    if log is not None:
        raise UsageError(f"{task.title} acts on the world, so its log must keep intents: give it begun, intend and performed.")
    if on_doubt == "ask":
        raise UsageError("on_doubt='ask' needs a log that keeps intents, or maker_graph.Run, which has one.")
    return True


def see_durable(config: RunnableConfig | None, checkpointer: object, durability: object) -> Literal["sync"]:
    """Return the durability of a graph that acts on the world without a journal: each action waits for the checkpoint.

    Raises:
        UsageError: there is no checkpointer, or the graph does not wait for its checkpoints.
    """
    around = ensure_config(config).get("configurable", {})
    nested = "__pregel_checkpointer" in around
    if checkpointer is False or (not checkpointer and around.get("__pregel_checkpointer") is None):
        raise UsageError(
            "This task acts on the world, so each step must be on the disk before the next action: compile the graph with a "
            "checkpointer, give create_maker a log that is an ActionLog, or use maker_graph.Run."
        )
    mode = durability or (around.get("__pregel_durability", "async") if nested else "sync")
    if mode != "sync":
        raise UsageError(
            f"This task acts on the world, and durability={mode!r} may do so before the step is on the disk: call the "
            'graph with durability="sync"' + (", and the graph around it too." if nested else ".")
        )
    return "sync"
