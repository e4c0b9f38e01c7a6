"""Few-shot examples: a few solved items before the one that is asked, drawn anew for each variant."""

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from maker_graph.core.examples import SHOWN, WAYS, Example, few_shot
from maker_graph.core.guarding import guarded
from maker_graph.core.items import Items
from maker_graph.core.task import Varies

EXAMPLES = [Example(f"word {number}", f"WORD {number}") for number in range(12)]


def prompt(item: str) -> list[tuple[str, str]]:
    return [("system", "Write in upper case."), ("user", item)]


def test_each_way_shows_some_examples_between_the_instructions_and_the_item() -> None:
    variants = few_shot("own", EXAMPLES, prompt, str.strip)
    assert len(variants) == WAYS
    for variant in variants:
        first, *turns, last = list(variant.prompt)
        assert (first, last, len(turns)) == (("system", "Write in upper case."), ("user", "own"), 2 * SHOWN)
        assert all(reply == ("assistant", asked[1].upper()) for asked, reply in zip(turns[::2], turns[1::2], strict=True))
    assert len({str(variant.prompt) for variant in variants}) == WAYS
    assert few_shot("own", EXAMPLES, prompt, str.strip)[3].prompt == variants[3].prompt


@given(st.sampled_from(EXAMPLES))
def test_an_item_is_never_shown_its_own_answer(example: Example) -> None:
    for variant in few_shot(example.item, EXAMPLES, prompt, str.strip):
        assert ("assistant", example.reply) not in variant.prompt


class Upper(Items):
    """Words, with or without examples."""

    items = ("own",)

    def prompt(self, item: str) -> Any:
        return item

    def parse(self, text: str, item: str) -> Any:  # type: ignore[override]  # it takes the item
        return [item, text]


def test_items_with_examples_have_variants_and_others_have_none() -> None:
    task = Upper()
    assert not isinstance(guarded(task), Varies)
    task.examples = EXAMPLES
    inside = guarded(task)
    assert isinstance(inside, Varies)
    (variant, *others) = inside.variants({"item": 0})
    assert (len(others), variant.parse("OWN")) == (WAYS - 1, ["own", "OWN"])
    assert variant.prompt[-1] == ("user", "own")
