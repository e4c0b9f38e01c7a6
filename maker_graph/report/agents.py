"""The report of an agent's votes: one HTML page of the journal that `VotingMiddleware(journal=...)` keeps."""

import json
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from maker_graph.core.canonical import strict_json
from maker_graph.core.characters import visible
from maker_graph.errors import UsageError
from maker_graph.files import users_text, write_whole
from maker_graph.report.document import document
from maker_graph.report.sections.html import escaped, section

SHOWN = 20
"""The most contested decisions that are shown, the closest first."""

UNDECIDED = "nothing: undecided"


@dataclass(slots=True)
class Counted:
    """The counts of the decisions for one action."""

    decisions: int = 0
    samples: int = 0
    contested: int = 0
    tokens: int = 0
    by: Counter[str] = field(default_factory=Counter)
    flags: Counter[str] = field(default_factory=Counter)


def read_decisions(path: Path) -> list[Mapping[str, Any]]:
    """Return the decisions in an agent's journal, in the order in which they were made.

    A last line that was cut short, for example by a crash, is left out.

    Raises:
        UsageError: the file cannot be read, or is no such journal; the text says where.
    """
    *lines, rest = users_text(path, "the votes of an agent as JSON Lines").split("\n")
    found = []
    for number, line in enumerate(lines, start=1):
        try:
            read: Any = strict_json(line)
            decision = read["decision"]
            _ = [decision[name] for name in ("status", "candidate", "by", "ballot", "flags", "samples", "usage", "tried")]
        except (ValueError, KeyError, TypeError):
            raise UsageError(f"{path}, line {number}: this is not a decision of VotingMiddleware(journal=...).") from None
        found.append(decision)
    if not found:
        raise UsageError(f"{path} holds no decision{' except one that was cut short' if rest else ''}.")
    return found


def write_page(journal: Path, *, force: bool = False) -> Path:
    """Write the page about a journal beside it; return its path.

    Raises:
        UsageError: the journal cannot be read, or another file than such a page is there already.
    """
    page = journal.with_name(journal.name + ".html")
    if page.exists() and not force and b"maker_graph" not in page.read_bytes()[:4000]:
        raise UsageError(f"{page} exists, and is not a report: move it away, or give --force.")
    return write_whole(page, decisions_page(journal.name, read_decisions(journal)), private=True)


def decisions_page(name: str, decisions: Sequence[Mapping[str, Any]]) -> str:
    """Return the page."""
    counted = _by_action(decisions)
    contested = [each for each in decisions if _is_contested(each)]
    title = f"{name}: {len(decisions):,} decisions, {len(contested):,} contested"
    top = (
        f'<header><p class="eyebrow">maker_graph · an agent\'s votes · {escaped(name)}</p>'
        f"<h1>{len(decisions):,} decisions, {len(contested):,} of them contested</h1></header>"
    )
    return document(title, top, [_actions_section(counted), _contested_section(contested)], f"Journal {escaped(name)}.")


def action_of(candidate: str | None) -> str:
    """Return, in words, what a candidate does.

    >>> action_of('{"tool_calls":[["refund",{"order":7}],["close",{}]]}'), action_of('"text"'), action_of(None)
    ('close, refund', 'a reply in words', 'nothing: undecided')
    """
    if candidate is None:
        return UNDECIDED
    read = json.loads(candidate)
    if isinstance(read, dict) and "tool_calls" in read:
        return ", ".join(sorted(str(call[0]) for call in read["tool_calls"]))
    return "a structured response" if isinstance(read, dict) and "structured" in read else "a reply in words"


def _by_action(decisions: Iterable[Mapping[str, Any]]) -> dict[str, Counted]:
    counted: dict[str, Counted] = {}
    for decision in decisions:
        each = counted.setdefault(action_of(decision["candidate"]), Counted())
        votes = [decision, *decision["tried"]]
        each.decisions += 1
        each.samples += sum(vote["samples"] for vote in votes)
        each.tokens += sum(vote["usage"]["input"] + vote["usage"]["output"] for vote in votes)
        each.contested += _is_contested(decision)
        each.by[decision["by"]] += 1
        for vote in votes:
            each.flags.update(vote["flags"])
    return dict(sorted(counted.items(), key=lambda item: -item[1].decisions))


def _is_contested(decision: Mapping[str, Any]) -> bool:
    return any(len(vote["ballot"]) > 1 for vote in (decision, *decision["tried"]))


def _actions_section(counted: Mapping[str, Counted]) -> str:
    heads = ("What won", "Decisions", "Contested", "Samples each", "Tokens", "By a stronger model", "By a person", "Red flags")
    rows = [
        (
            name,
            f"{each.decisions:,}",
            f"{each.contested:,}",
            f"{each.samples / each.decisions:.1f}",
            f"{each.tokens:,}",
            f"{each.by['model']:,}",
            f"{each.by['person']:,}",
            ", ".join(f"{flag} {number:,}" for flag, number in each.flags.most_common()) or "none",
        )
        for name, each in counted.items()
    ]
    head = "".join(f"<th scope='col'>{escaped(each)}</th>" for each in heads)
    body = "".join(
        f"<tr><th scope='row'>{escaped(name)}</th>{''.join(f'<td>{escaped(cell)}</td>' for cell in cells)}</tr>"
        for name, *cells in rows
    )
    return section("What was decided", f"<table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table>")


def _contested_section(contested: Sequence[Mapping[str, Any]]) -> str:
    if not contested:
        return section("Contested decisions", "<p>None: the samples of each decision agreed.</p>")
    closest = sorted(contested, key=lambda each: _margin(each) + (each["candidate"] is None) * -1e9)[:SHOWN]
    shown = "".join(f"<figure><figcaption>{escaped(_told(each))}</figcaption>{_ballot(each)}</figure>" for each in closest)
    return section(
        "Contested decisions",
        f"<p class='lead'>{len(contested):,} in all; shown are {len(closest)}, the closest first.</p>",
        f'<div class="panels">{shown}</div>',
    )


def _margin(decision: Mapping[str, Any]) -> float:
    """Return the lead of the most voted candidate in the last ballot of models, as a share of its votes."""
    first, second, *_ = [*sorted(_last_ballot(decision).values(), reverse=True), 0, 0]
    return (first - second) / max(first + second, 1)


def _last_ballot(decision: Mapping[str, Any]) -> Mapping[str, int]:
    return next((vote["ballot"] for vote in (decision, *reversed(decision["tried"])) if vote["ballot"]), {})


def _told(decision: Mapping[str, Any]) -> str:
    who = {"base": "the agent's model", "model": "the stronger model", "person": "a person"}.get(decision["by"], decision["by"])
    return f"{action_of(decision['candidate'])}, by {who}" if decision["candidate"] is not None else decision["reason"]


def _ballot(decision: Mapping[str, Any]) -> str:
    lines = []
    for candidate, votes in sorted(_last_ballot(decision).items(), key=lambda item: -item[1]):
        text = visible(candidate)
        won = "<em>won</em>" if candidate == decision["candidate"] else ""
        lines.append(f"<li><span>{votes}</span><span><code>{escaped(text[:300])}</code>{won}</span></li>")
    return f'<ul class="ballot">{"".join(lines)}</ul>'
