"""Thirty questions about a database: one prompt with a tool, and a state flow with single samples, votes, and votes that pass.

    python -m tests.benchmarks.sql_flow --out tests/benchmarks/results/sql_flow.json
    python -m tests.benchmarks.sql_flow --url http://127.0.0.1:8011/v1 --out tests/benchmarks/results/sql_flow_real.json

The model is simulated, and errs as `examples/sql_flow/slips.py` says, in the loop of the agent as in the flow: in each query,
and in each look at a result. Errors on a question are correlated, and in a second table they are not. The figures are no
evidence about a real model; they show what the flow and the vote do to such errors. Each row is the mean of all draws; a draw
says how hard each question is.

The agent is LangChain's `create_agent` with one tool, a query within the same limits. Its prompt holds the tables from the
start. What the model decides is what it decides in the flow, and in one call where it can be: a result that it does not
believe is followed by the next query at once. It copies its answer without an error. After as many queries as in the flow it
gives up. "most of 5 loops" asks five agents and takes the answer of at least three.

Dollars are the tokens at the list price of the profile. Output tokens are assumed to be as many in each call.

With `--url` a few questions are asked of a real small model, whatever comes out.
"""

import argparse
import json
import os
import tempfile
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from statistics import mean
from typing import Any, NamedTuple

from langchain.agents import create_agent
from langchain_core.language_models import BaseChatModel
from langchain_core.messages import AIMessage, BaseMessage, ToolMessage
from langchain_core.outputs import ChatGeneration, ChatResult
from langchain_core.tools import tool
from langchain_openai import ChatOpenAI
from langgraph.errors import GraphRecursionError

from examples.sql_flow.questions import QUESTIONS, Question
from examples.sql_flow.shop import write
from examples.sql_flow.slips import NO, RHO, Slips
from examples.sql_flow.task import FORMS, MOST_MENDS, RULES, SqlFlow, seen
from maker_graph import MakerError, Run
from maker_graph.simulation import Replies, Simulator, profile_of

PROFILE = "gpt-4.1-mini,error=.25,rho=0,flagged=.03,output_tokens=80"
"""The errors are those of the slips; prices are those of the profile."""

DRAWS = range(1, 21)
LOOPS = 5
MAX_TOKENS = 750
CAP = 60
"""Output tokens of a reply of the real model, which is slow."""

WAYS: dict[str, dict[str, Any]] = {
    "flow, single samples": {"k": 1, "check": False},
    "flow, votes ahead by 3": {"k": 3},
    "flow, ahead by 3 within 5, else open": {"k": 3, "within": 5},
    "flow, ahead by 3 within 9, else open": {"k": 3, "within": 9},
}
"""Way -> how it is voted. In single samples a query that fails is mended, as in StateFlow; in votes it is no vote."""

SYSTEM = (
    RULES
    + "Run queries with the tool until one finds what was asked for. Then say what it returned. Give up after {most} queries."
)


class Asked(NamedTuple):
    """What became of one question.

    Attributes:
        key: of the result that was given for an answer; None if none was.
        calls: of the model.
        tokens: input and output.
    """

    key: str | None
    calls: int
    tokens: tuple[int, int]


class LoopModel(BaseChatModel):
    """The simulated model in the loop of an agent."""

    task: Any
    place: int
    simulator: Any
    seed: int

    @property
    def _llm_type(self) -> str:
        return "loop"

    def bind_tools(self, tools: Sequence[Any], **_: Any) -> Any:
        """Return itself."""
        del tools
        return self

    def _generate(self, messages: list[BaseMessage], *_: Any, **__: Any) -> ChatResult:
        question: Question = self.task.questions[self.place]
        slips: Slips = self.task.slips
        history = [(each.type, f"{each.text}{json.dumps(getattr(each, 'tool_calls', ''))}") for each in messages]
        last, queries = messages[-1], sum(isinstance(each, ToolMessage) for each in messages)
        replied = None
        if isinstance(last, ToolMessage) and last.artifact.error is None:
            right = self.task.database.run(question.right).key == last.artifact.key
            replied = self._reply(history, slips.review(f"{question.text} {json.dumps(last.artifact.key)}", right=right))
            if replied.text != NO:
                return _message(replied, text=f"answer: {replied.text}")
        if queries > MOST_MENDS:
            return _message(replied or self._reply(history, Replies("I give up.", ["I give up."])), text="I give up.")
        asked = self._reply([*history, ("ai", "next")], slips.query(question.text, question.right, question.wrong))
        if asked.refusal:
            return _message(asked, text="I cannot help with that.")
        call = {"name": "query", "args": {"sql": asked.text}, "id": f"call {queries}"}
        return _message(replied or asked, tool_calls=[call])

    def _reply(self, history: Sequence[tuple[str, str]], replies: Replies) -> Any:
        self.simulator.learn(history, lambda: replies)
        return self.simulator.reply(history, seed=self.seed, max_tokens=MAX_TOKENS)


