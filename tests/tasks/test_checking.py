"""A task that breaks its contract is told so before money is spent, with the function and the step."""

import asyncio
import itertools
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, cast

import pytest

from maker_graph import Invalid, Items, UsageError, Valid
from maker_graph import Unknown as Nobody
from maker_graph.core.examples import Example
from maker_graph.core.task import Variant
from maker_graph.models.prompts import as_pairs
from maker_graph.models.simulation import Replies
from maker_graph.models.simulation.hanoi import HanoiRehearsal
from maker_graph.models.simulation.records import RecordsRehearsal
from maker_graph.models.simulation.rehearsal import replies_of
from maker_graph.tasks import Hanoi, Records
from maker_graph.tasks.checking import Outside, replayed, try_task
from maker_graph.tasks.trial import CHECKS, Trial

ROW = {"address": "5 Elm St., 10115 Berlin", "date": "3.4.24", "amount": "$5"}
clock = itertools.count()


class Count:
    """Counts to five; the right answer to each step is the number."""

    def start(self) -> Any:
        return {"n": 0}

    def total(self) -> Any:
        return 5

    def done(self, state: Any) -> Any:
        return state["n"] == 5

    def prompt(self, state: Any) -> Any:
        return f"count {state['n']}"

    def parse(self, text: str) -> Any:
        return int(text)

    def check(self, state: Any, answer: Any) -> Any:
        return answer >= state["n"]

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002
        return {"n": answer + 1}

    def truth(self, state: Any) -> Any:
        return state["n"]


def rehearsed(prompt: Any) -> Replies | None:
    n = int(prompt[-1][1].split()[1])
    return Replies(str(n), [str(n + 1), "-1", "no number"])


def tried(make: Callable[[], Any], *, steps: int = 100, replies: Any = rehearsed) -> Trial:
    """Return what one process sees of a task, with the replay on a task that was made anew."""
    trial = try_task(make, Outside(as_pairs, replies_of, asyncio.run, replies), steps=steps)
    if trial.steps and not trial.failed("pure"):
        trial.tried.add("replay")
        trial.problems += filter(None, [replayed(make(), trial)])
    return trial


def test_a_task_that_keeps_its_contract_passes_all_that_one_process_shows() -> None:
    for make, replies, steps in (
        (Count, rehearsed, 5),
        (lambda: Hanoi(4), HanoiRehearsal().replies, 15),
        (lambda: Records([ROW] * 3), RecordsRehearsal().replies, 3),
    ):
        trial = tried(make, replies=replies)
        assert (trial.problems, trial.steps, trial.stopped, trial.answers) == ([], steps, "end", "rehearsal")
        assert trial.tried == {*CHECKS} - {"processes"}
        assert len(trial.trace) == steps


def test_without_a_rehearsal_the_truth_gives_the_answers() -> None:
    trial = tried(Count, replies=None)
    assert (trial.problems, trial.steps, trial.answers) == ([], 5, "truth")
    assert "replies" not in trial.tried


class Unknown(Count):
    truth = None  # type: ignore[assignment]  # nobody knows


class Sure(Count):
    """Its verifier proves small numbers, and can be made to prove too much or to refuse what is right."""

    def __init__(self, wrong: str = "") -> None:
        self.wrong = wrong

    def verify(self, state: Any, answer: Any) -> Any:
        if self.wrong == "refuses" and state["n"] == 2:
            raise Invalid("never 2")
        if self.wrong == "says nothing":
            return None
        if answer != state["n"] and self.wrong != "proves all":
            return Valid("it is a number")
        return Valid("it is so", conclusive=True) if state["n"] < 3 else Nobody("too large")


@pytest.mark.parametrize("replies", [rehearsed, None])
def test_a_verifier_is_asked_about_right_answers_and_what_it_says_is_counted(replies: Any) -> None:
    trial = tried(Sure, replies=replies)
    assert (trial.problems, dict(trial.standings)) == ([], {"proved": 3, "unknown": 2})


@pytest.mark.parametrize(
    ("wrong", "replies", "said"),
    [
        ("proves all", rehearsed, "verify calls a rehearsed wrong reply proved"),
        ("refuses", rehearsed, "is no vote: verify says that it is invalid: never 2"),
        ("refuses", None, "verify calls truth(state) invalid: never 2"),
        ("says nothing", rehearsed, "verify must return Valid"),
    ],
)
def test_a_verifier_that_is_wrong_is_told_before_money_is_spent(wrong: str, replies: Any, said: str) -> None:
    assert any(said in problem.text for problem in tried(lambda: Sure(wrong), replies=replies).problems)


