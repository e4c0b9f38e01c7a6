"""What goes wrong between us and a provider, and who waits for it.

A failed request is one of four kinds, and only two of them pass by themselves:
- slow_down: 429. All callers wait, for as long as the provider says;
- transient: 408, 409, 5xx, no connection, one that broke, a time-out, a body that is no completion. Tried again;
- step: this prompt is refused (too long, or by a filter on the input). Another prompt may pass, the same never will;
- fatal: the key, the model's name, the quota or a setting is wrong. Nothing passes until a person has cured it.

A gate stands before every request of all callers. A 429 shuts it until the time told is over. Five failures in a row, with
no answer to anybody between, are an outage: everybody waits, while one request at a time probes at intervals that grow to a
minute, and the first answer opens the gate for all.

Who waits at the gate sleeps and asks again, so that threads and event loops can share one.
"""

import asyncio
import re
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from math import inf
from random import Random
from typing import Any, Literal, TypeAlias

from langchain_core.rate_limiters import InMemoryRateLimiter
from pydantic import SecretStr

from maker_graph.core.characters import visible
from maker_graph.errors import MakerError, UsageError

Kind: TypeAlias = Literal["slow_down", "fatal", "step", "transient"]

OUTAGE = 5
"""So many failures in a row, of all callers together, are an outage."""

LONGEST_WAIT = 60.0
"""Seconds between two probes at most, and those of a 429 that does not say how long."""

_TICK = 0.2
"""Seconds after which to ask again where nobody knows how long it takes."""

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


def no_choices(error: BaseException) -> bool:
    """Say whether ChatOpenAI raised `error` because `choices` was an empty list, or null: a reply without any text."""
    if isinstance(error, IndexError):  # generations[0][0], in `invoke` itself
        return _module(error).startswith("langchain_core.language_models")
    return isinstance(error, TypeError) and "null value for 'choices'" in str(error)


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
    return _module(error).partition(".")[0] in _CLIENTS and "keyword argument" not in str(error)


