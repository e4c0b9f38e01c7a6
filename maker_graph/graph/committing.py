"""The node that commits: what was decided goes into the log, and only then the state moves."""

from collections.abc import Callable, Sequence
from typing import Any

from maker_graph.core.machine import AsyncLog, Committed, Log
from maker_graph.graph.runnables import Node


def commit_node(
    log: Log | None,
    steps_of: Callable[[Any], Sequence[Committed]],
    after: Callable[[Any, Sequence[Committed]], dict[str, Any]],
) -> Node:
    """Return the node.

    Args:
        log: where the steps go; under `ainvoke` one that is an `AsyncLog` is waited for.
        steps_of: from the state to the steps that are committed together.
        after: from the state and the steps to what changes in the state.
    """
    waits = log if isinstance(log, AsyncLog) else None

    def commit(values: Any) -> dict[str, Any]:
        steps = steps_of(values)
        if log is not None:
            log.append(steps)
        return after(values, steps)

    async def acommit(values: Any) -> dict[str, Any]:
        if waits is None:
            return commit(values)
        steps = steps_of(values)
        await waits.aappend(steps)
        return after(values, steps)

    return Node(commit, acommit)
