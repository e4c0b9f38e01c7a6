"""The traces of a long run in LangSmith. They never hold the run up.

    hanoi steps 1-250              one trace per segment, at most 20,000 runs in it (LangSmith refuses more than 25,000)
      step 17                      one microstep; lead, rounds and red flags as feedback scores
        sample 0, sample 1, ...    the calls of the model, with usage, round and temperature

All traces of a run form one LangSmith thread. A step on which samples disagreed or were flagged can always be found: in
the trace of its segment, or, if that was not traced, in a trace of its own, which is made afterwards from its ballot.

Everything is sent by the background threads of a client of our own. If LangSmith is slow or down, the run loses traces,
and ends two seconds later at most.
"""

import json
import logging
import os
import queue
import threading
import warnings
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

from langchain_core.runnables import RunnableConfig
from langsmith import Client, RunTree, tracing_context, uuid7
from langsmith.utils import LangSmithUserError, LangSmithWarning, tracing_is_enabled

from maker_graph.core.ballot import lead
from maker_graph.core.characters import visible
from maker_graph.core.decision import Decision, given
from maker_graph.core.machine import MakerOutput
from maker_graph.core.task import Prompt
from maker_graph.errors import Undecided, UsageError
from maker_graph.models.redaction import clean, keys_of_the_environment, redacted
from maker_graph.run.traces import FULL, Trace

EXIT_SECONDS = 2.0
"""How many seconds the end of a run waits for traces that are not sent yet."""


@dataclass(frozen=True, slots=True)
class About:
    """What a trace says about its run.

    Attributes:
        id: the id of the run, which is also its LangSmith thread.
        run: the name of the run.
        task: the name of the task.
        model: the run's own model.
        k: the lead that decides.
        total: how many steps the task has; None if it does not say.
        steps: how many steps a segment has.
    """

    id: str
    run: str
    task: str
    model: str
    k: int
    total: int | None
    steps: int


