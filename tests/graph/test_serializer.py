"""Checkpoints hold data, and nothing in them is run."""

import pytest
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

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
