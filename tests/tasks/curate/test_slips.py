"""Rehearsed mistakes are wrong, and the likeliest keep the rules of the schema, so that they could win."""

import json
from typing import Any

from maker_graph.tasks.curate.slips import slips
from tests.tasks.curate.tables import ORDER

RECORD: dict[str, Any] = {"name": "Oat flat white", "count": 3, "price": "12.50", "currency": "EUR", "paid": "2026-03-04"}
ROW: dict[str, Any] = {"id": 1, "text": "3 Oat flat white at 12.50, 4 March 2026"}


def test_no_slip_is_the_right_record_and_each_could_win() -> None:
    found = slips(ORDER, RECORD, ROW)
    right = ORDER.key(RECORD)
    assert len(found) == len(set(found)) >= 4
    assert all(ORDER.key(ORDER.read(text, ROW)) != right for text in found)


def test_a_slip_is_in_one_field_and_the_fields_differ() -> None:
    wrong = [{name for name, value in json.loads(text).items() if value != RECORD[name]} for text in slips(ORDER, RECORD, ROW)]
    assert all(len(each) == 1 for each in wrong)
    assert len(set().union(*wrong)) >= 3


def test_where_no_slip_keeps_the_rules_those_are_taken_that_break_one() -> None:
    name = ORDER.only("name")
    found = slips(name, {"name": "x"}, {"text": "x"})
    assert found
    assert json.dumps({"name": "x"}) not in found
