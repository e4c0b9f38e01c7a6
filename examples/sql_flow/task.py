"""Questions about a database, as a state flow: each state has its own prompt, and rules or votes say which one is next.

    observe -> query -> run -> verify -> the next question
                        run or verify -> mend -> run

`observe` and `run` are given by a program. `query`, `verify` and `mend` are voted on. A vote on a query is a vote on what it
returns: two queries that differ as texts and return the same rows are the same vote. A query may be run before it is decided,
because it only reads, and always returns the same. No model is asked about faults that a program can see: a query that fails, a
result that does not have the form that was asked for, a result that was refused before.

A question stays open if no vote on it is won, or if its query cannot be mended.
"""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from examples.sql_flow.database import Database
from examples.sql_flow.questions import QUESTIONS, Question, read_questions
from examples.sql_flow.slips import Slips
from maker_graph import Invalid, UsageError
from maker_graph.simulation import Replies

MOST_MENDS = 2
"""How often a query is mended, before the question stays open."""

SHOWN_ROWS = 20
"""The most rows of a result that a prompt shows."""

OVER = "over"
"""The name in `FLOW` for the end of a question, answered or open."""

FLOW: Mapping[str, Mapping[str, str]] = {
    "observe": {"query": "the tables are known"},
    "query": {"run": "a vote is won", OVER: "no vote is won (open)"},
    "run": {
        "verify": "the result has the form that was asked for",
        "mend": "it failed, or has another form",
        OVER: "it was refused before, or mended too often (open)",
    },
    "verify": {OVER: "yes, or no and mended too often (open), or no vote is won (open)", "mend": "no"},
    "mend": {"run": "a vote is won", OVER: "no vote is won (open)"},
}
"""State -> the states that may follow, and when. `picture.py` draws it, and a test checks that a run takes no other step."""

RULES = """\
Write one query for SQLite that answers the question. It is a SELECT, and does not use the time of today or random numbers.

{schema}

{notes}

Question: {text}
{form}
"""

QUERY = RULES + "Reply with the query, and nothing else.\nSQL:"

MEND = RULES + "This query was tried:\n{sql}\n{seen}\nIt will not do: {why}\nReply with a better query, and nothing else.\nSQL:"

VERIFY = """\
A question about a database was answered with a query.

{notes}

Question: {text}
{form}
Query:
{sql}
{seen}
Does the query find what was asked for? Reply with the word yes; or with no, a colon, and what is wrong, in a few words.
Reply:"""

FORMS = {
    "value": "The result is one row with one value.",
    "rows": "The result is a list of rows; their order does not count. It may be empty.",
}


