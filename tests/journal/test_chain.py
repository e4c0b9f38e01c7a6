"""The hashes of a journal: each stands on all before it, and those of the first release stay what they were."""

from maker_graph.core.machine import Machine, MakerOutput
from maker_graph.journal.chain import link, origin_digest, place_digest, seal
from maker_graph.tasks import Hanoi

ORIGIN, PLACE = origin_digest("run"), b"12345678"


def at(**changed: object) -> MakerOutput:
    place: MakerOutput = {**Machine(Hanoi(2)).begin(), **changed}  # type: ignore[typeddict-item]
    return place


def test_hashes_are_those_of_the_first_release() -> None:
    assert ORIGIN.hex() == "acba25512100f80b56fc3ccd14c65be5"
    assert place_digest(at()).hex() == "4afb25fcd1a7b5ed"
    assert link(ORIGIN, 1, "entry", PLACE).hex() == "9e8beee8dbcab8ed81ae7ffd8b9a6524"
    assert seal(ORIGIN, "price", "0.05,0.2").hex() == "7ed8811e401beba20aba3989772396e5"


def test_the_hash_of_a_step_stands_on_each_thing_that_it_is_made_of() -> None:
    same = link(ORIGIN, 1, "entry", PLACE)
    others = [
        link(origin_digest("other"), 1, "entry", PLACE),
        link(ORIGIN, 2, "entry", PLACE),
        link(ORIGIN, 1, "entrz", PLACE),
        link(ORIGIN, 1, "entry", b"12345679"),
    ]
    assert len({same, *others}) == 5
    assert link(ORIGIN, 1, "entry", PLACE) == same


def test_the_digest_of_a_place_stands_on_state_step_end_and_sums() -> None:
    totals = {**at()["totals"], "samples": 1}
    assert (
        len({place_digest(each) for each in (at(), at(state=1), at(step=1), at(done=True), at(digest="x"), at(totals=totals))})
        == 6
    )


def test_a_count_that_came_later_changes_a_place_only_where_it_is_not_nothing() -> None:
    assert place_digest(at(totals={**at()["totals"], "lost": 0})) == place_digest(at())
    assert place_digest(at(totals={**at()["totals"], "lost": 1})) != place_digest(at())


def test_a_note_belongs_to_its_run_but_the_one_that_says_which_run_it_is() -> None:
    other = origin_digest("other")
    assert seal(ORIGIN, "price", "1") != seal(other, "price", "1")
    assert seal(ORIGIN, "origin", "1") == seal(other, "origin", "1")
    assert seal(ORIGIN, "a", "b") != seal(ORIGIN, "b", "a")