class _Client(Client):
    """A client that sends no API key: a provider's error may repeat one, and LangChain traces such errors."""

    def __init__(self, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self._keys = keys_of_the_environment()

    def create_run(self, *args: Any, **kwargs: Any) -> None:
        super().create_run(*args, **_redacted(kwargs, self._keys))

    def update_run(self, *args: Any, **kwargs: Any) -> None:
        super().update_run(*args, **_redacted(kwargs, self._keys))


def _redacted(run: dict[str, Any], keys: Sequence[str]) -> dict[str, Any]:
    """Return the content of a LangSmith run without `keys`; if it failed, also without anything that looks like a key."""
    if run.get("outputs"):  # an integration traces a reply before our own code sees it
        run = run | {"outputs": clean(run["outputs"], keys)}
    if not run.get("error"):
        return run
    if run["error"].startswith("GraphInterrupt("):  # it holds the whole question, even if outputs are hidden
        return run | {"error": "GraphInterrupt: a person is asked."}
    outputs = run.get("outputs")
    plain_outputs = None if outputs is None else json.loads(redacted(json.dumps(outputs, default=str), keys))
    return run | {"error": redacted(run["error"], keys), "outputs": plain_outputs}


class Tracing:
    """The traces of one run; `tracing` makes it."""

    problem: str | None = None
    """Why LangSmith did not take some of the traces; None if it took all."""

    def __init__(self, about: About, mode: Trace | None) -> None:
        self._about = about
        self._mode = mode
        self._client = _Client(timeout_ms=5_000, tracing_error_callback=self._fail)
        self._full = False
        self._root: UUID | None = None
        self._steps: dict[int, UUID] = {}
        self._later: queue.Queue[Callable[[], Any] | None] = queue.Queue(maxsize=10_000)
        self._worker = threading.Thread(target=self._work, name="maker-graph-traces", daemon=True)
        self._worker.start()

    @property
    def metadata(self) -> dict[str, Any]:
        """The metadata of every trace of the run."""
        about = self._about
        return {"thread_id": about.id, "run": about.run, "task": about.task, "model": about.model, "k": about.k}

    @contextmanager
    def segment(self, step: int) -> Iterator[RunnableConfig]:
        """Yield the config of the segment that begins after `step`. It is traced, or all tracing is off meanwhile."""
        about = self._about
        last = step + about.steps if about.total is None else min(step + about.steps, about.total)
        self._full = self._is_full(step, last)
        if not self._full:
            with tracing_context(enabled=False):
                yield {}
            return
        self._root = uuid7()
        with tracing_context(enabled=True, client=self._client):
            yield {
                "run_name": f"{about.task} steps {step + 1}-{last}",
                "run_id": self._root,
                "tags": ["maker_graph", about.task],
                "metadata": self.metadata | {"first_step": step + 1},
            }

    def step_config(self, step: int) -> RunnableConfig:
        """Return the config of one microstep, so that its trace can be scored later."""
        if not self._full:
            return {}
        self._steps[step] = uuid7()
        return {"run_id": self._steps[step]}

    def committed(self, decision: Decision, prompt: Callable[[], Prompt], after: MakerOutput) -> None:
        """Score the step that led to `after`. If its segment is not traced, summarise it if it was contested or flagged."""
        step = after["step"]
        run, root = self._steps.pop(step, None), self._root
        if run is not None and root is not None:
            self._put(lambda: self._score(run, root, decision))
        elif len(decision["ballot"]) > 1 or decision["flags"] or decision["tried"]:
            self._put(lambda: self._summarise(step, decision, prompt()))

    def undecided(self, step: int, error: Undecided, prompt: Callable[[], Prompt]) -> None:
        """Score a step that ended the session undecided. If its segment is not traced, summarise it."""
        decision: Decision = {
            **given(None, by=""),
            "status": "undecided",
            "reason": error.reason,
            "candidate": None,
            "ballot": error.ballot,
            "flags": error.flags,
            "samples": error.samples,
            "first_agrees": False,
            "passed": error.passed,
        }
        run, root = self._steps.pop(step, None), self._root
        if run is not None and root is not None:
            self._put(lambda: self._score(run, root, decision))
        else:
            self._put(lambda: self._summarise(step, decision, prompt()))

    def close(self) -> None:
        """Send what is not sent yet, for at most `EXIT_SECONDS` seconds."""
        done = threading.Thread(target=self._drain, daemon=True)
        done.start()
        done.join(EXIT_SECONDS)
        if done.is_alive():
            self.problem = self.problem or f"some were not sent within {EXIT_SECONDS:g} s"

    def _is_full(self, step: int, last: int) -> bool:
        if self._mode is not None:
            return self._mode == "all"
        total = self._about.total
        small = (total or 0) <= FULL and (total is not None or step < FULL)
        return small or step == 0 or last == total

    def _score(self, run: UUID, trace: UUID, decision: Decision) -> None:
        scores = {
            "lead": lead(decision["ballot"]).votes,
            "rounds": decision["rounds"],
            "red_flags": sum(decision["flags"].values()),
            **({"passed": 1} if decision.get("passed", False) else {}),
        }
        for key, score in scores.items():
            self._client.create_feedback(run, key, score=score, trace_id=trace)

    def _summarise(self, step: int, decision: Decision, prompt: Prompt) -> None:
        now = datetime.now(UTC)
        disputed = decision["tried"] or len(decision["ballot"]) > 1
        passed = decision.get("passed", False)
        kind = "undecided" if decision["candidate"] is None else "contested" if disputed else "flagged"
        run = RunTree(
            id=uuid7(),
            name=f"step {step}",
            run_type="chain",
            inputs={"prompt": prompt},
            outputs={name: decision[name] for name in ("answer", "ballot", "flags", "samples", "rounds", "status")}
            | {"passed": passed},
            start_time=now,
            end_time=now,
            tags=["maker_graph", self._about.task, kind, *["passed"] * passed, "summary"],
            extra={"metadata": self.metadata | {"step": step}},
            ls_client=self._client,
        )
        run.post()
        self._score(run.id, run.id, decision)

    def _fail(self, error: Exception) -> None:
        self.problem = self.problem or f"{type(error).__name__}: {visible(' '.join(str(error).split())[:200])}"

    def _put(self, work: Callable[[], Any]) -> None:
        try:
            self._later.put_nowait(work)
        except queue.Full:
            self.problem = self.problem or "it is slower than the run"

    def _work(self) -> None:
        while (work := self._later.get()) is not None:
            try:
                work()
            except Exception as error:  # noqa: BLE001  a lost trace must not end the thread
                self._fail(error)

    def _drain(self) -> None:
        self._later.put(None)
        self._worker.join()
        self._client.flush(timeout=2 * EXIT_SECONDS)  # longer than `close` waits, so that `close` notices


class NoTracing:
    """Traces nothing: there is no tracer, no client and no thread."""

    problem: str | None = None

    @contextmanager
    def segment(self, step: int) -> Iterator[RunnableConfig]:  # noqa: ARG002  as Tracing
        """Yield an empty config, with all tracing off."""
        with tracing_context(enabled=False):
            yield {}

    def step_config(self, step: int) -> RunnableConfig:  # noqa: ARG002  as Tracing
        """Return an empty config."""
        return {}

    def committed(self, decision: Decision, prompt: Callable[[], Prompt], after: MakerOutput) -> None:
        """Do nothing."""

    def undecided(self, step: int, error: Undecided, prompt: Callable[[], Prompt]) -> None:
        """Do nothing."""

    def close(self) -> None:
        """Do nothing."""


def tracing(about: About, mode: Trace | None) -> Tracing | NoTracing:
    """Return the traces of a run, or an object that traces nothing.

    Args:
        about: what the traces say about the run.
        mode: what is traced. None follows LANGSMITH_TRACING. If that is on, a task of up to `FULL` steps is traced in
            full, and a longer one as described there.

    Raises:
        UsageError: traces are wanted, and there is no API key, or LangSmith's settings are wrong.
    """
    if mode == "off" or (mode is None and not tracing_is_enabled()):
        return NoTracing()
    if not (os.environ.get("LANGSMITH_API_KEY") or os.environ.get("LANGCHAIN_API_KEY")):
        raise UsageError("Traces need a LangSmith API key: set LANGSMITH_API_KEY, or give --trace off.")
    # If LangSmith is out of reach, the client's threads would keep the process alive for minutes. The client reads this
    # variable when it is made.
    os.environ.setdefault("LANGSMITH_USE_DAEMON", "true")
    # The session id is the server's own number of the project. Asking for it would be a call that can hang.
    warnings.filterwarnings("ignore", message="Creating feedback for a run without session_id", category=LangSmithWarning)
    logging.getLogger("langsmith").addHandler(logging.NullHandler())  # problems are reported once, at the end
    try:
        return Tracing(about, mode)
    except LangSmithUserError as error:
        raise UsageError(f"LangSmith's settings are wrong: {error}. Correct them, or give --trace off.") from None
