"""The node that commits: what was decided goes into the log, and only then the state moves."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from maker_graph.core.machine import AsyncLog, Committed, Log, further
from maker_graph.graph.runnables import Node


def commit_node(log: Log | None, steps_of: Callable[[Any], Sequence[Committed]], cleared: Mapping[str, Any]) -> Node:
    """Return the node. Where the log is further than the state, it commits nothing, and the state is where the log ends.

    Args:
        log: where the steps go; under `ainvoke` one that is an `AsyncLog` is waited for.
        steps_of: from the state to the steps that are committed together.
        cleared: what else is in the state afterwards: nothing is under way.
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
