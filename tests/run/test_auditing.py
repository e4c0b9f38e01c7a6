"""An audit bounds what is wrong among the steps that models decided, whoever labels, whenever it stops, and after a restart."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, LimitReached, Run, UsageError
from maker_graph.run.auditing import Audit
from maker_graph.run.labelling import Labelling, Question
from maker_graph.run.labels import read_labels
from maker_graph.run.uses import labels_used
from maker_graph.statistics.audit import most_wrong
from maker_graph.statistics.drawing import drawn
from maker_graph.tasks import Hanoi
from tests.disks import everybodys_folder, read_only
from tests.run.labelled import Words, person, words_run


def stopped_at_its_limit(run: Run, **how: Any) -> None:
    with pytest.raises(LimitReached):
        run.solve(**how)


def test_labels_are_held_against_what_was_decided(tmp_path: Path) -> None:
    wrong = range(5, 200, 20)
    with words_run(tmp_path, Words(200, wrong=wrong)) as run:
        found = run.audit(random=80, seed=3, ask=person(unsure=[1, 2, 3]), who="anna")
        order = [*drawn(200, 3)][:80]
        assert found.wrong_steps == tuple(step for step in order if step in wrong)
        assert (found.population, found.drawn, found.wrong) == (200, 80, len(found.wrong_steps))
        assert found.unsure == len({1, 2, 3} & {*order})
        assert found.most == most_wrong(200, [step in {*wrong, 1, 2, 3} for step in order])
        assert found.most >= 10
        assert found == run.audit(), "a look changes nothing, and asks nobody"
        assert run.audit(confidence=0.5).most < found.most
        assert (found.file, found.things) == (tmp_path / "r" / "audit.jsonl", "items")


def test_it_says_what_may_be_said() -> None:
    said = str(Audit(50_000, 300, 0, 0, 547, 0.95, 0, 0, 0, 0, (), Path("a"), "items"))
    assert said == (
        "Of 50,000 decided items, 300 drawn at random were checked; 0 are wrong. With 95 % confidence, at most 547 of all "
        "50,000 are wrong. The bound holds whenever you look at it, and assumes nothing about the model."
    )
    said = str(Audit(9, 1, 0, 1, 9, 0.995, 0, 3, 1, 2, (), Path("a")))
    assert (
        "1 drawn at random was checked; 0 are wrong, and 1 that nobody could tell, which counts as wrong. With 99.5 %" in said
    )
    assert said.endswith(
        "nothing about the other steps: 3 left open, 1 answered by a person, 2 given by a program or the world."
    )


def test_only_what_models_decided_is_drawn_and_the_rest_is_counted_apart(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(12, stuck=[3, 4], digits=[7])) as run:
        run.answer({3: "?X"})
        found = run.audit(random=50, truth=True)
    assert (found.population, found.drawn, found.most) == (9, 9, 0)
    assert (found.open, found.person, found.given) == (1, 1, 1)
    assert not {3, 4, 7} & read_labels(found.file, "certify")[1].keys()


def test_it_goes_on_where_it_stopped_and_may_be_made_longer(tmp_path: Path) -> None:
    asked = list[Question]()
    with words_run(tmp_path) as run:
        assert run.audit(random=5, ask=person(until=2, asked=asked)).drawn == 2
    with Run.open(tmp_path / "r", task=Words()) as again:
        assert again.audit(random=5, ask=person(asked=asked)).drawn == 5
        assert again.audit(random=9, ask=person(asked=asked)).drawn == 9
        assert again.audit(random=3).drawn == 9, "all that was labelled counts"
    assert len(asked) == 9 + 1
    assert len({question.step for question in asked}) == 9


def test_a_run_that_has_gone_on_is_another_population_and_gets_another_draw(tmp_path: Path) -> None:
    told = list[str]()
    with Run.create(tmp_path / "r", Words(30), model="sim:perfect", k=2, max_steps=20) as run:
        stopped_at_its_limit(run)
        first = run.audit(random=20, truth=True, warn=told.append)
        assert (first.population, told) == (20, [])
        run.solve(max_steps=30)
        second = run.audit(random=5, truth=True, warn=told.append)
        assert (second.population, second.drawn, second.file.name) == (30, 5, "audit-2.jsonl")
        assert "audit.jsonl was drawn from 20 of them, and now there are 30" in told[0]
        assert "another draw begins, in audit-2.jsonl" in told[0]
        told.clear()
        assert run.audit(random=6, truth=True, warn=told.append).drawn == 6
        assert told == []
        with pytest.raises(UsageError, match="drawn from 20 steps, and now there are 30"):
            run.audit(labels=first.file)
    assert len(read_labels(first.file, "certify")[1]) == 20


def test_a_vote_on_open_items_makes_it_another_population_and_an_answer_by_a_person_does_not(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(10, stuck=[2, 3])) as run:
        assert run.audit(random=3, truth=True).file.name == "audit.jsonl"
        run.answer({2: "?X"})
        found = run.audit(random=4, truth=True)
        assert (found.file.name, found.person, found.open) == ("audit.jsonl", 1, 1)


def test_a_run_that_goes_on_while_it_is_audited_is_told(tmp_path: Path) -> None:
    told = list[str]()
    with Run.create(tmp_path / "r", Words(30), model="sim:perfect", k=2, max_steps=20) as run:
        stopped_at_its_limit(run)

    def ask(question: Question) -> str | None:
        if not told:
            told.append("asked")
            with Run.open(tmp_path / "r", task=Words(30)) as other:
                stopped_at_its_limit(other, max_steps=25)
        return person()(question)

    with Run.open(tmp_path / "r", task=Words(30)) as run:
        found = run.audit(random=20, ask=ask, warn=told.append)
    assert (found.population, found.drawn, found.wrong) == (20, 20, 0)
    assert "gone on meanwhile" in told[-1]


def test_a_label_that_is_changed_counts_with_its_newest_word_from_the_first_draw_on(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(60, wrong=[9])) as run:
        run.audit(random=60, seed=1, ask=lambda _: "MISTAKEN")
        step = next(drawn(60, 1))
        found = run.audit(random=60, ask=person(), again=[step])
        assert found.wrong == 59
        run.audit(random=60, ask=person(), again=range(1, 61))
        found = run.audit()
    assert (found.wrong, found.wrong_steps, found.most) == (1, (9,), 1)


def test_labels_count_up_to_the_first_gap_in_the_draw(tmp_path: Path) -> None:
    with words_run(tmp_path) as run:
        found = run.audit(random=10, seed=1, truth=True)
        lines = found.file.read_text().splitlines()
        found.file.write_text("\n".join([*lines[:4], *lines[5:]]) + "\n")
        found = run.audit()
        assert (found.drawn, found.waiting) == (3, 6)
        assert run.audit(random=10, truth=True).drawn == 10


@pytest.mark.parametrize("use", ["choose", "example"])
def test_labels_for_another_use_or_of_something_else_audit_nothing(tmp_path: Path, use: Any) -> None:
    path = tmp_path / "l.jsonl"
    with words_run(tmp_path) as run:
        run.label(Labelling(5, path, truth=True), use)
        with pytest.raises(UsageError, match=f"whose use is '{use}', not 'certify'"):
            run.audit(labels=path)
        other = run.audit(random=5, labels=tmp_path / "a.jsonl", truth=True).file
    with words_run(tmp_path, name="again") as run, pytest.raises(UsageError, match="of another run"):
        run.audit(labels=other)
    (tmp_path / "r" / "audit.jsonl").write_text("mine")
    with Run.open(tmp_path / "r", task=Words()) as run, pytest.raises(UsageError, match="something other than labels"):
        run.audit(truth=True)
    assert (tmp_path / "r" / "audit.jsonl").read_text() == "mine"


def test_labels_of_all_steps_that_were_voted_on_audit_those_that_were_decided(tmp_path: Path) -> None:
    with words_run(tmp_path, Words(30, wrong=[4, 5], stuck=range(10, 20))) as run:
        labelled = run.label(Labelling(20, seed=2, truth=True))
        found = run.audit(labels=labelled.file)
        drawn_first = [step for step in [*drawn(30, 2)][:20] if not 10 <= step < 20]
        assert (found.population, found.drawn, found.open) == (20, len(drawn_first), 10)
        assert found.most == most_wrong(20, [step in {4, 5} for step in drawn_first])
        assert run.audit(labels=labelled.file, random=20, truth=True).drawn == 20


def test_where_steps_depend_on_each_other_each_is_asked_in_the_state_that_the_run_was_in(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Hanoi(disks=5), model="sim:gpt-oss-20b", k=3) as run:
        run.solve()
        found = run.audit(random=31, truth=True)
        assert (found.population, found.drawn, found.wrong, found.most, found.things) == (31, 31, 0, 0, "steps")


def test_the_journal_keeps_what_was_used_and_what_came_of_it(tmp_path: Path) -> None:
    with words_run(tmp_path) as run:
        found = run.audit(random=5, truth=True)
        (used,) = labels_used(run._opened.journal)
        assert (used.purpose, used.labels, used.said) == ("audit", 5, str(found))
        assert run.verify()["verdict"] == "right", "the journal is as whole as before"


def test_a_run_that_can_only_be_read_is_audited_into_a_file_elsewhere() -> None:
    with everybodys_folder() as folder:
        with words_run(folder) as run:
            own = run.audit(random=5, truth=True).file
        with read_only(folder / "r"), Run.open(folder / "r", task=Words()) as run:
            assert run.audit().drawn == 5
            with pytest.raises(LimitReached, match="can only be read: give access, or another --labels"):
                run.audit(random=6, truth=True)
        own.unlink()
        (folder / "there").mkdir()
        (folder / "there").chmod(0o777)
        with read_only(folder / "r"), Run.open(folder / "r", task=Words()) as run:
            with pytest.raises(UsageError, match="cannot be written"):
                run.audit(random=6, truth=True)
            assert run.audit(random=6, truth=True, labels=folder / "there" / "a.jsonl").drawn == 6


def test_nothing_that_models_decided_and_odd_settings_are_told_before_anybody_is_asked(tmp_path: Path) -> None:
    def never(_: Question) -> str | None:
        raise AssertionError

    with words_run(tmp_path, Words(3, digits=[1, 2, 3])) as run, pytest.raises(UsageError, match="nothing to audit"):
        run.audit(ask=never)
    with words_run(tmp_path, name="some") as run:
        for how in ({"confidence": 1.0}, {"random": -1}, {"seed": -3}, {"random": 2.5}):
            with pytest.raises(UsageError):
                run.audit(**{"ask": never, **how})  # type: ignore[arg-type]
        with pytest.raises(UsageError, match="somebody must be asked"):
            run.audit(again=[1], truth=True, random=50)


def test_a_task_whose_questions_are_others_now_is_not_asked(tmp_path: Path) -> None:
    class Changed(Words):
        def prompt(self, item: str) -> str:
            return f"In lower case: {item}"

    words_run(tmp_path).close()
    with Run.open(tmp_path / "r", task=Changed()) as run, pytest.raises(UsageError, match="no longer the one"):
        run.audit(truth=True)


def test_without_its_task_what_was_labelled_is_looked_at(tmp_path: Path) -> None:
    with words_run(tmp_path) as run:
        found = run.audit(random=5, truth=True)
    with Run.open(tmp_path / "r") as run:
        assert run.audit(random=5) == Audit(**{**{name: getattr(found, name) for name in Audit.__slots__}, "things": "steps"})


def test_equal_answers_agree_by_what_the_task_votes_on(tmp_path: Path) -> None:
    class Keyed(Words):
        def parse(self, text: str) -> Any:
            return {"word": text.strip(), "note": len(text)}

        def key(self, answer: Any) -> Any:
            return answer["word"]

        def truth(self, item: str) -> Any:
            return {"word": item.upper(), "note": -1}

    with words_run(tmp_path, Keyed(9, wrong=[2])) as run:
        found = run.audit(random=9, truth=True)
    assert found.wrong_steps == (2,)
    assert json.loads(found.file.read_text().splitlines()[1])["answer"]["note"] == -1


def test_an_items_task_is_no_chain(tmp_path: Path) -> None:
    assert isinstance(Words(), Items)
    with words_run(tmp_path, Words(20, wrong=[1])) as run:
        assert run.audit(random=20, truth=True).wrong_steps == (1,), "what follows a wrong item is judged all the same"


@pytest.mark.parametrize("name", ["journal.db", "journal.db-wal", "journal.watermark", "settings.json", "checkpoints.db-shm"])
def test_a_file_in_which_the_run_is_kept_takes_no_labels_also_if_it_is_not_there(tmp_path: Path, name: str) -> None:
    with words_run(tmp_path, Words(3)) as run:
        before = {path.name: path.read_bytes() for path in run.directory.iterdir() if path.suffix != ".db-shm"}
        (tmp_path / "link").symlink_to(run.directory / name)
        for path in (run.directory / name, tmp_path / "link"):
            with pytest.raises(UsageError, match="a file of the run itself"):
                run.audit(truth=True, labels=path)
            with pytest.raises(UsageError, match="a file of the run itself"):
                run.label(Labelling(3, path, truth=True))
        assert {path.name: path.read_bytes() for path in run.directory.iterdir() if path.suffix != ".db-shm"} == before
