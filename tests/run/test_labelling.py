"""A person labels what was drawn, in the order of the draw, and never sees what the model answered."""

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, Run, UsageError
from maker_graph.run.label_lines import Label, LabelHeader
from maker_graph.run.labelling import (
    Labelling,
    Question,
    Source,
    folded,
    label,
    label_by_asking,
    near_duplicates,
    order_of,
    read_reply,
)
from maker_graph.run.labels import opened_labels, read_labels
from maker_graph.run.populations import Population
from maker_graph.simulation import Replies
from maker_graph.statistics.drawing import drawn
from maker_graph.tasks import Hanoi
from maker_graph.tasks.loading import LoadedTask, described
from tests.run.labelled import Words, person, words_run


def loaded(task: Any = None) -> LoadedTask:
    return described(task or Words())


def test_steps_are_asked_in_the_order_of_the_draw_and_a_later_call_goes_on(tmp_path: Path) -> None:
    path, asked = tmp_path / "l.jsonl", list[Question]()
    first = label(loaded(), Labelling(10, path, seed=5, ask=person(until=4, asked=asked), who="anna"))
    assert (first.population, first.asked, first.labelled) == (40, 10, 4)
    order = [*drawn(40, 5)][:10]
    assert [question.step for question in asked] == order[:5]
    assert [question.place for question in asked] == [1, 2, 3, 4, 5]
    again = label(loaded(), Labelling(10, path, ask=person(asked=asked), who="bo"))
    assert (again.labelled, again.unsure) == (10, 0)
    assert [question.step for question in asked[5:]] == order[4:]
    header, labels = read_labels(path, "certify")
    assert (header.seed, header.run, header.population, list(labels)) == (5, None, 40, order)
    assert {each.who for each in labels.values()} == {"anna", "bo"}
    assert label(loaded(), Labelling(10, path)).labelled == 10, "nobody is asked what is labelled"


def test_a_question_shows_what_was_asked_and_nothing_of_the_models_answer(tmp_path: Path) -> None:
    asked = list[Question]()
    with words_run(tmp_path, Words(8, wrong=range(1, 9))) as run:
        run.label(Labelling(8, ask=person(asked=asked), who="anna"))
    assert len(asked) == 8
    assert "WRONG" not in repr(asked)
    assert all(question.question[-1][1].startswith("In upper case: x") for question in asked)


def test_a_reply_is_read_as_a_models_and_asked_again_until_it_can_be(tmp_path: Path) -> None:
    refused, replies = list[str](), iter(["", "lower", '"JSON"', '"text"', "{", "A\u200bB", "FINE", "?", None])

    def ask(question: Question) -> str | None:
        refused.append(question.refused)
        return next(replies)

    path = tmp_path / "l.jsonl"
    label(loaded(), Labelling(5, path, seed=1, ask=ask))
    assert refused[0] == ""
    assert refused[1].startswith("it is empty")
    assert "malformed" in refused[2]
    labels = list(read_labels(path, "certify")[1].values())
    assert [each.answer for each in labels] == ['"JSON"', "text", "FINE", None]


class Prices(Items):
    """Prices that are objects, voted on by their cents; one with a rule that fails on what no parser has seen."""

    items = ("1.50", "2.50")

    def prompt(self, item: str) -> str:
        return f"Price: {item}"

    def parse(self, text: str) -> Any:
        return {"cents": round(100 * float(text.removeprefix("$"))), "text": text}

    def key(self, answer: Any) -> int:
        return int(answer["cents"])

    def check(self, _: str, answer: Any) -> bool:
        return bool(answer["cents"] > 0)


@pytest.mark.parametrize(
    ("reply", "candidate", "why"),
    [
        ("$1.50", "150", ""),
        ('{"cents": 99, "text": "?"}', "99", ""),
        ("-1", None, "it is invalid"),
        ('{"cents": -5}', None, "it is invalid"),
        ('{"cents": "many"}', None, "it is malformed"),
        ("[]", None, "it is malformed"),
        ("nonsense", None, "it is malformed"),
        ("null", None, "it is malformed"),
    ],
)
def test_json_is_the_answer_itself_where_the_task_reads_no_reply_in_it(reply: str, candidate: str | None, why: str) -> None:
    read, refused = read_reply(Source.of(loaded(Prices())), {"item": 0}, reply)
    assert (None if read is None else read["candidate"]) == candidate
    assert refused.startswith(why)


def test_without_the_rules_an_answer_that_breaks_them_is_taken_and_a_rule_that_fails_ends_nothing() -> None:
    assert read_reply(Source.of(loaded(Prices()), check=False), {"item": 0}, "-1")[0]

    class Failing(Prices):
        key = None  # type: ignore[assignment]

    read, why = read_reply(Source.of(loaded(Failing())), {"item": 0}, '"text"')
    assert (read, "check failed with TypeError" in why) == (None, True)


