"""A task of your own: add two long numbers, one voted column at a time.

    python examples/own_task.py
    maker-graph run examples.own_task:Addition --model sim:gpt-oss-20b

A task is any class with `start`, `done`, `prompt`, `parse` and `apply`. Two optional functions are shown: `check` says which
answers the rules allow, and `total` how many steps there are. `rehearse` is for simulated models only. It says what a model may
reply, right and wrong.
"""

from typing import Any

from maker_graph import create_maker, strict_json
from maker_graph.simulation import Replies


class Addition:
    """The sum of two numbers; the state holds the column, the carry and the digits so far, the last one first."""

    def __init__(self, a: int = 9**150, b: int = 8**160) -> None:
        self.a, self.b = str(a), str(b)
        self.columns = max(len(self.a), len(self.b)) + 1

    def start(self) -> dict[str, Any]:
        """Return the state before the last column."""
        return {"column": 0, "carry": 0, "digits": ""}

    def total(self) -> int:
        """Return the number of columns, with one for the last carry."""
        return self.columns

    def done(self, state: dict[str, Any]) -> bool:
        """Say whether all columns are added."""
        return bool(state["column"] == self.columns)

    def _digits(self, state: dict[str, Any]) -> tuple[str, ...]:
        return tuple(number[::-1].ljust(self.columns, "0")[state["column"]] for number in (self.a, self.b))

    def prompt(self, state: dict[str, Any]) -> str:
        """Return the question about one column; the model needs nothing else."""
        a, b = self._digits(state)
        return f"Add {a} and {b} and {state['carry']} . Reply with two numbers and nothing else: [last digit, carry]"

    def parse(self, text: str) -> Any:
        """Return digit and carry; anything but a JSON list of two is malformed."""
        answer = strict_json(text)
        if not isinstance(answer, list) or len(answer) != 2 or not all(type(number) is int for number in answer):
            raise ValueError("not a list of two integers")
        return answer

    def check(self, state: dict[str, Any], answer: list[int]) -> bool:  # noqa: ARG002  the rule needs the answer only
        """Say whether the digit is from 0 to 9, and the carry 0 or 1."""
        return answer[0] in range(10) and answer[1] in (0, 1)

    def apply(self, state: dict[str, Any], answer: list[int]) -> dict[str, Any]:
        """Return the state with one more digit."""
        return {"column": state["column"] + 1, "carry": answer[1], "digits": state["digits"] + str(answer[0])}

    def rehearse(self, state: dict[str, Any]) -> Replies:
        """Return what a model may reply: the right digit and carry, or a slip."""
        total = sum(map(int, self._digits(state))) + state["carry"]
        return Replies(f"[{total % 10}, {total // 10}]", [f"[{(total + 1) % 10}, {total // 10}]", f"[{total % 10}, 9]"])


def main() -> None:
    """Add two long numbers with a model that is wrong once in thirty times."""
    task = Addition()
    result = create_maker(task, model="sim:gpt-oss-20b", k=4, max_tokens=2048, seed=1).compile().invoke({})
    digits = result["state"]["digits"][::-1].lstrip("0")
    totals = result["totals"]
    print(f"{task.a}\n+ {task.b}\n= {digits}")
    print(f"{'Right' if int(digits) == int(task.a) + int(task.b) else 'Wrong'}, in {result['step']} voted steps:", end=" ")
    print(f"{totals['samples']} samples, {totals['outvoted']} outvoted, {sum(totals['flags'].values())} red-flagged.")


if __name__ == "__main__":
    main()
