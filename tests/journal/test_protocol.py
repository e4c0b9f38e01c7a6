"""What every journal promises who writes it, wherever it is kept."""

import asyncio
from pathlib import Path

import pytest

from maker_graph.core.decision import Decision
from maker_graph.core.machine import Machine
from maker_graph.core.spending import NONE, Account, Reserved, Spent
from maker_graph.errors import OlderJournal, StaleStep, TakenOver, UsageError
from maker_graph.journal.intent import INTENT, Intent
from maker_graph.tasks import Records
from tests.journal.kept import (
    MOVES,
    ROWS,
    Kept,
    by_a_person,
    decision,
    filled,
    following,
    item,
    replayed,
    with_open_steps,
)

# ----------------------------------------------------------------------------------------------------------- steps and owners


def test_what_was_appended_is_there_after_reopening_and_replays_to_the_same_place(kept: Kept) -> None:
    journal, at = filled(kept.open())
    journal.close()
    assert replayed(kept.open())[-1] == at


def test_an_append_must_follow_the_last_step(kept: Kept) -> None:
    journal, at = filled(kept.open())
    with pytest.raises(StaleStep, match="Step 4 does not follow the last step of the journal, 4"):
        journal.append([(decision(MOVES[0]), at)], Spent(calls=1))
    with pytest.raises(StaleStep):
        journal.append([(decision(MOVES[0]), {**at, "step": 6})], Spent(calls=1))
    first, second = following(at, 2)
    with pytest.raises(StaleStep):
        journal.append([first, (second[0], {**second[1], "step": 7})], Spent(calls=1))
    assert (len(replayed(journal)), journal.step, journal.account().spent.calls) == (4, 4, 3)
    journal.append([first, second])
    assert (len(replayed(journal)), journal.step) == (6, 6)


def test_steps_are_added_to_the_very_steps_that_their_owner_knows(kept: Kept) -> None:
    journal, at = filled(kept.open())
    old = kept.copy()
    journal.append(following(at))
    journal.close()
    kept.put_back(old)
    journal = kept.open(accept_loss=True)
    other = decision("move = [1, 1, 2]\nnext_state = [[], [2], [3, 1]]")
    journal._hash = bytes(16)  # as if another had committed step 4
    with pytest.raises(StaleStep):
        journal.append([(other, following(at)[0][1])])
    assert len(replayed(kept.open(claim=False))) == 4


def test_steps_that_are_committed_together_are_all_there(kept: Kept) -> None:
    journal, at = filled(kept.open())
    steps = following(at, 300)
    journal.append(steps, Spent(cost=0.25, calls=900), Reserved(0.5, 8))
    assert (journal.step, journal.account().spent.calls, journal.account().reserved) == (304, 900, Reserved(0.5, 8))
    assert replayed(kept.open(claim=False))[-1] == steps[-1][1]


async def test_an_append_in_the_event_loop_is_an_append(kept: Kept) -> None:
    journal, at = filled(kept.open())
    await journal.aappend(following(at), Spent(calls=3), Reserved(0.5, 2), {"pace": "slow"})
    with pytest.raises(StaleStep):
        await journal.aappend(following(at), Spent(calls=3))
    assert (journal.step, journal.note("pace"), journal.account().spent.calls) == (5, "slow", 6)


async def test_who_is_cancelled_while_it_appends_has_appended(kept: Kept) -> None:
    journal, at = filled(kept.open())
    work = asyncio.ensure_future(journal.aappend(following(at), Spent(calls=3)))
    await asyncio.sleep(0)
    work.cancel()
    await asyncio.wait([work])
    assert (journal.step, journal.account().spent.calls) == (5, 3)
    journal.append(following(following(at)[0][1]))


def test_of_two_processes_at_the_same_step_one_is_refused(kept: Kept) -> None:
    first, at = filled(kept.open())
    second = kept.open()
    with pytest.raises(TakenOver, match="taken over"):  # although nobody was faster: the step would follow
        first.append(following(at), Spent(cost=1.0))
    assert len(replayed(first)) == 4
    second.append(following(at))
    with pytest.raises(TakenOver):
        first.append(following(at), Spent(cost=1.0))
    assert len(replayed(second)) == 5
    assert second.account().spent.cost == 2.0, "money is gone, whoever was first"


