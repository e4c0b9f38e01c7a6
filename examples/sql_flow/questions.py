"""The questions, and how they are read from a file."""

import tomllib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from maker_graph import UsageError

Form = Literal["value", "rows"]

QUESTIONS = Path(__file__).with_name("questions.toml")


@dataclass(frozen=True, slots=True)
class Question:
    """A question about the database.

    Attributes:
        text: what is asked.
        asks: the form of the result: "value" is one row with one value, "rows" any number of rows in any order.
        right: a query that answers it; only simulated models see it.
        wrong: queries that do not answer it; only simulated models see them.
    """

    text: str
    asks: Form
    right: str = ""
    wrong: Sequence[str] = ()


def read_questions(path: Path) -> tuple[str, list[Question]]:
    """Return the `notes` on the database, and the questions.

    Raises:
        UsageError: the file cannot be read, or it does not hold questions.
    """
    try:
        read = tomllib.loads(path.read_text(encoding="utf-8"))
        questions = [Question(**each) for each in read["questions"]]
    except OSError as error:
        raise UsageError(f"{path} cannot be read: {error.strerror}.") from None
    except (ValueError, KeyError, TypeError) as error:
        raise UsageError(f"{path} cannot be used: each question needs `text` and `asks` ({error}).") from None
    if not questions:
        raise UsageError(f"{path} holds no question: write one, as in examples/sql_flow/questions.toml.")
    for each in questions:
        if each.asks not in get_args(Form):
            raise UsageError(f'{path}: asks must be "value" or "rows", not {each.asks!r}.')
    return str(read.get("notes", "")), questions
