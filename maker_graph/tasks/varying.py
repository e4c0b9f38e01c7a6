"""Checks how the variants of a question read replies, as part of the trial of a task (`checking.py`)."""

from collections.abc import Callable, Iterator, Sequence
from typing import Any, NamedTuple

from maker_graph.core.canonical import JSON, plain
from maker_graph.core.task import Variant
from maker_graph.errors import UsageError

_TEXTS = ("", "0", "[]", '{"a": 1}')
"""Replies that are tried on a variant without a known right reply. It must always read them in the same way."""


class _Read(NamedTuple):
    """What a parser made of a text: the answer, or the error that it raised."""

    answer: JSON
    raised: str


def variants_in(found: Any) -> list[Variant]:
    """Return what `variants(state)` returned, if it is a list of variants.

    Raises:
        UsageError: it is not.
    """
    variants = list(found) if isinstance(found, Sequence) and not isinstance(found, str) else []
    if not variants or not all(isinstance(each, Variant) and callable(each.parse) for each in variants):
        raise UsageError(f"it must return a list of at least one Variant(prompt, parse), not {found!r:.80}.")
    return variants


def problems_of(
    variants: Sequence[Variant],
    right: Callable[[Variant], str | None],
    candidate: str | None,
    candidate_of: Callable[[JSON], str],
) -> Iterator[tuple[str, str]]:
    """Yield what is wrong with the way in which `variants` read replies: the broken check, and the problem in words.

    Args:
        variants: the variants of one question.
        right: returns the right reply to a variant; None if it is not known.
        candidate: the candidate of the right answer, which is the same for all variants; None if it is not known.
        candidate_of: returns the candidate of an answer.
    """
    for number, variant in enumerate(variants, start=1):
        reply = right(variant)
        read = _Read(None, "")
        for text in _TEXTS if reply is None else (reply,):
            read = _read(variant, text)
            if read != _read(variant, text):
                yield (
                    "pure",
                    f"variant {number} reads the same reply differently a second time: use no clock, chance or counter",
                )
                return
        if reply is None or candidate is None:
            continue
        if read.raised:
            yield "replies", f"variant {number} does not read its right reply: {read.raised[:200]}"
        elif candidate_of(read.answer) != candidate:
            yield "replies", f"variant {number} reads its right reply as another answer than the other variants of the step"


def _read(variant: Variant, text: str) -> _Read:
    try:
        return _Read(plain(variant.parse(text)), "")
    except Exception as error:  # noqa: BLE001  a parser may fail in any way on a text
        return _Read(None, f"{type(error).__name__}: {error}")
