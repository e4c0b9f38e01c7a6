"""Labelled rows choose what a run samples with."""

import asyncio
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from maker_graph import Items, LimitReached, Run, Sampling, UsageError, choose_by_labels
from maker_graph.calibration.choosing import labelled_rows
from maker_graph.core.items import LabelledItem
from maker_graph.run.uses import labels_used
from maker_graph.simulation import Replies
from maker_graph.tasks.labelled import with_labelled

Error = Callable[[int], float]

SMALL = "sim:perfect,error=.2,favourite=1"


class Numbers(Items):
    """Numbers in words to be told, the labelled ones from 1,000 on; `error` says how hard each is."""

    def __init__(self, labelled: int = 150, *, error: Error = lambda _: 0.0, program: int = 0, wrong: int = 0) -> None:
        self.items = [f"item {number}" for number in range(40)]
        self._error, self._program = error, program
        rows = [LabelledItem(f"item {1000 + place}", str(1000 + place), place + 1) for place in range(labelled)]
        with_labelled(
            self, [*rows[:-wrong], *(each._replace(answer="0") for each in rows[-wrong:])] if wrong else rows, "labels"
        )

    def given(self, item: str) -> str | None:
        number = _number(item)
        return str(number) if number >= 1000 and number % 10 < self._program else None

    def prompt(self, item: str) -> str:
        return f"Which number is this: {item}"

    def parse(self, text: str) -> str:
        return str(int(text))

    def rehearse(self, item: str) -> Replies:
        number = _number(item)
        return Replies(str(number), [str(number + 1), str(number + 2)], self._error(number))


def _number(item: str) -> int:
    return int(item.removeprefix("item "))


def mixed(number: int) -> float:
    """Return the error of a source in which a fifth of the rows is wrong in unison half of the time, and the others seldom."""
    return 0.5 if number % 5 == 0 else 0.05


def test_the_chosen_rule_leaves_at_most_half_of_what_a_majority_leaves_for_no_more_samples(tmp_path: Path) -> None:
    chosen = choose_by_labels(Numbers(250, error=mixed), Sampling(SMALL, (0.7,)), tmp_path / "m", target=0.8)
    (rung,) = chosen.cascade.rungs
    assert chosen.proved
    assert chosen.plan is not None
    line = next(
        each
        for each in chosen.plan.lines
        if (each.trial.cascade.rungs[0].k, each.trial.cascade.rungs[0].within) == (rung.k, rung.within)
    )
    assert line.proved
    assert line.tally.samples <= 5 * line.tally.rows
    assert (line.tally.error or 0) < 0.05, "a majority of 5 is wrong on half of the hard fifth"
    assert "225 labelled rows drawn at random" in chosen.statement
    assert "at most 20 % of decided rows" in chosen.statement


def test_where_nothing_reaches_the_target_it_says_so_and_takes_the_most_cautious_rule(tmp_path: Path) -> None:
    chosen = choose_by_labels(Numbers(60, error=lambda number: float(number % 2)), Sampling(SMALL, (0.4, 1.0)), tmp_path / "m")
    (rung,) = chosen.cascade.rungs
    assert (chosen.proved, rung.k, rung.within, rung.variants) == (False, 5, 5, True)
    assert chosen.statement.startswith("No cascade is proved to reach the target 0.95.")
    assert "So the most cautious rule is taken" in chosen.statement
    assert "With 95 % confidence at most" in chosen.statement


