"""The lines of the log."""

import datetime


def line(text: str) -> str:
    """Return a line of the log."""
    return f"{datetime.datetime.utcnow():%H:%M:%S} {text}"
