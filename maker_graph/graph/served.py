"""What the graphs that `langgraph dev` serves share: their settings, from the context of a run or an assistant."""

from typing import Any, TypeVar

from langgraph_sdk.runtime import ServerRuntime
from pydantic import BaseModel, ValidationError

from maker_graph.errors import UsageError

Settings = TypeVar("Settings", bound=BaseModel)


def settings_of(runtime: ServerRuntime[Any], schema: type[Settings]) -> Settings:
    """Return the settings that a run was started with, or the defaults where the server only looks at the graph.

    Raises:
        UsageError: a value is wrong; the text names it, on one line.
    """
    running = runtime.execution_runtime
    given = None if running is None else running.context
    try:
        return schema.model_validate({} if given is None else given)
    except ValidationError as error:
        problems = (f"{'.'.join(map(str, each['loc'])) or 'context'}: {each['msg']}" for each in error.errors())
        raise UsageError(f"The context is not right. {'; '.join(problems)}.") from None
