"""Independent items: a task whose steps do not depend on each other, so that many are answered at once.

A task of this kind is a subclass of `Items`, which says what is asked about one item. `ItemSteps` makes a task of steps from
it: the state of that task is the number of the next item.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, ClassVar, Literal, NamedTuple

from maker_graph.core.canonical import JSON, copied, sorted_json
from maker_graph.core.checks import failed, takes_state
from maker_graph.core.examples import Example, few_shot
from maker_graph.core.task import Prompt, State, Variant
from maker_graph.errors import MakerError


class DecidedItem(NamedTuple):
    """How one item ended.

    Attributes:
        number: the number of the item, from 1.
        item: the item itself.
        status: "decided", or "open": no answer was found yet.
        answer: the answer; None if it is open.
        by: who decided it: "vote", "program", "world" or "person"; empty if it is open.
    """

    number: int
    item: Any
    status: Literal["decided", "open"]
    answer: JSON
    by: str = ""


class LabelledItem(NamedTuple):
    """An item whose right answer is known.

    Attributes:
        item: the item, in the form of the task's items.
        answer: the right answer, as `parse` would return it.
        row: its row in the file of labelled rows, from 1.
        by: who decided it, as the file says; empty if it does not say.
    """

    item: Any
    answer: JSON
    row: int
    by: str = ""


class Items:
    """The base of a task whose steps are independent items.

    A subclass has `items` and `prompt`. It may also have `parse`, `given`, `check`, `verify`, `key`, `rephrase`, `variants`,
    `truth`, `rehearse` and `write`. Each item goes to `given` first. If that returns an answer, the answer stands and no model
    is asked. Otherwise models vote. An item whose vote nobody wins stays open and waits for a person.

    Attributes:
        items: the items: a list, or anything with `len` and an index. They are read one at a time and need not be in memory.

    >>> class Upper(Items):
    ...     items = ["a", "B"]
    ...     def given(self, item):
    ...         return item if item.isupper() else None
    ...     def prompt(self, item):
    ...         return f"Write in upper case: {item}"
    >>> steps = ItemSteps(Upper())
    >>> steps.given({"item": 0}), steps.given({"item": 1}), steps.prompt({"item": 0}), steps.total()
    (None, 'B', 'Write in upper case: a', 2)
    """

    items: Sequence[Any]

    examples: Sequence[Example] = ()
    """Solved items. If there are any, each variant of an item's question shows a few of them: see `examples.py`."""

    refused: Mapping[int, str] = MappingProxyType({})
    """Number of an item -> why its answer is not used, although it was decided. `write` gets it as open. A run sets this."""

    labelled: Sequence[LabelledItem] = ()
    """Items from the same source with known right answers, used to measure a model. They are never shown as examples."""

    place: ClassVar[str] = "item"
    """The key of the state that holds the number of the next item, from 0."""

    whole: ClassVar[bool] = False
    """Whether results are written only when all items have been tried. If False, a run that stops early writes them too."""

    def given(self, item: Any, /) -> JSON:  # noqa: ARG002  for a subclass
        """Return the answer if a program is sure of it, else None. It must be pure: the same answer for the same item."""
        return None

    def prompt(self, item: Any, /) -> Prompt:
        """Return all that a model sees when it is asked about this item, as a text or as messages."""
        raise NotImplementedError

    def parse(self, text: str, /) -> JSON:
        """Return the answer in a reply: the stripped text, unless a subclass does otherwise.

        If this raises, the sample is discarded as malformed. A subclass may take the item as a second argument.
        """
        return text.strip()

    def outputs(self, out: Path, /) -> Sequence[Path]:
        """Return all files that `write` may write when it is asked for `out`: `out` itself, and others beside it."""
        return [out]

    def write(self, decided: Iterable[DecidedItem], out: Path, /) -> int | None:
        """Write the results to `out`: JSON Lines unless a subclass does otherwise.

        `decided` has one entry for each item that was tried, in order, and can be iterated over once. Write new files without
        looking at what is there: the files are moved into their places when all of them are whole.

        Return how many results are left open although their items are decided, or None if that cannot happen.
        """
        with out.open("w", encoding="utf-8") as file:
            for each in decided:
                file.write(sorted_json({"number": each.number, "status": each.status, "answer": each.answer}) + "\n")
        return None


class ItemSteps:
    """The task of steps that the step machine sees in place of an `Items` task: its state is only the number of the next item.

    It has those optional functions that the `Items` task has. They look up the item of the state and pass it on.
    """

    def __init__(self, task: Items) -> None:
        self.task = task
        self._place = task.place
        self._total: int | None = None
        self.parse = task.parse if not takes_state(task.parse) else self._parse
        if hasattr(task, "key"):
            self.key = task.key
        self.schema = getattr(task, "schema", None)
        for name in ("check", "verify", "rephrase", "variants", "truth", "rehearse"):
            if (function := getattr(task, name, None)) is not None:
                setattr(self, name, self._of_item(function))
        if task.examples and not hasattr(task, "variants"):
            self.variants = self._few_shot

    def _of_item(self, function: Callable[..., Any]) -> Callable[..., Any]:
        return lambda state, *more: function(self.item(state), *more)

    def _parse(self, text: str, state: State, /) -> JSON:
        parsed: JSON = self.task.parse(text, self.item(state))  # type: ignore[call-arg]  # a subclass may take the item
        return parsed

    def _few_shot(self, state: State) -> list[Variant]:
        def parse(text: str) -> JSON:
            parsed: JSON = self.parse(text, state) if takes_state(self.task.parse) else self.parse(text)  # type: ignore[call-arg]
            return parsed

        return few_shot(self.item(state), self.task.examples, self.task.prompt, parse)

    def item(self, state: State) -> Any:
        """Return a copy of the next item, so that a function that changes it changes nothing else.

        Raises:
            UsageError: the items do not have it.
        """
        place = state[self._place]
        try:
            item = self.task.items[place]
        except Exception as error:
            raise failed(f"{type(self.task).__name__}.items[{place}]", error) from error
        return copied(item)

    def start(self) -> State:
        """Return the state before the first item."""
        return {self._place: 0}

    def total(self) -> int:
        """Return the number of items. It is read once and then kept.

        Raises:
            UsageError: they have no length.
        """
        if self._total is None:
            try:
                self._total = len(self.task.items)
            except MakerError:  # its text says what is wrong
                raise
            except Exception as error:
                raise failed(f"len({type(self.task).__name__}.items)", error) from error
        return self._total

    def done(self, state: State) -> bool:
        """Say whether no item is left to try."""
        return bool(state[self._place] >= self.total())

    def given(self, state: State) -> JSON:
        """Return the answer of the program, or None."""
        return self.task.given(self.item(state))

    def prompt(self, state: State) -> Prompt:
        """Return what is asked about the next item."""
        return self.task.prompt(self.item(state))

    def apply(self, state: State, answer: JSON) -> State:  # noqa: ARG002  the answer lives in the journal
        """Return the state with the next item."""
        return {self._place: state[self._place] + 1}

    def skip(self, state: State) -> State:
        """Return the state with the next item, and leave this one open."""
        return {self._place: state[self._place] + 1}

    def state_at(self, step: int) -> State:
        """Return the state before item `step`, from 0."""
        return {self._place: step}
