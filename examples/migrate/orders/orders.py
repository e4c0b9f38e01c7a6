"""Orders, as somebody wrote them before Python 3.12."""

from datetime import datetime, timedelta


def created() -> str:
    """Return when an order was made."""
    return datetime.utcnow().strftime("%Y-%m-%d %H:%M")


def is_late(due: str) -> bool:
    """Say whether an order is late; `due` is text without a zone."""
    return datetime.utcnow() > datetime.strptime(due, "%Y-%m-%d")


def stamp() -> str:
    """Return the time as other programs read it: with a Z at its end."""
    return datetime.utcnow().isoformat(timespec="seconds") + "Z"


def is_valid(expires: datetime) -> bool:
    """Say whether a coupon is valid; the database keeps naive values."""
    return expires - datetime.utcnow() > timedelta(0)
