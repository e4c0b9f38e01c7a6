"""The blocks of a page, in their order, and what it says that they print.

A block of Python or of shell commands is run. A block of text with the title "Output" after it holds what it prints: its lines
are printed in this order, and a line of three dots stands for whatever comes between. A line may hold three dots too, for what
differs each time.
"""

import re
from typing import NamedTuple

BLOCK = re.compile(r'^```(python|bash)\n(.*?)^```$(?:\n\n^```text title="Output"\n(.*?)^```$)?', re.DOTALL | re.MULTILINE)


class Block(NamedTuple):
    """A block of code, and what the page says that it prints; None if it does not say."""

    language: str
    code: str
    output: str | None


def blocks_of(text: str) -> list[Block]:
    """Return the blocks of a page that are run."""
    return [Block(found[1], found[2], found[3]) for found in BLOCK.finditer(text)]


def printed(output: str, said: str) -> bool:
    """Say whether what was printed is what the page shows."""
    lines = [re.escape(line.rstrip()).replace(r"\.\.\.", ".*") for line in output.strip().splitlines()]
    shown = "".join("(?:.*\n)*?" if line == ".*" else f"{line}\n" for line in lines)
    return re.search(f"^{shown}", "".join(f"{line.rstrip()}\n" for line in said.splitlines()), re.MULTILINE) is not None