def test_each_owner_has_a_number_and_the_last_one_alone_is_it(kept: Kept) -> None:
    owners = [kept.open() for _ in range(3)]
    assert [each.epoch for each in owners] == [1, 2, 3]
    assert [each.owners() for each in owners] == [3, 3, 3]
    owners[2].owned()
    owners[2].beat()
    owners[0].claim("again")
    assert (owners[0].epoch, owners[0].owners()) == (4, 4)
    owners[0].owned()


def test_an_owner_that_was_taken_over_learns_it_at_its_next_write(kept: Kept) -> None:
    first, at = filled(kept.open())
    kept.open()
    with pytest.raises(TakenOver):
        first.append(following(at))
    with pytest.raises(TakenOver):
        first.amend([(1, by_a_person("one"))])
    with pytest.raises(TakenOver):
        first.intend(Intent(5, "act"))


def test_a_journal_that_was_only_looked_at_takes_no_steps(kept: Kept) -> None:
    journal, at = filled(kept.open())
    onlooker = kept.open(claim=False)
    assert onlooker.epoch is None
    with pytest.raises(TakenOver):
        onlooker.append(following(at))
    with pytest.raises(TakenOver):
        onlooker.amend([(1, by_a_person("one"))])
    with pytest.raises(TakenOver):
        onlooker.intend(Intent(5, "act"))
    with pytest.raises(TakenOver):
        onlooker.owned()
    journal.append(following(at))


def test_runs_in_the_same_place_do_not_touch_each_other(kept: Kept) -> None:
    one, at = filled(kept.open("one"))
    other, _ = filled(kept.open("other"), MOVES[:2], Spent(calls=1))
    one.set_note("price", "1,2")
    one.append(following(at))
    assert (other.step, other.owners(), other.note("price"), other.account().spent.calls) == (2, 1, None, 2)
    assert (one.step, len(replayed(other)), one.account().spent.calls) == (5, 2, 0)


# ------------------------------------------------------------------------------------------------------------------ the account


def test_the_account_is_the_sum_of_all_that_was_booked(kept: Kept) -> None:
    journal, at = filled(kept.open(), spent=Spent(cost=0.125, calls=3, samples=3, input=9), reserved=Reserved(0.5, 2))
    journal.spend(Spent(cost=0.1, seconds=1.5, calls=1, unpriced=1), Reserved(0.25, 1))
    account = journal.account()
    assert account.spent == Spent(cost=0.6, seconds=1.5, calls=13, samples=12, input=36, unpriced=1)
    assert [type(part) for part in account.spent] == [type(part) for part in Spent()]
    assert (account.steps, account.reserved, account.unsettled) == (at["step"], Reserved(0.25, 1), NONE)
    assert kept.open(claim=False).account() == account


def test_the_account_says_how_often_the_journal_was_written(kept: Kept) -> None:
    journal, _ = filled(kept.open())
    before = journal.account().serial
    journal.spend(Spent(calls=1))
    assert journal.account().serial == before + 1 > 5


def test_what_a_killed_owner_held_may_have_been_billed_and_counts_for_ever(kept: Kept) -> None:
    journal, _ = filled(kept.open())
    journal.spend(Spent(cost=0.5, calls=3), Reserved(cost=0.25, calls=8))
    journal.close()
    account = kept.open().account()
    assert (account.spent.calls, account.reserved, account.unsettled) == (3, NONE, Reserved(cost=0.25, calls=8))
    assert kept.open().account().unsettled == Reserved(cost=0.25, calls=8)


def test_what_a_former_owner_books_late_is_added_and_nothing_else_of_it_is_taken(kept: Kept) -> None:
    first, _ = filled(kept.open())
    second = kept.open()
    second.spend(Spent(calls=5), Reserved(0.5, 2), {"pace": "new"})
    first.spend(Spent(cost=0.25, calls=3), Reserved(9, 9), {"pace": "old", "more": "old"})
    kept.open(claim=False).spend(Spent(calls=1), Reserved(9, 9), {"more": "of nobody"})
    account = second.account()
    assert (account.spent, account.reserved, account.unsettled) == (Spent(cost=0.25, calls=9), Reserved(0.5, 2), NONE)
    assert (second.note("pace"), second.note("more")) == ("new", None)


# ------------------------------------------------------------------------------------------------------------ notes and intents


def test_a_note_is_kept_until_it_is_written_again(kept: Kept) -> None:
    journal, at = filled(kept.open())
    journal.set_note("price", "1,2")
    journal.set_note("price", "1,3")
    journal.append(following(at), notes={"pace": "a", "trace": "x"})
    journal.spend(Spent(), notes={"pace": "b"})
    for each in (journal, kept.open(claim=False)):
        assert [each.note(name) for name in ("price", "pace", "trace", "none")] == ["1,3", "b", "x", None]


