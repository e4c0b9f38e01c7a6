"""What goes wrong between this program and a provider.

A failed request is one of five kinds. Only the first two may go away by themselves:
- slow_down: 429. All callers wait, for as long as the provider says.
- transient: 408, 409, 5xx, a redirect to nowhere, a broken connection, a time-out, no reply in the body. It is tried again.
- step: this prompt is refused (too long, or by a filter on the input). Another prompt may be accepted, the same one never will.
- fatal: the key, the model's name, the quota or a setting is wrong. Nothing works until a person has cured it.
- unknown: an error that does not seem to come from a provider, but from the model's own code, for example. It ends the run too.

A transient failure may depend on what the answer would have been: right answers may be longer, and so come too late or cut.
Then asking again throws away one kind of answer more often than another (`Fault.depends_on_answer`).
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Literal, NoReturn, TypeAlias

from maker_graph.core.characters import visible
from maker_graph.errors import MakerError, ProviderFailure
from maker_graph.models.envelopes import ErrorReply, NoReply
from maker_graph.models.redaction import redacted

Kind: TypeAlias = Literal["slow_down", "fatal", "step", "transient", "unknown"]

LONG_WAIT = 1.0
"""A server that fails after so many seconds may have been at work on the answer."""

LONGEST_TOLD = 7 * 86_400.0
"""The longest wait, in seconds, that a provider may ask for: a week. A longer one is taken for nonsense."""

_THIS_PROMPT = re.compile(
    r"context.?(length|window|size)|(prompt|input|request) is too long|too many (input )?tokens|above_max_length"
    r"|invalid_prompt|content.(filter|policy|management)"
)
_MEANT = (
    (402, re.compile(r"insufficient.?(quota|credit|balance|fund)|billing|payment.?required|exceeded your current quota")),
    (429, re.compile(r"rate.?limit|too.?many.?requests|throttl|resource.?exhausted|^(requests|tokens)$")),
    (
        401,
        re.compile(
            r"(invalid|incorrect|missing|expired).{0,12}(api.?key|authentication|token)|unauthori[sz]ed|authentication.?error"
        ),
    ),
    (403, re.compile(r"permission|forbidden|access.?(denied|terminated)|deactivated|unsupported.?country")),
    (404, re.compile(r"(model|deployment).?not.?found|(unknown|invalid).?model|model.{0,80}does not exist|^not_found")),
    (400, re.compile(r"invalid.?request|bad.?request|(unsupported|unknown|invalid).?(parameter|value|argument)")),
)
"""The HTTP status that a provider means by the words in a body; the first match counts."""

_BROKEN = {"APIConnectionError", "TransportError", "APIResponseValidationError", "ClientConnectionError", "ClientPayloadError"}
_BROKEN |= {"ConnectionError", "HTTPClientError"}
_LATE = {"TimeoutError", "TimeoutException", "APITimeoutError", "Timeout", "DeadlineExceeded", "ReadTimeoutError"}
_NOT_SENT = {"ConnectError", "ConnectTimeout", "PoolTimeout", "ConnectionRefusedError", "ClientConnectorError"}
_NOT_SENT |= {"ConnectTimeoutError", "EndpointConnectionError"}
_CLIENTS = ("langchain_openai", "langchain_core", "openai", "pydantic", "json")


@dataclass(frozen=True, slots=True)
class Fault:
    """Why a request failed.

    Attributes:
        kind: slow_down, transient, step, fatal or unknown; see the top of the file.
        status: the HTTP status, if there was one, or the one that the provider's words mean.
        told: the seconds that the provider asks to wait, if it says so.
        billed: whether the provider may bill the request all the same: it was sent, and no status says that it failed.
        depends_on_answer: whether the failure may depend on what the answer would have been: the reply came too late, was cut
            or is not a reply, or the server failed after it had been at work for a while.
        timed_out: whether the reply came too late.
    """

    kind: Kind
    status: int | None = None
    told: float | None = None
    billed: bool = False
    depends_on_answer: bool = False
    timed_out: bool = False

    def passes(self, longest: float) -> bool:
        """Say whether the request is made again, if the longest wait that the provider may ask for is `longest` seconds."""
        return self.kind in {"slow_down", "transient"} and (self.told is None or self.told <= longest)


class Failed(Exception):
    """A request that failed.

    Attributes:
        error: the error that the model raised.
        fault: why the request failed.
    """

    def __init__(self, error: Exception, fault: Fault) -> None:
        super().__init__(error, fault)
        self.error = error
        self.fault = fault


def fault_of(error: BaseException, *, openai: bool, seconds: float = 0.0) -> Fault | None:
    """Return why a request failed; None if it is not a failure of a request: an error of this package, Ctrl-C, a cancellation.

    Args:
        error: the error that a model raised.
        openai: whether the model is LangChain's class for OpenAI. It raises one of Python's own errors for a body that is no
            completion.
        seconds: how long after the request it failed.
    """
    if isinstance(error, MakerError) or not isinstance(error, Exception):
        return None
    if isinstance(error, ErrorReply):
        return _fault_told(error)
    if (status := _status(error)) is not None:
        kind = _kind(status, (str(getattr(error, "code", "")),), _text(error).lower())
        slow = status in {408, 504} or (status >= 400 and seconds >= LONG_WAIT)
        return Fault(kind, status, _told(error), depends_on_answer=kind == "transient" and slow)
    names = {kind.__name__ for each in _causes(error) for kind in type(each).__mro__}
    late, sent = bool(names & _LATE), not names & _NOT_SENT
    if late or names & _BROKEN or (isinstance(error, OSError) and error.filename is None):
        depends = sent and (late or seconds >= LONG_WAIT)
        return Fault("transient", billed=sent, depends_on_answer=depends, timed_out=late and sent)
    if isinstance(error, NoReply) or (openai and _from_client(error)):
        return Fault("transient", billed=True, depends_on_answer=True)
    return Fault("unknown", billed=True)


def told_by_name(kind: type[BaseException]) -> bool:
    """Say whether an error of this class means that a reply came too late, or that a connection broke."""
    return bool({each.__name__ for each in kind.__mro__} & (_LATE | _BROKEN))


def _fault_told(error: ErrorReply) -> Fault:
    """Return the fault that a provider describes in a response with the status of a success."""
    text, status = str(error).lower(), error.status
    for said in (error.codes, (text,)):  # the name of the error says more than its explanation
        status = status or next((meant for meant, pattern in _MEANT if any(pattern.search(each) for each in said)), None)
    if status is None and any(_THIS_PROMPT.search(each) for each in (*error.codes, text)):
        status = 400
    kind = "transient" if status is None else _kind(status, error.codes, text)
    return Fault(kind, status, billed=kind == "transient", depends_on_answer=kind == "transient")


def _kind(status: int, codes: Sequence[str], text: str) -> Kind:
    quota = _MEANT[0][1]
    if status == 402 or "insufficient_quota" in text or (status == 429 and any(quota.search(code) for code in codes)):
        return "fatal"
    if status == 429:
        return "slow_down"
    if status < 400 or status in {408, 409} or status >= 500:
        return "transient"
    if status == 413 or (status in {400, 422} and any(_THIS_PROMPT.search(each) for each in (*codes, text))):
        return "step"
    return "fatal"


def _status(error: BaseException) -> int | None:
    """Return the HTTP status in `error` or in its causes, in the forms that several clients use."""
    for each in _causes(error):
        response = getattr(each, "response", None)
        metadata = response.get("ResponseMetadata") if isinstance(response, Mapping) else None  # botocore's
        for value in (
            getattr(each, "status_code", None),
            getattr(each, "status", None),
            getattr(each, "code", None),
            getattr(response, "status_code", None),
            metadata.get("HTTPStatusCode") if isinstance(metadata, Mapping) else None,
        ):
            if isinstance(value, int) and 100 <= value < 1000 and value // 100 != 2:
                return int(value)
    return None


def _told(error: BaseException) -> float | None:
    """Return the seconds that the headers ask to wait: `retry-after-ms`, or Retry-After in seconds or as a date."""
    for each in _causes(error):
        headers: Any = getattr(getattr(each, "response", None), "headers", None)
        if headers:
            return seconds_told(headers.get("retry-after-ms"), headers.get("retry-after"), headers.get("date"))
    return None


def seconds_told(milliseconds: str | None, after: str | None, date: str | None = None) -> float | None:
    """Return the seconds that the headers retry-after-ms and Retry-After ask to wait; None if they give no sensible time.

    A date is compared with the server's own clock (Date), if it sends that, because the clock of this machine may differ.

    >>> seconds_told("30", None), seconds_told(None, "200"), seconds_told(None, "soon"), seconds_told(None, "1e9")
    (0.03, 200.0, None, None)
    >>> seconds_told(None, "Wed, 21 Oct 2015 07:28:30 GMT", "Wed, 21 Oct 2015 07:28:00 GMT")
    30.0
    """
    for text, unit in ((milliseconds, 1000), (after, 1)):
        try:
            seconds = float("" if text is None or "_" in text else text) / unit  # Python reads 1_0 as ten
        except ValueError:
            continue
        if 0 <= seconds <= LONGEST_TOLD:
            return seconds
    try:
        until = parsedate_to_datetime(after or "")
        now = parsedate_to_datetime(date) if date else datetime.now(UTC)
        seconds = max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError, OverflowError):  # no date, or only one of two dates has a time zone
        return None
    return seconds if seconds <= LONGEST_TOLD else None


def _causes(error: BaseException | None) -> Iterator[BaseException]:
    """Yield `error` and its causes: the errors of LangChain, of the client, of the transport."""
    seen: set[int] = set()
    while error is not None and id(error) not in seen:
        seen.add(id(error))
        yield error
        error = error.__cause__


def _from_client(error: Exception) -> bool:
    """Say whether `error` arose inside the client because of what it read, and not because of how it was called."""
    pythons_own = isinstance(error, AttributeError | LookupError | TypeError | ValueError)
    return pythons_own and module_of(error).partition(".")[0] in _CLIENTS and "keyword argument" not in str(error)


def module_of(error: BaseException) -> str:
    """Return the module in which `error` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))


