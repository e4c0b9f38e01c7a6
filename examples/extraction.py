"""A voted structured extraction: the reply must fit a pydantic model, as strict JSON, and is never repaired.

python examples/extraction.py
"""

from datetime import date
from typing import Any

from langgraph.graph import START, StateGraph
from pydantic import BaseModel
from typing_extensions import TypedDict

from maker_graph import create_microstep
from maker_graph.simulation import simulated

ASK = "Reply with JSON and nothing else: {{'number': text, 'due': 'YYYY-MM-DD', 'cents': integer}}. Letter: {text}"


class Letter(TypedDict, total=False):
    """A letter, and the invoice that is read from it."""

    text: str
    invoice: dict[str, Any]


class Invoice(BaseModel):
    """The fields that are read from a letter."""

    number: str
    due: date
    cents: int


def build(model: Any) -> Any:
    """Return an app that extracts an invoice by vote; a check discards answers that make no sense."""
    read = create_microstep(
        model,
        state=Letter,
        prompt=lambda s: ASK.format(**s),
        answer=Invoice,
        check=lambda letter, invoice: invoice.number in letter["text"] and invoice.cents > 0,
        into="invoice",
        seed=1,
    )
    return StateGraph(Letter).add_node("read", read).add_edge(START, "read").compile()


def main() -> None:
    """Read a letter with a simulated model that is wrong once in four times, and sometimes breaks the form."""
    right = '{"number": "R-17", "due": "2026-12-01", "cents": 124950}'
    wrong = (right.replace("124950", "1249"), right.replace("R-17", "17"), right.replace("124950", '"1249.50"'))
    model = simulated("perfect,error=0.25,flagged=0.1", {"R-17": [right, *wrong]}, seed=2)
    print(build(model).invoke({"text": "Invoice R-17 over 1,249.50 EUR, due on 1 December 2026."})["invoice"])


if __name__ == "__main__":
    main()
