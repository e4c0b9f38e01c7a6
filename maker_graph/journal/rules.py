"""What a journal promises, as rules: pure, and the same for whatever keeps its rows.

- An append is a compare-and-set on the step number and the hash before it: the step that follows the last one, or a refusal.
- Whoever goes on with a run raises the number of its owners (`claim`), and the append of an older owner is refused.
- What was spent is booked even if the steps are refused, because the money is spent.
- What an owner had reserved when it was killed stays counted, as unsettled.
- A step that was committed as open may be answered later, once, by an answer that decides.
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
        steps: each decision with the state that it led to.
        before: the hash of the step before the first.
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
    """Return the rows of later answers, each with its step.

    Args:
        answers: each step with its new decision.
        number: of the amendment before the first.
        before: the hash of that amendment, or the digest of the origin.
        hash_at: returns the hash of a step.
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
    """Return why these answers cannot be stored; None if they can.

    Args:
        answers: each step with its new decision.
        answered: the steps that were answered before.
        entry_at: returns the entry with which a step was committed; None if it was not.
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
            return UsageError(f"Step {step} stays open: only an answer can be stored for it.")
        seen.add(step)
    return None


def claimed(account: Account) -> Account:
    """Return the account as a new owner finds it: what the one before had reserved is unsettled."""
    unsettled = account.unsettled.plus(account.reserved)
    return account._replace(serial=max(1, account.serial), reserved=NONE, unsettled=unsettled)


def taken_over() -> TakenOver:
    """Return the error for a former owner."""
    return TakenOver("Another process has taken over this run: this one stops, and has committed nothing since.")


def stale(first: int, last: int) -> StaleStep:
    """Return the error for a step that does not follow the last one."""
    return StaleStep(f"Step {first} does not follow the journal's last, {last}.", first)
