"""What the tests of labels and audits share: words, some of which are decided wrongly in unison, and a scripted person."""

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from maker_graph import Items, Run
from maker_graph.run.labelling import Ask, Question
from maker_graph.simulation import Replies


class Words(Items):
    """Words to be written in upper case: a program is sure of digits, and models err on those with "x" in unison.

    On those with "?" no reply can be read.
    """

    def __init__(
        self, number: int = 40, *, wrong: Iterable[int] = (), stuck: Iterable[int] = (), digits: Iterable[int] = ()
    ) -> None:
        marks = {**dict.fromkeys(wrong, "x"), **dict.fromkeys(stuck, "?"), **dict.fromkeys(digits, "0")}
        self.items = [f"{marks.get(step, 'a')}{'bcdefghij'[step % 9]}{step}" for step in range(1, number + 1)]

    def given(self, item: str) -> str | None:
        return item.upper() if item.startswith("0") else None

    def prompt(self, item: str) -> str:
        return f"In upper case: {item}"

    def parse(self, text: str) -> Any:
        if not text.strip().isupper():
            raise ValueError("no upper case")
        return text.strip()

    def truth(self, item: str) -> str:
        return item.upper()

    def rehearse(self, item: str) -> Replies:
        if item.startswith("?"):
            return Replies("none", ["no", "-"])
        return Replies("WRONG" if item.startswith("x") else item.upper(), ["B", "C"])


def words_run(folder: Path, task: Words | None = None, name: str = "r") -> Run:
    """Return a run that is over, but for what is stuck."""
    run = Run.create(folder / name, task or Words(), model="sim:perfect", k=2, max_samples=4)
    run.solve()
    return run


def person(*, until: int = 10**9, unsure: Iterable[int] = (), asked: list[Question] | None = None) -> Ask:
    """Return a person who knows what is right, stops after so many questions, and cannot tell of some steps."""
    seen: list[Question] = [] if asked is None else asked
    cannot = set(unsure)

    def ask(question: Question) -> str | None:
        seen.append(question)
        if len(seen) > until:
            return None
        return "?" if question.step in cannot else str(question.question[-1][1]).partition(": ")[2].upper()

    return ask