def _module(error: BaseException) -> str:
    """Return the module in which `error` was raised."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return "" if trace is None else str(trace.tb_frame.f_globals.get("__name__", ""))


def redacted(text: str, keys: Sequence[str] = ()) -> str:
    """Return `text` without API keys, `keys` among them: a provider may say them back.

    >>> redacted("Invalid key: Bearer sk-123, or canary-42", ["canary-42"])
    'Invalid key: Bearer [key], or [key]'
    """
    for key in keys:
        text = text.replace(key, "[key]")
    return re.sub(r"\b(Bearer )?sk-[\w*-]+|\bBearer [\w.~+/*-]+=*", lambda match: f"{match[1] or ''}[key]", text)


@dataclass(frozen=True, slots=True)
class Pass:
    """Leave to make one request, for whoever got it from the gate.

    Attributes:
        since: when it was given.
        probe: whether it is the one request that probes during an outage.
    """

    since: float
    probe: bool


class Gate:
    """Stands before every request of all callers, threads and event loops alike.

    Every `Pass` is handed back exactly once: `answered`, `slowed`, `failed`, or `left` if nothing was learnt.

    Attributes:
        clock: the seconds that it goes by.
        down_since: when the failures began that are an outage; None if there is none.
    """

    def __init__(
        self,
        *,
        rpm: float | None = None,
        notice: Callable[[str], None] | None = None,
        clock: Callable[[], float] = time.monotonic,
        chance: Random | None = None,
    ) -> None:
        """Make an open gate.

        Args:
            rpm: requests per minute at most, evenly spread; None sets no limit.
            notice: told in a sentence when a long wait begins, and when an outage is over.
            clock: seconds; it never goes back.
            chance: spreads the waits, so that not all callers come back at once.
        """
        if rpm is not None and not 0 < rpm < inf:
            raise UsageError(f"Requests per minute (rpm) must be a number above 0, not {rpm!r}.")
        self.clock = clock
        self.down_since: float | None = None
        self._notice = notice or (lambda _: None)
        self._chance = chance or Random()  # noqa: S311  spreads waits, guards nothing
        self._lock = threading.Lock()
        self._limiter: InMemoryRateLimiter | None = None
        if rpm is not None:
            self._pause = min(_TICK, max(0.005, 6 / rpm))  # a tenth of the time between two requests
            self._limiter = InMemoryRateLimiter(requests_per_second=rpm / 60, max_bucket_size=max(1, rpm / 60 * self._pause))
        self._shut_until = self._shut_at = -inf
        self._shut_times = 0
        self._failures = 0
        self._first_failure = 0.0
        self._probes = 0
        self._probe_at = 0.0
        self._probing = False

    def enter(self) -> Pass:
        """Wait until a request may be made."""
        while isinstance(wait := self.ask(), float):
            time.sleep(wait)
        return wait

    async def aenter(self) -> Pass:
        """Wait until a request may be made."""
        while isinstance(wait := self.ask(), float):  # noqa: ASYNC110  an event belongs to one loop, the gate to all
            await asyncio.sleep(wait)
        return wait

    def ask(self) -> Pass | float:
        """Return leave for one request, or the seconds after which to ask again."""
        with self._lock:
            now = self.clock()
            if now < self._shut_until:
                return self._spread(self._shut_until - now)
            probe = self.down_since is not None
            if probe and self._probing:
                return self._chance.uniform(_TICK / 2, _TICK)
            if probe and now < self._probe_at:
                return self._spread(self._probe_at - now)
            if self._limiter is not None and not self._limiter.acquire(blocking=False):
                return self._pause
            self._probing = probe
            return Pass(now, probe)

    def answered(self, leave: Pass) -> None:
        """Take note that the provider answered: an outage is over."""
        with self._lock:
            if leave.since >= self._shut_until:
                self._shut_times = 0
            over = self._open(leave)
        if over is not None:
            self._notice(f"The provider answers again, after {over:,.0f} s: going on.")

    def slowed(self, leave: Pass, told: float | None, what: str) -> None:
        """Shut the gate for all: for the seconds told, or for a time that grows from one such answer to the next."""
        with self._lock:
            now = self.clock()
            over = self._open(leave)  # it does answer
            wait = told or None  # "at once" is no advice to a caller who was just told that it is too fast
            if wait is None and leave.since >= self._shut_at:  # else it was asked before the gate was shut for the same
                wait = self._growing(0.5, self._shut_times)
                self._shut_times += 1
            if wait is not None:
                self._shut_at = now
                self._shut_until = max(self._shut_until, now + wait)
        if over is not None:
            self._notice(f"The provider answers again, after {over:,.0f} s: going on.")
        if told is not None and told >= LONGEST_WAIT / 2:
            self._notice(f"{what}: waiting for the {told:,.0f} s that the provider asks for.")

    def failed(self, leave: Pass, told: float | None, what: str) -> None:
        """Take note of a transient failure; `what` is who failed and how, without keys."""
        begins = False
        with self._lock:
            now = self.clock()
            self._failures += 1
            if self._failures == 1:
                self._first_failure = now
            if self.down_since is None and self._failures >= OUTAGE:
                begins, self.down_since, self._probes = True, self._first_failure, 0
            if leave.probe:
                self._probing = False
            if begins or leave.probe:
                self._probe_at = now + self._growing(1.0, self._probes)
                self._probes += 1
            if told is not None:
                self._probe_at = max(self._probe_at, now + told)
            wait = self._probe_at - now
        if begins:
            self._notice(f"{what}: the provider does not answer. Waiting; the next try is in {wait:,.1f} s.")

    def left(self, leave: Pass) -> None:
        """Take a pass back that taught nothing: its caller was cancelled, or never made the request."""
        if leave.probe:
            with self._lock:
                self._probing = False

    def back_off(self, failures: int) -> float:
        """Return how long one caller waits after so many transient failures of its own: up to half a second, then longer."""
        return self._chance.uniform(0, min(8.0, 2.0 ** min(failures, 30) / 4))

    def _open(self, leave: Pass) -> float | None:
        """Forget the failures; return how many seconds an outage lasted, if it ends here."""
        over = None if self.down_since is None else self.clock() - self.down_since
        self._failures, self.down_since = 0, None
        if leave.probe:
            self._probing = False
        return over

    def _spread(self, wait: float) -> float:
        return wait + self._chance.uniform(0, min(1.0, wait / 10))

    def _growing(self, first: float, times: int) -> float:
        longest = min(LONGEST_WAIT, first * 2.0 ** min(times, 30))
        return self._chance.uniform(longest / 2, longest)


def said(error: BaseException, keys: Sequence[str] = ()) -> str:
    """Return what a provider said, on one line, short and without keys."""
    text = visible(redacted(" ".join(str(error).split()), keys))[:300].rstrip(".")
    return f"{type(error).__name__}: {text}" if text else type(error).__name__


def keys_of(model: Any) -> list[str]:
    """Return the API keys that can be read from `model`'s fields, but none so short that it may be a word of its own."""
    secrets = [value for name in type(model).model_fields if isinstance(value := getattr(model, name, None), SecretStr)]
    keys: list[Any] = [secret.get_secret_value() for secret in secrets]
    keys.append(getattr(getattr(model, "root_client", None), "api_key", None))
    return sorted({key for key in keys if isinstance(key, str) and len(key) >= 8}, key=len, reverse=True)