@pytest.mark.parametrize(
    "text",
    ["", " ", "'; DROP TABLE notes; --", "a\\b\\x00", "%s %(run)s {}", '{"ä": "😀"}', "\u2028\n\r\t\x1b", "x" * 3_000_000],
)
def test_any_text_is_kept_as_it_is(kept: Kept, text: str) -> None:
    journal = kept.open()
    journal.set_note("out", text)
    journal.spend(Spent(), notes={"ßpent %s": text})
    onlooker = kept.open(claim=False)
    assert (onlooker.note("out"), onlooker.note("ßpent %s")) == (text, text)


def test_the_notes_of_steps_that_are_refused_are_not_kept(kept: Kept) -> None:
    journal, at = filled(kept.open())
    with pytest.raises(StaleStep):
        journal.append([(decision(MOVES[0]), at)], notes={"pace": "a"})
    kept.open()
    with pytest.raises(TakenOver):
        journal.append(following(at), notes={"pace": "a"})
    assert journal.note("pace") is None


def test_an_intent_is_about_the_next_step_or_refused(kept: Kept) -> None:
    journal, at = filled(kept.open())
    for step in (4, 6):
        with pytest.raises(StaleStep):
            journal.intend(Intent(step, "act"))
    assert journal.intent() is None
    journal.intend(Intent(5, "act"))
    journal.intend(Intent(5, "act", known=True, answer={"done": ["\x00", "ß"]}, performed=True))
    assert kept.open(claim=False).intent() == Intent(5, "act", known=True, answer={"done": ["\x00", "ß"]}, performed=True)
    journal.append(following(at))
    with pytest.raises(StaleStep):
        journal.intend(Intent(5, "act"))
    assert journal.note(INTENT) is not None


# ------------------------------------------------------------------------------------------------------------- later answers


def test_the_final_answer_of_a_step_is_that_of_its_amendment(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(4, by_a_person("four")), (2, by_a_person("two"))], Spent(calls=3), Reserved(0.5, 2))
    for journal in (owner, kept.open(claim=False)):
        assert [each["answer"] for each in journal.decisions()] == ["one", "two", "three", "four", None, "six"]
        assert [step for step, _ in journal.entries()] == [1, 2, 3, 4, 5, 6]
        assert {step: each["by"] for step, each in journal.amendments().items()} == {4: "person", 2: "person"}
        account = journal.account()
        assert (account.amended, account.spent.calls, account.reserved) == (2, 3, Reserved(0.5, 2))
        assert [after["step"] for _, _, after in journal.replay(Machine(Records(ROWS)))] == [1, 2, 3, 4, 5, 6]


def test_the_samples_of_the_open_step_still_count_after_it_was_answered(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(2, by_a_person("two"))])
    (amended,) = owner.amendments().values()
    assert [(vote["by"], vote["samples"]) for vote in amended["tried"]] == [("base", 1)]


@pytest.mark.parametrize(
    ("answers", "said"),
    [
        ([(7, by_a_person("seven"))], "Step 7 .* not committed"),
        ([(1, by_a_person("one"))], "Step 1 .* not left open"),
        ([(4, by_a_person("other"))], "Step 4 .* answered already"),
        ([(2, by_a_person("two")), (2, by_a_person("two"))], "Step 2 .* answered already"),
        ([(2, item(""))], "Step 2 cannot be answered: the new decision"),
    ],
)
def test_what_cannot_be_answered_is_refused_whole_and_its_cost_is_booked(
    kept: Kept, answers: list[tuple[int, Decision]], said: str
) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(4, by_a_person("four"))])
    with pytest.raises(UsageError, match=said):
        owner.amend([(5, by_a_person("five")), *answers], Spent(calls=2))
    assert set(owner.amendments()) == {4}
    assert owner.account().spent.calls == 2


def test_who_was_taken_over_answers_nothing_and_pays_all_the_same(kept: Kept) -> None:
    owner, later = with_open_steps(kept.open()), kept.open()
    with pytest.raises(TakenOver):
        owner.amend([(2, by_a_person("two"))], Spent(calls=2))
    with pytest.raises(TakenOver):
        owner.amend([], Spent(calls=2))
    assert (later.amendments(), later.account().spent.calls) == ({}, 4)
    later.amend([(2, by_a_person("two"))])
    with pytest.raises(TakenOver):
        kept.open(claim=False).amend([(4, by_a_person("four"))])


