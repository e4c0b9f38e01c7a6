"""Commands about a task, which also take the options of the task as options of their own.

`maker-graph run curate --schema orders.py:Order` means `--set schema=orders.py:Order`, and `--per-field` means
`--set per_field=true`. The name of the task must come before them. If the command has an option of the same name, it is meant.
"""

from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from typing import TYPE_CHECKING, Any

from rich.markup import escape
from typer.core import TyperCommand

from maker_graph.core.characters import visible
from maker_graph.errors import MakerError, UsageError

if TYPE_CHECKING:
    from maker_graph.tasks.options import Option


class TaskCommand(TyperCommand):
    """A command whose first argument, or whose `--task`, is the name of a task."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        """Read the command line, in which an option of the task stands for `--set`."""
        ctx.meta[__name__] = task = _task_in(args, self._own(ctx))
        return super().parse_args(ctx, args if task is None else [*self._as_sets(ctx, task, args)])

    def format_help(self, ctx: Any, formatter: Any) -> None:
        """Show the help text, with the options of the task if one is named."""
        task, said = ctx.meta.get(__name__), self.epilog
        try:
            self.epilog = said if task is None else _with_options(said or "", task, self._own(ctx))
            super().format_help(ctx, formatter)
        finally:
            self.epilog = said

    def _own(self, ctx: Any) -> dict[str, bool]:
        """Return the options of the command itself -> whether a value follows it."""
        return {
            name: not (getattr(each, "is_flag", False) or getattr(each, "count", False))
            for each in self.get_params(ctx)
            for name in (*each.opts, *each.secondary_opts)
            if name.startswith("-")
        }

    def _as_sets(self, ctx: Any, task: str, args: Sequence[str]) -> Iterator[str]:
        """Yield the command line, with each option of the task as `--set name=value`."""
        own, rest, known = self._own(ctx), iter(args), None
        for word in rest:
            option, equals, _ = word.partition("=")
            if word == "--":
                yield from (word, *rest)
            elif option in own:
                yield word
                if own[option] and not equals:
                    yield from _next(rest)
            elif not option.startswith("--") or option in {"--help", "--version"}:
                yield word
            else:
                known = _options_of(task) if known is None else known
                name = _name_among(known, option, own)
                yield from (word,) if name is None else ("--set", f"{name}={_value(word, known[name], rest)}")


def _task_in(args: Sequence[str], own: Mapping[str, bool]) -> str | None:
    """Return the name of the task: the value of `--task` if the command has it, otherwise the first word that is not an option.

    None if no task is named, or if an option that is not the command's own comes first: nobody knows whether it takes a value.
    """
    rest = iter(args)
    for word in rest:
        option, equals, value = word.partition("=")
        if option == "--task" in own:
            return value if equals else next(rest, None)
        if not word.startswith("-"):
            if "--task" in own:
                continue
            return word
        if option == "--help":
            continue
        if option not in own:
            return None
        if own[option] and not equals:
            next(rest, None)
    return None


def _next(words: Iterator[str]) -> Iterator[str]:
    """Yield the next word, if there is one."""
    for word in words:
        yield word
        return


def _value(word: str, option: "Option", rest: Iterator[str]) -> str:
    """Return the value of a task's option: it is in `word`, or the next of the `rest`.

    Raises:
        UsageError: the value is missing.
    """
    written, equals, value = word.partition("=")
    if equals:
        return value
    if _is_flag(option):
        return "false" if written == f"--no-{_dashed(option.name)}" else "true"
    found = next(rest, "--")
    if found.startswith("--"):
        raise UsageError(f"{written} needs a value.")
    return found


def _options_of(task: str) -> "Mapping[str, Option]":
    """Return the options of a task by their names. For a task of the user's own this imports its module.

    Raises:
        UnknownTask: there is no such task.
    """
    from maker_graph.tasks.loading import options_of

    return options_of(task)


def _name_among(known: "Mapping[str, Option]", option: str, own: Mapping[str, bool]) -> str | None:
    """Return the name of the task's option that is written `option`; None if there is no such option.

    Raises:
        UsageError: there is none, but one of the task's options is written almost like it.
    """
    written = {f"--{_dashed(name)}": name for name in known}
    written |= {f"--no-{_dashed(name)}": name for name, each in known.items() if _is_flag(each)}
    if option in written:
        return written[option]
    near = get_close_matches(option, [*written, *own], n=1)
    if near and near[0] in written and near[0] not in own:
        raise UsageError(f"There is no option {option}. Did you mean {near[0]}?")
    return None


def _with_options(said: str, task: str, own: Mapping[str, bool]) -> str:
    """Return the end of a help text, with the options of the task."""
    try:
        known = _options_of(task)
    except MakerError:
        return said
    lines = [f"  {_line(each)}" for name, each in known.items() if f"--{_dashed(name)}" not in own]
    return f"Options of {task}:\n\n" + "\n\n".join(lines) + f"\n\n{said}" if lines else said


def _line(option: "Option") -> str:
    """Return what a help text says of a task's option. Its square brackets are no markup."""
    meaning = visible(option.meaning).removesuffix(".")
    return escape(f"--{_dashed(option.name)}: {f'{meaning} ({option.described})' if meaning else option.described}")


def _dashed(name: str) -> str:
    return name.replace("_", "-")


def _is_flag(option: "Option") -> bool:
    return option.kind is bool
