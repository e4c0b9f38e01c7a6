"""A problem is split, its parts are solved, and their answers are combined: what is asked, read and kept."""

import asyncio
import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from maker_graph import Invalid, Undecided, create_maker
from maker_graph.core.guarding import see_task
from maker_graph.errors import UsageError
from maker_graph.models.prompts import as_pairs
from maker_graph.models.simulation.rehearsal import replies_of
from maker_graph.models.simulation.server import create_app
from maker_graph.report.collecting import collect
from maker_graph.report.sections.tree import tree_section
from maker_graph.run import directory as runs
from maker_graph.simulation import Replies, Simulator, profile_of
from maker_graph.tasks import Decompose
from maker_graph.tasks.checking import Outside, try_task
from maker_graph.tasks.decompose import DEEPEST, MAX_NODES, MOST_PARTS, Tree, normalised
from maker_graph.tasks.loading import described, load_task
from maker_graph.tasks.trial import CHECKS
from tests.benchmarks.decompose import measured, product_of
from tests.conftest import Cli, Scripted
from tests.models.serving import served

PROBLEM = "What is 12 * 34?"
SPLIT = {"problems": ["12 * 30", "12 * 4"], "combine": "Add them."}
SMALL: Any = {"problems": [], "combine": ""}


def asked(task: Decompose, state: Any) -> str:
    """Return the prompt of the part that is asked in `state`."""
    prompt: str = task.parts[str(task.part(state))].prompt(state)
    return prompt


def after(task: Decompose, *answers: Any) -> Any:
    state: Any = task.start()
    for answer in answers:
        state = task.apply(state, answer)
    return state


STATES: dict[str, Callable[[Decompose], Any]] = {
    "split": lambda task: task.start(),
    "solve": lambda task: after(task, SMALL),
    "compose": lambda task: after(task, SPLIT, SMALL, "360", SMALL, "48"),
}


@pytest.mark.parametrize("name", STATES)
def test_what_a_prompt_asks_for_is_what_its_reader_reads(name: str) -> None:
    task = Decompose(PROBLEM)
    state = STATES[name](task)
    assert task.part(state) == name
    examples = re.findall(r"^\{.*\}$", asked(task, state), re.MULTILINE)
    assert len(examples) == (2 if name == "split" else 1)
    for example in examples:
        read = task.parts[name].parse(example)
        for text in json.loads(example).values():  # nothing that is asked for is dropped
            assert text in (read.values() if isinstance(read, dict) else [read])


@pytest.mark.parametrize(
    ("name", "text"),
    [
        ("split", '{"problems": []}'),
        ("split", '{"problems": ["a", "b"]}'),
        ("split", '{"problems": ["a", "b"], "combine": ""}'),
        ("split", '{"problems": [], "combine": "Add."}'),
        ("split", '{"problems": ["a", ""], "combine": "Add."}'),
        ("split", '{"problems": ["a", 3], "combine": "Add."}'),
        ("split", '{"problems": "a", "combine": "Add."}'),
        ("split", '{"subproblems": ["a", "b"], "combine": "Add."}'),
        ("split", '{"problems": ["a", "b"], "combine": "Add.", "answer": "c"}'),
        ("split", "It is small."),
        ("solve", "408"),
        ("solve", '{"result": "408"}'),
        ("compose", '{"answer": null}'),
        ("compose", '{"answer": true}'),
        ("compose", '{"answer": " "}'),
        ("compose", '{"answer": 1.5}'),
    ],
)
def test_what_cannot_be_read_is_discarded_and_no_problem_is_solved_by_it_in_silence(name: str, text: str) -> None:
    with pytest.raises(ValueError, match=r"JSON|Expecting|object|text|list|combined"):
        Decompose(PROBLEM).parts[name].parse(text)


