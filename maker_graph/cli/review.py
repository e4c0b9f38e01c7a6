"""`maker-graph review`: list the open items of a run, export them, or answer them one by one."""

from collections.abc import Iterable, Iterator
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from maker_graph.cli.app import EXIT_CODES, Ending, app, code_of
from maker_graph.cli.asking import question_lines, read_anything, typed_line
from maker_graph.cli.options import AsJson, Force, InJournal, OwnTask, RunName, Trust, opened_run, unescaped
from maker_graph.cli.output import counted, say, tell
from maker_graph.core.characters import visible
from maker_graph.core.guarding import guarded
from maker_graph.core.task import Keyed
from maker_graph.errors import MakerError, Undecided

AT_ONCE = 1_000
"""For so many open items the last replies are read at once."""

if TYPE_CHECKING:
    from maker_graph.run.left_answers import Reply
    from maker_graph.run.review import OpenItem
    from maker_graph.runs import Run


@app.command(
    "review",
    epilog="Examples, for a run that was made with maker-graph run records ... --run rows:\n\n  maker-graph review rows\n\n"
    "  maker-graph review rows --export open.csv\n\n  maker-graph resume rows --answers open.csv   # once it is filled in",
)
def review_command(
    run: RunName,
    only_list: Annotated[bool, typer.Option("--list", help="List the open items, and ask nothing.")] = False,
    export: Annotated[
        Path | None,
        typer.Option(
            metavar="FILE", help="Write the open items to FILE, to be filled in: JSON Lines, or CSV if FILE ends in .csv."
        ),
    ] = None,
    journal: InJournal = None,
    task: OwnTask = None,
    trust: Trust = False,
    force: Force = False,
    as_json: AsJson = False,
) -> Ending:
    """Answer the items of a run that no vote could decide.

    You are asked about one item after the other. Each answer is read and checked like a model's reply, and stored at once. If
    the run is still at work, it stops when the first answer is stored.
    """
    with opened_run(run, journal, task=task, trust=trust or "mine") as opened:
        _ = opened.task
        if export is not None:
            _export(opened, export, force=force)
        elif only_list or as_json:
            _list(opened, as_json=as_json)
        elif (unwritten := _ask(opened)) is not None:
            return Ending(code_of(unwritten), str(unwritten))
        left = opened.open_count()
        result = {"run": opened.home.name, "open": left}
        if as_json:
            result["items"] = [_plain(item) for item in opened.open_items()]
        if left and not as_json:
            tell(f"Open: {counted(left, 'item')}.")
        return Ending(EXIT_CODES[Undecided], f"Open: {counted(left, 'item')}.", result) if left else Ending(result=result)


def _export(run: "Run", path: Path, *, force: bool) -> None:
    from maker_graph.files import OwnFiles
    from maker_graph.run.answers import exported

    own = OwnFiles()
    own.see(path, force=force)
    own.write({path: exported(run.open_items(), as_csv=path.suffix.lower() == ".csv").encode()})
    tell(f"{path}: fill in the answers, then: maker-graph resume {run.home.command} --answers {path}")


def _list(run: "Run", *, as_json: bool) -> None:
    if not as_json:
        for _, lines in _shown(run, run.open_items(), keyed=_keyed(run)):
            say("\n".join(lines))


def _ask(run: "Run") -> MakerError | None:
    """Ask for each open item, and write the results at the end; return the error if they cannot be written.

    Each answer is stored before the next question.

    Raises:
        TakenOver: another process goes on with the run, and will write its results.
    """
    from maker_graph.cli.session import written_of

    items = list(run.open_items())
    keyed = _keyed(run)
    if items:
        candidate = "" if keyed else ", or #1 for the first candidate"
        tell(f"Type an answer as a model would reply{candidate}. An empty line skips the item; q stops.")
    read_anything()
    answered = False
    try:
        for place, (item, lines) in enumerate(_shown(run, items, keyed=keyed), start=1):
            tell("\n".join([f"[{place} of {len(items)}]", *lines]))
            taken = _answered(run, item)
            if taken is None:
                break
            answered = answered or taken
    except KeyboardInterrupt:
        if answered:
            written_of(run)
        raise
    return written_of(run)[1] if answered else None


def _answered(run: "Run", item: "OpenItem") -> bool | None:
    """Ask until an answer is taken, and return True; False if the item is skipped, None if the person stops."""
    while (typed := typed_line()) not in {None, "q"}:
        if not typed:
            return False
        refused = ""
        for reply in _meant(typed, item):
            found = run.answer({item.number: reply}, write=False)
            if item.number not in found.refused:
                return True
            refused = refused or found.refused[item.number]
        tell(f"This was not taken: {visible(refused or f'there are {len(item.ballot)} candidates')}.")
    return None


def _meant(typed: str, item: "OpenItem") -> "Iterator[Reply]":
    """Yield what `typed` may mean, the likeliest first: #1 is a candidate; other text is a reply; 1 may be either."""
    from maker_graph.run.left_answers import Candidate

    number = typed.removeprefix("#")
    place = int(number) if number.isascii() and number.isdigit() and len(number) <= len(str(len(item.ballot))) else 0
    if not typed.startswith("#"):
        yield unescaped(typed)
    if 1 <= place <= len(item.ballot):
        yield Candidate(list(item.ballot)[place - 1])


def _shown(run: "Run", items: "Iterable[OpenItem]", *, keyed: bool) -> "Iterator[tuple[OpenItem, list[str]]]":
    """Yield each open item with the lines in which it is shown. The last replies are read for many items at once."""
    left = iter(items)
    while some := list(islice(left, AT_ONCE)):
        replies = run.home.last_replies([item.number for item in some])
        for item in some:
            yield item, list(_lines(item, replies.get(item.number, []), keyed=keyed))


def _lines(item: "OpenItem", replies: list[str], *, keyed: bool) -> Iterator[str]:
    """Yield the question, the votes, the red flags, and the last reply; candidates that are keys get no number to choose by."""
    yield f"Item {item.number:,}"
    yield from question_lines(item.question)
    for place, (candidate, votes) in enumerate(item.ballot.items(), start=1):
        number = "" if keyed else f"#{place}: "
        yield f"  {number}{votes} for {visible(candidate)[:200]}"
    flags = ", ".join(f"{name} {number}" for name, number in item.flags.items())
    yield f"  {item.samples} samples" + (f"; red flags: {flags}" if flags else "")
    if replies:
        yield f"  The last reply: {visible(' '.join(replies[-1].split()))[:300]}"


def _keyed(run: "Run") -> bool:
    """Say whether the candidates are keys and not whole answers, so that none can be chosen by its number."""
    return isinstance(guarded(run.task), Keyed)


def _plain(item: "OpenItem") -> dict[str, Any]:
    question = [[role, str(content)] for role, content in item.question]
    return {"item": item.number, "question": question, "ballot": item.ballot, "flags": item.flags, "samples": item.samples}
