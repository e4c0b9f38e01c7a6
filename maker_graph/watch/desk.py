"""The review queues on the page: what waits for a person, and the answers, which are checked and left for the run.

To check an answer, the desk needs the task of the run. A task that ships is made when it is needed. A task in somebody's
code is imported only if the user has named it or trusts the directory. Otherwise the page says what to type.

All functions of tasks are called in one thread, one after the other, so they need not be safe for several threads.
"""

import hashlib
import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from itertools import islice
from shlex import quote
from typing import Any, NamedTuple

from maker_graph.core.guarding import AnyTask, guarded
from maker_graph.errors import UsageError
from maker_graph.run.home import Home, Run
from maker_graph.run.left_answers import LONGEST, Candidate, Reply
from maker_graph.run.review import OpenItem, open_items, refusal, refusals
from maker_graph.run.session import Question
from maker_graph.run.settings import Settings, unchanged
from maker_graph.tasks.loading import load_task, runs_foreign_code
from maker_graph.watch.counting import MOST_CANDIDATES, shown

AT_ONCE = 25
"""How many open items are shown at once."""

LONG = 20_000
"""How many characters of a question or a reply are shown."""


class Trusted(NamedTuple):
    """Which code of the user's may be imported to check answers.

    Attributes:
        task: the name by which the task of the only watched run is imported, if it is code; None: none was given.
        directories: whether tasks may be imported by the names in the settings of the runs.
    """

    task: str | None = None
    directories: bool = False


class Answered(NamedTuple):
    """What became of an answer. `refused` says why it was not taken; it is empty if the answer was left for the run."""

    refused: str = ""


class Desk:
    """The review queues of all runs that are watched."""

    def __init__(self, trusted: Trusted = Trusted()) -> None:  # noqa: B008  immutable
        """Check answers with tasks that ship, and with those that `trusted` allows."""
        self._trusted = trusted
        self._tasks: dict[tuple[str, str], AnyTask] = {}
        self.thread = ThreadPoolExecutor(1, thread_name_prefix="maker-graph-desk")

    def queue(self, home: Home) -> dict[str, Any]:
        """Return what waits for a person in a run, as plain JSON.

        `needs` is what to type if the task may not be imported, `asks` the questions, `most` how many are shown at once.

        Raises:
            MakerError: the run cannot be read, or a function of its task fails.
        """
        settings = home.settings()
        missing = self._missing(home, settings)
        with home.opened(None if missing else self._task(home, settings)) as run:
            question = _stuck(run)
            if question is not None:
                shown_, after = [_of_stuck(question)], run.journal.head
            elif missing:
                shown_, after = _without_questions(run), None
            else:
                shown_, after = _of_items(run), None
            left = {each.step: each.refused for each in run.home.answers().all() if each.after == after}
        for each in shown_:
            each["id"] = _id(settings, each["step"], after)
            if each["step"] in left:
                each["left"], each["refused"] = True, shown(left[each["step"]], 600)
        return {"needs": missing, "asks": shown_, "most": AT_ONCE}

    def answer(self, home: Home, step: int, reply: str, *, candidate: bool, asked: str | None = None) -> Answered:
        """Read and check an answer like a model's, and leave it for whoever goes on with the run; on return it is stored.

        Args:
            home: where the run is.
            step: the number of the step or item that is answered.
            reply: the answer.
            candidate: whether the answer is a candidate of the ballot.
            asked: the `id` of the question in `queue`. If another question has taken its place, the answer is refused.
                None: any question is answered.

        Raises:
            MakerError: the run cannot be read, its task may not be imported, or there is no room.
        """
        if len(reply) > LONGEST:
            return Answered(f"it is longer than {LONGEST:,} characters")
        settings = home.settings()
        if missing := self._missing(home, settings):
            raise UsageError(missing)
        with home.opened(self._task(home, settings)) as run:
            unchanged(run.settings, run.task)
            meant: Reply = Candidate(reply) if candidate else reply
            if guarded(run.task).given is None:
                question = _stuck(run)
                if question is None or question.step != step:
                    return Answered(f"step {step:,} does not wait for an answer any more")
                if asked not in {None, _id(settings, step, run.journal.head)}:
                    return Answered(_OTHER)
                if candidate:
                    raise UsageError("A stuck step is answered by a reply, not by a candidate of its ballot.")
                why, after = refusal(run, question.state, meant), run.journal.head
            else:
                if asked not in {None, _id(settings, step, None)}:
                    return Answered(_OTHER)
                why, after = refusals(run, {step: meant}).get(step, ""), None
                decision = run.journal.decision(step)
                if not why and decision is not None and decision["status"] == "decided":
                    return Answered()  # the item was decided by the same answer
            if not why:
                run.home.answers().leave(step, meant, after)
        return Answered(why)

    def close(self) -> None:
        """End the thread."""
        self.thread.shutdown(wait=False, cancel_futures=True)

    def _missing(self, home: Home, settings: Settings) -> str:
        """Return what to type if the task of a run may not be imported; empty if it may, or if it ships."""
        trusted = self._trusted.directories or self._trusted.task is not None
        if trusted or not runs_foreign_code(settings.task, settings.options):
            return ""
        return shown(
            f"The task of this run is code ({settings.task}), and watching alone does not import it. To see the questions "
            f"and answer here, start: maker-graph watch {home.command} --task {quote(settings.task)}",
            600,
        )

    def _task(self, home: Home, settings: Settings) -> AnyTask:
        key = (str(home), settings.id)
        if key not in self._tasks:
            foreign = runs_foreign_code(settings.task, settings.options)
            name = self._trusted.task if foreign and self._trusted.task is not None else settings.task
            made = load_task(name, settings.options, settings.began, home.kept(), settings.slice)
            self._tasks[key] = made.task
        return self._tasks[key]