def test_a_task_whose_answers_nobody_knows_is_tried_on_its_first_step() -> None:
    trial = tried(Unknown, replies=None)
    assert (trial.problems, trial.steps, trial.stopped, trial.answers) == ([], 0, "unknown", "nobody")
    assert {"replies", "end", "replay"}.isdisjoint(trial.tried)
    assert len(trial.trace) == 1


def test_a_long_task_is_tried_for_so_many_steps() -> None:
    trial = tried(lambda: Hanoi(20), steps=30, replies=HanoiRehearsal().replies)
    assert (trial.problems, trial.steps, trial.stopped) == ([], 30, "limit")


class InPlace(Count):
    def apply(self, state: Any, answer: Any) -> Any:
        state["n"] = answer + 1
        return state


class SpoiledAnswer(Count):
    def parse(self, text: str) -> Any:
        return [int(text)]

    def check(self, state: Any, answer: Any) -> Any:
        return answer.pop() >= state["n"]

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002
        return {"n": answer[0] + 1}

    def truth(self, state: Any) -> Any:
        return [state["n"]]


class Clock(Count):
    def prompt(self, state: Any) -> Any:
        return [("system", f"It is {next(clock)} o'clock."), ("user", f"count {state['n']}")]


class RandomStart(Count):
    def start(self) -> Any:
        return {"n": 0, "seed": next(clock)}

    def apply(self, state: Any, answer: Any) -> Any:
        return {**state, "n": answer + 1}


class Counter(Count):
    def __init__(self) -> None:
        self.calls = 0

    def apply(self, state: Any, answer: Any) -> Any:
        self.calls += 1
        return {"n": answer + 1, "calls": self.calls, "of": state["n"]}


