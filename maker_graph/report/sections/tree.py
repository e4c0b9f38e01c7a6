"""The tree of problems of a decomposition."""

from maker_graph.report.collecting import ReportData
from maker_graph.report.counting.tree import Ballot
from maker_graph.report.sections.html import escaped, section
from maker_graph.tasks.decompose import Node

_WHY = {
    "small": "solved at once: the vote says that it is small enough",
    "rule": "solved at once: the task says that it is small enough",
    "depth": "solved at once: max_depth is reached",
    "nodes": "solved at once: max_nodes is reached",
    None: "",
}


def tree_section(data: ReportData) -> str:
    """Return the section with the tree of problems; empty for tasks that do not split one."""
    if data.tree is None:
        return ""
    nodes = list(_nodes(data.tree))
    bounded = sum(node.at_once in {"depth", "nodes"} for node in nodes)
    number = "1 problem" if len(nodes) == 1 else f"{len(nodes):,} problems"
    told = f"{number}, with the answer of each and the votes for it."
    told += f" {bounded:,} could not be split further, because a bound was reached." if bounded else ""
    return section("The tree of problems", f'<p class="lead">{told}</p>', f'<ul class="tree">{_shown(data.tree)}</ul>')


def _nodes(node: Node) -> list[Node]:
    return [node, *(below for child in node.children for below in _nodes(child))]


def _shown(node: Node) -> str:
    """Return a problem and all below it."""
    answer = "not answered yet" if node.answer is None else f"<b>{escaped(node.answer)}</b>"
    notes = [_WHY[node.at_once], f"combined in this way: {node.combine}" if node.combine else ""]
    notes += [f"{part}: {_votes(ballot)}" for part, ballot in node.told.items()]
    text = escaped("; ".join(filter(None, notes)))
    below = f"<ul>{''.join(map(_shown, node.children))}</ul>" if node.children else ""
    return f"<li><span>{escaped(node.problem)}</span> {answer} <small>{text}</small>{below}</li>"


def _votes(ballot: Ballot) -> str:
    """Return the votes of a ballot, those of the winner first."""
    return f"votes {':'.join(str(votes) for _, votes in ballot)}" if ballot else "answered by a person"
