"""A slice: consecutive items of a task, in the form that is kept with a run that is a shard of a fleet.

A slice of a table is read, and its digest is made, without reading the rest of the table: by its bytes in CSV and JSON Lines,
by its rows in Parquet. `slicing.py` cuts tasks into slices.
"""

import hashlib
from typing import IO, Annotated

from pydantic import BaseModel, ConfigDict, Field

CHUNK = 1 << 20
"""How many bytes are read at once."""

_Number = Annotated[int, Field(ge=0)]


class Slice(BaseModel):
    """Consecutive items of a task.

    Attributes:
        first: how many items come before the slice.
        rows: how many items the slice has: rows of a table, also if several questions are asked about each, or problems.
        header: in CSV, where the header ends, in bytes from the beginning of the file; otherwise 0.
        span: in CSV and JSON Lines, where the slice begins and ends, in bytes; otherwise None.
        columns: in JSON Lines, the columns of the whole table; otherwise None.
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
