"""Few-shot examples of independent items: solved items that a prompt shows before the item in question.

Each sample is shown a few examples that are drawn for it. The examples that a model sees, and their order, influence its
answer. If it sees the same examples each time, it errs in the same way each time. So the draws are the variants of an item's
question.
"""

import hashlib
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

from maker_graph.core.canonical import JSON, sorted_json
from maker_graph.core.task import Prompt, Variant

SHOWN = 5
"""How many examples are shown before an item; all if there are fewer."""

WAYS = 16
"""How many draws of examples there are for each item. Each sample is shown one of them."""


class Example(NamedTuple):
    """A solved item.

    Attributes:
        item: the item, in the form of the task's items.
        reply: what a model would reply to it.
        row: its row in the file of labelled rows, from 1; None if it is from no such file.
    """

    item: Any
    reply: str
    row: int | None = None


def few_shot(
    item: Any, examples: Sequence[Example], prompt: Callable[[Any], Prompt], parse: Callable[[str], JSON]
) -> list[Variant]:
    """Return the question about `item`, once for each of `WAYS` draws of examples; the item itself is never an example.

    >>> [shown] = {str(v.prompt) for v in few_shot("b", [Example("a", "A"), Example("b", "B")], str, str.strip)}
    >>> shown
    "[('user', 'a'), ('assistant', 'A'), ('user', 'b')]"
    """
    own = sorted_json(item)
    others = [(sorted_json(each.item), each) for each in examples]
    others = [(text, each) for text, each in others if text != own]
    return [Variant(_shown(item, _drawn(own, others, way), prompt), parse) for way in range(WAYS)]


def _drawn(own: str, examples: Sequence[tuple[str, Example]], way: int) -> list[Example]:
    """Return the examples of one draw, in their order: those with the smallest hashes."""
    ranked = sorted((hashlib.sha256(f"{way} {place} {own}".encode()).digest(), place) for place in range(len(examples)))
    return [examples[place][1] for _, place in ranked[:SHOWN]]


def _shown(item: Any, examples: Sequence[Example], prompt: Callable[[Any], Prompt]) -> Prompt:
    """Return the prompts of the examples, each with its reply, and then the prompt of the item."""
    asked = prompt(item)
    before, last = ([], ("user", asked)) if isinstance(asked, str) else (list(asked[:-1]), asked[-1])
    turns: list[Any] = []
    for example in examples:
        shown = prompt(example.item)
        turns += [("user", shown) if isinstance(shown, str) else shown[-1], ("assistant", example.reply)]
    return [*before, *turns, last]