class SqlFlow:
    """The task: questions, one after the other."""

    def __init__(self, database: Path, questions: Path = QUESTIONS, slips: int = 0) -> None:
        """Make the task.

        Args:
            database: a SQLite file that nobody changes during the run.
            questions: a file of questions, like `questions.toml`.
            slips: the seed from which the errors of simulated models are drawn.

        Raises:
            UsageError: a file cannot be used.
        """
        self.database = Database(database)
        self.notes, self.questions = read_questions(questions)
        self.slips = Slips(slips)
        self.inputs = {"database": database, "questions": questions}
        self.parts: Mapping[str, Any] = {
            "observe": Observe(self),
            "query": Query(self),
            "run": RunQuery(self),
            "verify": Verify(self),
            "mend": Mend(self),
        }

    def start(self) -> dict[str, Any]:
        """Return the state before the first question."""
        return {"next": "observe", "schema": "", "question": 0, **_FRESH, "results": []}

    def part(self, state: dict[str, Any]) -> str | None:
        """Return the part that answers next."""
        name: str | None = state["next"]
        return name

    def apply(self, state: dict[str, Any], answer: Any) -> dict[str, Any]:
        """Return the state after an answer."""
        match state["next"]:
            case "observe":
                return {**state, "schema": answer, "next": "query"}
            case "query":
                return {**state, "sql": answer, "next": "run"}
            case "mend":
                return {**state, "sql": answer, "mends": state["mends"] + 1, "next": "run"}
            case "run":
                return self._ran({**state, "got": answer["result"], "key": answer["key"]})
            case _:
                return self._ended(state, "answered", "") if answer["ok"] else self._refused(state, answer["why"])

    def skip(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after a question on which no vote was won."""
        return self._ended(state, "open", f"no vote was won ({state['next']})")

    def result(self, state: dict[str, Any]) -> Any:
        """Return how each question ended."""
        return state["results"]

    def question(self, state: dict[str, Any]) -> Question:
        """Return the question that is under way."""
        number: int = state["question"]
        return self.questions[number]

    def _ran(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the state after a program has looked at the result."""
        if state["key"] in state["refused"]:
            return self._ended(state, "open", "a result that was refused came again")
        why = fault(self.question(state), state["got"])
        return {**state, "next": "verify"} if why is None else self._refused(state, why)

    def _refused(self, state: dict[str, Any], why: str) -> dict[str, Any]:
        """Return the state after a result was refused."""
        if state["mends"] == MOST_MENDS:
            return self._ended(state, "open", f"mended {MOST_MENDS} times: {why}")
        return {**state, "why": why, "refused": [*state["refused"], state["key"]], "next": "mend"}

    def _ended(self, state: dict[str, Any], status: str, why: str) -> dict[str, Any]:
        """Return the state before the next question."""
        answer = {"result": state["key"], "sql": state["sql"]} if status == "answered" else {"result": None, "sql": None}
        result = {"question": state["question"] + 1, "status": status, **answer, "why": why}
        after = {**state, **_FRESH, "question": state["question"] + 1, "results": [*state["results"], result]}
        return {**after, "next": "query" if after["question"] < len(self.questions) else None}

    def shown(self, template: str, state: dict[str, Any]) -> str:
        """Return a prompt."""
        question = self.question(state)
        return template.format(
            schema=state["schema"],
            notes=self.notes,
            text=question.text,
            form=FORMS[question.asks],
            sql=state["sql"],
            seen="" if state["got"] is None else seen(state["got"]),
            why=json.dumps(state["why"], ensure_ascii=False),
        )


_FRESH: Mapping[str, Any] = {"sql": None, "got": None, "key": None, "why": "", "mends": 0, "refused": []}
"""What is known of a question before it is asked."""


def fault(question: Question, got: Mapping[str, Any]) -> str | None:
    """Return the fault that a program sees in a result; None if it sees none."""
    if got["error"] is not None:
        return f"the query failed: {got['error']}"
    if question.asks == "rows":
        return None
    rows = got["rows"]
    if len(rows) != 1 or len(rows[0]) != 1:
        size = f"{len(rows)} rows and {len(got['columns'])} columns"
        return f"one row with one value was asked for, and there are {size}"
    return "the value is NULL" if rows[0][0] is None else None


def seen(got: Mapping[str, Any]) -> str:
    """Return a result as a prompt shows it: on lines of JSON, which are data."""
    if got["error"] is not None:
        return f"It failed: {json.dumps(got['error'], ensure_ascii=False)}"
    rows = "\n".join(json.dumps(row, ensure_ascii=False) for row in got["rows"][:SHOWN_ROWS])
    more = f"\nand {len(got['rows']) - SHOWN_ROWS} more" if len(got["rows"]) > SHOWN_ROWS else ""
    return f"Its result has {len(got['rows'])} rows of {json.dumps(got['columns'], ensure_ascii=False)}:\n{rows}{more}"


class _Part:
    def __init__(self, task: SqlFlow) -> None:
        self._task = task


class Observe(_Part):
    """Looks at the tables. A program answers, because it does no harm to look twice."""

    by = "program"

    def answer(self, state: dict[str, Any], step: int) -> str:  # noqa: ARG002  the contract's
        """Return the tables in words."""
        return self._task.database.schema()


class RunQuery(_Part):
    """Runs the query that was decided. It only reads, so it does no harm to run it twice."""

    by = "program"

    def answer(self, state: dict[str, Any], step: int) -> dict[str, Any]:  # noqa: ARG002  the contract's
        """Return the result, and the key by which it is compared. An error is a result too."""
        found = self._task.database.run(state["sql"])
        return {"result": found.shown, "key": found.key}


class _Queries(_Part):
    """A part in which models write a query."""

    template = ""

    def prompt(self, state: dict[str, Any]) -> str:
        """Show the tables, the question, and what was tried."""
        return self._task.shown(self.template, state)

    def parse(self, text: str) -> str:
        """Return the query in a reply, without the fence that models put around it."""
        fenced = re.fullmatch(r"```\w*\n(.*?)\n?```", text.strip(), re.DOTALL)
        return (fenced[1] if fenced else text).strip()

    def check(self, state: dict[str, Any], answer: str) -> bool:  # noqa: ARG002  the contract's
        """Say whether the query runs: read-only, and within the limits.

        Raises:
            Invalid: it does not run; the text says why.
        """
        if (error := self._task.database.run(answer).error) is not None:
            raise Invalid(error)
        return True

    def key(self, answer: str) -> Any:
        """Return the result of the query, which is what is voted on."""
        return self._task.database.run(answer).key

    def truth(self, state: dict[str, Any]) -> str:
        """Return a query that answers the question."""
        return _rehearsed(self._task.question(state))

    def rehearse(self, state: dict[str, Any]) -> Replies:
        """Return what a simulated model may reply."""
        question = self._task.question(state)
        return self._task.slips.query(question.text, _rehearsed(question), question.wrong)


class Query(_Queries):
    """Writes a query."""

    template = QUERY


class Mend(_Queries):
    """Writes another query; the prompt says what was wrong with the last one."""

    template = MEND


class Verify(_Part):
    """Whether the result answers the question, after a program has found no fault in it."""

    def prompt(self, state: dict[str, Any]) -> str:
        """Show the question, the query and the result."""
        return self._task.shown(VERIFY, state)

    def parse(self, text: str) -> dict[str, Any]:
        """Return whether the reply is yes, and for a no the reason."""
        found = re.fullmatch(r"(yes\.?|no\b[:.,]?(.*))", text.strip(), re.IGNORECASE | re.DOTALL)
        if found is None:
            raise ValueError("neither yes nor no")
        return {"ok": found[2] is None, "why": (found[2] or "").strip()[:200] or "it does not answer the question"}

    def key(self, answer: dict[str, Any]) -> bool:
        """Return yes or no; the reason differs from sample to sample."""
        ok: bool = answer["ok"]
        return ok

    def rehearse(self, state: dict[str, Any]) -> Replies:
        """Return what a simulated model may reply."""
        question = self._task.question(state)
        right = self._task.database.run(_rehearsed(question)).key == state["key"]
        return self._task.slips.review(f"{question.text} {json.dumps(state['key'])}", right=right)


def _rehearsed(question: Question) -> str:
    if not question.right:
        raise UsageError(f"{question.text!r} has no right query for a simulated model: use a real model, or add one.")
    return question.right
