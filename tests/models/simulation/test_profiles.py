"""The profiles have the figures of the paper, and can be changed."""

from dataclasses import replace

import pytest

from maker_graph.errors import UsageError
from maker_graph.models.simulation import PROFILES
from maker_graph.models.simulation.profiles import profile_of


def test_every_model_of_the_papers_table_has_its_profile() -> None:
    errors = {name: profile.error for name, profile in PROFILES.items()}
    assert errors["gpt-4.1-mini"] == 0.0022
    assert errors["gpt-oss-20b"] == 0.0358
    assert errors["gpt-4.1-mini-run"] == 2.26e-4
    assert PROFILES["gpt-4.1-mini-run"].flagged == 0.032


def test_each_setting_of_a_profile_can_be_changed_in_its_name() -> None:
    changed = profile_of("gpt-oss-20b,error=.25,output_tokens=90,latency=1e-3")
    assert changed == replace(PROFILES["gpt-oss-20b"], error=0.25, output_tokens=90, latency=0.001)
    assert isinstance(changed.output_tokens, int)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("nobody", "give one of perfect"),
        ("perfect,speed=1", "settings are error"),
        ("perfect,name=x", "settings are error"),
        ("perfect,output_tokens=1.5", "not a number for output_tokens"),
        ("perfect,rho=1", "rho"),
        ("perfect,latency=-1", "latency"),
        ("perfect,max_tokens=0", "at least 1"),
    ],
)
def test_a_profile_that_cannot_be_is_refused(text: str, said: str) -> None:
    with pytest.raises(UsageError, match=said):
        profile_of(text)
