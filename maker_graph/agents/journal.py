"""The journal of an agent's votes: JSON Lines, one decision a line, for `maker-graph report FILE`.

    {"time": "2026-01-31T12:00:00+00:00", "name": "vote", "thread": "42", "decision": {...}}

A line is on the disk before anything acts on its decision. Several agents, threads and processes may write to one file.
"""

import os
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from langgraph.config import get_config

from maker_graph.core.canonical import sorted_json
from maker_graph.core.decision import Decision
from maker_graph.errors import LimitReached, UsageError


class Journal:
    """Appends decisions to a file, which only its owner can read."""

    def __init__(self, path: str | Path) -> None:
        """Make the file, or open the one that is there.

        Raises:
            UsageError: the file cannot be written.
        """
        self._path = Path(path).absolute()
        try:
            os.close(self._open())
        except OSError as error:
            raise UsageError(f"The journal {path} cannot be written: {error.strerror}.") from None

    def write(self, name: str, decision: Decision) -> None:
        """Append a decision; when it returns, the decision is on the disk.

        Raises:
            LimitReached: there is no room, or no access any more.
        """
        about: Mapping[str, Any] = get_config().get("configurable", {})
        line = {
            "time": datetime.now(UTC).isoformat(timespec="milliseconds"),
            "name": name,
            "thread": about.get("thread_id"),
            "decision": decision,
        }
        content = (sorted_json(line) + "\n").encode()
        try:
            file = self._open()
            try:
                while content:
                    content = content[os.write(file, content) :]
                os.fsync(file)
            finally:
                os.close(file)
        except OSError as error:
            raise LimitReached(
                f"The journal {self._path} cannot be written ({error.strerror}): make room, or give access."
            ) from None

    def _open(self) -> int:
        return os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
