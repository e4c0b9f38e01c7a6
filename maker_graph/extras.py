"""What is not in the base install, and the one sentence for those who need it."""

from importlib.util import find_spec

from maker_graph.errors import UsageError


def need_plan_extra(what: str) -> None:
    """See that what measures and draws is installed.

    Raises:
        UsageError: it is not; the text says how to install it.
    """
    missing = [name for name in ("scipy", "matplotlib") if find_spec(name) is None]
    if missing:
        raise UsageError(f"{what} needs {' and '.join(missing)}: pip install 'maker-graph[plan]'.")


def need_agents_extra(what: str) -> None:
    """See that LangChain's agents are installed.

    Raises:
        UsageError: they are not; the text says how to install them.
    """
    if find_spec("langchain") is None:
        raise UsageError(f"{what} needs langchain: pip install 'maker-graph[agents]'.")
