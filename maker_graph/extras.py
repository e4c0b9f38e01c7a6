"""Checks that an optional dependency is installed, with an error that says how to install it."""

from importlib.util import find_spec

from maker_graph.errors import UsageError


def need_plan_extra(what: str) -> None:
    """Make sure that the packages of the extra `plan`, for statistics and plots, are installed. `what` needs them.

    Raises:
        UsageError: one is missing; the error says how to install it.
    """
    need_extra("plan", what, "scipy", "matplotlib")


def need_extra(extra: str, what: str, *modules: str) -> None:
    """Make sure that these modules of an extra are installed. `what` needs them.

    Raises:
        UsageError: one is missing; the error says how to install it.
    """
    missing = [name.replace("_", "-") for name in modules if find_spec(name) is None]
    if missing:
        raise UsageError(f"{what} needs {' and '.join(missing)}: pip install 'maker-graph[{extra}]'.")
