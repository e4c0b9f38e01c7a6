"""The hashes of a journal. They are the same for every database that keeps it.

The hash of a step covers its number, its entry, the state of the machine after it (its place), and the hash of the step before
it. The first hash covers the run and its settings (the origin). So an entry that was changed, moved, deleted or taken from
another run is noticed, and the step is known. Amendments, the later answers to open steps, have a chain of their own. The hash
of an amendment also covers the hash of the step that it answers.

A journal that maker_graph 0.1.0 has written must give the same hashes for ever. So a count that was added to the totals later
is left out of a place as long as it is 0.
"""

import hashlib

from maker_graph.core.canonical import canonical
from maker_graph.core.machine import MakerOutput

_PLACE = ("state", "step", "done", "digest")
_TOTALS = frozenset(
    {"samples", "votes", "outvoted", "undecided", "rounds", "first_sample_wrong_at", "flags", "tokens"}
)  # the totals of 0.1.0


def origin_digest(origin: str) -> bytes:
    """Return the digest of the origin, which the first hash of a journal covers: 16 bytes."""
    return hashlib.sha256(origin.encode()).digest()[:16]


def place_digest(at: MakerOutput) -> bytes:
    """Return the digest of the whole state of the machine (state, step, totals): 8 bytes."""
    totals = {name: value for name, value in at["totals"].items() if value or name in _TOTALS}
    place = {**{name: at[name] for name in _PLACE}, "totals": totals}  # type: ignore[literal-required]  # its own keys
    return hashlib.sha256(canonical(place, own=True).encode()).digest()[:8]


def link(before: bytes, step: int, entry: str, place: bytes) -> bytes:
    """Return the hash of a step: 16 bytes. `before` is the hash of the step before it, or the digest of the origin."""
    return hashlib.sha256(f"{before.hex()}\n{step}\n{place.hex()}\n{entry}".encode()).digest()[:16]


def amendment_link(before: bytes, number: int, step: int, amended: bytes, entry: str) -> bytes:
    """Return the hash of an amendment: 16 bytes.

    Args:
        before: the hash of the amendment before this one, or the digest of the origin.
        number: the number of this amendment, from 1.
        step: the step that it answers.
        amended: the hash of that step.
        entry: the final answer, written like the entry of a step.
    """
    return hashlib.sha256(f"amendment\n{before.hex()}\n{number}\n{step}\n{amended.hex()}\n{entry}".encode()).digest()[:16]


def head(step: bytes, amendment: bytes | None) -> bytes:
    """Return one hash for the whole journal: 16 bytes, from the hashes of its last step and of its last amendment, if any."""
    return step if amendment is None else hashlib.sha256(b"head\n" + step + amendment).digest()[:16]


def seal(origin: bytes, name: str, value: str) -> bytes:
    """Return the hash of a note: 16 bytes. It covers the origin too, except for the note that holds the origin itself."""
    began = b"" if name == "origin" else origin
    return hashlib.sha256(b"\n".join((began.hex().encode(), name.encode(), value.encode()))).digest()[:16]
