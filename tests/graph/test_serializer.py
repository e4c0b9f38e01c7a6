"""Checkpoints hold data, and nothing in them is run."""

import re
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer
from langgraph.checkpoint.sqlite import SqliteSaver
from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

import maker_graph
from maker_graph import UsageError, create_maker, strict_serializer
from maker_graph.tasks import Hanoi


class Stored(BaseCheckpointSaver[str]):
    """A saver of which only the serializer is looked at."""


def test_a_checkpointer_that_runs_what_its_database_says_is_refused_unless_trusted() -> None:
    for serde in (JsonPlusSerializer(allowed_msgpack_modules=True), JsonPlusSerializer(pickle_fallback=True)):
        with pytest.raises(UsageError, match="strict_serializer"):
            create_maker(Hanoi(3), model="sim:perfect").compile(checkpointer=Stored(serde=serde))
        create_maker(Hanoi(3), model="sim:perfect", trust_checkpoints=True).compile(checkpointer=Stored(serde=serde))
    create_maker(Hanoi(3), model="sim:perfect").compile(checkpointer=Stored(serde=strict_serializer()))
    create_maker(Hanoi(3), model="sim:perfect").compile(
        checkpointer=InMemorySaver(serde=JsonPlusSerializer(allowed_msgpack_modules=True))
    )


PERMISSIVE = JsonPlusSerializer(allowed_msgpack_modules=True)


@contextmanager
def sqlite(serde: Any) -> Iterator[SqliteSaver]:
    with closing(sqlite3.connect(":memory:", check_same_thread=False)) as connection:
        yield SqliteSaver(connection, serde=serde)


class Around(TypedDict):
    state: Any


def around(maker: Any, checkpointer: Any) -> Any:
    """Return a graph with `checkpointer` of which the machine is a part."""
    return StateGraph(Around).add_node("maker", maker).add_edge(START, "maker").compile(checkpointer=checkpointer)


@pytest.mark.parametrize("lookahead", [1, 4])
@pytest.mark.parametrize("way", ["node", "called", "config", "later"])
def test_the_checkpointer_of_a_graph_around_the_machine_is_refused_in_the_same_words(lookahead: int, way: str) -> None:
    builder = create_maker(Hanoi(2), model="sim:perfect", k=1, lookahead=lookahead)
    maker: Any = builder.compile()
    config: Any = {"configurable": {"thread_id": "1"}}
    with sqlite(PERMISSIVE) as permissive, sqlite(strict_serializer()) as strict:
        with pytest.raises(UsageError) as at_once:
            builder.compile(checkpointer=permissive)

        def app(saver: Any) -> Any:
            if way == "config":  # as a server hands it in
                return maker.with_config(configurable={"__pregel_checkpointer": saver})
            if way == "later":
                return maker.copy(update={"checkpointer": saver})
            return around(maker if way == "node" else lambda _: {"state": maker.invoke({})["state"]}, saver)

        with pytest.raises(UsageError, match=re.escape(str(at_once.value))):
            app(permissive).invoke({}, config)
        assert app(strict).invoke({}, config)["state"]["pegs"] == [[], [], [2, 1]]


async def test_neither_a_machine_that_is_trusting_nor_one_that_keeps_no_checkpoints_refuses_it() -> None:
    saver = Saving(serde=PERMISSIVE)
    trusting = create_maker(Hanoi(2), model="sim:perfect", k=1, trust_checkpoints=True).compile()
    without = create_maker(Hanoi(2), model="sim:perfect", k=1).compile(checkpointer=False)
    refused = create_maker(Hanoi(2), model="sim:perfect", k=1).compile()
    for maker in (trusting, without):
        result = await around(maker, saver).ainvoke({}, {"configurable": {"thread_id": str(id(maker))}})
        assert result["state"]["pegs"] == [[], [], [2, 1]]
    with pytest.raises(UsageError, match="strict_serializer"):
        await around(refused, saver).ainvoke({}, {"configurable": {"thread_id": "refused"}})


class Saving(BaseCheckpointSaver[str]):
    """A saver that is not LangGraph's own in memory, and keeps things there."""

    def __init__(self, *, serde: Any) -> None:
        super().__init__(serde=serde)
        inner = InMemorySaver()
        for name in ("get_tuple", "aget_tuple", "put", "aput", "put_writes", "aput_writes", "list", "alist"):
            setattr(self, name, getattr(inner, name))

    def get_next_version(self, current: Any, channel: Any) -> Any:
        return InMemorySaver().get_next_version(current, channel)


def test_the_way_that_the_refusal_names_works(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    builder = create_maker(Hanoi(2), model="sim:perfect", k=1)
    with sqlite(PERMISSIVE) as permissive, pytest.raises(UsageError) as refusal:
        builder.compile(checkpointer=permissive)
    (named,) = re.findall(r"SqliteSaver\(.*\)\)", str(refusal.value))
    saver = eval(named, {"SqliteSaver": SqliteSaver, "sqlite3": sqlite3, "maker_graph": maker_graph})  # noqa: S307  our own words
    with closing(saver.conn):
        result = builder.compile(checkpointer=saver).invoke({}, {"configurable": {"thread_id": "1"}})
    assert result["done"]
    assert (tmp_path / "checkpoints.db").exists()
