"""The tables of the journals: what they are asked is answered with few bytes and by an index."""

import re
from typing import Any

import pytest

from maker_graph.journal.postgres import schema
from tests.journal.kept import InPostgres, filled, following

STATEMENTS = {
    name: text
    for name, text in vars(schema).items()
    if name.isupper() and isinstance(text, str) and "%(" in text and not name.startswith("_")
}


def test_all_tables_are_in_a_schema_of_their_own(in_postgres: InPostgres) -> None:
    made = in_postgres.do("SELECT tablename FROM pg_tables WHERE schemaname = 'maker_graph'")
    assert {row["tablename"] for row in made} >= {"form", "fleets", "runs", "steps", "amendments", "notes"}
    assert in_postgres.do("SELECT 1 AS n FROM pg_tables WHERE schemaname = 'public'") == []
    assert in_postgres.do("SELECT form FROM maker_graph.form") == [{"form": schema.FORM}]


@pytest.mark.parametrize("name", STATEMENTS)
def test_each_statement_names_the_schema_of_each_table(name: str) -> None:
    without = re.findall(r"\b(?:FROM|INTO|UPDATE|JOIN) (?!maker_graph\.|unnest|SET\b|r\.)(\w+)", STATEMENTS[name])
    assert set(without) <= set(re.findall(r"(\w+) AS \(", STATEMENTS[name])), without


def test_no_table_is_read_from_end_to_end_for_one_run(in_postgres: InPostgres) -> None:
    journal, at = filled(in_postgres.open())
    journal.append(following(at, 3000))
    in_postgres.do("ANALYZE maker_graph.steps")
    values: dict[str, Any] = {"run": in_postgres.number(), "first": 1000, "last": 1001, "most": 9, "number": 1, "name": "x"}
    for statement in (schema.ROWS, schema.AMENDMENTS, schema.AMENDMENT_HASH, schema.READ_NOTE):
        plan = in_postgres._db.execute(f"EXPLAIN {statement}".encode(), values).fetchall()
        assert "Seq Scan" not in str(plan), plan
