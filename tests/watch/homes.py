"""Runs in directories, as they are found to be watched."""

from collections.abc import Iterable
from pathlib import Path

from maker_graph.run.directory import Directory
from maker_graph.watch.hub import Finding, Found


def finding(directories: Iterable[Path]) -> Finding:
    """Return the runs in these directories as they are found."""
    return Finding([Found(Directory(each)) for each in directories])
