"""A verifier: an answer that solves the equation needs no second vote, and one that does not is discarded.

Most samples of this model make the same mistake, so a vote decides wrongly. The verifier puts each answer into the equation.

    pip install 'maker-graph[verify]'
    python examples/verified.py
"""

from typing import Any

from langgraph.graph import START, StateGraph
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.simulation import simulated
from maker_graph.verify import Algebra, canonical_expression


class Problem(TypedDict, total=False):
    """An equation, its solution, and the decision on it."""

    equation: str
    solution: str
    decision: dict[str, Any]


def build(model: Any, *, verified: bool) -> Any:
    """Return an app that solves an equation."""
    algebra = Algebra()
    solve = create_microstep(
        model, state=Problem, prompt=lambda s: f"Solve {s['equation']} for x. Reply with the number.",
        answer=str, key=canonical_expression, into="solution", decision="decision", k=3, seed=1,
        verify=(lambda s, answer: algebra.solves(s["equation"], answer)) if verified else None,
    )  # fmt: skip
    return StateGraph(Problem).add_node("solve", solve).add_edge(START, "solve").compile()


def main() -> None:
    """Solve an equation without the verifier and with it; the model is simulated."""
    equation = "5*(x - 2) = 3*x + 8"
    for verified in (False, True):
        model = simulated("perfect,error=0.7,favourite=1", {equation: ["9", "1"]}, seed=5)
        solved = build(model, verified=verified).invoke({"equation": equation})
        decision = solved["decision"]
        print(f"{solved['solution']} after {decision['samples']} samples: {decision.get('proved', decision['ballot'])}")


if __name__ == "__main__":
    main()
