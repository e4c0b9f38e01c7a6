"""Each engine is what a fleet asks for."""

import inspect

import pytest

from maker_graph.fleet.engines.dbos import DbosEngine
from maker_graph.fleet.engines.protocol import Engine


@pytest.mark.parametrize("engine", [DbosEngine])
def test_an_engine_takes_what_it_is_given(engine: type) -> None:
    for name in ("work", "submit"):
        asked, given = (inspect.signature(getattr(each, name)) for each in (Engine, engine))
        assert list(given.parameters) == list(asked.parameters)