class Remembers(Count):
    """Each two calls alike, but not from one walk to the next."""

    walks = 0

    def start(self) -> Any:
        return {"n": 0, "walk": 0}

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002
        if answer == 4:
            Remembers.walks += 1
        return {"n": answer + 1, "walk": Remembers.walks // 4}


class SetState(Count):
    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": answer + 1, "seen": {state["n"]}} if answer == 2 else super().apply(state, answer)


class SetAnswer(Unknown):
    def parse(self, text: str) -> Any:
        return set(text)


class Numbered(Count):
    """Keys that are numbers, which are texts once they are stored."""

    def start(self) -> Any:
        return {0: "now", "n": 0}

    def prompt(self, state: Any) -> Any:
        return f"count {state['n']} {state.get(0, '')}"

    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": answer + 1, "of": state["n"]}


@dataclass
class Place:
    n: int


class Objects(Count):
    def start(self) -> Any:
        return Place(0)

    def done(self, state: Any) -> Any:
        return state.n == 5


class OneDict(Count):
    def prompt(self, state: Any) -> Any:
        return {"role": "user", "content": f"count {state['n']}"}


class SaysYes(Count):
    def check(self, state: Any, answer: Any) -> Any:
        return "yes" if answer == state["n"] else ""


class SaysNo(Count):
    def check(self, state: Any, answer: Any) -> Any:
        if answer == 3:
            raise Invalid(f"{answer} is unlucky after {state['n']}")
        return True


class NoNothing(Count):
    def done(self, state: Any) -> Any:
        return None if state["n"] < 5 else True


class Illiterate(Count):
    def parse(self, text: str) -> Any:
        return {"1": 1}[text]


class Untrue(Count):
    def truth(self, state: Any) -> Any:
        return state["n"] + 7


class AllAlike(Count):
    def parse(self, text: str) -> Any:
        return int(text)

    def key(self, answer: Any) -> Any:
        return answer > -9


class Short(Count):
    def total(self) -> Any:
        return 3


class Long(Count):
    def total(self) -> Any:
        return 9


class Unreached(Count):
    def goal(self, state: Any) -> Any:
        return state["n"] == 6


class Wishful(Count):
    def goal(self, state: Any) -> Any:
        return state["n"]


class Endless(Count):
    total = None  # type: ignore[assignment]  # it does not know

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002
        return {"n": (answer + 1) % 4}


class Elsewhere(Count):
    def state_at(self, step: int) -> Any:
        return {"n": step // 2}


class Failing(Count):
    def apply(self, state: Any, answer: Any) -> Any:
        return {"n": [1, 2, 3][state["n"]] + 0 * answer}


class NoneBack(Count):
    def apply(self, state: Any, answer: Any) -> Any:
        state["n"] = answer + 1


class Concludes(Count):
    def result(self, state: Any) -> Any:
        return {state["n"]}


class Swapped(Count):
    def apply(self, answer: Any) -> Any:  # type: ignore[override]  # the slip
        return {"n": answer + 1}


class Fraction(Count):
    def total(self) -> Any:
        return 2.5


class BadDraft(Count):
    def draft(self, state: Any, n: int) -> Any:
        return [{state["n"] + i} for i in range(n)]


class BadRephrase(Count):
    def rephrase(self, state: Any, attempt: int) -> Any:
        return {"n": state["n"], "attempt": attempt}


@pytest.mark.parametrize(
    ("make", "check", "step", "problem"),
    [
        (InPlace, "arguments", 1, "apply changes the state that it is given"),
        (SpoiledAnswer, "arguments", 1, "check changes the answer that it is given"),
        (Clock, "pure", 1, "prompt returns something else when it is called again"),
        (RandomStart, "pure", None, "start returns something else"),
        (Counter, "pure", 1, "apply returns something else"),
        (Remembers, "replay", None, "the state at the end differs"),
        (SetState, "plain", 3, "what apply returns: not plain JSON: it holds a set"),
        (SetAnswer, "plain", 1, "what parse returns: not plain JSON: it holds a set"),
        (Numbered, "plain", None, "prompt differs once the state that start returns is stored"),
        (Objects, "functions", None, "done failed with AttributeError"),
        (OneDict, "prompts", 1, "prompt: A prompt must be a text or a list of messages"),
        (BadRephrase, "prompts", 1, "rephrase: A prompt must be a text"),
        (SaysYes, "functions", 1, "check: check must return True or False"),
        (NoNothing, "functions", None, "done: done must return True or False"),
        (SaysNo, "replies", 4, "check says no: 3 is unlucky after 3"),
        (Illiterate, "replies", 1, "parse failed with KeyError"),
        (Untrue, "replies", 1, "something other than truth(state)"),
        (AllAlike, "replies", 1, "a rehearsed wrong reply counts as the same vote"),
        (Short, "end", None, "after the 3 steps that total() says, done(state) is still False"),
        (Long, "end", None, "done after 5 steps, but total() says 9"),
        (Unreached, "end", None, "the right answers lead to the end, but goal(state) returns False there"),
        (Wishful, "functions", None, "goal: goal must return True or False"),
        (Endless, "end", 5, "the state is the same as at step 1"),
        (Elsewhere, "pure", 2, "state_at(step) is not the state"),
        (Failing, "functions", 4, "apply failed with IndexError"),
        (NoneBack, "functions", 1, "done failed with TypeError"),
        (Concludes, "plain", None, "what result returns: not plain JSON: it holds a set"),
        (Swapped, "functions", None, "Swapped.apply must be a function that is called as"),
        (Fraction, "functions", None, "Fraction.total() must be a whole number"),
        (BadDraft, "plain", 1, "what draft returns: not plain JSON: it holds a set"),
    ],
)
def test_a_slip_is_told_with_its_function_and_its_step(
    make: Callable[[], Any], check: str, step: int | None, problem: str
) -> None:
    replies = None if make is SetAnswer else rehearsed
    found = [each for each in tried(make, replies=replies).problems if each.check == check]
    assert found, tried(make, replies=replies).problems
    assert problem in found[0].text
    assert found[0].step == step


def test_a_problem_is_told_once_where_it_was_first_seen() -> None:
    assert len(tried(InPlace).problems) == 1


def test_a_row_that_cannot_be_rehearsed_is_left_open_but_not_all_of_them() -> None:
    odd = {**ROW, "date": "soon"}
    trial = tried(lambda: Records([ROW, odd, ROW]), replies=RecordsRehearsal().replies)
    assert (trial.problems, trial.steps, trial.left_open, trial.stopped) == ([], 3, 1, "end")
    trial = tried(lambda: Records([odd]), replies=RecordsRehearsal().replies)
    assert [(each.check, each.step) for each in trial.problems] == [("replies", 1)]


class Pick:
    """A voted part whose parser looks at the state."""

    def prompt(self, state: Any) -> Any:
        return f"count {state['n']}"

    def parse(self, text: str, state: Any) -> Any:
        return [int(text), state["n"]]

    def check(self, state: Any, answer: Any) -> Any:
        return answer[0] >= state["n"]

    def key(self, answer: Any) -> Any:
        return answer[0]

    def truth(self, state: Any) -> Any:
        return [state["n"], state["n"]]


class Tell:
    """A given part."""

    def __init__(self, by: str = "program", answer: Any = None, **more: Any) -> None:
        self.by = by
        self.made = answer or (lambda state, step: {"step": step, "n": state["n"]})
        self.calls = 0
        vars(self).update(more)

    def answer(self, state: Any, step: int) -> Any:
        self.calls += 1
        return self.made(state, step)


class Turns:
    """Picks and is told in turn, three times each."""

    def __init__(self, pick: Any = None, tell: Any = None) -> None:
        self.parts: Any = {"pick": pick or Pick(), "tell": tell or Tell()}

    def start(self) -> Any:
        return {"n": 0}

    def part(self, state: Any) -> Any:
        return None if state["n"] == 6 else ("pick", "tell")[state["n"] % 2]

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002  the contract's
        return {"n": state["n"] + 1}


def test_the_parts_of_a_task_are_tried_each_by_its_own_functions() -> None:
    task = Turns()
    trial = tried(lambda: task)
    assert (trial.problems, trial.steps, trial.stopped, trial.answers) == ([], 6, "end", "rehearsal")
    assert task.parts["tell"].calls == 3  # once for each of its steps
    assert tried(Turns, replies=None).problems == []


def test_what_is_rehearsed_by_the_state_gives_the_answers_in_tasks_of_all_forms() -> None:
    class Knows(Pick):
        def rehearse(self, state: Any) -> Replies:
            return Replies(str(state["n"]), ["-1"], error=0.5)

    class Serves(Turns):
        def rehearse(self, state: Any) -> Any:
            return Knows().rehearse(state)

    for make in (lambda: Turns(pick=Knows()), Serves):
        trial = tried(make, replies=None)
        assert (trial.problems, trial.steps, trial.answers) == ([], 6, "rehearsal")
    Serves.rehearse = lambda _, state: Replies(str(state["n"]), [str(state["n"])])  # type: ignore[method-assign, assignment]  # a slip
    assert [each.text for each in tried(Serves, replies=None).problems] == [
        "a rehearsed wrong reply counts as the same vote as the right one: '0'"
    ]
    Serves.rehearse = lambda _, state: state["n"]  # type: ignore[method-assign, assignment]  # another
    assert ["must be Replies(right, wrong)" in each.text for each in tried(Serves, replies=None).problems] == [True]


def test_what_acts_on_the_world_is_not_called() -> None:
    act = Tell("world")
    trial = tried(lambda: Turns(tell=act))
    assert (trial.problems, trial.steps, trial.stopped, act.calls) == ([], 1, "world", 0)
    for name in ("truth", "rehearse"):
        known = Tell("world", **{name: lambda state: {"n": state["n"]}})
        trial = tried(lambda known=known: Turns(tell=known))  # type: ignore[misc]  # bound now
        assert (trial.problems, trial.stopped, trial.not_performed, known.calls) == ([], "end", 3, 0)


class Rounds(Turns):
    """Picks until the world has changed, which only an action does."""

    def apply(self, state: Any, answer: Any) -> Any:  # noqa: ARG002  the contract's
        return {"n": (state["n"] + 1) % 2}


def test_a_task_that_waits_for_what_was_not_done_is_not_said_to_go_round_in_circles() -> None:
    trial = tried(lambda: Rounds(tell=Tell("world", rehearse=lambda _: "pressed")))
    assert (trial.problems, trial.steps, trial.stopped) == ([], 2, "world")
    assert ["never end" in each.text for each in tried(Rounds).problems] == [True]


def test_a_program_is_asked_once_whatever_else_is_known_of_its_answers() -> None:
    class Later(Tell):
        async def answer(self, state: Any, step: int) -> Any:
            return super().answer(state, step)

    for tell in (Tell(), Later(), Tell(truth=lambda _: "known"), Tell(rehearse=lambda _: "known")):
        trial = tried(lambda tell=tell: Turns(tell=tell))  # type: ignore[misc]  # bound now
        assert (trial.problems, trial.stopped, trial.not_performed, tell.calls) == ([], "end", 0, 3)
        known = hasattr(tell, "truth") or hasattr(tell, "rehearse")
        assert trial.decided[1] == ("known" if known else {"step": 2, "n": 1}, True)
    trial = tried(lambda: Turns(tell=Tell(answer=lambda *_: {1}, truth=lambda _: "known")))
    assert [each.check for each in trial.problems] == ["plain"]


def _changing(state: Any, step: int) -> Any:
    state["n"] += step
    return None


class Elsewise(Pick):
    def parse(self, text: str, state: Any) -> Any:
        state["n"] += 1
        return [int(text), state["n"]]


class Several(Turns):
    def part(self, state: Any) -> Any:  # noqa: ARG002  the contract's
        return ["tell"]


class Lost(Turns):
    def part(self, state: Any) -> Any:
        return "tel" if state["n"] else "pick"


class Listed(Turns):
    def part(self, state: Any) -> Any:
        return None if state["n"] == 6 else ["pick"]


@pytest.mark.parametrize(
    ("make", "check", "step", "says"),
    [
        (lambda: Turns(tell=Tell(answer=_changing)), "arguments", 2, "answer changes the state"),
        (lambda: Turns(tell=Tell(answer=lambda *_: {1, 2})), "plain", 2, "what answer returns"),
        (lambda: Turns(tell=Tell(answer=lambda *_: 1 / 0)), "functions", 2, "answer failed with ZeroDivisionError"),
        (lambda: Turns(pick=Elsewise()), "arguments", 1, "parse changes the state"),
        (Lost, "functions", 1, "part returned 'tel', which is not a part: the parts are pick, tell"),
        (Several, "functions", None, "part returned ['tell'], which is not a part"),
        (lambda: Turns(pick=object()), "functions", None, "is not a part"),
        (Listed, "functions", None, "part returned ['pick'], which is not a part"),
        (
            lambda: Turns(tell=Tell("world", rehearse=lambda state: state.pop("n"))),
            "arguments",
            2,
            "rehearse changes the state",
        ),
    ],
)
def test_a_part_that_breaks_its_contract_is_told(make: Any, check: str, step: int | None, says: str) -> None:
    trial = tried(make)
    assert any((each.check, each.step) == (check, step) and says in each.text for each in trial.problems), trial.problems


class Sums(Items):
    """Every other item is answered by the program."""

    def __init__(self, given: Any = None) -> None:
        self.items = range(6)
        self.made = given or (lambda item: item)

    def given(self, item: int) -> Any:
        return self.made(item) if item % 2 else None

    def prompt(self, item: int) -> str:
        return f"count {item}"

    def parse(self, text: str) -> Any:
        return int(text)

    def check(self, item: int, answer: int) -> bool:
        return answer >= item


def test_items_are_tried_with_their_program() -> None:
    trial = tried(Sums)
    assert (trial.problems, trial.steps, trial.stopped) == ([], 6, "end")
    for given, check, says in (
        (lambda item: item - 1, "replies", "given returns an answer that check refuses"),
        (lambda _: next(clock) + 9, "pure", "given returns something else"),
        (lambda _: {1}, "plain", "what given returns"),
    ):
        found = tried(lambda given=given: Sums(given))  # type: ignore[misc]  # bound now
        assert any(each.check == check and says in each.text for each in found.problems), found.problems


class Rows(Items):
    """Items that a careless function changes in place."""

    def __init__(self, **functions: Any) -> None:
        self.items = [{"n": [1]}, {"n": [2]}]
        vars(self).update(functions)

    def prompt(self, item: Any) -> str:
        return f"row {item['n']}"

    def truth(self, item: Any) -> Any:
        return str(item["n"])


def as_it_is(item: Any) -> Replies:
    return Replies(str(item["n"]), ["[3]"])


@pytest.mark.parametrize(
    ("functions", "check", "says"),
    [
        ({"given": lambda item: item["n"].append(3)}, "arguments", "given changes the item that it is given"),
        ({"prompt": lambda item: f"row {item.pop('n')}"}, "arguments", "prompt changes the item"),
        ({"parse": lambda text, item: item.pop("n") and text, "rehearse": as_it_is}, "arguments", "parse changes the item"),
        ({"check": lambda item, _: item.clear() is None, "rehearse": as_it_is}, "arguments", "check changes the item"),
        ({"given": lambda _: "[2]"}, "replies", "given returns something other than truth(item)"),
        ({"rehearse": lambda _: ("[1]", ["[3]"], 2)}, "functions", "must lie between 0 and 1"),
        ({"rehearse": lambda _: ("[1]", "[3]")}, "functions", "must be Replies(right, wrong)"),
        ({"rehearse": lambda _: (1, [2])}, "functions", "must be Replies(right, wrong)"),
        ({"rehearse": lambda _: None}, "functions", "must be Replies(right, wrong)"),
        ({"rehearse": lambda _: ("[1]", [])}, "replies", "no wrong reply is rehearsed"),
    ],
)
def test_what_is_wrong_with_a_function_of_an_item_is_told(functions: Any, check: str, says: str) -> None:
    found = tried(lambda: Rows(**functions), replies=None).problems
    assert any((each.check, each.step) == (check, 1) and says in each.text for each in found), found


def test_items_that_are_others_when_they_are_read_again_are_noticed() -> None:
    class Anew(Rows):
        items = property(lambda _: [next(clock)], lambda *_: None)

        def prompt(self, item: Any) -> str:
            return str(item)

    assert "prompt returns something else" in tried(Anew, replies=None).problems[0].text


class Asks(Count):
    """Counts, and asks in three ways; the last one wants the number in brackets."""

    def variants(self, state: Any) -> Any:
        return [
            Variant(f"count {state['n']}", int),
            Variant(f"count: {state['n']}", int),
            Variant(f"[{state['n']}]", lambda text: int(text.strip("[]"))),
        ]


def replying(prompt: Any) -> Replies | None:
    text = prompt[-1][1]
    n = "".join(filter(str.isdigit, text))
    if text.startswith("?"):
        raise UsageError("not rehearsed")
    return Replies(f"[{n}]" if text.startswith("[") else n, ["-1"])


def test_variants_that_agree_are_no_problem() -> None:
    assert not tried(Asks, replies=replying).problems
    assert not try_task(
        lambda: Hanoi(3), Outside(as_pairs, replies_of, asyncio.run, HanoiRehearsal().replies), steps=9
    ).problems

    class Shown(Items):
        items = ("a", "b")
        examples = (Example("c", "C"),)

        def prompt(self, item: str) -> str:
            return item

    assert not tried(Shown, replies=None).problems


@pytest.mark.parametrize(
    ("variants", "check", "says"),
    [
        (lambda _: None, "prompts", "variants: it must return a list of at least one Variant"),
        (lambda _: [], "prompts", "at least one Variant"),
        (lambda _: "ab", "prompts", "at least one Variant"),
        (lambda _: [Variant(cast("Any", 7), int)], "prompts", "variants: "),
        (lambda _: [Variant("x", int)] * (1 + next(clock) % 2), "pure", "variants returns something else"),
        (lambda state: [Variant(f"x {state.update(m=1)}", int)], "arguments", "variants changes the state"),
        (lambda state: [Variant(f"x {1 / state['n']}", int)], "functions", "variants failed with ZeroDivisionError"),
        (lambda state: [Variant(f"[{state['n']}]", int)], "replies", "variant 1 does not read its right reply: ValueError"),
        (lambda state: [Variant(f"x {state['n']}", lambda text: int(text) + 1)], "replies", "as another answer"),
        (lambda state: [Variant(f"? {state['n']}", lambda _: next(clock))], "pure", "reads the same reply differently"),
        (lambda state: [Variant(f"? {state['n']}", int)], "", ""),
    ],
)
def test_what_is_wrong_with_variants_is_told(variants: Any, check: str, says: str) -> None:
    class Odd(Count):
        def variants(self, state: Any) -> Any:
            return variants(state)

    found = [(problem.check, problem.text) for problem in tried(Odd, replies=replying).problems]
    if not check:
        assert not found
        return
    assert any(each[0] == check and says in each[1] for each in found), found
