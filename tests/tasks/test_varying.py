"""How variants read replies."""

from typing import Any, cast

import pytest

from maker_graph import UsageError
from maker_graph.core.canonical import canonical
from maker_graph.core.task import Variant
from maker_graph.tasks.varying import problems_of, variants_in


def test_only_a_list_of_variants_is_one() -> None:
    assert variants_in((Variant("x", int),)) == [Variant("x", int)]
    odd: Any
    for odd in (None, "x", {}, [], [("x", int)], [Variant("x", cast("Any", None))], iter([Variant("x", int)])):
        with pytest.raises(UsageError, match="at least one Variant"):
            variants_in(odd)


def test_each_is_held_against_the_right_answer_where_both_are_known() -> None:
    variants = [Variant("7", int), Variant("[7]", int), Variant("?", int)]
    known = {"7": "7", "[7]": "8"}
    found = list(problems_of(variants, lambda variant: known.get(str(variant.prompt)), "7", canonical))
    assert [check for check, _ in found] == ["replies"]
    assert "variant 2" in found[0][1]
    assert not list(problems_of(variants, lambda _: "8", None, canonical)), "nobody knows the answer"
