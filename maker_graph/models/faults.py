"""What goes wrong between us and a provider.

A failed request is one of four kinds, and only two of them pass by themselves:
- slow_down: 429. All callers wait, for as long as the provider says;
- transient: 408, 409, 5xx, no connection, one that broke, a time-out, a body that is no completion. Tried again;
- step: this prompt is refused (too long, or by a filter on the input). Another prompt may pass, the same never will;
- fatal: the key, the model's name, the quota or a setting is wrong. Nothing passes until a person has cured it.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from typing import Literal, TypeAlias

from maker_graph.core.characters import visible
from maker_graph.errors import MakerError, ProviderFailure
from maker_graph.models.redaction import redacted

Kind: TypeAlias = Literal["slow_down", "fatal", "step", "transient"]

_THIS_PROMPT = re.compile(
    r"context.?(length|window|size)|(prompt|input|request) is too long|too many (input )?tokens|above_max_length"
    r"|invalid_prompt|content.(filter|policy|management)"
)
_BROKEN = {"APIConnectionError", "TransportError", "APIResponseValidationError", "ClientConnectionError", "ClientPayloadError"}
_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError", "ClientConnectorError"}
_CLIENTS = ("langchain_openai", "langchain_core", "openai", "json")


@dataclass(frozen=True, slots=True)
class Fault:
    """What a request failed for.

    Attributes:
        kind: slow_down, transient, step or fatal; see the top of the file.
        status: the HTTP status, if there was one.
        told: the seconds that the provider asks to wait, if it says so.
        billed: whether the provider may bill the request all the same: it was sent, and no status says that it failed.
    """

    kind: Kind
    status: int | None = None
    told: float | None = None
    billed: bool = False


def fault_of(error: BaseException, *, openai: bool) -> Fault | None:
    """Return what kind of fault the provider has, or None if `error` is none of a provider's.

    Args:
        error: what a model raised.
        openai: whether the model is LangChain's for OpenAI, from inside which a body that is no completion surfaces as an
            error of Python's own.
    """
    if isinstance(error, MakerError) or not isinstance(error, Exception):
        return None
    status = _status(error)
    if status is not None:
        return Fault(_kind(status, error), status, _told(error))
    names = {kind.__name__ for each in _causes(error) for kind in type(each).__mro__}
    if names & _BROKEN or (isinstance(error, OSError) and error.filename is None):
        return Fault("transient", billed=not names & _NOT_SENT)
    if openai and isinstance(error, AttributeError | LookupError | TypeError | ValueError) and _from_client(error):
        return Fault("transient", billed=True)
    return None


def _kind(status: int, error: Exception) -> Kind:
    code, text = str(getattr(error, "code", "")), str(error).lower()
    if code == "insufficient_quota" or "insufficient_quota" in text:
        return "fatal"
    if status == 429:
        return "slow_down"
    if status in {408, 409} or status >= 500:
        return "transient"
    if status == 413 or (status in {400, 422} and (_THIS_PROMPT.search(code) or _THIS_PROMPT.search(text))):
        return "step"
    return "fatal"


def _status(error: BaseException) -> int | None:
    """Return the HTTP status that `error` tells of; some servers send it inside of a 200."""
    said = error.args[0] if error.args and isinstance(error.args[0], dict) else {}
    for value in (
        getattr(error, "status_code", None),
        getattr(getattr(error, "response", None), "status_code", None),
        said.get("code"),
    ):
        if isinstance(value, int) and value >= 400:
            return value
    return None


def _told(error: BaseException) -> float | None:
    """Return the seconds that the headers ask to wait: `retry-after-ms`, or Retry-After in seconds or as a date."""
    headers = getattr(getattr(error, "response", None), "headers", None) or {}
    return seconds_told(headers.get("retry-after-ms"), headers.get("retry-after"), headers.get("date"))


def seconds_told(milliseconds: str | None, after: str | None, date: str | None = None) -> float | None:
    """Return how many seconds the headers retry-after-ms, Retry-After and Date ask to wait; None if they do not say.

    A date is counted from the server's own clock, where it sends that, for ours may be another.

    >>> seconds_told("30", None), seconds_told(None, "200"), seconds_told(None, "soon")
    (0.03, 200.0, None)
    >>> seconds_told(None, "Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT")
    30.0
    """
    for text, unit in ((milliseconds, 1000), (after, 1)):
        try:
            seconds = float(text or "") / unit
        except ValueError:
            continue
        if 0 <= seconds < inf:
            return seconds
    try:
        until = parsedate_to_datetime(after or "")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):  # no date, or one without a zone beside one with
        return None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and what is beneath it: LangChain's, the client's, the transport's."""
    while error is not None:
        yield error
        error = error.__cause__


def _from_client(error: Exception) -> bool:
    """Say whether `error` arose inside of the client, from what it read and not from how it was called."""
    return module_of(error).partition(".")[0] in _CLIENTS and "keyword argument" not in str(error)


def module_of(error: BaseException) -> str:
    """Return the module in which `error` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))


def said(error: BaseException, keys: Sequence[str] = ()) -> str:
    """Return what a provider said, on one line, short and without keys."""
    text = visible(redacted(" ".join(str(error).split()), keys))[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def raise_failure(error: Exception, *, name: str, keys: Sequence[str], attempts: int, openai: bool) -> None:
    """Raise the provider's faults as a ProviderFailure; return for anything else, which is to be raised as it is.

    Args:
        error: what the last attempt raised.
        name: the model's.
        keys: API keys, which must not be in what is raised.
        attempts: how often it was tried.
        openai: as in `fault_of`.

    Raises:
        ProviderFailure: what went wrong, and what to do.
    """
    fault = fault_of(error, openai=openai)
    if fault is None:
        return
    match fault.status:
        case 401 | 403:
            todo = "The API key is missing, wrong or not allowed to use this model: set the right one and resume."
        case 404:
            todo = f"The provider knows no model {name!r} at this address: check the name and the base URL."
        case _ if fault.kind == "step":
            todo = "The provider does not accept this prompt, and will not when it is asked again."
        case 400 | 413 | 422:
            todo = "The provider does not accept the request; if it names a setting, change that one."
        case _ if fault.kind == "fatal":
            todo = "The quota is used up: add credit and resume." if fault.status == 429 else "Cure this and resume."
        case _:
            todo = f"It failed {attempts} times in a row: resume when the provider answers again."
    text = f"{name}: {said(error, keys)}. {todo}"
    # A cause is printed with the failure: not if it holds a key.
    cause = error if redacted(str(error), keys) == str(error) else None
    raise ProviderFailure(text, fault.status, "step" if fault.kind == "step" else "run") from cause