def test_no_answers_at_all_are_an_amendment_that_only_pays(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([], Spent(calls=2), Reserved(0.5, 2))
    assert (owner.amendments(), owner.account().spent.calls, owner.account().reserved) == ({}, 2, Reserved(0.5, 2))


def test_steps_are_appended_after_an_amendment_as_before(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(2, by_a_person("two"))])
    machine = Machine(Records(ROWS))
    *_, (_, _, at) = owner.replay(machine)
    made = item("seven")
    owner.append([(made, machine.advance(at, made))])
    owner.amend([(4, by_a_person("four"))])
    assert [each["answer"] for each in owner.decisions()] == ["one", "two", "three", "four", None, "six", "seven"]
    kept.open(claim=False).check()


# ------------------------------------------------------------------------------------------ a journal that is an older copy


@pytest.fixture
def witness(tmp_path: Path) -> Path:
    return tmp_path / "state" / "w.watermark"


def spent_on(kept: Kept, witness: Path, *, accept_loss: bool = False) -> Account:
    """Own the run, commit the four steps with what they cost, and leave something reserved; return the account."""
    journal = kept.open(witness=witness, accept_loss=accept_loss)
    filled(journal, spent=Spent(cost=1.0, calls=3), reserved=Reserved(0.5, 2))
    account = journal.account()
    journal.close()
    return account


def test_an_older_journal_is_refused_and_accepted_with_all_that_was_spent(kept: Kept, witness: Path) -> None:
    kept.open(witness=witness).close()
    old = kept.copy()
    account = spent_on(kept, witness)
    kept.put_back(old)
    with pytest.raises(OlderJournal, match=r"steps 1 to 4, 12 calls, \$4\.0000\. .*--accept-loss"):
        kept.open(witness=witness, claim=False)
    journal = kept.open(witness=witness, accept_loss=True)
    assert journal.step == 0
    assert journal.account().spent == account.spent
    assert journal.account().unsettled == Reserved(0.5, 2)
    assert journal.owners() >= 3, "nobody has the number of an owner that is forgotten"
    journal.close()
    spent_on(kept, witness)
    journal = kept.open(witness=witness, claim=False)
    assert (journal.step, journal.account().spent.calls) == (4, 24), "once accepted, it is the run"


def test_a_kill_between_a_commit_and_its_mark_is_no_loss(kept: Kept, witness: Path) -> None:
    kept.open(witness=witness).close()
    marks = {path: path.read_bytes() for path in kept.folder.rglob("*.watermark")}
    assert witness in marks
    spent_on(kept, witness)
    for path, content in marks.items():
        path.write_bytes(content)
    assert kept.open(witness=witness).step == 4


def test_of_two_copies_that_went_on_apart_one_is_not_taken_for_the_other(kept: Kept, witness: Path) -> None:
    kept.open(witness=witness).close()
    old = kept.copy()
    spent_on(kept, witness)
    kept.put_back(old)
    for mark in kept.folder.glob("r/*.watermark"):
        mark.unlink()
    other = kept.open(accept_loss=True)  # elsewhere, where nobody has seen it before
    filled(other, [MOVES[1], MOVES[0], *MOVES[:3]])
    other.close()
    with pytest.raises(OlderJournal, match="two copies"):
        kept.open(witness=witness)
    kept.open(witness=witness, accept_loss=True)


def test_a_copy_from_before_the_answers_is_refused_and_says_what_is_missing(kept: Kept, witness: Path) -> None:
    with_open_steps(kept.open(witness=witness)).close()
    old = kept.copy()
    owner = kept.open(witness=witness)
    owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))], Spent(calls=3))
    owner.close()
    kept.put_back(old)
    with pytest.raises(OlderJournal, match="later answers to 2 open steps, 3 calls"):
        kept.open(witness=witness, claim=False)
    owner = kept.open(witness=witness, accept_loss=True)
    assert (owner.amendments(), owner.account().spent.calls) == ({}, 3)
    owner.amend([(2, by_a_person("two"))])
    owner.close()
    assert set(kept.open(witness=witness, claim=False).amendments()) == {2}


def test_who_has_gone_on_with_a_run_on_this_machine_is_known_here(kept: Kept, witness: Path) -> None:
    assert not kept.open(witness=witness, claim=False).claimed_here
    kept.open(witness=witness).close()
    assert kept.open(witness=witness, claim=False).claimed_here
    assert not kept.open(witness=witness.with_name("other.watermark"), claim=False).claimed_here
