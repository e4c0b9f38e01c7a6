"""A slice: consecutive items of a task, as they are kept with a run that is a shard of a fleet.

A slice of a table is read, and digested, without reading the rest of the table: by its bytes in CSV and JSON Lines, by its rows
in Parquet. `slicing.py` cuts.
"""

import hashlib
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field

CHUNK = 1 << 20
"""Bytes that are read at once."""

_Number = Annotated[int, Field(ge=0)]


class Slice(BaseModel):
    """Consecutive items of a task.

    Attributes:
        first: the number of items before it.
        rows: how many items it has: rows of a table, whatever is asked about each, or problems.
        header: of CSV, where the header ends, in bytes from the beginning of the file; 0 elsewhere.
        span: of CSV and JSON Lines, where it begins and where it ends, in bytes; None elsewhere.
        columns: of JSON Lines, the columns of the whole table; None elsewhere.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    first: _Number
    rows: _Number
    header: _Number = 0
    span: tuple[_Number, _Number] | None = None
    columns: tuple[str, ...] | None = None


def digest_of_bytes(file: IO[bytes], only: Slice) -> str:
    """Return the SHA-256 of the header and of the bytes of a slice of a text file, in hex; nothing else is read.

    Raises:
        OSError: the file cannot be read.
    """
    assert only.span is not None  # noqa: S101  it is a slice of a text file
    digest = hashlib.sha256()
    for begin, end in ((0, only.header), only.span):
        file.seek(begin)
        while content := file.read(max(0, min(CHUNK, end - file.tell()))):
            digest.update(content)
    return digest.hexdigest()
