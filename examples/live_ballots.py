"""Live ballots: each decision of a long task from the custom stream, as it is made.

python examples/live_ballots.py
"""

from collections.abc import Iterator
from typing import Any

from maker_graph import create_maker
from maker_graph.tasks import Hanoi


def ballots(model: Any) -> Iterator[dict[str, int]]:
    """Yield the ballot of each step of a small Hanoi."""
    maker: Any = create_maker(Hanoi(4), model=model, k=3, max_tokens=2048, seed=1).compile()
    for _, part in maker.stream({}, stream_mode="custom", subgraphs=True):
        if "decision" in part:  # the stream also has the rounds, {"round": {...}}
            yield part["decision"]["ballot"]


def main() -> None:
    """Show the votes of each step; the model is simulated and wrong once in five times."""
    for step, ballot in enumerate(ballots("sim:gpt-oss-20b,error=0.2"), start=1):
        print(f"step {step}: {' against '.join(map(str, sorted(ballot.values(), reverse=True)))}")


if __name__ == "__main__":
    main()
