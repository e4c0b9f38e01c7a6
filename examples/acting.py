"""A task of parts that acts: it looks at a page, chooses a button, presses it, and judges the result.

    python examples/acting.py

`look` and `press` are given: code answers them, and `press` changes the page. `choose` and `judge` are voted on. Each press is
decided and on the disk before it is performed. After a kill it is performed again at most once. You can try the task with
`maker-graph check-task examples.acting:Order`, which presses nothing.
"""

import tempfile
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from maker_graph import GivenPart, Run, VotedPart
from maker_graph.simulation import Replies

BUTTONS = ["Cart", "Address", "Payment", "Confirm"]


class Shop:
    """A shop outside the task: every right press leads one page further."""

    def __init__(self) -> None:
        self.page = 0
        self.presses = 0

    def press(self, button: str) -> None:
        """Press a button."""
        self.presses += 1
        if button == BUTTONS[self.page]:
            self.page += 1


class Look:
    """Reads the page. It does no harm to read it twice."""

    by = "program"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def answer(self, state: dict[str, Any], step: int) -> dict[str, Any]:  # noqa: ARG002  the contract's
        """Return the number of the page and its buttons."""
        return {"page": self.shop.page, "buttons": BUTTONS}

    def rehearse(self, state: dict[str, Any]) -> dict[str, Any]:
        """Return the page after the right press, for `check-task`, which presses nothing."""
        return {"page": state["page"] + state["pressed"], "buttons": BUTTONS}


class Choose:
    """The button to press, which is voted on."""

    def prompt(self, state: dict[str, Any]) -> str:
        """Ask."""
        return f"This is page {state['page']} of an order. Which button leads on: {', '.join(state['buttons'])}? Only its name."

    def parse(self, text: str) -> str:
        """Read the reply."""
        return text.strip()

    def check(self, state: dict[str, Any], answer: str) -> bool:
        """Say whether the page has such a button."""
        return answer in state["buttons"]

    def rehearse(self, state: dict[str, Any]) -> Replies:
        """Return the right reply, and wrong ones, for simulated models only."""
        right = BUTTONS[state["page"]]
        return Replies(right, [button for button in BUTTONS if button != right])


class Press:
    """Presses the button. It gets the id of the run and the step, so a real page could tell that it was asked twice."""

    by = "world"

    def __init__(self, shop: Shop) -> None:
        self.shop = shop

    def answer(self, state: dict[str, Any], step: int, run: str) -> str:  # noqa: ARG002  this page does not mind
        """Press the button, and return its name."""
        button: str = state["chosen"]
        self.shop.press(button)
        return button

    def rehearse(self, state: dict[str, Any]) -> str:
        """Return the name of the button, for `check-task`, which presses nothing."""
        button: str = state["chosen"]
        return button


class Judge:
    """Whether the order is complete, which is decided by one vote to keep the example short."""

    k = 1

    def prompt(self, state: dict[str, Any]) -> str:
        """Ask."""
        return f"Page {state['page']} of {len(BUTTONS)} is open. Is the order complete? yes or no."

    def parse(self, text: str) -> bool:
        """Read the reply."""
        return {"yes": True, "no": False}[text.strip().lower()]

    def rehearse(self, state: dict[str, Any]) -> Replies:
        """Return the right reply, and the wrong one."""
        return Replies("yes", ["no"]) if state["page"] == len(BUTTONS) else Replies("no", ["yes"])


class Order:
    """Look, choose, press, look again, judge: until the order is complete."""

    def __init__(self) -> None:
        self.shop = Shop()
        self.parts: Mapping[str, VotedPart | GivenPart] = {
            "look": Look(self.shop),
            "choose": Choose(),
            "press": Press(self.shop),
            "judge": Judge(),
        }

    def start(self) -> dict[str, Any]:
        """Return the state before the first look."""
        return {"next": "look", "page": 0, "buttons": [], "chosen": None, "pressed": False}

    def part(self, state: dict[str, Any]) -> str | None:
        """Return the part that answers next."""
        name: str | None = state["next"]
        return name

    def apply(self, state: dict[str, Any], answer: Any) -> dict[str, Any]:
        """Return the state after an answer."""
        match state["next"]:
            case "look":
                return {**state, **answer, "next": "judge" if state["pressed"] else "choose"}
            case "choose":
                return {**state, "chosen": answer, "next": "press"}
            case "press":
                return {**state, "pressed": True, "next": "look"}
            case _:
                return {**state, "pressed": False, "next": None if answer else "look"}


if __name__ == "__main__":
    order = Order()
    model = {"choose": "sim:perfect,error=0.2", "judge": "sim:perfect"}
    with (
        tempfile.TemporaryDirectory() as folder,
        Run.create(Path(folder) / "order", order, model=model, k={"choose": 4}) as run,
    ):
        for step in run.events():
            print(f"step {step.step}: {step.decision['part']:6} {step.answer}  {dict(step.ballot) or ''}")
    print(f"{order.shop.presses} presses led to page {order.shop.page} of {len(BUTTONS)}")
