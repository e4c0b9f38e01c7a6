"""Checkpoints hold data, and nothing in them is ever run.

LangGraph's serializer can bring back any class that a checkpoint names. So a person who can write to the database of
checkpoints can run code in the process that loads one. The states of maker_graph are plain JSON and need no such classes.
"""

import logging
import pickle
import threading
import warnings
from dataclasses import dataclass

from langgraph.checkpoint.memory import InMemorySaver
from langgraph.checkpoint.serde.base import SerializerProtocol
from langgraph.checkpoint.serde.jsonplus import JsonPlusSerializer

from maker_graph.errors import UsageError


def strict_serializer() -> SerializerProtocol:
    """Return a serializer for a checkpointer (`serde=`) that brings back plain data and LangGraph's own types only."""
    return JsonPlusSerializer(pickle_fallback=False, allowed_msgpack_modules=None)


def refuse_permissive(checkpointer: object) -> None:
    """Make sure that `checkpointer` makes no objects of classes that its stored checkpoints name; one in memory is accepted.

    Raises:
        UsageError: it may make them; the text says what to do.
    """
    serde = getattr(checkpointer, "serde", None)
    if serde is None or isinstance(checkpointer, InMemorySaver):
        return
    if _brings_back(serde, *JsonPlusSerializer(allowed_msgpack_modules=True).dumps_typed(_Probe())) or _brings_back(
        serde, "pickle", pickle.dumps(_Probe())
    ):
        raise UsageError(
            "This checkpointer runs code that somebody may have written into its database. Make it from a connection and with "
            "maker_graph.strict_serializer(), because from_conn_string takes no serializer. For SQLite: "
            'SqliteSaver(sqlite3.connect("checkpoints.db", check_same_thread=False), serde=maker_graph.strict_serializer()). '
            "Or set LANGGRAPH_STRICT_MSGPACK=true in the environment. To use it as it is, pass trust_checkpoints=True to "
            "create_maker."
        )


@dataclass(frozen=True, slots=True)
class _Probe:
    """What only a permissive serializer brings back."""


_PROBING = threading.Lock()
"""All threads share Python's warning filters, so only one probe at a time may change them and put them back."""


def _brings_back(serde: SerializerProtocol, kind: str, data: bytes) -> bool:
    log = logging.getLogger("langgraph.checkpoint.serde.jsonplus")
    with _PROBING:
        log.addFilter(_not_the_probe)  # LangGraph logs what it blocks, and here that is what should happen
        try:
            with warnings.catch_warnings(action="ignore"):
                return isinstance(serde.loads_typed((kind, data)), _Probe)
        except Exception:  # noqa: BLE001  however it refuses
            return False
        finally:
            log.removeFilter(_not_the_probe)


def _not_the_probe(record: logging.LogRecord) -> bool:
    return _Probe.__name__ not in record.getMessage()
