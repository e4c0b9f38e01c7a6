"""What a run was asked for, in the forms of today and of 0.1.0."""

import itertools
import json
from typing import Any, ClassVar

import pytest

from maker_graph import AheadBy, DamagedRun, FirstTo, Majority, UnusableRun, UsageError, Voting
from maker_graph.core.red_flags import empty
from maker_graph.models.resolving import model_for
from maker_graph.run.settings import VERSION, Settings, new_settings, read_settings, unchanged
from maker_graph.run.votings import SINCE_4, LadderSettings, PartSettings, RungSettings
from maker_graph.tasks import Hanoi, WordProblems
from maker_graph.tasks.loading import cut_task, described
from maker_graph.tasks.slices import Slice
from tests.graph.test_parts import Story

FIRST: dict[str, Any] = {
    "id": "5d0c",
    "task": "hanoi",
    "options": {"disks": 4},
    "model": "sim:gpt-oss-20b",
    "k": 3,
    "seed": 1,
    "check": True,
    "max_samples": 100,
    "max_tokens": 2048,
    "temperature": [0.0, 0.1],
    "stuck_after": 20,
    "hotter": 1.0,
    "rephrase": True,
    "escalate": None,
    "prompt": "0123456789abcdef",
}


def made(**voting: Any) -> Settings:
    return new_settings(described(Hanoi(3)), "sim:perfect", Voting(**voting))


def test_what_is_written_is_read_back() -> None:
    for settings in (made(), made(k=5, temperature=0.5, max_tokens=None, seed=7, check=False), made(temperature=None)):
        assert read_settings(settings.text(), "settings.json") == settings
        assert json.loads(settings.text())["version"] == 4
        assert "slice" not in json.loads(settings.text())


def test_a_slice_is_part_of_the_settings_where_there_is_one() -> None:
    whole, first, second = (
        new_settings(each, "sim:perfect", Voting())
        for each in (described(WordProblems(problems=4)), *cut_task(described(WordProblems(problems=4)), 2))
    )
    assert [json.loads(each.text())["version"] for each in (whole, first, second)] == [4, VERSION, VERSION]
    assert second.slice == Slice(first=2, rows=2)
    assert read_settings(second.text(), "settings.json") == second
    assert first.model_copy(update={"id": "a"}).origin() != second.model_copy(update={"id": "a"}).origin()
    with pytest.raises(DamagedRun, match="form 4 has no slice"):
        read_settings(second.text().replace(f'"version": {VERSION}', '"version": 4'), "settings.json")


def test_what_is_left_to_the_model_is_filled_in() -> None:
    assert (made().voting.temperature, made().voting.max_tokens) == ((0.0, 0.1), 750)


def test_those_of_0_1_0_are_read_and_their_origin_stays() -> None:
    settings = read_settings(json.dumps(FIRST), "settings.json")
    assert (settings.k, settings.voting.max_tokens, settings.ladder) == (3, 2048, LadderSettings())
    assert json.loads(settings.origin()) == FIRST
    assert json.loads(settings.text()) == FIRST


SECOND: dict[str, Any] = {
    "version": 2,
    "id": "5d0c",
    "task": "records",
    "options": {"input": "/rows.csv", "digest": "d59f"},
    "model": "sim:gpt-oss-20b",
    "voting": {
        "k": 3, "temperature": [0.0, 0.1], "max_tokens": 2048, "max_samples": 100, "stuck_after": 20, "seed": 1, "check": True,
    },
    "ladder": {"temperature": 1.0, "rephrase": True, "model": None},
    "prompt": "0123456789abcdef",
}  # fmt: skip


@pytest.mark.parametrize("before", [FIRST, SECOND], ids=["first", "second"])
def test_those_of_before_have_the_same_origin_to_the_byte_and_no_inputs(before: dict[str, Any]) -> None:
    settings = read_settings(json.dumps(before), "settings.json")
    assert json.loads(settings.text()) == before
    assert settings.origin() == json.dumps(before, sort_keys=True, separators=(",", ":"))
    assert (settings.began, settings.inputs) == (None, {})


def test_what_a_task_stands_on_is_kept_since_form_3() -> None:
    class Declares(Hanoi):
        inputs: ClassVar[dict[str, Any]] = {"way": "short"}

    settings = new_settings(described(Declares(3)), "sim:perfect", Voting())
    assert [*settings.inputs] == ["way"]
    assert settings.began == settings.inputs == json.loads(settings.origin())["inputs"]
    assert (made().inputs, made().began) == ({}, {})


@pytest.mark.parametrize("version", [VERSION + 1, 99])
def test_a_newer_form_is_one_clear_sentence(version: int) -> None:
    with pytest.raises(UnusableRun, match="newer maker_graph"):
        read_settings(json.dumps({"version": version, "anything": 1}), "settings.json")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "[]",
        "null",
        "{",
        "{}",
        json.dumps({**FIRST, "k": 0}),
        json.dumps({**FIRST, "more": 1}),
        json.dumps({**FIRST, "version": 2, "inputs": {}}),
        json.dumps({name: value for name, value in FIRST.items() if name != "hotter"}),
        made().text().replace('"k": 3', '"k": "3"'),
        made().text().replace('"k": 3', '"kk": 3'),
        made().text().replace('"version": 4', '"version": "2"'),
        made().text().replace('"version": 4', '"version": true'),
    ],
)
def test_what_is_no_settings_is_damaged(text: str) -> None:
    with pytest.raises(DamagedRun):
        read_settings(text, "settings.json")


