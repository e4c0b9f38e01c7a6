"""What is not in the base install, and the one sentence for those who need it."""

from importlib.util import find_spec

from maker_graph.errors import UsageError


def need_plan_extra(what: str) -> None:
    """See that what measures and draws is installed.

    Raises:
        UsageError: it is not; the text says how to install it.
    """
    need_extra("plan", what, "scipy", "matplotlib")


def need_extra(extra: str, what: str, *modules: str) -> None:
    """See that the modules of an extra are installed.

    Raises:
        UsageError: one is not; the text says how to install it.
    """
    missing = [name.replace("_", "-") for name in modules if find_spec(name) is None]
    if missing:
        raise UsageError(f"{what} needs {' and '.join(missing)}: pip install 'maker-graph[{extra}]'.")