@pytest.mark.parametrize(
    ("split", "why"),
    [
        ({"problems": ["12 * 34"], "combine": "It is it."}, "1 problems"),
        ({"problems": ["a", "b", "c", "d"], "combine": "Add."}, "4 problems, but only 2 to 3 are allowed"),
        ({"problems": ["what is  12 * 34?", "b"], "combine": "Add."}, "the problem itself"),
    ],
)
def test_a_split_that_is_none_is_invalid(split: Any, why: str) -> None:
    task = Decompose(PROBLEM, max_nodes=4)
    with pytest.raises(Invalid, match=why):
        task.parts["split"].check(task.start(), split)


def test_the_composition_is_asked_for_with_all_answers_and_its_answer_is_the_answer() -> None:
    task = Decompose(PROBLEM)
    state = after(task, SPLIT, SMALL, "three hundred sixty", SMALL, "48")
    prompt = asked(task, state)
    for text in (PROBLEM, "12 * 30", "three hundred sixty", "12 * 4", "48", "Add them."):
        assert text in prompt
    assert task.result(state) is None
    end = task.apply(state, "408")
    assert (task.part(end), task.result(end), end["stack"]) == (None, "408", [])


def spoken(_: int, text: str) -> str:
    """Reply as a model that splits products by the digits of the second factor, and adds."""
    problem = text.split("\n", 1)[0].removeprefix("Problem: ")
    a, b = (int(number) for number in re.findall(r"\d+", problem))
    if "split it into" in text:
        parts = [f"{a} * {int(digit) * 10**place}" for place, digit in enumerate(reversed(str(b))) if digit != "0"]
        return json.dumps(SMALL if len(parts) < 2 else {"problems": parts, "combine": "Add them."})
    if "How the answers are combined: Add them." in text:
        return json.dumps({"answer": f"{sum(int(n) for n in re.findall(r'Answer: ([0-9]+)', text)):,}."})
    return json.dumps({"answer": a * b})


def test_a_run_splits_solves_and_composes() -> None:
    result = create_maker(Decompose("What is 17 * 305?"), model=Scripted(script=spoken), k=2).compile().invoke({})
    assert (result["state"]["answer"], result["step"], result["state"]["nodes"]) == ("5,185.", 6, 3)


def test_without_the_composition_the_answer_is_another() -> None:
    def lazy(index: int, text: str) -> str:
        return '{"answer": "5100"}' if "How the answers" in text else spoken(index, text)

    result = create_maker(Decompose("What is 17 * 305?"), model=Scripted(script=lazy), k=2).compile().invoke({})
    assert result["state"]["answer"] == "5100"  # what `compose` says, and nothing that was known before


def test_a_node_whose_replies_cannot_be_read_stops_the_run() -> None:
    def odd(index: int, text: str) -> str:
        return '{"subproblems": ["a", "b"], "combine": "Add."}' if "split it" in text else spoken(index, text)

    maker = create_maker(Decompose("What is 17 * 305?"), model=Scripted(script=odd), k=2, ladder=None).compile()
    with pytest.raises(Undecided, match="malformed"):
        maker.invoke({})


@pytest.mark.parametrize(
    ("bounds", "why"), [({"max_depth": 1}, "depth"), ({"max_nodes": 4}, "nodes"), ({"max_depth": 0}, "depth")]
)
def test_at_a_bound_a_problem_is_solved_at_once_and_that_is_seen(bounds: dict[str, int], why: str) -> None:
    task, tree, state = Decompose(PROBLEM, **bounds), Tree(Decompose(PROBLEM, **bounds)), Decompose(PROBLEM, **bounds).start()
    while (part := task.part(state)) is not None:
        answer: Any = {"problems": [f"{len(state['stack'])}a", "b", "c"], "combine": "Add."} if part == "split" else "1"
        tree.add(answer)
        state = task.apply(state, answer)
    leaves = [tree.root] if not tree.root.children else tree.root.children
    assert [leaf.at_once for leaf in leaves] == [why] * len(leaves)
    assert state["bounded"] == len(leaves)
    assert state["nodes"] <= task.max_nodes