def test_a_rule_that_cannot_be_kept_is_refused() -> None:
    for voting in (Voting(Majority(3)), Voting(FirstTo(3)), Voting(red_flags=(empty,))):
        with pytest.raises(UsageError):
            new_settings(described(Hanoi(3)), "sim:perfect", voting)


def test_a_task_that_asks_something_else_is_noticed() -> None:
    unchanged(made(), Hanoi(3))
    with pytest.raises(UnusableRun, match="no longer"):
        unchanged(made(), Hanoi(4))


class Unrehearsed(Hanoi):
    """A task whose prompts a simulated model does not know."""

    def prompt(self, state: Any) -> Any:
        return f"what now? {state}"


def test_a_simulated_model_must_know_the_task() -> None:
    with pytest.raises(UsageError, match="rehearsal"):
        model_for("sim:perfect", Unrehearsed(3), 1)


class Odd(Hanoi):
    """Has something else to say each time, or nothing that can be stored."""

    turns = itertools.count()

    def __init__(self, odd: str) -> None:
        super().__init__(3)
        self.odd = odd

    def start(self) -> Any:
        extra: dict[str, Any] = {"set": {"seen": set()}, "random": {"turn": next(self.turns)}}
        return {**super().start(), **extra.get(self.odd, {})}

    def prompt(self, state: Any) -> Any:
        return [("user", f"{next(self.turns) if self.odd == 'clock' else state}")]


class Swapped(Hanoi):
    def done(self) -> bool:  # type: ignore[override]  # the slip
        return False


@pytest.mark.parametrize(
    ("task", "problem"),
    [
        (Odd("set"), "The start state of Odd is not plain JSON"),
        (Odd("random"), "two different states"),
        (Odd("clock"), "differs each time"),
        (Swapped(3), r"Swapped.done must be a function that is called as Swapped.done\(state\)"),
    ],
    ids=["set", "random", "clock", "swapped"],
)
def test_a_task_that_no_run_can_keep_is_refused_before_anything_is_stored(task: Any, problem: str) -> None:
    with pytest.raises(UsageError, match=problem):
        new_settings(described(task), "sim:perfect", Voting())


def test_what_a_prompt_changes_in_the_state_is_no_other_prompt() -> None:
    class InPlace(Hanoi):
        def prompt(self, state: Any) -> Any:
            asked = super().prompt(state)
            state["pegs"].clear()
            return asked

    task = InPlace(3)
    unchanged(new_settings(described(task), "sim:perfect", Voting()), task)


@pytest.mark.parametrize("version", [2, 3])
def test_an_earlier_form_is_read_and_written_as_it_was(version: int) -> None:
    now = json.loads(made().text())
    voting = {name: value for name, value in now["voting"].items() if name not in SINCE_4}
    since: tuple[str, ...] = {2: ("cascade", "inputs", "parts"), 3: ("cascade",)}[version]
    then = {**{name: value for name, value in now.items() if name not in since}, "version": version, "voting": voting}
    read = read_settings(json.dumps(then), "settings.json")
    assert (json.loads(read.text()), json.loads(read.origin())) == (then, then)
    assert (read.cascade, read.voting.k, read.voting.stop) == ([], 3, ())
    more: list[dict[str, Any]] = [{"cascade": []}, {"voting": {**voting, "within": 3}}]
    for later in more:
        with pytest.raises(DamagedRun, match=f"form {version} has no"):
            read_settings(json.dumps({**then, **later}), "settings.json")


def test_a_run_whose_rule_gives_up_says_of_each_open_step_whether_it_is_contested() -> None:
    settings = new_settings(described(Hanoi(3)), "sim:perfect", Voting(k=AheadBy(2, within=3)))

    def passed(**said: Any) -> bool:
        decision: Any = {"status": "undecided", "by": "base", "ballot": {"a": 1, "b": 1}, **said}
        return settings.passed(decision)

    assert passed()
    assert passed(ballot={"a": 2, "b": 1})
    assert not passed(ballot={"a": 2, "b": 1}, status="decided")
    assert not passed(ballot={}), "it is stuck"
    assert not passed(ballot={"a": 1})


def test_a_task_that_cannot_ask_what_is_voted_on_is_told_before_anything_is_stored() -> None:
    with pytest.raises(UsageError, match="has no variants"):
        new_settings(described(Story()), "sim:perfect", Voting(variants=True))
    structured = Voting(structured=True)
    for how in (
        {"voting": structured},
        {"voting": Voting(), "cascade": [RungSettings(model="sim:perfect", voting=structured)]},
    ):
        with pytest.raises(UsageError, match="the JSON schema of a reply"):
            new_settings(described(Hanoi(3)), "sim:perfect", **how)
    rung = RungSettings(model="sim:perfect", voting=Voting(), rephrase=1)
    with pytest.raises(UsageError, match="has no rephrase"):
        new_settings(described(Story()), "sim:perfect", Voting(), cascade=[rung])
    assert new_settings(described(Hanoi(3)), "sim:perfect", Voting(variants=True), cascade=[rung]).cascade == [
        RungSettings(model="sim:perfect", voting=new_settings(described(Hanoi(3)), "sim:perfect", Voting()).voting, rephrase=1)
    ]


def test_a_part_whose_lead_the_limit_forbids_is_told_before_anything_is_stored() -> None:
    with pytest.raises(UsageError, match="raise within or lower k"):
        new_settings(described(Story()), "sim:perfect", Voting(k=AheadBy(2, within=2)), parts={"choose": PartSettings(k=3)})
