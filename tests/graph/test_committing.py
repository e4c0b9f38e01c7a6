"""What commits puts the steps into the log first, and waits for a log that takes long."""

import asyncio
from typing import Any

import pytest

from maker_graph.core.machine import Committed
from maker_graph.graph.committing import commit_node

STEP: Any = {"step": 1}


class Sync:
    """A log that is told at once."""

    def __init__(self) -> None:
        self.told: list[Any] = []
        self.step = 0

    def position(self) -> Any:
        """Return where it ends."""
        return {"step": self.step}

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
        node = commit_node(log, steps_of, {"decision": {}})
        assert await node.ainvoke({"decision": {}, "step": 0}) == {"decision": {}, "step": 1}
        assert [kind for kind, _ in log.told] == [name]
        assert node.invoke({"decision": {}, "step": 0}) == {"decision": {}, "step": 1}
        assert [kind for kind, _ in log.told] == [name, "append"]
    assert await commit_node(None, steps_of, {"ahead": []}).ainvoke({"decision": {}, "step": 0}) == {"step": 1, "ahead": []}


async def test_steps_that_cannot_be_kept_have_not_happened() -> None:
    with pytest.raises(OSError, match="1"):
        await commit_node(Full(), steps_of, {}).ainvoke({"decision": {}, "step": 0})


@pytest.mark.parametrize("log", [Sync(), Slow()])
async def test_what_a_log_has_already_is_not_committed_again(log: Sync) -> None:
    log.step = 5
    node = commit_node(log, steps_of, {"decision": {}})
    for found in (await node.ainvoke({"decision": {}, "step": 3}), node.invoke({"decision": {}, "step": 3})):
        assert found == {"step": 5, "decision": {}}
    assert log.told == []
