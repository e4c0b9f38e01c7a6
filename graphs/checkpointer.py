"""Checkpoints in SQLite for `langgraph dev`, which keeps them in memory by itself.

To use it, write in langgraph.json: "checkpointer": {"path": "./graphs/checkpointer.py:create_checkpointer"}
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from maker_graph import strict_serializer


@asynccontextmanager
async def create_checkpointer() -> AsyncIterator[AsyncSqliteSaver]:
    """Yield a saver on the file that MAKER_GRAPH_CHECKPOINTS names, or on .langgraph_api/checkpoints.db."""
    path = os.environ.get("MAKER_GRAPH_CHECKPOINTS", ".langgraph_api/checkpoints.db")
    async with aiosqlite.connect(path) as connection:
        yield AsyncSqliteSaver(connection, serde=strict_serializer())
