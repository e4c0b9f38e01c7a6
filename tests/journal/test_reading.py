"""What every journal tells who reads it, wherever it is kept: all of it as it was written, or what is damaged is named."""

import random
import time
from collections.abc import Callable
from typing import Any

import pytest

from maker_graph.core.machine import Machine
from maker_graph.core.spending import Spent
from maker_graph.errors import DamagedRun
from maker_graph.journal.entry import encode
from maker_graph.journal.protocol import Journal
from maker_graph.tasks import Hanoi
from tests.journal.kept import (
    MOVES,
    Kept,
    by_a_person,
    decision,
    filled,
    following,
    replayed,
    with_open_steps,
)

# ----------------------------------------------------------------------------------------------------------------- what is read


def test_a_replay_from_a_place_on_the_way_ends_at_the_same_place(kept: Kept) -> None:
    journal, at = filled(kept.open())
    machine = Machine(Hanoi(3))
    places = [after for _, _, after in journal.replay(machine)]
    assert [after for _, _, after in journal.replay(machine, places[1])] == places[2:]
    assert [*journal.replay(machine, places[-1])] == []
    assert all(journal.agrees(place) for place in places)
    assert not journal.agrees({**at, "totals": {**at["totals"], "samples": 99}})
    assert not journal.agrees({**at, "step": 99})
    assert not journal.agrees(machine.begin())


def test_an_empty_journal_is_read_as_one(kept: Kept) -> None:
    for journal in (kept.open(claim=False), kept.open()):
        journal.check()
        assert (journal.step, [*journal.entries()], [*journal.decisions()], replayed(journal)) == (0, [], [], [])
        assert (journal.amendments(), [*journal.left_open()], journal.decision(1), journal.intent()) == ({}, [], None, None)
        assert journal.following(0, None, 9) == ([], journal.head)


def test_two_journals_with_the_same_steps_have_the_same_head(kept: Kept) -> None:
    one, at = filled(kept.open("one"))
    other, _ = filled(kept.open("other"))
    assert one.head == other.head
    one.append(following(at))
    assert one.head != other.head
    assert kept.open("one", claim=False).head == one.head
    assert filled(kept.open("third", "other settings"))[0].head != other.head


def test_many_steps_are_read_as_they_were_written(kept: Kept) -> None:
    journal, at = filled(kept.open())
    steps = following(at, 4500)
    journal.append(steps)
    onlooker = kept.open(claim=False)
    onlooker.check()
    assert [step for step, _ in onlooker.entries()] == [*range(1, 4505)]
    assert replayed(onlooker)[-1] == steps[-1][1]
    at = steps[1995][1]
    assert [after["step"] for _, _, after in onlooker.replay(Machine(Hanoi(3)), at)] == [*range(2001, 4505)]


def test_who_follows_a_run_gets_its_steps_in_portions_and_learns_when_it_is_another(kept: Kept) -> None:
    journal, at = filled(kept.open())
    first, head = journal.following(0, None, 3) or ([], "")
    assert [step for step, _ in first] == [1, 2, 3]
    second, last = journal.following(3, head, 3) or ([], "")
    assert [step for step, _ in second] == [4]
    assert journal.following(4, last, 3) == ([], last)
    assert journal.following(5, None, 3) is None
    assert journal.following(4, head, 3) is None
    journal.append(following(at))
    assert [step for step, _ in (journal.following(4, last, 3) or ([],))[0]] == [5]
    assert [*first, *second] == [*journal.entries()][:4]


