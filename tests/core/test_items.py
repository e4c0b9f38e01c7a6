"""Items become a task whose state is the number of the next item."""

import json
from pathlib import Path
from typing import Any

import pytest

from maker_graph.core.guarding import guarded, see_task, total_of
from maker_graph.core.items import DecidedItem, Items, ItemSteps
from maker_graph.core.machine import Machine
from maker_graph.errors import UsageError


class Prices(Items):
    """Texts to numbers; a program reads those that are plain."""

    def __init__(self, items: Any) -> None:
        self.items = items

    def given(self, item: str) -> Any:
        return float(item) if item.isdigit() else None

    def prompt(self, item: str) -> str:
        return f"Price: {item}"

    def parse(self, text: str, item: str, /) -> Any:  # type: ignore[override]  # it may take the item
        return [item, float(text)]

    def check(self, item: str, answer: Any) -> bool:
        return bool(item) and answer[1] >= 0

    def truth(self, item: str) -> Any:
        return [item, 1.0]


def test_every_function_gets_the_item_in_the_place_of_the_state() -> None:
    task = guarded(Prices(["5", "five"]))
    state = {"item": 1}
    assert task.given is not None
    assert (task.given({"item": 0}), task.given(state)) == (5.0, None)
    assert task.prompt(state) == "Price: five"
    assert task.parse("5", state) == ["five", 5.0]
    assert task.check(state, ["five", 5.0]) is True  # type: ignore[attr-defined]  # it has rules
    assert task.truth(state) == ["five", 1.0]  # type: ignore[attr-defined]  # and knows the truth
    assert not hasattr(task, "rephrase")
    assert (task.part(state), task.part({"item": 2})) == ("microstep", None)


def test_the_machine_goes_from_item_to_item_and_keeps_none_of_them() -> None:
    at = Machine(Prices(["5", "five"])).begin()
    assert (at["state"], at["done"], total_of(Prices(["5", "five"]))) == ({"item": 0}, False, 2)
    assert Machine(Prices([])).begin()["done"]


def test_a_subclass_may_name_the_place_in_its_state() -> None:
    class Rows(Prices):
        place = "row"

    assert ItemSteps(Rows(["5"])).start() == {"row": 0}


def test_what_a_function_does_to_its_item_changes_no_other_call() -> None:
    class Careless(Items):
        items = ({"price": "5"},)

        def given(self, item: Any) -> Any:
            item.clear()
            return None

        def prompt(self, item: Any) -> str:
            return str(item.pop("price"))

    task = guarded(Careless())
    assert task.given is not None
    assert [task.given({"item": 0}), task.prompt({"item": 0}), task.prompt({"item": 0})] == [None, "5", "5"]


def test_items_are_read_one_at_a_time() -> None:
    read: list[int] = []

    class Lazy:
        def __len__(self) -> int:
            return 10**9

        def __getitem__(self, number: int) -> str:
            read.append(number)
            return str(number)

    task = guarded(Prices(Lazy()))
    assert task.prompt({"item": 123_456_789}) == "Price: 123456789"
    assert read == [123_456_789]


def test_results_are_json_lines_unless_the_task_writes_others(tmp_path: Path) -> None:
    out = tmp_path / "out.jsonl"
    Prices(["5"]).write(iter([DecidedItem(1, "5", "decided", 5.0), DecidedItem(2, "x", "open", None)]), out)
    assert [json.loads(line) for line in out.read_text().splitlines()] == [
        {"number": 1, "status": "decided", "answer": 5.0},
        {"number": 2, "status": "open", "answer": None},
    ]
    assert Prices([]).outputs(out) == [out]


class _NoPrompt(Items):
    items = ("a",)


class _NoItems(Items):
    def prompt(self, item: Any) -> str:
        return str(item)


class _Stream(_NoItems):
    items = iter(["a"])  # type: ignore[assignment]  # the mistake


class _Named(_NoItems):
    items = {"a": 1}  # type: ignore[assignment]  # noqa: RUF012  the mistake


class _OddCheck(_NoItems):
    items = ("a",)

    def check(self, answer: Any) -> bool:
        return bool(answer)


@pytest.mark.parametrize(
    ("task", "says"),
    [
        (_NoPrompt(), "has no prompt"),
        (_NoItems(), "must have a length and an index"),
        (_Stream(), "must have a length and an index"),
        (_Named(), "must have a length and an index"),
        (_OddCheck(), r"called as _OddCheck.check\(item, answer\)"),
        (Prices, "is a class: make an instance of it"),
    ],
)
def test_what_is_no_items_task_is_told_in_a_sentence(task: Any, says: str) -> None:
    with pytest.raises(UsageError, match=says):
        see_task(task)


class _Growing:
    """One more each time it is measured; the third is not there."""

    def __init__(self) -> None:
        self.measured = 2

    def __len__(self) -> int:
        self.measured += 1
        return self.measured

    def __getitem__(self, place: int) -> str:
        return ["1", "2"][place]


def test_an_item_that_is_not_there_is_told_by_its_place_and_the_number_of_items_stays() -> None:
    steps = ItemSteps(Prices(_Growing()))
    assert [steps.total(), steps.total()] == [3, 3]
    with pytest.raises(UsageError, match=r"Prices.items\[2\] failed with IndexError"):
        steps.given({"item": 2})
    with pytest.raises(UsageError, match=r"len\(Prices.items\) failed with TypeError"):
        ItemSteps(Prices(iter("a"))).total()


def test_items_that_say_themselves_what_is_wrong_are_told_in_their_own_words() -> None:
    class Refusing(list[Any]):
        def __len__(self) -> int:
            raise UsageError("books.csv is not a file.")

    with pytest.raises(UsageError, match=r"^books\.csv is not a file"):
        ItemSteps(Prices(Refusing())).total()