def test_the_truth_labels_without_asking_anybody(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    found = label(loaded(Hanoi(disks=3)), Labelling(7, path, truth=True), "choose")
    assert (found.labelled, found.use, found.file) == (7, "choose", path)
    labels = read_labels(path, "choose")[1]
    assert {each.who for each in labels.values()} == {"truth"}
    assert json.loads(labels[1].candidate or "") == labels[1].answer == {"move": [1, 0, 2], "next_state": [[3, 2], [], [1]]}
    with pytest.raises(UsageError, match=r"no truth\(state\)"):
        label(loaded(Prices()), Labelling(2, tmp_path / "p.jsonl", truth=True))


def test_a_truth_that_fails_is_told_and_nothing_is_labelled(tmp_path: Path) -> None:
    class Failing(Words):
        def truth(self, item: str) -> str:
            raise KeyError(item)

    with pytest.raises(UsageError, match=r"truth, asked for step \d+, failed with KeyError"):
        label(loaded(Failing()), Labelling(7, tmp_path / "l.jsonl", truth=True))
    assert read_labels(tmp_path / "l.jsonl", "certify")[1] == {}


class Doubling:
    """Start at 1 and double three times; the model once says 3, after which nobody knows what is right."""

    def start(self) -> int:
        return 1

    def done(self, state: int) -> bool:
        return state > 7

    def prompt(self, state: int) -> str:
        return f"Double {state}."

    def parse(self, text: str) -> int:
        return int(text)

    def apply(self, _: int, answer: int) -> int:
        return answer

    def truth(self, state: int) -> int:
        return {1: 2, 2: 4, 4: 8}[state]

    def rehearse(self, state: int) -> Replies:
        return Replies(str({1: 2, 2: 3, 3: 6, 6: 12}[state]), ["0", "1"])


def test_off_the_right_path_the_truth_is_unsure(tmp_path: Path) -> None:
    with Run.create(tmp_path / "r", Doubling(), model="sim:perfect", k=1) as run:
        run.solve()
        found = run.label(Labelling(9, truth=True))
    assert (found.population, found.labelled, found.unsure) == (4, 4, 2)
    labels = read_labels(found.file, "certify")[1]
    assert {step: each.answer for step, each in sorted(labels.items())} == {1: 2, 2: 4, 3: None, 4: None}


def test_a_step_is_labelled_again_only_if_it_was_drawn_and_somebody_is_asked(tmp_path: Path) -> None:
    path = tmp_path / "l.jsonl"
    label(loaded(), Labelling(3, path, seed=1, ask=lambda _: "FIRST"))
    step = next(drawn(40, 1))
    label(loaded(), Labelling(3, path, again=(step,), ask=lambda _: "SECOND"))
    labels = read_labels(path, "certify")[1]
    assert [each.answer for each in labels.values()].count("SECOND") == 1
    assert labels[step].answer == "SECOND"
    other = [*drawn(40, 1)][5]
    with pytest.raises(UsageError, match=f"Step {other} is not among those"):
        label(loaded(), Labelling(3, path, again=(other,), ask=person()))
    with pytest.raises(UsageError, match="somebody must be asked"):
        label(loaded(), Labelling(3, path, again=(step,), truth=True))


def test_two_who_label_at_once_are_asked_about_different_steps(tmp_path: Path) -> None:
    path, order = tmp_path / "l.jsonl", [*drawn(40, 1)]
    label(loaded(), Labelling(1, path, seed=1, ask=person()))
    header = LabelHeader.model_validate_json(path.read_text().splitlines()[0])
    asked = list[Question]()

    def ask(question: Question) -> str | None:
        if not asked:
            with opened_labels(path, header) as other:  # somebody else, who was faster with the next one
                other.add(Label(order[2], "bo", "now"))
        return person(asked=asked)(question)

    label(loaded(), Labelling(4, path, ask=ask))
    assert [question.step for question in asked] == [order[1], order[3]]


@pytest.mark.parametrize(
    ("how", "says"),
    [
        (Labelling(-1), "random must be"),
        (Labelling(True), "random must be"),
        (Labelling(5, seed=-1), "seed must be"),
    ],
)
def test_what_is_no_number_is_refused(tmp_path: Path, how: Labelling, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        label(loaded(), how._replace(labels=tmp_path / "l.jsonl"))
    with pytest.raises(UsageError, match="use must be"):
        label(loaded(), Labelling(labels=tmp_path / "l.jsonl"), "show")  # type: ignore[arg-type]


def test_near_duplicates_are_told() -> None:
    class Notes(Items):
        items = ("Pay 5 EUR", "pay  77 eur\n", "Pay", "pay 1.50 eur", "Other")

        def prompt(self, item: str) -> str:
            return item

    assert near_duplicates(Source.of(loaded(Notes())), [1, 2, 3, 4, 5]) == [[1, 2]]
    assert folded([("system", "A"), ("human", "b 1")]) == "a b 0"


def test_without_a_name_the_file_is_in_the_run_or_has_the_name_of_the_task(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    uses: list[Any] = ["certify", "example"]
    assert [str(label(loaded(Hanoi(disks=2)), Labelling(1, truth=True), use).file) for use in uses] == [
        "labels-hanoi.jsonl",
        "labels-hanoi-example.jsonl",
    ]
    with words_run(tmp_path, Words(3)) as run:
        assert [run.label(Labelling(1, truth=True), use).file.name for use in uses] == ["labels.jsonl", "labels-example.jsonl"]


def test_of_a_part_of_a_population_the_order_is_that_of_the_whole() -> None:
    whole: Callable[..., Population] = lambda only: Population(range(1, 21), only=only)  # noqa: E731
    chosen = frozenset({2, 3, 5, 7, 11})
    assert [*order_of(whole(chosen), 3)] == [step for step in order_of(whole(None), 3) if step in chosen]


def test_what_somebody_labelled_a_moment_before_is_not_asked(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path, asked = tmp_path / "l.jsonl", list[Question]()
    label(loaded(), Labelling(0, path, seed=1))
    header = LabelHeader.model_validate_json(path.read_text())
    with opened_labels(path, header) as file, opened_labels(path, header) as other:
        claim = file.claim

        def late(step: int) -> bool:
            if step == 2:
                other.add(Label(2, "bo", "now"))
            return claim(step)

        monkeypatch.setattr(file, "claim", late)
        label_by_asking(file, Source.of(loaded()), [1, 2, 3], person(asked=asked), "anna")
    assert [question.step for question in asked] == [1, 3]
