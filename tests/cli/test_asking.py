"""A person at the terminal sees what is asked, and may type anything."""

import io
import sys

import pytest

from maker_graph.cli.asking import question_lines, read_anything, typed_line


def test_a_line_is_read_until_the_input_ends_or_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO(b" a \n\n\xff\n")))
    read_anything()
    assert [typed_line() for _ in range(4)] == ["a", "", "\udcff", None]
    monkeypatch.setattr(sys, "stdin", None)
    read_anything()
    assert typed_line() is None


def test_the_last_message_is_shown_and_what_nobody_can_see_is_an_escape() -> None:
    question = [("system", "rules"), ("human", "one\ntwo\x1b[2J")]
    assert list(question_lines(question)) == ["  one", "  two\\x1b[2J"]
    assert list(question_lines([])) == []
