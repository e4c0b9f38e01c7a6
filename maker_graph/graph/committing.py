"""The node that commits: decisions are written into the log, and only then the state changes."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maker_graph.core.machine import AsyncLog, Committed, Log, further
from maker_graph.graph.runnables import Node


def commit_node(log: Log | None, steps_of: Callable[[Any], Sequence[Committed]], cleared: Mapping[str, Any]) -> Node:
    """Return the node. If the log is ahead of the state, it commits nothing, and returns the state at the end of the log.

    Args:
        log: where the steps are written; under `ainvoke` an `AsyncLog` is awaited.
        steps_of: a function from the state to the steps that are committed together.
        cleared: the other keys of the state afterwards, with nothing under way.
    """
    waits = log if isinstance(log, AsyncLog) else None

    def commit(values: Any) -> dict[str, Any]:
        if (ends := further(log, values["step"])) is not None:
            return {**ends, **cleared}
        steps = steps_of(values)
        if log is not None:
            log.append(steps)
        return {**steps[-1].after, **cleared}

    async def acommit(values: Any) -> dict[str, Any]:
        if waits is None or further(log, values["step"]) is not None:
            return commit(values)
        steps = steps_of(values)
        await waits.aappend(steps)
        return {**steps[-1].after, **cleared}

    return Node(commit, acommit)