@given(st.lists(st.integers(0, 9), max_size=300), st.integers(0, 5), st.integers(1, 40))
def test_the_state_grows_with_the_depth_and_the_tree_stays_within_its_bounds(
    choices: list[int], max_depth: int, max_nodes: int
) -> None:
    task = Decompose("root", max_depth, max_nodes)
    tree, state, steps = Tree(task), task.start(), 0
    while (part := task.part(state)) is not None:
        number = choices[steps] if steps < len(choices) else 0
        number = min(number, task.room(state)) if number > 1 else 0
        answer: Any = "1" if part != "split" else SMALL
        if part == "split" and number:
            answer = {"problems": [f"p{steps}.{each}" for each in range(number)], "combine": "c"}
        if part == "split":
            assert task.parts["split"].check(state, answer)
        tree.add(answer)
        state, steps = task.apply(state, answer), steps + 1
        assert len(state["stack"]) <= max_depth + 1
        assert all(len(frame["problems"]) <= MOST_PARTS for frame in state["stack"])
    assert state["nodes"] <= max_nodes
    assert steps <= 2 * state["nodes"]
    open_nodes = [tree.root]
    for node in open_nodes:
        assert node.answer == "1"
        assert bool(node.children) == (node.at_once is None)
        open_nodes += node.children
    assert len(open_nodes) == state["nodes"]


class Products(Decompose):
    """Knows its problems: products, whose parts must sum up; one of a single digit is small."""

    def small(self, problem: str) -> bool:
        return len(problem.rsplit(" ", maxsplit=1)[-1].strip("0")) < 2

    def check_split(self, problem: str, problems: Any, combine: str) -> bool:  # noqa: ARG002  the contract's
        return self._value(problem) == sum(map(self._value, problems))

    def check_answer(self, problem: str, answer: str) -> bool:  # noqa: ARG002  the contract's
        return normalised(answer).isdigit()

    def _value(self, problem: str) -> int:
        a, b = problem.split(" * ")
        return int(a) * int(b)

    def rehearse(self, state: Any) -> Any:
        problem = state["stack"][-1]["problem"]
        right, answer = str(self._value(problem)), '{{"answer": "{}"}}'
        if self.part(state) != "split":
            return answer.format(right), [answer.format(int(right) + 10)]
        a, b = problem.split(" * ")
        head = int(b[0]) * 10 ** (len(b) - 1)
        parts, wrong = [f"{a} * {head}", f"{a} * {int(b) - head}"], [f"{a} * {b}0", f"{a} * 1"]
        split, other = (json.dumps({"problems": each, "combine": "Add."}) for each in (parts, wrong))
        return split, [other]


def test_a_subclass_that_knows_its_problems_checks_splits_and_says_what_is_small() -> None:
    task = Products("12 * 34")
    see_task(task)
    assert task.parts["split"].check(task.start(), {"problems": ["12 * 30", "12 * 4"], "combine": "Add."})
    assert not task.parts["split"].check(task.start(), {"problems": ["12 * 30", "12 * 5"], "combine": "Add."})
    with pytest.raises(Invalid, match="not small"):
        task.parts["split"].check(task.start(), SMALL)
    assert not task.parts["solve"].check(task.start(), "a lot")
    state = after(task, {"problems": ["12 * 30", "12 * 4"], "combine": "Add."})
    assert (task.part(state), state["stack"][-1]["at_once"], state["bounded"]) == ("solve", "rule", 0)
    result = create_maker(Products("12 * 34567"), model="sim:perfect,error=0.3,favourite=1", k=4, seed=1).compile().invoke({})
    assert result["state"]["answer"] == "414804"
    assert result["totals"]["flags"].get("invalid", 0) >= 1  # splits that do not sum up never vote


