"""Drafts: one of no use stops nothing, and who cannot draft is told what is missing."""

from typing import Any

import pytest
from langchain_core.messages import AIMessage

from maker_graph import ProviderFailure, UsageError, create_maker
from tests.conftest import Scripted
from tests.graph.test_lookahead import Listed, run
from tests.graph.test_maker import Countdown, counting


@pytest.mark.parametrize("draft", ["", "no idea", "7 6 x", "99 98 97", "9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9 9", "\ud800"])
def test_a_draft_of_no_use_stops_nothing_and_is_not_asked_for_again_and_again(draft: str) -> None:
    listed = Scripted(script=lambda _, __: draft)
    result, log = run(Listed(8), model=Scripted(script=counting), draft_model=listed, k=1, lookahead=4)
    assert (result["state"], len(log.entries)) == (0, 8)
    assert len(listed.log) <= (8 if "9" not in draft else 8 * 4)


def test_the_models_own_list_makes_many_steps_at_once() -> None:
    def script(_: int, text: str) -> str:
        if text.startswith("list"):
            n, state = (int(word) for word in text.split()[1::2])
            return " ".join(str(each) for each in range(state - 1, max(state - 1 - n, -1), -1))
        return str(int(text) - 1)

    _, log = run(Listed(20), model=Scripted(script=script), k=1, lookahead=8)
    assert max(log.batches) > 1
    assert len(log.entries) == 20


def test_a_draft_that_the_provider_does_not_accept_stops_nothing_but_a_wrong_model_does() -> None:
    def refuses(scope: Any) -> Scripted:
        def script(_: int, __: str) -> AIMessage:
            raise ProviderFailure("no", scope=scope)

        return Scripted(script=script)

    result, _ = run(Listed(5), model=Scripted(script=counting), draft_model=refuses("step"), k=1, lookahead=4)
    assert result["state"] == 0
    with pytest.raises(ProviderFailure):
        run(Listed(5), model=Scripted(script=counting, delay=lambda _: 0.01), draft_model=refuses("run"), k=1, lookahead=4)


def test_a_task_that_cannot_be_drafted_says_what_it_lacks() -> None:
    with pytest.raises(UsageError, match="draft_prompt"):
        create_maker(Countdown(3), model=Scripted(script=counting), lookahead="auto")
