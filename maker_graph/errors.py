"""Every error that maker_graph raises on purpose.

A parent class says what you can do. A child class says what happened:

    MakerError
    ├── UsageError            change the call, or the function you gave   (exit code 2)
    │   ├── Incomparable      an answer or a state is not plain JSON, so votes on it cannot be counted
    │   ├── UnknownModel      no such provider, model or profile
    │   ├── MissingKey        the model's provider wants an API key
    │   ├── UnknownTask       no such task
    │   └── UnusableRun       there is no run here, or there is one already, or it cannot be used in this way
    ├── Undecided             look at the ballot, mend the cause, and resume (exit code 3)
    ├── LimitReached          raise the limit and resume                   (exit code 4)
    ├── ProviderFailure       mend what the provider reports, and resume   (exit code 5)
    ├── OutOfReach            wait until the journal can be reached, and resume (exit code 5)
    ├── PartFailed            mend the part of your task that failed, and resume (exit code 5)
    ├── TakenOver             do nothing: another process goes on with the run (exit code 130)
    └── DamagedRun            do not go on: what is stored contradicts itself (exit code 6)
        ├── StaleStep         another process committed this step first
        ├── LostJournal       the journal was deleted, moved or replaced while the run was at work
        └── OlderJournal      the journal is an older copy: put the newer one back, or accept the loss

You raise `Invalid` yourself, in a `check`, to say why an answer breaks the rules.

Every MakerError is a RuntimeError, because LangGraph's default RetryPolicy does not retry RuntimeErrors. A node that is retried
votes from zero and is paid for again. `maker_graph.retry_on` retries only failures that may go away. A LangGraph server shows
the text of a RuntimeError, and hides the text of errors that it does not know.

An error keeps its data as attributes. It passes every argument to `Exception.__init__`, so that it survives pickling.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal


class MakerError(RuntimeError):
    """The base of all errors that maker_graph raises. Catch it to catch them all."""


class UsageError(MakerError, ValueError):
    """A setting is wrong; the text says what to change."""


class Incomparable(UsageError):
    """An answer, a key or a state is of a kind that cannot be compared or kept: a set, a secret, a generator, an object."""


class UnknownModel(UsageError):
    """There is no chat model of this name."""


class MissingKey(UsageError):
    """There is no API key for the model."""


class UnknownTask(UsageError):
    """There is no task of this name."""


class UnusableRun(UsageError):
    """A run cannot be made, opened or continued here; the text says why, and what to do."""


class Undecided(MakerError):
    """No candidate won: the sample cap was reached, no samples agreed, or the rule gave the vote up.

    Attributes:
        reason: why nobody won, in one sentence.
        ballot: candidate -> votes.
        flags: red flag -> discarded samples.
        samples: how many samples were drawn.
        replies: the last replies.
        prompt: what was asked, as (role, content) pairs in order. It is empty unless a person is to answer instead.
        passed: whether the rule gave the vote up. Then the step is contested, and no model is asked again.
    """

    def __init__(  # noqa: PLR0917  unpickling passes them by position
        self,
        reason: str,
        ballot: Mapping[str, int],
        flags: Mapping[str, int],
        samples: int,
        replies: Sequence[str] = (),
        prompt: Sequence[tuple[str, Any]] = (),
        passed: bool = False,
    ) -> None:
        super().__init__(reason, ballot, flags, samples, replies, prompt, passed)
        self.reason = reason
        self.ballot = dict(ballot)
        self.flags = dict(flags)
        self.samples = samples
        self.replies = list(replies)
        self.prompt = list(prompt)
        self.passed = passed

    def __str__(self) -> str:
        # The text goes into traces, even if outputs are hidden there. So it holds no candidates and no replies.
        votes = ":".join(str(votes) for votes in sorted(self.ballot.values(), reverse=True)) or "none"
        flagged = f", red flags {self.flags}" if self.flags else ""
        return f"undecided after {self.samples} samples: {self.reason} Votes {votes}{flagged}."

    def __repr__(self) -> str:
        return f"Undecided({str(self)!r})"


class LimitReached(MakerError):
    """A limit that was set, such as the cost, or a full disk stops the run. Raise the limit and resume."""


class ProviderFailure(MakerError):
    """The model's provider refuses or fails; the text says what to do.

    Attributes:
        status: the HTTP status, if there was one.
        scope: "run" if the provider answers no request any more, "step" if it refuses only the prompt of this step.
        passes: whether the failure may go away by itself, as an outage or too many requests do.
    """

    def __init__(
        self,
        message: str,
        status: int | None = None,
        scope: Literal["run", "step"] = "run",
        passes: bool = False,
    ) -> None:
        super().__init__(message, status, scope, passes)
        self.status = status
        self.scope = scope
        self.passes = passes

    def __str__(self) -> str:
        return str(self.args[0])


class OutOfReach(MakerError):
    """The journal of the run cannot be reached: its database is down, or the network is. What was committed is kept."""


class PartFailed(MakerError):
    """The `answer` of a given part failed: a page did not load, a program did not run. A resume tries the step again."""


class TakenOver(MakerError):
    """Another process has resumed this run and owns it now. This process commits nothing any more."""


class DamagedRun(MakerError):
    """What is stored contradicts itself.

    Attributes:
        step: the first damaged step, if it is known.
    """

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message, step)
        self.step = step

    def __str__(self) -> str:
        return str(self.args[0])


class StaleStep(DamagedRun):
    """The step to commit does not follow the last step in the journal."""


class LostJournal(DamagedRun):
    """The journal was deleted, moved or replaced while the run was at work. The run makes no more calls."""


class OlderJournal(DamagedRun):
    """The journal is an older copy: what was committed or paid for since is missing. Resume with `accept_loss`."""


class Invalid(Exception):
    """Raise this in a `check`, or in a `parse` that reads by rules, to say why an answer breaks the rules.

    The sample is discarded as invalid, with this reason.
    """
