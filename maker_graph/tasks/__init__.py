"""The tasks that ship, one pure file each."""

from maker_graph.tasks.hanoi import Hanoi
from maker_graph.tasks.records import Records

__all__ = ["Hanoi", "Records"]