def said(error: BaseException, keys: Sequence[str] = ()) -> str:
    """Return what a provider said, on one line, short and without keys."""
    text = visible(redacted(" ".join(_text(error).split()), keys))[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def _text(error: BaseException, most: int | None = 10_000) -> str:
    try:
        return str(error)[:most]
    except Exception:  # noqa: BLE001  then the name of the error must do
        return ""


def raise_failure(failure: Failed, name: str, keys: Sequence[str], *, attempts: int, longest: float) -> NoReturn:
    """Raise the failure of a request as an error for the caller.

    Args:
        failure: the failure of the last attempt.
        name: the name of the model.
        keys: API keys, which must not be in the error.
        attempts: how often the request was tried.
        longest: the longest wait, in seconds, that the provider may ask for.

    Raises:
        ProviderFailure: it says what went wrong, and what to do.
    """
    error, fault = failure.error, failure.fault
    match fault.status:
        case _ if fault.kind == "unknown":
            todo = "Providers do not fail in this way, so it is not tried again: mend the model's code or its settings."
        case _ if fault.told is not None and fault.told > longest and fault.kind in {"slow_down", "transient"}:
            todo = (
                f"It asks to wait {fault.told:,.0f} s, but the patience is {longest:,.0f} s: resume after that time, or with "
                "more patience."
            )
        case 401 | 403:
            todo = "The API key is missing, wrong or not allowed to use this model: set the right one and resume."
        case 404:
            todo = f"The provider knows no model {name!r} at this address: check the name and the base URL."
        case _ if fault.kind == "step":
            todo = "The provider does not accept this prompt, and will not accept it when asked again."
        case 400 | 413 | 422:
            todo = "The provider does not accept the request; if it names a setting, change that one."
        case 402 | 429 if fault.kind == "fatal":
            todo = "The quota is used up: add credit and resume."
        case _ if fault.kind == "fatal":
            todo = "Cure this and resume."
        case _:
            times = "once" if attempts == 1 else f"{attempts} times in a row"
            todo = f"It failed {times}: resume when the provider answers again."
    text = f"{name}: {said(error, keys)}. {todo}"
    # A cause is printed with the failure, so one that holds a key is left out.
    causes = [_text(each, None) for each in _causes(error)]
    cause = error if all(redacted(text, keys) == text for text in causes) else None
    passes = fault.kind in {"slow_down", "transient"}
    raise ProviderFailure(text, fault.status, "step" if fault.kind == "step" else "run", passes) from cause
