"""A slice of a table: what is kept of it, and the bytes that count."""

import hashlib
from pathlib import Path

import pytest
from pydantic import ValidationError

from maker_graph.tasks.slices import CHUNK, Slice, digest_of_bytes


def digest(path: Path, only: Slice) -> str:
    with path.open("rb") as file:
        return digest_of_bytes(file, only)


def test_a_slice_is_digested_by_its_header_and_its_bytes_alone(tmp_path: Path) -> None:
    path, body = tmp_path / "t.csv", b"x" * (2 * CHUNK + 7)
    path.write_bytes(b"head\n" + b"before" + body + b"after")
    only = Slice(first=3, rows=2, header=5, span=(11, 11 + len(body)))
    assert digest(path, only) == hashlib.sha256(b"head\n" + body).hexdigest()
    path.write_bytes(b"head\n" + b"BEFORE" + body + b"AFTER, and more")
    assert digest(path, only) == hashlib.sha256(b"head\n" + body).hexdigest()
    path.write_bytes(b"head\n" + b"before" + body[:-1])
    assert digest(path, only) != hashlib.sha256(b"head\n" + body).hexdigest()


def test_a_slice_is_plain_json_and_nothing_else_is_one() -> None:
    only = Slice(first=3, rows=2, span=(4, 9), columns=("a", "ü"))
    assert Slice.model_validate_json(only.model_dump_json()) == only
    for wrong in ({"first": -1}, {"rows": None}, {"more": 1}, {"span": [1]}, {"span": [-1, 2]}):
        with pytest.raises(ValidationError):
            Slice.model_validate({"first": 0, "rows": 1, **wrong})
