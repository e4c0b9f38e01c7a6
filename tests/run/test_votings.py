"""How a run votes, as settings.json keeps it."""

import pytest

from maker_graph import AheadBy, Confirm, Emit, FirstTo, UsageError, Voting
from maker_graph.run.votings import RungSettings, see_kept


@pytest.mark.parametrize(
    "voting",
    [
        Voting(k=2),
        Voting(k=AheadBy(2, within=400)),
        Voting(k=AheadBy(2, within=4), temperature=(0.0, 0.5), stop=("\n", "END"), structured=True),
        Voting(k=2, emit=Emit(model="openai:m", reason="Think.", stop=("\n",))),
        Voting(k=Confirm(3, of=4), temperature=None, max_tokens=None, seed=7, check=False),
    ],
)
def test_what_is_kept_is_what_was_said(voting: Voting) -> None:
    kept = RungSettings(model="sim:perfect", voting=voting)
    assert RungSettings.model_validate_json(kept.model_dump_json()) == kept


@pytest.mark.parametrize("voting", [Voting(k=FirstTo(2)), Voting(red_flags=[])])
def test_another_rule_cannot_be_kept(voting: Voting) -> None:
    with pytest.raises(UsageError, match="can store only the rules"):
        see_kept(voting)


def test_a_run_without_a_second_call_is_kept_as_before_there_was_one() -> None:
    kept = RungSettings(model="sim:perfect", voting=Voting(k=2)).model_dump(mode="json")
    assert "emit" not in kept["voting"]
    assert RungSettings(model="sim:perfect", voting=Voting(k=2, emit=Emit())).model_dump(mode="json")["voting"]["emit"]


def test_a_model_without_a_name_that_writes_cannot_be_kept() -> None:
    with pytest.raises(UsageError, match="keeps the name"):
        see_kept(Voting(k=2, emit=Emit(model=object())))
