"""The settings of a served graph come from the context of its run, and a wrong one is one sentence."""

from types import SimpleNamespace
from typing import Any

import pytest
from pydantic import BaseModel, ConfigDict, Field

from maker_graph.errors import UsageError
from maker_graph.graph.served import settings_of


class Given(BaseModel):
    """Settings of a graph."""

    model_config = ConfigDict(extra="forbid")
    disks: int = Field(default=4, ge=1)


def started(context: Any) -> Any:
    return SimpleNamespace(execution_runtime=SimpleNamespace(context=context))


def test_a_run_has_the_settings_of_its_context_and_who_only_looks_has_the_defaults() -> None:
    assert settings_of(started({"disks": 7}), Given) == Given(disks=7)
    assert settings_of(started(None), Given) == settings_of(SimpleNamespace(execution_runtime=None), Given) == Given()  # type: ignore[arg-type]  # what is read of it


@pytest.mark.parametrize(
    ("context", "said"), [({"disks": 0}, "disks: "), ({"peg": 1}, "peg: Extra"), ("many", "context: "), ([], "context: ")]
)
def test_a_wrong_setting_is_named_on_one_line(context: Any, said: str) -> None:
    with pytest.raises(UsageError, match=said) as caught:
        settings_of(started(context), Given)
    assert "\n" not in str(caught.value)
