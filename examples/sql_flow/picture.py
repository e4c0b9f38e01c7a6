"""The state flow, drawn from its own code: its states with the rules between them, and the graph that LangGraph runs.

    python -m examples.sql_flow.picture
    python -m examples.sql_flow.picture docs/state_flow.md

The first command prints both diagrams. The second replaces the diagrams of the page with them.
"""

import re
import sys
import tempfile
from collections.abc import Mapping
from pathlib import Path

from examples.sql_flow.shop import write
from examples.sql_flow.task import FLOW, OVER, SqlFlow
from maker_graph import create_maker
from maker_graph.core.task import GivenPart

BLOCK = re.compile(r"```mermaid\n.*?^```$", re.DOTALL | re.MULTILINE)


def states(parts: Mapping[str, object]) -> str:
    """Return the states as a diagram: who answers in each state, and when each next one follows."""
    lines = ["stateDiagram-v2", f"    [*] --> {next(iter(FLOW))}"]
    for name, part in parts.items():
        lines.append(f"    {name}: {name} ({part.by if isinstance(part, GivenPart) else 'vote'})")
    for name, following in FLOW.items():
        lines += [f"    {name} --> {after}: {when}" for after, when in following.items()]
    return "\n".join([*lines, f"    {OVER} --> query: another question", f"    {OVER} --> [*]: no question is left"])


def pictures() -> list[str]:
    """Return both diagrams, in the language of Mermaid."""
    with tempfile.TemporaryDirectory() as folder:
        database = Path(folder) / "shop.db"
        write(database)
        task = SqlFlow(database)
        graph = create_maker(task, model="sim:perfect").compile().get_graph()
    return [states(task.parts), graph.draw_mermaid().strip()]


def drawn(page: str) -> str:
    """Return a page with the diagrams as they are now."""
    fresh = iter(pictures())
    return BLOCK.sub(lambda _: f"```mermaid\n{next(fresh)}\n```", page)


if __name__ == "__main__":
    if sys.argv[1:]:
        page = Path(sys.argv[1])
        page.write_text(drawn(page.read_text(encoding="utf-8")), encoding="utf-8")
    else:
        print("\n\n".join(pictures()))