def test_a_step_is_looked_up_alone_and_the_open_ones_are_found(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    onlooker = kept.open(claim=False)
    assert [step for step, _ in owner.left_open()] == [2, 4, 5]
    owner.amend([(4, by_a_person("null,null,"))])
    for journal in (owner, onlooker):
        found = dict(journal.left_open())
        assert {step: each["status"] for step, each in found.items()} == {2: "undecided", 5: "undecided"}
        assert [(each := journal.decision(step)) and each["answer"] for step in (1, 2, 4)] == ["one", None, "null,null,"]
        assert [journal.decision(step) for step in (0, -1, 7, 2**70)] == [None] * 4


# --------------------------------------------------------------------------------------------------------------- damaged steps


def _swap(kept: Kept) -> None:
    kept.change("steps", 2, step=9)
    kept.change("steps", 3, step=2)
    kept.change("steps", 9, step=3)


DAMAGES: dict[str, Callable[[Kept], None]] = {
    "another answer": lambda kept: kept.change("steps", 2, entry=encode(decision(MOVES[2]))),
    "no JSON": lambda kept: kept.change("steps", 2, entry="no JSON"),
    "no entry": lambda kept: kept.change("steps", 2, entry="[]"),
    "an answer of another kind": lambda kept: kept.change("steps", 2, entry='[{"move":1},[null],[0],1,[0,0,0],0,true]'),
    "one more blank": lambda kept: kept.change("steps", 2, entry=f"{kept.rows('steps')[1]['entry']} "),
    "the hash": lambda kept: kept.change("steps", 2, hash=b"0" * 16),
    "no hash": lambda kept: kept.change("steps", 2, hash=b""),
    "the place": lambda kept: kept.change("steps", 2, mark=b"0" * 8),
    "no place": lambda kept: kept.change("steps", 2, mark=b""),
    "the order": _swap,
    "one is gone": lambda kept: kept.drop("steps", 2),
    "one and all that follow are gone": lambda kept: kept.drop("steps", 2, 3, 4),
    "another number": lambda kept: kept.change("steps", 2, step=-2),
}


@pytest.mark.parametrize("damage", DAMAGES)
def test_damage_is_found_with_its_step(kept: Kept, damage: str) -> None:
    filled(kept.open())[0].close()
    DAMAGES[damage](kept)
    for look in (lambda: kept.open().check(), lambda: replayed(kept.open())):
        with pytest.raises(DamagedRun) as caught:
            look()
        assert caught.value.step == 2


@pytest.mark.parametrize("damage", ["one is gone", "one and all that follow are gone", "another number"])
def test_steps_that_are_missing_are_missed_by_who_only_lists_them(kept: Kept, damage: str) -> None:
    filled(kept.open())[0].close()
    DAMAGES[damage](kept)
    with pytest.raises(DamagedRun) as caught:
        [*kept.open(claim=False).entries()]
    assert caught.value.step == 2


def test_damage_is_found_by_who_follows(kept: Kept) -> None:
    journal, _ = filled(kept.open())
    _, head = journal.following(0, None, 1) or ([], "")
    kept.change("steps", 3, entry="[]")
    with pytest.raises(DamagedRun, match="at step 3"):
        journal.following(1, head, 9)


@pytest.mark.parametrize("steps", [[4], [3, 4], [1, 2, 3, 4]])
def test_steps_cut_off_at_the_end_are_missed(kept: Kept, steps: list[int]) -> None:
    filled(kept.open())[0].close()
    kept.drop("steps", *steps)
    for look in (lambda: kept.open().check(), lambda: replayed(kept.open(claim=False)), lambda: [*kept.open().decisions()]):
        with pytest.raises(DamagedRun) as caught:
            look()
        assert caught.value.step == steps[0]


def test_a_journal_of_another_run_or_of_other_settings_does_not_load(kept: Kept) -> None:
    kept.open("empty").close()
    filled(kept.open())[0].close()
    for name in ("r", "empty"):
        with pytest.raises(DamagedRun, match="another run"):
            kept.open(name, "run with k = 2")


def test_steps_transplanted_from_another_run_do_not_fit(kept: Kept) -> None:
    filled(kept.open("a", "a"))[0].close()
    filled(kept.open("b", "b"))[0].close()
    rows = kept.rows("steps", "b")
    kept.drop("steps", run="a")
    for row in rows:
        kept.put("steps", "a", **row)
    for look in (Journal.check, replayed):
        with pytest.raises(DamagedRun) as caught:
            look(kept.open("a", "a"))
        assert caught.value.step == 1


def test_one_step_transplanted_from_another_run_is_named(kept: Kept) -> None:
    filled(kept.open("a", "a"))[0].close()
    filled(kept.open("b", "b"))[0].close()
    kept.change("steps", 3, "a", **kept.rows("steps", "b")[2])
    with pytest.raises(DamagedRun) as caught:
        kept.open("a", "a").check()
    assert caught.value.step == 3


def test_no_turned_bit_of_a_step_is_accepted_in_silence(kept: Kept) -> None:
    filled(kept.open())[0].close()
    chance = random.Random(5)
    rows = kept.rows("steps")
    for _ in range(25):
        row, column = chance.choice(rows), chance.choice(["entry", "mark", "hash"])
        kept.change("steps", row["step"], **{column: turned(row[column], chance)})
        with pytest.raises(DamagedRun) as caught:
            kept.open(claim=False).check()
        assert caught.value.step == row["step"]
        kept.change("steps", row["step"], **{column: row[column]})
    kept.open().check()


def turned(value: Any, chance: random.Random) -> Any:
    """Return a value of which one bit is another."""
    raw = value.to_bytes(4, "big") if isinstance(value, int) else value.encode() if isinstance(value, str) else value
    while True:
        place = chance.randrange(8 * len(raw))
        changed = bytes(byte ^ (1 << place % 8 if each == place // 8 else 0) for each, byte in enumerate(raw))
        if isinstance(value, int):
            return int.from_bytes(changed, "big") & 0x7FFFFFFF
        if not isinstance(value, str):
            return changed
        if 0 not in changed:  # Postgres keeps no such text
            return changed.decode("latin-1")


def test_older_steps_are_checked_while_the_run_goes_on(kept: Kept) -> None:
    journal, at = filled(kept.open())
    journal.check(at_once=2)
    kept.change("steps", 1, entry=kept.rows("steps")[0]["entry"].replace("1", "2"))
    with pytest.raises(DamagedRun, match="at step 1"):
        journal.check()
    journal.check(at_once=2)  # a million steps take seconds, and these two are whole
    for made, after in following(at, 500):
        try:
            journal.append([(made, after)])
        except DamagedRun as error:
            assert error.step == 1  # noqa: PT017  it comes when the check is there
            with pytest.raises(DamagedRun):
                journal.amend([], Spent())
            with pytest.raises(DamagedRun):
                journal.owned()
            return
        time.sleep(0.01)
    pytest.fail("the damage was not noticed")


# -------------------------------------------------------------------------------------------------- damaged notes and answers


@pytest.mark.parametrize("damage", [{"value": "1,3"}, {"value": ""}, {"hash": bytes(16)}, {"hash": b""}, {"name": "out"}])
def test_a_note_that_is_not_what_was_written_is_damage(kept: Kept, damage: dict[str, Any]) -> None:
    journal = kept.open()
    journal.set_note("price", "1,2")
    journal.close()
    kept.change("notes", "price", **damage)
    with pytest.raises(DamagedRun, match="damaged"):
        kept.open().note(damage.get("name", "price"))


def test_a_note_transplanted_from_another_run_is_damage(kept: Kept) -> None:
    for name in ("a", "b"):
        journal = kept.open(name, name)
        journal.set_note("price", name)
        journal.close()
    (row,) = [row for row in kept.rows("notes", "b") if row["name"] == "price"]
    kept.change("notes", "price", "a", **row)
    with pytest.raises(DamagedRun, match="'price' was changed since it was written"):
        kept.open("a", "a").note("price")


def _reordered(kept: Kept) -> None:
    kept.change("amendments", 1, number=9)
    kept.change("amendments", 2, number=1)
    kept.change("amendments", 9, number=2)


def _transplanted(kept: Kept) -> None:
    first = kept.rows("amendments")[0]
    kept.change("amendments", 2, entry=first["entry"], hash=first["hash"])


def _one_more(kept: Kept) -> None:
    kept.put("amendments", **{**kept.rows("amendments")[2], "number": 4, "step": 6})


AMENDMENT_DAMAGES: dict[str, Callable[[Kept], None]] = {
    "an entry": lambda kept: kept.change("amendments", 2, entry=encode(by_a_person("fuor"))),
    "a hash": lambda kept: kept.change("amendments", 2, hash=b"\0"),
    "the last hash": lambda kept: kept.change("amendments", 3, hash=bytes(16)),
    "the step": lambda kept: kept.change("amendments", 2, step=3),
    "the first is gone": lambda kept: kept.drop("amendments", 1),
    "one is gone": lambda kept: kept.drop("amendments", 2),
    "the last is gone": lambda kept: kept.drop("amendments", 3),
    "all are gone": lambda kept: kept.drop("amendments"),
    "the order": _reordered,
    "one more": _one_more,
    "a transplant": _transplanted,
    "the step that was answered": lambda kept: kept.change("steps", 4, hash=bytes(16)),
}


@pytest.mark.parametrize("damage", AMENDMENT_DAMAGES)
def test_damage_to_a_later_answer_is_found(kept: Kept, damage: str) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))])
    owner.amend([(5, by_a_person("five"))])
    owner.close()
    AMENDMENT_DAMAGES[damage](kept)
    with pytest.raises(DamagedRun):
        kept.open().check()
    with pytest.raises(DamagedRun):
        kept.open(claim=False).amendments()


def test_no_turned_bit_of_a_later_answer_is_accepted_in_silence(kept: Kept) -> None:
    owner = with_open_steps(kept.open())
    owner.amend([(2, by_a_person("two")), (4, by_a_person("four"))])
    owner.close()
    rows, chance = kept.rows("amendments"), random.Random(1)
    for _ in range(25):
        row, column = chance.choice(rows), chance.choice(["step", "entry", "hash"])
        kept.change("amendments", row["number"], **{column: turned(row[column], chance)})
        with pytest.raises(DamagedRun):
            kept.open(claim=False).check()
        kept.change("amendments", row["number"], **{column: row[column]})
    kept.open().check()


@pytest.mark.parametrize("entry", ["[,null,", ",null,"])
def test_an_open_step_that_cannot_be_read_is_named(kept: Kept, entry: str) -> None:
    with_open_steps(kept.open()).close()
    kept.change("steps", 4, entry=entry)
    with pytest.raises(DamagedRun, match="step 4"):
        [*kept.open().left_open()]
