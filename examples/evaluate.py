"""LangSmith as a test bench: steps with known answers are a dataset, and evaluators say how a model answers them.

It works offline, without a key. If LANGSMITH_API_KEY is set, the dataset and the results are uploaded.

    python examples/evaluate.py
    python examples/evaluate.py openai:gpt-4.1-mini
"""

import os
import sys
import uuid
from datetime import UTC, datetime
from typing import Any

from langsmith import Client, tracing_context
from langsmith.schemas import Example
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.models.simulation.hanoi import HanoiRehearsal
from maker_graph.tasks import Hanoi

TASK = Hanoi(6)
DATASET = "maker_graph hanoi steps"


def known_steps(every: int = 5) -> list[dict[str, Any]]:
    """Return the states of the task with their right answers, one for every `every` steps."""
    rehearsal, state, steps = HanoiRehearsal(), TASK.start(), []
    for number in range(TASK.total()):
        prompt: Any = TASK.prompt(state)
        replies = rehearsal.replies(prompt)
        assert replies is not None  # noqa: S101  it is a prompt of Hanoi
        answer: Any = TASK.parse(replies.right)
        if number % every == 0:
            steps.append({"inputs": {"state": dict(state)}, "outputs": {"answer": answer}})
        state = TASK.apply(state, answer)
    return steps


class Step(TypedDict, total=False):
    """The question of a microstep, its answer and its decision."""

    state: dict[str, Any]
    answer: dict[str, Any]
    decision: dict[str, Any]


def right(outputs: dict[str, Any], reference_outputs: dict[str, Any]) -> bool:
    """Say whether the decided answer is the known one."""
    return bool(outputs["answer"] == reference_outputs["answer"])


def flagged(outputs: dict[str, Any]) -> int:
    """Return how many samples were red-flagged."""
    return sum(outputs["decision"]["flags"].values())


def contested(outputs: dict[str, Any]) -> bool:
    """Say whether a vote lost."""
    return len(outputs["decision"]["ballot"]) > 1


def main(model: str = "sim:gpt-oss-20b") -> None:
    """Evaluate `model` on the known steps and print the three shares."""
    vote = create_microstep(
        model,
        state=Step,
        prompt=lambda s: TASK.prompt(s["state"]),
        answer=TASK.parse,
        into="answer",
        decision="decision",
        k=3,
        max_tokens=2048,
        on_undecided="return",
        seed=1,
    )
    steps = known_steps()
    upload = bool(os.environ.get("LANGSMITH_API_KEY"))
    client = Client() if upload else Client(api_key="offline", info={}, auto_batch_tracing=False)
    data: Any = DATASET if upload else offline(steps)
    if upload and not client.has_dataset(dataset_name=DATASET):
        client.create_examples(dataset_id=client.create_dataset(DATASET).id, examples=steps)

    def target(inputs: dict[str, Any]) -> Any:
        with tracing_context(enabled=upload):
            return vote.invoke(inputs)

    evaluators: list[Any] = [right, flagged, contested]
    results: Any = client.evaluate(target, data=data, evaluators=evaluators, upload_results=upload)
    scores: dict[str, list[float]] = {}
    for row in results:
        for each in row["evaluation_results"]["results"]:
            scores.setdefault(each.key, []).append(float(each.score or 0))
    for name, values in scores.items():
        print(f"{name}: {sum(values) / len(values):.2f} over {len(values)} steps")


def offline(steps: list[dict[str, Any]]) -> list[Example]:
    """Return the steps as examples that no server knows."""
    dataset, now = uuid.uuid4(), datetime.now(UTC)
    return [Example(id=uuid.uuid4(), dataset_id=dataset, created_at=now, **step) for step in steps]


if __name__ == "__main__":
    main(*sys.argv[1:])
