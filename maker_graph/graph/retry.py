"""Which errors of a voted node a RetryPolicy of LangGraph may try again."""

from langgraph.types import RetryPolicy

from maker_graph.errors import MakerError, ProviderFailure

_DEFAULT = RetryPolicy().retry_on


def retry_on(error: Exception) -> bool:
    """Say whether a node that failed with `error` is worth another try: for `RetryPolicy(retry_on=retry_on)`.

    Of this package's errors, only an outage of the provider is worth another try (`ProviderFailure.passes`). An undecided vote
    is not: it would start again from zero and be paid for again, and repeating votes until one of them wins breaks the
    guarantee of k. For the errors of other nodes, LangGraph's default applies.

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
