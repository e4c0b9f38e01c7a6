"""Every error that maker_graph raises on purpose.

A parent says what you can do, a child what happened:

    MakerError
    ├── UsageError            change the call, or the function you gave   (exit code 2)
    │   ├── Incomparable      an answer or a state is no plain JSON, and votes on it cannot be counted
    │   ├── UnknownModel      no such provider, model or profile
    │   ├── MissingKey        the model's provider wants an API key
    │   ├── UnknownTask       no such task
    │   └── UnusableRun       the directory is no run, or is one already
    ├── Undecided             look at the ballot; resume when it is mended (exit code 3)
    ├── LimitReached          raise the limit and resume                   (exit code 4)
    ├── ProviderFailure       cure the provider and resume                 (exit code 5)
    ├── OutOfReach            wait until the journal can be reached, and resume (exit code 5)
    ├── PartFailed            cure what a part of your task does, and resume (exit code 5)
    ├── TakenOver             nothing to do: another process goes on       (exit code 130)
    └── DamagedRun            do not go on: what is stored is not true     (exit code 6)
        ├── StaleStep         another process committed this step first
        ├── LostJournal       the journal was deleted, moved or replaced while the run was at work
        └── OlderJournal      the journal is an older copy: put the newer one back, or accept the loss

`Invalid` is the one that you raise: in a `check`, to say why an answer breaks the rules.

All of them are RuntimeErrors, which LangGraph's default RetryPolicy does not try again: a node that is tried again votes from
zero, and is paid for again. `maker_graph.retry_on` tries again what may pass. A LangGraph server shows the words of
RuntimeErrors, and hides those of errors that it does not know.

Data are attributes, and every argument goes to `Exception.__init__`, so that an error survives pickling.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal


class MakerError(RuntimeError):
    """What maker_graph raises; catch this to catch them all."""


class UsageError(MakerError, ValueError):
    """A setting is wrong; the text says what to change."""


class Incomparable(UsageError):
    """An answer, a key or a state is of a kind that cannot be compared or kept: a set, a secret, a generator, an object."""


class UnknownModel(UsageError):
    """No chat model goes by this name here."""


class MissingKey(UsageError):
    """There is no API key for the model."""


class UnknownTask(UsageError):
    """No task goes by this name here."""


class UnusableRun(UsageError):
    """The run directory cannot be used in this way."""


class Undecided(MakerError):
    """No candidate won: the sample cap was reached, nothing agreed, or the rule gave the vote up.

    Attributes:
        reason: why no more samples were drawn, in one sentence.
        ballot: candidate -> votes.
        flags: red flag -> discarded samples.
        samples: how many samples were drawn.
        replies: the last replies.
        prompt: what was asked, (role, content) in order, if somebody is asked in the model's place.
        passed: whether the rule gave the vote up: the step is contested, and no model is asked again.
    """

    def __init__(  # noqa: PLR0917  pickling gives them back by place
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
        # Candidates and replies stay out of the text, which goes into traces, also where outputs are hidden.
        votes = ":".join(str(votes) for votes in sorted(self.ballot.values(), reverse=True)) or "none"
        flagged = f", red flags {self.flags}" if self.flags else ""
        return f"undecided after {self.samples} samples: {self.reason} Votes {votes}{flagged}."

    def __repr__(self) -> str:
        return f"Undecided({str(self)!r})"


class LimitReached(MakerError):
    """A limit that was set (cost, calls) stops the run; it can be resumed with a higher one."""


class ProviderFailure(MakerError):
    """The model's provider refuses or fails; the text says what to do.

    Attributes:
        status: the HTTP status, if there was one.
        scope: what it stops: the run, whatever is asked, or only the step whose prompt the provider does not accept.
        passes: whether it may pass by itself: an outage, or too many requests.
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
    """The `answer` of a given part failed: a page did not load, a program did not run. Its step is tried again by a resume."""


class TakenOver(MakerError):
    """Another process has resumed this run and owns it now: this one commits nothing any more."""


class DamagedRun(MakerError):
    """What is stored contradicts itself.

    Attributes:
        step: the first step that does not hold, if it is known.
    """

    def __init__(self, message: str, step: int | None = None) -> None:
        super().__init__(message, step)
        self.step = step

    def __str__(self) -> str:
        return str(self.args[0])


class StaleStep(DamagedRun):
    """The step to commit is not the one that follows the journal's last."""


class LostJournal(DamagedRun):
    """The journal was deleted, moved, replaced or put back while the run was at work: nothing more is paid for."""


class OlderJournal(DamagedRun):
    """The journal is an older copy of itself: what was committed and paid for since is missing. Resume with `accept_loss`."""


class Invalid(Exception):
    """Raise this in a `check`, or in a `parse` that reads by rules, to say why an answer breaks them.

    The sample is discarded as invalid, with this reason.
    """
