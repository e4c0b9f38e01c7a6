"""The pictures of the pages hold what the code computes and the benchmarks have measured."""

import json
import re

import pytest

from tests.benchmarks.pictures import MADE, PICTURES, ROOT, data_in, svg

AGAIN = "it is stale: python -m tests.benchmarks.pictures"


@pytest.mark.parametrize("name", MADE)
def test_a_picture_is_of_what_the_code_and_the_results_say_now(name: str) -> None:
    kept = (PICTURES / f"{name}.svg").read_text()
    assert data_in(kept) == json.loads(json.dumps(MADE[name].find())), AGAIN


@pytest.mark.parametrize("name", MADE)
def test_a_picture_is_small_and_names_nothing_of_the_machine_that_made_it(name: str) -> None:
    text = svg(name)
    assert len(text) < 50_000
    assert re.search("<title>[^<]+</title>", text)
    assert str(ROOT) not in text


def test_every_picture_is_on_a_page() -> None:
    shown = set[str]()
    for page in (ROOT / "docs").glob("*.md"):
        shown |= set(re.findall(r"!\[[^]]+\]\(pictures/(\w+)\.svg\)", page.read_text()))
    assert shown >= set(MADE)
