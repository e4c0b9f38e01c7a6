"""What commits puts the steps into the log first, and waits for a log that takes long."""

import asyncio
from typing import Any

import pytest

from maker_graph.core.machine import Committed, MakerOutput
from maker_graph.graph.committing import commit_node

STEP: Any = {"step": 1}


class Sync:
    """A log that is told at once."""

    def __init__(self) -> None:
        self.told: list[Any] = []

    def position(self) -> MakerOutput:
        """Return nothing that is looked at."""
        raise NotImplementedError

    def append(self, steps: Any) -> None:
        """Keep the steps."""
        self.told.append(("append", list(steps)))


class Slow(Sync):
    """A log that takes long."""

    async def aappend(self, steps: Any) -> None:
        """Keep the steps, later."""
        await asyncio.sleep(0)
        self.told.append(("aappend", list(steps)))


class Full(Sync):
    """A log that takes nothing."""

    def append(self, steps: Any) -> None:
        """Refuse the steps."""
        raise OSError(len(steps))


def steps_of(values: Any) -> list[Committed]:
    return [Committed(values["decision"], STEP, STEP)]


async def test_each_kind_of_log_is_told_before_the_state_moves() -> None:
    for log, name in ((Sync(), "append"), (Slow(), "aappend")):
        node = commit_node(log, steps_of, lambda values, steps: {"before": values["n"], "after": steps[-1].after["step"]})
        assert await node.ainvoke({"decision": {}, "n": 0}) == {"before": 0, "after": 1}
        assert [kind for kind, _ in log.told] == [name]
        assert node.invoke({"decision": {}, "n": 0}) == {"before": 0, "after": 1}
        assert [kind for kind, _ in log.told] == [name, "append"]
    alone = commit_node(None, steps_of, lambda _, steps: {"after": len(steps)})
    assert await alone.ainvoke({"decision": {}}) == {"after": 1}


async def test_steps_that_cannot_be_kept_have_not_happened() -> None:
    moved: list[int] = []
    node = commit_node(Full(), steps_of, lambda _, steps: moved.append(len(steps)) or {})  # type: ignore[func-returns-value]  # it is None
    with pytest.raises(OSError, match="1"):
        await node.ainvoke({"decision": {}})
    assert moved == []