_OTHER = "there is another question here now. Read it, and answer again"


def _id(settings: Settings, step: int, after: str | None) -> str:
    """Return the id of a question: a hash of its run, its step and, if given, the hash of the step before it."""
    return hashlib.sha256(json.dumps([settings.id, step, after]).encode()).hexdigest()[:16]


def _stuck(run: Run) -> Question | None:
    """Return the question about the step on which a run is stuck; None if it is not stuck."""
    session = run.home.session()
    question = None if session is None else session.said.question
    return question if question is not None and question.step == run.journal.step + 1 else None


def _of_stuck(question: Question) -> dict[str, Any]:
    return {
        "step": question.step,
        "kind": "step",
        "reason": shown(question.reason, 600),
        "prompt": _prompt(question.prompt),
        "ballot": _ballot(question.ballot),
        "flags": question.flags,
        "samples": question.samples,
        "replies": [shown(reply, LONG) for reply in question.replies],
    }


def _of_items(run: Run) -> list[dict[str, Any]]:
    if guarded(run.task).given is None:
        return []
    items = list(islice(open_items(run), AT_ONCE))
    replies = run.home.last_replies([item.number for item in items])
    return [_of_item(item, replies.get(item.number, [])) for item in items]


def _of_item(item: OpenItem, replies: Sequence[str]) -> dict[str, Any]:
    return {
        "step": item.number,
        "kind": "item",
        "reason": "",
        "prompt": _prompt(item.question),
        "ballot": _ballot(item.ballot),
        "flags": item.flags,
        "samples": item.samples,
        "replies": [shown(reply, LONG) for reply in replies],
    }


def _without_questions(run: Run) -> list[dict[str, Any]]:
    """Return the open items of a run whose task may not be imported: their ballots and replies, without questions."""
    found = list(islice(run.journal.left_open(), AT_ONCE))
    replies = run.home.last_replies([number for number, _ in found])
    items: Iterator[OpenItem] = (
        OpenItem(number, [], decision["ballot"], decision["flags"], decision["samples"]) for number, decision in found
    )
    return [_of_item(item, replies.get(item.number, [])) for item in items]


def _prompt(prompt: Sequence[tuple[str, Any]]) -> list[list[str]]:
    return [[shown(str(role)), shown(content if isinstance(content, str) else str(content), LONG)] for role, content in prompt]


def _ballot(ballot: Mapping[str, int]) -> list[dict[str, Any]]:
    """Return the candidates, those with the most votes first. `candidate` may be cut; `value` is whole, or None if long."""
    order = sorted(ballot.items(), key=lambda each: -each[1])[:MOST_CANDIDATES]
    return [
        {"candidate": shown(text), "value": text if len(text) <= LONG else None, "votes": votes, "won": False}
        for text, votes in order
    ]
