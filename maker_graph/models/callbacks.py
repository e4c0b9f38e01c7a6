"""Whether anything listens to a call of a model."""

from langchain_core.callbacks import BaseCallbackManager
from langchain_core.runnables.config import var_child_runnable_config


def nobody_listens() -> bool:
    """Say whether the graph around a call has no callback handlers: no trace, no stream of messages, and none of the user.

    Then the name, tags and metadata of a call are not needed.
    """
    around = var_child_runnable_config.get() or {}
    callbacks = around.get("callbacks")
    return isinstance(callbacks, BaseCallbackManager) and not callbacks.handlers