def _message(reply: Any, *, text: str = "", tool_calls: Sequence[Any] = ()) -> ChatResult:
    usage = {"input_tokens": reply.input_tokens, "output_tokens": reply.output_tokens, "total_tokens": 0}
    return ChatResult(generations=[ChatGeneration(message=AIMessage(text, tool_calls=[*tool_calls], usage_metadata=usage))])


def looped(task: SqlFlow, place: int, model: Any) -> Asked:
    """Return what the loop of an agent makes of a question."""
    question = task.questions[place]

    @tool(response_format="content_and_artifact")
    def query(sql: str) -> tuple[str, Any]:
        """Run a query that only reads, and return its result."""
        found = task.database.run(sql)
        return seen(found.shown), found

    form = FORMS[question.asks]
    system = SYSTEM.format(schema=task.database.schema(), notes=task.notes, text=question.text, form=form, most=MOST_MENDS + 1)
    agent: Any = create_agent(model, [query], system_prompt=system)
    try:
        messages = agent.invoke({"messages": [("user", question.text)]}, {"recursion_limit": 20})["messages"]
    except GraphRecursionError:
        return Asked(None, 10, (0, 0))
    replies = [each for each in messages if isinstance(each, AIMessage)]
    results = [each.artifact for each in messages if isinstance(each, ToolMessage) and each.artifact.error is None]
    key = json.dumps(results[-1].key) if results and replies[-1].text == "answer: yes" else None
    tokens = [each.usage_metadata or {"input_tokens": 0, "output_tokens": 0} for each in replies]
    return Asked(
        key, len(replies), (sum(each["input_tokens"] for each in tokens), sum(each["output_tokens"] for each in tokens))
    )


def most(of: Sequence[Asked]) -> Asked:
    """Return the answer that more than half of several loops give."""
    ((key, votes),) = Counter(each.key for each in of).most_common(1)
    tokens = (sum(each.tokens[0] for each in of), sum(each.tokens[1] for each in of))
    return Asked(key if votes * 2 > len(of) else None, sum(each.calls for each in of), tokens)


def row(answers: Sequence[str | None], truths: Sequence[str], calls: int, tokens: tuple[int, int]) -> dict[str, float]:
    """Return the figures of one draw."""
    profile = profile_of(PROFILE)
    return {
        "right": sum(each == truth for each, truth in zip(answers, truths, strict=True)),
        "wrong": sum(each is not None and each != truth for each, truth in zip(answers, truths, strict=True)),
        "open": sum(each is None for each in answers),
        "calls": calls,
        "dollars": (tokens[0] * profile.input_price + tokens[1] * profile.output_price) / 1e6,
    }


def of_loops(asked: Sequence[Asked], truths: Sequence[str]) -> dict[str, float]:
    """Return the figures of one draw of loops."""
    tokens = (sum(each.tokens[0] for each in asked), sum(each.tokens[1] for each in asked))
    return row([each.key for each in asked], truths, sum(each.calls for each in asked), tokens)


