"""Keeps the checkpoints of `langgraph dev` in a SQLite file or in Postgres (extra `fleet`), and not only in memory.

To use it, write in langgraph.json: "checkpointer": {"path": "./graphs/checkpointer.py:create_checkpointer"}
"""

import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import aiosqlite
from langgraph.checkpoint.base import BaseCheckpointSaver
from langgraph.checkpoint.sqlite.aio import AsyncSqliteSaver

from maker_graph import strict_serializer
from maker_graph.extras import need_extra

CONNECTIONS = 10
"""The most connections to Postgres."""


@asynccontextmanager
async def create_checkpointer() -> AsyncIterator[BaseCheckpointSaver[str]]:
    """Yield a saver that writes into the file or the database that MAKER_GRAPH_CHECKPOINTS names.

    The variable holds an address like postgresql://HOST/DATABASE, or the path of a file. The default is the file
    .langgraph_api/checkpoints.db.

    Raises:
        UsageError: the variable holds an address, and the extra `fleet` is missing.
    """
    where = os.environ.get("MAKER_GRAPH_CHECKPOINTS", ".langgraph_api/checkpoints.db")
    if where.startswith(("postgresql://", "postgres://")):
        async with _in_postgres(where) as saver:
            yield saver
    else:
        async with aiosqlite.connect(where) as connection:
            yield AsyncSqliteSaver(connection, serde=strict_serializer())


@asynccontextmanager
async def _in_postgres(address: str) -> AsyncIterator[BaseCheckpointSaver[str]]:
    need_extra("fleet", "MAKER_GRAPH_CHECKPOINTS with an address", "psycopg", "psycopg_pool")
    from langgraph.checkpoint.postgres.aio import AsyncPostgresSaver  # noqa: PLC0415  an extra
    from psycopg.rows import dict_row  # noqa: PLC0415
    from psycopg_pool import AsyncConnectionPool  # noqa: PLC0415

    how = {"autocommit": True, "prepare_threshold": 0, "row_factory": dict_row}
    async with AsyncConnectionPool(address, min_size=1, max_size=CONNECTIONS, kwargs=how) as pool:
        saver = AsyncPostgresSaver(pool, serde=strict_serializer())
        await saver.setup()
        yield saver
