"""`python -m maker_graph.cli` is `maker-graph`."""

from maker_graph.cli import main

main()