def flowed(task: SqlFlow, truths: Sequence[str], model: str, seed: int, **how: Any) -> dict[str, float]:
    """Return the figures of one draw of the flow."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.create(f"{folder}/r", task, model=model, seed=seed, fsync="normal", **how) as run,
    ):
        done = run.solve()
    results: Any = done["result"]
    answers = [json.dumps(each["result"]) if each["status"] == "answered" else None for each in results]
    return row(answers, truths, done["samples"], (done["tokens"]["input"], done["tokens"]["output"]))


def table(database: Path, rho: float, draws: Sequence[int]) -> dict[str, Any]:
    """Return what each way makes of the questions, on average over the draws."""
    task = SqlFlow(database)
    truths = [json.dumps(task.database.run(each.right).key) for each in task.questions]
    rows: dict[str, list[dict[str, float]]] = {}
    for draw in draws:
        task.slips = Slips(draw, rho)
        simulator = Simulator(profile_of(PROFILE), seed=draw)
        loops = [
            [
                looped(task, place, LoopModel(task=task, place=place, simulator=simulator, seed=draw * 100 + number))
                for number in range(LOOPS)
            ]
            for place in range(len(task.questions))
        ]
        rows.setdefault("one prompt with a tool", []).append(of_loops([each[0] for each in loops], truths))
        rows.setdefault(f"most of {LOOPS} loops", []).append(of_loops([most(each) for each in loops], truths))
        for way, how in WAYS.items():
            rows.setdefault(way, []).append(flowed(task, truths, f"sim:{PROFILE}", draw, **how))
        print(draw, {way: [each[-1]["wrong"], each[-1]["open"]] for way, each in rows.items()}, flush=True)
    return {way: {name: round(mean(each[name] for each in those), 4) for name in those[0]} for way, those in rows.items()}


def real(database: Path, url: str, questions: int) -> dict[str, Any]:
    """Return what a real small model makes of a few questions, which ends its query at the first line."""
    text = QUESTIONS.read_text(encoding="utf-8").split("[[questions]]")
    few = database.with_name("few.toml")
    few.write_text("[[questions]]".join(text[: questions + 1]), encoding="utf-8")
    task = SqlFlow(database, few)
    truths = [json.dumps(task.database.run(each.right).key) for each in task.questions]
    found: dict[str, Any] = {"model": "Gemma 3, 270 million weights, 4 bits, base", "questions": questions}
    ends: dict[str, Any] = {"stop_sequences": ["\n"], "extra_body": {"max_tokens": CAP}}  # the server knows no other name
    model = ChatOpenAI(model="gemma-3-270m", base_url=url, api_key="none", temperature=0.7, **ends)  # type: ignore[arg-type]  # a string will do
    try:
        found["one prompt with a tool"] = of_loops([looped(task, place, model) for place in range(questions)], truths)
    except Exception as error:  # noqa: BLE001  whatever the server says to tools is what is told
        found["one prompt with a tool"] = f"{type(error).__name__}: {error}"[:300]
    print(found["one prompt with a tool"], flush=True)
    for way in ("flow, single samples", "flow, ahead by 3 within 5, else open"):
        found[way] = _asked_really(task, truths, url, WAYS[way])
        print(way, found[way], flush=True)
    return found


def _asked_really(task: SqlFlow, truths: Sequence[str], url: str, how: dict[str, Any]) -> Any:
    os.environ |= {"OPENAI_BASE_URL": url, "OPENAI_API_KEY": "none"}
    with tempfile.TemporaryDirectory() as folder:
        voted: dict[str, Any] = {
            "temperature": 0.7,
            "max_tokens": CAP,
            "stop": ["\n"],
            "max_samples": 8,
            "stuck_after": 5,
            "rephrase": False,
        }
        try:
            with Run.create(
                f"{folder}/r", task, model="openai:gemma-3-270m", price="0,0", retry_temperature=None, **voted, **how
            ) as run:
                done = run.solve(timeout=300.0, probe=False)
                flags = Counter[str]()
                for step in run.steps():
                    flags.update(step.flags)
        except MakerError as error:
            return str(error)[:300]
    results: Any = done["result"]
    answers = [json.dumps(each["result"]) if each["status"] == "answered" else None for each in results]
    figures = row(answers, truths, done["samples"], (0, 0))
    return {**{name: figures[name] for name in ("right", "wrong", "open", "calls")}, "flags": dict(flags)}


def main() -> None:
    """Make the tables, and print them."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--draws", type=int, default=len(DRAWS))
    parser.add_argument("--url", help="of a real model")
    parser.add_argument("--questions", type=int, default=5, help="asked of the real model")
    parser.add_argument("--out", type=Path)
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "shop.db"
        write(database)
        if args.url:
            result = real(database, args.url, args.questions)
        else:
            result = {"model": PROFILE, "draws": args.draws, "questions": 30}
            for name, rho in (("correlated errors", RHO), ("independent errors", 0.0)):
                result[name] = {"rho": rho, **table(database, rho, range(1, 1 + args.draws))}
    text = json.dumps(result, indent=1)
    print(text)
    if args.out:
        args.out.write_text(text + "\n")


if __name__ == "__main__":
    main()
