"""The rules of a journal. They are the same for every database that keeps it.

- An append is accepted only if its first step follows the last step of the journal, by number and by hash. Otherwise it is
  refused.
- A process that goes on with a run claims it, which raises the number of owners (`claim`). From then on the appends of earlier
  owners are refused.
- What was spent is booked even if the steps are refused, because the money is spent.
- If an owner is killed, what it had reserved stays counted, as unsettled.
- A step that was committed as open may be answered later, once, by an answer that decides it.
"""

from collections.abc import Callable, Mapping, Sequence

from maker_graph.core.decision import Decision
from maker_graph.core.machine import MakerOutput
from maker_graph.core.spending import NONE, Account
from maker_graph.errors import StaleStep, TakenOver, UsageError
from maker_graph.journal.chain import amendment_link, link, place_digest
from maker_graph.journal.entry import encode
from maker_graph.journal.steps import AmendmentRow, Row, decoded


def new_rows(steps: Sequence[tuple[Decision, MakerOutput]], before: bytes) -> list[Row]:
    """Return the rows of steps that are committed together.

    Args:
        steps: each decision, with the state of the machine after it.
        before: the hash of the step before the first of them.
    """
    rows = list[Row]()
    for step, (decision, place) in enumerate(steps, start=steps[0][1]["step"]):
        entry, digest = encode(decision), place_digest(place)
        before = link(before, step, entry, digest)
        rows.append((step, entry, digest, before))
    return rows


def new_amendments(
    answers: Sequence[tuple[int, Decision]], number: int, before: bytes, hash_at: Callable[[int], bytes]
) -> list[AmendmentRow]:
    """Return the rows of later answers.

    Args:
        answers: the number of each step, with its new decision.
        number: how many amendments there are already.
        before: the hash of the last of them, or the digest of the origin.
        hash_at: a function from the number of a step to its hash.
    """
    rows = list[AmendmentRow]()
    for place, (step, decision) in enumerate(answers, start=number + 1):
        entry = encode(decision)
        before = amendment_link(before, place, step, hash_at(step), entry)
        rows.append((place, step, entry, before))
    return rows


def unanswerable(
    answers: Sequence[tuple[int, Decision]], answered: Mapping[int, str], entry_at: Callable[[int], str | None]
) -> UsageError | None:
    """Return an error that says why these answers cannot be stored; None if they can.

    Args:
        answers: the number of each step, with its new decision.
        answered: the steps that were answered before.
        entry_at: a function from the number of a step to the entry with which it was committed; None if it was not committed.
    """
    seen = set(answered)
    for step, decision in answers:
        entry = entry_at(step)
        if entry is None:
            return UsageError(f"Step {step} cannot be answered: it is not committed. Resume the run first.")
        if step in seen:
            return UsageError(f"Step {step} cannot be answered: it was answered already.")
        if decoded(step, entry)["status"] == "decided":
            return UsageError(f"Step {step} cannot be answered: it was not left open.")
        if decision["status"] != "decided":
            return UsageError(f"Step {step} cannot be answered: the new decision is open too.")
        seen.add(step)
    return None


def claimed(account: Account) -> Account:
    """Return the account for a new owner: what the owner before it had reserved is now unsettled."""
    unsettled = account.unsettled.plus(account.reserved)
    return account._replace(serial=max(1, account.serial), reserved=NONE, unsettled=unsettled)


def taken_over() -> TakenOver:
    """Return the error for a former owner."""
    return TakenOver("Another process has taken over this run. This process stops, and has committed nothing since then.")


def stale(first: int, last: int) -> StaleStep:
    """Return the error for a step that does not follow the last step of the journal."""
    return StaleStep(
        f"Step {first} does not follow the last step of the journal, {last}. Another process or graph may be at work on this "
        "run: stop one of them, and resume.",
        first,
    )
