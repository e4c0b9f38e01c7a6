"""How a run votes, as settings.json keeps it."""

import pytest

from maker_graph import AheadBy, Confirm, FirstTo, UsageError, Voting
from maker_graph.run.votings import RungSettings, see_kept


@pytest.mark.parametrize(
    "voting",
    [
        Voting(k=2),
        Voting(k=AheadBy(2, within=400)),
        Voting(k=AheadBy(2, within=4), temperature=(0.0, 0.5), stop=("\n", "END"), structured=True),
        Voting(k=Confirm(3, of=4), temperature=None, max_tokens=None, seed=7, check=False),
    ],
)
def test_what_is_kept_is_what_was_said(voting: Voting) -> None:
    kept = RungSettings(model="sim:perfect", voting=voting)
    assert RungSettings.model_validate_json(kept.model_dump_json()) == kept


@pytest.mark.parametrize("voting", [Voting(k=FirstTo(2)), Voting(red_flags=[])])
def test_another_rule_cannot_be_kept(voting: Voting) -> None:
    with pytest.raises(UsageError, match="cannot be kept"):
        see_kept(voting)
