"""What a RetryPolicy of LangGraph's may try again of a node that votes."""

from langgraph.types import RetryPolicy

from maker_graph.errors import MakerError, ProviderFailure

_DEFAULT = RetryPolicy().retry_on


def retry_on(error: Exception) -> bool:
    """Say whether a node that failed with `error` is worth another try: for `RetryPolicy(retry_on=retry_on)`.

    Of this package's errors only an outage of the provider is (`ProviderFailure.passes`). An undecided vote is not: it would be
    taken again from zero, paid for again, and an answer that needs several votes to win is no longer ahead by k. What other
    nodes raise is tried again as by LangGraph's default.

    >>> from maker_graph import LimitReached, ProviderFailure
    >>> retry_on(ProviderFailure("It is down.", 503, passes=True)), retry_on(LimitReached("The budget is used up."))
    (True, False)

    Args:
        error: what the node raised.
    """
    if isinstance(error, MakerError):
        return isinstance(error, ProviderFailure) and error.passes
    assert callable(_DEFAULT)  # noqa: S101  LangGraph's default is a function
    return bool(_DEFAULT(error))
