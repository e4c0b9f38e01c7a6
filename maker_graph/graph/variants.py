"""Variants: equivalent questions of one step, of which each sample is asked one.

A model that errs on a question often errs in the same way each time it is asked. Asked in another way, it may err in another
way. Then wrong samples contradict each other, and the vote shows it. A hash of the question and of i draws the variant of
sample i. So all samples of a step are independent draws of one mixture, and every formula for votes holds for it. If the
variants took turns instead, the first sample would always be asked the first variant, and the formulas would not hold.
"""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from typing import Any, cast

from typing_extensions import TypedDict

from maker_graph.core import checks
from maker_graph.core.canonical import sorted_json
from maker_graph.core.task import Prompt, Variant
from maker_graph.errors import UsageError
from maker_graph.models.prompts import as_pairs
from maker_graph.models.requests import drawn


class Asked(TypedDict):
    """The variants of a question, as plain data that is sent to the samples.

    Attributes:
        variants: their prompts.
        salt: what the draw of each sample begins with.
    """

    variants: list[Prompt]
    salt: str


def variants_of(
    function: Callable[[Any], Sequence[Variant]], state: Any, seed: int | None, by: str = "base"
) -> tuple[Asked, list[Variant]]:
    """Return what the samples of a step are sent, and its variants.

    Each rung, named by `by`, draws anew: an earlier rung may have passed the step on because of the variants that it drew.

    Raises:
        UsageError: the function fails, or returns something other than variants.
    """
    try:
        found = list(function(state))
    except UsageError:
        raise
    except Exception as error:
        raise checks.failed("variants", error) from error
    if not found or not all(isinstance(each, Variant) and callable(each.parse) for each in found):
        raise UsageError(f"variants(state) returns a list of at least one Variant(prompt, parse), not {found!r:.80}.")
    prompts = [variant.prompt for variant in found]
    text = sorted_json([seed, *([] if by == "base" else [by]), [as_pairs(prompt) for prompt in prompts]])
    return Asked(variants=prompts, salt=hashlib.sha256(text.encode()).hexdigest()[:16]), found


def prompt_for(asked: "Prompt | Asked", index: int) -> Prompt:
    """Return the prompt of sample `index`: the only one, or that of the variant that is drawn for it."""
    if not isinstance(asked, Mapping) or asked.keys() != Asked.__annotations__.keys():
        return cast("Prompt", asked)
    prompts: list[Prompt] = asked["variants"]
    return prompts[drawn(asked["salt"], index, len(prompts))]


def first_prompt(asked: "Prompt | Asked") -> Prompt:
    """Return the prompt that a person is shown: the only one, or the first variant."""
    if not isinstance(asked, Mapping) or asked.keys() != Asked.__annotations__.keys():
        return cast("Prompt", asked)
    prompts: list[Prompt] = asked["variants"]
    return prompts[0]


def numbers_of(asked: Asked, samples: int) -> list[int]:
    """Return which variant each of `samples` samples is asked, counted from 0."""
    return [drawn(asked["salt"], index, len(asked["variants"])) for index in range(samples)]


def parse_for(asked: Asked, variants: Sequence[Variant]) -> Callable[[int], Callable[[str], Any]]:
    """Return a function from the number of a sample to the function that reads its reply."""
    return lambda index: variants[drawn(asked["salt"], index, len(variants))].parse
