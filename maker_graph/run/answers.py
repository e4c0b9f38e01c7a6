"""The file of a review queue, with questions and a person's answers: JSON Lines, or CSV if its name ends in .csv."""

import csv
import io
import json
import re
from collections.abc import Callable, Iterable, Iterator
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import sorted_json
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.files import users_text
from maker_graph.run.review import OpenItem

COLUMNS = ("item", "question", "ballot", "answer")

_FORMULA = re.compile(r"\s*[=+\-@\uff0b\uff0d\uff1d\uff20]")
"""The beginning of a text that a spreadsheet takes for a formula."""


def exported(items: Iterable[OpenItem], *, as_csv: bool) -> str:
    """Return the text of a file that asks for answers to `items`."""
    if not as_csv:
        lines = ({"item": item.number, "question": _question(item), "ballot": item.ballot, "answer": None} for item in items)
        return "".join(json.dumps(line, ensure_ascii=False) + "\n" for line in lines)
    text = io.StringIO(newline="")
    writer = csv.writer(text)
    writer.writerow(COLUMNS)
    for item in items:
        votes = "; ".join(f"{number} for {candidate}" for candidate, number in item.ballot.items())
        writer.writerow([item.number, _cell(visible(_question(item))), _cell(votes), ""])
    return text.getvalue()


def read_answers(path: Path) -> dict[int, str]:
    """Return item -> answer, from a file. Answers that are empty or null are left out.

    Raises:
        UsageError: the file cannot be read, or is not such a file. The text names the line.
    """
    text = users_text(path, "the file as JSON Lines or CSV")
    read: Callable[[str, Path], Iterator[tuple[int, Any, Any]]] = _csv if path.suffix.lower() == ".csv" else _json_lines
    found: dict[int, str] = {}
    lines = 0
    for lines, item, answer in read(text, path):
        number = _number(item)
        if number is None:
            raise UsageError(
                f"{path}, line {lines}: the item must be a whole number of at least 1, not {visible(str(item))[:40]!r}."
            )
        if answer is None or answer == "":
            continue
        try:
            reply = answer if isinstance(answer, str) else sorted_json(answer)
        except ValueError as error:
            raise UsageError(f"{path}, line {lines}: the answer is not JSON ({error}).") from None
        if found.get(number, reply) != reply:
            raise UsageError(f"{path}, line {lines}: there are two answers to item {number}. Keep one of them.")
        found[number] = reply
    if not lines:
        raise UsageError(f"{path} holds no answers. maker-graph review RUN --export FILE writes a file to fill in.")
    return found


def _json_lines(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    for number, line in enumerate(text.split("\n"), start=1):
        if not line.strip():
            continue
        try:
            found = json.loads(line, object_pairs_hook=_object, parse_constant=_refused)
        except (ValueError, RecursionError) as error:
            raise UsageError(f"{path}, line {number}: this is not JSON ({visible(str(error))[:100]}).") from None
        if not isinstance(found, dict) or not {"item", "answer"} <= found.keys():
            raise UsageError(f'{path}, line {number}: each line must be an object with "item" and "answer".')
        yield number, found["item"], found["answer"]


def _object(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    found = dict(pairs)
    if len(found) < len(pairs):
        raise ValueError("a key stands twice in an object")
    return found


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is not a JSON value")


def _csv(text: str, path: Path) -> Iterator[tuple[int, Any, Any]]:
    reader = csv.reader(io.StringIO(text, newline=""), strict=True)
    try:
        names = next(reader, [])
        if names.count("item") != 1 or names.count("answer") != 1:
            had = visible(", ".join(names)) or "none"
            raise UsageError(f"{path} needs one column item and one column answer, and has {had}.")
        for cells in filter(None, reader):  # an empty line is not a row
            if len(cells) != len(names):
                raise UsageError(
                    f"{path}, line {reader.line_num}: {len(cells)} fields, and the header has {len(names)}. "
                    "A field with a comma must be in quotes."
                )
            row = dict(zip(names, cells, strict=True))
            yield reader.line_num, row["item"], row["answer"]
    except csv.Error as error:
        raise UsageError(f"{path}, line {reader.line_num}: {error}.") from None


def _number(item: object) -> int | None:
    if isinstance(item, str) and item.strip().isascii() and item.strip().isdigit() and len(item.strip()) < 19:
        item = int(item)
    return item if isinstance(item, int) and not isinstance(item, bool) and item >= 1 else None


def _question(item: OpenItem) -> str:
    return "\n\n".join(str(content) for _, content in item.question)


def _cell(text: str) -> str:
    return f"'{text}" if _FORMULA.match(text) else text