def test_check_task_finds_nothing() -> None:
    trial = try_task(lambda: Products("12 * 345"), Outside(as_pairs, replies_of, asyncio.run), steps=100)
    assert (trial.problems, trial.stopped, trial.answers) == ([], "end", "rehearsal")
    assert trial.tried >= {*CHECKS} - {"processes", "replay"}


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("It is Paris.", "it is  paris", True),
        ("1,234,567", "1234567", True),
        ("1'234", "1234.", True),
        ("1,234.50", "1234.50", True),
        ("3, 5, 8", "358", False),
        ("1,23", "123", False),
        ("12.345", "12345", False),
        ("0.1,234", "0.1234", False),
        ("-5", "5", False),
    ],
)
def test_answers_are_compared_without_what_does_not_count(one: str, other: str, same: bool) -> None:
    compared = Decompose(PROBLEM).parts["solve"].key
    assert (compared(one) == compared(other)) is same


@given(st.text())
def test_what_is_normalised_stays_so(text: str) -> None:
    assert normalised(normalised(text)) == normalised(text)


@pytest.mark.parametrize(
    "options", [{"problem": " "}, {"problem": 3}, {"max_depth": -1}, {"max_depth": DEEPEST + 1}, {"max_nodes": 0}]
)
def test_what_makes_no_task_is_told(options: Any) -> None:
    with pytest.raises(UsageError):
        Decompose(**{"problem": PROBLEM, **options})


def test_the_command_line_takes_a_problem_and_gives_the_answer_with_its_tree(cli: Cli, tmp_path: Path) -> None:
    (tmp_path / "products.py").write_text(
        "from tests.tasks.test_decompose import Products\n"
        "def product(problem: str) -> Products:\n    return Products(problem)\n"
    )
    run = ["run", "products:product", "--set", "problem=12 * 345", "--model", "sim:perfect", "--run", "r"]
    done = cli(*run)
    assert done.returncode == 0, done.stderr
    assert re.search(r"Result +4140", done.stdout)
    with runs.opened(tmp_path / "runs" / "r", Products("12 * 345")) as opened:
        page = tree_section(collect(opened))
    for text in ("12 * 45", "solved at once: the task says", "combined in this way: Add.", "split: votes 3", "<b>4140</b>"):
        assert text in page


class Speaks:
    def replies(self, prompt: Any) -> Replies:
        return Replies(spoken(0, prompt[-1][1]), ["no"])


def test_it_goes_by_its_name_with_a_model_behind_a_server(cli: Cli) -> None:
    with served(create_app(Simulator(profile_of("perfect"), rehearsals=[Speaks()]))) as url:
        command = ["run", "decompose", "--set", "problem=What is 17 * 305?", "--model", "openai:any", "--k", "2", "--run", "r"]
        done = cli(*command, "--quiet", OPENAI_BASE_URL=url, OPENAI_API_KEY="any")
    assert done.returncode == 0, done.stderr
    summary = json.loads(cli("verify", "r", "--json").stdout)
    assert (summary["task"], summary["result"], summary["verdict"], summary["steps"]) == (
        "decompose",
        "5,185.",
        "consistent",
        6,
    )


def test_a_task_from_python_goes_by_the_options_it_was_made_with() -> None:
    loaded = described(Decompose(PROBLEM, max_depth=2))
    again = load_task(loaded.name, loaded.options).task
    assert isinstance(again, Decompose)
    assert (again.problem, again.max_depth, again.max_nodes) == (PROBLEM, 2, MAX_NODES)


async def test_a_model_that_errs_the_more_the_more_it_is_given_is_right_where_it_splits_and_votes() -> None:
    """`tests/benchmarks/decompose.py` is the long form."""
    at_once = await measured(product_of(6), 3, 12, split=False)
    split = await measured(product_of(6), 3, 2, split=True)
    assert at_once["right"] <= 7
    assert (split["right"], split["undecided"]) == (2, 0)
    assert split["steps"] > 30