def test_what_was_asked_is_not_asked_again_and_a_limit_holds_over_all_calls(tmp_path: Path) -> None:
    task, how = Numbers(60), Sampling(SMALL, (0.4, 1.0))
    with pytest.raises(LimitReached):
        choose_by_labels(task, how, tmp_path / "m", max_calls=300)
    first = choose_by_labels(task, how, tmp_path / "m", max_calls=900)
    assert 0 <= first.account.spent.calls - 2 * 54 * 8 <= 16, "what was in flight at the limit is asked again"
    files = {file: file.read_bytes() for file in (tmp_path / "m").iterdir()}
    assert sorted(file.name for file in files) == ["t0.4.jsonl", "t1.jsonl"]
    told: list[tuple[int, int]] = []
    again = choose_by_labels(task, how, tmp_path / "m", progress=lambda *each: told.append(each))
    assert (told, again.account.spent.calls, again.cascade) == ([(108, 108)], first.account.spent.calls, first.cascade)
    with pytest.raises(UsageError, match="holds a calibration with other values of samples"):
        choose_by_labels(task, Sampling(SMALL, (0.4,), samples=9), tmp_path / "m")


def test_rows_that_the_program_answers_are_not_asked_and_its_errors_are_counted(tmp_path: Path) -> None:
    task = Numbers(150, program=5, wrong=10)
    rows = labelled_rows(task)
    assert rows.program.decided + len(rows.voted) == len(task.labelled) == 135
    assert 0 < rows.program.wrong <= 5
    chosen = choose_by_labels(task, Sampling(SMALL, (0.7,)), tmp_path / "m")
    assert chosen.account.spent.calls == 8 * len(rows.voted)
    said = f"The program answered {rows.program.decided} of 135 labelled rows, {rows.program.wrong} of them wrong"
    assert chosen.statement.startswith(said)


def test_where_the_program_answers_all_no_model_is_asked_and_nothing_is_said_of_the_vote(tmp_path: Path) -> None:
    chosen = choose_by_labels(Numbers(60, program=10), SMALL, tmp_path / "m")
    (rung,) = chosen.cascade.rungs
    assert (chosen.plan, chosen.proved, rung.k, rung.within) == (None, False, 5, 5)
    assert chosen.statement.endswith("nothing is known of the vote.")
    assert not (tmp_path / "m").exists()


def test_a_run_keeps_which_rows_served_for_what_and_what_they_back(tmp_path: Path) -> None:
    task = Numbers(100)
    chosen = choose_by_labels(task, Sampling(SMALL, (0.7,)), tmp_path / "m", target=0.9)
    with Run.create(tmp_path / "run", task, cascade=chosen, fsync="normal") as run:
        run.solve()
        assert run.backing == chosen.statement
        assert run.settings.voting.variants
        examples, measured = labels_used(run._opened.journal)
    assert (examples.purpose, measured.purpose, examples.use, measured.use) == ("examples", "measured", "example", "certify")
    assert sorted([*examples.rows, *measured.rows]) == list(range(1, 101))
    assert json.loads(chosen.notes["labelled"])["calls"] == 8 * 90


def test_labels_that_only_a_vote_has_given_are_told(tmp_path: Path) -> None:
    task, told = Numbers(40, program=10), list[str]()
    task.labelled = [each._replace(by="decided by vote") for each in task.labelled]
    choose_by_labels(task, SMALL, tmp_path / "m", warn=told.append)
    assert "35 of the labelled rows are marked as decided by a vote" in told[0]


async def test_in_an_event_loop_it_says_how_it_is_called_there(tmp_path: Path) -> None:
    with pytest.raises(UsageError, match=r"await asyncio\.to_thread"):
        choose_by_labels(Numbers(40), SMALL, tmp_path / "m")
    chosen = await asyncio.to_thread(choose_by_labels, Numbers(40, program=10), SMALL, tmp_path / "m")
    assert not chosen.proved


@pytest.mark.parametrize(
    ("odd", "says"),
    [
        (lambda: labelled_rows(type("Plain", (Items,), {"items": [1], "prompt": lambda *_: ""})()), "no labelled rows"),
        (lambda: Sampling(SMALL, ()), "at least one temperature"),
        (lambda: Sampling(SMALL, samples=7), "at least 8 samples"),
    ],
)
def test_what_cannot_be_measured_is_told(odd: Callable[[], Any], says: str) -> None:
    with pytest.raises(UsageError, match=says):
        odd()
