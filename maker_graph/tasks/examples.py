"""The examples file of an items task: solved items, one JSON object a line.

    {"item": {"address": "5 Elm St., 10115 Berlin", ...}, "answer": {"street": "Elm Street", ...}}

`item` has the form of the task's items. `answer` is plain JSON, and is shown as the reply. To give the reply as a text, write
`reply` in place of `answer`.
"""

import inspect
from collections.abc import Callable
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import sorted_json, strict_json
from maker_graph.core.characters import visible
from maker_graph.core.examples import Example
from maker_graph.core.items import Items
from maker_graph.errors import UsageError
from maker_graph.files import users_text

OPTION = "examples"
"""The name of the option with the file."""


def takes_examples(make: Callable[..., Any]) -> bool:
    """Return whether `make` makes an items task, which takes examples, and has no option of this name itself."""
    try:
        signature = inspect.signature(make, eval_str=True)
    except Exception:  # noqa: BLE001  a built-in, or an annotation that is not imported at run time
        return isinstance(make, type) and issubclass(make, Items)
    made = make if isinstance(make, type) else signature.return_annotation
    return isinstance(made, type) and issubclass(made, Items) and OPTION not in signature.parameters


def read_examples(path: Path) -> list[Example]:
    """Return the examples in a file.

    Raises:
        UsageError: the file cannot be read, or holds no examples; the error says where.
    """
    lines = users_text(path, "the examples as JSON Lines").split("\n")
    found = [_example(line, f"{path}, line {number}") for number, line in enumerate(lines, start=1) if line.strip()]
    if not found:
        raise UsageError(f'{path} holds no examples: write each as a line {{"item": ..., "answer": ...}}.')
    return found


def _example(line: str, where: str) -> Example:
    try:
        found = strict_json(line)
    except ValueError as error:
        raise UsageError(f"{where}: this is not JSON ({visible(str(error))[:100]}).") from None
    if not isinstance(found, dict) or "item" not in found or ("reply" in found) == ("answer" in found):
        raise UsageError(
            f'{where}: an example must be {{"item": ..., "answer": ...}}, or have "reply" with a text in place of "answer".'
        )
    if "answer" in found:
        return Example(found["item"], sorted_json(found["answer"]))
    if not isinstance(found["reply"], str):
        raise UsageError(f"{where}: reply must be the text that a model would give; for JSON write answer.")
    return Example(found["item"], found["reply"])


def with_examples(task: Any, path: Path) -> None:
    """Give an items task the examples in a file, and see that it can ask about them.

    Raises:
        UsageError: the file cannot be read, or the item of an example is not an item of the task.
    """
    examples = read_examples(path)
    for number, example in enumerate(examples, start=1):
        try:
            task.prompt(example.item)
        except Exception as error:
            raise UsageError(
                f"{path}: the task cannot ask about example {number} ({type(error).__name__}: {visible(str(error))[:100]}). "
                "Its item must have the form of the task's items."
            ) from error
    task.examples = examples
