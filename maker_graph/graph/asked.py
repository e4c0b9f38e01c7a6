"""The input of a microstep, kept outside its checkpoints.

A checkpointer writes down what a graph holds at each superstep. Some checkpointers write all of it each time. A conversation
with a picture would be written about ten times for one vote, and once more for each sample. The caller's graph keeps the
conversation already: a microstep that is resumed within another graph is called with the same input again. So the input
travels in the config of the invocation, and the microstep drops its own copy after the first samples.

A microstep that has a checkpointer of its own and no graph around it is resumed without its input. It keeps everything in its
channels.
"""

from collections.abc import AsyncIterator, Iterator, Mapping
from typing import Any

from langchain_core.runnables import RunnableConfig
from langchain_core.runnables.config import var_child_runnable_config
from langgraph.types import Command

from maker_graph.core.task import Prompt
from maker_graph.graph.direct import DirectVote
from maker_graph.graph.runnables import BoundedGraph
from maker_graph.models.agents import CALLERS_LIMIT

_KEY = "__maker_asked"
_WITHIN = "__pregel_task_id"  # LangGraph's mark of a graph that runs as a node of another
_SAVER = "__pregel_checkpointer"


class Asked:
    """What one invocation of a microstep was called with.

    Attributes:
        values: the caller's keys.
        prompt: what the model is asked; None before it is made. All samples of all rounds share this one object.
        saved: whether a checkpointer writes down what the microstep holds.
    """

    __slots__ = ("prompt", "saved", "values")

    def __init__(self, values: Mapping[str, Any], *, saved: bool) -> None:
        self.values = values
        self.saved = saved
        self.prompt: Prompt | None = None


def asked(config: RunnableConfig) -> Asked | None:
    """Return what a microstep was called with, from the config of its nodes; None if only its channels hold it."""
    found: Asked | None = config.get("configurable", {}).get(_KEY)
    return found


class MicrostepGraph(BoundedGraph):
    """A compiled microstep that keeps the input of each invocation in its config.

    Attributes:
        keys: the caller's keys.
        direct: the same vote without the graph.
    """

    def __init__(self, *, keys: Mapping[str, Any], direct: DirectVote, **compiled: Any) -> None:
        super().__init__(**compiled)
        self.keys = keys
        self.direct = direct

    def stream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> Iterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and invoke; see `Pregel.stream`."""
        return super().stream(input, config, **self._answering(kwargs))

    def astream(self, input: Any, config: RunnableConfig | None = None, **kwargs: Any) -> AsyncIterator[Any]:  # noqa: A002  Pregel's name
        """Stream, and ainvoke; see `Pregel.astream`."""
        return super().astream(input, config, **self._answering(kwargs))

    def _answering(self, kwargs: dict[str, Any]) -> dict[str, Any]:
        """Return the arguments of a stream that shows only the keys that the microstep writes.

        Under `astream_events` LangGraph takes the last values of a stream as the return value of the node. Without this, the
        caller's own keys would come back too, and a reducer would count them twice.
        """
        return kwargs if kwargs.get("output_keys") is not None else {**kwargs, "output_keys": self.output_channels}

    def _prepared(self, input: Any, config: RunnableConfig | None) -> RunnableConfig:  # noqa: A002  Pregel's name
        prepared = super()._prepared(input, config)
        own = prepared.get("configurable", {})
        around = {**(var_child_runnable_config.get() or {}).get("configurable", {}), **own}
        saved = self.checkpointer is not False and bool(self.checkpointer or around.get(_SAVER))
        known = input is not None and not isinstance(input, Command) and (_WITHIN in around or not saved)
        values = Asked(_values(input, self.keys), saved=saved) if known else None
        limit = (config or {}).get("recursion_limit") or (var_child_runnable_config.get() or {}).get("recursion_limit")
        return {**prepared, "configurable": {**own, _KEY: values, CALLERS_LIMIT: limit}}


def _values(given: Any, keys: Mapping[str, Any]) -> dict[str, Any]:
    """Return the caller's keys of an input: a dict, or the caller's own dataclass or pydantic model."""
    if isinstance(given, Mapping):
        return {name: given[name] for name in keys if name in given}
    return {name: getattr(given, name) for name in keys if hasattr(given, name)}
