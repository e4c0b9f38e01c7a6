"""The faults of the simulated server."""

import pytest

from maker_graph.errors import UsageError
from maker_graph.models.simulation.faults import parse_faults


@pytest.mark.parametrize(
    ("faults", "advice"),
    [
        ("418=.1", "does not know '418'"),
        ("429", "needs a number for 429"),
        ("429=often", "needs a number for 429"),
        ("429=1.5", "a share from 0 to 1"),
        ("429=nan", "a share from 0 to 1"),
        ("429=.6,5xx=.6", "more than 1"),
        ("retry-after=-1", "at least 0 seconds"),
    ],
)
def test_faults_that_cannot_be_are_refused(faults: str, advice: str) -> None:
    with pytest.raises(UsageError, match=advice):
        parse_faults(faults)


def test_faults_are_named_as_they_are_asked_for() -> None:
    faults = parse_faults("429=.3, 5xx=.05,cut=.1,retry-after=2,hang-seconds=9")
    assert {name: share for name, share in faults.shares().items() if share} == {"429": 0.3, "5xx": 0.05, "cut": 0.1}
    assert (faults.retry_after, faults.hang_seconds) == (2, 9)


def test_shares_may_add_up_to_one_and_no_more() -> None:
    assert sum(parse_faults("429=.7,reset=.1,html=.2").shares().values()) == pytest.approx(1)
    with pytest.raises(UsageError, match="more than 1"):
        parse_faults("429=.7,reset=.1,html=.21")
