"""The review queue: the items that no vote could decide, and a person's answers to them.

An answer is read and checked like a model's reply, and goes into the journal as an amendment of the open item. The row of
the item stays as it is. Whoever answers becomes the owner of the run, as by a resume: a process that is still at work on
the run stops.
"""

from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import replace
from typing import Any, NamedTuple

from maker_graph.core.canonical import strict_json
from maker_graph.core.decision import Decision, answered
from maker_graph.core.guarding import Given, Guarded, guarded
from maker_graph.core.judging import Judged, Reader, judge
from maker_graph.core.red_flags import Sample, empty
from maker_graph.errors import UsageError
from maker_graph.run.home import Run
from maker_graph.run.left_answers import Candidate, Reply
from maker_graph.run.settings import unchanged


class OpenItem(NamedTuple):
    """An item that no vote could decide.

    Attributes:
        number: the number of the item, from 1.
        question: what was asked, as (role, content).
        ballot: candidate -> votes, on all rungs.
        flags: red flag -> discarded samples, on all rungs.
        samples: how many samples were drawn for it, on all rungs.
    """

    number: int
    question: list[tuple[str, Any]]
    ballot: dict[str, int]
    flags: dict[str, int]
    samples: int


class Reviewed(NamedTuple):
    """What became of a person's answers.

    Attributes:
        taken: the numbers of the items that the answers decided.
        refused: item -> why its answer was not taken.
        open: how many items are still open.
    """

    taken: list[int]
    refused: dict[int, str]
    open: int


def open_items(run: Run) -> Iterator[OpenItem]:
    """Yield the open items in order.

    Raises:
        UsageError: the task has no items.
    """
    from maker_graph.models.prompts import as_pairs  # noqa: PLC0415  needs LangChain; a help text does not

    task = _items_of(run)
    for number, decision in run.journal.left_open():
        votes = [*decision["tried"], decision]
        yield OpenItem(
            number,
            as_pairs(task.prompt(_state(task, number))),
            dict(sum((Counter(vote["ballot"]) for vote in votes), Counter[str]())),
            dict(sum((Counter(vote["flags"]) for vote in votes), Counter[str]())),
            sum(vote["samples"] for vote in votes),
        )


def count_open(run: Run) -> int:
    """Return how many steps of a run are open."""
    return sum(1 for _ in run.journal.left_open())


def answer_items(run: Run, replies: Mapping[int, Reply]) -> Reviewed:
    """Store a person's replies to open items, by their numbers; on return the ones that were taken are stored.

    A reply that cannot be read, or breaks a rule, is refused, and the item stays open. A reply to an item that is decided
    is refused too, unless it says the same as the decision.

    Raises:
        UsageError: the task has no items, or `replies` is not a mapping from numbers of items to texts.
        UnusableRun: the task no longer asks what it asked when the run began.
        DamagedRun: the journal was changed since it was written.
        TakenOver: another process has gone on with the run since.
    """
    _see_replies(replies)
    task = _items_of(run)
    taken, refused = _sorted_out(run, task, replies)
    if taken and run.journal.epoch is None:
        unchanged(run.settings, run.task)
        run.journal.check()
        run.journal.claim()
        taken, refused = _sorted_out(run, task, replies)  # the former owner may have gone on meanwhile
    if taken:
        run.journal.amend(sorted(taken.items()), reserved=run.journal.account().reserved)
    return Reviewed(sorted(taken), refused, count_open(run))


def refusals(run: Run, replies: Mapping[int, Reply]) -> dict[int, str]:
    """Return why replies to open items would be refused, by the numbers of the items; nothing is stored.

    Raises:
        UsageError: the task has no items, or `replies` is not a mapping from numbers of items to texts.
        DamagedRun: the journal was changed since it was written.
    """
    _see_replies(replies)
    return _sorted_out(run, _items_of(run), replies)[1]


def refusal(run: Run, state: Any, reply: Reply) -> str:
    """Return why a reply to the stuck step at `state` would be refused; empty if it would be taken.

    Raises:
        UsageError: a function of the task fails.
    """
    from maker_graph.graph.given import AGAIN  # noqa: PLC0415  needs LangGraph; a look at a run does not
    from maker_graph.graph.voters import reading_of  # noqa: PLC0415  as above

    part = guarded(run.task).at(state)
    if isinstance(part, Given):  # the question is whether its action was performed
        try:
            _ = reply == AGAIN or strict_json(reply)
        except ValueError as error:
            return f"it is neither {AGAIN!r} nor JSON: {error}"
        return ""
    return _judged(reading_of(part, state, check=run.settings.voting.check), reply)[1]


def _judged(reading: Reader, reply: Reply) -> tuple[Judged | None, str]:
    """Return the reply as it was read and an empty text, or None and why it is refused."""
    reading = replace(reading, red_flags={"empty": empty})
    if isinstance(reply, Candidate):
        if reading.key is not None:
            return None, "the candidates of this task are keys, not whole answers: type the answer"
        reading = replace(reading, parse=strict_json)
    read = judge(Sample(0, reply), reading)
    if read["flag"] is not None:
        return None, f"it is {read['flag']}{': ' + read['why'].rstrip('.') if read['why'] else ''}"
    return read, ""


def _sorted_out(run: Run, task: Guarded, replies: Mapping[int, Reply]) -> tuple[dict[int, Decision], dict[int, str]]:
    """Return the decisions that the replies lead to, and why the other replies are refused, each by the item's number.

    A reply that says the same as the decision on its item is in neither.
    """
    taken, refused = dict[int, Decision](), dict[int, str]()
    for number, reply in replies.items():
        known = run.journal.decision(number)
        if known is None:
            refused[number] = f"there is no item {number} among the {run.journal.step:,} that were tried"
            continue
        decision, why = _read(run, task, number, known, reply)
        if decision is not None:
            taken[number] = decision
        elif why:
            refused[number] = why
    return taken, refused


def _see_replies(replies: object) -> None:
    if not isinstance(replies, Mapping):
        raise UsageError(f"Answers must be a mapping from items to replies, like {{6: '0.00'}}, not {replies!r:.80}.")
    for number, reply in replies.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise UsageError(f"The number of an item must be a whole number, not {number!r:.80}.")
        if not isinstance(reply, str):
            raise UsageError(f"The answer to item {number} must be a text, as a model would reply, not {reply!r:.80}.")


def _read(run: Run, task: Guarded, number: int, known: Decision, reply: Reply) -> tuple[Decision | None, str]:
    """Return the decision that a reply leads to, or why it is refused; neither if it says the same as the decision."""
    from maker_graph.graph.voters import reading_of  # noqa: PLC0415  needs LangGraph; a look at a run does not

    read, why = _judged(reading_of(task, _state(task, number), check=run.settings.voting.check), reply)
    if read is None:
        return None, why
    if known["status"] == "decided":
        same = read["candidate"] == known["candidate"]
        return None, "" if same else "the item is decided already, by another answer"
    return answered(known, read), ""


def _items_of(run: Run) -> Guarded:
    task = guarded(run.task)
    if task.given is None:
        raise UsageError(
            f"{run.settings.task} has no items, so there is no review queue. Answer a stuck step with "
            f"maker-graph resume {run.home.command} --answer REPLY."
        )
    return task


def _state(task: Guarded, number: int) -> Any:
    return task.state_at(number - 1)  # type: ignore[attr-defined]  # items have it
