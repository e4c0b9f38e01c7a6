"""Errors: one tree, which survives pickling, and texts that keep to themselves what may be hidden."""

import inspect
import pickle

import pytest

from maker_graph import errors
from maker_graph.cli import EXIT_CODES
from maker_graph.errors import DamagedRun, Invalid, MakerError, ProviderFailure, Undecided

MADE = {
    Undecided: Undecided("no lead", {"secret": 2, "other": 1}, {"empty": 1}, 4, ["secret reply"], [("user", "?")]),
    ProviderFailure: ProviderFailure("down", 503, "step"),
}
KINDS = [kind for _, kind in inspect.getmembers(errors, inspect.isclass) if kind.__module__ == errors.__name__]


@pytest.mark.parametrize("kind", KINDS, ids=lambda kind: kind.__name__)
def test_an_error_survives_pickling_with_its_data(kind: type[Exception]) -> None:
    error = MADE.get(kind) or (kind("what happened", 7) if issubclass(kind, DamagedRun) else kind("what happened"))
    again = pickle.loads(pickle.dumps(error))  # noqa: S301  our own
    assert (type(again), str(again), vars(again)) == (kind, str(error), vars(error))


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in {MakerError, Invalid}], ids=lambda kind: kind.__name__)
def test_each_error_is_in_the_tree_and_has_an_exit_code(kind: type[Exception]) -> None:
    assert issubclass(kind, MakerError)
    assert any(issubclass(kind, parent) for parent in EXIT_CODES)
    assert kind.__name__ in (errors.__doc__ or "")


def test_an_undecided_step_is_told_by_its_numbers_and_shows_no_candidate() -> None:
    error = MADE[Undecided]
    assert "secret" not in str(error) + repr(error)
    assert "undecided after 4 samples: no lead Votes 2:1" in str(error)
